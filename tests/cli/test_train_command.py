"""``vmafcast train``: the candidate folder, its scores, and where they came from."""

from __future__ import annotations

import hashlib
import json
import socket

import numpy as np
import polars as pl
import pytest
from scipy import stats

RECIPE = "fr_regressor_v3"


@pytest.fixture
def report(trained):
    return json.loads((trained.candidate / "loso_seed0.json").read_text())


def test_the_candidate_is_complete(trained):
    names = {path.relative_to(trained.candidate).as_posix() for path in trained.candidate.rglob("*") if path.is_file()}
    assert {"model.onnx", "model.json", "loso_seed0.json", "held_out/predictions.parquet"} <= names
    assert not [path for path in trained.folder.iterdir() if path.name.startswith((".", "vmafcast-work"))]
    done = trained.said["train"].done
    assert done["candidate"] == "candidate"
    assert 0 <= done["round_trip_error"] < 1e-2


def test_the_sidecar_is_that_of_the_file(trained):
    sidecar = json.loads((trained.candidate / "model.json").read_text())
    assert sidecar["sha256"] == hashlib.sha256((trained.candidate / "model.onnx").read_bytes()).hexdigest()
    assert sidecar["onnx"] == "model.onnx"
    assert sidecar["trained_slots"] == ["libx264", "libsvtav1"]
    assert sidecar["training"]["source_group_names"] == sorted(trained.groups.values())
    assert sidecar["training"]["dataset"] == "corpus"


def test_the_report_has_the_keys_of_its_contract(report, trained):
    assert report["seed"] == 0
    assert {"path", "sha256", "rows", "source_groups"} <= report["corpus"].keys()
    assert (report["corpus"]["rows"], report["corpus"]["source_groups"]) == (trained.cells * trained.frames, 3)
    assert (report["n_folds"], len(report["folds"])) == (3, 3)
    for fold in report["folds"]:
        assert {"held_out", "n_train", "n_val", "plcc", "srocc", "rmse"} <= fold.keys()
    assert {fold["held_out"] for fold in report["folds"]} == set(trained.groups.values())
    means = {"mean_plcc", "std_plcc", "min_plcc", "max_plcc", "mean_srocc", "mean_rmse"}
    settings = {
        "epochs",
        "batch_size",
        "lr",
        "weight_decay",
        "num_codecs",
        "encoder_vocab_version",
        "wall_time_s",
        "recipe",
    }
    assert means | settings <= report.keys()
    assert (report["num_codecs"], report["encoder_vocab_version"]) == (18, 3)
    assert (report["recipe"]["name"], report["recipe"]["frame_stride"]) == (RECIPE, 2)


def test_the_scores_follow_from_the_held_out_predictions(trained, report):
    table = pl.read_parquet(trained.candidate / "held_out" / "predictions.parquet")
    assert table.height == trained.cells * trained.frames
    plccs, rmses, sroccs = [], [], []
    for fold in report["folds"]:
        rows = table.filter(pl.col("source_group") == fold["held_out"])
        measured, predicted = (rows[name].to_numpy().astype(np.float64) for name in ("vmaf", "seed0"))
        assert fold["n_val"] == rows.height
        plccs.append(stats.pearsonr(predicted, measured).statistic)
        sroccs.append(stats.spearmanr(predicted, measured).statistic)
        rmses.append(float(np.sqrt(np.mean((predicted - measured) ** 2))))
        assert (fold["plcc"], fold["srocc"]) == pytest.approx((plccs[-1], sroccs[-1]), abs=1e-6)
        assert fold["rmse"] == pytest.approx(rmses[-1], rel=1e-5)
    assert report["mean_plcc"] == pytest.approx(np.mean(plccs), abs=1e-6)
    assert report["std_plcc"] == pytest.approx(np.std(plccs, ddof=1), abs=1e-6)
    assert (report["min_plcc"], report["max_plcc"]) == pytest.approx((min(plccs), max(plccs)), abs=1e-6)
    assert report["mean_srocc"] == pytest.approx(np.mean(sroccs), abs=1e-6)
    assert report["mean_rmse"] == pytest.approx(np.mean(rmses), rel=1e-5)


def test_held_out_predictions_say_which_frame_of_which_encode_they_are_of(trained):
    table = pl.read_parquet(trained.candidate / "held_out" / "predictions.parquet")
    assert table.columns == [
        "source", "source_group", "encoder", "preset", "quality", "preset_norm", "crf_norm", "cell", "frame_index",
        "vmaf", "seed0", "untold_seed0",
    ]  # fmt: skip
    assert table["cell"].n_unique() == trained.cells
    assert table.group_by("cell").agg(pl.col("frame_index").sort())["frame_index"].to_list() == [
        list(range(trained.frames))
    ] * (trained.cells)


def test_the_targets_are_the_corpus_s_own(trained):
    table = pl.read_parquet(trained.candidate / "held_out" / "predictions.parquet")
    frames = pl.read_parquet(trained.corpus / "frames" / "*.parquet")
    assert np.allclose(np.sort(table["vmaf"].to_numpy()), np.sort(frames["vmaf"].to_numpy()), atol=1e-4)


def test_the_provenance_names_every_file_and_no_person_or_machine(trained, report):
    provenance = report["run_provenance"]
    read = {entry["path"]: entry["sha256"] for entry in provenance["inputs"]}
    there = {
        path.relative_to(trained.folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in trained.corpus.rglob("*.parquet")
    }
    assert read == there
    [written] = provenance["outputs"]
    assert written["path"] == "candidate/model.onnx"
    assert written["sha256"] == hashlib.sha256((trained.candidate / "model.onnx").read_bytes()).hexdigest()
    assert provenance["argv"] == [
        "train",
        RECIPE,
        "--corpus",
        "corpus",
        "--out",
        "candidate",
        "--frame-stride",
        "2",
        "--json",
    ]
    assert provenance["host"].keys() == {"system", "machine", "cpus"}
    for path in trained.candidate.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert trained.sentinel.encode() not in content
            assert str(trained.folder).encode() not in content
            assert b'"' + socket.gethostname().encode() + b'"' not in content


def test_another_process_trains_the_same_model(trained, train_here):
    here = train_here("same")
    for name in ("model.onnx", "model.json", "held_out/predictions.parquet"):
        assert (here / name).read_bytes() == (trained.candidate / name).read_bytes(), name


def test_json_lines_are_the_report_and_then_the_end(trained, report):
    loso, comparison, done = trained.said["train"].lines
    assert (loso["type"], comparison["type"], done["type"]) == ("loso", "comparison", "done")
    written = json.loads((trained.candidate / "comparison.json").read_text())
    assert {key: comparison[key] for key in written} == written
    assert written["new"]["mean_plcc"] == report["mean_plcc"]
    assert written["previous"]["origin"].startswith("published")
    assert {key: loso[key] for key in ("seed", "folds", "mean_plcc", "corpus")} == {
        key: report[key] for key in ("seed", "folds", "mean_plcc", "corpus")
    }


def test_nothing_but_an_earlier_candidate_is_ever_replaced(built, run_in, tree):
    said = run_in(built.folder, "train", RECIPE, "--corpus", "corpus", "--out", "clips")
    assert said.code == 2
    assert "clips holds other things" in said.err
    assert set(tree(built.clips)) == {"MANIFEST.csv", *(f"{name}.mkv" for name in built.groups)}


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["fr_regressor_v9", "--corpus", "corpus"], 2, "fr_regressor_v3"),
        ([RECIPE, "--corpus", "corpus", "--seed", "-1"], 2, "--seed"),
        ([RECIPE], 2, "--corpus"),
        ([RECIPE, "--corpus", "a", "--table", "b"], 2, "either --corpus or --table"),
        ([RECIPE, "--table", "nowhere.parquet"], 2, "nowhere.parquet"),
    ],
)
def test_what_cannot_be_meant_leaves_nothing(vmafcast, tmp_path, arguments, code, word):
    said = vmafcast("train", *arguments)
    assert said.code == code
    assert word in said.err
    assert list(tmp_path.iterdir()) == []
