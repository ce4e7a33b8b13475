"""``vmafcast evaluate``: scores without a model, beside baselines; and what a candidate's training found."""

from __future__ import annotations

import json

import pytest

RECIPE = "fr_regressor_v3"


@pytest.fixture(scope="module")
def said(built, run_in):
    """What a run by encoder with every baseline says, and the report it wrote."""
    return run_in(
        built.folder, "evaluate", RECIPE, "--corpus", "corpus", "--by", "encoder", "--baselines", "--frame-stride", "4",
        "--out", "report.json", "--json",
    )  # fmt: skip


def test_the_line_is_the_report(said, built):
    assert said.code == 0, said.err
    [line] = said.lines
    written = json.loads((built.folder / "report.json").read_text())
    provenance = written.pop("run_provenance")
    assert {key: line[key] for key in written} == written
    assert line["type"] == "evaluation"
    assert {entry["path"] for entry in provenance["inputs"]} == {
        path.relative_to(built.folder).as_posix() for path in built.corpus.rglob("*.parquet")
    }
    assert provenance["entrypoint"] == "vmafcast evaluate"


def test_network_twin_and_baselines_stand_on_the_same_folds(said):
    [report] = said.lines
    names = [contender["name"] for contender in report["contenders"]]
    assert names == ["network", "codec-blind", "ridge", "gradient-boosting"]
    folds = [[(f["held_out"], f["n_train"], f["n_val"]) for f in each["folds"]] for each in report["contenders"]]
    assert all(each == folds[0] for each in folds)
    assert report["recipe"]["frame_stride"] == 4


def test_no_model_is_left(said, built):
    assert not (built.folder / "candidates").exists()
    assert not list(built.folder.glob("*.onnx"))


def test_people_get_tables(built, run_in):
    said = run_in(built.folder, "evaluate", "fr_regressor_v1", "--corpus", "corpus", "--frame-stride", "8")
    assert said.code == 0, said.err
    assert "leave one source group out" in said.out
    assert "refresh of 2026-05-20" in said.out
    assert "other rows than these" in said.out


def test_a_candidate_s_own_reports_are_shown(trained, run_in):
    said = run_in(trained.folder, "evaluate", "candidate", "--json")
    [line] = said.lines
    stored = json.loads((trained.candidate / "loso_seed0.json").read_text())
    assert (line["type"], line["folds"]) == ("loso", stored["folds"])
    shown = run_in(trained.folder, "evaluate", "candidate")
    assert "as stored" in shown.out
    assert f"{stored['mean_plcc']:.5f}" in shown.out


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["fr_regressor_v9", "--corpus", "corpus"], 2, "fr_regressor_v3"),
        ([RECIPE], 2, "--corpus"),
        ([RECIPE, "--corpus", "nowhere"], 2, "nowhere"),
        ([RECIPE, "--corpus", "nowhere", "--by", "frame"], 2, "--by"),
        (["."], 1, "loso_seed"),
    ],
)
def test_what_cannot_be_meant_leaves_nothing(vmafcast, tmp_path, arguments, code, word):
    said = vmafcast("evaluate", *arguments)
    assert said.code == code
    assert word in said.err
    assert "Traceback" not in said.err
    assert list(tmp_path.iterdir()) == []
