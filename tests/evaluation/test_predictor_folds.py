"""Judging predictors: nothing of a held-out source group may reach what is predicted of it."""

from dataclasses import replace

import numpy as np
import pytest

from vmafcast.common.errors import DataError
from vmafcast.evaluation.predictor_folds import POINTS, calibrate, judge_held_out
from vmafcast.evaluation.predictor_report import RANGE, fold_scores, judge_folds, mean_of, stage_figures
from vmafcast.evaluation.scores import plcc
from vmafcast.models.predictor.calibration import LEVELS
from vmafcast.models.predictor.curves import Points
from vmafcast.models.predictor.model import measured_curves, train_predictor
from vmafcast.workflows.predictor_rows import read_rows

ENCODER, FOLDS, SWEEPS = "libx265", 5, 1


@pytest.fixture(scope="module")
def rows(write_predictor_corpus, tmp_path_factory):
    return read_rows((write_predictor_corpus(tmp_path_factory.mktemp("corpus") / "one"),))


@pytest.fixture(scope="module")
def held_out(rows):
    return judge_held_out(rows.curves(ENCODER), rows.sources, FOLDS, sweeps=SWEEPS)


def only(rows, kept):
    """Curves of some of the sources."""
    measured = rows.curves(ENCODER)
    few = {
        preset: Points(
            points.source[kept[points.source]], points.place[kept[points.source]], points.values[kept[points.source]]
        )
        for preset, points in zip(measured.presets, measured.points, strict=True)
    }
    return measured_curves(ENCODER, few, dict(zip(measured.presets, measured.places, strict=True)))


def moved(rows, held_group):
    """Curves in which everything that was measured of one source group is another thing."""
    measured = rows.curves(ENCODER)
    changed = {}
    for preset, points in zip(measured.presets, measured.points, strict=True):
        mine = rows.sources.groups[points.source] == held_group
        values = points.values + np.where(mine, 0.5, 0.0)[:, None]
        changed[preset] = replace(points, values=values)
    return measured_curves(ENCODER, changed, dict(zip(measured.presets, measured.places, strict=True)))


def test_what_was_measured_of_a_group_does_not_reach_its_own_predictions(rows, held_out):
    other = judge_held_out(moved(rows, "group_03"), rows.sources, FOLDS, sweeps=SWEEPS)
    mine = rows.sources.groups[held_out.source] == "group_03"
    for probed in (False, True):
        stage = (probed, 0)
        np.testing.assert_allclose(other.predicted[stage][mine], held_out.predicted[stage][mine], atol=1e-6)
        np.testing.assert_allclose(other.deviation[stage][mine], held_out.deviation[stage][mine], atol=1e-6)
        np.testing.assert_allclose(other.factor[stage][mine], held_out.factor[stage][mine], atol=1e-6)
    assert np.abs(other.vmaf[mine] - held_out.vmaf[mine]).max() > 1.0


def test_it_does_reach_the_predictions_of_others(rows, held_out):
    other = judge_held_out(moved(rows, "group_03"), rows.sources, FOLDS, sweeps=SWEEPS)
    fold = held_out.fold[rows.sources.groups[held_out.source] == "group_03"][0]
    elsewhere = held_out.fold != fold
    difference = np.abs(other.predicted[True, 0] - held_out.predicted[True, 0])[elsewhere]
    assert difference.max() > 0.01


def test_every_encode_is_predicted_once_by_the_fold_of_its_group(rows, held_out):
    assert len(held_out.vmaf) == rows.of(ENCODER).height
    for group in np.unique(rows.sources.groups):
        mine = rows.sources.groups[held_out.source] == group
        assert len(np.unique(held_out.fold[mine])) == 1
    assert set(held_out.fold) == set(range(FOLDS))


def test_the_encodes_that_were_made_are_not_judged(held_out):
    for probed in (False, True):
        for count in POINTS:
            missing = ~np.isfinite(held_out.predicted[probed, count][:, 0])
            for source in np.unique(held_out.source):
                assert missing[held_out.source == source].sum() == count
            assert (~np.isfinite(held_out.ratio[probed, count][:, 0]) == missing).all()


def test_sources_that_are_learnt_from_alone_are_not_judged_but_help_others(rows, held_out):
    judged = np.arange(len(rows.names)) % 2 == 0
    some = judge_held_out(rows.curves(ENCODER), rows.sources, FOLDS, sweeps=SWEEPS, judged=judged)
    assert set(some.source) == set(np.flatnonzero(judged))
    alone = judge_held_out(only(rows, judged), rows.sources, FOLDS, sweeps=SWEEPS)
    np.testing.assert_array_equal(alone.source, some.source)
    assert np.abs(alone.predicted[True, 0] - some.predicted[True, 0])[:, 0].max() > 0.01


def test_intervals_are_calibrated_by_the_judged_sources_alone(rows):
    measured, learn = rows.curves(ENCODER), np.ones(len(rows.names), dtype=np.bool_)
    predictor = train_predictor(measured, rows.sources, learn, sweeps=SWEEPS)
    judged = np.isin(rows.sources.groups, np.unique(rows.sources.groups)[:6])
    every, some = (
        calibrate(measured, rows.sources, learn, predictor, probed=True, judged=mask) for mask in (None, judged)
    )
    assert (every.calibrations[0].groups, some.calibrations[0].groups) == (10, 6)
    np.testing.assert_array_equal(every.covariance, some.covariance)
    assert every.calibrations[0].vmaf != some.calibrations[0].vmaf


def test_a_clip_of_a_held_out_group_is_never_learnt_from(rows):
    """Sources that are learnt from alone lie in the groups of judged ones; what they say must not reach those."""
    sources = replace(rows.sources, groups=np.array([f"pair_{number // 2}" for number in range(len(rows.names))]))
    judged = np.arange(len(rows.names)) % 2 == 0
    changed = {}
    measured = rows.curves(ENCODER)
    for preset, points in zip(measured.presets, measured.points, strict=True):
        mine = points.source == 3  # of pair_1, whose judged one is number 2
        changed[preset] = replace(points, values=points.values + np.where(mine, 0.5, 0.0)[:, None])
    places = dict(zip(measured.presets, measured.places, strict=True))
    first = judge_held_out(measured, sources, FOLDS, sweeps=SWEEPS, judged=judged)
    other = judge_held_out(measured_curves(ENCODER, changed, places), sources, FOLDS, sweeps=SWEEPS, judged=judged)
    difference = np.abs(first.predicted[True, 0] - other.predicted[True, 0])[:, 0]
    assert difference[first.source == 2].max() < 1e-6
    assert difference[first.source != 2].max() > 0.01


def test_encodes_that_were_made_help_where_nothing_else_tells(write_predictor_corpus, tmp_path):
    rows = read_rows((write_predictor_corpus(tmp_path / "wild", hopeless=(ENCODER,)),))
    held_out = judge_held_out(rows.curves(ENCODER), rows.sources, FOLDS, sweeps=SWEEPS)
    none, one, two = (figure.mae for figure in stage_figures([held_out]) if not figure.probed)
    assert one < none
    assert two < none


def test_the_figures_are_those_of_the_points(held_out):
    figures = {(each.probed, each.measured): each for each in stage_figures([held_out])}
    predicted, useful = held_out.predicted[True, 0], (held_out.vmaf >= RANGE[0]) & (held_out.vmaf <= RANGE[1])
    assert figures[True, 0].points == (len(predicted), int(useful.sum()))
    assert figures[True, 0].mae == pytest.approx(np.abs(predicted[:, 0] - held_out.vmaf)[useful].mean())
    rate = np.abs(np.expm1(predicted[:, 1] - held_out.log_bits))[useful]
    assert figures[True, 0].bitrate_error == pytest.approx(np.median(rate))
    inside = held_out.ratio[True, 0] <= held_out.factor[True, 0][:, :, LEVELS.index(LEVELS[2])]
    assert figures[True, 0].vmaf_coverage == pytest.approx(inside[useful, 0].mean())
    assert stage_figures([]) == ()


def test_fold_scores_are_those_of_the_judged_stage(rows, held_out):
    folds = fold_scores(held_out, rows.sources.groups)
    mine = held_out.fold == 2
    assert folds[2].plcc == pytest.approx(plcc(held_out.predicted[True, 0][mine, 0], held_out.vmaf[mine]))
    assert folds[2].n_val == mine.sum()
    assert judge_folds(folds, len(mine), 10).criterion("folds").status == "pass"


def test_a_constant_prediction_fails_the_gate_rather_than_being_passed_over(rows, held_out):
    flat = replace(
        held_out, predicted={**held_out.predicted, (True, 0): np.full_like(held_out.predicted[True, 0], 70.0)}
    )
    folds = fold_scores(flat, rows.sources.groups)
    assert [fold.plcc for fold in folds] == [None] * FOLDS
    assert judge_folds(folds, 100, 10).verdict == "fail"
    assert mean_of([0.9, None]) is None


def test_more_folds_than_groups_are_refused(rows):
    with pytest.raises(DataError, match="cannot make 11 folds"):
        judge_held_out(rows.curves(ENCODER), rows.sources, 11, sweeps=SWEEPS)
