"""Training through the library: what it needs, what it leaves, and that it always leaves the same."""

from __future__ import annotations

import json
from contextlib import contextmanager

import polars as pl
import pytest

from vmafcast.common.errors import DataError, RequestError
from vmafcast.corpus.store import CorpusStore
from vmafcast.models.recipe import get_recipe
from vmafcast.models.sidecar import read_sidecar
from vmafcast.workflows.train import TrainRequest, train


class Impatient:
    """A progress whose watcher presses Ctrl-C after some steps."""

    def __init__(self, patience):
        self._left = patience

    @contextmanager
    def task(self, *_, **__):
        yield self

    def advance(self, *_):
        self._left -= 1
        if self._left < 0:
            raise KeyboardInterrupt

    def describe(self, *_):
        pass


def test_the_same_training_leaves_the_same_bytes(train_into, tmp_path):
    one, other = (train_into(tmp_path / name, seeds=(3, 1)) for name in ("one", "other"))
    for name in ("model.onnx", "model.json", "held_out/predictions.parquet"):
        assert (one.folder / name).read_bytes() == (other.folder / name).read_bytes()
    for seed in (3, 1):
        first, second = (json.loads((each.folder / f"loso_seed{seed}.json").read_text()) for each in (one, other))
        for report in (first, second):
            del report["run_provenance"], report["wall_time_s"]
        assert first == second


def test_another_seed_is_another_model_and_the_first_is_exported(train_into, tmp_path):
    both = train_into(tmp_path / "both", seeds=(3, 1))
    assert [report.seed for report in both.reports] == [3, 1]
    sidecar = read_sidecar(both.folder / "model.json")
    assert sidecar.training.seed == 3
    assert sidecar.training.loso.seeds == (3, 1)
    alone = train_into(tmp_path / "alone", seeds=(3,))
    assert (alone.folder / "model.onnx").read_bytes() == (both.folder / "model.onnx").read_bytes()
    other = train_into(tmp_path / "other", seeds=(1,))
    assert (other.folder / "model.onnx").read_bytes() != (both.folder / "model.onnx").read_bytes()


def test_source_groups_are_held_out_as_a_whole(train_into, tmp_path):
    report = train_into(tmp_path / "c").reports[0]
    assert [fold.held_out for fold in report.folds] == ["meadow", "river"]
    assert [fold.n_val for fold in report.folds] == [6 * 9, 2 * 6 * 9]


def test_an_earlier_candidate_goes_as_a_whole(train_into, tmp_path, tree):
    train_into(tmp_path / "c", seeds=(0, 1))
    (tmp_path / "c" / "PROMOTE.json").write_text("{}")
    train_into(tmp_path / "c", seeds=(2,))
    assert {"loso_seed2.json", "model.onnx", "model.json"} <= set(tree(tmp_path / "c"))
    assert not {"PROMOTE.json", "loso_seed0.json", "loso_seed1.json"} & set(tree(tmp_path / "c"))
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


@pytest.mark.parametrize("patience", [0, 1])
def test_an_interrupted_training_leaves_the_earlier_candidate(train_into, tmp_path, tree, patience):
    train_into(tmp_path / "c")
    before = tree(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        train_into(tmp_path / "c", seeds=(7,), progress=Impatient(patience))
    assert tree(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_a_smoke_model_says_so(train_into, tmp_path):
    assert read_sidecar(train_into(tmp_path / "c", smoke=True).folder / "model.json").smoke
    assert not read_sidecar(train_into(tmp_path / "d").folder / "model.json").smoke


@pytest.mark.parametrize(
    ("changes", "word"),
    [({"teacher": "vmaf_4k_v0.6.1"}, "do not mix teachers"), ({"feature_order": ("adm2", "cambi")}, "cambi")],
)
def test_a_corpus_that_does_not_fit_the_recipe_is_refused(train_into, tiny, tmp_path, changes, word):
    with pytest.raises(DataError, match=word):
        train_into(tmp_path / "c", recipe=tiny.model_copy(update=changes))
    assert list(tmp_path.iterdir()) == []


def test_one_source_group_teaches_nothing_that_could_be_judged(store, tiny, tmp_path):
    small = tmp_path / "small"
    for name in ("encodes", "frames"):
        (small / name).mkdir(parents=True)
    encodes = store.encodes().filter(pl.col("source_group") == "river")
    encodes.write_parquet(small / "encodes" / "a.parquet")
    store.frames().filter(pl.col("cell").is_in(encodes["cell"].implode())).write_parquet(small / "frames" / "a.parquet")
    assert CorpusStore(small).encodes().height == 12
    with pytest.raises(DataError, match="source group"):
        train(TrainRequest(tiny, small, tmp_path / "new" / "c"))
    assert [path.name for path in tmp_path.iterdir()] == ["small"]


def test_a_handful_of_frames_is_refused(store, tiny, tmp_path):
    small = tmp_path / "small"
    for name, table in (("encodes", store.encodes().head(2)), ("frames", store.frames())):
        (small / name).mkdir(parents=True)
        kept = (
            table if name == "encodes" else table.filter(table["cell"].is_in(store.encodes()["cell"].head(2).implode()))
        )
        kept.write_parquet(small / name / "a.parquet")
    with pytest.raises(DataError, match="18 frames; training takes at least 100"):
        train(TrainRequest(tiny, small, tmp_path / "c"))
    assert not (tmp_path / "c").exists()


def test_the_corpus_itself_is_never_replaced(store, tree, tiny):
    before = tree(store.folder)
    for output in (store.folder, store.folder.parent):
        with pytest.raises(RequestError, match="would be replaced"):
            train(TrainRequest(tiny, store.folder, output))
    assert tree(store.folder) == before


def test_a_codec_blind_recipe_is_trained_without_a_twin(train_into, tiny, tmp_path):
    blind = get_recipe("fr_regressor_v1").model_copy(update={"epochs": 2, "hidden": 4, "depth": 1, "frame_stride": 2})
    report = train_into(tmp_path / "c", recipe=blind).reports[0]
    assert (report.num_codecs, report.encoder_vocab_version, report.blind_mean_plcc) == (0, None, None)
