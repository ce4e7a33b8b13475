"""The catalogue as a whole, and the exact arguments of each encoder."""

from __future__ import annotations

import pytest

from vmafcast.encoders.catalogue import ENCODERS, SOFTWARE_ENCODERS, get_encoder

GOLDEN = {
    "libx264": "-preset medium -crf 23 -threads 1",
    "libx265": "-preset medium -crf 28 -x265-params pools=1:frame-threads=1:log-level=error",
    "libsvtav1": "-preset 8 -crf 35 -svtav1-params lp=1:film-grain=0",
    "libaom-av1": "-cpu-used 4 -usage good -b:v 0 -crf 32 -threads 1",
    "libvpx-vp9": "-cpu-used 2 -deadline good -b:v 0 -crf 32 -threads 1",
    "libvvenc": "-preset medium -qpa 1 -qp 32 -vvenc-params threads=0",
    "librav1e": "-speed 6 -qp 100 -threads 1",
    "h264_nvenc": "-preset p4 -rc vbr -b:v 0 -cq 23",
    "hevc_nvenc": "-preset p4 -rc vbr -b:v 0 -cq 28",
    "av1_nvenc": "-preset p4 -rc vbr -b:v 0 -cq 32",
    "h264_qsv": "-preset medium -global_quality 23",
    "hevc_qsv": "-preset medium -global_quality 26",
    "av1_qsv": "-preset medium -global_quality 28",
    "h264_amf": "-quality balanced -rc cqp -qp_i 23 -qp_p 23 -qp_b 23",
    "hevc_amf": "-quality balanced -rc cqp -qp_i 26 -qp_p 26",
    "av1_amf": "-quality balanced -rc cqp -qp_i 110 -qp_p 110",
    "h264_vaapi": "-rc_mode CQP -qp 23",
    "hevc_vaapi": "-rc_mode CQP -qp 26",
    "av1_vaapi": "-rc_mode CQP -global_quality 110",
    "h264_videotoolbox": "-q:v 60",
    "hevc_videotoolbox": "-q:v 60",
    "av1_videotoolbox": "-q:v 60",
    "prores_videotoolbox": "-profile:v 2",
}

CHOSEN = {
    ("libx264", 18, "veryslow", 0): "-preset veryslow -crf 18",
    ("libx264", 18, "veryslow", 4): "-preset veryslow -crf 18 -threads 4",
    ("libx265", 22, "fast", 0): "-preset fast -crf 22 -x265-params log-level=error",
    ("libsvtav1", 45, "13", 0): "-preset 13 -crf 45 -svtav1-params film-grain=0",
    ("libsvtav1", 45, "0", 6): "-preset 0 -crf 45 -svtav1-params lp=6:film-grain=0",
    ("libvpx-vp9", 0, "5", 0): "-cpu-used 5 -deadline good -b:v 0 -crf 0",
    ("av1_nvenc", 63, "p7", 0): "-preset p7 -rc vbr -b:v 0 -cq 63",
    ("hevc_vaapi", 51, "default", 2): "-rc_mode CQP -qp 51",
}


def test_the_catalogue_holds_these_and_no_others():
    assert list(ENCODERS) == list(GOLDEN)
    assert all(name == encoder.name for name, encoder in ENCODERS.items())


@pytest.mark.parametrize("name", GOLDEN)
def test_default_arguments(name):
    encoder = ENCODERS[name]
    arguments = encoder.arguments(quality=encoder.quality.default, preset=encoder.default_preset, threads=1)
    assert arguments == ("-c:v", name, *GOLDEN[name].split())


@pytest.mark.parametrize(("case", "expected"), CHOSEN.items(), ids=str)
def test_chosen_arguments(case, expected):
    name, quality, preset, threads = case
    arguments = ENCODERS[name].arguments(quality=quality, preset=preset, threads=threads)
    assert arguments == ("-c:v", name, *expected.split())


@pytest.mark.parametrize("name", GOLDEN)
def test_no_encode_is_capped_by_a_bitrate(name):
    encoder = ENCODERS[name]
    arguments = encoder.arguments(quality=encoder.quality.default, preset=encoder.default_preset, threads=1)
    options = dict(zip(arguments[::2], arguments[1::2], strict=True))
    assert options.get("-b:v", "0") == "0"
    assert not {"-maxrate", "-bufsize", "-b"} & set(options)


def test_the_mapping_is_read_only():
    with pytest.raises(TypeError):
        ENCODERS["libx264"] = ENCODERS["libx265"]  # type: ignore[index]


def test_software_encoders_are_those_that_count_threads():
    assert SOFTWARE_ENCODERS == (
        "libx264",
        "libx265",
        "libsvtav1",
        "libaom-av1",
        "libvpx-vp9",
        "libvvenc",
        "librav1e",
    )
    assert {name for name, encoder in ENCODERS.items() if not encoder.is_hardware} == set(SOFTWARE_ENCODERS)


@pytest.mark.parametrize("encoder", ENCODERS.values(), ids=lambda encoder: encoder.name)
def test_facts_agree_with_each_other(encoder):
    assert encoder.quality.contains(encoder.quality.default)
    assert encoder.quality.minimum < encoder.quality.default < encoder.quality.maximum
    assert encoder.default_preset in encoder.presets
    assert len(set(encoder.presets)) == len(encoder.presets)
    assert (encoder.preset_flag is None) == (len(encoder.presets) == 1)
    assert set(encoder.bit_depths) <= {8, 10, 12}
    assert list(encoder.bit_depths) == sorted(set(encoder.bit_depths))


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("libx264", 0, 51),
        ("libx265", 0, 51),
        ("libsvtav1", 1, 63),
        ("libaom-av1", 0, 63),
        ("libvpx-vp9", 0, 63),
        ("libvvenc", 0, 63),
        ("librav1e", 0, 255),
        ("h264_nvenc", 1, 51),
        ("hevc_nvenc", 1, 51),
        ("av1_nvenc", 1, 63),
        ("av1_qsv", 1, 51),
        ("h264_amf", 0, 51),
        ("av1_amf", 0, 255),
        ("hevc_vaapi", 1, 51),
        ("av1_vaapi", 1, 255),
        ("hevc_videotoolbox", 1, 100),
        ("prores_videotoolbox", 0, 3),
    ],
)
def test_scales(name, low, high):
    assert (ENCODERS[name].quality.minimum, ENCODERS[name].quality.maximum) == (low, high)


def test_quality_rises_with_the_value_for_videotoolbox_alone():
    rising = {name for name, encoder in ENCODERS.items() if encoder.quality.higher_is_better}
    assert rising == {name for name in ENCODERS if name.endswith("_videotoolbox")}


@pytest.mark.parametrize("name", GOLDEN)
def test_the_codec_is_the_one_in_a_hardware_encoders_name(name):
    encoder = ENCODERS[name]
    if encoder.is_hardware:
        assert name.split("_")[0] == encoder.codec


def test_get_encoder_resolves_aliases():
    assert get_encoder("X264") is ENCODERS["libx264"]
    assert get_encoder("svt-av1") is ENCODERS["libsvtav1"]
    assert get_encoder("hevc_nvenc") is ENCODERS["hevc_nvenc"]
