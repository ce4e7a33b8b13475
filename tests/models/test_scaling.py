from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vmafcast.models.design import Design
from vmafcast.models.recipe import Recipe
from vmafcast.models.scaling import SMALLEST_SPREAD, fit_scaler

FREE = Recipe(name="r", feature_order=("a",), teacher="t", range_margin=None)
HELD = Recipe(name="r", feature_order=("a",), teacher="t", range_margin=0.25)


def fit(recipe, columns, target=None, own=None, learnt=None, block=None):
    features = np.array(columns, dtype=np.float32).T
    everything = np.arange(len(features))
    own = everything if own is None else np.array(own)
    block = np.zeros((len(features), 0), dtype=np.float32) if block is None else np.array(block, dtype=np.float32)
    target = np.zeros(len(features), dtype=np.float32) if target is None else np.array(target, dtype=np.float32)
    return fit_scaler(recipe, Design(features, block), target, own, own if learnt is None else np.array(learnt))


def test_mean_and_deviation_are_those_of_the_rows_that_are_learnt():
    scaler = fit(FREE, [[1, 2, 3, 1000]], own=[0, 1, 2])
    assert scaler.mean == pytest.approx([2])
    assert scaler.std == pytest.approx([np.std([1, 2, 3])])
    assert scaler.high == [3]


def test_ranges_are_those_of_all_own_rows_strided_out_or_not():
    scaler = fit(HELD, [[0, 5, 10, 99]], own=[0, 1, 2], learnt=[1])
    assert (scaler.low[0], scaler.high[0]) == (0, 10)
    assert (scaler.floor[0], scaler.ceiling[0]) == (-2.5, 12.5)


@pytest.mark.parametrize("value", [0.0, 0.3, -1e-3, 60.0, 1e6])
def test_a_constant_column_is_not_blown_up_and_says_so(value):
    scaler = fit(FREE, [[value] * 7, np.arange(7.0)])
    assert scaler.std[0] == 1
    assert scaler.varies.tolist() == [False, True]


@given(arrays(np.float32, 12, elements=st.floats(-1e4, 1e4, width=32)))
def test_no_column_is_ever_divided_by_next_to_nothing(column):
    scaler = fit(FREE, [column])
    assert np.isfinite(scaler.std[0])
    assert scaler.std[0] == 1 or scaler.std[0] >= 0.99 * SMALLEST_SPREAD * np.abs(column).max()


def test_a_column_that_hardly_moved_is_floored_in_proportion_to_itself():
    hardly = 0.9 + 1e-5 * np.arange(10)
    scaler = fit(FREE, [hardly, 1000 * hardly])
    assert scaler.std == pytest.approx([0.9 * SMALLEST_SPREAD, 900 * SMALLEST_SPREAD], rel=1e-3)
    assert scaler.varies.all()


def test_nothing_is_held_without_a_margin():
    scaler = fit(FREE, [[1, 2, 3]])
    assert np.isneginf(scaler.floor).all()
    assert np.isposinf(scaler.ceiling).all()


def test_the_block_says_what_was_seen_and_what_varied():
    block = [[1, 0, 0, 0.5], [1, 0, 1, 0.5], [1, 0, 0, 0.5]]
    scaler = fit(FREE, [[1, 2, 3]], block=block)
    assert scaler.seen.tolist() == [True, False, True, True]
    assert scaler.varies[1:].tolist() == [False, False, True, False]


def test_the_target_is_scaled_when_the_recipe_says_so():
    scaler = fit(FREE, [[1, 2]], target=[40, 60])
    assert (scaler.target_mean, scaler.target_std) == (50, 10)
    raw = fit(FREE.model_copy(update={"standardise_target": False}), [[1, 2]], target=[40, 60])
    assert (raw.target_mean, raw.target_std) == (0, 1)
    assert fit(FREE, [[1, 2]], target=[100, 100]).target_std == 1
