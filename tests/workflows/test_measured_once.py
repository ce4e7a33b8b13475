"""What is measured of a source once: from the corpus's surveys in training, from the video itself in prediction."""

from __future__ import annotations

import json
import math
import shutil

import numpy as np
import onnxruntime
import polars as pl
import pytest

from vmafcast.common.errors import DataError, RequestError
from vmafcast.common.feature_names import SOURCE
from vmafcast.corpus.store import CorpusStore
from vmafcast.corpus.surveyed import ANCHOR, SURVEYS, read_surveys, source_features
from vmafcast.corpus.table import frame_table
from vmafcast.media.complexity.document import REVISION
from vmafcast.media.probe_encode import DEFAULT_ENCODES
from vmafcast.media.probe_encode import REVISION as PROBE_REVISION
from vmafcast.models.recipe import get_recipe
from vmafcast.models.runtime import FrameModel
from vmafcast.models.sidecar import SurveyFacts
from vmafcast.registry.frame_card import frame_card_facts
from vmafcast.workflows.evaluate import EvaluateRequest, evaluate
from vmafcast.workflows.predict import predict_clip
from vmafcast.workflows.predict_table import predict_table
from vmafcast.workflows.rows import corpus_rows, labelled_rows
from vmafcast.workflows.serving import load_file
from vmafcast.workflows.train import TrainRequest, train

TEACHER = "vmaf_v0.6.1"
LITE = get_recipe("fr_regressor_lite")
FRAME = tuple(name for name in LITE.feature_order if name not in SOURCE)
ONCE = tuple(name for name in LITE.feature_order if name in SOURCE)


@pytest.fixture
def alone(surveyed, tmp_path):
    """A copy of the surveyed corpus that a test may spoil."""
    return CorpusStore(shutil.copytree(surveyed.folder, tmp_path / "alone"))


@pytest.fixture(scope="module")
def model(surveyed, tmp_path_factory):
    """A lite model that learnt next to nothing, from the surveyed corpus."""
    folder = tmp_path_factory.mktemp("lite") / "candidate"
    small = LITE.model_copy(update={"epochs": 2, "hidden": 4, "depth": 1, "frame_stride": 1})
    train(TrainRequest(small, surveyed.folder, folder))
    return load_file(folder / "model.onnx"), folder


def _change(store, **columns):
    table = pl.read_parquet(store.folder / SURVEYS).with_columns(**columns)
    table.write_parquet(store.folder / SURVEYS)


def test_the_anchor_is_one_of_the_probes_own_encodes():
    assert ANCHOR in DEFAULT_ENCODES


def test_every_frame_of_a_source_is_told_what_was_measured_of_it(surveyed):
    rows = corpus_rows(surveyed, LITE)
    places = [rows.feature_names.index(name) for name in ONCE]
    stored = pl.read_parquet(surveyed.folder / SURVEYS)
    assert stored.height == 3
    for row in stored.iter_rows(named=True):
        own = rows.features[rows.sources == row["source"]][:, places]
        probe = [row[f"libx264_veryfast_31_{name}"] for name in ("vmaf", "ssim", "motion2")]
        assert len(own) == 6 * 9
        assert np.allclose(own, probe, atol=1e-9)


def test_frames_keep_their_own_columns(surveyed):
    with_source = frame_table(surveyed, LITE.feature_order, TEACHER)
    assert with_source.drop(ONCE).equals(frame_table(surveyed, FRAME, TEACHER))


def test_a_corpus_without_surveys_says_what_to_run(store):
    with pytest.raises(DataError, match=r"has no sources\.parquet.*`vmafcast corpus complexity .+ --sources CLIPS`"):
        corpus_rows(store, LITE)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"source_sha256": pl.lit("0" * 64)}, "is another file than the one that was encoded"),
        ({"source": pl.col("source") + "_old"}, "is not there"),
        ({"complexity_revision": pl.lit(REVISION + 1)}, f"revisions {REVISION + 1} and"),
        ({"complexity_revision": pl.lit(REVISION - 1)}, f"revisions {REVISION - 1} and"),
        ({"probe_revision": pl.col("probe_revision") - 1}, "what is asked for is"),
        ({"teacher": pl.lit("vmaf_v0.6.1neg")}, "by vmaf_v0.6.1neg"),
        ({f"{ANCHOR.name}_vmaf": pl.lit(None, dtype=pl.Float64)}, "was not surveyed with the probe"),
        ({f"{ANCHOR.name}_ssim": pl.lit(math.inf)}, "was not surveyed with the probe"),
    ],
)
def test_surveys_that_do_not_fit_are_refused(alone, change, words):
    _change(alone, **change)
    with pytest.raises(DataError, match=words):
        frame_table(alone, LITE.feature_order, TEACHER)
    assert frame_table(alone, FRAME, TEACHER).height == 18 * 9  # who asks for none of it is not troubled


def test_a_survey_of_another_probe_has_no_anchor(surveyed):
    row = read_surveys(surveyed.folder).row(0, named=True)
    assert tuple(source_features(row)) == SOURCE
    del row[f"{ANCHOR.name}_motion2"]
    with pytest.raises(DataError, match=ANCHOR.name):
        source_features(row)


def test_surveys_from_before_ssim_was_measured_serve_who_does_not_want_it(alone):
    path = alone.folder / SURVEYS
    table = pl.read_parquet(path)
    table.drop(name for name in table.columns if name.endswith("_ssim")).write_parquet(path)
    with pytest.raises(DataError, match=f"was not surveyed with the probe {ANCHOR.name}; measure it again"):
        corpus_rows(alone, LITE)
    assert corpus_rows(alone, get_recipe("fr_regressor_lite_psnr")).feature_names[-1] == "probe_motion2"


def test_a_report_names_the_surveys_among_what_was_read(model):
    _, folder = model
    report = json.loads((folder / "loso_seed0.json").read_text())
    assert SURVEYS in {each["path"].rsplit("/", 1)[-1] for each in report["run_provenance"]["inputs"]}


def test_a_pair_of_videos_is_measured_as_the_corpus_was(model, surveyed, clips, ffmpeg, tmp_path):
    """The graph, run by hand on frames of the pair and the corpus's own survey, says what is predicted."""
    served, folder = model
    pair = (clips / "beta.mkv", clips / "beta.mkv")
    found = predict_clip(*pair, ffmpeg=ffmpeg, model=served, cache=tmp_path / "cache")
    table = frame_table(surveyed, LITE.feature_order, TEACHER).filter(pl.col("source") == "beta")
    lossless = {"ssim": 1.0}  # what belongs to the source is that of any of its encodes
    encode = table.filter(pl.col("cell") == table["cell"][0]).with_columns(
        pl.lit(value, dtype=pl.Float32).alias(name) for name, value in lossless.items()
    )
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    features = encode.select(LITE.feature_order).to_numpy().astype(np.float32)
    block = np.zeros((len(features), 25), dtype=np.float32)
    expected = session.run(["vmaf"], {"features": features, "codec_block": block})[0]
    assert found.predicted == pytest.approx(expected.tolist(), abs=1e-3)


def test_a_model_of_another_revision_of_probes_is_refused(model, clips, ffmpeg, tmp_path):
    """Of complexity it may be another: nothing that such a model takes of a source comes of it."""
    served, folder = model
    assert served.sidecar.training.survey == SurveyFacts(complexity_revision=REVISION, probe_revision=PROBE_REVISION)
    training = json.loads((folder / "model.json").read_text())["training"]
    assert training["survey"] == {"complexity_revision": REVISION, "probe_revision": PROBE_REVISION}

    def learnt_from(complexity, probe):
        survey = SurveyFacts(complexity_revision=complexity, probe_revision=probe)
        facts = served.sidecar.training.model_copy(update={"survey": survey})
        return FrameModel.load(folder / "model.onnx", served.sidecar.model_copy(update={"training": facts}))

    pair, cache = (clips / "alpha.mkv", clips / "alpha.mkv"), tmp_path / "cache"
    with pytest.raises(DataError, match=f"probes of revision {PROBE_REVISION + 1}.*train it again"):
        predict_clip(*pair, ffmpeg=ffmpeg, model=learnt_from(REVISION, PROBE_REVISION + 1), cache=cache)
    assert not cache.exists()
    older = learnt_from(REVISION - 1, PROBE_REVISION)
    found, now = (predict_clip(*pair, ffmpeg=ffmpeg, model=each, cache=cache) for each in (older, served))
    assert np.array_equal(found.predicted, now.predicted)


def test_a_source_is_measured_once(model, clips, ffmpeg, tmp_path):
    served, _ = model
    pair, cache = (clips / "alpha.mkv", clips / "alpha.mkv"), tmp_path / "cache"
    first = predict_clip(*pair, ffmpeg=ffmpeg, model=served, cache=cache)
    kept = {path: path.stat().st_mtime_ns for path in cache.rglob("*.json")}
    assert {path.parent.name for path in kept} == {"complexity", "probe"}
    again = predict_clip(*pair, ffmpeg=ffmpeg, model=served, cache=cache)
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*.json")} == kept
    assert np.array_equal(first.predicted, again.predicted)


def test_a_model_that_does_not_want_it_measures_nothing_of_it(ensembled, clips, ffmpeg, tmp_path):
    served, cache = load_file(ensembled.folder / "model.onnx"), tmp_path / "cache"
    predict_clip(clips / "alpha.mkv", clips / "alpha.mkv", ffmpeg=ffmpeg, model=served, cache=cache)
    assert not cache.exists()


def test_a_table_of_frames_alone_is_told_where_the_rest_is_measured(model, surveyed, tmp_path):
    served, _ = model
    whole = frame_table(surveyed, LITE.feature_order, TEACHER)
    whole.drop(ONCE).write_parquet(tmp_path / "frames.parquet")
    with pytest.raises(DataError, match=r"probe_vmaf.*give the two videos"):
        predict_table(tmp_path / "frames.parquet", served)
    whole.write_parquet(tmp_path / "whole.parquet")
    assert len(predict_table(tmp_path / "whole.parquet", served).predicted) == whole.height
    whole.drop("ssim").write_parquet(tmp_path / "no_ssim.parquet")
    with pytest.raises(DataError, match=r"ssim \(or integer_ssim\), which the model needs$"):
        predict_table(tmp_path / "no_ssim.parquet", served)


def test_a_table_of_frames_cannot_be_learnt_from(surveyed, tmp_path):
    table = tmp_path / "frames.parquet"
    frame_table(surveyed, FRAME, TEACHER).write_parquet(table)
    with pytest.raises(
        RequestError, match=r"is a table of frames.*`vmafcast corpus complexity CORPUS --sources CLIPS`"
    ):
        train(TrainRequest(LITE, table, tmp_path / "candidate"))
    assert not (tmp_path / "candidate").exists()


def test_the_card_says_what_is_measured_once(model, ensembled):
    own, other = (
        frame_card_facts(each.sidecar).summary[0] for each in (model[0], load_file(ensembled.folder / "model.onnx"))
    )
    assert "from 6 measurements that cost little, 3 of which are made of the source once" in own
    assert "of the source once" not in other


def test_the_baseline_on_psnr_stands_beside_lite_though_lite_does_not_look_at_it(surveyed):
    small = LITE.model_copy(update={"epochs": 1, "hidden": 4, "depth": 1, "frame_stride": 1})
    found = evaluate(EvaluateRequest(small, surveyed.folder, baselines=True))
    [curve] = [each for each in found.contenders if each.name == "psnr-logistic"]
    assert curve.means.mean_rmse > 0
    assert labelled_rows(surveyed, LITE, ("psnr_y",)).rows.feature_names == (*LITE.feature_order, "psnr_y")
