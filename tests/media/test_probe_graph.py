from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from vmafcast.common.errors import RequestError
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.media.features import ACTIVITY, CANONICAL6, LITE
from vmafcast.media.graph import EncodeSettings
from vmafcast.media.probe_graph import ShortEncode, SparseScoring, probe_arguments, score_arguments, short_arguments
from vmafcast.media.source import Source

SOURCE = Source(
    path=Path("/clips/it's [a]:clip;,%d.mkv"), sha256="0" * 64, width=352, height=288, fps=Fraction(30000, 1001),
    frames=32, pixel_format="yuv420p", bit_depth=8, full_range=False, codec="h264", encoder_tag="",
)  # fmt: skip
JOBS = [EncodeSettings(get_encoder("libx264"), "medium", quality) for quality in (20, 30)]
WITH_SSIM = replace(CANONICAL6, filters=("ssim",))
FROM_0 = SparseScoring("vmaf_v0.6.1", WITH_SSIM, 7)
FROM_1 = replace(FROM_0, first=1)


def graphs(arguments):
    return [arguments[i + 1] for i, each in enumerate(arguments) if each == "-filter_complex"]


@pytest.mark.parametrize(
    ("first", "frames", "scored"),
    [(0, 32, [0, 7, 14, 21, 28]), (1, 32, [1, 8, 15, 22, 29]), (1, 2, [1]), (1, 1, [0]), (6, 5, [0]), (6, 7, [6])],
)
def test_each_so_manieth_frame_is_scored_and_always_one(first, frames, scored):
    scoring = replace(FROM_0, first=first)
    assert list(scoring.scored(frames)) == scored
    assert scoring.passed_over(frames) == (scored[0] > 0)


@pytest.mark.parametrize(("every", "first"), [(2, 0), (0, 0), (7, 7), (7, -1)])
def test_groups_that_would_overlap_and_first_frames_out_of_range_are_refused(every, first):
    with pytest.raises(RequestError, match=f"each {every}. frame from {first} on cannot be scored"):
        SparseScoring("vmaf_v0.6.1", CANONICAL6, every, first)


@pytest.mark.parametrize("features", [LITE, ACTIVITY])
def test_what_needs_every_frame_is_refused(features):
    with pytest.raises(RequestError, match=f"{features.name} cannot be measured of some frames alone"):
        SparseScoring("vmaf_v0.6.1", features, 7)


def test_both_sides_lose_the_same_frames():
    for scoring in (FROM_0, FROM_1):
        graph = graphs(probe_arguments(SOURCE, JOBS[:1], [scoring]))[-1]
        distorted, reference = graph.split(";")[:2]
        groups = distorted[distorted.index("select=") : distorted.index(",format=")]
        assert groups in reference
        assert ("loop=loop=2:size=1" in groups) == (scoring is FROM_1)
        assert groups.endswith("setpts=N")


def test_ssim_sees_the_scored_frames_alone_and_libvmaf_their_neighbours_too():
    graph = graphs(probe_arguments(SOURCE, JOBS[:1], [FROM_0]))[-1]
    assert graph.count("select='not(mod(n,3))'") == 2
    [libvmaf] = [part for part in graph.split(";") if "libvmaf" in part]
    assert libvmaf.startswith("[d0][r0]libvmaf=")
    assert "n_subsample=3" in libvmaf
    without = graphs(probe_arguments(SOURCE, JOBS[:1], [replace(FROM_0, features=CANONICAL6)]))[-1]
    assert "ssim" not in without


def test_the_source_is_decoded_once_for_all_jobs():
    arguments = probe_arguments(SOURCE, JOBS, [FROM_1, FROM_0])
    assert arguments.count("-i") == 1
    assert arguments.count("-dec") == 2
    scores = [graph for graph in graphs(arguments) if "libvmaf" in graph]
    assert ["loop=" in graph for graph in scores] == [True, False]


def test_a_short_encode_is_made_beside_the_jobs_in_their_container_and_not_scored():
    short = ShortEncode(replace(JOBS[0], quality=40), 16)
    arguments = probe_arguments(SOURCE, JOBS, [FROM_0, FROM_0], [short])
    assert "split=5[e0][e1][e2][s0][s1]" in graphs(arguments)[0]
    assert "[e2]trim=end_frame=16,format=yuv420p[v2]" in graphs(arguments)
    at = arguments.index("[v2]")
    own = arguments[at : arguments.index("c2.mkv") + 1]
    assert own[-3:] == ["-f", "matroska", "c2.mkv"]
    assert own[own.index("-crf") + 1] == "40"
    assert "c2.packets" in own
    # The decoders take what the first outputs made: a short one comes after them.
    assert arguments.index("c1.mkv") < at < arguments.index("-dec")
    assert arguments.count("-dec") == len(JOBS)
    assert short_arguments(SOURCE, short)[-3:] == ["-f", "matroska", "c0.mkv"]


def test_nothing_of_the_users_stands_in_a_filter():
    for arguments in (
        probe_arguments(SOURCE, JOBS, [FROM_0, FROM_1]),
        short_arguments(SOURCE, ShortEncode(JOBS[0], 8)),
        score_arguments(SOURCE, SOURCE, FROM_1),
    ):
        assert f"file:{SOURCE.path}" in arguments
        assert not any("clip" in graph for graph in graphs(arguments))
