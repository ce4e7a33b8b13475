"""The feature set ``full``: every column is what libvmaf logs in a run that this project did not compose."""

from __future__ import annotations

import json

import numpy as np
import pytest

from vmafcast.common.errors import MediaError
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.media.features import CANONICAL6, FULL, LITE, SPEED_CHROMA_SIDE, unmeasurable
from vmafcast.media.graph import EncodeSettings, Scoring
from vmafcast.media.measure import encode_and_score, score_pair
from vmafcast.media.source import probe

TEACHER = "vmaf_v0.6.1"
ALL = Scoring(TEACHER, (CANONICAL6, LITE, FULL))
SPEED_CHROMA = ("speed_chroma_u", "speed_chroma_v", "speed_chroma_uv")

# One extractor at a time, each in a process of its own, and the key that it logs for each column.
LOGGED = {
    "adm": {
        "adm2": "integer_adm2", "aim": "integer_aim", "adm3": "integer_adm3",
        **{f"adm_scale{scale}": f"integer_adm_scale{scale}" for scale in range(4)},
    },
    "vif": {f"vif_scale{scale}": f"integer_vif_scale{scale}" for scale in range(4)},
    "motion": {
        "motion2": "integer_motion2", "motion3": "integer_motion3",
        "motion_sad": "VMAF_integer_feature_motion_sad_score",
    },
    "psnr": {name: name for name in ("psnr_y", "psnr_cb", "psnr_cr")},
    "float_ssim": {"float_ssim": "float_ssim"},
    "float_ms_ssim": {"float_ms_ssim": "float_ms_ssim"},
    "ciede": {"ciede2000": "ciede2000"},
    "cambi": {"cambi": "cambi"},
    "speed_chroma": {name: name for name in SPEED_CHROMA},
    "speed_temporal": {"speed_temporal": "speed_temporal"},
}  # fmt: skip


def colourful(make_clip, run_tool, folder, **size):
    """Footage whose chroma is not so plain that SpEED finds nothing to measure in it."""
    path = folder / "colourful.mkv"
    run_tool("-i", make_clip(**size), "-vf", "noise=c1_seed=1:c1s=30:c2_seed=2:c2s=30", "-c:v", "ffv1", path)
    return path


@pytest.fixture(scope="module")
def measured(ffmpeg, make_clip, run_tool, tmp_path_factory):
    """A clip that is large enough for everything, its encode, and what was measured of it."""
    folder = tmp_path_factory.mktemp("colour")
    source = probe(colourful(make_clip, run_tool, folder, width=352, height=320, frames=5, seed=11))
    kept = tmp_path_factory.mktemp("full") / "kept.mkv"
    job = EncodeSettings(get_encoder("libx264"), "veryfast", 36)
    [cell] = encode_and_score(ffmpeg, source, [job], ALL, keep=[kept])
    return source, kept, cell


@pytest.fixture(scope="module")
def raw(measured, run_tool, tmp_path_factory):
    """Both videos as raw frames, in order."""
    source, kept, _ = measured
    folder = tmp_path_factory.mktemp("raw")
    for name, path in (("reference", source.path), ("distorted", kept)):
        run_tool("-i", path, "-fps_mode", "passthrough", "-pix_fmt", "yuv420p", "-f", "rawvideo", folder / name)
    return folder


def test_the_list_above_is_of_every_column():
    assert sorted(name for logged in LOGGED.values() for name in logged) == sorted(FULL.columns)


@pytest.mark.parametrize("extractor", LOGGED)
def test_each_column_is_what_libvmaf_logs_of_the_raw_frames(measured, raw, run_tool, extractor):
    frames = ("-f", "rawvideo", "-s", "352x320", "-pix_fmt", "yuv420p", "-r", "25", "-i")
    graph = f"[0:v][1:v]libvmaf=feature=name={extractor}:log_fmt=json:log_path={extractor}.json"
    run_tool(*frames, "distorted", *frames, "reference", "-lavfi", graph, "-f", "null", "-", cwd=raw)
    logged = json.loads((raw / f"{extractor}.json").read_text())["frames"]
    _, _, cell = measured
    assert len(logged) == cell.scores.frames == 5
    for name, key in LOGGED[extractor].items():
        column = cell.scores.columns[name]
        np.testing.assert_array_equal(column, [frame["metrics"][key] for frame in logged], err_msg=name)
        assert column.any(), name


def test_the_two_paths_and_the_other_sets_agree(ffmpeg, measured):
    source, kept, cell = measured
    alone = score_pair(ffmpeg, source, probe(kept), Scoring(TEACHER, (FULL,)))
    assert set(alone.columns) == {*FULL.columns, "vmaf"}
    for name, column in alone.columns.items():
        np.testing.assert_array_equal(column, cell.scores.columns[name], err_msg=name)


def test_what_a_small_picture_cannot_give_is_not_a_zero(ffmpeg, make_clip):
    """libvmaf warns that a covariance is singular, and logs 0 as if chroma were without fault."""
    clip = probe(make_clip(width=240, height=200, frames=3, seed=2))
    [cell] = encode_and_score(ffmpeg, clip, [EncodeSettings(get_encoder("libx264"), "veryfast", 40)],
                              Scoring(TEACHER, (FULL,)))  # fmt: skip
    for name in FULL.columns:
        assert np.isnan(cell.scores.columns[name]).all() == (name in SPEED_CHROMA), name
    assert np.isfinite(cell.scores.vmaf).all()


def test_where_speed_begins_to_be_measured(ffmpeg, make_clip, run_tool, tmp_path):
    """The limit in the code is where libvmaf itself stops logging zeros."""
    for side, zero in ((SPEED_CHROMA_SIDE - 2, True), (SPEED_CHROMA_SIDE, False)):
        clip = colourful(make_clip, run_tool, tmp_path, width=352, height=side, frames=2, seed=4)
        run_tool("-i", clip, "-i", clip, "-filter_complex",
                 "[0:v]boxblur=3:1:3:1[d];[d][1:v]libvmaf=feature=name=speed_chroma:log_fmt=json:log_path=s.json",
                 "-f", "null", "-", cwd=tmp_path)  # fmt: skip
        logged = json.loads((tmp_path / "s.json").read_text())["frames"][1]["metrics"]
        assert (logged["speed_chroma_uv"] == 0) == zero, side
        assert unmeasurable(FULL.columns, side) == (SPEED_CHROMA if zero else ())


@pytest.mark.parametrize(("width", "height", "fits"), [(216, 176, True), (176, 216, True), (214, 200, False),
                                                       (320, 174, False)])  # fmt: skip
def test_a_picture_that_libvmaf_would_refuse_is_refused_before_anything_runs(ffmpeg, make_clip, width, height, fits):
    clip = probe(make_clip(width=width, height=height, frames=2))
    if fits:
        assert score_pair(ffmpeg, clip, clip, Scoring(TEACHER, (FULL,))).frames == 2
        return
    with pytest.raises(MediaError, match=rf"clip\.mkv is {width}x{height}, and the features full cannot .* below 176"):
        score_pair(ffmpeg, clip, clip, Scoring(TEACHER, (FULL,)))
