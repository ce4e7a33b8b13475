from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from vmafcast.common.errors import DataError, RequestError
from vmafcast.evaluation.risk_control import HeldOutCurve, SafetyOffset, safety_offset

STEPS = tuple(range(-5, 21))


def straight(group, error, points=61):
    """A curve of which every value is predicted ``error`` too high: it takes an offset of that much."""
    measured = np.linspace(40, 100, points)
    return HeldOutCurve(group, measured + error, measured)


def by_definition(curves, target, alpha, offsets):
    """(K R + 1) / (K + 1) <= alpha of the monotone losses, one curve and one offset at a time."""

    def loss(group, offset):
        misses = []
        for curve in curves:
            if curve.group == group:
                chosen = [m for p, m in zip(curve.predicted, curve.measured, strict=True) if p >= target + offset]
                misses.append(bool(chosen) and chosen[0] < target)
        return Fraction(sum(misses), len(misses))

    names = {curve.group for curve in curves}
    for offset in offsets:
        worst = sum(max(loss(name, later) for later in offsets if later >= offset) for name in names)
        if (worst + 1) / (len(names) + 1) <= alpha:
            return offset
    return None


CURVE = st.lists(st.tuples(st.integers(60, 99), st.integers(60, 99)), min_size=1, max_size=6)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.lists(CURVE, min_size=1, max_size=3), min_size=1, max_size=10),
    st.integers(70, 95),
    st.fractions(Fraction(1, 20), Fraction(19, 20), max_denominator=20),
)
def test_the_offset_is_that_of_the_definition(groups, target, confidence):
    curves = [
        HeldOutCurve(f"g{number}", *np.array(curve, dtype=float).T)
        for number, own in enumerate(groups)
        for curve in own
    ]
    found = safety_offset(curves, target, confidence, STEPS)
    assert found.offset == by_definition(curves, target, 1 - confidence, STEPS)
    assert found.groups == len(groups)
    if found.offset is not None:
        assert found.missed <= found.bound <= float(1 - confidence) + 1e-12


def test_the_offset_is_what_the_worst_that_may_be_left_out_needs():
    """Of 19 groups that need 1 to 19 VMAF, one may miss at 90 %: (1 + 1) / 20."""
    curves = [straight(f"g{error:02d}", float(error)) for error in range(1, 20)]
    found = safety_offset(curves, 80.0, "0.9", STEPS)
    assert found.offset == 18.0
    assert (found.missed, found.bound) == (pytest.approx(1 / 19), pytest.approx(0.1))
    assert safety_offset(curves, 80.0, "0.95", STEPS).offset == 19.0
    assert safety_offset(curves, 80.0, "0.5", STEPS).offset == 10.0  # nine may miss: (9 + 1) / 20


@pytest.mark.parametrize(("confidence", "fewest"), [("0.8", 4), ("0.9", 9), ("0.95", 19)])
def test_a_confidence_that_so_few_groups_cannot_give_is_not_given(confidence, fewest):
    enough = [straight(f"g{number:02d}", 0.0) for number in range(fewest)]
    assert safety_offset(enough, 80.0, confidence).offset == pytest.approx(-0.95)  # the next encode below 80 has 79
    few = safety_offset(enough[1:], 80.0, confidence)
    assert (few.offset, few.missed, few.bound, few.declined) == (None, None, None, None)
    assert few.groups == fewest - 1


def test_many_curves_of_one_group_are_one_group():
    curves = [straight("same", float(error)) for error in range(200)]
    assert safety_offset(curves, 80.0, "0.9").offset is None
    assert safety_offset(curves, 80.0, "0.9").groups == 1


def test_a_promise_that_is_not_made_is_not_broken_and_is_counted():
    curves = [straight(f"g{number:02d}", 0.0) for number in range(18)]
    curves += [HeldOutCurve("hopeless", [50.0, 60.0], [50.0, 60.0])]
    found = safety_offset(curves, 80.0, "0.9", STEPS)
    assert found.missed == 0.0
    assert found.declined == pytest.approx(1 / 19)


def test_no_offset_within_reach_is_none():
    curves = [HeldOutCurve(f"g{number:02d}", [99.0], [50.0]) for number in range(30)]
    assert safety_offset(curves, 60.0, "0.9", [0.0, 10.0]).offset is None
    assert safety_offset(curves, 60.0, "0.9", [0.0, 40.0]).offset == 40.0  # nothing is predicted to reach 100


def test_a_loss_that_rises_again_is_not_trusted_where_it_dips():
    """At an offset of 5 the choice is right by luck; it is wrong again at 8."""
    lucky = HeldOutCurve
    curves = [
        lucky(f"g{number:02d}", [80.0, 85.0, 90.0, 99.0], [70.0, 81.0, 79.0, 90.0]) for number in range(20)
    ]  # fmt: skip
    found = safety_offset(curves, 80.0, "0.9", [0.0, 5.0, 8.0, 12.0])
    assert found.offset == 12.0


def test_an_offset_may_be_in_units_of_each_predictions_own_deviation():
    measured = np.linspace(40, 100, 601)
    curves = [HeldOutCurve(f"g{n:02d}", measured + n, measured, np.full(601, float(n))) for n in range(1, 20)]
    found = safety_offset(curves, 80.0, "0.9", np.arange(0, 3, 0.25))
    assert found.offset == 1.0  # each curve is off by exactly one deviation of its own
    assert found.missed == 0.0


def test_a_pessimistic_predictor_gets_a_negative_offset():
    curves = [straight(f"g{number:02d}", -4.0) for number in range(20)]
    assert safety_offset(curves, 80.0, "0.9", STEPS).offset == -4.0


def test_several_targets_are_averaged_within_a_group():
    curves = [straight(f"g{error:02d}", float(error)) for error in range(1, 20)]
    found = safety_offset(curves, [70.0, 75.0, 80.0], "0.9", STEPS)
    assert (found.offset, found.targets, found.curves) == (18.0, (70.0, 75.0, 80.0), 19)


def test_an_offset_survives_being_written():
    found = safety_offset([straight(f"g{n:02d}", 1.0) for n in range(20)], 80.0, "0.9")
    assert SafetyOffset.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    "arguments",
    [
        ([], 80.0, "0.9"),
        ([straight("a", 0.0)], [], "0.9"),
        ([straight("a", 0.0)], 80.0, "0.9", []),
        ([straight("a", 0.0)], 80.0, "0.9", [1.0, 1.0]),
        ([straight("a", 0.0)], float("nan"), "0.9"),
        ([straight("a", 0.0)], 80.0, 1.0),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments):
    with pytest.raises(RequestError):
        safety_offset(*arguments)


@pytest.mark.parametrize(
    "columns",
    [
        ([], []),
        ([1.0], [1.0, 2.0]),
        ([1.0, np.nan], [1.0, 2.0]),
        ([1.0, 2.0], [1.0, 2.0], [1.0, 0.0]),
    ],
)
def test_a_curve_that_no_choice_can_be_made_on_is_refused(columns):
    with pytest.raises(DataError, match="a curve of g"):
        HeldOutCurve("g", *columns)


@pytest.mark.slow
@pytest.mark.parametrize("effect", [0.5, 6.0])
@pytest.mark.parametrize(("confidence", "groups"), [("0.8", 9), ("0.9", 24)])
def test_new_sources_miss_their_target_no_more_often_than_promised(confidence, groups, effect):
    """Monte Carlo: clips of a group share an error, curves are not monotone, groups differ in their number of clips."""
    rng = np.random.default_rng(21)
    quality = np.linspace(50, 99, 15)

    def clips(group):
        shift = rng.normal(0, effect)
        made = []
        for _ in range(rng.integers(1, 4)):
            measured = np.clip(quality + rng.normal(0, 3) + rng.normal(0, 0.5, quality.size), 0, 100)
            made.append(HeldOutCurve(group, measured + shift + rng.normal(0, 1, quality.size), measured))
        return made

    trials, missed, blind = 400, 0, 0
    offsets = np.arange(-10, 30, 0.25)
    for _ in range(trials):
        known = [curve for number in range(groups) for curve in clips(f"g{number:03d}")]
        found = safety_offset(known, 80.0, confidence, offsets)
        assert found.offset is not None
        new = clips("new")
        one = new[rng.integers(len(new))]
        missed += one.outcomes(80.0, np.array([found.offset]))[0][0]
        blind += one.outcomes(80.0, np.array([0.0]))[0][0]
    alpha = 1 - float(confidence)
    assert missed / trials <= stats.binom.ppf(1 - 1e-5, trials, alpha) / trials
    assert missed / trials >= alpha - 2 / (groups + 1) - 0.06  # as tight as the theorem says, not merely safe
    if effect == 6.0:
        assert blind / trials > alpha + 0.1  # what aiming at the target itself would have done
