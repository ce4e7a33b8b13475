from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

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


def test_a_killed_process_leaves_a_folder_that_the_next_one_sweeps(tmp_path):
    """In the system's temporary folder nobody else would."""
    script = (
        "import os, sys\nfrom vmafcast.media.workdir import private_workdir\n"
        "with private_workdir() as folder:\n    (folder / 'c0.mkv').write_bytes(b'x')\n"
        "    print(folder, flush=True)\n    os.kill(os.getpid(), 9) if sys.argv[1] == 'die' else None\n"
    )

    def run(how):
        environment = os.environ | {"TMPDIR": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", script, how], env=environment, capture_output=True, text=True, check=False
        )
        return Path(done.stdout.strip())

    left = run("die")
    assert left.parent == tmp_path
    assert (left / "c0.mkv").is_file()
    run("live")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_locked_is_in_use_whatever_its_number_says(tmp_path):
    """A container that shares the folder has process ids of its own."""
    folder = tmp_path / f"vmafcast-work-{dead_process()}-abc"
    folder.mkdir()
    holder = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(holder, fcntl.LOCK_EX)
        assert sweep_workdirs(tmp_path) == []
    finally:
        os.close(holder)
    assert sweep_workdirs(tmp_path) == [folder]


def test_a_folder_in_use_is_locked(tmp_path):
    with private_workdir(tmp_path) as folder:
        other = os.open(folder, os.O_RDONLY)
        try:
            with pytest.raises(BlockingIOError):
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(other)


def test_a_link_or_a_file_of_that_name_is_left_alone(tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("x")
    pid = dead_process()
    (tmp_path / f"vmafcast-work-{pid}-link").symlink_to(precious)
    (tmp_path / f"vmafcast-work-{pid}-file").write_text("x")
    assert sweep_workdirs(tmp_path) == []
    assert (precious / "file").is_file()


def test_folders_of_others_are_left_alone(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder to somebody else")
    folder = tmp_path / f"vmafcast-work-{dead_process()}-abc"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    assert sweep_workdirs(tmp_path) == []


def test_no_descriptor_is_left_open(tmp_path):
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("the system does not list open descriptors")
    before = len(list(descriptors.iterdir()))
    for _ in range(20):
        with private_workdir(tmp_path):
            pass
    assert len(list(descriptors.iterdir())) == before
