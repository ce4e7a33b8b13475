"""``vmafcast predict --features`` and ``--model``: tables and foreign models, checked against graphs run by hand."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import onnxruntime
import polars as pl
import pytest
from onnx import TensorProto, helper, numpy_helper

CANONICAL6 = ("adm2", "vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "motion2")
RECIPE = "fr_regressor_v3"


@pytest.fixture
def champion(served):
    """The champion's graph, run by hand on features and an encoder."""
    [folder] = (served.registry / "models").iterdir()
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    slots = json.loads((folder / "model.json").read_text())["encoder_vocab"]

    def score(features, encoder=None, preset_norm=0.0, crf_norm=0.0):
        row = [float(slot == encoder) for slot in slots] + [preset_norm, crf_norm]
        block = np.tile(np.array(row, dtype=np.float32), (len(features), 1))
        return session.run(["vmaf"], {"features": features.astype(np.float32), "codec_block": block})[0]

    return score


@pytest.fixture
def frames(served):
    """The rows of the tiny corpus as a foreign table would have them."""
    files = sorted(served.corpus.rglob("*.parquet"))
    encodes = pl.concat([pl.read_parquet(f) for f in files if "preset" in pl.read_parquet_schema(f)])
    rows = pl.concat([pl.read_parquet(f) for f in files if "adm2" in pl.read_parquet_schema(f)])
    joined = rows.join(encodes.select("cell", "source", "encoder", "preset", "quality"), on="cell")
    return joined.select(
        "source", "encoder", "preset", pl.col("quality").alias("cq"), pl.col("frame").alias("frame_index"), "vmaf",
        *CANONICAL6,
    )  # fmt: skip


@pytest.fixture
def written(frames, tmp_path):
    def write(table=None, name="table.parquet"):
        chosen = frames if table is None else table
        path = tmp_path / name
        chosen.write_parquet(path) if path.suffix == ".parquet" else chosen.write_ndjson(path)
        return path

    return write


@pytest.fixture
def predict(served, call):
    return lambda path, *more: call("predict", "--features", path, "--registry", served.registry, *more)


@pytest.mark.parametrize("name", ["table.parquet", "table.jsonl", "no_suffix"])
def test_every_row_is_scored_as_its_own_encode(predict, written, frames, champion, name):
    outcome = predict(written(name=name), "--json", "--frames")
    assert outcome.code == 0, outcome.err
    rows = [line for line in outcome.lines if line["type"] == "row"]
    assert [line["row"] for line in rows] == list(range(frames.height))
    presets = {"ultrafast": 0.0, "10": 3 / 13}
    for (encoder, preset, cq), part in frames.with_row_index().group_by("encoder", "preset", "cq"):
        quality = 1 - cq / 51 if encoder == "libx264" else 1 - (cq - 1) / 62
        wanted = champion(part.select(CANONICAL6).to_numpy(), encoder, presets[preset], quality)
        found = [rows[index]["predicted"] for index in part["index"]]
        assert found == pytest.approx(wanted.tolist(), abs=2e-3)
    table = outcome.lines[-1]
    errors = np.array([row["predicted"] - row["measured"] for row in rows])
    assert (table["type"], table["rows"], table["outside"]) == ("table", frames.height, 0)
    assert table["rmse"] == pytest.approx(np.sqrt((errors**2).mean()), abs=1e-6)
    assert table["predicted"] == pytest.approx(np.mean([row["predicted"] for row in rows]), abs=1e-4)
    sources = {line["source"]: line["rows"] for line in outcome.lines if line["type"] == "source"}
    assert sources == dict(frames.group_by("source").len().iter_rows())


def test_libvmaf_s_names_and_no_encoder(predict, written, frames, champion):
    bare = frames.select(pl.col(name).alias(f"integer_{name}") for name in CANONICAL6)
    outcome = predict(written(bare), "--json", "--frames")
    assert outcome.code == 0, outcome.err
    rows = [line["predicted"] for line in outcome.lines if line["type"] == "row"]
    assert rows == pytest.approx(champion(frames.select(CANONICAL6).to_numpy()).tolist(), abs=1e-3)
    assert outcome.lines[-1]["measured"] is None
    assert outcome.lines[-1]["rmse"] is None
    assert not [line for line in outcome.lines if line["type"] == "source"]


def test_an_encoder_that_nobody_knows_is_scored_as_unknown_and_said(predict, written, frames, champion):
    odd = frames.with_columns(pl.lit("quantumcodec").alias("encoder"))
    outcome = predict(written(odd), "--json", "--frames")
    assert outcome.code == 0
    rows = [line["predicted"] for line in outcome.lines if line["type"] == "row"]
    assert rows == pytest.approx(champion(frames.select(CANONICAL6).to_numpy()).tolist(), abs=1e-3)
    said = " ".join(outcome.lines[-1]["warnings"])
    assert "no encoder is called quantumcodec" in said
    assert f"{frames.height} of {frames.height} rows" in said
    assert "quantumcodec" in outcome.err


def test_an_encoder_of_an_older_vocabulary_is_scored_as_unknown_with_a_warning(predict, written, frames):
    old = frames.with_columns(encoder=pl.lit("vp9"), preset=pl.lit("2"), cq=pl.lit(40))
    outcome = predict(written(old), "--json")
    assert outcome.code == 0
    [line] = [line for line in outcome.lines if line["type"] == "table"]
    assert any("does not hold the encoder libvpx-vp9" in each for each in line["warnings"])
    assert line["outside"] == frames.height


def test_a_preset_that_is_not_stated_is_the_middle_and_said(predict, written, frames, champion):
    one = frames.filter(encoder="libx264", cq=20)
    outcome = predict(written(one.drop("preset")), "--json", "--frames")
    rows = [line["predicted"] for line in outcome.lines if line["type"] == "row"]
    wanted = champion(one.select(CANONICAL6).to_numpy(), "libx264", 0.5, 1 - 20 / 51)
    assert rows == pytest.approx(wanted.tolist(), abs=1e-3)
    assert "do not state their preset" in " ".join(outcome.lines[-1]["warnings"])


@pytest.mark.parametrize("name", ["out.parquet", "out.jsonl"])
def test_predictions_can_be_written(predict, written, tmp_path, frames, name):
    outcome = predict(written(), "--json", "--frames", "--out", name)
    assert outcome.code == 0, outcome.err
    path = tmp_path / name
    found = pl.read_parquet(path) if name.endswith("parquet") else pl.read_ndjson(path)
    rows = [line["predicted"] for line in outcome.lines if line["type"] == "row"]
    assert found["predicted"].to_list() == pytest.approx(rows, abs=1e-5)
    assert found["source"].to_list() == frames["source"].to_list()
    assert outcome.lines[-1]["output"] == name


def test_people_get_a_table(predict, written):
    outcome = predict(written())
    assert outcome.code == 0
    assert "all rows" in outcome.out
    assert "meadow" not in outcome.out  # sources, not their groups
    assert "alpha" in outcome.out


def test_a_torn_last_line_is_left_out_and_named(predict, written, frames):
    path = written(name="table.jsonl")
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    outcome = predict(path, "--json")
    assert outcome.code == 0
    assert outcome.lines[-1]["rows"] == frames.height - 1
    offset = whole[:-1].rfind(b"\n") + 1
    assert f"torn line at byte {offset}" in outcome.lines[-1]["warnings"][0]


def test_a_table_without_rows_is_scored_too(predict, written, frames):
    outcome = predict(written(frames.head(0)), "--json")
    assert outcome.code == 0, outcome.err
    assert (outcome.lines[-1]["rows"], outcome.lines[-1]["predicted"]) == (0, None)


@pytest.mark.parametrize(
    ("change", "code", "word"),
    [
        (lambda t: t.drop("motion2"), 1, "lacks the features motion2 (or integer_motion2)"),
        (lambda t: t.with_columns(adm2=pl.lit(float("nan"))), 1, "adm2 is not a finite number in row 0"),
        (lambda t: t.with_columns(adm2=pl.when(pl.int_range(pl.len()) == 3).then(None).otherwise("adm2")), 1, "row 3"),
        (lambda t: t.with_columns(adm2=pl.lit("x")), 1, "other than numbers"),
        (lambda t: t.with_columns(encoder=pl.lit("libx264"), cq=pl.lit(99), preset=pl.lit("fast")), 1, "0 to 51"),
        (lambda t: t.with_columns(encoder=pl.lit("libx264"), preset=pl.lit("p7")), 1, "ultrafast"),
    ],
)
def test_a_table_that_cannot_be_scored_is_one_line(predict, written, frames, tmp_path, change, code, word):
    path = written(change(frames))
    outcome = predict(path, "--out", "out.parquet", "--json")
    assert outcome.code == code
    [line] = outcome.lines
    assert word in line["message"]
    assert str(path) in line["message"]
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"PAR1 and nothing", "cannot be read as a table"),
        (b'{"adm2": 1}\nnonsense\n{"adm2": 2}\n', "line 2 is no JSON object"),
        (b'{"adm2": "high"}\n', "another type"),
        (b"[1]\n", "line 1 is no JSON object"),
        (b"", "lacks the features"),
    ],
)
def test_a_file_that_is_no_table_is_one_line(predict, tmp_path, content, word):
    path = tmp_path / "broken"
    path.write_bytes(content)
    outcome = predict(path, "--json")
    assert outcome.code == 1
    assert word in outcome.lines[-1]["message"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((), "--features"),
        (("one.mkv",), "--features"),
        (("--features", "t", "a.mkv", "b.mkv"), "no videos"),
        (("--features", "t", "--encoder", "x264"), "no --encoder"),
        (("a.mkv", "b.mkv", "--out", "o.parquet"), "--out goes with --features"),
        (("--features", "t", "--out", "o.csv"), ".parquet"),
        (("--features", "absent.parquet"), "cannot read"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(served, call, arguments, word):
    outcome = call("predict", *arguments, "--registry", served.registry)
    assert outcome.code == 2
    assert word in outcome.err


# ---- a foreign model in place of the champion


@pytest.fixture
def their_model(tmp_path):
    """A linear model with a 12-slot codec input, its scaler in the sidecar and its quality as crf/63."""
    slots = ["libx264", "libx265", "libsvtav1", "libvvenc", "libvpx-vp9", "h264_nvenc", "hevc_nvenc", "av1_nvenc",
             "h264_qsv", "hevc_qsv", "av1_qsv", "unknown"]  # fmt: skip
    rng = np.random.default_rng(3)
    w, v = rng.normal(size=(6, 1)).astype(np.float32), rng.normal(size=(14, 1)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["features", "w"], ["a"]),
            helper.make_node("MatMul", ["codec", "v"], ["b"]),
            helper.make_node("Add", ["a", "b"], ["ab"]),
            helper.make_node("Add", ["ab", "c"], ["score"]),
        ],
        "theirs",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", 6]),
         helper.make_tensor_value_info("codec", TensorProto.FLOAT, ["N", 14])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N", 1])],
        [numpy_helper.from_array(value, name) for value, name in ((w, "w"), (v, "v"), (np.float32(50), "c"))],
    )  # fmt: skip
    path = tmp_path / "theirs.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    sidecar = {
        "id": "theirs", "onnx": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "input_names": ["features", "codec"], "output_names": ["score"], "feature_order": CANONICAL6,
        "feature_mean": [0.5] * 6, "feature_std": [2.0] * 6, "encoder_vocab": slots, "encoder_vocab_version": 2,
        "corpus": {"cq_min": 20, "cq_max": 62}, "preset_norm": 0.5,
    }  # fmt: skip
    path.with_suffix(".json").write_text(json.dumps(sidecar))

    def score(features, encoder, cq):
        block = [float(slot == encoder) for slot in slots] + [0.5, (cq - 20) / 42]
        return 50 + (((features - 0.5) / 2) @ w)[:, 0] + float(np.array(block) @ v[:, 0])

    return path, score


def test_a_foreign_model_scores_a_table(call, written, frames, their_model):
    path, score = their_model
    outcome = call("predict", "--features", written(), "--model", path, "--json", "--frames")
    assert outcome.code == 0, outcome.err
    rows = [line["predicted"] for line in outcome.lines if line["type"] == "row"]
    for (encoder, cq), part in frames.with_row_index().group_by("encoder", "cq"):
        wanted = score(part.select(CANONICAL6).to_numpy(), encoder, cq)
        assert [rows[index] for index in part["index"]] == pytest.approx(wanted.tolist(), abs=1e-3)
    line = outcome.lines[-1]
    assert (line["model"], line["origin"]) == ("theirs", str(path))
    assert line["warnings"] == ["theirs does not name its teacher; vmaf_v0.6.1 is assumed"]


def test_a_foreign_model_scores_a_video(call, served, their_model, raw_scores):
    path, score = their_model
    source = served.clips / "alpha.mkv"
    logged = ("integer_adm2", *(f"integer_vif_scale{n}" for n in range(4)), "integer_motion2")
    metrics = [frame["metrics"] for frame in raw_scores(source, source)["frames"]]
    features = np.array([[frame[name] for name in logged] for frame in metrics])
    arguments = ("--model", path, "--encoder", "aom", "--quality", "30", "--json")
    outcome = call("predict", source, source, *arguments)
    assert outcome.code == 0, outcome.err
    assert outcome.lines[-1]["predicted"] == pytest.approx(score(features, "unknown", 30).mean(), abs=1e-3)
    assert any("does not hold the encoder libaom-av1" in each for each in outcome.lines[-1]["warnings"])


def test_a_changed_foreign_model_is_an_integrity_error(call, written, their_model):
    path, _ = their_model
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    outcome = call("predict", "--features", written(), "--model", path)
    assert outcome.code == 4
    assert outcome.out == ""


def test_the_hashes_of_a_registry_beside_the_model_count_too(call, written, their_model):
    path, _ = their_model
    row = {"id": "theirs", "onnx": path.name, "sha256": "0" * 64}
    (path.parent / "registry.json").write_text(json.dumps({"schema_version": 1, "models": [row]}))
    assert call("predict", "--features", written(), "--model", path).code == 4
    row["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (path.parent / "registry.json").write_text(json.dumps({"schema_version": 1, "models": [row]}))
    assert call("predict", "--features", written(), "--model", path).code == 0


def test_a_foreign_registry_serves_its_models_by_id(call, written, their_model):
    path, _ = their_model
    row = {"id": "theirs_v1", "kind": "fr", "onnx": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    document = path.parent / "registry.json"
    document.write_text(json.dumps({"schema_version": 1, "models": [row]}))
    arguments = ("predict", "--features", written(), "--registry", path.parent, "--json", "--recipe")
    by_id = call(*arguments, "theirs_v1")
    assert by_id.code == 0, by_id.err
    by_file = call("predict", "--features", written(), "--model", path, "--json")
    assert by_id.lines[-1]["predicted"] == by_file.lines[-1]["predicted"]
    assert (by_id.lines[-1]["model"], by_id.lines[-1]["origin"]) == ("theirs_v1", str(path.parent))
    absent = call(*arguments, "another")
    assert absent.code == 2
    assert "it lists theirs_v1" in absent.lines[-1]["message"]
    document.write_text(json.dumps({"models": [row | {"onnx": f"../{path.name}"}]}))
    assert call(*arguments, "theirs_v1").code == 2
    document.write_text(json.dumps({"models": [row | {"sha256": "0" * 64}]}))
    assert call(*arguments, "theirs_v1").code == 4
    document.write_text("{}")
    assert call(*arguments, "theirs_v1").code == 1


@pytest.mark.parametrize("name", ["full.parquet", "full.jsonl"])
def test_a_place_that_takes_no_file_is_no_bug(predict, written, tmp_path, monkeypatch, name):
    def refuse(*_arguments, **_options):
        raise FileNotFoundError("No such file or directory (os error 2)")  # polars gives no errno

    table = written()
    monkeypatch.setattr(pl.DataFrame, "write_parquet", refuse)
    monkeypatch.setattr(pl.DataFrame, "write_ndjson", refuse)
    outcome = predict(table, "--out", tmp_path / name)
    assert outcome.code == 1
    assert f"cannot write {tmp_path / name}: No such file or directory" in outcome.err
    assert "bug" not in outcome.err
    assert [path.name for path in tmp_path.iterdir()] == ["table.parquet"]
