from __future__ import annotations

import json

import numpy as np
import pytest

from vmafcast.common.documents import to_json
from vmafcast.evaluation.compare import compare
from vmafcast.evaluation.loso_report import CorpusFacts
from vmafcast.evaluation.report import EvaluationReport
from vmafcast.evaluation.scores import bootstrap_mean

CORPUS = CorpusFacts(path="corpus", sha256=None, rows=1, source_groups=4)


@pytest.fixture(scope="module")
def rows(make_rows):
    return make_rows(groups=4, frames=24)


@pytest.fixture(scope="module")
def by_source(rows, small_recipe):
    return compare(small_recipe, rows, CORPUS, seeds=(0, 3), baselines=True)


@pytest.fixture(scope="module")
def by_encoder(rows, small_recipe):
    return compare(small_recipe, rows, CORPUS, by="encoder")


def test_all_contenders_stand_on_the_same_folds(by_source):
    names = [contender.name for contender in by_source.contenders]
    assert names == ["network", "codec-blind", "ridge", "gradient-boosting", "psnr-logistic"]
    folds = [[(fold.held_out, fold.n_train, fold.n_val) for fold in each.folds] for each in by_source.contenders]
    assert all(each == folds[0] for each in folds)
    assert [fold.held_out for fold in by_source.contenders[0].folds] == ["title0", "title1", "title2", "title3"]


def test_the_twin_of_the_network_is_the_blind_figures_of_its_folds(by_source):
    network, twin = by_source.contenders[:2]
    assert network.means.blind_mean_plcc == pytest.approx(twin.means.mean_plcc)
    assert network.means.blind_mean_rmse == pytest.approx(twin.means.mean_rmse)
    assert network.means.lift == pytest.approx(network.means.mean_plcc - twin.means.mean_plcc, abs=1e-12)
    for ours, theirs in zip(network.folds, twin.folds, strict=True):
        assert ours.blind_rmse == pytest.approx(theirs.rmse)
    assert network.means.lift > 0.02
    assert network.means.lift_interval[0] > 0


def test_scores_are_means_over_the_seeds(by_source, rows, small_recipe):
    network = by_source.contenders[0]
    alone = [compare(small_recipe, rows, CORPUS, seeds=(seed,)).contenders[0] for seed in (0, 3)]
    assert network.per_seed_mean_plcc == {
        "0": pytest.approx(alone[0].means.mean_plcc, abs=1e-6),
        "3": pytest.approx(alone[1].means.mean_plcc, abs=1e-6),
    }
    for place, fold in enumerate(network.folds):
        assert fold.rmse == pytest.approx(np.mean([each.folds[place].rmse for each in alone]), rel=1e-3)


def test_intervals_resample_groups_where_groups_are_the_folds(by_source):
    for contender in by_source.contenders:
        assert contender.means.mean_plcc_interval == pytest.approx(
            bootstrap_mean([fold.plcc for fold in contender.folds]), abs=1e-12
        )
        assert all(fold.plcc_interval is None for fold in contender.folds)
    assert [each.held_out for each in by_source.slices] == ["libsvtav1", "libx264"]
    for each in by_source.slices:
        assert each.rmse_interval[0] <= each.rmse <= each.rmse_interval[1]


def test_a_held_out_encoder_has_an_interval_over_groups(by_encoder):
    network = by_encoder.contenders[0]
    assert [fold.held_out for fold in network.folds] == ["libsvtav1", "libx264"]
    for fold in network.folds:
        assert fold.rmse_interval[0] <= fold.rmse <= fold.rmse_interval[1]
        assert fold.plcc_interval[0] <= fold.plcc <= fold.plcc_interval[1]
    low, high = network.means.mean_rmse_interval
    assert low <= network.means.mean_rmse <= high
    assert [each.held_out for each in by_encoder.slices] == ["title0", "title1", "title2", "title3"]
    assert "both sides" in by_encoder.notes[0]


def test_an_unknown_encoder_costs_what_the_block_was_worth(by_source, by_encoder):
    assert by_encoder.contenders[0].means.mean_rmse > 3 * by_source.contenders[0].means.mean_rmse


def test_a_recipe_that_trains_nothing_as_unknown_is_told_on(rows, small_recipe):
    deaf = small_recipe.model_copy(update={"unknown_share": 0.0, "epochs": 2})
    report = compare(deaf, rows, CORPUS, by="encoder")
    assert any("never taught" in note for note in report.notes)


def test_the_report_is_a_document(by_source):
    written = json.loads(to_json(by_source))
    assert EvaluationReport.model_validate(written) == by_source
    assert (written["schema_version"], written["kind"], written["by"]) == (1, "vmafcast-evaluation", "source")


def test_a_fold_without_correlation_is_null_and_explained(make_rows, small_recipe):
    rows = make_rows(groups=3, frames=8, constant=1)
    report = compare(small_recipe.blind().model_copy(update={"epochs": 2}), rows, CORPUS)
    network = report.contenders[0]
    assert network.folds[1].plcc is None
    assert network.means.mean_plcc is None
    assert network.means.mean_plcc_interval is None
    assert "title1" in [low.held_out for low in report.low_ranks]
    assert [contender.name for contender in report.contenders] == ["network"]
    json.loads(to_json(report))
