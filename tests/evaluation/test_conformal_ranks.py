from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmafcast.common.errors import DataError, RequestError
from vmafcast.evaluation.conformal_ranks import GroupScores, exact_level, fewest_groups, level_text

LEVELS = st.fractions(Fraction(1, 500), Fraction(499, 500), max_denominator=500)
GROUPS = st.lists(st.lists(st.integers(0, 30).map(float), min_size=1, max_size=9), min_size=1, max_size=12)


def grouped(groups):
    scores = [score for group in groups for score in group]
    return GroupScores.of(scores, [f"g{number:03d}" for number, group in enumerate(groups) for _ in group])


def by_definition(groups, level):
    """The quantile of the weighted distribution with its mass at infinity, one fraction at a time."""
    mass = Fraction(0)
    for score, weight in sorted((s, Fraction(1, (len(groups) + 1) * len(group))) for group in groups for s in group):
        mass += weight
        if mass >= level:
            return score
    return None


@given(GROUPS, LEVELS)
def test_a_threshold_is_the_quantile_of_the_definition(groups, level):
    assert grouped(groups).threshold(level) == by_definition(groups, level)


@given(st.integers(1, 60), st.integers(1, 60))
def test_at_every_level_that_falls_on_a_rank_the_rank_is_exact(groups, rank):
    """With one score in each group the threshold is the ceil(level (K + 1))-th smallest: no rounding decides."""
    scores = GroupScores.of(np.arange(1.0, groups + 1), np.arange(groups))
    level = Fraction(min(rank, groups), groups + 1)
    assert scores.threshold(level) == min(rank, groups)
    hair = Fraction(1, 10**15)  # above a rank by less than floats can tell is above it all the same
    above = scores.threshold(level + hair)
    assert above == (min(rank, groups) + 1 if rank < groups else None)


@given(GROUPS, LEVELS, st.randoms(use_true_random=False))
def test_the_order_of_rows_means_nothing(groups, level, random):
    rows = [(score, number) for number, group in enumerate(groups) for score in group]
    random.shuffle(rows)
    shuffled = GroupScores.of([score for score, _ in rows], [number for _, number in rows])
    assert shuffled.threshold(level) == grouped(groups).threshold(level)


@given(GROUPS, LEVELS, st.integers(2, 5))
def test_a_group_that_is_written_down_several_times_still_counts_as_one(groups, level, times):
    repeated = [groups[0] * times, *groups[1:]]
    assert grouped(repeated).threshold(level) == grouped(groups).threshold(level)


def test_repeating_one_row_weights_it_within_its_own_group_alone():
    before = grouped([[1.0, 9.0], [2.0], [3.0]])
    after = grouped([[1.0, 9.0, 9.0, 9.0], [2.0], [3.0]])
    assert before.mass(1.0) == Fraction(1, 2)
    assert after.mass(1.0) == Fraction(1, 4)
    assert before.mass(9.0) == after.mass(9.0) == 3
    assert (before.threshold("0.625"), after.threshold("0.625")) == (3.0, 9.0)


def test_sizes_without_a_common_measure_lose_nothing():
    """Sums of a third, a seventh and an eleventh are no floats; here they meet the level exactly."""
    sizes = [3, 7, 11, 13, 17, 19, 23, 29, 31, 37]
    groups = [[1.0] * (size - 1) + [2.0] for size in sizes]
    scores = grouped(groups)
    mass = sum(Fraction(size - 1, size) for size in sizes)
    assert scores.mass(1.0) == mass
    level = mass / (len(sizes) + 1)
    assert scores.threshold(level) == 1.0
    assert scores.threshold(level + Fraction(1, 10**12)) == 2.0


@given(GROUPS, st.integers(0, 11))
def test_leaving_a_group_out_is_never_having_had_it(groups, which):
    which %= len(groups)
    if len(groups) == 1:
        return
    rest = grouped(groups[:which] + groups[which + 1 :])
    left = grouped(groups).without(which)
    assert left.groups == rest.groups
    assert [left.threshold(f"0.{tenth}") for tenth in range(1, 10)] == [
        rest.threshold(f"0.{tenth}") for tenth in range(1, 10)
    ]


@pytest.mark.parametrize(("level", "groups"), [("0.5", 1), ("0.8", 4), ("0.9", 9), ("0.95", 19), ("0.99", 99)])
def test_too_few_groups_are_unbounded_and_one_more_is_not(level, groups):
    assert fewest_groups(level) == groups
    assert GroupScores.of(np.ones(groups), np.arange(groups)).threshold(level) == 1.0
    if groups > 1:
        assert GroupScores.of(np.ones(groups - 1), np.arange(groups - 1)).threshold(level) is None


def test_ten_thousand_scores_of_one_group_are_still_one_group():
    scores = GroupScores.of(np.linspace(0, 1, 10_000), np.zeros(10_000, dtype=int))
    assert scores.threshold("0.5") == 1.0
    assert scores.threshold("0.51") is None


def test_a_threshold_of_zero_is_a_value():
    assert GroupScores.of(np.zeros(20), np.arange(20)).threshold(0.95) == 0.0


def test_a_level_is_what_was_meant():
    assert exact_level(0.9) == exact_level("0.9") == exact_level("9/10") == Fraction(9, 10)
    assert [level_text(exact_level(text)) for text in ("0.9", "0.95", "1/3", "0.123456789012345678")] == [
        "0.9", "0.95", "1/3", "61728394506172839/500000000000000000",
    ]  # fmt: skip


@given(LEVELS)
def test_a_level_survives_being_written(level):
    assert exact_level(level_text(level)) == level


@pytest.mark.parametrize("level", [0, 1, "1.5", -0.1, "90%", "", "nan", math.inf, "1/0"])
def test_what_is_no_level_is_refused(level):
    with pytest.raises(RequestError, match="not a level"):
        exact_level(level)


def test_scores_that_cannot_be_ranked_are_refused():
    with pytest.raises(DataError, match="not a finite"):
        GroupScores.of([1.0, math.inf], ["a", "b"])
    with pytest.raises(DataError, match="one length"):
        GroupScores.of([1.0, 2.0], ["a"])
