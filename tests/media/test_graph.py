from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from vmafcast.common.errors import CapabilityError
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.media.features import CANONICAL6, LITE
from vmafcast.media.graph import (
    EncodeSettings,
    Scoring,
    encode_depth,
    encode_only,
    one_process,
    pixel_format,
    score_only,
    source_depth,
)
from vmafcast.media.source import Source

SOURCE = Source(
    path=Path("/clips/it's [a]:clip;,%d.mkv"),
    sha256="0" * 64,
    width=352,
    height=288,
    fps=Fraction(30000, 1001),
    frames=10,
    pixel_format="yuv420p",
    bit_depth=8,
    full_range=False,
    codec="h264",
    encoder_tag="",
)
JOBS = [EncodeSettings(get_encoder("libx264"), "medium", quality) for quality in (20, 30)]
SCORING = Scoring("vmaf_v0.6.1", (CANONICAL6, LITE))


def graphs(arguments):
    return [arguments[i + 1] for i, each in enumerate(arguments) if each == "-filter_complex"]


@pytest.mark.parametrize(("bits", "depth"), [(8, 8), (1, 8), (9, 10), (10, 10), (12, 10), (16, 10)])
def test_a_source_is_worked_on_at_eight_or_ten_bits(bits, depth):
    assert source_depth(replace(SOURCE, bit_depth=bits)) == depth


def test_an_encode_never_has_fewer_bits_than_its_source_if_the_encoder_can_help_it():
    deep = replace(SOURCE, bit_depth=10)
    eight_only = replace(get_encoder("libx264"), bit_depths=(8,))
    assert encode_depth(SOURCE, get_encoder("libx264")) == 8
    assert encode_depth(deep, get_encoder("libx264")) == 10
    assert encode_depth(SOURCE, get_encoder("libvvenc")) == 10
    assert encode_depth(deep, eight_only) == 8


def test_a_depth_without_a_format_is_refused():
    with pytest.raises(CapabilityError, match="12 bits"):
        pixel_format(12)


def test_nothing_of_the_users_stands_in_a_filter():
    for arguments in (
        one_process(SOURCE, JOBS, SCORING, ["c0.mkv", "c1.mkv"]),
        encode_only(SOURCE, JOBS[0], "c0.mkv"),
        score_only(SOURCE, SOURCE, SCORING),
    ):
        assert arguments[arguments.index("-i") + 1] == f"file:{SOURCE.path}"
        assert not any("clip" in graph for graph in graphs(arguments))


def test_every_input_has_its_protocols_and_demuxers_limited():
    arguments = score_only(SOURCE, SOURCE, SCORING)
    assert arguments.count("-i") == arguments.count("-protocol_whitelist") == arguments.count("-format_whitelist") == 2
    assert arguments[arguments.index("-protocol_whitelist") + 1] == "file"
    listed = arguments[arguments.index("-format_whitelist") + 1].split(",")
    assert not {"concat", "hls", "image2", "dash", "sdp", "lavfi", "tee", "applehttp"} & set(listed)


def test_both_sides_get_the_references_fresh_timeline_before_they_meet():
    slow = replace(SOURCE, fps=Fraction(25))
    [graph] = graphs(score_only(SOURCE, slow, SCORING))
    assert graph.count("settb=expr=1001/30000,setpts=N") == 2
    assert graph.count("setpts") == 2


def test_the_source_is_decoded_once_for_all_jobs():
    arguments = one_process(SOURCE, JOBS, SCORING, ["c0.mkv", "c1.mkv"])
    assert arguments.count("-i") == 1
    assert arguments.count("-dec") == 2
    assert sum("libvmaf" in graph for graph in graphs(arguments)) == 2


def test_frames_are_never_dropped_repeated_or_skipped():
    arguments = one_process(SOURCE, JOBS, SCORING, ["c0.mkv", "c1.mkv"])
    assert arguments.count("-fps_mode") == 2
    assert "passthrough" in arguments
    assert not any("n_subsample" in each for each in arguments)


def test_settings_name_themselves_and_put_extras_last():
    settings = EncodeSettings(get_encoder("libx264"), "medium", 23, threads=2, extra=("-g", "30"))
    assert settings.label() == "libx264 medium 23"
    assert settings.arguments()[-2:] == ("-g", "30")
    assert settings.arguments() != EncodeSettings(get_encoder("libx264"), "medium", 23, threads=1).arguments()


def test_a_filter_that_two_sets_need_runs_once():
    twice = Scoring("vmaf_v0.6.1", (LITE, replace(LITE, name="again")))
    assert twice.filters == ("ssim", "xpsnr")
    [graph] = graphs(score_only(SOURCE, SOURCE, twice))
    assert graph.count("xpsnr=") == 1
    assert graph.count("name=psnr") == 1
