"""Activity: held to its definition, to what a picture's gradient is by hand, and to the same frames elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp

from vmafcast.common.errors import MediaError
from vmafcast.common.feature_names import ACTIVITY
from vmafcast.media.complexity.activity import FLOOR, frame_activity, source_activity
from vmafcast.media.source import probe

PICTURES = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=33))


def test_a_flat_picture_has_the_floor_at_every_scale():
    assert frame_activity(np.full((48, 64), 77, np.uint8), 8) == pytest.approx([np.log2(FLOOR)] * 4)


def test_a_ramp_doubles_its_gradient_with_each_scale():
    # A step of 2 a column; one scale up, neighbours are two columns apart.
    ramp = np.tile(np.arange(0, 128, 2, dtype=np.uint8), (16, 1))
    assert frame_activity(ramp, 8) == pytest.approx(np.log2(FLOOR + np.array([2.0, 4.0, 8.0, 16.0])))


def test_fine_stripes_are_seen_at_the_finest_scale_alone():
    stripes = np.tile(np.array([0, 200], dtype=np.uint8), (32, 16))
    found = frame_activity(stripes, 8)
    assert found[0] == pytest.approx(np.log2(FLOOR + 200))
    assert found[1:] == pytest.approx([np.log2(FLOOR)] * 3)


def test_detail_in_few_places_counts_more_than_the_same_mean_everywhere():
    even = np.tile(np.array([0, 8], dtype=np.uint8), (32, 16))
    uneven = np.zeros((32, 32), np.uint8)
    uneven[:, :8] = np.tile(np.array([0, 32], dtype=np.uint8), (32, 4))
    assert frame_activity(uneven, 8)[0] > frame_activity(even, 8)[0] + 0.8


@given(PICTURES)
@settings(max_examples=60, deadline=None)
def test_a_transposed_picture_has_the_same_activity(picture):
    whole = picture[: len(picture) // 8 * 8, : picture.shape[1] // 8 * 8]
    if whole.size:
        assert frame_activity(whole.T, 8) == pytest.approx(frame_activity(whole, 8), abs=1e-4)


@given(PICTURES)
@settings(max_examples=60, deadline=None)
def test_every_picture_however_small_has_finite_activity_and_the_same_at_ten_bits(picture):
    found = frame_activity(picture, 8)
    assert np.isfinite(found).all()
    assert frame_activity(picture.astype(np.uint16) * 4, 10) == pytest.approx(found)


def test_a_source_has_one_value_for_each_frame_and_scale(make_clip):
    path = make_clip(frames=7)
    found = source_activity(probe(path))
    assert tuple(found) == ACTIVITY
    assert all(column.shape == (7,) and np.isfinite(column).all() for column in found.values())


def test_a_source_that_ends_early_is_refused(make_clip):
    source = probe(make_clip(frames=5))
    with pytest.raises(MediaError, match="5 of 9 frames"):
        source_activity(replace(source, frames=9))
