from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vmafcast.common.errors import OutputError, RequestError
from vmafcast.common.files import (
    atomic_path,
    is_alive,
    is_stale,
    publish,
    require_place,
    sha256_bytes,
    sha256_file,
    sweep_temporaries,
    temporary_of,
    temporary_sibling,
    write_bytes,
    write_text,
)


def dead_process():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


# ------------------------------------------------------------------------------------------------- whole or not there


@given(old=st.none() | st.binary(max_size=200), new=st.binary(max_size=200))
@settings(deadline=None, max_examples=50)
def test_what_is_written_is_what_is_there(tmp_path_factory, old, new):
    path = tmp_path_factory.mktemp("files") / "file"
    if old is not None:
        path.write_bytes(old)
    write_bytes(path, new)
    assert path.read_bytes() == new
    assert list(path.parent.iterdir()) == [path]


class Odd(BaseException):
    """An exception of no known kind."""


FAILURES = st.sampled_from([ValueError, OSError, KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError, Odd])


@given(
    old=st.none() | st.binary(max_size=50),
    written=st.lists(st.binary(max_size=20), max_size=5),
    failure=FAILURES,
    touched=st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_a_block_that_fails_leaves_everything_as_it_was(tmp_path_factory, old, written, failure, touched):
    path = tmp_path_factory.mktemp("files") / "file.json"
    if old is not None:
        path.write_bytes(old)

    def write_and_fail():
        with atomic_path(path) as temporary:
            if touched:
                with temporary.open("wb") as handle:
                    for part in written:
                        handle.write(part)
            raise failure

    with pytest.raises(failure):
        write_and_fail()
    assert [each.name for each in path.parent.iterdir()] == ([] if old is None else ["file.json"])
    assert old is None or path.read_bytes() == old


def test_the_temporary_stands_beside_its_target_with_its_suffix(tmp_path):
    path = tmp_path / "clip.mp4"
    with atomic_path(path) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".")
        assert temporary.suffix == ".mp4"
        assert not temporary.exists()
        assert not path.exists()
        temporary.write_bytes(b"x")
        assert not path.exists()
    assert path.read_bytes() == b"x"


def test_folders_on_the_way_are_made(tmp_path):
    write_text(tmp_path / "a" / "b" / "c.txt", "ü\n")
    assert (tmp_path / "a" / "b" / "c.txt").read_bytes() == "ü\n".encode()


def test_line_ends_are_left_alone(tmp_path):
    write_text(tmp_path / "a", "one\ntwo\r\n")
    assert (tmp_path / "a").read_bytes() == b"one\ntwo\r\n"


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    (tmp_path / "a").write_text("old")
    with pytest.raises(OutputError, match="cannot write"), atomic_path(tmp_path / "a"):
        pass
    assert (tmp_path / "a").read_text() == "old"


def test_a_name_relative_to_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_text(Path("here.txt"), "x")
    assert (tmp_path / "here.txt").read_text() == "x"


def test_writers_in_many_threads_do_not_meet(tmp_path):
    path = tmp_path / "file"
    texts = [str(number) * 5000 for number in range(8)]
    threads = [threading.Thread(target=write_text, args=(path, text)) for text in texts]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if path.exists():
            assert path.read_text() in texts
    assert path.read_text() in texts
    assert list(tmp_path.iterdir()) == [path]


_WRITE_FOREVER = """
import sys
from pathlib import Path
from vmafcast.common.files import write_bytes
number = 0
while True:
    write_bytes(Path(sys.argv[1]), bytes([number % 256]) * 200_000)
    number += 1
    print(number, flush=True)
"""


def test_a_writer_that_is_killed_leaves_a_whole_file_and_at_most_a_temporary(tmp_path):
    path = tmp_path / "file"
    for delay in (0.0, 0.003, 0.011, 0.027):
        writer = subprocess.Popen([sys.executable, "-c", _WRITE_FOREVER, str(path)], stdout=subprocess.PIPE)
        assert writer.stdout.readline() == b"1\n"
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        data = path.read_bytes()
        assert data == data[:1] * 200_000
    sweep_temporaries(tmp_path)
    assert list(tmp_path.iterdir()) == [path]


# -------------------------------------------------------------------------------------------- what cannot be written


@pytest.mark.parametrize("place", ["file/inside", "file/deep/inside", "folder"])
def test_a_place_that_something_else_takes(tmp_path, place):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match=r"cannot write .*; choose a place") as caught:
        write_text(tmp_path / place, "x")
    with pytest.raises(OutputError, match=r"cannot write .*; choose a place"):
        require_place(tmp_path / place)
    assert isinstance(caught.value, OSError)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]


def test_a_folder_that_may_not_be_written(unprivileged):
    closed = unprivileged / "closed"
    closed.mkdir()
    (closed / "old").write_text("old")
    closed.chmod(0o555)
    for place in (closed / "new", closed / "old", closed / "sub" / "new"):
        with pytest.raises(OutputError, match=r"cannot write .*(not writable|Permission denied)"):
            write_text(place, "x")
        with pytest.raises(OutputError, match="not writable"):
            require_place(place)
    assert (closed / "old").read_text() == "old"
    assert [path.name for path in closed.iterdir()] == ["old"]


def test_a_place_is_looked_at_and_nothing_made_of_it(tmp_path, monkeypatch):
    (tmp_path / "old").write_text("old")
    monkeypatch.chdir(tmp_path)
    for place in (tmp_path / "old", tmp_path / "new", tmp_path / "deep" / "in" / "it", Path("new"), Path("deep/in")):
        require_place(place)
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_a_name_that_is_too_long(tmp_path):
    with pytest.raises(OutputError, match="cannot write"):
        write_text(tmp_path / ("x" * 300), "x")
    assert list(tmp_path.iterdir()) == []


_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from vmafcast.common.errors import OutputError
from vmafcast.common.files import write_bytes
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_bytes(Path(sys.argv[1]), b"x" * 5000)
except OutputError as error:
    print(error)
"""


def test_a_disk_that_fills_up_leaves_what_was_there(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    done = subprocess.run([sys.executable, "-c", _FULL_DISK, str(path)], capture_output=True, text=True, check=True)
    assert f"cannot write {path}" in done.stdout
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_publishing_what_is_not_there(tmp_path):
    with pytest.raises(OutputError, match="cannot write"):
        publish(tmp_path / "absent", tmp_path / "file")


# ---------------------------------------------------------------------------------------------------- stale temporaries


def test_only_temporaries_of_dead_processes_are_swept(tmp_path):
    dead = dead_process()
    stale = [tmp_path / f".vmafcast-{dead}-0a1b.file.json", tmp_path / "sub" / f".vmafcast-{dead}-ff.x.parquet"]
    kept = [
        temporary_sibling(tmp_path / "file.json"),
        tmp_path / ".vmafcast-1-0a1b.file.json",
        tmp_path / ".vmafcast-nobody-0a.file",
        tmp_path / ".vmafcast-",
        tmp_path / f".vmafcast-{dead}-NOHEX.file",
        tmp_path / f"vmafcast-{dead}-0a1b.file.json",
        tmp_path / "file.json",
    ]
    (tmp_path / "sub").mkdir()
    for path in (*stale, *kept):
        path.write_text("x")
    assert sweep_temporaries(tmp_path) == sorted(stale)
    assert all(path.exists() for path in kept)
    assert sweep_temporaries(tmp_path) == []


def test_a_temporary_of_this_process_is_known_as_one(tmp_path):
    with atomic_path(tmp_path / "a.b.c") as temporary:
        temporary.write_text("x")
        assert sweep_temporaries(tmp_path) == []
        assert temporary.exists()


def test_sweeping_a_folder_that_is_not_there(tmp_path):
    assert sweep_temporaries(tmp_path / "absent") == []


def own_temporary(folder, name="file"):
    path = temporary_sibling(folder / name)
    path.write_bytes(b"")
    return path


def renamed(path, *, pid=None, place=None, begun=None):
    """The same temporary as somebody else's."""
    _, own, rest = path.name.split("-", 2)
    whose, name = rest.split(".", 1)
    whose = (place or whose[:6]) + (begun or whose[6:14]) + whose[14:]
    return path.rename(path.with_name(f".vmafcast-{pid or own}-{whose}.{name}"))


def test_a_temporary_is_stale_when_its_process_is_gone(tmp_path):
    own = own_temporary(tmp_path, "a.b")
    assert temporary_of(own) == "a.b"
    assert not is_stale(own)
    assert is_stale(renamed(own, pid=dead_process()))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux says when a process began")
def test_a_number_that_another_process_has_by_now_saves_no_temporary(tmp_path):
    assert is_stale(renamed(own_temporary(tmp_path), begun="00000001"))


@pytest.mark.parametrize("pid", [None, 999_999_999])
def test_a_temporary_of_another_machine_is_left_alone_for_a_week(tmp_path, pid):
    """Its process may live there, whatever this machine says of the number."""
    foreign = renamed(own_temporary(tmp_path), place="ffffff", pid=pid)
    assert not is_stale(foreign)
    assert sweep_temporaries(tmp_path) == []
    week_ago = time.time() - 7 * 24 * 3600
    os.utime(foreign, (week_ago + 60, week_ago + 60))
    assert not is_stale(foreign)
    os.utime(foreign, (week_ago - 60, week_ago - 60))
    assert sweep_temporaries(tmp_path) == [foreign]


def test_other_names_are_no_temporaries(tmp_path):
    for name in ("file", ".vmafcast-", ".vmafcast-x-0a.file", ".vmafcast-1-NOHEX.file", "vmafcast-1-0a.file"):
        assert temporary_of(tmp_path / name) is None
        assert not is_stale(tmp_path / name)


def test_who_is_alive():
    assert is_alive(os.getpid())
    assert not is_alive(dead_process())


def test_a_process_of_another_user_is_alive(unprivileged):
    assert is_alive(1)


# --------------------------------------------------------------------------------------------------------------- hashes


@given(st.binary(max_size=3000))
@settings(deadline=None, max_examples=30)
def test_a_file_and_its_bytes_have_one_hash(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("hash") / "file"
    path.write_bytes(data)
    assert sha256_file(path) == sha256_bytes(data) == hashlib.sha256(data).hexdigest()


def test_hashing_what_cannot_be_read(tmp_path):
    for path in (tmp_path / "absent", tmp_path):
        with pytest.raises(RequestError, match=f"cannot read {path}"):
            sha256_file(path)


def test_a_new_file_has_the_rights_that_the_user_gives_new_files(tmp_path):
    old = os.umask(0o027)
    try:
        write_text(tmp_path / "a", "x")
    finally:
        os.umask(old)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640
