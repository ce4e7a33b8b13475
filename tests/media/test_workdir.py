from __future__ import annotations

import os
import subprocess
import sys

import pytest

from vmafcast.common.errors import OutputError
from vmafcast.media.workdir import private_workdir, sweep_workdirs


def dead_process():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_it_is_private_and_gone_afterwards(tmp_path):
    with private_workdir(tmp_path) as folder:
        assert folder.parent == tmp_path
        assert folder.stat().st_mode & 0o077 == 0
        (folder / "sub").mkdir()
        (folder / "sub" / "file").write_text("x")
    assert list(tmp_path.iterdir()) == []


def test_it_is_gone_after_a_failure_too(tmp_path):
    with pytest.raises(KeyboardInterrupt), private_workdir(tmp_path):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_two_at_once_do_not_meet(tmp_path):
    with private_workdir(tmp_path) as one, private_workdir(tmp_path) as two:
        assert one != two


def test_without_a_parent_it_is_where_the_system_keeps_such_things(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with private_workdir() as folder:
        assert folder.parent == tmp_path


def test_a_parent_that_is_not_there(tmp_path):
    with pytest.raises(OutputError, match="working folder"), private_workdir(tmp_path / "absent"):
        pass


def test_only_the_folders_of_dead_processes_are_swept(tmp_path):
    stale = tmp_path / f"vmafcast-work-{dead_process()}-abc"
    (stale / "sub").mkdir(parents=True)
    (stale / "sub" / "c0.mkv").write_bytes(b"x")
    living = tmp_path / f"vmafcast-work-{os.getpid()}-abc"
    foreign = [tmp_path / name for name in ("vmafcast-work-", "vmafcast-work-x-1", "vmafcast-workshop", "other")]
    for folder in (living, *foreign):
        folder.mkdir()
    assert sweep_workdirs(tmp_path) == [stale]
    assert sorted(tmp_path.iterdir()) == sorted([living, *foreign])
    assert sweep_workdirs(tmp_path) == []
