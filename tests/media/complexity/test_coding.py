"""What a coder of residuals would leave: nothing lost where there is nothing to code, less the coarser the step."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vmafcast.media.complexity import motion, transform
from vmafcast.media.complexity.coding import Reference, coded_measures
from vmafcast.media.complexity.facts import CODED, CODED_STEPS


def picture(seed, rows=64, columns=96, smooth=3):
    made = np.random.default_rng(seed).normal(size=(rows, columns))
    for axis in (0, 1):
        for _ in range(smooth):
            made = made + np.roll(made, 1, axis)
    return (128 + 30 * made / made.std()).astype(np.float32)


def coded(now, before):
    return coded_measures(now, motion.estimate(motion.pyramid(now), motion.pyramid(before)))


def test_a_still_picture_costs_nothing_and_loses_nothing():
    found = coded(picture(1), picture(1))
    assert set(found) == set(CODED)
    for step in CODED_STEPS:
        assert found[f"coded_bits_{step}"] == 0
        for what in ("detail", "fine", "coarse"):
            assert found[f"coded_{what}_{step}"] == pytest.approx(1, abs=1e-3)


def test_motion_that_is_found_costs_less_than_another_picture():
    wide = picture(2, 96, 160)
    moved, other = coded(wide[:64, 8:104], wide[:64, :96]), coded(wide[:64, 8:104], picture(3))
    for step in CODED_STEPS:
        assert moved[f"coded_bits_{step}"] < 0.5 * other[f"coded_bits_{step}"]


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), contrast=st.floats(0.1, 1.0), smooth=st.integers(0, 4))
def test_a_coarser_step_costs_less_and_keeps_less_detail(seed, contrast, smooth):
    now, before = (128 + contrast * (picture(each, smooth=smooth) - 128) for each in (seed, seed + 1))
    found = coded(now.astype(np.float32), before.astype(np.float32))
    fine, coarse = CODED_STEPS
    assert found[f"coded_bits_{coarse}"] <= found[f"coded_bits_{fine}"]
    assert found[f"coded_detail_{coarse}"] <= found[f"coded_detail_{fine}"] + 0.03
    for name, value in found.items():
        assert np.isfinite(value)
        assert 0 <= value <= (100 if "bits" in name else 1.05), name


def test_the_transform_is_undone():
    made = picture(4)
    np.testing.assert_allclose(transform.inverse_survey_dct(transform.survey_dct(made)), made, atol=2e-3)


def test_information_is_that_of_blocks_of_four():
    """Against the formula of visual information fidelity, written out for each block."""
    one = picture(5, 32, 32)
    other = (one + np.random.default_rng(6).normal(0, 6, one.shape)).astype(np.float32)
    left = whole = 0.0
    for row in range(0, 32, 4):
        for column in range(0, 32, 4):
            a, b = (each[row : row + 4, column : column + 4].astype(np.float64) for each in (one, other))
            shared, power = np.cov(a.ravel(), b.ravel(), bias=True)[0, 1], a.var()
            gain = max(shared, 0) / power
            left += np.log2(1 + gain**2 * power / (b.var() - gain * shared + 2))
            whole += np.log2(1 + power / 2)
    assert Reference(one).information_left(other)[0] == pytest.approx(left / whole, rel=2e-3)


def test_detail_that_is_added_is_no_detail_left_and_half_of_it_is_half():
    one = picture(7)
    assert Reference(one).detail_left(one) == pytest.approx(1)
    flat = np.full_like(one, one.mean())
    assert Reference(one).detail_left(flat) < 0.05
    assert Reference(one).detail_left((flat + one) / 2) == pytest.approx(0.5, abs=0.02)
    assert Reference(one).detail_left(2 * one - flat) == pytest.approx(1)
    assert Reference(flat).detail_left(one) == pytest.approx(1)
