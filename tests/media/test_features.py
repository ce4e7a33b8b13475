from __future__ import annotations

import json

import pytest

from vmafcast.common.errors import MediaError
from vmafcast.media.features import (
    ACTIVITY,
    CANONICAL6,
    CIEDE_CEILING,
    FEATURE_SETS,
    FULL,
    LITE,
    XPSNR_CEILING_DB,
    columns_of,
    read_filter_stats,
    read_libvmaf_log,
)


def log(path, *frames):
    path.write_text(json.dumps({"frames": [{"frameNum": n, "metrics": metrics} for n, metrics in frames]}))
    return path


def test_the_order_of_the_canonical_six_is_frozen():
    """Models are trained on columns by position."""
    assert CANONICAL6.columns == ("adm2", "vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "motion2")
    assert LITE.columns == ("psnr_y", "psnr_cb", "psnr_cr", "ssim", "xpsnr_y", "xpsnr_u", "xpsnr_v", "motion2")
    assert FULL.columns[:6] == CANONICAL6.columns
    assert FULL.columns[6:] == (
        "aim", "adm3", "adm_scale0", "adm_scale1", "adm_scale2", "adm_scale3", "motion3", "motion_sad",
        "psnr_y", "psnr_cb", "psnr_cr", "float_ssim", "float_ms_ssim", "ciede2000", "cambi",
        "speed_chroma_u", "speed_chroma_v", "speed_chroma_uv", "speed_temporal",
    )  # fmt: skip
    assert dict(FEATURE_SETS) == {"canonical6": CANONICAL6, "lite": LITE, "activity": ACTIVITY, "full": FULL}


def test_full_has_thirty_columns_with_the_keys_of_a_frame_and_its_score():
    from vmafcast.corpus.tables import FRAME_SCHEMA

    assert len({*FRAME_SCHEMA, *FULL.columns, "vmaf"}) == len(FRAME_SCHEMA) + len(FULL.columns) + 1 == 30


def test_columns_of_several_sets_come_once_each():
    assert columns_of((CANONICAL6, LITE)) == (*CANONICAL6.columns, *LITE.columns[:-1])
    assert columns_of(()) == ()


def test_columns_are_found_under_libvmafs_names_whole_or_float(tmp_path):
    found = read_libvmaf_log(log(tmp_path / "a.json", (0, {"integer_adm2": 0.5, "vmaf": 80.0})), ("adm2",))
    assert {name: column.tolist() for name, column in found.items()} == {"adm2": [0.5], "vmaf": [80.0]}
    found = read_libvmaf_log(log(tmp_path / "b.json", (0, {"adm2": 0.25, "vmaf": 80.0})), ("adm2",))
    assert found["adm2"].tolist() == [0.25]


def test_a_feature_that_is_not_in_the_log_is_an_error_never_a_zero(tmp_path):
    path = log(tmp_path / "a.json", (0, {"integer_adm2": 0.5, "vmaf": 80.0}))
    with pytest.raises(MediaError, match="holds no motion2"):
        read_libvmaf_log(path, ("adm2", "motion2"))
    with pytest.raises(MediaError, match="holds no vmaf"):
        read_libvmaf_log(log(tmp_path / "b.json", (0, {"integer_adm2": 0.5})), ("adm2",))


def test_a_feature_that_one_frame_lacks_is_an_error(tmp_path):
    path = log(tmp_path / "a.json", (0, {"integer_adm2": 0.5, "vmaf": 80.0}), (1, {"vmaf": 80.0}))
    with pytest.raises(MediaError, match="adm2"):
        read_libvmaf_log(path, ("adm2",))


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), "0.5"])
def test_a_feature_that_is_no_number_is_an_error(tmp_path, value):
    path = log(tmp_path / "a.json", (0, {"integer_adm2": value, "vmaf": 80.0}))
    with pytest.raises(MediaError, match="adm2"):
        read_libvmaf_log(path, ("adm2",))


def test_an_infinite_ciede_is_logged_as_null_and_becomes_the_ceiling(tmp_path):
    path = log(tmp_path / "a.json", *((n, {"ciede2000": v, "vmaf": 1.0}) for n, v in enumerate([35.5, None, 120.0])))
    assert read_libvmaf_log(path, ("ciede2000",))["ciede2000"].tolist() == [35.5, CIEDE_CEILING, CIEDE_CEILING]
    with pytest.raises(MediaError, match="ciede2000"):
        read_libvmaf_log(log(tmp_path / "b.json", (0, {"vmaf": 1.0})), ("ciede2000",))


def test_frames_are_put_in_order(tmp_path):
    path = log(tmp_path / "a.json", (2, {"vmaf": 3.0}), (0, {"vmaf": 1.0}), (1, {"vmaf": 2.0}))
    assert read_libvmaf_log(path, ())["vmaf"].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    "text", ["", "{}", '{"frames": ', "[]", "null", '{"frames": []}', '{"frames": 3}', '{"frames": [{}]}']
)
def test_a_log_that_is_none(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(MediaError, match=r"a\.json|holds no"):
        read_libvmaf_log(tmp_path / "a.json", ("adm2",))


def test_a_log_that_is_not_there(tmp_path):
    with pytest.raises(MediaError, match=r"absent\.json"):
        read_libvmaf_log(tmp_path / "absent.json", ("adm2",))


def test_ssim_is_read_from_its_luma(tmp_path):
    (tmp_path / "s").write_text(
        "n:1 Y:0.950000 U:0.1 V:0.2 All:0.93 (12.0)\nn:2 Y:1.000000 U:1.0 V:1.0 All:1.0 (inf)\n"
    )
    assert read_filter_stats(tmp_path / "s", "ssim")["ssim"].tolist() == [0.95, 1.0]


def test_an_infinite_xpsnr_becomes_the_ceiling_and_the_summary_is_no_frame(tmp_path):
    (tmp_path / "x").write_text(
        "n:    1  XPSNR y: 35.1000  XPSNR u: 40.2000  XPSNR v: inf\n"
        "n:    2  XPSNR y: inf  XPSNR u: 117.0000  XPSNR v: -3.0000\n"
        "\nXPSNR average, 2 frames  y: 35.1  u: 40.2  v: inf  (minimum: 35.1)\n"
    )
    found = read_filter_stats(tmp_path / "x", "xpsnr")
    assert found["xpsnr_y"].tolist() == [35.1, XPSNR_CEILING_DB]
    assert found["xpsnr_u"].tolist() == [40.2, XPSNR_CEILING_DB]
    assert found["xpsnr_v"].tolist() == [XPSNR_CEILING_DB, -3.0]


def test_statistics_that_are_not_there(tmp_path):
    with pytest.raises(MediaError, match="ssim filter left no statistics"):
        read_filter_stats(tmp_path / "absent", "ssim")
