"""The gate of an ensemble: networks that differ by their seed alone."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmafcast.evaluation.gates import judge_ensemble
from vmafcast.evaluation.thresholds import FrEnsembleThresholds

NO_NUMBERS = [None, math.nan, math.inf, -math.inf, 99.7]


def below(value):
    return math.nextafter(value, -math.inf)


def above(value):
    return math.nextafter(value, math.inf)


def test_the_published_ensemble_passes():
    published = dict(enumerate([0.99751, 0.99716, 0.99781, 0.99693, 0.99686]))
    outcome = judge_ensemble(published)
    assert outcome.verdict == "pass"
    assert outcome.criterion("plcc_spread").value == 0.00095


def test_one_seed_is_spoken_of_as_one():
    details = {each.name: each.detail for each in judge_ensemble({0: 0.96}).criteria}
    assert (details["mean_plcc"], details["per_seed_plcc"]) == ("mean PLCC 0.96 over 1 seed", "worst of 1 seed")


def test_ensemble_mean_on_each_side_of_its_bound():
    loose = FrEnsembleThresholds(per_seed_plcc=0.9, plcc_spread=1.0)
    assert judge_ensemble({0: 0.949, 1: 0.951}, loose).verdict == "pass"
    outcome = judge_ensemble({0: below(below(0.949)), 1: 0.951}, loose)
    assert outcome.failing == ("mean_plcc",)


def test_ensemble_spread_on_each_side_of_its_bound():
    assert judge_ensemble({0: 0.97, 1: 0.975}).verdict == "pass"
    outcome = judge_ensemble({0: 0.97, 1: above(0.975)})
    assert outcome.failing == ("plcc_spread",)
    assert "(seed 0) to 0.975 (seed 1)" in outcome.criterion("plcc_spread").detail


def test_the_seed_that_makes_the_spread_is_named_where_it_is_too_wide():
    detail = judge_ensemble({0: 0.97, 1: 0.971, 2: 0.98}).criterion("plcc_spread").detail
    assert detail.endswith("; seed 2 is the farthest from the median 0.971")
    assert "median" not in judge_ensemble({0: 0.97, 1: 0.971, 2: 0.972}).criterion("plcc_spread").detail


def test_every_seed_on_each_side_of_its_bound():
    assert judge_ensemble({0: 0.95, 1: 0.954, 2: 0.954}).verdict == "pass"
    outcome = judge_ensemble({0: below(0.95), 1: 0.954, 2: 0.954})
    assert outcome.failing == ("per_seed_plcc",)
    assert "0 (" in outcome.criterion("per_seed_plcc").detail


@pytest.mark.parametrize("value", NO_NUMBERS)
def test_a_seed_without_a_correlation_fails_everything_and_is_named(value):
    outcome = judge_ensemble({0: 0.99, 7: value})
    assert outcome.verdict == "fail"
    assert set(outcome.failing) == {"mean_plcc", "plcc_spread", "per_seed_plcc"}
    assert "7" in outcome.criterion("per_seed_plcc").detail


def test_no_seed_and_a_single_seed_are_not_measurable():
    assert judge_ensemble({}).verdict == "not-measurable"
    outcome = judge_ensemble({0: 0.99})
    assert outcome.verdict == "not-measurable"
    assert outcome.criterion("plcc_spread").value == 0.0
    assert judge_ensemble({0: 0.5}).verdict == "fail"


@given(
    seeds=st.lists(st.floats(0.93, 1.0), min_size=2, max_size=6),
    fall=st.floats(0.0, 0.1),
    which=st.integers(0, 5),
)
def test_worsening_the_worst_seed_never_turns_a_fail_into_a_pass(seeds, fall, which):
    # Worsening the best seed may: it narrows the spread, which is what the criterion asks for.
    per_seed = dict(enumerate(seeds))
    worst = min(per_seed, key=per_seed.__getitem__)
    worse = {**per_seed, worst: per_seed[worst] - fall}
    nulled = {**per_seed, which % len(seeds): None}
    if judge_ensemble(per_seed).verdict == "fail":
        assert judge_ensemble(worse).verdict == "fail"
    assert judge_ensemble(nulled).verdict == "fail"


@given(seeds=st.lists(st.floats(0.9, 1.0), min_size=2, max_size=6), order=st.randoms(use_true_random=False))
def test_the_order_of_the_seeds_does_not_matter(seeds, order):
    items = list(enumerate(seeds))
    shuffled = items.copy()
    order.shuffle(shuffled)
    assert judge_ensemble(dict(items)) == judge_ensemble(dict(shuffled))
