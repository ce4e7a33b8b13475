"""XPSNR as ffmpeg's filter means it: which input is the reference, at which rate, and of which depth."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
import pytest

from vmafcast.encoders.catalogue import get_encoder
from vmafcast.media.features import CANONICAL6, LITE, XPSNR_CEILING_DB
from vmafcast.media.graph import EncodeSettings, Scoring
from vmafcast.media.measure import encode_and_score, score_pair
from vmafcast.media.source import probe

BOTH = Scoring("vmaf_v0.6.1", (CANONICAL6, LITE))


@pytest.mark.parametrize("width", [128, 96, 130, 352])
def test_xpsnr_of_ten_bits_is_that_of_eight(ffmpeg, make_clip, run_tool, tmp_path, width):
    """ffmpeg's filter reads padded rows of deep pictures wrongly; the same picture in either depth must agree."""
    source = probe(make_clip(width=width, frames=5, seed=6))
    run_tool("-i", source.path, "-c:v", "libx264", "-crf", 35, tmp_path / "d8.mkv")
    for name, path in (("s10", source.path), ("d10", tmp_path / "d8.mkv")):
        run_tool("-i", path, "-pix_fmt", "yuv420p10le", "-c:v", "ffv1", tmp_path / f"{name}.mkv")
    deep = probe(tmp_path / "s10.mkv")
    itself = score_pair(ffmpeg, deep, deep, BOTH)
    shallow = score_pair(ffmpeg, source, probe(tmp_path / "d8.mkv"), BOTH)
    same = score_pair(ffmpeg, deep, probe(tmp_path / "d10.mkv"), BOTH)
    for plane in "yuv":
        np.testing.assert_array_equal(itself.columns[f"xpsnr_{plane}"], XPSNR_CEILING_DB)
        np.testing.assert_allclose(same.columns[f"xpsnr_{plane}"], shallow.columns[f"xpsnr_{plane}"])


@pytest.mark.parametrize("loopback", [True, False])
@pytest.mark.parametrize("fps", [25, 50])
def test_xpsnr_takes_the_source_for_its_reference_at_its_own_rate(ffmpeg, make_clip, run_tool, tmp_path, fps, loopback):
    """The filter weighs by its first input, and otherwise from 32 frames a second on; raw frames are the judge."""
    source = probe(make_clip(fps=Fraction(fps), seed=8))
    x264, kept = get_encoder("libx264"), tmp_path / "kept.mkv"
    [cell] = encode_and_score(
        ffmpeg, source, [EncodeSettings(x264, x264.presets[0], 38)], BOTH, keep=[kept], loopback=loopback
    )
    for name, path in (("reference", source.path), ("distorted", kept)):
        run_tool("-i", path, "-fps_mode", "passthrough", "-f", "rawvideo", tmp_path / f"{name}.yuv")
    raw = ("-f", "rawvideo", "-s", "128x96", "-pix_fmt", "yuv420p", "-r", fps, "-i")
    graph = "[0:v][1:v]xpsnr=stats_file=raw.txt"
    run_tool(*raw, "reference.yuv", *raw, "distorted.yuv", "-lavfi", graph, "-f", "null", "-", cwd=tmp_path)
    expected = [float(value) for value in re.findall(r"XPSNR y: *(\S+)", (tmp_path / "raw.txt").read_text())]
    np.testing.assert_array_equal(cell.scores.columns["xpsnr_y"], expected)
