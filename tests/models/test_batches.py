from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vmafcast.models.batches import TOLD, UNKNOWN, UNSET, Batches, Shape, stack_epoch


def stream(chosen, shape, seed=0, unknown=0.0, unset=0.0):
    return Batches(np.asarray(chosen), (1, seed), shape, unknown_share=unknown, unset_share=unset)


@given(rows=st.integers(1, 2000), batch_size=st.integers(1, 300))
def test_an_epoch_has_room_for_every_row_and_less_than_one_batch_more(rows, batch_size):
    shape = Shape.of(rows, batch_size)
    assert shape.size <= rows
    assert rows <= shape.steps * shape.size < rows + shape.size


@given(rows=st.integers(1, 300), held_out=st.integers(0, 100), seed=st.integers(0, 9))
def test_rows_come_without_replacement_until_all_have_come(rows, held_out, seed):
    chosen = np.arange(rows) * 3
    shape = Shape.of(rows + held_out, 32)
    numbers, _ = stream(chosen, shape, seed).epoch()
    flat = numbers.ravel()
    assert numbers.shape == (shape.steps, shape.size)
    assert set(flat.tolist()) <= set(chosen.tolist())
    for begin in range(0, flat.size - rows + 1, rows):
        assert sorted(flat[begin : begin + rows].tolist()) == chosen.tolist()


def test_the_order_is_new_in_each_epoch_and_the_same_for_a_seed():
    shape = Shape.of(200, 50)
    one, other = stream(range(200), shape, 3), stream(range(200), shape, 3)
    first, second = one.epoch()[0], one.epoch()[0]
    assert not np.array_equal(first, second)
    assert np.array_equal(first, other.epoch()[0])
    assert not np.array_equal(first, stream(range(200), shape, 4).epoch()[0])


def test_the_shares_that_are_left_out_are_those_asked_for():
    shape = Shape.of(40_000, 400)
    _, omitted = stream(range(40_000), shape, unknown=0.15, unset=0.05).epoch()
    shares = {code: float((omitted == code).mean()) for code in (TOLD, UNKNOWN, UNSET)}
    assert abs(shares[UNKNOWN] - 0.15) < 0.01
    assert abs(shares[UNSET] - 0.05) < 0.01
    assert abs(shares[TOLD] - 0.80) < 0.01


def test_nothing_is_left_out_unless_asked():
    shape = Shape.of(100, 10)
    assert (stream(range(100), shape).epoch()[1] == TOLD).all()


def test_an_epoch_of_several_networks_is_theirs_side_by_side():
    shape = Shape.of(60, 20)
    rows, omitted = stack_epoch([stream(range(40), shape, 1), stream(range(40, 60), shape, 2)])
    assert rows.shape == omitted.shape == (3, 2, 20)
    assert np.array_equal(rows[:, 0], stream(range(40), shape, 1).epoch()[0])
    assert rows[:, 1].min() >= 40
