from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vmafcast.common.errors import DataError
from vmafcast.reports.axes import Scale, Series, check, linear_ticks, log_ticks, tick_label, widen

finite = st.floats(-1e6, 1e6, allow_nan=False)
positive = st.floats(1e-3, 1e7)


@given(low=finite, span=st.floats(1e-3, 1e6), most=st.integers(2, 15))
def test_linear_ticks_are_few_round_and_inside(low, span, most):
    high = low + span
    ticks = linear_ticks(low, high, most)
    assert len(ticks) <= most
    assert ticks == sorted(set(ticks))
    assert all(low - 1e-6 * span - 1e-9 <= tick <= high + 1e-6 * span + 1e-9 for tick in ticks)
    if len(ticks) > 2:
        steps = [b - a for a, b in itertools.pairwise(ticks)]
        assert max(steps) == pytest.approx(min(steps), rel=1e-3)
        mantissa = steps[0] / 10 ** math.floor(math.log10(steps[0]) + 1e-6)
        assert min(abs(mantissa - factor) for factor in (1, 2, 5)) < 1e-2


def test_ticks_that_people_expect():
    assert linear_ticks(0, 100, 11) == [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]
    assert linear_ticks(0, 100, 6) == [0, 20, 40, 60, 80, 100]
    assert linear_ticks(0, 1, 6) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert log_ticks(10, 1000, 9) == [10, 20, 50, 100, 200, 500, 1000]
    assert log_ticks(10, 1000, 5) == [10, 30, 100, 300, 1000]
    assert log_ticks(10, 1000, 4) == [10, 100, 1000]


@given(low=positive, ratio=st.floats(1.01, 1e6), most=st.integers(2, 9))
def test_log_ticks_are_few_and_inside(low, ratio, most):
    high = low * ratio
    ticks = log_ticks(low, high, most)
    assert len(ticks) <= most
    assert ticks == sorted(set(ticks))
    assert all(low * (1 - 1e-6) <= tick <= high * (1 + 1e-6) for tick in ticks)
    assert ticks or ratio < 3


@given(values=st.lists(finite, min_size=1, max_size=20))
def test_widened_ends_hold_every_value(values):
    assume(max(values) == min(values) or max(values) - min(values) > 1e-6 * (1 + abs(max(values))))
    low, high = widen(values)
    slack = 1e-9 * (1 + max(map(abs, values)))
    assert low < high
    assert low <= min(values) + slack
    assert high >= max(values) - slack
    span = max(values) - min(values) or 2
    assert high - low <= 1.3 * span + slack


def test_vmaf_scores_are_widened_to_tens():
    assert widen([10.7, 99.9]) == (10, 100)
    assert widen([93.0]) == (92, 94)


@given(value=st.floats(1, 100), log=st.booleans())
def test_a_scale_keeps_order_and_ends(value, log):
    scale = Scale(1, 100, 300, 20, log=log)
    assert scale(1) == pytest.approx(300)
    assert scale(100) == pytest.approx(20)
    assert 20 - 1e-9 <= scale(value) <= 300 + 1e-9
    assert scale(value) >= scale(min(100, value * 1.5))


def test_equal_ratios_are_equally_far_apart_on_a_log_scale():
    scale = Scale(1, 10000, 0, 400, log=True)
    assert [scale(v) for v in (1, 10, 100, 1000)] == pytest.approx([0, 100, 200, 300])


@pytest.mark.parametrize(
    ("value", "label"),
    [(0, "0"), (50, "50"), (0.3, "0.3"), (1000, "1k"), (2500, "2.5k"), (2e6, "2M"), (-5, "\u22125"), (100.0, "100")],
)
def test_labels(value, label):
    assert tick_label(value) == label


@pytest.mark.parametrize(
    ("series", "said"),
    [
        ([], "nothing to show"),
        ([Series("a", [], [])], "'a' has 0 x and 0 y"),
        ([Series("a", [1.0], [1.0, 2.0])], "'a' has 1 x and 2 y"),
        ([Series("a", [1.0], [1.0]), Series("b", [1.0, 2.0], [1.0, math.nan])], "point 1 of 'b'"),
        ([Series("a", [math.inf], [1.0])], "point 0 of 'a'"),
    ],
)
def test_what_cannot_be_plotted_is_named(series, said):
    with pytest.raises(DataError, match=said):
        check(series, "the test")


@pytest.mark.parametrize("rate", [0.0, -3.0])
def test_a_log_axis_needs_positive_values(rate):
    series = [Series("a", [1.0, rate], [1.0, 2.0])]
    check(series, "the test")
    with pytest.raises(DataError, match="above 0"):
        check(series, "the test", positive_x=True)
