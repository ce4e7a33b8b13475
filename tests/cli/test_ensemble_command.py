"""``vmafcast ensemble`` and ``vmafcast gate``."""

from __future__ import annotations

import json
import shutil

import pytest

RECIPE = "fr_regressor_v3"


@pytest.fixture(scope="session")
def ensembled(built, shared, run_in):
    """The tiny corpus with an ensemble of two seeds in a registry."""
    bounds = [f"--threshold={name}" for name in ("mean_plcc=0.5", "per_seed_plcc=0.5", "plcc_spread=0.5")]
    arguments = (
        "ensemble", RECIPE, "--corpus", "corpus", "--out", "ensemble", "--seeds", 2, "--frame-stride", 2,
        "--registry", "ensemble_registry", "--description", "a try", *bounds, "--json",
    )  # fmt: skip
    said = shared[1]("ensemble", lambda folder: run_in(folder, *arguments, timeout=600))
    assert said.code == 0, said.err
    return built.folder, said


def test_one_command_does_the_whole_run(ensembled):
    folder, said = ensembled
    *reports, verdict, done = said.lines
    assert [line["type"] for line in said.lines] == ["loso", "loso", "verdict", "done"]
    assert [report["seed"] for report in reports] == [0, 1]
    assert (verdict["verdict"], verdict["gate_name"], verdict["seeds"]) == ("PROMOTE", "fr-ensemble", [0, 1])
    assert set(verdict["overrides"]) == {"mean_plcc", "per_seed_plcc", "plcc_spread"}
    assert (done["candidate"], done["model"], done["smoke"]) == ("ensemble", f"{RECIPE}_ensemble", False)
    assert done["conformal_q_residual"] is None  # three source groups cannot give nine in ten
    assert done["eval"]["plcc_spread"] == pytest.approx(abs(reports[0]["mean_plcc"] - reports[1]["mean_plcc"]))
    registry = json.loads((folder / "ensemble_registry" / "registry.json").read_text())
    assert registry["champions"] == {f"{RECIPE}_ensemble": done["champion"]}
    assert [row["kind"] for row in registry["models"]] == ["fr", "fr", "fr_ensemble"]


def test_the_folder_can_be_judged_again_and_tampering_is_found(ensembled, tmp_path, call):
    copy = shutil.copytree(ensembled[0] / "ensemble", tmp_path / "copy")
    said = call("gate", copy, "--threshold", "plcc_spread=0.5", "--threshold", "mean_plcc=0.5", "--threshold",
                "per_seed_plcc=0.5", "--json")  # fmt: skip
    assert said.code == 0
    assert said.lines[0]["onnx_sha256"] == ensembled[1].done["sha256"]
    manifest = json.loads((copy / "model.json").read_text())
    manifest["members"].reverse()
    (copy / "model.json").write_text(json.dumps(manifest))
    said = call("gate", copy)
    assert said.code == 4
    assert "the order was changed" in said.err
    assert call("ship", copy, "--registry", tmp_path / "registry").code == 4


def reports(folder, *plccs):
    for seed, plcc in enumerate(plccs):
        (folder / f"loso_seed{seed}.json").write_text(json.dumps({"seed": seed, "mean_plcc": plcc}))


def test_foreign_reports_pass(call, tmp_path):
    reports(tmp_path, 0.991, 0.992, 0.9915)
    said = call("gate", tmp_path, "--json")
    assert said.code == 0
    assert [line["type"] for line in said.lines] == ["verdict"]
    assert json.loads((tmp_path / "PROMOTE.json").read_text())["gate"]["per_seed_plccs"] == {
        "0": 0.991, "1": 0.992, "2": 0.9915,
    }  # fmt: skip


def test_a_perturbed_seed_is_held_by_name(call, tmp_path):
    reports(tmp_path, 0.991, 0.992, 0.971, 0.9915)
    said = call("gate", tmp_path)
    assert said.code == 3
    assert "seed 2 is the farthest from the median" in said.err
    assert "seed 2" in said.out
    assert (tmp_path / "HOLD.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["gate", "nowhere"], 2, "is no folder"),
        (["gate", ".", "--threshold", "plcc_spread"], 2, "NAME=VALUE"),
        (["gate", ".", "--threshold", "plcc_spread=much"], 2, "NAME=VALUE"),
        (["gate", ".", "--threshold", "colour=1"], 2, "no threshold is named"),
        (["ensemble", "fr_regressor_v9", "--corpus", "corpus"], 2, "fr_regressor_v3"),
        (["ensemble", RECIPE, "--corpus", "corpus", "--seeds", "1"], 2, "--seeds"),
        (["ensemble", RECIPE, "--corpus", "nowhere"], 2, "nowhere"),
    ],
)
def test_what_cannot_be_meant_leaves_nothing(call, tmp_path, arguments, code, word):
    said = call(*arguments)
    assert said.code == code
    assert word in said.err
    assert list(tmp_path.iterdir()) == []


def test_a_prediction_says_how_sure_it_is(ensembled, run_in):
    folder, said = ensembled
    pair = ("clips/alpha.mkv", "clips/alpha.mkv", "--registry", "ensemble_registry")
    told = ("--encoder", "libx264", "--preset", "ultrafast", "--quality", 20)
    found = run_in(folder, "predict", *pair, *told, "--confidence", "0.7", "--frames", "--json")
    assert found.code == 0, found.err
    *frames, clip = found.lines
    interval = clip["interval"]
    assert clip["model"] == said.done["champion"]
    assert (interval["level"], interval["groups"], interval["rule"], interval["cell"]) == (
        "0.7",
        3,
        "hcp-clip",
        "libx264",
    )
    assert interval["lower"] <= clip["predicted"] <= interval["upper"]
    assert interval["bounded"]
    assert interval["guarantee"] == (None if interval["outside_training"] else 0.7)
    assert all(frame["lower"] <= frame["predicted"] <= frame["upper"] for frame in frames)
    shown = run_in(folder, "predict", *pair, *told, "--confidence", "9/10")
    assert shown.code == 0
    assert "unbounded at 0.9 (rule hcp-clip, 3 source groups, libx264)" in shown.out
    assert "that takes 9 source groups, and it was calibrated on 3" in shown.err


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["--confidence", "1.5", "--recipe", "fr_regressor_v3"], 2, "is not a level"),
        (
            ["--confidence", "0.9", "--recipe", "fr_regressor_v4"],
            2,
            "vmafcast ensemble fr_regressor_v4 --corpus CORPUS --registry ",
        ),
        (["--confidence", "0.9", "--model", "ensemble/member_seed0.onnx"], 2, "single model"),
    ],
)
def test_an_interval_that_cannot_be_had_is_refused(ensembled, run_in, arguments, code, word):
    pair = ("clips/alpha.mkv", "clips/alpha.mkv", "--registry", "ensemble_registry")
    found = run_in(ensembled[0], "predict", *pair, *arguments)
    assert found.code == code
    assert word in found.err


def test_a_smoke_run_ends_in_a_hold_and_registers_nothing(built, call, tmp_path):
    said = call("ensemble", RECIPE, "--corpus", built.corpus, "--out", "tried", "--seeds", 2, "--frame-stride", 8,
                "--registry", "registry", "--smoke", "--json")  # fmt: skip
    assert said.code == 3
    assert [line["type"] for line in said.lines] == ["loso", "loso", "verdict", "done", "error"]
    assert (said.done["smoke"], said.done["champion"]) == (True, None)
    assert "a smoke run only tries the machinery" in said.lines[-1]["message"]
    assert json.loads((tmp_path / "tried" / "HOLD.json").read_text())["verdict"] == "HOLD"
    assert [path.name for path in tmp_path.iterdir()] == ["tried"]
