from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, asdict

import pytest

from vmafcast.common.errors import RequestError
from vmafcast.evaluation.thresholds import (
    FrEnsembleThresholds,
    FrV1Thresholds,
    FrV3Thresholds,
    PredictorThresholds,
    overridden,
    overrides_of,
)

EVERY = [FrV1Thresholds(), FrV3Thresholds(), FrEnsembleThresholds(), PredictorThresholds()]


def test_the_constants_are_those_of_the_gate_table():
    assert asdict(FrV1Thresholds()) == {"mean_plcc": 0.95}
    assert asdict(FrV3Thresholds()) == {
        "mean_plcc": 0.95,
        "lift": 0.005,
        "lift_loss": 0.0005,
        "per_source_plcc": 0.85,
        "rmse_ratio": 1.5,
    }
    assert asdict(FrEnsembleThresholds()) == {"mean_plcc": 0.95, "plcc_spread": 0.005, "per_seed_plcc": 0.95}
    assert asdict(PredictorThresholds()) == {
        "folds": 5,
        "mean_plcc": 0.95,
        "plcc_spread": 0.005,
        "per_fold_plcc": 0.95,
    }


@pytest.mark.parametrize("thresholds", EVERY)
def test_thresholds_cannot_be_altered_in_place(thresholds):
    with pytest.raises(FrozenInstanceError):
        thresholds.mean_plcc = 0.0


@pytest.mark.parametrize("thresholds", EVERY)
def test_defaults_record_no_override(thresholds):
    assert overrides_of(thresholds) == {}


def test_an_override_is_recorded_with_its_default():
    changed = overridden(FrV3Thresholds(), {"rmse_ratio": 2.0})
    assert changed == FrV3Thresholds(rmse_ratio=2.0)
    (name, override), *rest = overrides_of(changed).items()
    assert (name, override.default, override.used, rest) == ("rmse_ratio", 1.5, 2.0, [])


def test_an_override_is_recorded_however_the_thresholds_were_made():
    assert list(overrides_of(FrEnsembleThresholds(plcc_spread=0.01))) == ["plcc_spread"]


def test_overriding_with_the_default_is_no_override():
    assert overrides_of(overridden(FrV1Thresholds(), {"mean_plcc": 0.95})) == {}


def test_an_unknown_threshold_is_refused_by_name():
    with pytest.raises(RequestError, match=r"'lift'.*mean_plcc"):
        overridden(FrV1Thresholds(), {"lift": 0.1})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_threshold_is_finite(value):
    with pytest.raises(RequestError, match="mean_plcc"):
        overridden(FrV1Thresholds(), {"mean_plcc": value})


@pytest.mark.parametrize("value", [2.5, 1, 0, -3])
def test_folds_are_a_whole_number_of_at_least_two(value):
    with pytest.raises(RequestError, match="folds"):
        overridden(PredictorThresholds(), {"folds": value})


def test_folds_stay_a_whole_number():
    changed = overridden(PredictorThresholds(), {"folds": 3.0})
    assert changed.folds == 3
    assert isinstance(changed.folds, int)
