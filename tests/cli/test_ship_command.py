"""``vmafcast ship``: a pass makes a champion, anything else changes nothing but the verdict in the candidate folder."""

from __future__ import annotations

import json
import shutil

import pytest

RECIPE = "fr_regressor_v3"


@pytest.fixture
def place(tmp_path):
    """Return a function that copies a candidate to where a test may change it."""

    def copy(candidate):
        target = tmp_path / candidate.name
        return shutil.copytree(candidate, target, ignore=shutil.ignore_patterns("PROMOTE.json", "HOLD.json"))

    return copy


def criteria(verdict):
    return {each["name"]: each for each in verdict["criteria"]}


def test_a_pass_makes_a_champion(served):
    verdict, champion = served.said["ship"].lines
    assert (verdict["type"], verdict["verdict"], verdict["outcome"]) == ("verdict", "PROMOTE", "pass")
    assert champion["recipe"] == RECIPE
    written = json.loads((served.candidate / "PROMOTE.json").read_text())
    assert {key: verdict[key] for key in ("gate", "criteria", "recommendation")} == {
        key: written[key] for key in ("gate", "criteria", "recommendation")
    }
    assert not (served.candidate / "HOLD.json").exists()
    document = json.loads((served.registry / "registry.json").read_text())
    [model] = document["models"]
    assert (model["id"], model["status"]) == (champion["model"], "champion")
    kept = served.registry / model["onnx"]
    assert kept.read_bytes() == (served.candidate / "model.onnx").read_bytes()


def test_the_verdict_is_on_the_scores_of_the_report(served):
    verdict, _ = served.said["ship"].lines
    report = json.loads((served.candidate / "loso_seed0.json").read_text())
    found = criteria(verdict)
    assert found["mean_plcc"]["value"] == report["mean_plcc"]
    assert found["lift"]["value"] == pytest.approx(report["mean_plcc"] - report["blind_mean_plcc"], abs=1e-12)
    assert found["per_source_plcc"]["value"] == min(fold["plcc"] for fold in report["folds"])
    assert found["rmse_ratio"]["status"] == "not-measurable"
    assert {key: verdict["corpus"][key] for key in report["corpus"]} == report["corpus"]


def test_a_hold_changes_nothing_in_the_registry(weak, registry, place, vmafcast, tree):
    before = tree(registry)
    candidate = place(weak)
    outcome = vmafcast("ship", candidate, "--registry", "registry", "--json")
    assert outcome.code == 3
    verdict, error = outcome.lines
    assert (verdict["verdict"], error["type"], error["exit_code"]) == ("HOLD", "error", 3)
    assert "mean_plcc" in error["message"]
    assert json.loads((candidate / "HOLD.json").read_text())["verdict"] == "HOLD"
    assert not (candidate / "PROMOTE.json").exists()
    assert tree(registry) == before


def test_a_hold_makes_no_registry(weak, place, vmafcast, tmp_path):
    outcome = vmafcast("ship", place(weak), "--registry", "nowhere")
    assert outcome.code == 3
    assert "HOLD" in outcome.out
    assert not (tmp_path / "nowhere").exists()


def test_a_smoke_model_is_refused_whatever_its_scores(train_here, registry, place, vmafcast, tree):
    before = tree(registry)
    candidate = place(train_here("smoke", smoke=True, frame_stride=8))
    outcome = vmafcast("ship", candidate, "--registry", "registry")
    assert outcome.code == 3
    assert "smoke" in outcome.err
    assert not (candidate / "PROMOTE.json").exists()
    assert tree(registry) == before


def test_a_better_or_equal_one_is_held_against_the_champion_source_by_source(
    served, better, registry, place, vmafcast, tree
):
    first = served.said["ship"].lines[1]["model"]
    outcome = vmafcast("ship", place(better), "--registry", "registry", "--json")
    assert outcome.code == 0, outcome.err
    verdict, champion = outcome.lines
    old, new = (
        {fold["held_out"]: fold["rmse"] for fold in json.loads(path.read_text())["folds"]}
        for path in (served.candidate / "loso_seed0.json", better / "loso_seed0.json")
    )
    ratio = criteria(verdict)["rmse_ratio"]
    assert ratio["status"] == "pass"
    assert ratio["value"] < 1
    assert ratio["value"] == pytest.approx(max(new[group] / old[group] for group in old), rel=1e-9)
    second = champion["model"]
    assert second != first

    history = vmafcast("registry", "history", RECIPE, "--registry", "registry", "--json")
    assert [(line["event"], line["model"]) for line in history.lines] == [
        ("register", first),
        ("promote", first),
        ("register", second),
        ("promote", second),
    ]
    back = vmafcast(
        "registry", "rollback", RECIPE, "--reason", "it [red]misbehaves[/]", "--registry", "registry", "--json"
    )
    assert (back.code, back.lines) == (0, [{"type": "champion", "recipe": RECIPE, "model": first}])
    listed = vmafcast("registry", "list", "--registry", "registry", "--json")
    assert {line["id"]: line["status"] for line in listed.lines} == {first: "champion", second: "registered"}
    shown = vmafcast("registry", "history", "--registry", "registry")
    assert "it [red]misbehaves[/]" in shown.out
    before = tree(registry)
    refused = vmafcast("registry", "rollback", RECIPE, "--reason", "again", "--registry", "registry")
    assert refused.code == 2
    assert "first champion" in refused.err
    assert tree(registry) == before


def test_one_that_is_much_worse_on_a_single_source_is_held(served, worse, registry, place, vmafcast, tree):
    before = tree(registry)
    outcome = vmafcast("ship", place(worse), "--registry", "registry", "--json")
    assert outcome.code == 3
    found = criteria(outcome.lines[0])
    assert {name: each["status"] for name, each in found.items()} == {
        "mean_plcc": "pass",
        "lift": "not-measurable",
        "per_source_plcc": "pass",
        "rmse_ratio": "fail",
    }
    assert any(f"{group} (" in outcome.lines[1]["message"] for group in served.groups.values())
    assert tree(registry) == before


def test_shipping_the_champion_again_changes_no_model(served, registry, place, vmafcast):
    outcome = vmafcast("ship", place(served.candidate), "--registry", "registry", "--json")
    assert outcome.code == 0
    assert criteria(outcome.lines[0])["rmse_ratio"]["value"] == 1.0
    assert outcome.lines[1] == served.said["ship"].lines[1]
    assert len(list((registry / "models").iterdir())) == 1


def test_a_candidate_that_is_none_makes_no_registry(vmafcast, tmp_path):
    outcome = vmafcast("ship", "nowhere", "--registry", "registry")
    assert outcome.code == 2
    assert "nowhere is no folder" in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_is_not_that_of_its_sidecar_is_an_integrity_error(served, place, vmafcast, tmp_path):
    candidate = place(served.candidate)
    content = bytearray((candidate / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (candidate / "model.onnx").write_bytes(content)
    outcome = vmafcast("ship", candidate, "--registry", "registry")
    assert outcome.code == 4
    assert "model.onnx" in outcome.err
    assert not (tmp_path / "registry").exists()
