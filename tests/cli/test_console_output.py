"""What goes where, and how it looks: scripts get JSON lines alone, people get whole names and numbers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

ESCAPE = "\x1b"
TUNE = ("--encoder", "libx264", "--preset", "ultrafast", "--target", "80", "--out", "o.mkv")


@pytest.fixture
def commands(served):
    """Commands that only read."""
    return [
        ("corpus", "describe", served.corpus),
        ("registry", "list", "--registry", served.registry),
        ("registry", "history", "--registry", served.registry),
        ("registry", "verify", "--registry", served.registry),
    ]


def test_json_lines_are_plain_even_on_a_terminal(commands, on_terminal):
    for command in commands[:2]:
        outcome = on_terminal(*command, "--json", streams=("stdout",))
        assert outcome.code == 0
        assert ESCAPE not in outcome.out
        assert all("type" in line for line in outcome.lines), outcome.out


def test_in_a_pipe_there_is_no_escape_code_and_no_blank_at_the_end_of_a_line(commands, call):
    for command in commands:
        outcome = call(*command)
        assert (outcome.code, outcome.err) == (0, "")
        assert ESCAPE not in outcome.out
        assert all(line == line.rstrip() for line in outcome.out.splitlines())


def test_on_a_terminal_no_color_is_heeded(commands, on_terminal):
    coloured = on_terminal(*commands[1])
    assert ESCAPE in coloured.out
    plain = on_terminal(*commands[1], env=os.environ | {"NO_COLOR": "1"})
    assert ESCAPE not in plain.out


def test_progress_goes_to_the_error_stream_and_only_on_a_terminal(clip, on_terminal, vmafcast):
    watched = on_terminal("tune", clip, *TUNE, streams=("stderr",))
    assert watched.code == 0
    assert ESCAPE in watched.err
    assert "tuning texture.mkv to VMAF 80" in watched.err
    assert ESCAPE not in watched.out
    assert "tuning texture.mkv to VMAF 80" not in watched.out
    unwatched = vmafcast("tune", clip, *TUNE)
    assert (unwatched.code, unwatched.err) == (0, "")


@pytest.mark.parametrize("columns", [80, 140])
def test_no_name_and_no_number_is_broken(served, commands, on_terminal, columns):
    plain = os.environ | {"NO_COLOR": "1"}
    shown = "".join(on_terminal(*command, columns=columns, env=plain).out for command in commands[:3])
    assert max(map(len, shown.splitlines())) <= columns
    words = set(shown.split())
    champion = served.said["ship"].lines[1]["model"]
    assert {*served.qualities, *served.presets.values(), champion, "champion", "promote"} <= words
    [described] = served.said["build"].lines
    assert str(described["planned"] // 2) in words


def test_errors_and_hints_are_broken_between_words(on_terminal, tmp_path):
    name = "a-rather-long-name-of-a-folder-that-is-not-there-and-that-fills-a-line-by-itself-" * 2
    outcome = on_terminal("corpus", "describe", name, columns=60)
    assert outcome.code == 2
    lines = outcome.out.splitlines()
    assert name in lines
    assert all(len(line) <= 60 for line in lines if name not in line)


def test_what_looks_like_markup_is_a_name(served, clip, vmafcast, tmp_path):
    shutil.copytree(served.registry, tmp_path / "[bold]r")
    listed = vmafcast("registry", "list", "--registry", "[bold]r")
    assert listed.code == 0
    assert listed.out.startswith("[bold]r\n")
    shutil.copy(clip, tmp_path / "[x265] clip.mkv")
    (tmp_path / "[").mkdir()
    tuned = vmafcast("tune", "[x265] clip.mkv", *TUNE[:-1], "[/red] o.mkv")
    assert tuned.code == 0, tuned.err
    assert tuned.out.startswith("[x265] clip.mkv, libx264")
    assert "[/red] o.mkv: quality" in tuned.out


def test_markup_in_progress_is_a_name_too(clip, on_terminal, tmp_path):
    (tmp_path / "[").mkdir()
    shutil.copy(clip, tmp_path / "[" / "dim] clip.mkv")
    outcome = on_terminal("corpus", "build", "[/dim] clip.mkv", "--encoder", "libx264", "--quality", "30", "--out", "c")
    assert outcome.code == 0, outcome.out


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a name of a file is text")
def test_a_name_that_is_no_text_is_tuned_but_not_recorded(clip, vmafcast, tmp_path):
    name = os.fsdecode(b"caf\xe9.mkv")
    shutil.copy(clip, tmp_path / name)
    outcome = vmafcast("tune", name, *TUNE[:-1], f"out-{name}", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.done["output"] == f"out-{name}"
    assert (tmp_path / f"out-{name}").exists()
    refused = vmafcast("corpus", "build", name, "--encoder", "libx264", "--quality", "30", "--out", "corpus")
    assert refused.code == 2
    assert "not valid UTF-8" in refused.err
    assert not (tmp_path / "corpus").exists()


def test_a_terminal_that_is_not_utf_8_gets_what_it_can_show(served, vmafcast):
    ascii_only = os.environ | {"PYTHONIOENCODING": "ascii"}
    outcome = vmafcast("corpus", "describe", served.corpus, env=ascii_only)
    assert outcome.code == 0, outcome.err
    assert "libsvtav1" in outcome.out


@pytest.mark.parametrize("arguments", [("registry", "list"), ("registry", "history", "--json"), ("--help",)])
def test_a_reader_that_has_gone_ends_the_command_quietly(served, arguments):
    read, write = os.pipe()
    os.close(read)
    env = os.environ | {"VMAFCAST_REGISTRY": str(served.registry)}
    command = [sys.executable, "-m", "vmafcast.cli.main", *arguments]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, env=env, text=True, check=False, timeout=60)
    os.close(write)
    assert done.returncode == 1
    assert done.stderr.strip() == ""


def test_a_usage_error_is_a_json_line_too(vmafcast):
    outcome = vmafcast("tune", "--json")
    assert outcome.code == 2
    assert json.loads(outcome.out)["exit_code"] == 2
    assert "Usage" in outcome.err


def test_a_traceback_is_shown_only_where_it_is_asked_for(vmafcast, tmp_path):
    (tmp_path / "registry").mkdir()
    (tmp_path / "registry" / "events.jsonl").write_text("nonsense\n")
    outcome = vmafcast("registry", "list")
    assert outcome.code == 4
    assert len(outcome.err.splitlines()) == 1
