from __future__ import annotations

import hashlib
import json

import pytest

from vmafcast.registry.verify import verify


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_registry(folder, rows, **extra):
    (folder / "registry.json").write_text(json.dumps({"$schema": "./s.json", "models": rows, **extra}))


@pytest.fixture
def foreign(workshop, tmp_path):
    """A registry as public systems ship it: hashes of the ``.onnx`` only, sidecars beside the models."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    rows = []
    for name, external in (("single", False), ("split", True)):
        candidate = workshop.candidate(external=external)
        for file in ("model.onnx", "model.onnx.data"):
            if file in candidate.files:
                (folder / file.replace("model", name)).write_bytes(
                    candidate.files[file].replace(b"model.onnx.data", f"{name}.onnx.data".encode())
                )
        path = folder / f"{name}.onnx"
        rows.append({"id": name, "kind": "fr", "onnx": path.name, "sha256": digest(path), "smoke": False})
        (folder / f"{name}.json").write_text(json.dumps({"id": name, "feature_mean": [0.0]}))
    write_registry(folder, rows)
    return folder, rows


def found(folder):
    return {(problem.kind, problem.path) for problem in verify(folder).problems}


def hashed_throughout(folder, rows):
    for row in rows:
        row["sidecar_sha256"] = digest(folder / f"{row['id']}.json")
    rows[1]["external_data"] = [{"path": "split.onnx.data", "sha256": digest(folder / "split.onnx.data")}]
    write_registry(folder, rows)


def test_bytes_that_no_hash_covers_are_a_problem(foreign):
    folder, _ = foreign
    report = verify(folder)
    assert report.layout == "foreign"
    assert report.checked == ("single.onnx", "split.onnx")
    assert found(folder) == {
        ("unhashed", "single.json"),
        ("unhashed", "split.json"),
        ("unhashed", "split.onnx.data"),
    }


def test_a_registry_that_hashes_every_byte_has_no_problem(foreign):
    folder, rows = foreign
    hashed_throughout(folder, rows)
    report = verify(folder)
    assert report.ok
    assert report.checked == (
        "single.json",
        "single.onnx",
        "split.json",
        "split.onnx",
        "split.onnx.data",
    )


@pytest.mark.parametrize("name", ["single.onnx", "split.onnx.data", "split.json"])
def test_a_changed_byte_is_named(foreign, name):
    folder, rows = foreign
    hashed_throughout(folder, rows)
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    assert ("changed", name) in found(folder)


@pytest.mark.parametrize("name", ["single.onnx", "split.onnx.data"])
def test_a_missing_file_is_named(foreign, name):
    folder, rows = foreign
    hashed_throughout(folder, rows)
    (folder / name).unlink()
    assert ("missing", name) in found(folder)


def test_weights_beside_a_model_are_reported_even_when_it_does_not_name_them(foreign):
    folder, rows = foreign
    hashed_throughout(folder, rows)
    (folder / "single.onnx.data").write_bytes(b"?")
    assert found(folder) == {("unhashed", "single.onnx.data")}


def test_a_model_without_any_hash_is_reported(foreign, workshop):
    folder, rows = foreign
    hashed_throughout(folder, rows)
    (folder / "stray.onnx").write_bytes(workshop.candidate().files["model.onnx"])
    assert found(folder) == {("unhashed", "stray.onnx")}


@pytest.mark.parametrize("path", ["../secret.onnx", "/etc/passwd", "a/../../secret.onnx"])
def test_paths_that_leave_the_folder_are_never_read(foreign, path):
    folder, rows = foreign
    hashed_throughout(folder, rows)
    (folder.parent / "secret.onnx").write_bytes(b"secret")
    rows.append({"id": "evil", "onnx": path, "sha256": hashlib.sha256(b"secret").hexdigest()})
    write_registry(folder, rows)
    assert ("outside", path) in found(folder)


@pytest.mark.parametrize("location", [b"../lit.onnx.data", b"/plit.onnx.data."])
def test_weights_outside_of_the_folder_are_reported(foreign, location):
    folder, rows = foreign
    path = folder / "split.onnx"
    # The same length keeps the protobuf encoding whole.
    path.write_bytes(path.read_bytes().replace(b"split.onnx.data", location[:15]))
    rows[1]["sha256"] = digest(path)
    write_registry(folder, rows)
    assert ("outside", "split.onnx") in found(folder)


def test_what_sidecars_and_manifests_state_is_compared_too(foreign):
    folder, rows = foreign
    hashed_throughout(folder, rows)
    members = [{"id": "m", "onnx": "single.onnx", "seed": 0, "sha256": "0" * 64}]
    (folder / "ensemble.json").write_text(json.dumps({"kind": "fr_ensemble", "members": members}))
    assert found(folder) == {("changed", "single.onnx")}
    members[0]["sha256"] = digest(folder / "single.onnx").upper()
    (folder / "ensemble.json").write_text(json.dumps({"kind": "fr_ensemble", "members": members}))
    assert found(folder) == set()


def test_a_quantised_twin_is_compared(foreign):
    folder, rows = foreign
    hashed_throughout(folder, rows)
    rows[0]["int8_sha256"] = "0" * 64
    write_registry(folder, rows)
    assert found(folder) == {("missing", "single.int8.onnx")}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"models": [{"id": "x"}]}', '{"models": 3}'])
def test_a_list_that_cannot_be_read_is_malformed(foreign, content):
    folder, _ = foreign
    (folder / "registry.json").write_text(content)
    assert ("malformed", "registry.json") in found(folder)


def test_a_model_that_is_none_is_malformed(foreign):
    folder, rows = foreign
    (folder / "single.onnx").write_bytes(b"not a model at all")
    rows[0]["sha256"] = digest(folder / "single.onnx")
    write_registry(folder, rows)
    assert ("malformed", "single.onnx") in found(folder)


def test_our_own_registry_without_its_history_is_not_taken_for_a_foreign_one(registry, workshop):
    workshop.promoted(registry)
    (registry.folder / "events.jsonl").unlink()
    report = verify(registry.folder)
    assert report.layout == "vmafcast"
    assert [(problem.kind, problem.path) for problem in report.problems] == [("missing", "events.jsonl")]
