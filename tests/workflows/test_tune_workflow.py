"""Tuning through the library: exactly one file, whole or not at all, however it ends."""

from __future__ import annotations

import os

import pytest

from vmafcast.common.errors import FfmpegError, RequestError
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.workflows.tune import Attempt, Tuned, TuneRequest, tune


@pytest.fixture
def request_for(clips, tmp_path):
    def make(target=80.0, output="o.mkv", *, encoder="libx264", preset="ultrafast", source="alpha.mkv"):
        return TuneRequest(clips / source, get_encoder(encoder), preset, target, tmp_path / output, threads=1)

    return make


def test_attempts_come_first_and_then_the_file_is_there(request_for, ffmpeg, tmp_path):
    seen = []
    for update in tune(request_for(), ffmpeg):
        assert (tmp_path / "o.mkv").exists() == isinstance(update, Tuned)
        seen.append(update)
    *attempts, done = seen
    assert all(isinstance(each, Attempt) for each in attempts)
    assert [each.number for each in attempts] == list(range(1, len(attempts) + 1))
    assert done.chosen == min((each for each in attempts if each.meets), key=lambda each: each.vmaf)
    assert done.chosen.vmaf >= 80 > done.next_worse.vmaf


def test_the_same_request_gives_the_same_file(request_for, ffmpeg, tmp_path):
    for output in ("one.mkv", "other.mkv"):
        *_, done = tune(request_for(output=output), ffmpeg)
    again = [update.vmaf for update in tune(request_for(output="one.mkv"), ffmpeg) if isinstance(update, Attempt)]
    assert done.chosen.vmaf in again
    assert (tmp_path / "one.mkv").stat().st_size == (tmp_path / "other.mkv").stat().st_size


@pytest.mark.parametrize("attempts", [0, 1, 2])
def test_a_caller_that_stops_listening_leaves_nothing(request_for, ffmpeg, tmp_path, attempts):
    updates = tune(request_for(output="new/o.mkv"), ffmpeg)
    for _ in range(attempts):
        next(updates)
    updates.close()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_an_unreachable_target_leaves_the_best_there_is(request_for, ffmpeg, tmp_path):
    *attempts, done = tune(request_for(100.0), ffmpeg)
    assert done.outcome == "unreachable"
    assert done.chosen.vmaf == max(each.vmaf for each in attempts)
    assert done.chosen.quality == 0
    assert (tmp_path / "o.mkv").stat().st_size >= done.chosen.bytes


def test_a_container_that_cannot_hold_the_codec_leaves_nothing(request_for, ffmpeg, tmp_path):
    with pytest.raises(FfmpegError):
        list(tune(request_for(output="o.webm"), ffmpeg))
    assert list(tmp_path.iterdir()) == []


def test_what_the_dead_left_is_swept_and_what_the_living_have_is_kept(request_for, ffmpeg, tmp_path):
    dead, living = (tmp_path / f"vmafcast-work-{pid}-abc" for pid in (999_999_999, os.getpid()))
    for folder in (dead, living):
        folder.mkdir()
    list(tune(request_for(), ffmpeg))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.mkv", living.name]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"target": 0.0}, "target"),
        ({"target": float("nan")}, "target"),
        ({"preset": "10"}, "ultrafast"),
        ({"output": "o"}, "container"),
        ({"source": "nowhere.mkv"}, "does not exist"),
    ],
)
def test_what_cannot_be_meant_leaves_nothing(request_for, ffmpeg, tmp_path, options, word):
    with pytest.raises(RequestError, match=word):
        list(tune(request_for(**options), ffmpeg))
    assert list(tmp_path.iterdir()) == []
