from __future__ import annotations

import hashlib
import json
import re

import pytest

from vmafcast.common.errors import DataError, IntegrityError, RequestError
from vmafcast.registry.candidate import content_id, read_candidate


def edit_sidecar(folder, **changes):
    path = folder / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.fixture
def folder(workshop):
    return workshop.candidate().folder


def test_a_candidate_is_read_with_all_of_its_files(folder):
    candidate = read_candidate(folder)
    assert set(candidate.files) == {"model.onnx", "model.json", "loso_seed0.json"}
    assert candidate.files["model.onnx"] == (folder / "model.onnx").read_bytes()
    assert candidate.external_data == ()
    assert (candidate.facts.id, candidate.facts.kind, candidate.facts.smoke) == ("fr_regressor_v1", "fr", False)


def test_the_id_is_the_recipe_and_the_hash_of_the_bytes(folder):
    parts = (folder / "model.onnx").read_bytes() + (folder / "model.json").read_bytes()
    expected = f"fr_regressor_v1-{hashlib.sha256(parts).hexdigest()[:12]}"
    assert read_candidate(folder).model_id == expected
    assert content_id("fr_regressor_v1", [parts]) == expected


def test_reports_are_no_part_of_the_id(folder):
    before = read_candidate(folder).model_id
    (folder / "loso_seed1.json").write_text("{}")
    assert read_candidate(folder).model_id == before


def test_the_gates_verdict_hidden_files_and_folders_are_passed_over(folder):
    for name in ("PROMOTE.json", "HOLD.json", ".DS_Store"):
        (folder / name).write_text("{}")
    (folder / "checkpoints").mkdir()
    assert set(read_candidate(folder).files) == {"model.onnx", "model.json", "loso_seed0.json"}


def test_a_missing_folder_and_a_folder_without_a_sidecar_are_refused(tmp_path):
    with pytest.raises(RequestError, match="no folder"):
        read_candidate(tmp_path / "absent")
    with pytest.raises(RequestError, match=r"model\.json"):
        read_candidate(tmp_path)


def test_a_model_that_the_sidecar_was_not_written_for_is_refused(folder):
    path = folder / "model.onnx"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(IntegrityError, match=r"model\.onnx"):
        read_candidate(folder)


def test_a_missing_model_is_named(folder):
    (folder / "model.onnx").unlink()
    with pytest.raises(DataError, match=r"model\.onnx"):
        read_candidate(folder)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"sha256": "no"}, "sha256"),
        ({"onnx": "../model.onnx"}, "onnx"),
        ({"onnx": "-model.onnx"}, "onnx"),
        ({"id": "a/b"}, "id"),
        ({"id": "x" * 101}, "id"),
        ({"kind": "oracle"}, "kind"),
        ({"smoke": None}, "smoke"),
        ({"surprise": 1}, "surprise"),
        ({"feature_std": [0.0] * 6}, "feature_std"),
    ],
)
def test_a_sidecar_that_is_not_valid_is_refused_with_the_key(folder, changes, named):
    edit_sidecar(folder, **changes)
    with pytest.raises(DataError, match=named):
        read_candidate(folder)


def test_a_sidecar_that_is_no_json_is_refused(folder):
    (folder / "model.json").write_text("{")
    with pytest.raises(DataError, match=r"model\.json"):
        read_candidate(folder)


def test_other_kinds_need_only_what_the_registry_reads(folder):
    sha256 = json.loads((folder / "model.json").read_text())["sha256"]
    facts = {"id": "predictor_libx264", "kind": "predictor", "onnx": "model.onnx", "sha256": sha256}
    (folder / "model.json").write_text(json.dumps({**facts, "opset": 17, "smoke": False, "quality_scale": [0, 51]}))
    candidate = read_candidate(folder)
    assert candidate.model_id.startswith("predictor_libx264-")
    assert candidate.facts.encoder_vocab_version is None


def test_links_are_refused(folder, tmp_path):
    (tmp_path / "secret").write_text("mine")
    (folder / "loso_seed1.json").symlink_to(tmp_path / "secret")
    with pytest.raises(DataError, match="no plain file"):
        read_candidate(folder)


@pytest.mark.parametrize("name", ["-rf", "a b.json", "verdict.json", "verdict-2.json", "ü.json"])
def test_odd_and_reserved_names_are_refused(folder, name):
    (folder / name).write_text("{}")
    with pytest.raises(DataError, match=re.escape(name)):
        read_candidate(folder)


def test_external_data_belongs_to_the_candidate(workshop):
    candidate = workshop.candidate(external=True)
    assert candidate.external_data == ("model.onnx.data",)


def test_missing_external_data_is_refused(workshop):
    folder = workshop.candidate(external=True).folder
    (folder / "model.onnx.data").unlink()
    with pytest.raises(DataError, match=r"model\.onnx\.data"):
        read_candidate(folder)


@pytest.mark.parametrize("location", ["../model.onnx.data", "/tmp/model.data", "a/model.dat"])
def test_a_model_that_points_outside_of_its_folder_is_refused(workshop, location):
    folder = workshop.candidate(external=True).folder
    path = folder / "model.onnx"
    import onnx

    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    path.write_bytes(model.SerializeToString())
    edit_sidecar(folder, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(DataError, match=re.escape(location)):
        read_candidate(folder)


def test_a_model_that_is_no_onnx_is_refused(folder):
    (folder / "model.onnx").write_bytes(b"not a model at all")
    edit_sidecar(folder, sha256=hashlib.sha256(b"not a model at all").hexdigest())
    with pytest.raises(DataError, match="ONNX"):
        read_candidate(folder)
