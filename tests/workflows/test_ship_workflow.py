"""A candidate is judged by the scores of its own training, and by no others."""

from __future__ import annotations

import json
import shutil

import pytest

from vmafcast.common.errors import DataError, GateRefused, IntegrityError
from vmafcast.models.recipe import get_recipe
from vmafcast.registry.store import Registry
from vmafcast.workflows.own_scores import read_reports
from vmafcast.workflows.ship import ship
from vmafcast.workflows.train import TrainRequest, train


@pytest.fixture(scope="session")
def candidate_of_two_seeds(store, tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("seeds") / "c"
    train(TrainRequest(tiny, store.folder, folder, seeds=(5, 0)))
    return folder


@pytest.fixture
def candidate(candidate_of_two_seeds, tmp_path):
    return shutil.copytree(candidate_of_two_seeds, tmp_path / "c")


@pytest.fixture
def nowhere(tmp_path):
    return Registry(tmp_path / "registry")


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_the_report_that_counts_is_that_of_the_model_s_seed(candidate, nowhere):
    scores = {report.seed: report for report in read_reports(candidate)}
    assert scores[0].mean_plcc != scores[5].mean_plcc
    verdict = ship(candidate, nowhere).verdict
    assert verdict.gate.mean_plcc == scores[5].mean_plcc
    assert verdict.gate.per_seed_plccs == {"0": scores[0].mean_plcc, "5": scores[5].mean_plcc}
    assert not verdict.promotes
    assert not nowhere.folder.exists()


@pytest.mark.parametrize("seed", [0, 5])
@pytest.mark.parametrize(
    "change",
    [
        lambda report: report.update(mean_plcc=0.999),
        lambda report: report.update(mean_rmse=0.1),
        lambda report: report.update(blind_mean_plcc=0.1),
        lambda report: report["folds"][0].update(plcc=0.999),
        lambda report: report["folds"][1].update(rmse=0.01),
        lambda report: report["folds"][1].update(blind_plcc=None),
    ],
    ids=["mean", "rmse", "blind", "a fold", "a fold's rmse", "a fold's blind"],
)
def test_scores_that_were_written_over_promote_nothing(candidate, nowhere, tree, seed, change):
    edit(candidate / f"loso_seed{seed}.json", change)
    before = tree(candidate)
    with pytest.raises(IntegrityError, match="not those that the sidecar records"):
        ship(candidate, nowhere)
    assert tree(candidate) == before
    assert not nowhere.folder.exists()


def test_a_report_that_is_missing_or_too_many_is_noticed(candidate, nowhere):
    whole = (candidate / "loso_seed0.json").read_text()
    (candidate / "loso_seed0.json").unlink()
    with pytest.raises(DataError, match="does not hold all"):
        ship(candidate, nowhere)
    (candidate / "loso_seed0.json").write_text(whole)
    (candidate / "loso_seed9.json").write_text(whole.replace('"seed": 0', '"seed": 9', 1))
    with pytest.raises(DataError, match="and no others"):
        ship(candidate, nowhere)


@pytest.mark.parametrize(
    "change",
    [lambda report: report["corpus"].update(sha256="0" * 64), lambda report: report["recipe"].update(hidden=64)],
    ids=["corpus", "recipe"],
)
def test_a_report_of_another_training_is_refused(candidate, nowhere, change):
    edit(candidate / "loso_seed0.json", change)
    with pytest.raises(DataError, match=r"loso_seed0.json is of another training"):
        ship(candidate, nowhere)


def test_no_report_at_all(candidate, nowhere):
    for path in candidate.glob("loso_seed*"):
        path.unlink()
    with pytest.raises(DataError, match="holds no loso_seed"):
        ship(candidate, nowhere)


def test_a_smoke_model_is_not_even_judged(train_into, nowhere, tmp_path, tree):
    folder = train_into(tmp_path / "c", smoke=True).folder
    before = tree(folder)
    with pytest.raises(GateRefused, match="smoke"):
        ship(folder, nowhere)
    assert tree(folder) == before
    assert not nowhere.folder.exists()


def test_a_codec_blind_candidate_is_judged_by_its_own_gate(train_into, nowhere, tmp_path):
    changes = {"epochs": 2, "hidden": 4, "depth": 1, "frame_stride": 2}
    folder = train_into(tmp_path / "c", recipe=get_recipe("fr_regressor_v1").model_copy(update=changes)).folder
    verdict = ship(folder, nowhere).verdict
    assert verdict.gate_name == "fr-v1"
    assert [criterion.name for criterion in verdict.criteria] == ["mean_plcc"]


def test_the_verdict_says_on_what_it_rests(candidate, nowhere):
    provenance = ship(candidate, nowhere).verdict.run_provenance
    assert [each.path for each in provenance.inputs] == [str(candidate / f"loso_seed{seed}.json") for seed in (0, 5)]
