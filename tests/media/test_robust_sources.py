"""Awkward sources, each against a score obtained frame by frame.

Both videos are decoded here by PyAV, frame by frame in order of display, and written as raw samples without any
timestamp; libvmaf scores the two raw files. Nothing of that goes through this project.
"""

from __future__ import annotations

import json
from fractions import Fraction

import av
import numpy as np
import pytest

from vmafcast.common.errors import MediaError
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.media.features import CANONICAL6
from vmafcast.media.graph import EncodeSettings, Scoring
from vmafcast.media.measure import encode_and_score, score_pair
from vmafcast.media.source import probe

SCORING = Scoring("vmaf_v0.6.1", (CANONICAL6,))
X264 = EncodeSettings(get_encoder("libx264"), "veryfast", 32)
X265 = EncodeSettings(get_encoder("libx265"), "ultrafast", 32)
SVT = EncodeSettings(get_encoder("libsvtav1"), "12", 45)


def lumas(path, turn=0):
    """The luma planes of every frame in order of display, as 16-bit integers, turned by so many quarters."""
    planes = []
    with av.open(f"file:{path}") as container:
        for frame in container.decode(video=0):
            deep = frame.format.components[0].bits > 8
            rows = np.frombuffer(memoryview(frame.planes[0]), np.uint16 if deep else np.uint8)
            rows = rows.reshape(-1, frame.planes[0].line_size // (2 if deep else 1))
            planes.append(np.rot90(rows[: frame.height, : frame.width].astype(np.uint16), turn))
    return planes


class Judge:
    """Scores lists of luma planes with nothing but libvmaf: raw files, one frame after the other."""

    def __init__(self, run_tool, folder):
        self._run = run_tool
        self._folder = folder

    def vmaf(self, reference, distorted, depth):
        assert len(reference) == len(distorted)
        assert reference[0].shape == distorted[0].shape
        height, width = reference[0].shape
        sample, form = (np.uint8, "yuv420p") if depth == 8 else (np.uint16, f"yuv420p{depth}le")
        chroma = np.full(width * height // 2, 1 << (depth - 1), dtype=sample).tobytes()  # it decides nothing
        for name, planes in (("reference", reference), ("distorted", distorted)):
            raw = b"".join(plane.astype(sample).tobytes() + chroma for plane in planes)
            (self._folder / name).write_bytes(raw)
        form_of = ("-f", "rawvideo", "-s", f"{width}x{height}", "-pix_fmt", form, "-r", "25", "-i")
        graph = "[0:v][1:v]libvmaf=log_fmt=json:log_path=judge.json"
        videos = (*form_of, "distorted", *form_of, "reference")
        self._run(*videos, "-filter_complex", graph, "-f", "null", "-", cwd=self._folder)
        frames = json.loads((self._folder / "judge.json").read_text())["frames"]
        assert len(frames) == len(reference)
        return np.array([frame["metrics"]["vmaf"] for frame in frames])


@pytest.fixture
def judge(run_tool, tmp_path):
    folder = tmp_path / "judge"
    folder.mkdir()
    return Judge(run_tool, folder)


def both_paths(ffmpeg, source, settings, folder):
    """Encode and score in one process and in two steps, which must agree; return the scores and the kept file."""
    kept = folder / "kept.mkv"
    [one] = encode_and_score(ffmpeg, source, [settings], SCORING, keep=[kept])
    [two] = encode_and_score(ffmpeg, source, [settings], SCORING, loopback=False)
    np.testing.assert_array_equal(one.scores.vmaf, two.scores.vmaf)
    again = score_pair(ffmpeg, source, probe(kept), SCORING)
    np.testing.assert_array_equal(one.scores.vmaf, again.vmaf)
    return one.scores.vmaf, kept


def test_the_judge_judges(make_clip, judge):
    """A blind judge would agree with everything."""
    good = lumas(make_clip(frames=4))
    noise = np.random.default_rng(1)
    worse = [
        np.clip(plane.astype(int) + noise.integers(-60, 61, plane.shape), 0, 255).astype(np.uint16) for plane in good
    ]
    assert judge.vmaf(good, good, 8).min() > 97
    assert judge.vmaf(good, worse, 8).mean() < 80
    assert judge.vmaf(good, good[::-1], 8).mean() < 60


# ------------------------------------------------------------------------------------------------------- time


VARIABLE = "setpts='(N+0.4*mod(N*N,5)+if(gte(N,6),9,0))/25/TB'"


@pytest.mark.parametrize("container", ["mkv", "mp4"])
def test_a_variable_frame_rate(ffmpeg, make_clip, run_tool, judge, tmp_path, container):
    """Frames come at uneven times, with a gap; a filter that goes by time would repeat or drop some."""
    path = tmp_path / f"variable.{container}"
    run_tool("-i", make_clip(frames=14), "-vf", VARIABLE, "-fps_mode", "passthrough", "-enc_time_base", "1/1000",
             "-c:v", "libx264", "-crf", 4, "-bf", 2, path)  # fmt: skip
    with av.open(str(path)) as opened:
        stamps = [float(frame.pts * frame.time_base) for frame in opened.decode(video=0)]
    steps = np.diff(stamps)
    assert steps.max() > 3 * steps.min()
    source = probe(path)
    assert source.frames == 14
    scores, kept = both_paths(ffmpeg, source, X264, tmp_path)
    np.testing.assert_array_equal(scores, judge.vmaf(lumas(path), lumas(kept), 8))


@pytest.mark.parametrize("container", ["mkv", "mp4", "mov", "ts", "nut"])
def test_time_bases_of_containers(ffmpeg, make_clip, run_tool, judge, tmp_path, container):
    """Milliseconds, ticks of 90 kHz, and what else they count in."""
    source = probe(make_clip(frames=12, fps=Fraction(30000, 1001), seed=3))
    path = tmp_path / f"encode.{container}"
    run_tool("-i", source.path, "-c:v", "libx264", "-crf", 34, "-bf", 2, path)
    scores = score_pair(ffmpeg, source, probe(path), SCORING)
    np.testing.assert_array_equal(scores.vmaf, judge.vmaf(lumas(source.path), lumas(path), 8))


def test_another_frame_rate_that_is_only_stated(ffmpeg, make_clip, run_tool, judge, tmp_path):
    """The same frames, told at 24 instead of 25 a second."""
    source = probe(make_clip(frames=12))
    run_tool("-r", 24, "-i", source.path, "-c:v", "libx264", "-crf", 34, tmp_path / "slow.mp4")
    slow = probe(tmp_path / "slow.mp4")
    assert (slow.fps, source.fps) == (24, 25)
    scores = score_pair(ffmpeg, source, slow, SCORING)
    np.testing.assert_array_equal(scores.vmaf, judge.vmaf(lumas(source.path), lumas(slow.path), 8))


# ---------------------------------------------------------------------------------------------- samples and layouts


@pytest.mark.parametrize("settings", [X264, X265, SVT], ids=lambda each: each.encoder.name)
def test_ten_bits(ffmpeg, make_clip, run_tool, judge, tmp_path, settings):
    low_bits = "format=yuv420p10le,geq=lum='lum(X,Y)+mod(X*7+Y*13+N*3,4)':cb='cb(X,Y)':cr='cr(X,Y)'"
    run_tool("-i", make_clip(frames=6), "-vf", low_bits, "-c:v", "ffv1", tmp_path / "deep.mkv")
    source = probe(tmp_path / "deep.mkv")
    scores, kept = both_paths(ffmpeg, source, settings, tmp_path)
    reference = lumas(source.path)
    assert len(np.unique(np.stack(reference) % 4)) == 4
    np.testing.assert_array_equal(scores, judge.vmaf(reference, lumas(kept), 10))


def test_twelve_bits_are_worked_on_at_ten(ffmpeg, make_clip, run_tool, judge, tmp_path):
    """No encoder here has twelve: rounding to ten is what it gets, and what it is held against."""
    low_bits = "format=yuv420p12le,geq=lum='lum(X,Y)+mod(X*7+Y*13+N*3,16)':cb='cb(X,Y)':cr='cr(X,Y)'"
    run_tool("-i", make_clip(frames=6), "-vf", low_bits, "-c:v", "ffv1", tmp_path / "deep.mkv")
    source = probe(tmp_path / "deep.mkv")
    assert source.bit_depth == 12
    scores, kept = both_paths(ffmpeg, source, X264, tmp_path)
    assert probe(kept).bit_depth == 10
    run_tool("-i", source.path, "-pix_fmt", "yuv420p10le", "-c:v", "ffv1", tmp_path / "ten.mkv")
    ten = lumas(tmp_path / "ten.mkv")
    assert np.abs(np.stack(ten) - np.stack(lumas(source.path)) / 4).max() <= 1
    np.testing.assert_array_equal(scores, judge.vmaf(ten, lumas(kept), 10))


@pytest.mark.parametrize(
    ("layout", "depth"), [("yuv422p", 8), ("yuv444p", 8), ("yuv422p10le", 10), ("yuv444p10le", 10)]
)
def test_layouts_of_chroma(ffmpeg, make_clip, run_tool, judge, tmp_path, layout, depth):
    """Encoders get 4:2:0; luma, which decides the score, is the source's own to the last sample."""
    run_tool("-i", make_clip(frames=6), "-pix_fmt", layout, "-c:v", "ffv1", tmp_path / "source.mkv")
    source = probe(tmp_path / "source.mkv")
    assert source.pixel_format == layout
    scores, kept = both_paths(ffmpeg, source, X264, tmp_path)
    np.testing.assert_array_equal(scores, judge.vmaf(lumas(source.path), lumas(kept), depth))


def test_full_range(ffmpeg, make_clip, run_tool, judge, tmp_path):
    run_tool("-i", make_clip(frames=6), "-vf", "scale=in_range=tv:out_range=pc", "-c:v", "ffv1", "-pix_fmt", "yuvj420p",
             "-color_range", "pc", tmp_path / "full.mkv")  # fmt: skip
    source = probe(tmp_path / "full.mkv")
    assert source.full_range
    assert np.stack(lumas(source.path)).max() > 235
    scores, kept = both_paths(ffmpeg, source, X264, tmp_path)
    np.testing.assert_array_equal(scores, judge.vmaf(lumas(source.path), lumas(kept), 8))


# ------------------------------------------------------------------------------------------------------ geometry


@pytest.mark.parametrize(("width", "height"), [(129, 97), (128, 97), (129, 96)])
def test_odd_sizes(ffmpeg, make_clip, judge, tmp_path, width, height):
    source = probe(make_clip(width=width, height=height, frames=6))
    scores, kept = both_paths(ffmpeg, source, X264, tmp_path)
    cropped = [plane[: height // 2 * 2, : width // 2 * 2] for plane in lumas(source.path)]
    np.testing.assert_array_equal(scores, judge.vmaf(cropped, lumas(kept), 8))


@pytest.mark.parametrize(("degrees", "quarters"), [(90, 1), (180, 2), (-90, 3)])
def test_rotation_flags(ffmpeg, make_clip, run_tool, judge, tmp_path, degrees, quarters):
    """The frames are turned before they are encoded, as every player does, and not turned again."""
    run_tool("-i", make_clip(frames=6), "-c:v", "libx264", "-crf", 4, tmp_path / "flat.mp4")
    run_tool("-display_rotation", degrees, "-i", tmp_path / "flat.mp4", "-c", "copy", tmp_path / "turned.mp4")
    source = probe(tmp_path / "turned.mp4")
    scores, kept = both_paths(ffmpeg, source, X264, tmp_path)
    with av.open(str(kept)) as container:
        assert next(container.decode(video=0)).rotation == 0
    np.testing.assert_array_equal(scores, judge.vmaf(lumas(source.path, turn=quarters), lumas(kept), 8))


@pytest.mark.parametrize(("width", "height"), [(64, 48), (96, 54), (256, 192)])
def test_a_scaled_encode_is_scored_at_the_size_of_its_reference(
    ffmpeg, make_clip, run_tool, judge, tmp_path, width, height
):
    source = probe(make_clip(frames=6))
    run_tool("-i", source.path, "-vf", f"scale={width}:{height}", "-c:v", "libx264", "-crf", 28, tmp_path / "s.mp4")
    scores = score_pair(ffmpeg, source, probe(tmp_path / "s.mp4"), SCORING)
    run_tool("-i", tmp_path / "s.mp4", "-vf", "scale=128:96:flags=bicubic", "-fps_mode", "passthrough", "-c:v", "ffv1",
             tmp_path / "back.mkv")  # fmt: skip
    np.testing.assert_array_equal(scores.vmaf, judge.vmaf(lumas(source.path), lumas(tmp_path / "back.mkv"), 8))


# ---------------------------------------------------------------------------------------------------- interlaced

INTERLACED = {
    "libx264": ("-vf", "interlace", "-c:v", "libx264", "-crf", "6", "-x264-params", "interlaced=1"),
    "mpeg2video": ("-vf", "interlace", "-c:v", "mpeg2video", "-q:v", "2", "-flags", "+ildct+ilme"),
    "ffv1": ("-vf", "interlace", "-c:v", "ffv1", "-flags", "+ildct", "-field_order", "tt"),
}


@pytest.mark.parametrize("codec", INTERLACED)
def test_interlaced_material_is_refused_or_deinterlaced(ffmpeg, make_clip, run_tool, judge, tmp_path, codec):
    path = tmp_path / "interlaced.mkv"
    run_tool("-i", make_clip(frames=16), *INTERLACED[codec], path)
    with pytest.raises(MediaError, match=r"interlaced\.mkv is interlaced.*--deinterlace.*bwdif"):
        probe(path)
    source = probe(path, deinterlace=True)
    assert source.deinterlace
    scores, kept = both_paths(ffmpeg, source, X264, tmp_path)
    assert probe(kept).frames == source.frames  # of the encode, no field is left
    run_tool("-i", path, "-vf", "bwdif=mode=send_frame:deint=all", "-fps_mode", "passthrough", "-c:v", "ffv1",
             tmp_path / "by_hand.mkv")  # fmt: skip
    by_hand = lumas(tmp_path / "by_hand.mkv")
    assert np.abs(np.stack(by_hand).astype(int) - np.stack(lumas(path)).astype(int)).max() > 20
    np.testing.assert_array_equal(scores, judge.vmaf(by_hand, lumas(kept), 8))


def test_an_interlaced_video_is_found_by_later_frames_too(make_clip, run_tool, tmp_path):
    """A leader is often progressive."""
    for name, extra in (("head", ()), ("tail", ("-x264-params", "interlaced=1"))):
        run_tool("-i", make_clip(frames=6), "-c:v", "libx264", "-g", 3, "-bf", 0, *extra, tmp_path / f"{name}.264")
    (tmp_path / "both.264").write_bytes((tmp_path / "head.264").read_bytes() + (tmp_path / "tail.264").read_bytes())
    with pytest.raises(MediaError, match="interlaced"):
        probe(tmp_path / "both.264")


def test_progressive_material_is_left_alone_where_deinterlacing_is_asked_for(make_clip):
    clip = make_clip(frames=6)
    assert probe(clip, deinterlace=True) == probe(clip)


# ----------------------------------------------------------------------------------------------------------- HDR


@pytest.fixture(params=["smpte2084", "arib-std-b67"])
def hdr(request, make_clip, run_tool, tmp_path):
    path = tmp_path / "hdr.mkv"
    tags = f"setparams=color_primaries=bt2020:color_trc={request.param}:colorspace=bt2020nc"
    run_tool("-i", make_clip(frames=6), "-vf", f"format=yuv420p10le,{tags}", "-c:v", "libx265", "-x265-params",
             "log-level=none:lossless=1", path)  # fmt: skip
    return path


def test_hdr_is_recognised_and_not_scored_as_sdr_by_accident(ffmpeg, hdr):
    source = probe(hdr)
    assert source.hdr
    with pytest.raises(MediaError, match=r"hdr\.mkv is HDR \((PQ|HLG)\).*--allow-hdr"):
        encode_and_score(ffmpeg, source, [X265], SCORING)
    with pytest.raises(MediaError, match=r"HDR \((PQ|HLG)\).*tone-map"):
        score_pair(ffmpeg, source, source, SCORING)


def test_hdr_is_scored_by_its_code_values_where_that_is_asked_for(ffmpeg, hdr, judge, tmp_path):
    allowed = Scoring("vmaf_v0.6.1", (CANONICAL6,), allow_hdr=True)
    source = probe(hdr)
    kept = tmp_path / "kept.mkv"
    [cell] = encode_and_score(ffmpeg, source, [X265], allowed, keep=[kept])
    assert probe(kept).transfer == source.transfer
    np.testing.assert_array_equal(cell.scores.vmaf, judge.vmaf(lumas(hdr), lumas(kept), 10))
    np.testing.assert_array_equal(score_pair(ffmpeg, source, probe(kept), allowed).vmaf, cell.scores.vmaf)


def test_hdr_and_sdr_are_not_compared(ffmpeg, hdr, run_tool, tmp_path):
    run_tool("-i", hdr, "-vf", "setparams=color_trc=bt709", "-c:v", "ffv1", "-color_trc", "bt709", tmp_path / "sdr.mkv")
    sdr = probe(tmp_path / "sdr.mkv")
    assert not sdr.hdr
    allowed = Scoring("vmaf_v0.6.1", (), allow_hdr=True)
    with pytest.raises(MediaError, match=r"sdr\.mkv is SDR and hdr\.mkv is HDR"):
        score_pair(ffmpeg, sdr, probe(hdr), allowed)
    with pytest.raises(MediaError, match=r"hdr\.mkv is HDR \(\w+\) and sdr\.mkv is SDR"):
        score_pair(ffmpeg, probe(hdr), sdr, allowed)


@pytest.mark.parametrize("transfer", ["bt709", "bt2020-10", "smpte170m", "iec61966-2-1"])
def test_other_transfer_functions_are_sdr(make_clip, run_tool, tmp_path, transfer):
    run_tool("-i", make_clip(frames=2), "-vf", f"setparams=color_trc={transfer}", "-c:v", "libx264",
             tmp_path / "clip.mkv")  # fmt: skip
    assert probe(tmp_path / "clip.mkv").transfer == "sdr"
