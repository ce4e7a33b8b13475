"""`vmafcast train-predictors`, `vmafcast corpus complexity` and `vmafcast forecast`, as a user runs them."""

import json
import shutil

import numpy as np
import polars as pl
import pytest

from vmafcast.cli.forecast import _readable
from vmafcast.corpus.surveyed import SURVEYS
from vmafcast.media.complexity.document import REVISION, REVISIONS
from vmafcast.models.predictor.runtime import ForecastPoint
from vmafcast.registry.store import Registry
from vmafcast.workflows import serving


@pytest.fixture
def own_line(built, tmp_path):
    """A copy of the tiny corpus and its clips that a test may change."""
    for name in ("clips", "corpus"):
        shutil.copytree(built.folder / name, tmp_path / name)
    return tmp_path


@pytest.fixture(scope="module")
def predictors(write_predictor_corpus, run_in, tmp_path_factory):
    """A folder with a corpus of sources that never were, and the registry of the predictor that learnt from it."""
    folder = tmp_path_factory.mktemp("predictors")
    write_predictor_corpus(folder / "corpora" / "one")
    outcome = run_in(
        folder, "train-predictors", "--root", "corpora", "--encoder", "x264", "--epochs", "2", "--registry", "registry",
        "--json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    return folder, outcome


def test_training_says_what_came_of_it(predictors):
    folder, outcome = predictors
    [codec] = [line for line in outcome.lines if line["type"] == "codec"]
    assert (codec["codec"], codec["status"]) == ("libx264", "pass")
    assert outcome.done["passed"] is True
    assert (outcome.done["n_pass"], outcome.done["n_fail"]) == (1, 0)
    assert {(stage["probed"], stage["measured"]) for stage in outcome.done["pooled"]} == {
        (probed, count) for probed in (False, True) for count in (0, 1, 2)
    }
    assert json.loads((folder / outcome.done["report"]).read_text())["codecs"][0]["codec"] == "libx264"


def test_what_was_promoted_and_where_is_said(predictors, run_in, tmp_path):
    folder, outcome = predictors
    [codec] = [line for line in outcome.lines if line["type"] == "codec"]
    champion = json.loads((folder / "registry" / "registry.json").read_text())["champions"]["predictor_libx264"]
    assert codec["champion"] == champion
    assert (outcome.done["promoted"], outcome.done["registry"]) == ([champion], "registry")
    shutil.copytree(folder / "corpora", tmp_path / "corpora")
    arguments = ("train-predictors", "--root", "corpora", "--encoder", "x264", "--epochs", "2")
    shown = run_in(tmp_path, *arguments, "--registry", "mine")
    assert f"predictors/predictor_libx264: promoted in mine as {champion}\n" in shown.out
    shown = run_in(tmp_path, *arguments)
    assert "predictors/predictor_libx264: written, and promoted nowhere" in shown.out
    assert run_in(tmp_path, *arguments, "--out", "corpora/one/encodes.parquet").code == 1


def test_a_refusal_has_its_exit_code_and_names_the_encoders(run_in, tmp_path):
    outcome = run_in(tmp_path, "train-predictors", "--synthetic-smoke", "--encoder", "libx264", "--epochs", "1")
    assert outcome.code == 3
    assert "no model was written for libx264" in outcome.err
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["report.json"]


def test_nothing_to_learn_from(run_in, tmp_path):
    outcome = run_in(tmp_path, "train-predictors")  # where corpora are looked for when nobody says where
    assert outcome.code == 1
    assert "no corpus with surveyed sources lies under data/corpus, corpora" in outcome.err
    allowed = run_in(tmp_path, "train-predictors", "--root", "nowhere", "--allow-empty")
    assert allowed.code == 0
    assert "gate predictor" in allowed.out
    assert "held-out source groups" not in allowed.out


def test_a_forecast_of_a_real_clip(predictors, run_in, clip):
    folder, _ = predictors
    outcome = run_in(
        folder, "forecast", str(clip), "--encoder", "h264", "--quality", "20", "--quality", "40", "--plot", "curve.svg",
        "--cache", "cache", "--json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    good, bad = [line for line in outcome.lines if line["type"] == "point"]
    assert (good["quality"], bad["quality"]) == (20, 40)
    assert 0 <= bad["vmaf"] <= good["vmaf"] <= 100
    assert 0 < bad["kbps"] <= good["kbps"]
    assert outcome.done["probed"] is True
    assert outcome.done["cpu_seconds"] > 0
    # A clip of a few frames of drawn texture is nothing like the sources that were learnt from, and that is said.
    assert any("outside of what" in warning for warning in outcome.done["warnings"])
    assert (folder / "curve.svg").read_text().startswith("<svg")


def test_without_a_probe_nothing_is_encoded_and_what_was_measured_is_remembered(predictors, run_in, clip):
    folder, _ = predictors
    arguments = ("forecast", str(clip), "--encoder", "libx264", "--no-probe", "--cache", "other", "--json")
    first, second = run_in(folder, *arguments), run_in(folder, *arguments)
    assert first.done["probed"] is False
    assert (first.done["cached"], second.done["cached"]) == (False, True)
    points = [[line for line in each.lines if line["type"] == "point"] for each in (first, second)]
    assert points[0] == points[1]


@pytest.mark.parametrize("revision", [*REVISIONS, REVISION + 1])
def test_a_predictor_is_told_the_measures_that_it_learnt_from(write_predictor_corpus, run_in, clip, tmp_path, revision):
    """Of the revisions that this version can measure; one that is unknown to it is refused."""
    corpus = write_predictor_corpus(tmp_path / "corpora" / "one")
    surveys = pl.read_parquet(corpus / SURVEYS).with_columns(complexity_revision=pl.lit(revision))
    surveys.write_parquet(corpus / SURVEYS)
    arguments = ("--encoder", "x264", "--epochs", "1", "--registry", "registry")
    assert run_in(tmp_path, "train-predictors", "--root", "corpora", *arguments).code == 0
    outcome = run_in(
        tmp_path, "forecast", str(clip), "--encoder", "libx264", "--no-probe", "--cache", "cache", "--json"
    )
    documents = [json.loads(path.read_text()) for path in (tmp_path / "cache").rglob("*.json")]
    if revision in REVISIONS:
        assert outcome.code == 0, outcome.err
        assert [each["revision"] for each in documents] == [revision]
    else:
        assert outcome.code == 1
        assert f"measures of revision {revision}" in outcome.err
        assert f"this version makes {REVISIONS[0]} or {REVISIONS[1]}" in outcome.err
        assert not documents


def test_what_the_registry_lacks_comes_from_the_package(predictors, call, clip, monkeypatch, tmp_path):
    folder, _ = predictors
    monkeypatch.setattr(serving, "packaged_folder", lambda: folder / "registry")
    Registry.open(tmp_path / "registry", create=True)
    arguments = ("forecast", clip, "--no-probe", "--cache", "cache", "--encoder", "h264", "--json")
    found = call(*arguments)
    assert (found.code, found.done["origin"], found.done["model"]) == (0, "packaged", "predictor_libx264")
    assert "./registry has no champion of predictor_libx264: that of vmafcast itself answers" in found.err
    named = call(*arguments, "--registry", "registry")
    assert (named.code, named.lines[-1]["type"]) == (1, "error")
    mine = call(*arguments, "--registry", folder / "registry")
    assert (mine.done["origin"], "itself answers" in mine.err) == (str(folder / "registry"), False)


@pytest.mark.parametrize("scale", [2, 40, 41, 216])
def test_a_long_scale_is_thinned_out_to_what_one_can_read(scale):
    points = [
        ForecastPoint(q, 50.0, 40.0, 60.0, 9.0, 8.0, 10.0, measured=False, outside_training=False) for q in range(scale)
    ]
    shown = [point.quality for point in _readable(points, {scale - 2})]
    assert len(shown) in {min(scale, 40), 41}
    assert {0, scale - 2, scale - 1} <= set(shown)
    assert shown == sorted(shown)
    assert max(np.diff(shown), default=1) <= scale // 40 + 1


def test_a_measured_encode_is_taken_in(predictors, run_in, clip):
    folder, _ = predictors
    arguments = ("forecast", str(clip), "--encoder", "libx264", "--no-probe", "--quality", "30", "--json")
    [before] = [line for line in run_in(folder, *arguments).lines if line["type"] == "point"]
    told = f"30:{max(before['vmaf'] - 10, 1):.3f}:{before['kbps']:.3f}"
    [after] = [line for line in run_in(folder, *arguments, "--measured", told).lines if line["type"] == "point"]
    assert after["measured"]
    assert after["vmaf"] < before["vmaf"]
    _, vmaf, kbps = told.split(":")
    assert (after["measured_vmaf"], after["measured_kbps"]) == (float(vmaf), float(kbps))
    assert (before["measured_vmaf"], before["measured_kbps"]) == (None, None)
    shown = run_in(folder, *arguments[:-1], "--quality", "36", "--measured", told).out
    [made] = [line.split() for line in shown.splitlines() if line.split()[:1] == ["30"]]
    assert made == ["30", f"{float(vmaf):.2f}", "—", "—", f"{float(kbps):,.0f}", "—", "—", "measured"]
    drawn = run_in(folder, *arguments, "--quality", "36", "--measured", told, "--plot", "made.svg")
    assert drawn.code == 0, drawn.err
    assert "rings: encodes that were made" in (folder / "made.svg").read_text()


def test_done_is_not_said_where_the_picture_cannot_be_written(predictors, run_in, clip):
    folder, _ = predictors
    (folder / "in_its_place").mkdir()
    outcome = run_in(
        folder, "forecast", str(clip), "--encoder", "libx264", "--no-probe", "--plot", "in_its_place", "--json"
    )
    assert outcome.code == 1
    assert [line["type"] for line in outcome.lines] == ["error"]
    assert "cannot write in_its_place" in outcome.lines[0]["message"]


def test_a_predictor_without_figures_is_shown_without_an_empty_table(predictors, run_in):
    folder, _ = predictors
    shown = run_in(folder, "registry", "show", "predictor_libx264", "--registry", "registry")
    assert shown.code == 0, shown.err
    assert "\nfiles\n" in shown.out
    assert "\nfigures\n" not in shown.out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--encoder", "libvvenc", "--registry", "registry"), 1, "there is no predictor of libvvenc"),
        (
            ("--encoder", "libvvenc", "--registry", "registry"),
            1,
            "`vmafcast train-predictors --encoder libvvenc --registry registry`",
        ),
        (("--encoder", "libx999"), 2, "libx999"),
        (("--encoder", "libx264", "--quality", "99"), 2, "takes a quality"),
        (("--encoder", "libx264", "--preset", "ludicrous"), 2, "no preset"),
        (("--encoder", "libx264", "--measured", "30"), 2, "QUALITY:VMAF:KBPS"),
        (("--encoder", "libx264", "--measured", "30:101:5"), 2, "cannot have been measured"),
        (("--encoder", "libx264", "--quality", "30", "--plot", "x.svg"), 2, "two quality values"),
    ],
)
def test_bad_input_is_one_clear_line(predictors, run_in, clip, arguments, code, words):
    folder, _ = predictors
    outcome = run_in(folder, "forecast", str(clip), "--no-probe", *arguments)
    assert outcome.code == code
    assert words in outcome.err
    assert "Traceback" not in outcome.err
    assert not (folder / "x.svg").exists()


def test_a_source_that_is_not_there(predictors, run_in):
    folder, _ = predictors
    outcome = run_in(folder, "forecast", "nothing.mkv", "--encoder", "libx264")
    assert outcome.code == 2
    assert "nothing.mkv" in outcome.err


def test_the_sources_of_a_real_corpus_are_measured_beside_its_encodes(own_line, run_in, tree):
    outcome = run_in(own_line, "corpus", "complexity", "corpus", "--sources", "clips", "--cache", "cache", "--json")
    assert outcome.code == 0, outcome.err
    table = pl.read_parquet(own_line / "corpus" / SURVEYS)
    assert sorted(table["source"]) == ["alpha", "beta", "gamma"]
    assert sorted(table["source_group"]) == ["meadow", "river", "tower"]
    assert outcome.done["sources"] == 3
    before = tree(own_line / "corpus")
    again = run_in(own_line, "corpus", "complexity", "corpus", "--sources", "clips", "--cache", "cache", "--json")
    assert again.code == 0
    assert tree(own_line / "corpus") == before


def test_a_source_that_is_missing_is_named_and_nothing_is_written(own_line, run_in):
    (own_line / "clips" / "MANIFEST.csv").unlink()
    (own_line / "clips" / "beta.mkv").unlink()
    outcome = run_in(own_line, "corpus", "complexity", "corpus", "--sources", "clips")
    assert outcome.code == 1
    assert "1 of 3 sources of corpus are not in clips: beta" in outcome.err
    assert not (own_line / "corpus" / SURVEYS).exists()
