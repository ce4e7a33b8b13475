"""Encoding and scoring: in one process or in two steps, and what is refused or told meanwhile."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from vmafcast.common.errors import CapabilityError, MediaError, RequestError
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.media.features import CANONICAL6, LITE
from vmafcast.media.graph import EncodeSettings, Scoring
from vmafcast.media.measure import encode_and_score, score_pair
from vmafcast.media.source import probe

TEACHER = "vmaf_v0.6.1"
BOTH = Scoring(TEACHER, (CANONICAL6, LITE))
COLUMNS = {*CANONICAL6.columns, *LITE.columns, "vmaf"}


@pytest.fixture(scope="module")
def encoders(job):
    return [
        job("libx264", 23, preset="medium"),
        job("libx264", 40),
        job("libx265", 30, preset="veryfast"),
        job("libsvtav1", 45, preset="12"),
        job("libvpx-vp9", 50, preset="5"),
        job("libaom-av1", 50, preset="8"),
        job("libvvenc", 40, preset="faster"),
    ]


@pytest.mark.parametrize("fps", [Fraction(24000, 1001), Fraction(50)])
def test_one_process_and_two_steps_agree_to_the_last_digit(ffmpeg, make_clip, fps, assert_same_encodes, encoders):
    """At 50 frames a second too: XPSNR weights motion in another way above 32."""
    source = probe(make_clip(frames=10, fps=fps, seed=2))
    together = encode_and_score(ffmpeg, source, encoders, BOTH, loopback=True)
    apart = encode_and_score(ffmpeg, source, encoders, BOTH, loopback=False)
    assert len(together) == len(apart) == len(encoders)
    for settings, one, other in zip(encoders, together, apart, strict=True):
        assert one.settings == other.settings == settings
        assert set(one.scores.columns) == COLUMNS
        assert_same_encodes(one, other)


def test_the_neighbours_in_a_process_do_not_matter(ffmpeg, source, assert_same_encodes, encoders):
    alone = [encode_and_score(ffmpeg, source, [each], BOTH, loopback=True)[0] for each in encoders[:3]]
    together = encode_and_score(ffmpeg, source, encoders[:3][::-1], BOTH, loopback=True)
    for one, other in zip(alone, together[::-1], strict=True):
        assert_same_encodes(one, other)


@pytest.mark.parametrize("extra", [(), ("-bf", "0"), ("-g", "4")])
def test_types_of_frames_are_told_from_the_order_of_coding(ffmpeg, source, extra, job):
    [cell] = encode_and_score(ffmpeg, source, [job(preset="medium", extra=extra)], Scoring(TEACHER, ()))
    types = cell.packets.types
    assert len(types) == len(cell.packets.bytes) == source.frames
    assert types[0] == "I"
    keys = types.count("I")
    assert keys == (4 if extra == ("-g", "4") else 1)
    assert ("B" in types) == (extra != ("-bf", "0"))
    assert cell.packets.bytes.min() > 0
    assert cell.bytes == cell.packets.bytes.sum()
    assert cell.packets.bytes[0] == cell.packets.bytes.max()


def test_bytes_are_those_of_the_stream_in_the_file(ffmpeg, source, tmp_path, job):
    """VP9's packets are stored as they are; those of H.264 change their start codes on the way into a container."""
    kept = tmp_path / "kept.mkv"
    [cell] = encode_and_score(ffmpeg, source, [job("libvpx-vp9", 40)], Scoring(TEACHER, ()), keep=[kept])
    with av.open(str(kept)) as container:
        shown = sorted((packet.pts, packet.size) for packet in container.demux(video=0) if packet.size)
    assert [size for _, size in shown] == cell.packets.bytes.tolist()


def test_bytes_are_in_the_order_of_the_frames(encoded):
    """B frames are coded later than they are shown; MP4 exchanges each start code for a length, byte for byte or so."""
    path, cell = encoded
    assert "B" in cell.packets.types
    with av.open(str(path)) as container:
        shown = sorted((packet.pts, packet.size) for packet in container.demux(video=0) if packet.size)
    np.testing.assert_allclose([size for _, size in shown], cell.packets.bytes, atol=8)


def test_a_quality_out_of_range_is_refused_before_anything_runs(ffmpeg, source, job):
    with pytest.raises(RequestError, match="libx264 takes a quality of 0 to 51"):
        encode_and_score(ffmpeg, source, [job(quality=99)], BOTH)
    with pytest.raises(RequestError, match="no preset"):
        encode_and_score(ffmpeg, source, [job(preset="warp")], BOTH)


def test_a_source_that_is_damaged_inside_is_refused(ffmpeg, source, run_tool, tmp_path, job):
    """Every packet is there, so it can be probed; what cannot be decoded is found while scoring."""
    run_tool("-i", source.path, "-c:v", "png", "-f", "mov", tmp_path / "a.mov")
    whole = bytearray((tmp_path / "a.mov").read_bytes())
    places = [place for place in range(len(whole)) if whole[place : place + 4] == b"IHDR"]
    assert len(places) == source.frames
    whole[places[7] : places[7] + 4] = b"XXXX"
    (tmp_path / "a.mov").write_bytes(whole)
    damaged = probe(tmp_path / "a.mov")
    for loopback in (True, False):
        with pytest.raises(MediaError, match=r"a\.mov|libx264"):
            encode_and_score(ffmpeg, damaged, [job()], BOTH, workdir=tmp_path, loopback=loopback)
    with pytest.raises(MediaError):
        score_pair(ffmpeg, source, damaged, BOTH, workdir=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mov"]


def test_an_encoder_that_drops_frames_is_noticed(ffmpeg, source, job):
    for loopback in (True, False):
        with pytest.raises(MediaError, match="made 5 packets of 16 frames"):
            encode_and_score(ffmpeg, source, [job(extra=("-frames:v", "5"))], BOTH, loopback=loopback)


def test_a_stranger_among_encoders(ffmpeg, source, job):
    unknown = EncodeSettings(replace(get_encoder("libx264"), name="libnone"), "medium", 23)
    with pytest.raises(CapabilityError, match="built without the encoder libnone"):
        encode_and_score(ffmpeg, source, [job(), unknown], BOTH)


def test_progress_is_in_frames_of_the_first_job(ffmpeg, make_clip, job):
    clip = probe(make_clip(frames=60))
    for loopback in (True, False):
        seen: list[int] = []
        encode_and_score(ffmpeg, clip, [job(preset="slow", quality=20)], Scoring(TEACHER, ()), on_frame=seen.append,
                         loopback=loopback)  # fmt: skip
        assert seen == sorted(seen)
        assert seen[-1] == 60


def test_where_the_system_tells_a_cells_cpu_is_known(ffmpeg, source, job):
    cells = encode_and_score(ffmpeg, source, [job(), job(quality=40)], BOTH, loopback=True)
    for cell in cells:
        parts = (cell.cpu.encode, cell.cpu.decode, cell.cpu.score)
        assert all(part is not None and part >= 0 for part in parts) == Path("/proc/self/task").is_dir()
