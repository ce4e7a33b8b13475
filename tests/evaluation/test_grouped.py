from __future__ import annotations

import numpy as np
import pytest

from vmafcast.evaluation.folds import Fold, leave_one_encoder_out
from vmafcast.evaluation.grouped import interval_of, resample_groups
from vmafcast.evaluation.scores import plcc, rmse


def made(seed=0, groups=12, frames=15):
    rng = np.random.default_rng(seed)
    group = np.repeat([f"g{number:02}" for number in range(groups)], 2 * frames)
    encoder = np.tile(np.repeat(["a", "b"], frames), groups)
    target = rng.uniform(20, 100, group.size).astype(np.float32)
    shift = np.repeat(rng.normal(0, 4, groups), 2 * frames)
    predicted = (target + shift + rng.normal(0, 2, group.size)).astype(np.float32)
    return group, encoder, target, predicted


def test_every_resample_is_scored_as_its_rows_would_be():
    group, encoder, target, predicted = made()
    folds = leave_one_encoder_out(encoder)
    found = resample_groups(folds, target, predicted, group, seed=5)
    names = np.unique(group)
    draws = np.random.default_rng(5).integers(0, len(names), (2000, len(names)))
    for resample in (0, 1, 999):
        for place, fold in enumerate(folds):
            rows = np.concatenate([np.flatnonzero(fold.test & (group == names[each])) for each in draws[resample]])
            assert found.plcc[place, resample] == pytest.approx(plcc(predicted[rows], target[rows]), abs=1e-9)
            assert found.rmse[place, resample] == pytest.approx(rmse(predicted[rows], target[rows]), rel=1e-9)


def test_the_interval_holds_the_score_and_is_wider_than_one_that_resamples_frames():
    group, encoder, target, predicted = made()
    fold = leave_one_encoder_out(encoder)[0]
    low, high = interval_of(resample_groups([fold], target, predicted, group).rmse[0])
    assert low < rmse(predicted[fold.test], target[fold.test]) < high
    alone = np.array([str(number) for number in range(group.size)])
    naive = interval_of(resample_groups([fold], target, predicted, alone).rmse[0])
    assert high - low > 1.5 * (naive[1] - naive[0])


def test_other_predictions_are_resampled_with_the_same_groups():
    group, encoder, target, predicted = made()
    folds = leave_one_encoder_out(encoder)
    ours = resample_groups(folds, target, predicted, group)
    theirs = resample_groups(folds, target, predicted + np.float32(1.0), group)
    assert np.allclose(ours.plcc, theirs.plcc, atol=1e-6)
    assert interval_of((ours.plcc - theirs.plcc).mean(axis=0)) == pytest.approx((0.0, 0.0), abs=1e-6)


def test_a_constant_prediction_has_no_correlation_and_no_interval_of_one():
    group, encoder, target, _ = made()
    found = resample_groups(leave_one_encoder_out(encoder), target, np.full(target.size, 50, np.float32), group)
    assert np.isnan(found.plcc).all()
    assert interval_of(found.plcc[0]) is None
    assert np.isfinite(found.rmse).all()


def test_a_fold_that_most_resamples_miss_has_no_interval():
    group, _, target, predicted = made()
    test = (group == "g00") & (np.arange(group.size) < 5)
    found = resample_groups([Fold(("x",), ~test, test)], target, predicted, group)
    assert np.isnan(found.rmse).any()
    assert interval_of(found.rmse[0]) is None
