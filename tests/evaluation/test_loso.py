from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from vmafcast.common.documents import to_json
from vmafcast.common.errors import DataError, RequestError
from vmafcast.common.provenance import RunRecord
from vmafcast.evaluation.folds import group_folds, leave_one_encoder_out
from vmafcast.evaluation.loso import evaluate_loso
from vmafcast.evaluation.loso_folder import read_loso_folder
from vmafcast.evaluation.loso_report import CorpusFacts, LosoReport
from vmafcast.evaluation.scores import bootstrap_mean, plcc, rmse
from vmafcast.models.trained import Member
from vmafcast.models.training import rows_design, train_members

CORPUS = CorpusFacts(path="corpus", sha256=None, rows=1, source_groups=4)
FORMAT_KEYS = (
    "seed, corpus, n_folds, folds, mean_plcc, std_plcc, min_plcc, max_plcc, mean_srocc, mean_rmse, epochs, batch_size, "
    "lr, weight_decay, num_codecs, encoder_vocab_version, wall_time_s, recipe, schema_version, run_provenance"
)
FOLD_KEYS = ("held_out", "n_train", "n_val", "plcc", "srocc", "rmse")


@pytest.fixture(scope="module")
def rows(make_rows):
    return make_rows()


@pytest.fixture(scope="module")
def result(rows, small_recipe):
    return evaluate_loso(small_recipe, rows, (0, 7), final_seeds=(5,))


def test_every_row_is_judged_by_networks_that_never_saw_its_group(result, rows):
    assert result.predictions.shape == (2, len(rows))
    assert np.isfinite(result.predictions).all()
    assert [score.held_out for score in result.scores[0]] == ["title0", "title1", "title2", "title3"]
    assert sum(score.n_val for score in result.scores[0]) == len(rows)
    assert result.scores[0][0].n_val == 2 * 2 * 2 * 31  # both sizes, and no frame left out of the judging


def test_the_frame_stride_thins_out_the_training_alone(result, rows):
    learnt = int((rows.every(3) & (rows.groups != "title1")).sum())
    assert result.scores[0][1].n_train == learnt
    assert learnt < 0.4 * (rows.groups != "title1").sum()


def test_poisoning_a_group_does_not_reach_its_own_judges(rows, result, small_recipe):
    """Trap: leakage. What the held-out group holds must not change what is predicted for its features."""
    poisoned = rows.target.copy()
    poisoned[rows.groups == "title2"] = 0
    other = evaluate_loso(small_recipe, replace(rows, target=poisoned), (0, 7), final_seeds=(5,))
    held = rows.groups == "title2"
    assert np.allclose(other.predictions[:, held], result.predictions[:, held], atol=1e-3)
    assert not np.allclose(other.predictions[:, ~held], result.predictions[:, ~held], atol=1.0)


def test_scores_are_those_of_the_held_out_predictions(result, rows):
    for seed in range(2):
        for score in result.scores[seed]:
            held = rows.groups == score.held_out
            assert score.plcc == pytest.approx(plcc(result.predictions[seed, held], rows.target[held]))
            assert score.rmse == pytest.approx(rmse(result.predictions[seed, held], rows.target[held]))
            assert score.blind_rmse == pytest.approx(rmse(result.blind_predictions[seed, held], rows.target[held]))
    assert not np.allclose(result.predictions[0], result.predictions[1], atol=1e-2)


def test_the_blind_twin_shows_what_the_block_is_worth(result):
    summary = result.summary()
    assert summary.mean_rmse < 2.5
    assert summary.blind_mean_rmse > 4.5
    assert summary.mean_plcc > summary.blind_mean_plcc + 0.05


def test_the_final_network_learns_from_every_group_in_the_same_program(result, rows):
    assert len(result.final) == 1
    assert result.final.members[0].seed == 5
    assert result.final.members[0].codec_aware
    assert result.final.rows_learnt == (int(rows.every(3).sum()),)
    assert result.final.trained_slots == (("libx264", "libsvtav1"),)


def test_the_report_has_every_key_of_the_format(result):
    provenance = RunRecord("test", {}).finish()
    report = result.report(7, CORPUS, provenance)
    written = json.loads(to_json(report))
    assert set(FORMAT_KEYS.split(", ")) <= set(written)
    assert set(FOLD_KEYS) <= set(written["folds"][0])
    assert written["seed"] == 7
    assert written["num_codecs"] == 18
    assert written["encoder_vocab_version"] == 3
    assert written["n_folds"] == len(written["folds"]) == 4
    assert LosoReport.model_validate_json(to_json(report)) == report
    plccs = np.array([fold["plcc"] for fold in written["folds"]])
    assert written["mean_plcc"] == pytest.approx(plccs.mean())
    assert written["std_plcc"] == pytest.approx(plccs.std(ddof=1))
    assert (written["min_plcc"], written["max_plcc"]) == pytest.approx((plccs.min(), plccs.max()))
    assert written["mean_rmse"] == pytest.approx(np.mean([fold["rmse"] for fold in written["folds"]]))
    assert written["blind_mean_plcc"] == pytest.approx(np.mean([fold["blind_plcc"] for fold in written["folds"]]))
    low, high = written["mean_plcc_interval"]
    assert low <= written["mean_plcc"] <= high


def test_a_gate_can_read_the_reports(result, tmp_path):
    for seed in result.seeds:
        (tmp_path / f"loso_seed{seed}.json").write_text(to_json(result.report(seed, CORPUS)))
    folder = read_loso_folder(tmp_path).require_clean()
    assert folder.per_seed == {seed: result.report(seed, CORPUS).mean_plcc for seed in (0, 7)}


def test_the_summary_is_over_all_seeds(result):
    summary = result.summary()
    means = [result.report(seed, CORPUS).mean_plcc for seed in result.seeds]
    assert summary.seeds == (0, 7)
    assert summary.folds == 4
    assert summary.mean_plcc == pytest.approx(np.mean(means))
    assert summary.min_plcc == min(score.plcc for folds in result.scores for score in folds)


def test_a_seed_that_was_not_evaluated_has_no_report(result):
    with pytest.raises(RequestError, match=r"seed 1 was not evaluated; there are 0, 7"):
        result.report(1, CORPUS)


def test_a_group_without_correlation_is_not_averaged_away(small_recipe, make_rows):
    """A constant target has no correlation: null, and so is the mean, or the other groups would hide it."""
    result = evaluate_loso(small_recipe, make_rows(groups=3, frames=6, constant=1), with_blind=False)
    report = result.report(0, CORPUS)
    assert [fold.plcc is None for fold in report.folds] == [False, True, False]
    assert report.mean_plcc is report.std_plcc is report.mean_srocc is report.mean_plcc_interval is None
    assert np.isfinite(report.mean_rmse)
    assert report.blind_mean_plcc is None
    assert result.blind_predictions is None
    assert result.final is None


def test_the_lift_stands_with_its_paired_interval(result):
    report = result.report(0, CORPUS)
    assert report.lift == pytest.approx(report.mean_plcc - report.blind_mean_plcc, abs=1e-12)
    lifts = [fold.plcc - fold.blind_plcc for fold in report.folds]
    assert report.lift_interval == pytest.approx(bootstrap_mean(lifts), abs=1e-9)
    assert report.mean_rmse_interval == pytest.approx(bootstrap_mean([fold.rmse for fold in report.folds]))
    assert report.mean_rmse_interval[0] < report.mean_rmse < report.mean_rmse_interval[1]


def test_the_fit_to_its_own_rows_stands_in_the_report_of_the_seed_that_was_shipped(result, rows, small_recipe):
    design = rows_design(small_recipe, rows)
    predicted = result.final.predict(design.features, design.block)[0]
    assert result.in_sample_plcc == {5: plcc(predicted, rows.target)}
    assert result.report(7, CORPUS).in_sample_plcc is None  # of that seed no network was trained on everything


def test_an_encoder_that_is_held_out_is_served_as_unknown(rows, small_recipe):
    """All zeros, as in use: renaming the held-out rows to something nobody knows changes no prediction of them."""
    folds = leave_one_encoder_out(rows.encoders)
    assert [fold.name for fold in folds] == ["libsvtav1", "libx264"]
    result = evaluate_loso(small_recipe, rows, with_blind=False, folds=folds)
    assert np.isfinite(result.predictions).all()
    for fold in folds:
        assert set(rows.encoders[fold.test]) == {fold.name}
        assert set(rows.encoders[fold.train]).isdisjoint({fold.name})
    trained = train_members(small_recipe, rows, [Member(folds[1].train, 0, True)])
    assert trained.trained_slots == (("libsvtav1",),)
    held = rows.take(folds[1].test)
    unknown = rows_design(small_recipe, replace(held, encoders=np.full(len(held), "unknown")))
    assert not unknown.block[:, :-2].any()
    served = trained.predict(unknown.features, unknown.block)[0]
    assert np.allclose(result.predictions[0, folds[1].test], served, atol=1e-3)
    # It cannot know the 12 points between the two encoders.
    assert result.scores[0][1].rmse > 4


def test_a_blind_recipe_is_evaluated_as_it_is_on_folds_of_several_groups(small_recipe, make_rows):
    rows = make_rows(groups=5, frames=6)
    result = evaluate_loso(small_recipe.blind(), rows, folds=group_folds(rows.groups, 2, 0))
    assert len(result.scores[0]) == 2
    assert all("+" in score.held_out for score in result.scores[0])
    assert np.isfinite(result.predictions).all()
    report = result.report(0, CORPUS)
    assert (report.num_codecs, report.encoder_vocab_version, report.blind_mean_plcc) == (0, None, None)


def test_requests_that_cannot_be_meant_are_refused(rows, small_recipe):
    with pytest.raises(RequestError, match="no seed"):
        evaluate_loso(small_recipe, rows, ())
    with pytest.raises(RequestError, match="twice: 1, 1"):
        evaluate_loso(small_recipe, rows, (1, 1))
    with pytest.raises(DataError, match="cannot be divided"):
        evaluate_loso(small_recipe, rows.take(rows.groups == "title0"))
