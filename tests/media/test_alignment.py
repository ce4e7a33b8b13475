"""Frames are aligned by their index, whatever timestamps and tags say."""

from __future__ import annotations

import json
from fractions import Fraction

import av
import numpy as np
import pytest

from vmafcast.common.errors import MediaError
from vmafcast.media.features import CANONICAL6, LITE
from vmafcast.media.graph import Scoring
from vmafcast.media.measure import encode_and_score, score_pair
from vmafcast.media.source import probe

TEACHER = "vmaf_v0.6.1"
BOTH = Scoring(TEACHER, (CANONICAL6, LITE))


def naive_vmaf(ffmpeg, run_tool, distorted, reference, folder):
    """What one finds in most scripts: two inputs, one filter, synchronised by their timestamps."""
    run_tool("-i", distorted, "-i", reference, "-filter_complex", "[0:v][1:v]libvmaf=log_fmt=json:log_path=n.json",
             "-f", "null", "-", cwd=folder)  # fmt: skip
    frames = json.loads((folder / "n.json").read_text())["frames"]
    return np.mean([frame["metrics"]["vmaf"] for frame in frames])


REMUXED = {
    "other time base": (("-c", "copy"), "remuxed.mkv"),
    "transport stream": (("-c", "copy"), "remuxed.ts"),
    "late start": (("-c", "copy", "-output_ts_offset", "7.013"), "remuxed.mkv"),
    "variable rate": (("-c", "copy", "-bsf:v", "setts=ts=TS+mod(N*N\\,5)*DURATION/12"), "remuxed.mkv"),
    "stretched": (("-c", "copy", "-bsf:v", "setts=ts=TS*2:duration=DURATION*2"), "remuxed.mkv"),
}


@pytest.mark.parametrize("how", REMUXED)
def test_the_same_frames_score_the_same_whatever_their_timestamps_say(
    ffmpeg, run_tool, ntsc, encoded, tmp_path, how, assert_same_scores
):
    path, cell = encoded
    arguments, name = REMUXED[how]
    run_tool("-i", path, *arguments, tmp_path / name)
    distorted = probe(tmp_path / name)
    assert_same_scores(score_pair(ffmpeg, ntsc, distorted, BOTH), cell.scores)


def test_the_timestamps_of_the_reference_do_not_matter_either(ffmpeg, run_tool, ntsc, encoded, tmp_path):
    path, cell = encoded
    run_tool("-i", ntsc.path, "-c", "copy", "-output_ts_offset", "3.7", tmp_path / "late.mkv")
    late = score_pair(ffmpeg, probe(tmp_path / "late.mkv"), probe(path), BOTH)
    np.testing.assert_array_equal(late.vmaf, cell.scores.vmaf)


def test_the_naive_filter_does_fall_into_the_trap(ffmpeg, run_tool, ntsc, encoded, tmp_path):
    path, cell = encoded
    truth = cell.scores.vmaf.mean()
    naive = naive_vmaf(ffmpeg, run_tool, path, ntsc.path, tmp_path)
    assert naive < truth - 2
    assert score_pair(ffmpeg, ntsc, probe(path), Scoring(TEACHER, ())).vmaf.mean() == truth


def test_the_naive_filter_is_right_where_timestamps_agree(ffmpeg, run_tool, make_clip, tmp_path, job):
    """The same sum from an independent route: milliseconds hold 25 frames a second exactly."""
    source = probe(make_clip(frames=8, fps=Fraction(25)))
    [cell] = encode_and_score(ffmpeg, source, [job(quality=35)], BOTH, keep=[tmp_path / "a.mkv"])
    naive = naive_vmaf(ffmpeg, run_tool, tmp_path / "a.mkv", source.path, tmp_path)
    assert naive == pytest.approx(cell.scores.vmaf.mean(), abs=1e-6)


def test_colour_tags_convert_nothing(ffmpeg, run_tool, ntsc, encoded, tmp_path, assert_same_scores):
    """The same frames under other tags are the same frames; left alone, ffmpeg would convert one side."""
    path, cell = encoded
    tags = "h264_metadata=colour_primaries=5:transfer_characteristics=6:matrix_coefficients=5"
    run_tool("-i", path, "-c", "copy", "-bsf:v", tags, "-colorspace", "bt470bg", tmp_path / "tagged.mp4")
    with av.open(str(tmp_path / "tagged.mp4")) as container:
        assert int(next(container.decode(video=0)).colorspace) == 5
    with av.open(str(ntsc.path)) as container:
        assert int(next(container.decode(video=0)).colorspace) == 1
    assert_same_scores(score_pair(ffmpeg, ntsc, probe(tmp_path / "tagged.mp4"), BOTH), cell.scores)


def test_other_frame_counts_are_refused(ffmpeg, make_clip, source):
    with pytest.raises(MediaError, match=r"has 5 frames .* has 16") as caught:
        score_pair(ffmpeg, source, probe(make_clip(frames=5)), BOTH)
    assert "clip.mkv" in str(caught.value)
