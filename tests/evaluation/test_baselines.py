from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import curve_fit
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge

from vmafcast.common.errors import DataError
from vmafcast.evaluation.baselines import BOOSTING_ITERATIONS, baselines_of, columns_beside, evaluate_baseline
from vmafcast.evaluation.folds import leave_one_encoder_out, leave_one_source_out
from vmafcast.models.recipe import get_recipe
from vmafcast.models.training import rows_design

EVERY = ["ridge", "gradient-boosting", "psnr-logistic"]


@pytest.fixture(scope="module")
def rows(make_rows):
    return make_rows(groups=4, frames=24)


@pytest.fixture(scope="module")
def folds(rows):
    return leave_one_source_out(rows.groups)


def inputs(recipe, rows):
    design = rows_design(recipe, rows)
    return np.concatenate([design.features, design.block], axis=1).astype(np.float64)


def test_which_baselines_stand_beside_which_recipe():
    assert list(baselines_of(get_recipe("fr_regressor_lite"))) == EVERY
    assert list(baselines_of(get_recipe("fr_regressor_lite_psnr"))) == EVERY
    assert list(baselines_of(get_recipe("fr_regressor_v3"))) == EVERY[:2]


def test_psnr_is_asked_for_where_a_baseline_looks_at_it_and_the_recipe_does_not():
    assert columns_beside(get_recipe("fr_regressor_lite")) == ("psnr_y",)
    assert columns_beside(get_recipe("fr_regressor_lite_psnr")) == columns_beside(get_recipe("fr_regressor_v3")) == ()


def test_psnr_beside_the_recipes_own_columns_gives_the_same_curves(rows, folds, small_recipe):
    without = small_recipe.model_copy(update={"feature_order": ("ssim", "motion2")})
    own = evaluate_baseline("psnr-logistic", small_recipe, rows, folds)
    beside = evaluate_baseline("psnr-logistic", without, rows, folds)
    assert np.array_equal(own.predictions, beside.predictions)
    bare = replace(rows, features=rows.features[:, 1:], feature_names=("ssim", "motion2"))
    with pytest.raises(DataError, match="lack psnr_y"):
        evaluate_baseline("psnr-logistic", without, bare, folds)
    of_two = [evaluate_baseline("ridge", without, each, folds).predictions for each in (rows, bare)]
    assert np.array_equal(*of_two)  # others do not see what is not the recipe's


def test_ridge_is_that_of_scikit_learn(rows, folds, small_recipe):
    result = evaluate_baseline("ridge", small_recipe, rows, folds)
    table = inputs(small_recipe, rows)
    for fold, learnt in zip(folds, result.rows_learnt, strict=True):
        own = fold.train & rows.every(small_recipe.frame_stride)
        assert learnt == own.sum()
        mean, spread = table[own].mean(axis=0), table[own].std(axis=0)
        scaled = (table - mean) / np.where(spread > 0, spread, 1.0)
        oracle = Ridge(alpha=1.0).fit(scaled[own], rows.target[own])
        expected = np.clip(oracle.predict(scaled[fold.test]), 0, 100)
        assert np.allclose(result.predictions[fold.test], expected, atol=1e-4)


def test_boosting_learns_from_the_rows_of_its_fold(rows, folds, small_recipe):
    result = evaluate_baseline("gradient-boosting", small_recipe, rows, folds)
    own = folds[0].train & rows.every(small_recipe.frame_stride)
    table = inputs(small_recipe, rows)
    oracle = HistGradientBoostingRegressor(max_iter=BOOSTING_ITERATIONS, early_stopping=False, random_state=0)
    expected = np.clip(oracle.fit(table[own], rows.target[own].astype(float)).predict(table[folds[0].test]), 0, 100)
    assert np.allclose(result.predictions[folds[0].test], expected, atol=1e-4)


def test_the_logistic_has_a_curve_for_each_encoder(rows, folds, small_recipe):
    result = evaluate_baseline("psnr-logistic", small_recipe, rows, folds)
    own = folds[1].train & rows.every(small_recipe.frame_stride)
    test = folds[1].test
    errors = []
    for name in ("libx264", "libsvtav1"):
        learnt, judged = own & (rows.encoders == name), test & (rows.encoders == name)

        def curve(x, b1, b2, b3, b4):
            return b2 + (b1 - b2) / (1 + np.exp(-(x - b3) / abs(b4)))

        x, y = rows.features[learnt, 0], rows.target[learnt].astype(float)
        found, _ = curve_fit(curve, x, y, p0=[y.max(), y.min(), x.mean(), x.std()], maxfev=20_000)
        errors.append(np.abs(curve(rows.features[judged, 0], *found) - result.predictions[judged]).max())
    # No worse a fit in other words: two curves of one least squares, whatever their parameters.
    assert max(errors) < 0.5
    assert result.predictions[test & (rows.encoders == "libx264")].mean() > (
        result.predictions[test & (rows.encoders == "libsvtav1")].mean() + 8
    )


@pytest.mark.parametrize("name", EVERY)
def test_what_a_held_out_group_scores_never_reaches_its_own_judge(name, rows, folds, small_recipe):
    """Trap: leakage. Poison the held-out targets, and what is predicted for that group must stay to the last bit."""
    held = rows.groups == "title2"
    poisoned = rows.target.copy()
    poisoned[held] = 0
    before = evaluate_baseline(name, small_recipe, rows, folds)
    after = evaluate_baseline(name, small_recipe, replace(rows, target=poisoned), folds)
    assert np.array_equal(before.predictions[held], after.predictions[held])
    assert not np.allclose(before.predictions[~held], after.predictions[~held], atol=1.0)


@pytest.mark.parametrize("name", EVERY)
def test_not_even_the_features_of_a_held_out_group_reach_the_scaling_of_its_judge(name, rows, folds, small_recipe):
    moved = rows.features.copy()
    moved[rows.groups == "title2"] *= 50
    before = evaluate_baseline(name, small_recipe, rows, folds[2:3])
    after = evaluate_baseline(name, small_recipe, replace(rows, features=moved), folds[2:3])
    assert before.rows_learnt == after.rows_learnt
    still = evaluate_baseline(name, small_recipe, replace(rows, features=moved), folds[:1])
    alone = evaluate_baseline(name, small_recipe, rows, folds[:1])
    assert not np.allclose(still.predictions[folds[0].test], alone.predictions[folds[0].test], atol=1e-6)
    # Only what is asked for changed: the same held-out rows, asked for with the old features, say the same.
    both = moved.copy()
    first = np.flatnonzero(rows.groups == "title2")[0]
    both[first] = rows.features[first]
    kept = evaluate_baseline(name, small_recipe, replace(rows, features=both), folds[2:3])
    assert kept.predictions[first] == before.predictions[first]


@pytest.mark.parametrize("name", EVERY)
def test_an_encoder_that_is_held_out_is_unknown_to_a_baseline_too(name, make_rows, small_recipe):
    rows = make_rows(groups=3, frames=20, encoders=("libx264", "libsvtav1", "libx265"))
    fold = leave_one_encoder_out(rows.encoders)[0]
    named = evaluate_baseline(name, small_recipe, rows, [fold]).predictions
    renamed = rows.encoders.copy()
    renamed[fold.test] = "unknown"
    unknown = evaluate_baseline(name, small_recipe, replace(rows, encoders=renamed), [fold]).predictions
    assert np.array_equal(named, unknown, equal_nan=True)
    assert np.isnan(named[fold.train]).all()
    assert np.isfinite(named[fold.test]).all()


@pytest.mark.parametrize("name", EVERY)
def test_predictions_are_within_the_teacher_s_range(name, rows, folds, small_recipe):
    high = replace(rows, target=np.clip(rows.target * 1.6, 0, 100))
    predictions = evaluate_baseline(name, small_recipe, high, folds).predictions
    assert predictions.max() <= 100
    assert predictions.min() >= 0
