from __future__ import annotations

import hashlib
import json
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vmafcast.common.documents import read_document, write_document
from vmafcast.common.errors import RequestError
from vmafcast.registry.journal import NO_EVENT, Event
from vmafcast.registry.lock import exclusive
from vmafcast.registry.report import VerifyReport
from vmafcast.registry.verify import verify


@pytest.fixture
def served(registry, workshop):
    """A registry with two champions before and now, external data and a revoked model."""
    for options in ({}, {"external": True}, {"recipe": "fr_regressor_lite"}):
        workshop.promoted(registry, **options)
    registry.revoke(workshop.promoted(registry, recipe="fr_regressor_lite"), "leak")
    return registry


def paths_of(folder):
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".lock"]


def named(folder):
    return {problem.path for problem in verify(folder).problems}


def test_a_whole_registry_has_no_problem_and_every_file_is_checked(served, tree):
    before = tree(served.folder)
    report = verify(served.folder)
    assert report.ok
    assert report.layout == "vmafcast"
    assert report.checked == tuple(p.relative_to(served.folder).as_posix() for p in paths_of(served.folder))
    assert (report.events, report.head) == (9, served.history()[-1].hash)
    assert tree(served.folder) == before


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(data=st.data())
def test_one_changed_byte_in_any_file_is_named(served, data):
    path = data.draw(st.sampled_from(paths_of(served.folder)))
    whole = path.read_bytes()
    position = data.draw(st.integers(0, len(whole) - 1))
    bit = data.draw(st.integers(0, 7))
    changed = bytearray(whole)
    changed[position] ^= 1 << bit
    try:
        path.write_bytes(changed)
        assert path.relative_to(served.folder).as_posix() in named(served.folder)
    finally:
        path.write_bytes(whole)


def test_one_byte_more_or_less_in_any_file_is_named(served):
    for path in paths_of(served.folder):
        whole = path.read_bytes()
        for changed in (whole + b"\0", whole[:-1]):
            path.write_bytes(changed)
            assert path.relative_to(served.folder).as_posix() in named(served.folder)
        path.write_bytes(whole)
    assert verify(served.folder).ok


def test_any_missing_file_is_named(served, tmp_path):
    for number, path in enumerate(paths_of(served.folder)):
        copy = tmp_path / f"copy{number}"
        shutil.copytree(served.folder, copy)
        name = path.relative_to(served.folder).as_posix()
        (copy / name).unlink()
        (problem,) = verify(copy).problems
        assert (problem.path, problem.kind) == (name, "missing")


@pytest.mark.parametrize("name", ["stray.bin", "models/stray.onnx", "models/{}/stray.data", ".hidden"])
def test_files_that_nothing_knows_are_named(served, name):
    name = name.format(served.list()[0].id)
    (served.folder / name).write_bytes(b"?")
    (problem,) = verify(served.folder).problems
    assert (problem.path, problem.kind) == (name, "unlisted")


def test_a_lock_file_with_content_is_named(served):
    (served.folder / ".lock").write_text("mine")
    assert named(served.folder) == {".lock"}


def test_two_models_that_changed_places_are_named(served):
    first, second = (served.folder / entry.row.onnx for entry in served.list()[:2])
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    assert len(named(served.folder)) == 2


def test_the_report_can_be_kept(served, tmp_path):
    report = verify(served.folder)
    write_document(tmp_path / "report.json", report)
    assert read_document(tmp_path / "report.json", VerifyReport) == report


def test_a_folder_that_is_no_registry_is_refused(tmp_path):
    with pytest.raises(RequestError, match="no registry"):
        verify(tmp_path)


def reseal(served, path, content):
    """Exchange a file and rewrite the history to match, as a forger with the code at hand would."""
    (served.folder / path).write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    events, head = [], NO_EVENT
    for event in served.history():
        old = event.files.get(path)
        text = event.model_dump_json().replace(old, sha256) if old else event.model_dump_json()
        sealed = Event.model_validate({**json.loads(text), "previous_hash": head}).sealed()
        events.append(sealed)
        head = sealed.hash
    (served.folder / "events.jsonl").write_bytes(b"".join(event.line() for event in events))
    (served.folder / "registry.json").unlink()
    served.tidy()


def test_a_forged_history_does_not_make_another_model_the_same_one(served):
    entry = served.list()[0]
    reseal(served, entry.row.onnx, served.list()[2].onnx_path.read_bytes())
    report = verify(served.folder)
    assert entry.row.onnx in {problem.path for problem in report.problems}


def test_a_champion_whose_kept_verdict_is_a_hold_is_named(served):
    entry = served.list()[0]
    path = f"models/{entry.id}/verdict.json"
    content = json.loads((served.folder / path).read_text())
    content["verdict"], content["outcome"], content["gate"]["passed"] = "HOLD", "fail", False
    reseal(served, path, (json.dumps(content) + "\n").encode())
    (problem,) = verify(served.folder).problems
    assert (problem.path, problem.kind) == (path, "malformed")


def test_verifying_waits_for_a_writer(served, monkeypatch):
    from vmafcast.common.errors import OutputError
    from vmafcast.registry import verify as module

    monkeypatch.setattr(module, "_LOCK_TIMEOUT_S", 0.1)
    with exclusive(served.folder, 1.0), pytest.raises(OutputError, match="another process"):
        verify(served.folder)
