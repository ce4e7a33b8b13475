"""Training predictors: what is found, judged, written and refused."""

import json
import re
import shutil
from contextlib import nullcontext
from pathlib import Path

import polars as pl
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from vmafcast.common.errors import CapabilityError, DataError, OutputError, RequestError
from vmafcast.corpus.surveyed import SURVEYS
from vmafcast.evaluation.predictor_report import CodecReport
from vmafcast.registry.store import Registry
from vmafcast.workflows.forecast import load_predictor
from vmafcast.workflows.predictor_rows import find_corpora, read_rows
from vmafcast.workflows.train_predictors import (
    DEFAULT_LEARN_ONLY,
    PredictorsRequest,
    PredictorsTrained,
    train_predictors,
)

SWEEPS = 2


def run(**request):
    *codecs, done = train_predictors(PredictorsRequest(sweeps=SWEEPS, **request))
    assert all(isinstance(codec, CodecReport) for codec in codecs)
    assert isinstance(done, PredictorsTrained)
    return {codec.codec: codec for codec in codecs}, done


@pytest.fixture(scope="module")
def corpus(write_predictor_corpus, tmp_path_factory):
    return write_predictor_corpus(tmp_path_factory.mktemp("roots") / "one", hopeless=("libx265",), few=("libsvtav1",))


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory):
    output = tmp_path_factory.mktemp("trained")
    encoders = ("libx264", "libx265", "libsvtav1", "libvvenc")
    roots = (corpus.parent, corpus.parent / "nowhere")
    codecs, done = run(roots=roots, encoders=encoders, output=output / "predictors", registry=output / "registry")
    return output, codecs, done


def test_every_encoder_ends_as_it_must(trained):
    _, codecs, done = trained
    assert {name: codec.status for name, codec in codecs.items()} == {
        "libx264": "pass", "libx265": "fail", "libsvtav1": "insufficient-sources", "libvvenc": "missing-rows",
    }  # fmt: skip
    assert not done.passed
    assert done.report.summary.model_dump() == {"n_pass": 1, "n_fail": 1, "n_insufficient": 1, "n_missing_rows": 1}


def test_the_report_has_the_keys_of_the_contract(trained):
    _, _, done = trained
    report = json.loads(done.path.read_text())
    assert set(report["gate"]) == {"mean_plcc_threshold", "plcc_spread_max", "per_fold_min", "loso_fold_count"}
    assert report["gate"]["plcc_spread_max"] == 0.005
    assert {"discovered_files", "roots"} <= set(report["corpus"])
    assert report["corpus"]["missing_roots"][0].endswith("nowhere")
    [passed] = [codec for codec in report["codecs"] if codec["status"] == "pass"]
    wanted = {
        "codec", "status", "mean_plcc", "plcc_spread", "mean_srocc", "mean_rmse", "n_rows_total", "n_distinct_sources",
        "failure_reasons", "corpus_provenance", "folds",
    }  # fmt: skip
    assert wanted <= set(passed)
    assert len(passed["folds"]) == 5
    fold = passed["folds"][0]
    assert set(fold) == {"fold_index", "held_out_sources", "plcc", "srocc", "rmse", "n_train", "n_val"}
    assert report["run_provenance"]["entrypoint"] == "vmafcast train-predictors"


def test_no_source_group_is_held_out_twice_and_each_is_once(trained):
    _, codecs, _ = trained
    held = [group for fold in codecs["libx264"].folds for group in fold.held_out_sources]
    assert sorted(held) == [f"group_{number:02d}" for number in range(10)]
    assert all(fold.n_train + fold.n_val == codecs["libx264"].n_rows_total for fold in codecs["libx264"].folds)


def test_only_what_passed_is_written_and_served(trained):
    output, codecs, _ = trained
    assert sorted(path.name for path in (output / "predictors").iterdir() if path.is_dir()) == ["predictor_libx264"]
    assert codecs["libx264"].model is not None
    model = load_predictor(Registry.open(output / "registry"), "x264")
    assert model.sidecar.id == "predictor_libx264"
    assert model.sidecar.presets == ("veryfast", "medium")
    assert model.sidecar.training.source_groups == 10
    with pytest.raises(CapabilityError, match="there is no predictor of libx265"):
        load_predictor(Registry.open(output / "registry"), "libx265")


def test_what_was_promoted_is_named(trained):
    output, codecs, done = trained
    served = Registry.open(output / "registry").champion("predictor_libx264")
    assert {name: codec.champion for name, codec in codecs.items()} == {
        "libx264": served.id, "libx265": None, "libsvtav1": None, "libvvenc": None,
    }  # fmt: skip
    assert [codec.champion for codec in done.report.codecs].count(None) == 3


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ({"output": "file/out"}, "file is no folder"),
        ({"output": "out", "report": "folder"}, "a folder stands in its place"),
        ({"output": "out", "registry": "file/registry"}, "file is no folder"),
        ({"output": "out", "registry": "other"}, "is not empty .it holds notes.txt"),
        ({"output": "taken"}, "holds other things"),
    ],
)
def test_a_place_that_cannot_be_written_is_told_before_anything_is_read(tmp_path, place, words):
    (tmp_path / "file").write_text("")
    for kept in ("folder", "other", "taken/predictor_libx264"):
        (tmp_path / kept).mkdir(parents=True)
        (tmp_path / kept / "notes.txt").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    places = {name: tmp_path / where for name, where in place.items()}
    with pytest.raises((OutputError, RequestError), match=words):
        run(roots=(tmp_path / "nowhere",), encoders=("libx264",), **places)
    assert sorted(tmp_path.rglob("*")) == before


def test_every_card_says_its_status(trained):
    output, _, _ = trained
    cards = {path.stem: path.read_text() for path in (output / "predictors").glob("*.md")}
    assert "Status: Production (gate cleared)" in cards["predictor_libx264"]
    assert "Status: Proposed (gate-failed: " in cards["predictor_libx265"]
    assert "cannot make 5 folds" in cards["predictor_libsvtav1"]
    assert "no rows for this encoder" in cards["predictor_libvvenc"]


def test_an_encoder_that_fails_later_keeps_what_it_has(trained, write_predictor_corpus, tmp_path):
    output, _, _ = trained
    shutil.copytree(output, tmp_path / "copy")
    before = {path: path.read_bytes() for path in (tmp_path / "copy").rglob("*") if path.is_file()}
    bad = write_predictor_corpus(tmp_path / "bad", hopeless=("libx264",), seed=5)
    codecs, _ = run(
        roots=(bad,), encoders=("libx264",), output=tmp_path / "copy/predictors", registry=tmp_path / "copy/registry"
    )
    assert codecs["libx264"].status == "fail"
    after = {path: path.read_bytes() for path in (tmp_path / "copy").rglob("*") if path.is_file()}
    changed = {path.name for path in after if after[path] != before.get(path)}
    assert changed == {"report.json", "predictor_libx264.md"}
    card = (tmp_path / "copy/predictors/predictor_libx264.md").read_text()
    assert card.count("Status:") == 1
    assert "Proposed (gate-failed: " in card


def test_the_same_corpus_gives_the_same_model(trained, corpus, tmp_path):
    output, _, _ = trained
    run(roots=(corpus,), encoders=("libx264",), output=tmp_path)
    name = "predictor_libx264/predictor_libx264.onnx"
    assert (tmp_path / name).read_bytes() == (output / "predictors" / name).read_bytes()


def test_a_smoke_run_never_passes_and_writes_a_report_alone(tmp_path):
    codecs, done = run(encoders=("libx264",), output=tmp_path / "out", registry=tmp_path / "registry", smoke=True)
    assert codecs["libx264"].status == "fail"
    assert any("smoke" in reason for reason in codecs["libx264"].failure_reasons)
    assert done.report.smoke
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["report.json"]


def test_nothing_to_learn_from_is_an_error_unless_it_is_allowed(tmp_path):
    (tmp_path / "bare").mkdir()
    with pytest.raises(DataError, match="no corpus with surveyed sources"):
        run(roots=(tmp_path / "nowhere", tmp_path / "bare"), output=tmp_path / "out")
    with pytest.raises(RequestError, match="nowhere does not exist"):
        run(roots=(tmp_path / "nowhere",), output=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    codecs, done = run(roots=(tmp_path / "nowhere",), output=tmp_path / "out", allow_empty=True)
    assert {codec.status for codec in codecs.values()} == {"missing-rows"}
    assert done.empty
    assert not done.passed


def test_a_corpus_without_surveys_is_reported_and_passed_over(corpus, tmp_path):
    shutil.copytree(corpus, tmp_path / "bare")
    (tmp_path / "bare" / SURVEYS).unlink()
    found = find_corpora((tmp_path, corpus))
    assert found.corpora == (corpus,)
    assert re.search(r"`vmafcast corpus complexity .+ --sources CLIPS`", found.skipped[0])


def test_an_encode_that_is_in_two_corpora_counts_once(corpus, tmp_path):
    shutil.copytree(corpus, tmp_path / "again")
    once, twice = read_rows((corpus,)), read_rows((corpus, tmp_path / "again"))
    assert twice.names == once.names
    assert twice.of("libx264").height == once.of("libx264").height


def test_corpora_that_were_probed_otherwise_are_not_mixed(corpus, write_predictor_corpus, tmp_path):
    other = write_predictor_corpus(tmp_path / "other", seed=2)
    table = pl.read_parquet(other / SURVEYS)
    table.with_columns(probe_revision=pl.lit(999)).write_parquet(other / SURVEYS)
    with pytest.raises(DataError, match="not all measured alike"):
        read_rows((corpus, other))


class Threads:
    """Progress that notes how many threads the linear algebra has whenever a fold was judged."""

    def __init__(self):
        self.seen = []

    def task(self, *_, **__):
        return nullcontext(self)

    def describe(self, *_):
        pass

    def advance(self, *_):
        self.seen += blas_threads()


def blas_threads():
    return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]


def test_linear_algebra_has_one_thread_however_many_there_are(corpus, tmp_path):
    threads = Threads()
    request = PredictorsRequest(roots=(corpus,), encoders=("libx264",), output=tmp_path / "out", sweeps=1)
    with threadpool_limits(limits=3, user_api="blas"):
        for _ in train_predictors(request, threads):
            assert set(blas_threads()) == {3}
    assert len(threads.seen) >= 5
    assert set(threads.seen) == {1}


def renamed(corpus, folder):
    """A copy of a corpus whose sources have other names, in the same groups, as augmented clips do."""
    shutil.copytree(corpus, folder)
    for path in (*folder.glob("encodes*/*.parquet"), *folder.glob("encodes*.parquet"), folder / SURVEYS):
        pl.read_parquet(path).with_columns(source=pl.col("source") + "_aug1").write_parquet(path)
    return folder


def test_what_is_learnt_from_alone_is_found_reported_and_not_judged(corpus, tmp_path):
    made = renamed(corpus, tmp_path / "made")
    codecs, done = run(
        roots=(corpus,), learn_only=(made, tmp_path / "gone"), encoders=("libx264",), output=tmp_path / "out"
    )
    alone, _ = run(roots=(corpus,), encoders=("libx264",), output=tmp_path / "alone")
    with_them, without = codecs["libx264"], alone["libx264"]
    assert with_them.n_rows_total == without.n_rows_total == with_them.n_rows_learn_only
    assert without.n_rows_learn_only == 0
    assert with_them.folds != without.folds
    assert [fold.n_val for fold in with_them.folds] == [fold.n_val for fold in without.folds]
    assert done.report.corpus.learn_only == (str(made),)
    assert str(tmp_path / "gone") in done.report.corpus.missing_roots
    assert {fact.path for fact in done.report.corpus.discovered_files} >= {str(made / SURVEYS)}
    sidecar = json.loads((tmp_path / "out" / "predictor_libx264" / "model.json").read_text())
    assert sidecar["training"]["rows"] == 2 * without.n_rows_total
    assert made.name in sidecar["training"]["dataset"]


def test_a_corpus_under_both_kinds_of_root_is_learnt_from_alone(corpus, tmp_path):
    shutil.copytree(corpus, tmp_path / "one")
    made = renamed(corpus, tmp_path / "two")
    found = find_corpora((tmp_path,), (made,))
    assert (found.corpora, found.learn_only) == ((tmp_path / "one",), (made,))
    rows = read_rows(found.corpora, found.learn_only)
    assert {name for name, judged in zip(rows.names, rows.judged, strict=True) if judged} == set(
        read_rows((corpus,)).names
    )


def test_only_the_default_roots_bring_augmented_clips_along():
    assert PredictorsRequest().learn_only_roots == DEFAULT_LEARN_ONLY
    assert PredictorsRequest(roots=(Path("mine"),)).learn_only_roots == ()
    assert PredictorsRequest(learn_only=()).learn_only_roots == ()


def test_an_unknown_encoder_is_refused_before_anything_runs(corpus, tmp_path):
    with pytest.raises(RequestError):
        run(roots=(corpus,), encoders=("libx999",), output=tmp_path / "out")
    assert not (tmp_path / "out").exists()
