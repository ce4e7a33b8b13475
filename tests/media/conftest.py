"""What tests of measuring share: sources, one encode, and how encodes and scores are compared."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from vmafcast.encoders.catalogue import get_encoder
from vmafcast.media.features import CANONICAL6, LITE
from vmafcast.media.graph import EncodeSettings, Scoring
from vmafcast.media.measure import encode_and_score
from vmafcast.media.source import probe


@pytest.fixture(scope="session")
def job():
    """A function that returns the settings of an encode, with the encoder's fastest preset unless told otherwise."""

    def settings(name="libx264", quality=30, preset=None, **more):
        encoder = get_encoder(name)
        return EncodeSettings(encoder, preset or encoder.presets[0], quality, **more)

    return settings


@pytest.fixture(scope="session")
def luma():
    """A function that decodes with PyAV, past everything that is tested here: luma planes, [frames, height, width]."""

    def decode(path):
        with av.open(f"file:{path}") as container:
            planes = []
            for frame in container.decode(video=0):
                plane = frame.planes[0]
                sample = np.uint8 if frame.format.components[0].bits == 8 else np.uint16
                rows = np.frombuffer(memoryview(plane), sample).reshape(-1, plane.line_size // sample().itemsize)
                planes.append(rows[: frame.height, : frame.width].astype(np.float64))
        return np.stack(planes)

    return decode


@pytest.fixture(scope="session")
def psnr():
    """A function that returns the PSNR of each frame in dB, at most ``cap``."""

    def of(reference, distorted, peak, cap):
        error = ((reference - distorted) ** 2).mean(axis=(1, 2))
        return np.minimum(10 * np.log10(peak**2 / np.maximum(error, 1e-12)), cap)

    return of


@pytest.fixture(scope="session")
def assert_same_scores():
    """A function that fails where two scorings differ in any digit of any column."""

    def check(one, other):
        assert one.columns.keys() == other.columns.keys()
        for name, column in one.columns.items():
            np.testing.assert_array_equal(column, other.columns[name], err_msg=name)

    return check


@pytest.fixture(scope="session")
def assert_same_encodes(assert_same_scores):
    """A function that fails where two encodes differ in a score, or in the size or type of a frame."""

    def check(one, other):
        assert_same_scores(one.scores, other.scores)
        np.testing.assert_array_equal(one.packets.bytes, other.packets.bytes)
        assert one.packets.types == other.packets.types

    return check


@pytest.fixture(scope="session")
def source(make_clip):
    return probe(make_clip(frames=16))


@pytest.fixture(scope="session")
def ntsc(make_clip):
    """At 30000/1001, where Matroska's milliseconds are not MP4's ticks."""
    return probe(make_clip(frames=20, fps=Fraction(30000, 1001), seed=4))


@pytest.fixture(scope="session")
def encoded(ffmpeg, ntsc, job, tmp_path_factory):
    """An MP4 with B frames of ``ntsc``, and what was measured of it while it was made."""
    path = tmp_path_factory.mktemp("encoded") / "x264.mp4"
    scoring = Scoring("vmaf_v0.6.1", (CANONICAL6, LITE))
    [cell] = encode_and_score(ffmpeg, ntsc, [job(preset="medium", quality=35)], scoring, keep=[path])
    return path, cell
