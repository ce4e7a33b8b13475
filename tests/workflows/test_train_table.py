"""Training from a feature table, and what the new figures are set beside."""

from __future__ import annotations

import hashlib
import json

import polars as pl
import pytest

from vmafcast.common.errors import DataError, RequestError
from vmafcast.models.recipe import get_recipe
from vmafcast.models.sidecar import read_sidecar
from vmafcast.registry.store import Registry
from vmafcast.workflows.ship import ship
from vmafcast.workflows.train import TrainRequest, train
from vmafcast.workflows.training_rows import ENOUGH_ROWS, read_training_rows

RECIPE = get_recipe("fr_regressor_v1").model_copy(update={"hidden": 8, "epochs": 12, "batch_size": 16})


@pytest.fixture(scope="module")
def table(store, tmp_path_factory):
    """The rows of the tiny corpus in the shape that others keep them in."""
    path = tmp_path_factory.mktemp("table") / "features.parquet"
    encodes = store.encodes().select("cell", "source")
    names = {"cell": "dis_basename", "frame": "frame_index"}
    names |= {name: f"integer_{name}" for name in RECIPE.feature_order}
    store.frames([*RECIPE.feature_order, "vmaf"]).join(encodes, on="cell").rename(names).write_parquet(path)
    return path


@pytest.fixture(scope="module")
def groups_file(table):
    path = table.with_name("groups.csv")
    path.write_text("name,source_group\nalpha,meadow\nbeta,river\ngamma,river\n")
    return path


@pytest.fixture(scope="module")
def refreshed(table, groups_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("refreshed") / "c"
    return train(TrainRequest(RECIPE, table, folder, groups_file=groups_file))


def test_a_table_gives_the_same_rows_as_the_corpus_it_came_from(refreshed, store, table, tmp_path):
    of_corpus = train(TrainRequest(RECIPE, store.folder, tmp_path / "c", frame_stride=1))
    ours, theirs = refreshed.reports[0], of_corpus.reports[0]
    assert [fold.held_out for fold in ours.folds] == ["meadow", "river"]
    assert [fold.n_val for fold in ours.folds] == [fold.n_val for fold in theirs.folds]
    assert ours.corpus.path == str(table)
    assert ours.corpus.sha256 == hashlib.sha256(table.read_bytes()).hexdigest()
    sidecar = read_sidecar(refreshed.folder / "model.json")
    assert sidecar.training.corpus_sha256 == ours.corpus.sha256
    assert sidecar.training.dataset == "features.parquet"


def test_a_small_table_is_not_thinned_out(refreshed, table):
    assert refreshed.reports[0].recipe.frame_stride == 1 < RECIPE.frame_stride
    assert pl.read_parquet(table).height < ENOUGH_ROWS
    assert read_training_rows(RECIPE, table, frame_stride=3).recipe.frame_stride == 3


def test_what_was_assumed_is_said(table):
    notes = " ".join(read_training_rows(RECIPE, table).notes)
    assert "--source-groups" in notes
    assert "vmaf_v0.6.1" in notes


def test_without_a_champion_the_published_figures_stand_beside_it(refreshed):
    written = json.loads((refreshed.folder / "comparison.json").read_text())
    assert written["previous"]["origin"] == "published: refresh of 2026-05-20"
    assert written["new"]["mean_plcc"] == refreshed.reports[0].mean_plcc
    assert written["new"]["in_sample_plcc"] == refreshed.reports[0].in_sample_plcc is not None
    assert [each["held_out"] for each in written["targets"]] == ["meadow", "river"]


def test_a_champion_stands_beside_its_successor(refreshed, table, groups_file, tmp_path):
    registry = Registry(tmp_path / "registry")
    shipped = ship(refreshed.folder, registry)
    if shipped.champion is None:
        pytest.fail(shipped.verdict.recommendation)
    request = TrainRequest(
        RECIPE, table, tmp_path / "next", groups_file=groups_file, seeds=(1,), registry=registry.folder
    )
    comparison = train(request).comparison
    assert comparison.previous.origin == f"champion {shipped.champion.id}"
    assert comparison.previous.mean_rmse == refreshed.reports[0].mean_rmse
    assert comparison.same_corpus


def test_no_registry_is_no_champion(table, tmp_path):
    trained = train(TrainRequest(RECIPE, table, tmp_path / "c", registry=tmp_path / "nowhere"))
    assert trained.comparison.previous.origin.startswith("published")
    assert not (tmp_path / "nowhere").exists()


def test_a_table_that_cannot_be_used_leaves_nothing(table, store, tmp_path):
    torn = tmp_path / "torn.parquet"
    torn.write_bytes(table.read_bytes()[:-100])
    short = tmp_path / "short.parquet"
    pl.read_parquet(table).drop("integer_adm2").write_parquet(short)
    for place, word in ((torn, "cannot be read"), (short, "adm2")):
        with pytest.raises(DataError, match=word):
            train(TrainRequest(RECIPE, place, tmp_path / "c"))
    with pytest.raises(RequestError, match="no corpus or feature table at"):
        train(TrainRequest(RECIPE, tmp_path / "nothing", tmp_path / "c"))
    with pytest.raises(RequestError, match="leave the options out"):
        train(TrainRequest(RECIPE, store.folder, tmp_path / "c", teacher="vmaf_v0.6.1"))
    assert not (tmp_path / "c").exists()
