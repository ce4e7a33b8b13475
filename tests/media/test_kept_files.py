"""Keeping the encodes that were scored."""

from __future__ import annotations

from pathlib import Path

import pytest

from vmafcast.common.errors import FfmpegError, OutputError
from vmafcast.media.features import CANONICAL6, LITE
from vmafcast.media.graph import Scoring
from vmafcast.media.measure import encode_and_score, score_pair
from vmafcast.media.source import probe

TEACHER = "vmaf_v0.6.1"
BOTH = Scoring(TEACHER, (CANONICAL6, LITE))


@pytest.mark.parametrize("loopback", [True, False])
def test_a_kept_file_is_the_one_that_was_scored(ffmpeg, ntsc, tmp_path, loopback, job, assert_same_scores):
    jobs = [job(preset="medium", quality=33), job("libx265", 33, preset="veryfast"), job("libsvtav1", 50, preset="12")]
    kept = [tmp_path / "a.mp4", tmp_path / "100%d: it's.mkv", tmp_path / "-c.mp4"]
    cells = encode_and_score(ffmpeg, ntsc, jobs, BOTH, keep=kept, loopback=loopback)
    assert sorted(tmp_path.iterdir()) == sorted(kept)
    for path, cell in zip(kept, cells, strict=True):
        assert_same_scores(score_pair(ffmpeg, ntsc, probe(path), BOTH), cell.scores)


def test_keeping_changes_no_score(ffmpeg, ntsc, encoded, assert_same_encodes):
    _, cell = encoded
    [loose] = encode_and_score(ffmpeg, ntsc, [cell.settings], BOTH)
    assert_same_encodes(loose, cell)


def test_a_relative_place_is_relative_to_the_caller(ffmpeg, source, tmp_path, monkeypatch, job):
    monkeypatch.chdir(tmp_path)
    encode_and_score(ffmpeg, source, [job()], BOTH, keep=[Path("kept.mkv")])
    assert probe(tmp_path / "kept.mkv").frames == source.frames


@pytest.mark.parametrize("loopback", [True, False])
def test_a_failure_leaves_what_was_there_and_nothing_half_written(ffmpeg, source, tmp_path, loopback, job):
    kept = [tmp_path / "a.mkv", tmp_path / "b.mkv"]
    kept[0].write_bytes(b"an older encode")
    jobs = [job(), job(extra=("-x264-params", "keyint=5", "-bsf:v", "nonexistent"))]
    with pytest.raises(FfmpegError, match=r"encoding clip\.mkv"):
        encode_and_score(ffmpeg, source, jobs, BOTH, keep=kept, workdir=tmp_path, loopback=loopback)
    assert list(tmp_path.iterdir()) == [kept[0]]
    assert kept[0].read_bytes() == b"an older encode"


def test_a_place_that_cannot_be_written(ffmpeg, source, tmp_path, job):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write"):
        encode_and_score(ffmpeg, source, [job()], BOTH, keep=[tmp_path / "file" / "a.mkv"])
    with pytest.raises(OutputError, match="working folder"):
        encode_and_score(ffmpeg, source, [job()], BOTH, workdir=tmp_path / "absent")


def test_nothing_stays_in_the_working_folder(ffmpeg, source, tmp_path, job):
    encode_and_score(ffmpeg, source, [job()], BOTH, workdir=tmp_path)
    score_pair(ffmpeg, source, source, BOTH, workdir=tmp_path)
    assert list(tmp_path.iterdir()) == []
