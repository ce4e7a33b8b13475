"""What is scored of some frames is what is scored of them among all."""

from dataclasses import replace

import numpy as np
import pytest

from vmafcast.common.errors import CapabilityError, MediaError
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.media.features import CANONICAL6
from vmafcast.media.graph import EncodeSettings, Scoring
from vmafcast.media.measure import encode_and_score
from vmafcast.media.probe_graph import ShortEncode, SparseScoring
from vmafcast.media.probe_run import encode_probe
from vmafcast.media.source import probe

TEACHER = "vmaf_v0.6.1"
WITH_SSIM = replace(CANONICAL6, columns=(*CANONICAL6.columns, "ssim"), filters=("ssim",))
JOBS = [
    EncodeSettings(get_encoder("libx264"), "veryfast", 30),
    EncodeSettings(get_encoder("libsvtav1"), "12", 50),
    EncodeSettings(get_encoder("libx264"), "ultrafast", 24, extra=("-partitions", "none")),
]
SHORT = ShortEncode(replace(JOBS[0], quality=38), 5)


@pytest.fixture(scope="module")
def source(make_clip):
    return probe(make_clip("scored.mkv", width=160, height=96, frames=23, seed=3))


@pytest.fixture(scope="module")
def whole(ffmpeg, source):
    return encode_and_score(ffmpeg, source, JOBS, Scoring(TEACHER, (WITH_SSIM,)))


@pytest.mark.parametrize("loopback", [True, False])
@pytest.mark.parametrize(("every", "firsts"), [(7, (0, 1, 6)), (11, (0, 5, 2)), (3, (2, 0, 1)), (22, (0, 1, 21))])
def test_each_frame_is_scored_as_it_is_among_all(ffmpeg, source, whole, every, firsts, loopback):
    """With its motion, though its neighbours alone come to libvmaf; the last frame, which 22 lets through, too."""
    scorings = [SparseScoring(TEACHER, WITH_SSIM, every, first) for first in firsts]
    found, [short] = encode_probe(ffmpeg, source, JOBS, scorings, [SHORT], loopback=loopback)
    assert len(short.bytes) == 5
    for first, few, all_of_it in zip(firsts, found, whole, strict=True):
        assert few.packets.bytes.tolist() == all_of_it.packets.bytes.tolist()
        for name, column in all_of_it.scores.columns.items():
            np.testing.assert_array_equal(few.scores.columns[name], column[first::every], err_msg=f"{name} {first}")


@pytest.mark.parametrize("frames", [1, 2, 3, 8, 9])
def test_short_sources_have_a_score_too(ffmpeg, make_clip, frames):
    source = probe(make_clip("brief.mkv", width=160, height=96, frames=frames))
    [dense] = encode_and_score(ffmpeg, source, JOBS[:1], Scoring(TEACHER, (WITH_SSIM,)))
    scorings = [SparseScoring(TEACHER, WITH_SSIM, 7, first) for first in (0, 1)]
    found, _ = encode_probe(ffmpeg, source, JOBS[:1] * 2, scorings)
    for scoring, few in zip(scorings, found, strict=True):
        np.testing.assert_array_equal(few.scores.vmaf, dense.scores.vmaf[list(scoring.scored(frames))])


def test_a_missing_encoder_and_a_damaged_source_are_told(ffmpeg, source, tmp_path):
    scoring = SparseScoring(TEACHER, WITH_SSIM, 7)
    unknown = replace(JOBS[0], encoder=replace(get_encoder("libx264"), name="nothing"))
    with pytest.raises(CapabilityError, match="nothing"):
        encode_probe(ffmpeg, source, [unknown], [scoring])
    short = tmp_path / "short.mkv"
    short.write_bytes(source.path.read_bytes())
    with pytest.raises(MediaError, match="packets of 24 frames"):
        encode_probe(ffmpeg, replace(source, path=short, frames=24), JOBS[:1], [scoring])
