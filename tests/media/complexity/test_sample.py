"""The sample: by index alone, the same from every container, and had without decoding all."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmafcast.common.errors import MediaError, RequestError
from vmafcast.media.complexity.sample import MAXIMUM_PIXELS, SamplePlan, _frames, sampled
from vmafcast.media.source import open_video, probe


@given(st.integers(1, 5000), st.integers(1, 6), st.integers(1, 40), st.integers(4, 50_000_000))
def test_runs_lie_apart_within_the_source_and_are_alike(frames, runs, length, pixels):
    plan = SamplePlan(runs, length)
    chosen = plan.choose(frames, pixels)
    indices = [index for run in chosen for index in run]
    assert indices == sorted(set(indices))
    assert indices[0] >= 0
    assert indices[-1] < frames
    assert len({len(run) for run in chosen}) == 1
    assert len(indices) <= min(frames, runs * max(length, 2))
    assert len(indices) * pixels <= MAXIMUM_PIXELS or len(chosen[0]) <= 2 or len(indices) <= 2 * runs
    if len(chosen) == runs > 1:  # each lies in the middle of its part
        for number, run in enumerate(chosen):
            assert abs((run[0] + run[-1] + 1) / 2 - (number + 0.5) * frames / runs) <= 1


def test_a_short_source_is_taken_whole():
    assert SamplePlan(2, 16).choose(32, 100) == (range(32),)
    assert SamplePlan(2, 16).choose(1, 100) == (range(1),)


def test_large_pictures_have_shorter_runs():
    runs = SamplePlan(2, 16).choose(1000, 7680 * 4320)
    assert [len(run) for run in runs] == [3, 3]


@pytest.mark.parametrize(("runs", "length"), [(0, 4), (2, 0), (-1, 8)])
def test_a_plan_of_nothing_is_refused(runs, length):
    with pytest.raises(RequestError, match="give 1 or more"):
        SamplePlan(runs, length)


def read(path, plan):
    source = probe(path)
    with sampled(source, plan) as sample:
        return sample.runs, [(run, *(plane.copy() for plane in planes)) for run, planes in sample.planes()]


def same(one, two):
    return one[0] == two[0] and all(
        a[0] == b[0] and all(np.array_equal(x, y) for x, y in zip(a[1:], b[1:], strict=True))
        for a, b in zip(one[1], two[1], strict=True)
    )


@pytest.fixture(scope="module")
def encoded(make_clip, run_tool, tmp_path_factory):
    """The same 40 pictures with B frames, open groups and key frames every 12, in several containers."""
    folder = tmp_path_factory.mktemp("containers")
    clip = make_clip(frames=40, width=96, height=64)
    x264 = ("-c:v", "libx264", "-crf", "12", "-g", "12", "-bf", "3", "-x264-params", "open-gop=1:scenecut=0")
    run_tool("-i", clip, *x264, folder / "a.mkv")
    first = folder / "a.mkv"
    run_tool("-i", first, "-c", "copy", folder / "a.mp4")
    run_tool("-i", first, "-c", "copy", "-video_track_timescale", "90000", folder / "b.mp4")
    run_tool("-i", first, "-c", "copy", "-f", "mpegts", folder / "a.ts")
    run_tool("-i", first, "-c", "copy", "-bsf:v", "h264_mp4toannexb", "-f", "h264", folder / "a.h264")
    run_tool("-i", first, "-c", "copy", "-output_ts_offset", "7.3", folder / "late.mkv")
    return folder


@pytest.mark.parametrize("plan", [SamplePlan(3, 4), SamplePlan(1, 7), SamplePlan(2, 16), SamplePlan(5, 40)], ids=str)
def test_every_container_gives_the_frames_that_a_whole_decode_gives(encoded, run_tool, plan):
    whole = encoded / "whole.y4m"
    if not whole.exists():
        run_tool("-i", encoded / "a.mkv", "-fps_mode", "passthrough", "-pix_fmt", "yuv420p", whole)
    expected = read(whole, plan)
    for name in ("a.mkv", "a.mp4", "b.mp4", "a.ts", "a.h264", "late.mkv"):
        assert same(read(encoded / name, plan), expected), name


@pytest.mark.parametrize(
    "encoder",
    [
        ("libx264", "-bf", "5", "-x264-params", "b-pyramid=none"),
        ("libx265", "-bf", "4", "-x265-params", "log-level=error:open-gop=1"),
        ("mpeg2video", "-bf", "2", "-q:v", "2"),
        ("libvpx-vp9", "-deadline", "good", "-cpu-used", "5", "-auto-alt-ref", "1", "-lag-in-frames", "16"),
        ("libsvtav1", "-preset", "12"),
    ],
    ids=lambda encoder: encoder[0],
)
@pytest.mark.parametrize("size", [(96, 64), (1280, 720)], ids=["one thread", "threads"])
def test_frames_that_nothing_refers_to_are_passed_over_and_change_nothing(make_clip, run_tool, encoder, size):
    clip = make_clip(frames=40, width=size[0], height=size[1])
    delivered, whole = (clip.with_name(f"{encoder[0]}_{size[0]}{ending}") for ending in (".mkv", ".y4m"))
    run_tool("-i", clip, "-c:v", *encoder, "-g", "40", delivered)
    run_tool("-i", delivered, "-fps_mode", "passthrough", "-pix_fmt", "yuv420p", whole)
    assert same(read(delivered, SamplePlan(1, 5)), read(whole, SamplePlan(1, 5)))


def test_frames_before_the_sample_that_nothing_refers_to_are_not_decoded(make_clip, run_tool):
    clip = make_clip(frames=40, width=96, height=64)
    delivered = clip.with_name("delivered.mkv")
    x264 = ("-c:v", "libx264", "-g", "40", "-bf", "3", "-x264-params", "b-adapt=0:b-pyramid=none")
    run_tool("-i", clip, *x264, delivered)
    with open_video(delivered) as (container, stream):
        times = sorted(packet.pts for packet in container.demux(stream) if packet.pts is not None)
        container.seek(0)
        frames = [frame.pts for frame in _frames(probe(delivered), container, stream, wanted=times[20])]
    assert frames == [*times[:20:4], *times[20:]]  # of I, P and three B between: I and P


def test_the_sample_can_be_read_by_ffmpeg_as_it_is_mapped(encoded, run_tool, tmp_path):
    source = probe(encoded / "a.mkv")
    with sampled(source, SamplePlan(2, 5)) as sample:
        again = probe(sample.path)
        described = sample.as_source()
        for name in ("path", "width", "height", "fps", "frames", "bit_depth", "full_range", "pixel_format"):
            assert getattr(again, name) == getattr(described, name), name
        raw = tmp_path / "sample.yuv"
        run_tool("-i", sample.path, "-f", "rawvideo", raw)
        ours = b"".join(plane.tobytes() for _, planes in sample.planes() for plane in planes)
        assert raw.read_bytes() == ours
    assert not sample.path.exists()


@pytest.mark.parametrize(
    ("form", "depth"),
    [("yuv420p10le", 10), ("yuv422p", 8), ("yuv444p12le", 10), ("gray", 8), ("yuvj420p", 8), ("gbrp", 8)],
)
def test_other_formats_become_420(make_clip, run_tool, tmp_path, form, depth):
    path = tmp_path / "other.mkv"
    run_tool("-i", make_clip(), "-vf", f"scale,format={form}", "-c:v", "ffv1", path)
    source = probe(path)
    with sampled(source, SamplePlan(1, 3)) as sample:
        assert sample.depth == depth
        frames = [planes for _, planes in sample.planes()]
    reference = read(make_clip(), SamplePlan(1, 3))[1]
    for planes, (_, *expected) in zip(frames, reference, strict=True):
        assert [plane.shape for plane in planes] == [plane.shape for plane in expected]
        if form in {"yuv420p10le", "yuv422p", "yuv444p12le"}:
            luma = planes[0] / 2 ** (depth - 8)
            assert np.abs(luma - expected[0]).max() <= 1


def test_full_range_is_kept_as_it_is(run_tool, tmp_path):
    path = tmp_path / "full.mkv"
    run_tool("-f", "lavfi", "-i", "color=black:s=32x32:d=0.2,format=yuvj420p", "-c:v", "mjpeg", path)
    source = probe(path)
    assert source.full_range
    with sampled(source) as sample:
        assert probe(sample.path).full_range
        assert all((planes[0] == 0).all() for _, planes in sample.planes())


@pytest.mark.parametrize(("width", "height"), [(97, 65), (33, 64), (2, 2), (3, 2)])
def test_odd_sizes_lose_their_last_row_and_column(make_clip, width, height):
    reference = make_clip(f"{width}x{height}.mkv", width=width, height=height, frames=2)
    with sampled(probe(reference)) as sample:
        for _, planes in sample.planes():
            assert planes[0].shape == (height - height % 2, width - width % 2)
            assert planes[1].shape == planes[2].shape == (height // 2, width // 2)


def test_a_picture_of_one_pixel_is_refused(make_clip):
    with (
        pytest.raises(MediaError, match="nothing below 2x2"),
        sampled(probe(make_clip("dot.mkv", width=1, height=1, frames=1))),
    ):
        pass


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_turned_picture_is_taken_as_ffmpeg_shows_it(make_clip, run_tool, tmp_path, turn):
    plain, turned, shown = tmp_path / "plain.mp4", tmp_path / "turned.mp4", tmp_path / "shown.y4m"
    run_tool("-i", make_clip(), "-c:v", "libx264", "-qp", "0", plain)
    run_tool("-display_rotation", str(turn), "-i", plain, "-c", "copy", turned)
    run_tool("-i", turned, "-fps_mode", "passthrough", shown)
    plan = SamplePlan(2, 3)
    assert same(read(turned, plan), read(shown, plan))


def test_a_frame_that_cannot_be_had_is_an_error(make_clip):
    source = probe(make_clip())
    with pytest.raises(MediaError, match="can be decoded"), sampled(replace(source, frames=50), SamplePlan(2, 4)):
        pass


def test_the_plan_depends_on_no_rate(make_clip):
    slow = read(make_clip("slow.mkv", fps=Fraction(10)), SamplePlan(2, 3))
    fast = read(make_clip("fast.mkv", fps=Fraction(60)), SamplePlan(2, 3))
    assert same(slow, fast)
