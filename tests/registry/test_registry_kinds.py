"""Models of other kinds than frame regressors: a recipe key of any name, any number of files, all of them hashed."""

from __future__ import annotations

import json

import pytest

from vmafcast.common.errors import DataError, GateRefused, IntegrityError, RequestError
from vmafcast.common.files import sha256_bytes
from vmafcast.evaluation.gates import PredictorScores, judge_ensemble, judge_predictor
from vmafcast.evaluation.thresholds import FrEnsembleThresholds, PredictorThresholds
from vmafcast.evaluation.verdict import VerdictCorpus, verdict_of
from vmafcast.registry.candidate import read_candidate
from vmafcast.registry.entry import load
from vmafcast.registry.store import Registry
from vmafcast.registry.verify import verify

SEEDS = (0, 1, 2)


def write_model(path, model):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return sha256_bytes(path.read_bytes())


@pytest.fixture
def predictor(tmp_path, make_linear):
    """A function that writes the candidate of an encode predictor, named after its encoder."""

    def write(seed=0, name="predictor_libx264", sidecar_name=None):
        folder = tmp_path / f"{name}-{seed}"
        sha256 = write_model(folder / f"{name}.onnx", make_linear(seed))
        sidecar = {"id": name, "kind": "predictor", "onnx": f"{name}.onnx", "sha256": sha256, "opset": 17}
        sidecar |= {"smoke": False, "licence": "Apache-2.0", "targets": ["vmaf", "kbps"]}
        (folder / (sidecar_name or f"{name}.json")).write_text(json.dumps(sidecar))
        (folder / "report.json").write_text(json.dumps({"codecs": []}))
        return folder

    return write


@pytest.fixture
def ensemble(tmp_path, make_linear):
    """A candidate of kind fr_ensemble: one graph for all, a model file for each seed, and a manifest of them."""
    folder = tmp_path / "ensemble"
    sha256 = write_model(folder / "model.onnx", make_linear(99))
    members = [
        {"id": f"seed{seed}", "onnx": f"seed{seed}.onnx", "seed": seed,
         "sha256": write_model(folder / f"seed{seed}.onnx", make_linear(seed))}
        for seed in SEEDS
    ]  # fmt: skip
    manifest = {"id": "fr_regressor_v3_ensemble", "kind": "fr_ensemble", "onnx": "model.onnx", "sha256": sha256}
    manifest |= {"opset": 17, "smoke": False, "members": members, "ensemble_size": 3, "codec_vocab_version": 3}
    (folder / "model.json").write_text(json.dumps(manifest))
    (folder / "calibration.json").write_text("{}")
    return folder


def verdict_on(candidate, outcome, thresholds):
    return verdict_of(
        outcome, thresholds, recipe=candidate.facts.id, onnx_sha256=candidate.facts.sha256, loso_dir="runs",
        per_seed={}, corpus=VerdictCorpus(present=True), generated_at_utc="2026-01-01T00:00:00Z",
    )  # fmt: skip


def good_predictor(candidate):
    return verdict_on(candidate, judge_predictor(PredictorScores(500, 10, [0.97] * 5)), PredictorThresholds())


def test_a_predictor_is_registered_promoted_and_rolled_back_under_its_own_name(registry, predictor):
    ids = []
    for seed in (1, 2):
        candidate = read_candidate(predictor(seed))
        ids.append(registry.register(candidate, description="x264"))
        registry.promote(ids[-1], good_predictor(candidate))
    entry = registry.champion("predictor_libx264")
    assert (entry.id, entry.row.kind, entry.row.vocab_version) == (ids[1], "predictor", None)
    assert entry.sidecar_path.name == "predictor_libx264.json"
    assert {path.rsplit("/", 1)[1] for path in entry.files} == {
        "predictor_libx264.onnx", "predictor_libx264.json", "report.json", "verdict.json",
    }  # fmt: skip
    assert registry.rollback("predictor_libx264", "misbehaves").id == ids[0]
    assert verify(registry.folder).ok


def test_predictors_of_two_encoders_are_two_recipes(registry, predictor):
    for name in ("predictor_libx264", "predictor_libvpx-vp9"):
        candidate = read_candidate(predictor(name=name))
        registry.promote(registry.register(candidate), good_predictor(candidate))
    assert registry.champion("predictor_libx264").id != registry.champion("predictor_libvpx-vp9").id


def test_a_verdict_on_another_recipe_promotes_nothing(registry, predictor):
    one = read_candidate(predictor(name="predictor_libx264"))
    other = read_candidate(predictor(name="predictor_libx265"))
    with pytest.raises(GateRefused, match="predictor_libx265"):
        registry.promote(registry.register(one), good_predictor(other))


def test_a_held_predictor_is_not_promoted(registry, predictor):
    candidate = read_candidate(predictor())
    outcome = judge_predictor(PredictorScores(500, 4, [0.97] * 4))
    assert outcome.verdict == "insufficient-sources"
    with pytest.raises(GateRefused, match="insufficient-sources"):
        registry.promote(registry.register(candidate), verdict_on(candidate, outcome, PredictorThresholds()))


@pytest.mark.parametrize("name", ["model.json", None])
def test_the_sidecar_may_have_the_model_s_name(predictor, name):
    candidate = read_candidate(predictor(sidecar_name=name))
    assert candidate.sidecar_name == (name or "predictor_libx264.json")


def test_two_sidecars_are_one_too_many(predictor):
    folder = predictor()
    for suffix in (".onnx", ".json"):
        (folder / f"other{suffix}").write_bytes((folder / f"predictor_libx264{suffix}").read_bytes())
    with pytest.raises(RequestError, match="holds 2 sidecars"):
        read_candidate(folder)


def test_an_ensemble_is_registered_with_every_member(registry, ensemble):
    candidate = read_candidate(ensemble)
    assert candidate.members == tuple(f"seed{seed}.onnx" for seed in SEEDS)
    model = registry.register(candidate)
    outcome = judge_ensemble({seed: 0.97 + seed / 1000 for seed in SEEDS})
    registry.promote(model, verdict_on(candidate, outcome, FrEnsembleThresholds()))
    entry = registry.champion("fr_regressor_v3_ensemble")
    assert (entry.row.kind, entry.row.vocab_version) == ("fr_ensemble", 3)
    assert [file.path.rsplit("/", 1)[1] for file in entry.row.members] == list(candidate.members)
    loaded = load(entry)
    assert loaded.members == {name: (ensemble / name).read_bytes() for name in candidate.members}
    assert verify(registry.folder).ok


@pytest.mark.parametrize("name", ["model.onnx", "model.json", "seed1.onnx", "calibration.json"])
def test_one_changed_byte_of_any_file_is_noticed(registry, ensemble, name):
    model = registry.register(read_candidate(ensemble))
    path = registry.folder / "models" / model / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(IntegrityError, match=name):
        load(registry.entry(model))
    report = verify(registry.folder)
    assert [problem.path for problem in report.problems] == [f"models/{model}/{name}"]


def test_the_id_follows_the_members(registry, ensemble, make_linear):
    first = read_candidate(ensemble).model_id
    manifest = json.loads((ensemble / "model.json").read_text())
    manifest["members"][2]["sha256"] = write_model(ensemble / "seed2.onnx", make_linear(7))
    (ensemble / "model.json").write_text(json.dumps(manifest))
    assert read_candidate(ensemble).model_id != first


def test_a_member_that_is_not_what_the_manifest_says_is_refused(ensemble, make_linear):
    write_model(ensemble / "seed2.onnx", make_linear(7))
    with pytest.raises(IntegrityError, match=r"seed2\.onnx"):
        read_candidate(ensemble)
    (ensemble / "seed2.onnx").unlink()
    with pytest.raises(DataError, match=r"names the member seed2\.onnx"):
        read_candidate(ensemble)


def test_a_member_may_live_in_the_ensemble_s_own_graph(ensemble):
    manifest = json.loads((ensemble / "model.json").read_text())
    manifest["members"] = [{"id": "a", "seed": 0}, {"id": "b", "onnx": "model.onnx", "sha256": manifest["sha256"]}]
    (ensemble / "model.json").write_text(json.dumps(manifest))
    assert read_candidate(ensemble).members == ()


def test_a_member_s_name_cannot_leave_the_folder(ensemble):
    manifest = json.loads((ensemble / "model.json").read_text())
    manifest["members"][0]["onnx"] = "../seed0.onnx"
    (ensemble / "model.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=r"members\.0\.onnx"):
        read_candidate(ensemble)


def test_a_file_can_be_added_to_a_candidate_but_not_in_place_of_its_own(registry, ensemble):
    candidate = read_candidate(ensemble)
    carded = candidate.with_file("README.md", b"# card\n")
    assert carded.model_id == candidate.model_id
    model = registry.register(carded)
    assert (registry.folder / "models" / model / "README.md").read_bytes() == b"# card\n"
    assert f"models/{model}/README.md" in registry.entry(model).files
    for name in ("model.onnx", "model.json", "seed0.onnx", "../x"):
        with pytest.raises(RequestError, match="cannot be added"):
            candidate.with_file(name, b"")


# ---- a history that its rendering has overtaken


def test_a_lost_line_end_is_an_integrity_error_on_opening(registry, predictor):
    registry.register(read_candidate(predictor()))
    events = registry.folder / "events.jsonl"
    events.write_bytes(events.read_bytes()[:-1])
    with pytest.raises(IntegrityError, match=r"rendered from 1 events, but events\.jsonl holds 0"):
        Registry.open(registry.folder)
    assert not verify(registry.folder).ok


def test_events_that_were_cut_off_are_an_integrity_error_on_opening(registry, predictor):
    for seed in (0, 1):
        registry.register(read_candidate(predictor(seed)))
    events = registry.folder / "events.jsonl"
    events.write_bytes(events.read_bytes().splitlines(keepends=True)[0])
    with pytest.raises(IntegrityError, match="events were cut off"):
        Registry.open(registry.folder)


@pytest.mark.parametrize("rendering", [None, b"{", "behind"])
def test_a_rendering_that_says_less_hinders_nobody(registry, predictor, rendering):
    path = registry.folder / "registry.json"
    behind = path.read_bytes()
    registry.register(read_candidate(predictor()))
    if rendering is None:
        path.unlink()
    else:
        path.write_bytes(behind if rendering == "behind" else rendering)
    assert len(Registry.open(registry.folder).list()) == 1
