"""Scales, presets and arguments of an encoder, whichever it is."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmafcast.common.errors import RequestError
from vmafcast.encoders.catalogue import ENCODERS, Encoder, QualityScale, Threading, get_encoder

encoders = st.sampled_from(list(ENCODERS.values()))


@st.composite
def encoder_and_quality(draw):
    encoder = draw(encoders)
    return encoder, draw(st.integers(encoder.quality.minimum, encoder.quality.maximum))


scales = st.builds(
    lambda low, span, place, rising: QualityScale(
        ("-q",), low, low + span, low + round(place * span), higher_is_better=rising
    ),
    st.integers(-20, 100),
    st.integers(1, 300),
    st.floats(0, 1),
    st.booleans(),
)


@given(scales)
def test_norm_rises_from_0_at_the_worst_to_1_at_the_best(scale):
    norms = [scale.norm(value) for value in scale.from_worst_to_best()]
    assert norms[0] == 0.0
    assert norms[-1] == 1.0
    assert all(a < b for a, b in itertools.pairwise(norms))


@given(encoders)
def test_every_encoder_orders_quality_the_same_way(encoder):
    norms = [encoder.quality_norm(value) for value in encoder.quality.from_worst_to_best()]
    assert (norms[0], norms[-1]) == (0.0, 1.0)
    assert all(a < b for a, b in itertools.pairwise(norms))
    assert sorted(encoder.quality.from_worst_to_best()) == list(
        range(encoder.quality.minimum, encoder.quality.maximum + 1)
    )


@given(encoders)
def test_every_encoder_orders_presets_the_same_way(encoder):
    norms = [encoder.preset_norm(preset) for preset in encoder.presets]
    if len(norms) == 1:
        assert norms == [0.5]
    else:
        assert (norms[0], norms[-1]) == (0.0, 1.0)
        steps = [b - a for a, b in itertools.pairwise(norms)]
        assert steps == pytest.approx([1 / (len(norms) - 1)] * len(steps))


@given(encoder_and_quality(), st.integers(1, 300))
def test_better_and_worse_move_the_norm_their_way_and_undo_each_other(case, steps):
    encoder, value = case
    scale = encoder.quality
    for there, back, sign in ((scale.better, scale.worse, 1), (scale.worse, scale.better, -1)):
        moved = there(value, steps)
        left = (1 - scale.norm(value)) if sign > 0 else scale.norm(value)
        reachable = round(left * (scale.maximum - scale.minimum))
        if steps > reachable:
            assert moved is None
        else:
            assert moved is not None
            assert sign * (scale.norm(moved) - scale.norm(value)) > 0
            assert back(moved, steps) == value


def test_beyond_the_end_of_the_scale_there_is_nothing():
    x264 = ENCODERS["libx264"].quality
    assert (x264.better(0), x264.worse(51)) == (None, None)
    assert (x264.better(1), x264.worse(50)) == (0, 51)
    apple = ENCODERS["hevc_videotoolbox"].quality
    assert (apple.better(100), apple.worse(1)) == (None, None)
    assert (apple.better(50, 5), apple.worse(50, 5)) == (55, 45)


@pytest.mark.parametrize(
    ("name", "value", "norm"),
    [
        ("libx264", 0, 1.0),
        ("libx264", 51, 0.0),
        ("libx265", 51, 0.0),
        ("libsvtav1", 1, 1.0),
        ("libsvtav1", 32, 0.5),
        ("libaom-av1", 63, 0.0),
        ("libvpx-vp9", 0, 1.0),
        ("libvvenc", 63, 0.0),
        ("librav1e", 0, 1.0),
        ("librav1e", 255, 0.0),
        ("h264_nvenc", 51, 0.0),
        ("av1_nvenc", 63, 0.0),
        ("av1_amf", 255, 0.0),
        ("av1_vaapi", 1, 1.0),
        ("h264_videotoolbox", 100, 1.0),
        ("h264_videotoolbox", 1, 0.0),
        ("prores_videotoolbox", 3, 1.0),
        ("prores_videotoolbox", 0, 0.0),
    ],
)
def test_norms_by_hand(name, value, norm):
    assert ENCODERS[name].quality_norm(value) == norm


@pytest.mark.parametrize(
    ("name", "fastest", "slowest"),
    [
        ("libx264", "ultrafast", "placebo"),
        ("libx265", "ultrafast", "placebo"),
        ("libsvtav1", "13", "0"),
        ("libaom-av1", "8", "0"),
        ("libvpx-vp9", "5", "0"),
        ("libvvenc", "faster", "slower"),
        ("librav1e", "10", "0"),
        ("av1_nvenc", "p1", "p7"),
        ("hevc_qsv", "veryfast", "veryslow"),
        ("h264_amf", "speed", "quality"),
    ],
)
def test_a_low_number_is_slow_for_svt_av1_and_fast_for_nvenc(name, fastest, slowest):
    encoder = ENCODERS[name]
    assert encoder.preset_norm(fastest) == 0.0
    assert encoder.preset_norm(slowest) == 1.0


@given(scales, st.integers())
def test_a_value_outside_the_scale_is_refused(scale, value):
    if scale.contains(value):
        assert 0.0 <= scale.norm(value) <= 1.0
    else:
        with pytest.raises(RequestError, match="outside the scale"):
            scale.norm(value)


def test_what_is_no_number_has_no_place_on_a_scale():
    with pytest.raises(RequestError):
        ENCODERS["libx264"].quality.norm(float("nan"))


def test_nearest_stays_on_the_scale():
    scale = ENCODERS["libsvtav1"].quality
    assert [scale.nearest(value) for value in (-3, 0.2, 30.4, 99)] == [1, 1, 30, 63]


@given(encoder_and_quality(), st.data(), st.integers(0, 64))
def test_arguments_name_the_encoder_and_carry_every_choice(case, data, threads):
    encoder, quality = case
    preset = data.draw(st.sampled_from(encoder.presets))
    arguments = encoder.arguments(quality=quality, preset=preset, threads=threads)
    assert arguments[:2] == ("-c:v", encoder.name)
    assert len(arguments) % 2 == 0
    options = dict(zip(arguments[::2], arguments[1::2], strict=True))
    assert len(options) == len(arguments) // 2
    assert all(option.startswith("-") for option in options)
    assert all(options[flag] == str(quality) for flag in encoder.quality.flags)
    if encoder.preset_flag:
        assert options[encoder.preset_flag] == preset
    assert arguments == encoder.arguments(quality=quality, preset=preset, threads=threads)


@given(encoder_and_quality())
def test_the_thread_count_shows_in_software_arguments_only(case):
    encoder, quality = case
    of = [encoder.arguments(quality=quality, preset=encoder.default_preset, threads=threads) for threads in (0, 1, 2)]
    assert len(set(of)) == (1 if encoder.is_hardware else 3)


@pytest.mark.parametrize("encoder", ENCODERS.values(), ids=lambda encoder: encoder.name)
@pytest.mark.parametrize("beyond", [-1, 1])
def test_a_quality_out_of_range_is_refused_by_name_value_and_range(encoder, beyond):
    scale = encoder.quality
    value = scale.minimum - 1 if beyond < 0 else scale.maximum + 1
    near = scale.minimum if beyond < 0 else scale.maximum
    for refused in (
        lambda: encoder.arguments(quality=value, preset=encoder.default_preset, threads=1),
        lambda: encoder.quality_norm(value),
    ):
        with pytest.raises(RequestError) as caught:
            refused()
        message = str(caught.value)
        assert encoder.name in message
        assert f"{scale.minimum} to {scale.maximum}" in message
        assert f"not {value};" in message
        assert f"did you mean {near}?" in message


def test_the_refusal_says_which_end_is_best():
    with pytest.raises(RequestError, match=r"1 to 100 \(100 is best\)"):
        ENCODERS["h264_videotoolbox"].check_quality(0)
    with pytest.raises(RequestError, match=r"0 to 51 \(0 is best\)"):
        ENCODERS["libx264"].check_quality(52)


@pytest.mark.parametrize(
    ("name", "preset", "hint"),
    [
        ("libx264", "mediun", "'medium'"),
        ("libx264", "Slow", "'slow'"),
        ("libvvenc", "fastest", "'faster'"),
        ("libsvtav1", "14", "'13'"),
        ("libsvtav1", "-2", "'0'"),
        ("libvpx-vp9", "8", "'5'"),
    ],
)
def test_an_unknown_preset_is_refused_with_the_nearest_and_the_list(name, preset, hint):
    encoder = ENCODERS[name]
    for refused in (
        lambda: encoder.preset_norm(preset),
        lambda: encoder.arguments(quality=encoder.quality.default, preset=preset, threads=1),
    ):
        with pytest.raises(RequestError) as caught:
            refused()
        message = str(caught.value)
        assert encoder.name in message
        assert repr(preset) in message
        assert f"did you mean {hint}" in message
        assert all(known in message for known in encoder.presets)


def test_a_preset_like_no_other_is_refused_without_a_guess():
    with pytest.raises(RequestError, match="libsvtav1 has no preset 'medium'; choose one of") as caught:
        ENCODERS["libsvtav1"].check_preset("medium")
    assert "did you mean" not in str(caught.value)


def test_a_negative_thread_count_is_refused():
    with pytest.raises(RequestError, match="libx264 cannot use -2 threads"):
        ENCODERS["libx264"].arguments(quality=23, preset="medium", threads=-2)


@pytest.mark.parametrize(
    ("threading", "threads", "expected"),
    [
        (Threading("-threads"), 4, ("-threads", "4")),
        (Threading("-threads"), 0, ()),
        (Threading("-p", "lp={threads}", "x=0"), 2, ("-p", "lp=2:x=0")),
        (Threading("-p", "lp={threads}", "x=0"), 0, ("-p", "x=0")),
        (Threading("-p", "n={threads}", alone="n=0"), 1, ("-p", "n=0")),
        (Threading("-p", "n={threads}", alone="n=0"), 2, ("-p", "n=2")),
        (Threading("-p", "n={threads}", alone="n=0"), 0, ()),
    ],
)
def test_threading_joins_what_is_counted_with_what_is_always_said(threading, threads, expected):
    assert threading.arguments(threads) == expected


def test_facts_cannot_be_changed():
    encoder = get_encoder("libx264")
    with pytest.raises(dataclasses.FrozenInstanceError):
        encoder.name = "other"  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        encoder.quality.minimum = 5  # type: ignore[misc]
    assert isinstance(encoder, Encoder)
    assert hash(encoder) == hash(dataclasses.replace(encoder))
