"""Vocabularies are pinned to the letter: a model's weights rest on the order of their slots."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmafcast.common.errors import DataError
from vmafcast.encoders.catalogue import ENCODERS
from vmafcast.encoders.vocabulary import (
    V1,
    V2_DOCUMENTED,
    V2_TRAINED,
    V3,
    V4,
    VOCABULARIES,
    Vocabulary,
)

PINNED = {
    "v1": "x264 x265 libsvtav1 libvvenc libvpx-vp9 unknown",
    "v2-trained": (
        "libx264 libx265 libsvtav1 libvvenc libvpx-vp9 h264_nvenc hevc_nvenc av1_nvenc "
        "h264_qsv hevc_qsv av1_qsv unknown"
    ),
    "v2-documented": (
        "libx264 libaom-av1 libx265 h264_nvenc hevc_nvenc av1_nvenc h264_amf hevc_amf av1_amf "
        "h264_qsv hevc_qsv av1_qsv libvvenc"
    ),
    "v3": (
        "libx264 libaom-av1 libx265 h264_nvenc hevc_nvenc av1_nvenc h264_amf hevc_amf av1_amf "
        "h264_qsv hevc_qsv av1_qsv libvvenc libsvtav1 h264_videotoolbox hevc_videotoolbox"
    ),
    "v4": (
        "libx264 libaom-av1 libx265 h264_nvenc hevc_nvenc av1_nvenc h264_amf hevc_amf av1_amf "
        "h264_qsv hevc_qsv av1_qsv libvvenc libsvtav1 h264_videotoolbox hevc_videotoolbox "
        "libvpx-vp9 librav1e h264_vaapi hevc_vaapi av1_vaapi av1_videotoolbox prores_videotoolbox"
    ),
}

vocabularies = st.sampled_from(list(VOCABULARIES.values()))
names = st.sampled_from([*ENCODERS, "x264", "x265", "mpeg2video", "unknown", ""])


@pytest.mark.parametrize("name", PINNED)
def test_slots_are_pinned(name):
    assert VOCABULARIES[name].slots == tuple(PINNED[name].split())


def test_these_are_all_and_cannot_be_changed():
    assert list(VOCABULARIES) == list(PINNED)
    assert [vocabulary.version for vocabulary in VOCABULARIES.values()] == [1, 2, 2, 3, 4]
    with pytest.raises(TypeError):
        VOCABULARIES["v5"] = V4  # type: ignore[index]


def test_slots_and_widths():
    of = (V1, V2_TRAINED, V2_DOCUMENTED, V3, V4)
    assert [len(vocabulary.slots) for vocabulary in of] == [6, 12, 13, 16, 23]
    assert [vocabulary.width for vocabulary in of] == [8, 14, 15, 18, 25]


def test_from_v3_on_slots_are_appended_and_never_moved():
    assert V4.slots[: len(V3.slots)] == V3.slots
    assert V2_DOCUMENTED.slots == V3.slots[:13]


def test_v4_holds_the_whole_catalogue():
    assert set(V4.slots) == set(ENCODERS)


@given(vocabularies)
def test_every_slot_is_found_by_its_own_name(vocabulary):
    for position, slot in enumerate(vocabulary.slots):
        assert vocabulary.index(slot) == (None if slot == "unknown" else position)


def test_matching_goes_by_name_across_spellings():
    assert V1.index("x264") == V1.index("libx264") == 0
    assert V1.index("x265") == V1.index("libx265") == 1
    assert V2_TRAINED.index("libx265") == 1
    assert V3.index("libx265") == V3.index("x265") == 2
    assert [vocabulary.index("libsvtav1") for vocabulary in VOCABULARIES.values()] == [2, 2, None, 13, 13]
    assert [vocabulary.index("libvpx-vp9") for vocabulary in VOCABULARIES.values()] == [4, 4, None, None, 16]


def test_aliases_find_their_slot_too():
    assert V4.index("vp9") == V4.index("libvpx-vp9")
    assert V1.index("AVC") == 0
    assert V1.index(" X264 ") == 0


def test_a_foreign_slot_that_only_names_a_codec_is_no_encoders_slot():
    foreign = Vocabulary("foreign", 9, ("av1", "libx264"))
    assert foreign.index("libsvtav1") is None
    assert foreign.index("libaom-av1") is None
    assert foreign.index("av1") == 0


def test_the_same_slot_number_means_different_encoders():
    assert V2_TRAINED.slots[1] != V2_DOCUMENTED.slots[1]
    assert V2_TRAINED.one_hot(["libx265"]).argmax() != V2_DOCUMENTED.one_hot(["libx265"]).argmax()


def test_unknown_slots():
    found = [vocabulary.unknown_slot for vocabulary in VOCABULARIES.values()]
    assert found == [5, 11, None, None, None]


def test_an_unknown_encoder_is_the_unknown_slot_where_there_is_one():
    hot = V1.one_hot(["libaom-av1", "libx264", "h264_nvenc"])
    assert hot.tolist() == [[0, 0, 0, 0, 0, 1], [1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1]]


def test_an_unknown_encoder_is_all_zeros_where_there_is_none():
    hot = V3.one_hot(["libvpx-vp9", "libx264"])
    assert not hot[0].any()
    assert hot[1].argmax() == 0


def test_an_untrained_slot_is_served_as_unknown():
    trained = ("libx264", "libsvtav1")
    assert not V4.one_hot(["libx265"], trained).any()
    assert V4.one_hot(["libsvtav1"], trained).argmax() == 13
    assert V1.one_hot(["libx265"], trained).argmax() == V1.unknown_slot
    assert V1.one_hot(["libx264"], trained).argmax() == 0


def test_trained_names_may_be_in_the_vocabularys_spelling_or_ffmpegs():
    for spelling in ("x264", "libx264"):
        assert V1.one_hot(["libx264", "x264"], [spelling]).argmax(axis=1).tolist() == [0, 0]


def test_holds_tells_what_is_served_as_unknown():
    assert V4.holds("libx264")
    assert V4.holds("libx264", ["libx264"])
    assert not V4.holds("libx265", ["libx264"])
    assert not V3.holds("libvpx-vp9")
    assert not V1.holds("unknown")
    assert not V4.holds("libx264", [])


@given(vocabularies, st.lists(names), st.none() | st.sets(st.sampled_from(list(ENCODERS))))
def test_one_hot_agrees_with_index_row_by_row(vocabulary, rows, trained):
    hot = vocabulary.one_hot(rows, trained)
    assert hot.shape == (len(rows), len(vocabulary.slots))
    assert hot.dtype == np.float32
    for name, row in zip(rows, hot, strict=True):
        expected = np.zeros(len(vocabulary.slots), np.float32)
        if vocabulary.holds(name, trained):
            expected[vocabulary.index(name)] = 1
        elif vocabulary.unknown_slot is not None:
            expected[vocabulary.unknown_slot] = 1
        assert np.array_equal(row, expected)


@given(vocabularies, st.permutations(list(ENCODERS)))
def test_the_order_of_rows_is_kept(vocabulary, order):
    assert np.array_equal(vocabulary.one_hot(order), np.concatenate([vocabulary.one_hot([name]) for name in order]))


def test_names_may_come_as_an_array():
    rows = np.array(["libx264", "libvpx-vp9", "libx264"])
    assert np.array_equal(V4.one_hot(rows), V4.one_hot(rows.tolist()))
    assert np.array_equal(V4.one_hot(rows.astype(object)), V4.one_hot(rows.tolist()))


def test_a_vocabulary_without_slots_is_refused():
    with pytest.raises(DataError, match="'empty' holds no slot"):
        Vocabulary("empty", 1, ())


@pytest.mark.parametrize("slots", [("libx264", "libx264"), ("x264", "libx264"), ("unknown", "a", "unknown")])
def test_two_slots_for_one_encoder_are_refused(slots):
    with pytest.raises(DataError, match="more than once"):
        Vocabulary("twice", 1, slots)
