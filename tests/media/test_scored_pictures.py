"""Which pictures are scored: ranges, sizes, turns, depths and layouts of samples."""

from __future__ import annotations

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


@pytest.mark.parametrize("loopback", [True, False])
def test_psnr_is_that_of_the_decoded_frames(ffmpeg, source, tmp_path, loopback, job, luma, psnr):
    kept = tmp_path / "kept.mkv"
    [cell] = encode_and_score(ffmpeg, source, [job(quality=28)], BOTH, keep=[kept], loopback=loopback)
    expected = psnr(luma(source.path), luma(kept), 255, 60)
    np.testing.assert_allclose(cell.scores.columns["psnr_y"], expected, atol=2e-6)


@pytest.mark.parametrize("encoder", [("libx264", 28), ("libx265", 28), ("libsvtav1", 40), ("libvpx-vp9", 40)])
def test_a_full_range_source_keeps_its_range(
    ffmpeg, source, run_tool, tmp_path, encoder, job, luma, psnr, assert_same_scores, assert_same_encodes
):
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
def test_odd_sizes(ffmpeg, make_clip, tmp_path, width, height, job, luma, psnr, assert_same_encodes):
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


def test_a_turned_video(ffmpeg, source, run_tool, tmp_path, job, assert_same_encodes):
    run_tool("-i", source.path, "-frames:v", 6, "-c:v", "libx264", "-crf", 5, tmp_path / "a.mp4")
    run_tool("-display_rotation", 90, "-i", tmp_path / "a.mp4", "-c", "copy", tmp_path / "turned.mp4")
    turned = probe(tmp_path / "turned.mp4")
    [one] = encode_and_score(ffmpeg, turned, [job()], BOTH, keep=[tmp_path / "kept.mkv"])
    [two] = encode_and_score(ffmpeg, turned, [job()], BOTH, loopback=False)
    assert_same_encodes(one, two)
    assert (probe(tmp_path / "kept.mkv").width, probe(tmp_path / "kept.mkv").height) == (96, 128)


def test_a_cover_picture_that_comes_first_is_not_the_video(
    ffmpeg, source, run_tool, tmp_path, job, assert_same_scores, assert_same_encodes
):
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


def test_a_smaller_video_is_scaled_to_its_reference(ffmpeg, source, run_tool, tmp_path, assert_same_scores):
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
def test_ten_bits_stay_ten_bits(ffmpeg, deep, tmp_path, encoder, job, luma, psnr, assert_same_encodes):
    assert deep.bit_depth == 10
    assert len(np.unique(luma(deep.path) % 4)) == 4
    kept = tmp_path / "kept.mkv"
    [one] = encode_and_score(ffmpeg, deep, [job(*encoder)], BOTH, keep=[kept])
    assert probe(kept).bit_depth == 10
    expected = psnr(luma(deep.path), luma(kept), 1023, 72)
    np.testing.assert_allclose(one.scores.columns["psnr_y"], expected, atol=2e-6)
    [two] = encode_and_score(ffmpeg, deep, [job(*encoder)], BOTH, loopback=False)
    assert_same_encodes(one, two)


def test_an_encoder_of_ten_bits_alone_takes_eight(ffmpeg, source, tmp_path, job, luma, psnr):
    kept = tmp_path / "kept.mkv"
    [cell] = encode_and_score(ffmpeg, source, [job("libvvenc", 34, preset="faster")], BOTH, keep=[kept])
    assert probe(kept).bit_depth == 10
    expected = psnr(luma(source.path) * 4, luma(kept), 1023, 72)
    np.testing.assert_allclose(cell.scores.columns["psnr_y"], expected, atol=2e-6)


@pytest.mark.parametrize("pixel_format", ["yuv422p", "yuv444p10le", "gray", "yuv410p", "nv12", "yuv420p12le"])
def test_every_layout_of_samples_is_worked_on_as_420(
    ffmpeg, source, run_tool, tmp_path, pixel_format, job, assert_same_encodes
):
    run_tool("-i", source.path, "-frames:v", 3, "-pix_fmt", pixel_format, "-c:v", "rawvideo", tmp_path / "clip.nut")
    clip = probe(tmp_path / "clip.nut")
    [one] = encode_and_score(ffmpeg, clip, [job(quality=20)], BOTH)
    [two] = encode_and_score(ffmpeg, clip, [job(quality=20)], BOTH, loopback=False)
    assert_same_encodes(one, two)
    assert one.scores.vmaf.mean() > 80


def test_one_frame(ffmpeg, make_clip, job):
    clip = probe(make_clip(frames=1))
    for loopback in (True, False):
        [cell] = encode_and_score(ffmpeg, clip, [job()], BOTH, loopback=loopback)
        assert cell.scores.frames == 1
        assert cell.packets.types == ("I",)
        assert np.isfinite([column[0] for column in cell.scores.columns.values()]).all()
