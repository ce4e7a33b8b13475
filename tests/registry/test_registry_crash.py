"""A registry operation is killed, or fails, at each of its file operations in turn."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from vmafcast.evaluation.verdict import write_verdict
from vmafcast.registry.store import Registry
from vmafcast.registry.verify import verify

DRIVER = Path(__file__).with_name("fault_driver.py")
RAISED, SWALLOWED = 3, 5
OPERATIONS = ["register", "promote", "ship", "rollback", "revoke"]


@pytest.fixture
def drive(registry, workshop, tmp_path):
    def run(operation, fault):
        for _ in range(2):
            workshop.promoted(registry)
        candidate = workshop.candidate()
        if operation == "promote":
            registry.register(candidate)
        write_verdict(candidate.folder, workshop.verdict(candidate))
        work = tmp_path / "work"
        work.mkdir()
        done = subprocess.run(
            [sys.executable, DRIVER, registry.folder, candidate.folder, work, operation, fault],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "leaked" not in done.stderr, done.stderr
        return json.loads(done.stdout)

    return run


def assert_all_or_nothing(outcome, least):
    old, new, results = outcome["old"], outcome["new"], outcome["results"]
    assert old is not None
    assert len(results) >= least  # else the faults did not reach the operation
    for result in results:
        assert result["code"] == -signal.SIGKILL
        # Whatever is served is whole, and it is the new one exactly where the operation was committed.
        assert result["champion"] == {"before": old, "after": new}[result["mended"]]
        # What is out of place is recognised for what it is, and goes away by itself.
        assert set(result["kinds"]) <= {"unfinished"}
        assert result["ok"]
    ends = [result["mended"] for result in results]
    assert ends == sorted(ends, reverse=True)  # before, before, ..., after: one moment of commitment
    assert set(ends) == {"before", "after"}
    assert "between" in {result["left"] for result in results}  # the faults did leave something to mend


@pytest.mark.parametrize("operation", OPERATIONS)
def test_killed_at_any_file_operation(drive, operation):
    assert_all_or_nothing(drive(operation, "kill"), least=12)


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS)
def test_killed_at_any_line(drive, operation):
    assert_all_or_nothing(drive(operation, "line"), least=80)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_failing_at_any_file_operation_leaves_everything_bit_identical(drive, operation):
    outcome = drive(operation, "error")
    raised = [result for result in outcome["results"] if result["code"] == RAISED]
    assert len(raised) >= 10
    for result in raised:
        assert result["left"] == "before"
        assert result["champion"] == outcome["old"]
        assert result["ok"]
    # A fault that the operation got over must have let it finish.
    for result in outcome["results"]:
        assert result["code"] in (RAISED, SWALLOWED)
        if result["code"] == SWALLOWED:
            assert result["left"] == "after"
            assert result["champion"] == outcome["new"]


def test_an_event_torn_at_any_byte_never_happened(registry, workshop, tree, tmp_path):
    old = workshop.promoted(registry)
    candidate = workshop.candidate()
    model = registry.register(candidate)
    before_files = tree(registry.folder)
    before = tmp_path / "before"
    shutil.copytree(registry.folder, before)
    size = (registry.folder / "events.jsonl").stat().st_size
    registry.promote(model, workshop.verdict(candidate))
    line = (registry.folder / "events.jsonl").read_bytes()[size:]
    verdict = registry.folder / f"models/{model}/verdict.json"
    for length in [*range(1, len(line) - 1, 37), len(line) - 1]:
        torn = tmp_path / f"torn{length}"
        shutil.copytree(before, torn)
        shutil.copy(verdict, torn / f"models/{model}/verdict.json")
        with (torn / "events.jsonl").open("ab") as handle:
            handle.write(line[:length])
        opened = Registry.open(torn)
        assert f"{length} bytes" in opened.notices[0]
        assert opened.champion("fr_regressor_v1").id == old
        assert {problem.kind for problem in verify(torn).problems} == {"unfinished"}
        assert len(opened.tidy()) == 2
        assert tree(torn) == before_files
        assert Registry.open(torn).notices == ()


def test_what_a_killed_writer_left_is_tidied_by_the_next_write(registry, workshop):
    old = workshop.promoted(registry)
    staging = registry.folder / "models" / ".vmafcast-1-abcdef01.fr_regressor_v1-000000000000"
    staging.mkdir()
    (staging / "model.onnx").write_bytes(b"half")
    (registry.folder / ".vmafcast-1-abcdef02.registry.json").write_bytes(b"{")
    complete = workshop.candidate()
    shutil.copytree(complete.folder, registry.folder / "models" / complete.model_id)
    assert [problem.kind for problem in verify(registry.folder).problems] == ["unfinished"] * 3
    registry.register(workshop.candidate())
    assert verify(registry.folder).ok
    assert registry.champion("fr_regressor_v1").id == old
