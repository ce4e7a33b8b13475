"""What ``corpus build`` may measure, and which sources it takes only when it is told to."""

from __future__ import annotations

import json

import polars as pl
import pytest

FAST = ("--encoder", "libx264", "--preset", "ultrafast", "--quality", "25,40", "--out", "corpus", "--json")


@pytest.fixture
def build(call, tmp_path):
    def run(*arguments):
        return call("corpus", "build", *arguments, *FAST)

    return run


def test_teachers_and_features(build, call, make_clip, tmp_path):
    clip = make_clip("meadow.mkv", width=352, height=320, frames=3, folder=tmp_path)
    said = build(clip, "--teacher", "vmaf_v0.6.1neg", "--teacher", "vmaf_v1.0.16_3d0h", "--features", "full, lite")
    assert (said.code, said.done["built"]) == (0, 2)
    encodes = pl.read_parquet(tmp_path / "corpus" / "encodes" / "*.parquet")
    assert encodes["teacher"].unique().to_list() == ["vmaf_v0.6.1neg"]
    assert encodes["feature_sets"].unique().to_list() == ["full lite"]
    assert (encodes["vmaf_v1.0.16_3d0h"] != encodes["vmaf"]).all()
    frames = pl.read_parquet(tmp_path / "corpus" / "frames" / "*.parquet")
    assert {"vmaf_v1.0.16_3d0h", "vmaf", "speed_temporal", "xpsnr_y"} <= set(frames.columns)
    [line] = call("corpus", "describe", "corpus", "--json").lines
    assert line["further_teachers"] == ["vmaf_v1.0.16_3d0h"]
    assert [fact["viewing_distance"] for fact in line["teacher_facts"]] == [3.0, 3.0]
    assert set(line["feature_cost_seconds"]) == {"full", "lite"}
    assert line["feature_cost_seconds"]["full"] > 0
    assert [json.loads(each)["type"] for each in call("corpus", "verify", "corpus", "--json").out.splitlines()]
    assert call("corpus", "verify", "corpus", "--json").code == 0


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (("--teacher", "vmaf"), "unknown teacher 'vmaf'; known are vmaf_v0.6.1, ", 2),
        (("--features", "canonical7"), "unknown feature set 'canonical7'; known are canonical6", 2),
        (("--features", " , "), "name one feature set or more", 2),
        (("--features", "full"), "clip.mkv is 128x96, and the features full cannot be measured", 1),
        (("--teacher", "vmaf_v1.0.16_5d0h"), "the teacher vmaf_v1.0.16_5d0h cannot be measured", 1),
    ],
)
def test_what_cannot_be_measured(build, make_clip, tmp_path, arguments, words, code):
    said = build(make_clip(frames=2), *arguments)
    assert (said.code, said.lines[-1]["exit_code"]) == (code, code)
    assert words in said.lines[-1]["message"]
    assert not (tmp_path / "corpus").exists()


def test_interlaced_sources_are_taken_when_told_to(build, make_clip, run_tool, tmp_path):
    run_tool("-i", make_clip(frames=8), "-vf", "interlace", "-c:v", "libx264", "-x264-params", "interlaced=1",
             tmp_path / "fields.mkv")  # fmt: skip
    refused = build("fields.mkv")
    assert refused.code == 1
    assert "is interlaced" in refused.lines[-1]["message"]
    assert "--deinterlace" in refused.lines[-1]["message"]
    assert not (tmp_path / "corpus").exists()
    assert build("fields.mkv", "--deinterlace").done["built"] == 2
    assert build("fields.mkv", "--deinterlace").done["already_finished"] == 2


def test_hdr_sources_are_taken_when_told_to(build, make_clip, run_tool, tmp_path):
    tags = "setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc"
    run_tool("-i", make_clip(frames=4), "-vf", f"format=yuv420p10le,{tags}", "-c:v", "libx265", "-x265-params",
             "log-level=none:crf=10", tmp_path / "hdr.mkv")  # fmt: skip
    refused = build("hdr.mkv")
    assert refused.code == 1
    assert "hdr.mkv is HDR (PQ)" in refused.lines[-1]["message"]
    assert "--allow-hdr" in refused.lines[-1]["message"]
    assert not (tmp_path / "corpus").exists()
    assert build("hdr.mkv", "--allow-hdr").done["built"] == 2


def test_a_smaller_encode_is_predicted_at_the_size_of_its_reference(served, call, make_clip, run_tool, tmp_path):
    clip = make_clip(width=256, height=192, frames=6)
    run_tool("-i", clip, "-vf", "scale=128:96", "-c:v", "libx264", "-crf", 30, tmp_path / "small.mp4")
    run_tool("-i", tmp_path / "small.mp4", "-vf", "scale=256:192:flags=bicubic", "-c:v", "ffv1", tmp_path / "back.mkv")
    small, back = (
        call("predict", clip, tmp_path / name, "--registry", served.registry, "--json")
        for name in ("small.mp4", "back.mkv")
    )
    assert (small.code, back.code) == (0, 0), small.out
    assert small.lines == back.lines
    assert small.lines[-1]["frames"] == 6
    assert 0 < small.lines[-1]["measured"] < 95
