from __future__ import annotations

import numpy as np
import pytest

from vmafcast.evaluation.lift import lift_interval, lifts_by_source
from vmafcast.evaluation.scores import bootstrap_mean

BLIND = {"a": 0.9, "b": 0.8, "c": 0.97}
AWARE = {"c": 0.975, "b": 0.86, "a": 0.93}


def test_lifts_are_differences_of_the_figures_as_written():
    assert lifts_by_source(AWARE, BLIND) == {"a": 0.03, "b": 0.06, "c": 0.005}


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), 99.7])
def test_a_source_without_a_figure_on_either_side_leaves_no_lift(value):
    assert lifts_by_source({**AWARE, "a": value}, BLIND) is None
    assert lifts_by_source(AWARE, {**BLIND, "a": value}) is None
    assert lift_interval(AWARE, {**BLIND, "a": value}) is None


def test_other_sources_on_the_two_sides_leave_no_lift():
    assert lifts_by_source(AWARE, {**BLIND, "d": 0.9}) is None
    assert lifts_by_source({**AWARE, "d": 0.9}, BLIND) is None
    assert lifts_by_source({}, {}) is None


def test_one_source_has_no_interval():
    assert lift_interval({"a": 0.9}, {"a": 0.8}) is None


def test_the_interval_is_paired():
    """Sources differ by tenths, their lifts by thousandths: an unpaired interval would span zero."""
    rng = np.random.default_rng(0)
    blind = {f"s{number:02}": float(value) for number, value in enumerate(rng.uniform(0.7, 0.95, 30))}
    aware = {name: value + 0.01 + float(rng.normal(0, 0.002)) for name, value in blind.items()}
    low, high = lift_interval(aware, blind)
    assert 0.008 < low < 0.01 < high < 0.012
    spread = bootstrap_mean(list(aware.values()))
    assert spread[1] - spread[0] > 10 * (high - low)
    assert lift_interval(dict(reversed(aware.items())), blind) == (low, high)
    narrow = lift_interval(aware, blind, level=0.5)
    assert low < narrow[0] < narrow[1] < high
