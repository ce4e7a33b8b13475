"""What is measured of each frame, and by which teacher."""

from __future__ import annotations

import json

import av
import numpy as np
import pytest

from vmafcast.corpus.store import Pooled
from vmafcast.media.features import CANONICAL6, LITE, XPSNR_CEILING_DB
from vmafcast.media.graph import Scoring
from vmafcast.media.measure import encode_and_score, score_pair
from vmafcast.media.source import probe

TEACHER = "vmaf_v0.6.1"
BOTH = Scoring(TEACHER, (CANONICAL6, LITE))


def test_features_stand_under_their_plain_names_and_are_measured(ffmpeg, source, tmp_path, run_tool, job):
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


def test_ssim_is_that_of_luma_and_not_in_decibel(ffmpeg, source, job):
    good, bad = encode_and_score(ffmpeg, source, [job(quality=15), job(quality=45)], BOTH)
    for cell in (good, bad):
        assert ((cell.scores.columns["ssim"] > 0) & (cell.scores.columns["ssim"] < 1)).all()
    assert good.scores.columns["ssim"].mean() > bad.scores.columns["ssim"].mean()


def test_motion_is_that_of_the_source_alone(ffmpeg, source, job):
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
def test_threads_of_libvmaf_change_nothing(ffmpeg, ntsc, encoded, threads, assert_same_scores):
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


def test_means_are_libvmafs(ffmpeg, source, run_tool, tmp_path, job):
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


def test_a_synthetic_grain_that_the_decoder_adds_is_off(ffmpeg, source, tmp_path, job):
    """SVT-AV1 can describe grain instead of coding it; a score against the source would punish the invention."""
    asked = ("-svtav1-params", "film-grain=20")
    jobs = [job("libsvtav1", 45, preset="12", extra=extra) for extra in ((), asked)]
    kept = [tmp_path / "kept.mkv", tmp_path / "grainy.mkv"]
    encode_and_score(ffmpeg, source, jobs, BOTH, keep=kept)
    assert described_grain(kept[0]) == [False] * source.frames
    assert any(described_grain(kept[1]))
