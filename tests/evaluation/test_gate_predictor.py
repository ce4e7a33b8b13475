"""The gate of encode predictors."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmafcast.evaluation.gates import PredictorScores, judge_predictor
from vmafcast.evaluation.thresholds import PredictorThresholds

NO_NUMBERS = [None, math.nan, math.inf, -math.inf, 99.7]


def below(value):
    return math.nextafter(value, -math.inf)


def above(value):
    return math.nextafter(value, math.inf)


def predictor(*folds, rows=1000, groups=10):
    return PredictorScores(rows=rows, source_groups=groups, fold_plcc=folds)


def test_a_good_predictor_passes():
    assert judge_predictor(predictor(0.96, 0.96, 0.961, 0.962, 0.965)).verdict == "pass"


@pytest.mark.parametrize("rows", [0, -1])
def test_without_rows_the_verdict_is_missing_rows(rows):
    outcome = judge_predictor(predictor(0.99, 0.99, 0.99, 0.99, 0.99, rows=rows))
    assert outcome.verdict == "missing-rows"
    assert outcome.reasons
    assert judge_predictor(predictor(0.99, 0.99, 0.99, 0.99, 0.99, rows=1)).verdict == "pass"


def test_source_groups_on_each_side_of_their_bound():
    folds = (0.99,) * 5
    assert judge_predictor(predictor(*folds, groups=5)).verdict == "pass"
    outcome = judge_predictor(predictor(*folds, groups=4))
    assert outcome.verdict == "insufficient-sources"
    assert "4 source groups" in outcome.reasons[0]


@pytest.mark.parametrize("count", [0, 1, 4])
def test_fewer_folds_than_asked_for_fail(count):
    outcome = judge_predictor(predictor(*[0.99] * count))
    assert outcome.verdict == "fail"
    assert "folds" in outcome.failing


def test_predictor_mean_on_each_side_of_its_bound():
    loose = PredictorThresholds(per_fold_plcc=0.9, plcc_spread=1.0)
    assert judge_predictor(predictor(0.95, 0.95, 0.95, 0.949, 0.951), loose).verdict == "pass"
    folds = (0.95, 0.95, 0.95, 0.948999999999999, 0.951)
    assert judge_predictor(predictor(*folds), loose).failing == ("mean_plcc",)


def test_predictor_spread_on_each_side_of_its_bound():
    assert judge_predictor(predictor(0.97, 0.975, 0.972, 0.972, 0.972)).verdict == "pass"
    outcome = judge_predictor(predictor(0.97, above(0.975), 0.972, 0.972, 0.972))
    assert outcome.failing == ("plcc_spread",)


def test_every_fold_on_each_side_of_its_bound():
    assert judge_predictor(predictor(0.95, 0.954, 0.954, 0.954, 0.954)).verdict == "pass"
    outcome = judge_predictor(predictor(below(0.95), 0.954, 0.954, 0.954, 0.954))
    assert outcome.failing == ("per_fold_plcc",)


@pytest.mark.parametrize("value", NO_NUMBERS)
@pytest.mark.parametrize("position", range(5))
def test_a_fold_without_a_correlation_never_passes(value, position):
    folds = [0.97] * 5
    folds[position] = value
    outcome = judge_predictor(predictor(*folds))
    assert outcome.verdict == "fail"
    assert str(position) in outcome.criterion("per_fold_plcc").detail


@given(folds=st.lists(st.floats(0.93, 1.0), min_size=5, max_size=5), fall=st.floats(0.0, 0.5))
def test_worsening_the_worst_fold_never_turns_a_fail_into_a_pass(folds, fall):
    worst = folds.index(min(folds))
    worse = [*folds[:worst], folds[worst] - fall, *folds[worst + 1 :]]
    if judge_predictor(predictor(*folds)).verdict == "fail":
        assert judge_predictor(predictor(*worse)).verdict == "fail"
