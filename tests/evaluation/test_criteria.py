from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from vmafcast.evaluation.criteria import (
    Criterion,
    GateOutcome,
    compare,
    conclude,
    correlation,
    difference,
    mean,
    meets,
)

finite_floats = st.floats(allow_nan=False, allow_infinity=False)
scores = st.floats(-1.0, 1.0)


def criterion(status="pass", value=1.0, name="mean_plcc"):
    return Criterion(name=name, status=status, value=value, threshold=0.95, comparison=">=", detail="over 9 sources")


@given(bound=finite_floats)
def test_a_figure_on_its_bound_passes_either_way(bound):
    assert meets(bound, bound, ">=")
    assert meets(bound, bound, "<=")


@given(bound=st.floats(-1e300, 1e300))
def test_one_step_beyond_the_bound_does_not_pass(bound):
    assert not meets(math.nextafter(bound, -math.inf), bound, ">=")
    assert not meets(math.nextafter(bound, math.inf), bound, "<=")


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("comparison", [">=", "<="])
def test_what_is_no_number_never_passes(value, comparison):
    assert not meets(value, 0.0, comparison)
    judged = compare("lift", value, 0.0, comparison, "why")
    assert judged.status == "fail"
    assert judged.value is None


@pytest.mark.parametrize(
    ("larger", "smaller", "expected"),
    [(0.965, 0.96, 0.005), (0.955, 0.95, 0.005), (0.995, 0.99, 0.005), (0.3, 0.1, 0.2)],
)
def test_differences_are_those_of_the_figures_as_written(larger, smaller, expected):
    assert difference(larger, smaller) == expected


def test_binary_subtraction_would_have_missed_the_bound():
    assert 0.965 - 0.96 != 0.005  # the trap that `difference` is there for


def test_the_mean_of_equal_figures_is_that_figure():
    assert mean([0.95] * 3) == 0.95
    assert mean([0.949, 0.951]) == 0.95


@given(values=st.lists(scores, min_size=1, max_size=8))
def test_a_mean_lies_within_its_figures(values):
    assert min(values) <= mean(values) <= max(values)


@given(a=scores, b=scores, c=scores)
def test_differences_keep_the_order_of_what_is_subtracted_from(a, b, c):
    low, high = sorted((a, b))
    assert difference(low, c) <= difference(high, c)


@pytest.mark.parametrize("value", [None, math.nan, math.inf, 99.7, -1.5, 1.0001])
def test_what_cannot_be_a_correlation_is_none(value):
    assert correlation(value) is None


def test_a_correlation_may_end_a_rounding_error_beyond_one():
    assert correlation(1.0000000000000002) == 1.0000000000000002


def test_a_document_that_says_pass_beside_a_figure_that_does_not_is_refused():
    with pytest.raises(ValidationError, match="says pass"):
        criterion("pass", 0.94)
    with pytest.raises(ValidationError, match="says pass"):
        criterion("pass", None)


def test_a_criterion_is_read_back_as_it_was_written():
    original = criterion()
    assert Criterion.model_validate_json(original.model_dump_json()) == original


def test_nothing_decisive_measured_is_not_a_pass():
    outcome = conclude("fr-v1", [criterion("not-measurable", None)], ["mean_plcc"])
    assert outcome.verdict == "not-measurable"
    assert not outcome.passed
    assert outcome.reasons == ("mean_plcc: over 9 sources",)


def test_a_failure_outweighs_everything():
    outcome = conclude("fr-v3", [criterion(), criterion("fail", 0.1, "lift")], ["mean_plcc"])
    assert outcome.verdict == "fail"
    assert outcome.failing == ("lift",)
    assert outcome.reasons == ("lift: over 9 sources",)


def test_a_pass_gives_no_reasons():
    assert conclude("fr-v1", [criterion()], ["mean_plcc"]).reasons == ()


def test_an_outcome_whose_parts_contradict_each_other_is_refused():
    with pytest.raises(ValidationError, match="failing"):
        GateOutcome(gate="fr-v1", verdict="fail", criteria=(criterion(),), failing=("mean_plcc",))
    with pytest.raises(ValidationError, match="support"):
        GateOutcome(gate="fr-v1", verdict="pass", criteria=(criterion("fail", 0.1),), failing=("mean_plcc",))
    with pytest.raises(ValidationError, match="support"):
        GateOutcome(gate="fr-v1", verdict="pass", criteria=(), failing=())
