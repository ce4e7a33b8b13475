from __future__ import annotations

import json
import re

import pytest
from pydantic import ValidationError

from vmafcast.common.errors import DataError, OutputError, RequestError
from vmafcast.common.provenance import RunRecord
from vmafcast.evaluation.gates import FrScores, judge_ensemble, judge_fr_v1, judge_fr_v3
from vmafcast.evaluation.thresholds import FrEnsembleThresholds, FrV1Thresholds, FrV3Thresholds
from vmafcast.evaluation.verdict import Verdict, VerdictCorpus, read_verdict, verdict_of, write_verdict

SHA = "ab" * 32
PUBLISHED = dict(enumerate([0.9975056856587572, 0.9971592269106849, 0.9978134265425399]))
CONTRACT_KEYS = {
    "schema_version",
    "verdict",
    "generated_at_utc",
    "loso_dir",
    "seeds",
    "gate",
    "corpus",
    "recommendation",
}
CONTRACT_GATE_KEYS = {
    "passed",
    "mean_plcc",
    "mean_plcc_threshold",
    "mean_plcc_pass",
    "plcc_spread",
    "plcc_spread_max",
    "plcc_spread_pass",
    "per_seed_plccs",
    "per_seed_min",
    "per_seed_pass",
    "failing_seeds",
}


def ensemble(per_seed, thresholds=None):
    thresholds = thresholds or FrEnsembleThresholds()
    return verdict_of(
        judge_ensemble(per_seed, thresholds),
        thresholds,
        recipe="fr_regressor_v2_ensemble",
        onnx_sha256=SHA,
        loso_dir="runs/ensemble",
        per_seed=per_seed,
        corpus=VerdictCorpus(present=True, sha256=SHA, rows=5640),
        generated_at_utc="2026-05-06T11:10:09Z",
    )


def v3(thresholds=None, mean=0.978, champion=None):
    thresholds = thresholds or FrV3Thresholds()
    scores = FrScores(mean, 0.948, {"Tennis": 0.97, "FoxBird": 0.86}, {"Tennis": 4.0, "FoxBird": 5.0})
    return verdict_of(
        judge_fr_v3(scores, champion, thresholds),
        thresholds,
        recipe="fr_regressor_v3",
        onnx_sha256=SHA,
        loso_dir="runs/v3",
        per_seed={0: mean},
        corpus=VerdictCorpus(present=False),
    )


def test_the_file_has_exactly_the_keys_of_the_contract_and_ours(tmp_path):
    content = json.loads(write_verdict(tmp_path, ensemble(PUBLISHED)).read_text())
    ours = {"gate_name", "outcome", "recipe", "onnx_sha256", "criteria", "overrides", "run_provenance"}
    assert set(content) == CONTRACT_KEYS | ours
    assert set(content["gate"]) == CONTRACT_GATE_KEYS
    assert {"present", "sha256"} <= set(content["corpus"])


def test_a_passing_ensemble_promotes(tmp_path):
    path = write_verdict(tmp_path, ensemble(PUBLISHED))
    assert path.name == "PROMOTE.json"
    content = json.loads(path.read_text())
    assert content["verdict"] == "PROMOTE"
    assert content["seeds"] == [0, 1, 2]
    gate = content["gate"]
    assert gate["passed"] is True
    assert gate["per_seed_plccs"] == {str(seed): plcc for seed, plcc in PUBLISHED.items()}
    assert gate["plcc_spread"] == pytest.approx(0.000654199535855)
    assert (gate["mean_plcc_threshold"], gate["plcc_spread_max"], gate["per_seed_min"]) == (0.95, 0.005, 0.95)
    assert gate["failing_seeds"] == []


def test_a_failing_ensemble_holds_and_names_its_seeds(tmp_path):
    path = write_verdict(tmp_path, ensemble({0: 0.99, 1: 0.94, 2: None}))
    assert path.name == "HOLD.json"
    gate = json.loads(path.read_text())["gate"]
    assert gate["failing_seeds"] == [1, 2]
    assert gate["per_seed_plccs"]["2"] is None
    assert (gate["passed"], gate["mean_plcc_pass"], gate["plcc_spread_pass"]) == (False, False, False)


def test_a_hold_tells_what_failed_and_what_to_do():
    text = ensemble({0: 0.99, 1: 0.94}).recommendation
    assert text.startswith("keep the champion of fr_regressor_v2_ensemble")
    assert "per_seed_plcc" in text


def test_fr_v3_keeps_its_criteria_with_figure_and_bound(tmp_path):
    content = json.loads(write_verdict(tmp_path, v3()).read_text())
    by_name = {criterion["name"]: criterion for criterion in content["criteria"]}
    assert by_name["lift"]["value"] == 0.03
    assert by_name["per_source_plcc"]["value"] == 0.86
    assert by_name["rmse_ratio"]["status"] == "not-measurable"
    assert by_name["rmse_ratio"]["comparison"] == "<="
    # One seed has a spread of nothing; the gate does not judge by it, so it has no bound and no answer.
    assert content["gate"]["plcc_spread_max"] is None
    assert content["gate"]["plcc_spread_pass"] is None


def test_fr_v1_has_a_verdict_too():
    thresholds = FrV1Thresholds()
    verdict = verdict_of(
        judge_fr_v1(FrScores(0.9982), thresholds),
        thresholds,
        recipe="fr_regressor_v1",
        onnx_sha256=None,
        loso_dir="runs/v1",
        per_seed={0: 0.9982},
        corpus=VerdictCorpus(present=True),
    )
    assert verdict.promotes
    assert verdict.gate.mean_plcc == 0.9982


def test_what_could_not_be_measured_holds():
    verdict = ensemble({0: 0.99})
    assert (verdict.verdict, verdict.outcome) == ("HOLD", "not-measurable")


def test_an_override_is_recorded_in_the_verdict(tmp_path):
    content = json.loads(write_verdict(tmp_path, v3(FrV3Thresholds(mean_plcc=0.9), mean=0.94)).read_text())
    assert content["overrides"] == {"mean_plcc": {"default": 0.95, "used": 0.9}}
    assert json.loads(write_verdict(tmp_path, v3()).read_text())["overrides"] == {}


def test_the_stale_word_is_removed(tmp_path):
    write_verdict(tmp_path, v3())
    write_verdict(tmp_path, v3(mean=0.5))
    assert [path.name for path in tmp_path.iterdir()] == ["HOLD.json"]
    write_verdict(tmp_path, v3())
    assert [path.name for path in tmp_path.iterdir()] == ["PROMOTE.json"]


def test_a_stale_word_that_cannot_be_removed_leaves_no_second_word(tmp_path):
    (tmp_path / "PROMOTE.json").mkdir()
    with pytest.raises(OutputError, match=r"PROMOTE\.json"):
        write_verdict(tmp_path, v3(mean=0.5))
    assert not (tmp_path / "HOLD.json").exists()


def test_a_verdict_is_read_back_as_it_was_written(tmp_path):
    record = RunRecord("test", {"gate": "fr-v3"})
    thresholds = FrV3Thresholds()
    verdict = v3(thresholds).model_copy(update={"run_provenance": record.finish()})
    write_verdict(tmp_path, verdict)
    assert read_verdict(tmp_path) == verdict


def test_the_time_is_utc():
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", v3().generated_at_utc)


def test_reading_without_a_verdict_or_with_both_is_refused(tmp_path):
    with pytest.raises(RequestError, match="neither"):
        read_verdict(tmp_path)
    write_verdict(tmp_path, v3())
    (tmp_path / "HOLD.json").write_text("{}")
    with pytest.raises(DataError, match="both"):
        read_verdict(tmp_path)


def test_a_renamed_hold_is_no_promote(tmp_path):
    write_verdict(tmp_path, v3(mean=0.5)).rename(tmp_path / "PROMOTE.json")
    with pytest.raises(DataError, match="says HOLD"):
        read_verdict(tmp_path)


@pytest.mark.parametrize(
    "edit",
    [
        lambda content: content.update(verdict="PROMOTE"),
        lambda content: (content.update(verdict="PROMOTE"), content["gate"].update(passed=True)),
        lambda content: (
            content.update(verdict="PROMOTE", outcome="pass"),
            content["gate"].update(passed=True),
        ),
        lambda content: (
            content.update(verdict="PROMOTE", outcome="pass"),
            content["gate"].update(passed=True),
            [criterion.update(status="pass") for criterion in content["criteria"]],
        ),
        lambda content: content.update(verdict="PROMOTE", outcome="pass", criteria=[]),
    ],
)
def test_a_hold_that_was_edited_into_a_promote_is_refused(tmp_path, edit):
    content = json.loads(write_verdict(tmp_path, v3(mean=0.5)).read_text())
    edit(content)
    with pytest.raises(ValidationError):
        Verdict.model_validate(content)


def test_the_same_judgement_gives_the_same_bytes(tmp_path):
    first = write_verdict(tmp_path / "a", ensemble(PUBLISHED)).read_bytes()
    assert write_verdict(tmp_path / "b", ensemble(PUBLISHED)).read_bytes() == first
