"""A folder is replaced as a whole or not at all, whatever ends the work on it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from vmafcast.common.errors import OutputError, RequestError
from vmafcast.workflows.whole_folder import whole_folder

KNOWN_BY = "model.json"


def write(output, text, after=None):
    with whole_folder(output, known_by=KNOWN_BY) as folder:
        for name in (KNOWN_BY, "other.txt"):
            (folder / name).write_text(text)
        (folder / "below").mkdir()
        (folder / "below" / text).touch()
        if after is not None:
            raise after


@pytest.fixture(params=["exchange", "two renames"])
def system(request, monkeypatch):
    """Once as this system does it, once as one that cannot exchange two folders in a step."""
    if request.param == "two renames":
        monkeypatch.setattr(sys, "platform", "another")
    return request.param


def test_a_new_folder_appears(system, tmp_path, tree):
    write(tmp_path / "a" / "b", "one")
    assert set(tree(tmp_path)) == {"a/b/model.json", "a/b/other.txt", "a/b/below/one"}


def test_an_earlier_one_is_replaced_and_nothing_of_it_stays(system, tmp_path, tree):
    write(tmp_path / "b", "one")
    (tmp_path / "b" / "HOLD.json").touch()
    write(tmp_path / "b", "two")
    assert set(tree(tmp_path)) == {"b/model.json", "b/other.txt", "b/below/two"}
    assert (tmp_path / "b" / "other.txt").read_text() == "two"


def test_an_empty_folder_is_taken(system, tmp_path, tree):
    (tmp_path / "b").mkdir()
    write(tmp_path / "b", "one")
    assert set(tree(tmp_path / "b")) == {"model.json", "other.txt", "below/one"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_earlier_one(system, tmp_path, tree, error):
    write(tmp_path / "b", "one")
    before = tree(tmp_path)
    with pytest.raises(error):
        write(tmp_path / "b", "two", after=error)
    assert tree(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_an_error_leaves_no_folder_that_was_made_for_it(tmp_path):
    with pytest.raises(ValueError, match="no"), whole_folder(tmp_path / "new" / "b", known_by=KNOWN_BY):
        raise ValueError("no")
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_followed_and_stays_a_link(tmp_path, tree):
    write(tmp_path / "real", "one")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write(tmp_path / "link", "two")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "other.txt").read_text() == "two"


@pytest.mark.parametrize(
    ("name", "word"), [("holiday", "holds other things"), ("note.txt", "is a file"), (".", "the folder you are in")]
)
def test_anything_else_is_refused_and_untouched(tmp_path, tree, monkeypatch, name, word):
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "beach.mkv").write_text("precious")
    (tmp_path / "note.txt").write_text("precious")
    (tmp_path / KNOWN_BY).write_text("even so")
    monkeypatch.chdir(tmp_path)
    before = tree(tmp_path)
    entered = False
    with pytest.raises(RequestError, match=word), whole_folder(tmp_path / name, known_by=KNOWN_BY):
        entered = True
    assert not entered
    assert tree(tmp_path) == before


def test_a_place_that_cannot_be_written_is_told_before_the_work(tmp_path):
    (tmp_path / "file").write_text("in the way")
    entered = False
    with pytest.raises(OutputError, match="cannot write"), whole_folder(tmp_path / "file" / "b", known_by=KNOWN_BY):
        entered = True
    assert not entered
    assert (tmp_path / "file").read_text() == "in the way"


def test_what_the_dead_left_is_swept_and_what_the_living_have_is_kept(tmp_path):
    dead, living = (tmp_path / f"vmafcast-work-{pid}-abc" for pid in (999_999_999, os.getpid()))
    for folder in (dead, living):
        folder.mkdir()
    write(tmp_path / "b", "one")
    assert not dead.exists()
    assert living.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is a moment between two renames")
def test_there_is_no_moment_without_a_folder(tmp_path):
    place = tmp_path / "b"
    write(place, "0")
    missed, done = [], threading.Event()

    def watch():
        while not done.is_set():
            try:
                os.close(os.open(place / KNOWN_BY, os.O_RDONLY))
            except FileNotFoundError as error:
                missed.append(error)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for number in range(1, 60):
            write(place, str(number))
    finally:
        done.set()
        watcher.join()
    assert missed == []
    assert (place / "other.txt").read_text() == "59"


KILLED = """
import sys, time
from pathlib import Path
from vmafcast.workflows.whole_folder import whole_folder
with whole_folder(Path("b"), known_by="model.json") as folder:
    (folder / "model.json").write_text("half")
    print("working", flush=True)
    time.sleep(60)
"""


def test_a_kill_leaves_the_earlier_one_and_the_next_sweeps(tmp_path, tree):
    write(tmp_path / "b", "one")
    before = tree(tmp_path / "b")
    with subprocess.Popen([sys.executable, "-c", KILLED], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "working\n"
        process.send_signal(signal.SIGKILL)
    assert tree(tmp_path / "b") == before
    assert len(list(tmp_path.iterdir())) == 2
    write(tmp_path / "b", "two")
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
