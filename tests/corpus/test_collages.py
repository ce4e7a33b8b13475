"""Collages: nobody designed them, so what holds for all of them is tested, and that they differ."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmafcast.common.errors import RequestError
from vmafcast.corpus.samples import CATALOGUE, SCREENS, collages
from vmafcast.corpus.samples.collages import _Camera, _Thing, draw_format
from vmafcast.corpus.samples.fields import generator

FRAMES = 4
SOME = collages(10)


def paint(sample, frames=FRAMES):
    """The first pictures of a collage, as an array [frames, height, width, 3]."""
    rng = generator(*sample.group.encode())
    filmed = sample.scene(rng, *sample.rendered, sample.frames)
    return np.stack([next(filmed) for _ in range(frames)])


@pytest.fixture(scope="module")
def painted():
    return {sample.name: paint(sample) for sample in SOME}


def test_the_first_ones_are_the_same_however_many_there_are():
    assert collages(3) == collages(12)[:3]


def test_each_is_a_source_group_of_its_own():
    groups = {sample.group for sample in collages(120)}
    assert len(groups) == 120
    assert not groups & {sample.group for sample in (*CATALOGUE, *SCREENS)}


def test_none_is_refused():
    with pytest.raises(RequestError, match="0 collages are none"):
        collages(0)


@given(st.integers(min_value=0, max_value=2**32 - 1))
def test_formats_are_small_even_and_long_enough(seed):
    (width, height), rate, frames = draw_format(generator(seed))
    assert width % 2 == height % 2 == 0
    assert 50_000 < width * height < 106_000
    assert rate in {24, 25, 30, 50}
    assert 48 <= frames <= 60


def test_pictures_have_their_size_and_values(painted):
    for sample in SOME:
        pictures = painted[sample.name]
        assert pictures.shape == (FRAMES, *sample.rendered[::-1], 3)
        assert np.isfinite(pictures).all()
        assert pictures.min() > -0.2, sample.name
        assert pictures.max() < 1.2, sample.name
        assert np.ptp(pictures) > 0.05, f"{sample.name} is flat"


def test_the_same_collage_is_painted_twice(painted):
    assert np.array_equal(paint(SOME[0]), painted[SOME[0].name])


def test_they_differ_in_light_contrast_detail_and_motion(painted):
    level = [pictures.mean() for pictures in painted.values()]
    contrast = [pictures[0].std() for pictures in painted.values()]
    detail = [np.abs(np.diff(pictures[0], axis=1)).mean() for pictures in painted.values()]
    motion = [np.abs(np.diff(pictures, axis=0)).mean() for pictures in painted.values()]
    assert np.ptp(level) > 0.4
    assert max(contrast) > 3 * min(contrast)
    assert max(detail) > 4 * min(detail)
    assert max(motion) > 10 * min(motion)


def test_one_in_eight_or_so_has_a_cut():
    # The first number that a collage draws decides.
    cuts = sum(generator(*sample.group.encode()).random() < 0.12 for sample in collages(200))
    assert 10 < cuts < 40


def test_a_zoom_begins_without_a_jump():
    frames = 6
    camera = _Camera(np.zeros(frames), np.zeros(frames), np.zeros(frames), np.exp(np.linspace(0, 0.03, frames)))
    layer = paint(SOME[1], 1)[0]
    seen = [camera.look(layer, t, 1.0, 64, 64) for t in range(frames)]
    change = [np.abs(one - other).mean() for one, other in pairwise(seen)]
    assert max(change) < 3 * min(change)


def test_a_nearer_layer_passes_faster():
    camera = _Camera(np.array([0.0, 3.0]), np.zeros(2), np.zeros(2), np.ones(2))
    layer = paint(SOME[1], 1)[0]
    still = camera.look(layer, 0, 1.0, 64, 64)
    assert np.allclose(camera.look(layer, 1, 1.0, 64, 64)[:, :-3], still[:, 3:], atol=1e-5)
    assert np.allclose(camera.look(layer, 1, 2.0, 64, 64)[:, :-6], still[:, 6:], atol=1e-5)
    assert camera.pace(1) == camera.pace(0) == 3.0


@pytest.fixture
def thing():
    """A white square of 4x4 pixels with a rim of nothing, which goes down by one and right by two pixels a frame."""
    layer = np.zeros((7, 7, 4), np.float32)
    layer[1:5, 1:5] = 1.0
    return _Thing(layer, np.array([3.0, 5.0]), np.array([1.0, 2.0]))


def test_a_thing_crosses_the_picture(thing):
    black = np.zeros((20, 30, 3), np.float32)
    for t in (0, 4):
        rows, columns = np.nonzero(thing.paint(black, t)[..., 0] > 0.5)
        assert (rows.min(), rows.max()) == (3 + t, 6 + t)
        assert (columns.min(), columns.max()) == (5 + 2 * t, 8 + 2 * t)
    assert not black.any()


def test_a_thing_between_pixels_keeps_its_weight(thing):
    half = dataclasses.replace(thing, place=np.array([3.5, 5.25]))
    assert half.paint(np.zeros((20, 30, 3), np.float32), 0)[..., 0].sum() == pytest.approx(16, abs=1e-3)


def test_a_thing_that_has_left_is_not_seen(thing):
    grey = np.full((20, 30, 3), 0.5, np.float32)
    assert np.array_equal(thing.paint(grey, 40), grey)
    assert (thing.paint(grey, 12)[15:19, 29] == 1.0).all()
