"""The codec block: layout, directions, refusals and speed."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmafcast.common.errors import RequestError
from vmafcast.encoders.catalogue import ENCODERS, get_encoder
from vmafcast.encoders.codec_block import codec_block, codec_block_for
from vmafcast.encoders.vocabulary import V1, V3, V4, VOCABULARIES

unit = st.floats(0, 1, width=32)
rows = st.lists(st.tuples(st.sampled_from([*ENCODERS, "other"]), unit, unit))


@given(st.sampled_from(list(VOCABULARIES.values())), rows)
def test_layout_is_one_hot_then_preset_then_quality(vocabulary, given_rows):
    names = [name for name, _, _ in given_rows]
    preset = np.array([value for _, value, _ in given_rows], dtype=np.float32)
    crf = np.array([value for _, _, value in given_rows], dtype=np.float32)
    block = codec_block(vocabulary, names, preset, crf)
    assert block.shape == (len(names), vocabulary.width)
    assert block.dtype == np.float32
    assert np.array_equal(block[:, :-2], vocabulary.one_hot(names))
    assert np.array_equal(block[:, -2], preset)
    assert np.array_equal(block[:, -1], crf)
    assert ((block >= 0) & (block <= 1)).all()


@pytest.mark.parametrize(
    ("name", "width"), [("v1", 8), ("v2-trained", 14), ("v2-documented", 15), ("v3", 18), ("v4", 25)]
)
def test_widths(name, width):
    block = codec_block(VOCABULARIES[name], ["libx264"], [0.5], [0.5])
    assert block.shape == (1, width)


def test_one_encode_repeated():
    block = codec_block_for(V1, get_encoder("libx264"), "medium", 51, 3)
    assert block.tolist() == [[1, 0, 0, 0, 0, 0, pytest.approx(5 / 9), 0]] * 3
    assert block.dtype == np.float32


@given(st.sampled_from(list(ENCODERS.values())), st.integers(0, 4))
def test_directions_are_the_same_for_every_encoder(encoder, n):
    order = encoder.quality.from_worst_to_best()
    worst = codec_block_for(V4, encoder, encoder.presets[0], order[0], n)
    best = codec_block_for(V4, encoder, encoder.presets[-1], order[-1], n)
    assert worst.shape == best.shape == (n, 25)
    assert (worst[:, -1] == 0).all()
    assert (best[:, -1] == 1).all()
    if len(encoder.presets) > 1:
        assert (worst[:, -2] == 0).all()
        assert (best[:, -2] == 1).all()
    else:
        assert (worst[:, -2] == 0.5).all()
    assert (worst[:, :-2].sum(axis=1) == 1).all()


def test_an_untrained_encoder_keeps_its_norms_and_loses_its_slot():
    encoder = get_encoder("libx265")
    block = codec_block_for(V3, encoder, "placebo", 0, 1, trained=["libx264"])
    assert block.tolist() == [[0] * 16 + [1, 1]]
    assert codec_block(V1, ["libx265"], [1], [1], trained=["x264"])[0].tolist() == [0, 0, 0, 0, 0, 1, 1, 1]


def test_a_request_that_the_encoder_does_not_know_is_refused():
    encoder = get_encoder("libsvtav1")
    with pytest.raises(RequestError, match="libsvtav1 has no preset"):
        codec_block_for(V4, encoder, "slow", 35, 1)
    with pytest.raises(RequestError, match="libsvtav1 takes a quality of 1 to 63"):
        codec_block_for(V4, encoder, "8", 0, 1)


@pytest.mark.parametrize("wrong", [-0.001, 1.001, float("nan"), float("inf"), 23.0])
def test_a_norm_outside_0_to_1_is_refused_with_its_row(wrong):
    values = np.array([0.5, wrong])
    good = np.array([0.5, 0.5])
    with pytest.raises(RequestError, match=r"preset_norm is .* in row 1"):
        codec_block(V4, ["libx264"] * 2, values, good)
    with pytest.raises(RequestError, match=r"crf_norm is .* in row 1"):
        codec_block(V4, ["libx264"] * 2, good, values)


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 1)])
def test_a_norm_of_another_length_is_refused(shape):
    with pytest.raises(RequestError, match="preset_norm has the shape"):
        codec_block(V4, ["libx264"] * 2, np.full(shape, 0.5), np.full(2, 0.5))


def test_a_million_rows_take_no_loop_over_rows():
    names = (["libx264", "libsvtav1", "other"] * 333_334)[:1_000_000]
    half = np.full(len(names), 0.5)
    began = time.process_time()
    block = codec_block(V4, names, half, half)
    # a second is what the pass takes on a slow core; one interpreted step per row and column takes a minute
    assert time.process_time() - began < 5.0
    assert block.shape == (1_000_000, 25)
    assert block[:, 0].sum() == 333_334
