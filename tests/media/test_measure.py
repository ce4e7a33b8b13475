from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from vmafcast.common.errors import CapabilityError, FfmpegError, MediaError, OutputError, RequestError
from vmafcast.corpus.store import Pooled
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.media.features import CANONICAL6, LITE, XPSNR_CEILING_DB
from vmafcast.media.graph import EncodeSettings, Scoring
from vmafcast.media.measure import encode_and_score, score_pair
from vmafcast.media.source import probe

TEACHER = "vmaf_v0.6.1"
BOTH = Scoring(TEACHER, (CANONICAL6, LITE))
COLUMNS = {*CANONICAL6.columns, *LITE.columns, "vmaf"}


def job(name="libx264", quality=30, preset=None, **more):
    encoder = get_encoder(name)
    return EncodeSettings(encoder, preset or encoder.presets[0], quality, **more)


def luma(path):
    """Decode with PyAV, past everything that is tested here: the luma planes, [frames, height, width]."""
    with av.open(f"file:{path}") as container:
        planes = []
        for frame in container.decode(video=0):
            plane = frame.planes[0]
            sample = np.uint8 if frame.format.components[0].bits == 8 else np.uint16
            rows = np.frombuffer(memoryview(plane), sample).reshape(-1, plane.line_size // sample().itemsize)
            planes.append(rows[: frame.height, : frame.width].astype(np.float64))
    return np.stack(planes)


def psnr(reference, distorted, peak, cap):
    error = ((reference - distorted) ** 2).mean(axis=(1, 2))
    return np.minimum(10 * np.log10(peak**2 / np.maximum(error, 1e-12)), cap)


def assert_same_scores(one, other):
    assert one.columns.keys() == other.columns.keys()
    for name, column in one.columns.items():
        np.testing.assert_array_equal(column, other.columns[name], err_msg=name)


def assert_same_encodes(one, other):
    assert_same_scores(one.scores, other.scores)
    np.testing.assert_array_equal(one.packets.bytes, other.packets.bytes)
    assert one.packets.types == other.packets.types


@pytest.fixture(scope="module")
def source(make_clip):
    return probe(make_clip(frames=16))


@pytest.fixture(scope="module")
def ntsc(make_clip):
    """At 30000/1001, where Matroska's milliseconds are not MP4's ticks."""
    return probe(make_clip(frames=20, fps=Fraction(30000, 1001), seed=4))


@pytest.fixture(scope="module")
def encoded(ffmpeg, ntsc, tmp_path_factory):
    """An MP4 with B frames of ``ntsc``, and what was measured of it while it was made."""
    path = tmp_path_factory.mktemp("encoded") / "x264.mp4"
    [cell] = encode_and_score(ffmpeg, ntsc, [job(preset="medium", quality=35)], BOTH, keep=[path])
    return path, cell


# ------------------------------------------------------------------------------------ one process and two steps

ENCODERS = [
    job("libx264", 23, preset="medium"),
    job("libx264", 40),
    job("libx265", 30, preset="veryfast"),
    job("libsvtav1", 45, preset="12"),
    job("libvpx-vp9", 50, preset="5"),
    job("libaom-av1", 50, preset="8"),
    job("libvvenc", 40, preset="faster"),
]


@pytest.mark.parametrize("fps", [Fraction(24000, 1001), Fraction(50)])
def test_one_process_and_two_steps_agree_to_the_last_digit(ffmpeg, make_clip, fps):
    """At 50 frames a second too: XPSNR weights motion in another way above 32."""
    source = probe(make_clip(frames=10, fps=fps, seed=2))
    together = encode_and_score(ffmpeg, source, ENCODERS, BOTH, loopback=True)
    apart = encode_and_score(ffmpeg, source, ENCODERS, BOTH, loopback=False)
    assert len(together) == len(apart) == len(ENCODERS)
    for settings, one, other in zip(ENCODERS, together, apart, strict=True):
        assert one.settings == other.settings == settings
        assert set(one.scores.columns) == COLUMNS
        assert_same_encodes(one, other)


def test_the_neighbours_in_a_process_do_not_matter(ffmpeg, source):
    alone = [encode_and_score(ffmpeg, source, [each], BOTH, loopback=True)[0] for each in ENCODERS[:3]]
    together = encode_and_score(ffmpeg, source, ENCODERS[:3][::-1], BOTH, loopback=True)
    for one, other in zip(alone, together[::-1], strict=True):
        assert_same_encodes(one, other)


def test_every_third_frame_is_scored_as_it_is_among_all(ffmpeg, source):
    whole, [few] = (
        encode_and_score(ffmpeg, source, [job()], Scoring(TEACHER, (CANONICAL6,), every=every)) for every in (1, 3)
    )
    assert few.packets.bytes.tolist() == whole[0].packets.bytes.tolist()
    assert few.scores.frames == -(-source.frames // 3)
    for name, column in whole[0].scores.columns.items():
        np.testing.assert_array_equal(few.scores.columns[name], column[::3], err_msg=name)


@pytest.mark.parametrize("extra", [(), ("-bf", "0"), ("-g", "4")])
def test_types_of_frames_are_told_from_the_order_of_coding(ffmpeg, source, extra):
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


def test_bytes_are_those_of_the_stream_in_the_file(ffmpeg, source, tmp_path):
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


# -------------------------------------------------------------------------------------------- alignment by index


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
def test_the_same_frames_score_the_same_whatever_their_timestamps_say(ffmpeg, run_tool, ntsc, encoded, tmp_path, how):
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


def test_the_naive_filter_is_right_where_timestamps_agree(ffmpeg, run_tool, make_clip, tmp_path):
    """The same sum from an independent route: milliseconds hold 25 frames a second exactly."""
    source = probe(make_clip(frames=8, fps=Fraction(25)))
    [cell] = encode_and_score(ffmpeg, source, [job(quality=35)], BOTH, keep=[tmp_path / "a.mkv"])
    naive = naive_vmaf(ffmpeg, run_tool, tmp_path / "a.mkv", source.path, tmp_path)
    assert naive == pytest.approx(cell.scores.vmaf.mean(), abs=1e-6)


def test_colour_tags_convert_nothing(ffmpeg, run_tool, ntsc, encoded, tmp_path):
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


# ------------------------------------------------------------------------------------------------- what is scored


@pytest.mark.parametrize("loopback", [True, False])
def test_psnr_is_that_of_the_decoded_frames(ffmpeg, source, tmp_path, loopback):
    kept = tmp_path / "kept.mkv"
    [cell] = encode_and_score(ffmpeg, source, [job(quality=28)], BOTH, keep=[kept], loopback=loopback)
    expected = psnr(luma(source.path), luma(kept), 255, 60)
    np.testing.assert_allclose(cell.scores.columns["psnr_y"], expected, atol=2e-6)


@pytest.mark.parametrize("encoder", [("libx264", 28), ("libx265", 28), ("libsvtav1", 40), ("libvpx-vp9", 40)])
def test_a_full_range_source_keeps_its_range(ffmpeg, source, run_tool, tmp_path, encoder):
    run_tool("-i", source.path, "-vf", "scale=in_range=tv:out_range=pc", "-c:v", "ffv1", "-pix_fmt", "yuvj420p",
             "-color_range", "pc", tmp_path / "full.mkv")  # fmt: skip
    full = probe(tmp_path / "full.mkv")
    assert full.full_range
    assert luma(full.path).max() > 235 or luma(full.path).min() < 16
    settings = job(*encoder)
    [cell] = encode_and_score(ffmpeg, full, [settings], BOTH, keep=[tmp_path / "kept.mkv"])
    expected = psnr(luma(full.path), luma(tmp_path / "kept.mkv"), 255, 60)
    np.testing.assert_allclose(cell.scores.columns["psnr_y"], expected, atol=2e-6)
    again = score_pair(ffmpeg, full, probe(tmp_path / "kept.mkv"), BOTH)
    assert_same_scores(again, cell.scores)
    [two_steps] = encode_and_score(ffmpeg, full, [settings], BOTH, loopback=False)
    assert_same_encodes(two_steps, cell)


def test_ranges_must_not_be_mixed(ffmpeg, source, run_tool, tmp_path):
    run_tool("-i", source.path, "-c:v", "ffv1", "-pix_fmt", "yuvj420p", "-color_range", "pc", tmp_path / "full.mkv")
    for reference, distorted in [(source, probe(tmp_path / "full.mkv")), (probe(tmp_path / "full.mkv"), source)]:
        with pytest.raises(MediaError, match="full range"):
            score_pair(ffmpeg, reference, distorted, BOTH)


@pytest.mark.parametrize(("pixel_format", "codec", "name"), [("rgb24", "png", "rgb.mov"), ("gbrp", "ffv1", "rgb.mkv")])
def test_an_rgb_video_against_itself_is_perfect(ffmpeg, source, run_tool, tmp_path, pixel_format, codec, name):
    run_tool("-i", source.path, "-frames:v", 3, "-pix_fmt", pixel_format, "-c:v", codec, tmp_path / name)
    rgb = probe(tmp_path / name)
    scores = score_pair(ffmpeg, rgb, rgb, BOTH)
    np.testing.assert_array_equal(scores.columns["psnr_y"], 60)
    np.testing.assert_array_equal(scores.columns["psnr_cb"], 60)


@pytest.mark.parametrize(("width", "height"), [(129, 97), (128, 97), (129, 96)])
def test_odd_sizes(ffmpeg, make_clip, tmp_path, width, height):
    odd = probe(make_clip(width=width, height=height, frames=4))
    settings = [job(quality=30), job("libsvtav1", 45, preset="12")]
    kept = [tmp_path / "a.mkv", tmp_path / "b.mkv"]
    one = encode_and_score(ffmpeg, odd, settings, BOTH, keep=kept)
    two = encode_and_score(ffmpeg, odd, settings, BOTH, loopback=False)
    for path, cell, other in zip(kept, one, two, strict=True):
        assert_same_encodes(cell, other)
        assert (probe(path).width, probe(path).height) == (width // 2 * 2, height // 2 * 2)
        cropped = luma(odd.path)[:, : odd.even_height, : odd.even_width]
        np.testing.assert_allclose(cell.scores.columns["psnr_y"], psnr(cropped, luma(path), 255, 60), atol=2e-6)


def test_an_odd_video_against_itself_is_perfect(ffmpeg, make_clip):
    """It loses its odd row on both sides alike; scaling one side would blur it."""
    odd = probe(make_clip(width=129, height=97, frames=4))
    scores = score_pair(ffmpeg, odd, odd, BOTH)
    np.testing.assert_array_equal(scores.columns["psnr_y"], 60)


def test_a_turned_video(ffmpeg, source, run_tool, tmp_path):
    run_tool("-i", source.path, "-frames:v", 6, "-c:v", "libx264", "-crf", 5, tmp_path / "a.mp4")
    run_tool("-display_rotation", 90, "-i", tmp_path / "a.mp4", "-c", "copy", tmp_path / "turned.mp4")
    turned = probe(tmp_path / "turned.mp4")
    [one] = encode_and_score(ffmpeg, turned, [job()], BOTH, keep=[tmp_path / "kept.mkv"])
    [two] = encode_and_score(ffmpeg, turned, [job()], BOTH, loopback=False)
    assert_same_encodes(one, two)
    assert (probe(tmp_path / "kept.mkv").width, probe(tmp_path / "kept.mkv").height) == (96, 128)


def test_a_cover_picture_that_comes_first_is_not_the_video(ffmpeg, source, run_tool, tmp_path):
    """Some writers put the metadata, and the cover in it, before the track."""
    run_tool("-i", source.path, "-c:v", "libx264", "-crf", 30, tmp_path / "plain.mp4")
    run_tool("-i", source.path, "-frames:v", 1, tmp_path / "cover.png")
    run_tool("-i", tmp_path / "plain.mp4", "-i", tmp_path / "cover.png", "-map", 0, "-map", 1, "-c", "copy",
             "-disposition:v:1", "attached_pic", tmp_path / "cover.mp4")  # fmt: skip
    (tmp_path / "first.mp4").write_bytes(metadata_first((tmp_path / "cover.mp4").read_bytes()))
    with av.open(str(tmp_path / "first.mp4")) as container:
        assert container.streams.video[0].disposition & av.stream.Disposition.attached_pic
    plain, covered = probe(tmp_path / "plain.mp4"), probe(tmp_path / "first.mp4")
    assert covered.frames == plain.frames
    assert_same_scores(score_pair(ffmpeg, plain, covered, BOTH), score_pair(ffmpeg, plain, plain, BOTH))
    for loopback in (True, False):
        [one] = encode_and_score(ffmpeg, covered, [job()], BOTH, loopback=loopback)
        [other] = encode_and_score(ffmpeg, plain, [job()], BOTH, loopback=loopback)
        assert_same_encodes(one, other)


def metadata_first(mp4):
    """Put ``udta`` at the front of ``moov``; ``moov`` stands last in the file, so that no offset changes."""
    start = mp4.index(b"moov") - 4
    boxes, place = [], start + 8
    while place < len(mp4):
        size = int.from_bytes(mp4[place : place + 4], "big")
        boxes.append(mp4[place : place + size])
        place += size
    boxes.sort(key=lambda box: box[4:8] != b"udta")
    return mp4[: start + 8] + b"".join(boxes)


def test_a_smaller_video_is_scaled_to_its_reference(ffmpeg, source, run_tool, tmp_path):
    run_tool("-i", source.path, "-vf", "scale=64:48:flags=bicubic", "-c:v", "ffv1", tmp_path / "small.mkv")
    run_tool("-i", tmp_path / "small.mkv", "-vf", "scale=128:96:flags=bicubic", "-c:v", "ffv1", tmp_path / "up.mkv")
    small = score_pair(ffmpeg, source, probe(tmp_path / "small.mkv"), BOTH)
    by_hand = score_pair(ffmpeg, source, probe(tmp_path / "up.mkv"), BOTH)
    assert_same_scores(small, by_hand)
    assert small.vmaf.mean() < 95


@pytest.fixture(scope="module")
def deep(make_clip, run_tool, tmp_path_factory):
    """Ten bits, all of them used."""
    path = tmp_path_factory.mktemp("deep") / "deep.mkv"
    low_bits = "format=yuv420p10le,geq=lum='lum(X,Y)+mod(X*7+Y*13+N*3,4)':cb='cb(X,Y)':cr='cr(X,Y)'"
    run_tool("-i", make_clip(frames=8, seed=3), "-vf", low_bits, "-c:v", "ffv1", path)
    return probe(path)


@pytest.mark.parametrize("encoder", [("libx264", 28), ("libx265", 28), ("libsvtav1", 40), ("libvvenc", 34)])
def test_ten_bits_stay_ten_bits(ffmpeg, deep, tmp_path, encoder):
    assert deep.bit_depth == 10
    assert len(np.unique(luma(deep.path) % 4)) == 4
    kept = tmp_path / "kept.mkv"
    [one] = encode_and_score(ffmpeg, deep, [job(*encoder)], BOTH, keep=[kept])
    assert probe(kept).bit_depth == 10
    expected = psnr(luma(deep.path), luma(kept), 1023, 72)
    np.testing.assert_allclose(one.scores.columns["psnr_y"], expected, atol=2e-6)
    [two] = encode_and_score(ffmpeg, deep, [job(*encoder)], BOTH, loopback=False)
    assert_same_encodes(one, two)


def test_an_encoder_of_ten_bits_alone_takes_eight(ffmpeg, source, tmp_path):
    kept = tmp_path / "kept.mkv"
    [cell] = encode_and_score(ffmpeg, source, [job("libvvenc", 34, preset="faster")], BOTH, keep=[kept])
    assert probe(kept).bit_depth == 10
    expected = psnr(luma(source.path) * 4, luma(kept), 1023, 72)
    np.testing.assert_allclose(cell.scores.columns["psnr_y"], expected, atol=2e-6)


@pytest.mark.parametrize("pixel_format", ["yuv422p", "yuv444p10le", "gray", "yuv410p", "nv12", "yuv420p12le"])
def test_every_layout_of_samples_is_worked_on_as_420(ffmpeg, source, run_tool, tmp_path, pixel_format):
    run_tool("-i", source.path, "-frames:v", 3, "-pix_fmt", pixel_format, "-c:v", "rawvideo", tmp_path / "clip.nut")
    clip = probe(tmp_path / "clip.nut")
    [one] = encode_and_score(ffmpeg, clip, [job(quality=20)], BOTH)
    [two] = encode_and_score(ffmpeg, clip, [job(quality=20)], BOTH, loopback=False)
    assert_same_encodes(one, two)
    assert one.scores.vmaf.mean() > 80


def test_one_frame(ffmpeg, make_clip):
    clip = probe(make_clip(frames=1))
    for loopback in (True, False):
        [cell] = encode_and_score(ffmpeg, clip, [job()], BOTH, loopback=loopback)
        assert cell.scores.frames == 1
        assert cell.packets.types == ("I",)
        assert np.isfinite([column[0] for column in cell.scores.columns.values()]).all()


# ---------------------------------------------------------------------------------------------------- the features


def test_features_stand_under_their_plain_names_and_are_measured(ffmpeg, source, tmp_path, run_tool):
    """libvmaf logs ``integer_adm2``; who looks for ``adm2`` finds nothing, and then zeros."""
    [cell] = encode_and_score(ffmpeg, source, [job(quality=38)], BOTH, keep=[tmp_path / "a.mkv"])
    run_tool("-i", tmp_path / "a.mkv", "-i", source.path, "-filter_complex",
             "[0:v][1:v]libvmaf=log_fmt=json:log_path=n.json", "-f", "null", "-", cwd=tmp_path)  # fmt: skip
    logged = json.loads((tmp_path / "n.json").read_text())["frames"]
    for name in CANONICAL6.columns:
        expected = [frame["metrics"][f"integer_{name}"] for frame in logged]
        np.testing.assert_array_equal(cell.scores.columns[name], expected, err_msg=name)
        assert cell.scores.columns[name].any(), name
    assert list(cell.scores.columns) == [*CANONICAL6.columns, *(n for n in LITE.columns if n != "motion2"), "vmaf"]
    for column in cell.scores.columns.values():
        assert column.dtype == np.float64
        assert column.shape == (source.frames,)


def test_ssim_is_that_of_luma_and_not_in_decibel(ffmpeg, source):
    good, bad = encode_and_score(ffmpeg, source, [job(quality=15), job(quality=45)], BOTH)
    for cell in (good, bad):
        assert ((cell.scores.columns["ssim"] > 0) & (cell.scores.columns["ssim"] < 1)).all()
    assert good.scores.columns["ssim"].mean() > bad.scores.columns["ssim"].mean()


def test_motion_is_that_of_the_source_alone(ffmpeg, source):
    good, bad = encode_and_score(ffmpeg, source, [job(quality=15), job(quality=45)], Scoring(TEACHER, (LITE,)))
    np.testing.assert_array_equal(good.scores.columns["motion2"], bad.scores.columns["motion2"])


def test_a_video_against_itself_has_a_finite_xpsnr(ffmpeg, source):
    scores = score_pair(ffmpeg, source, source, BOTH)
    for plane in "yuv":
        np.testing.assert_array_equal(scores.columns[f"xpsnr_{plane}"], XPSNR_CEILING_DB)
    for name in ("psnr_y", "psnr_cb", "psnr_cr"):
        np.testing.assert_array_equal(scores.columns[name], 60)
    np.testing.assert_array_equal(scores.columns["ssim"], 1)
    assert scores.vmaf.min() > 97


@pytest.mark.parametrize("threads", [0, 1, 2])
def test_threads_of_libvmaf_change_nothing(ffmpeg, ntsc, encoded, threads):
    path, cell = encoded
    scores = score_pair(ffmpeg, ntsc, probe(path), Scoring(TEACHER, (CANONICAL6, LITE), threads=threads))
    assert_same_scores(scores, cell.scores)


def test_feature_sets_do_not_disturb_each_other(ffmpeg, ntsc, encoded):
    path, cell = encoded
    distorted = probe(path)
    for sets in ((), (CANONICAL6,), (LITE,), (LITE, CANONICAL6)):
        scores = score_pair(ffmpeg, ntsc, distorted, Scoring(TEACHER, sets))
        for name, column in scores.columns.items():
            np.testing.assert_array_equal(column, cell.scores.columns[name], err_msg=name)


def test_the_teacher_is_the_one_that_was_asked_for(ffmpeg, ntsc, encoded, tmp_path, run_tool):
    path, cell = encoded
    neg = score_pair(ffmpeg, ntsc, probe(path), Scoring("vmaf_v0.6.1neg", (CANONICAL6,)))
    big = score_pair(ffmpeg, ntsc, probe(path), Scoring("vmaf_4k_v0.6.1", (CANONICAL6,)))
    assert len({scores.vmaf.mean() for scores in (neg, big, cell.scores)}) == 3


def test_means_are_libvmafs(ffmpeg, source, run_tool, tmp_path):
    [cell] = encode_and_score(ffmpeg, source, [job(quality=45)], BOTH, keep=[tmp_path / "a.mkv"])
    run_tool("-i", tmp_path / "a.mkv", "-i", source.path, "-filter_complex",
             "[0:v][1:v]libvmaf=log_fmt=json:log_path=n.json", "-f", "null", "-", cwd=tmp_path)  # fmt: skip
    said = json.loads((tmp_path / "n.json").read_text())["pooled_metrics"]["vmaf"]
    pooled = Pooled.of(cell.scores.vmaf)
    assert pooled.mean == pytest.approx(said["mean"], abs=2e-6)
    assert pooled.harmonic_mean == pytest.approx(said["harmonic_mean"], abs=2e-6)
    assert pooled.minimum == pytest.approx(said["min"], abs=2e-6)


def described_grain(path):
    """Tell of each frame whether its stream asks the decoder to add grain."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        video.codec_context.options = {"export_side_data": "film_grain"}  # a decoder keeps it to itself otherwise
        return [
            "FILM_GRAIN_PARAMS" in {side.type.name for side in frame.side_data} for frame in container.decode(video)
        ]


def test_a_synthetic_grain_that_the_decoder_adds_is_off(ffmpeg, source, tmp_path):
    """SVT-AV1 can describe grain instead of coding it; a score against the source would punish the invention."""
    asked = ("-svtav1-params", "film-grain=20")
    jobs = [job("libsvtav1", 45, preset="12", extra=extra) for extra in ((), asked)]
    kept = [tmp_path / "kept.mkv", tmp_path / "grainy.mkv"]
    encode_and_score(ffmpeg, source, jobs, BOTH, keep=kept)
    assert described_grain(kept[0]) == [False] * source.frames
    assert any(described_grain(kept[1]))


# ------------------------------------------------------------------------------------------------- keeping the files


@pytest.mark.parametrize("loopback", [True, False])
def test_a_kept_file_is_the_one_that_was_scored(ffmpeg, ntsc, tmp_path, loopback):
    jobs = [job(preset="medium", quality=33), job("libx265", 33, preset="veryfast"), job("libsvtav1", 50, preset="12")]
    kept = [tmp_path / "a.mp4", tmp_path / "100%d: it's.mkv", tmp_path / "-c.mp4"]
    cells = encode_and_score(ffmpeg, ntsc, jobs, BOTH, keep=kept, loopback=loopback)
    assert sorted(tmp_path.iterdir()) == sorted(kept)
    for path, cell in zip(kept, cells, strict=True):
        assert_same_scores(score_pair(ffmpeg, ntsc, probe(path), BOTH), cell.scores)


def test_keeping_changes_no_score(ffmpeg, ntsc, encoded):
    _, cell = encoded
    [loose] = encode_and_score(ffmpeg, ntsc, [cell.settings], BOTH)
    assert_same_encodes(loose, cell)


def test_a_relative_place_is_relative_to_the_caller(ffmpeg, source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    encode_and_score(ffmpeg, source, [job()], BOTH, keep=[Path("kept.mkv")])
    assert probe(tmp_path / "kept.mkv").frames == source.frames


@pytest.mark.parametrize("loopback", [True, False])
def test_a_failure_leaves_what_was_there_and_nothing_half_written(ffmpeg, source, tmp_path, loopback):
    kept = [tmp_path / "a.mkv", tmp_path / "b.mkv"]
    kept[0].write_bytes(b"an older encode")
    jobs = [job(), job(extra=("-x264-params", "keyint=5", "-bsf:v", "nonexistent"))]
    with pytest.raises(FfmpegError, match=r"encoding clip\.mkv"):
        encode_and_score(ffmpeg, source, jobs, BOTH, keep=kept, workdir=tmp_path, loopback=loopback)
    assert list(tmp_path.iterdir()) == [kept[0]]
    assert kept[0].read_bytes() == b"an older encode"


def test_a_place_that_cannot_be_written(ffmpeg, source, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write"):
        encode_and_score(ffmpeg, source, [job()], BOTH, keep=[tmp_path / "file" / "a.mkv"])
    with pytest.raises(OutputError, match="working folder"):
        encode_and_score(ffmpeg, source, [job()], BOTH, workdir=tmp_path / "absent")


def test_nothing_stays_in_the_working_folder(ffmpeg, source, tmp_path):
    encode_and_score(ffmpeg, source, [job()], BOTH, workdir=tmp_path)
    score_pair(ffmpeg, source, source, BOTH, workdir=tmp_path)
    assert list(tmp_path.iterdir()) == []


# --------------------------------------------------------------------------------------------------- bad requests


def test_a_quality_out_of_range_is_refused_before_anything_runs(ffmpeg, source):
    with pytest.raises(RequestError, match="libx264 takes a quality of 0 to 51"):
        encode_and_score(ffmpeg, source, [job(quality=99)], BOTH)
    with pytest.raises(RequestError, match="no preset"):
        encode_and_score(ffmpeg, source, [job(preset="warp")], BOTH)


def test_a_source_that_is_damaged_inside_is_refused(ffmpeg, source, run_tool, tmp_path):
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


def test_an_encoder_that_drops_frames_is_noticed(ffmpeg, source):
    for loopback in (True, False):
        with pytest.raises(MediaError, match="made 5 packets of 16 frames"):
            encode_and_score(ffmpeg, source, [job(extra=("-frames:v", "5"))], BOTH, loopback=loopback)


def test_a_stranger_among_encoders(ffmpeg, source):
    unknown = EncodeSettings(replace(get_encoder("libx264"), name="libnone"), "medium", 23)
    with pytest.raises(CapabilityError, match="built without the encoder libnone"):
        encode_and_score(ffmpeg, source, [job(), unknown], BOTH)


def test_progress_is_in_frames_of_the_first_job(ffmpeg, make_clip):
    clip = probe(make_clip(frames=60))
    for loopback in (True, False):
        seen: list[int] = []
        encode_and_score(ffmpeg, clip, [job(preset="slow", quality=20)], Scoring(TEACHER, ()), on_frame=seen.append,
                         loopback=loopback)  # fmt: skip
        assert seen == sorted(seen)
        assert seen[-1] == 60


def test_where_the_system_tells_a_cells_cpu_is_known(ffmpeg, source):
    cells = encode_and_score(ffmpeg, source, [job(), job(quality=40)], BOTH, loopback=True)
    for cell in cells:
        parts = (cell.cpu.encode, cell.cpu.decode, cell.cpu.score)
        assert all(part is not None and part >= 0 for part in parts) == Path("/proc/self/task").is_dir()
