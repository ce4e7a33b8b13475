from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmafcast.common.errors import DataError, RequestError
from vmafcast.encoders.vocabulary import VOCABULARIES
from vmafcast.models.design import CodecFacts, build_design

V4 = VOCABULARIES["v4"]
ORDER = ("a", "b", "c")


@given(order=st.permutations(["a", "b", "c", "d"]))
def test_columns_are_found_by_name_whatever_their_order(order):
    values = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}
    table = np.array([[values[name] for name in order]] * 2)
    design = build_design(ORDER, order, table, None, None)
    assert design.features.tolist() == [[1, 2, 3]] * 2
    assert design.features.dtype == np.float32
    assert design.block.shape == (2, 0)


def test_the_block_holds_the_slot_and_both_settings():
    design = build_design(ORDER, ORDER, np.zeros((2, 3)), V4, CodecFacts(["libx264", "libx265"], [0, 1], [0.5, 0.25]))
    assert design.block.shape == (2, V4.width)
    assert design.block[:, -2:].tolist() == [[0, 0.5], [1, 0.25]]
    assert [int(row.argmax()) for row in design.block[:, :-2]] == [0, 2]
    assert design.block[:, :-2].sum(axis=1).tolist() == [1, 1]


def test_one_setting_holds_for_all_rows():
    design = build_design(ORDER, ORDER, np.zeros((3, 3)), V4, CodecFacts(["libx264"] * 3, 0.5, 0.25))
    assert design.block[:, -2:].tolist() == [[0.5, 0.25]] * 3


def test_nothing_known_is_a_block_of_zeros():
    design = build_design(ORDER, ORDER, np.ones((3, 3)), V4, None)
    assert design.block.shape == (3, V4.width)
    assert not design.block.any()


def test_an_untrained_encoder_keeps_its_settings_and_loses_its_slot():
    design = build_design(
        ORDER, ORDER, np.zeros((2, 3)), V4, CodecFacts(["libx264", "librav1e"], 0.5, 0.5), ["libx264"]
    )
    assert design.block[1, :-2].sum() == 0
    assert design.block[1, -2:].tolist() == [0.5, 0.5]
    assert design.block[0, :-2].sum() == 1


def test_no_rows_are_a_design_of_no_rows():
    design = build_design(ORDER, ORDER, np.zeros((0, 3)), V4, CodecFacts([], 0.5, 0.5))
    assert design.features.shape == (0, 3)
    assert design.block.shape == (0, V4.width)


@pytest.mark.parametrize(
    ("names", "table", "says"),
    [
        (("a", "b"), np.zeros((1, 2)), "lack c"),
        (("a", "b", "c"), np.zeros((1, 2)), "N rows of the 3 columns"),
        (("a", "b", "c"), np.zeros(3), "N rows of the 3 columns"),
        (("a", "b", "c"), [[0, 0, 0], [0, np.nan, 0]], "b is not a finite number in row 1"),
        (("a", "b", "c"), [[0, 0, 1e300]], "c is not a finite number in row 0"),
    ],
)
def test_features_that_cannot_be_used_are_refused(names, table, says):
    with pytest.raises(DataError, match=says):
        build_design(ORDER, names, table, None, None)


@pytest.mark.parametrize(
    ("codec", "says"),
    [
        (CodecFacts(["libx264"], 0.5, 0.5), "1 encoder names were given for 2 rows"),
        (CodecFacts(["libx264"] * 2, [0.5], 0.5), "preset_norm"),
        (CodecFacts(["libx264"] * 2, 0.5, 1.5), "crf_norm"),
        (CodecFacts(["libx264"] * 2, np.nan, 0.5), "preset_norm"),
    ],
)
def test_codec_facts_that_cannot_be_used_are_refused(codec, says):
    with pytest.raises(RequestError, match=says):
        build_design(ORDER, ORDER, np.zeros((2, 3)), V4, codec)
