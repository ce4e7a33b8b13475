"""With one row in each source group the rules are those of split conformal prediction, which others wrote too."""

from __future__ import annotations

import warnings
from fractions import Fraction

import numpy as np
import pytest
from crepes import ConformalRegressor
from hypothesis import given, settings
from hypothesis import strategies as st
from mapie.regression import CrossConformalRegressor, SplitConformalRegressor
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import LeaveOneOut

from vmafcast.evaluation.conformal_jackknife import jackknife_plus
from vmafcast.evaluation.conformal_ranks import fewest_groups
from vmafcast.evaluation.conformal_scores import HeldOut, calibrate

LEVELS = ("0.5", "0.6", "0.75", "0.8", "0.9", "0.95")
CASES = [
    (level, groups) for level in LEVELS for groups in (7, 9, 10, 19, 20, 39, 40, 61) if groups >= fewest_groups(level)
]


class _FirstColumn(RegressorMixin, BaseEstimator):
    """A fitted model that predicts its first column."""

    def __init__(self):
        self.fitted_ = True

    def fit(self, _features, _target):
        return self

    def predict(self, features):
        return np.asarray(features)[:, 0]


def one_row_each(groups, seed=0):
    rng = np.random.default_rng(seed)
    predicted = rng.uniform(40, 60, groups)
    measured = predicted + rng.normal(0, 4, groups)
    return predicted, measured


def held_out(predicted, measured, spread=None):
    names = [f"g{number:03d}" for number in range(len(measured))]
    members = predicted[:, None] if spread is None else predicted[:, None] + np.outer(spread, [-1.0, 0.0, 1.0])
    return HeldOut(names, ["libx264"] * len(names), names, measured, members)


@pytest.mark.parametrize(("level", "groups"), [case for case in CASES if case[1] > fewest_groups(case[0])])
@pytest.mark.parametrize("rule", ["hcp-frame", "hcp-clip"])
def test_one_row_in_each_group_is_the_split_interval_of_mapie(rule, level, groups):
    """MAPIE refuses the fewest rows that a level takes; there only the definition can tell, in the tests of ranks."""
    predicted, measured = one_row_each(groups)
    theirs = SplitConformalRegressor(_FirstColumn(), confidence_level=float(level), prefit=True)
    theirs.conformalize(predicted[:, None], measured)
    lower, upper = theirs.predict_interval(np.array([[51.5]]))[1].ravel()
    ours = calibrate(held_out(predicted, measured), rule).interval(51.5, level=level)
    assert (ours.lower, ours.upper) == (pytest.approx(lower, abs=2e-6), pytest.approx(upper, abs=2e-6))
    assert ours.groups == groups


@pytest.mark.parametrize(("level", "groups"), CASES)
def test_one_row_in_each_group_is_the_interval_of_crepes_wherever_floats_do_not_decide(level, groups):
    predicted, measured = one_row_each(groups)
    exact = int((1 - Fraction(level)) * (groups + 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        theirs = ConformalRegressor().fit(measured - predicted)
        lower, upper = theirs.predict_int(np.array([51.5]), confidence=float(level)).ravel()
    ours = calibrate(held_out(predicted, measured), "hcp-clip").interval(51.5, level=level)
    if int((1 - float(level)) * (groups + 1)) != exact:
        assert upper - lower > ours.width  # they lose a rank to rounding: a wider interval, or none at all
        return
    assert (ours.lower, ours.upper) == (pytest.approx(lower, abs=2e-6), pytest.approx(upper, abs=2e-6))


def test_nine_groups_are_enough_for_nine_tenths():
    """The case that floats get wrong: (1 - 0.9) * 10 is a hair below 1."""
    predicted, measured = one_row_each(9)
    interval = calibrate(held_out(predicted, measured), "hcp-frame").interval(50.0, level=0.9)
    assert interval.bounded
    assert interval.width == pytest.approx(2 * np.abs(measured - predicted).max(), abs=4e-6)


@pytest.mark.parametrize("level", ["0.8", "0.9"])
def test_scores_over_the_spread_are_the_normalised_interval_of_crepes(level):
    predicted, measured = one_row_each(23, seed=3)
    spread = np.random.default_rng(4).uniform(0.5, 3, 23)
    theirs = ConformalRegressor().fit(measured - predicted, sigmas=spread)
    lower, upper = theirs.predict_int(np.array([51.5]), sigmas=np.array([1.7]), confidence=float(level)).ravel()
    ours = calibrate(held_out(predicted, measured, spread), "hcp-clip", "normalised", floor=1e-6)
    interval = ours.interval(51.5, 1.7, level)
    assert (interval.lower, interval.upper) == (pytest.approx(lower, abs=4e-6), pytest.approx(upper, abs=4e-6))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_categories_are_those_of_crepes(seed):
    """Each encoder is a Mondrian category: its own scores, its own rank."""
    rng = np.random.default_rng(seed)
    encoders = np.array(["libx264"] * 12 + ["libsvtav1"] * 31)
    predicted = rng.uniform(40, 60, 43)
    measured = predicted + rng.normal(0, 2, 43) * np.where(encoders == "libx264", 3, 1)
    names = [f"{number:03d}" for number in range(43)]
    ours = calibrate(HeldOut(names, encoders, names, measured, predicted[:, None]), "hcp-frame")
    theirs = ConformalRegressor().fit(measured - predicted, bins=encoders)
    for encoder in ("libx264", "libsvtav1"):
        lower, upper = theirs.predict_int(np.array([50.0]), bins=np.array([encoder]), confidence=0.85).ravel()
        interval = ours.interval(50.0, level=0.85, encoder=encoder)
        assert (interval.lower, interval.upper) == (pytest.approx(lower, abs=4e-6), pytest.approx(upper, abs=4e-6))


@pytest.mark.parametrize("level", ["0.6", "0.8", "0.9"])
def test_one_row_in_each_group_is_the_jackknife_plus_of_mapie(level):
    rng = np.random.default_rng(7)
    features = rng.normal(0, 1, (25, 2))
    measured = 50 + features @ [3.0, -2.0] + rng.normal(0, 2, 25)
    new = np.array([[0.4, -0.3]])
    theirs = CrossConformalRegressor(
        LinearRegression(), confidence_level=float(level), method="plus", cv=LeaveOneOut()
    ).fit_conformalize(features, measured)
    lower, upper = theirs.predict_interval(new)[1].ravel()
    said, missed = {}, []
    for row in range(25):
        kept = np.arange(25) != row
        fold = LinearRegression().fit(features[kept], measured[kept])
        said[f"{row:02d}"] = float(fold.predict(new)[0])
        missed.append(abs(measured[row] - fold.predict(features[[row]])[0]))
    ours = jackknife_plus(50.0, said, missed, list(said), level)
    assert (ours.lower, ours.upper) == (pytest.approx(lower), pytest.approx(upper))
    assert ours.guarantee == 2 * Fraction(level) - 1
