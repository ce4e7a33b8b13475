from __future__ import annotations

import builtins
import inspect
import re

import pytest

from vmafcast.common import errors
from vmafcast.common.errors import FfmpegError, VmafcastError

CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if inspect.isclass(value) and value.__module__ == errors.__name__
}
_LINE = re.compile(r"^(?P<tree>[ │├└─]*)(?P<name>[A-Z]\w+) +exit (?P<exit>\d)(?: +\((?P<builtin>\w+)\))?")


def documented():
    """Return the tree of the module's docstring: (name, parent, exit code, builtin or None)."""
    found, above = [], []
    for line in inspect.getdoc(errors).splitlines():
        match = _LINE.match(line.removeprefix("    "))
        if match:
            depth = len(match["tree"]) // 4
            above[depth:] = [match["name"]]
            parent = above[depth - 1] if depth else "Exception"
            found.append((match["name"], parent, int(match["exit"]), match["builtin"]))
    return found


def test_the_docstring_lists_every_class_and_no_other():
    names = [name for name, *_ in documented()]
    assert sorted(names) == sorted(CLASSES)
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("name", "parent", "exit_code", "builtin"), documented())
def test_the_docstring_is_true(name, parent, exit_code, builtin):
    error = CLASSES[name]
    assert error.__bases__[0].__name__ == parent
    assert error.exit_code == exit_code
    others = [base.__name__ for base in error.__bases__[1:]]
    assert others == ([] if builtin is None else [builtin])
    assert builtin is None or hasattr(builtins, builtin)


@pytest.mark.parametrize("error", CLASSES.values())
def test_each_carries_its_message_and_says_what_it_means(error):
    assert issubclass(error, VmafcastError)
    assert str(error("a clip is damaged; fetch it again")) == "a clip is damaged; fetch it again"
    assert error.__doc__


def test_no_exit_code_is_that_of_success_or_of_an_interrupt():
    assert {error.exit_code for error in CLASSES.values()} == {1, 2, 3, 4}


def test_an_ffmpeg_error_shows_what_it_knows():
    bare = FfmpegError("encoding a clip failed")
    assert (str(bare), bare.command, bare.stderr_tail) == ("encoding a clip failed", (), "")
    full = FfmpegError("encoding failed", command=("ffmpeg", "-i", "a b.mkv"), stderr_tail=" the cause\n")
    lines = [line.strip() for line in str(full).splitlines()]
    assert lines == ["encoding failed", "ffmpeg said: the cause", "the command was: ffmpeg -i a b.mkv"]
    assert full.message == "encoding failed"
