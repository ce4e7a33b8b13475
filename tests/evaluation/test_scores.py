from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from vmafcast.common.errors import RequestError
from vmafcast.evaluation.scores import bootstrap_mean, mae, plcc, rmse, srocc

LENGTHS = st.shared(st.integers(2, 60), key="length")
COLUMN = arrays(np.float64, LENGTHS, elements=st.floats(-1e6, 1e6).map(lambda value: round(value, 3)))


@given(COLUMN, COLUMN)
def test_correlations_are_those_of_scipy(left, right):
    assume(np.ptp(left) > 1e-6 * np.abs(left).max())
    assume(np.ptp(right) > 1e-6 * np.abs(right).max())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.NearConstantInputWarning)
        pearson, spearman = stats.pearsonr(left, right).statistic, stats.spearmanr(left, right).statistic
    assert plcc(left, right) == pytest.approx(pearson, abs=1e-9)
    assert srocc(left, right) == pytest.approx(spearman, abs=1e-9)


@given(COLUMN, COLUMN, st.floats(0.01, 100), st.floats(-1e3, 1e3))
def test_plcc_does_not_depend_on_scale_offset_or_side(left, right, scale, offset):
    assume(np.ptp(left) > 1e-3)
    assume(np.ptp(right) > 1e-3)
    value = plcc(left, right)
    assert value is not None
    assert -1 <= value <= 1
    assert plcc(right, left) == pytest.approx(value, abs=1e-9)
    assert plcc(scale * left + offset, right) == pytest.approx(value, abs=1e-6)
    assert plcc(left, left) == pytest.approx(1)


def test_a_large_offset_costs_no_digits():
    """The textbook formula of raw sums loses everything here."""
    left = np.array([1.0, 2.0, 3.0, 4.0, 5.5])
    right = np.array([1.0, 2.5, 2.9, 4.0, 5.0])
    assert plcc(left + 1e8, right + 1e8) == pytest.approx(plcc(left, right), abs=1e-7)
    assert plcc(left * 1e-200, right * 1e200) == pytest.approx(plcc(left, right), abs=1e-12)


def test_equal_values_share_their_rank():
    """Trap: with scores clipped at 100, ranks by order of appearance read 0.63 where it is 0.99."""
    rng = np.random.default_rng(0)
    quality = np.sort(rng.uniform(60, 160, 2000))
    teacher = np.minimum(quality, 100.0)
    predicted = np.minimum(quality + rng.normal(0, 0.3, 2000), 100.0)
    order = rng.permutation(2000)  # rows come in no particular order
    teacher, predicted = teacher[order], predicted[order]

    def by_order(values):
        return np.argsort(np.argsort(values, kind="stable"), kind="stable")

    fallen_for = np.corrcoef(by_order(teacher[::-1])[::-1], by_order(predicted))[0, 1]
    found = srocc(predicted, teacher)
    assert found is not None
    assert found > 0.99
    assert fallen_for < 0.9
    assert found == pytest.approx(stats.spearmanr(predicted, teacher).statistic, abs=1e-12)


def test_srocc_does_not_depend_on_the_order_of_rows():
    rng = np.random.default_rng(1)
    left, right = rng.integers(0, 5, 300), rng.integers(0, 5, 300)
    order = rng.permutation(300)
    assert srocc(left, right) == pytest.approx(srocc(left[order], right[order]), abs=1e-12)


@pytest.mark.parametrize("constant", [[0.0] * 5, [93.1] * 5, [1e-12] * 5, [1e12] * 5])
def test_a_constant_has_no_correlation(constant):
    moving = [1.0, 2.0, 3.0, 4.0, 5.0]
    for score in (plcc, srocc):
        assert score(constant, moving) is None
        assert score(moving, constant) is None


@pytest.mark.parametrize("few", [[], [1.0]])
def test_fewer_than_two_values_have_no_correlation(few):
    assert plcc(few, few) is None
    assert srocc(few, few) is None


@given(COLUMN, COLUMN)
def test_errors_are_what_their_names_say(left, right):
    assert rmse(left, right) == pytest.approx(np.linalg.norm(left - right) / np.sqrt(len(left)), rel=1e-9)
    assert mae(left, right) == pytest.approx(np.abs(left - right).mean(), rel=1e-9)
    assert mae(left, right) <= rmse(left, right) * (1 + 1e-9)
    assert rmse(left, left) == mae(left, left) == 0


def test_float32_is_summed_in_float64():
    left = np.full(200_000, 100.0, dtype=np.float32)
    left[0] = 99.0
    assert rmse(left, np.full_like(left, 99.9)) == pytest.approx(
        np.sqrt(np.mean((left.astype(float) - float(np.float32(99.9))) ** 2)), rel=1e-12
    )


@pytest.mark.parametrize("score", [plcc, srocc, rmse, mae])
def test_columns_that_cannot_be_compared_are_refused(score):
    with pytest.raises(RequestError, match="one length"):
        score([1.0, 2.0], [1.0])
    with pytest.raises(RequestError, match="one length"):
        score([[1.0]], [[1.0]])
    with pytest.raises(RequestError, match="finite"):
        score([1.0, np.nan], [1.0, 2.0])


def test_an_error_over_nothing_is_refused():
    with pytest.raises(RequestError, match="no prediction"):
        rmse([], [])


# ---- bootstrap


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=40), st.integers(0, 5))
def test_the_interval_lies_within_the_values_and_repeats(values, seed):
    low, high = bootstrap_mean(values, seed, n=200)
    assert min(values) - 1e-12 <= low <= high <= max(values) + 1e-12
    assert (low, high) == bootstrap_mean(values, seed, n=200)


def test_the_interval_is_about_as_wide_as_theory_says():
    values = np.random.default_rng(0).normal(0.9, 0.05, 100)
    low, high = bootstrap_mean(values.tolist(), n=4000)
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 10, rel=0.1)
    narrow = bootstrap_mean(values.tolist(), n=4000, level=0.5)
    assert narrow[1] - narrow[0] < 0.5 * (high - low)


@pytest.mark.parametrize(
    "call",
    [
        lambda: bootstrap_mean([]),
        lambda: bootstrap_mean([1.0, float("nan")]),
        lambda: bootstrap_mean([1.0], n=0),
        lambda: bootstrap_mean([1.0], level=1.0),
    ],
)
def test_a_bootstrap_that_cannot_be_meant_is_refused(call):
    with pytest.raises(RequestError, match="bootstrap"):
        call()
