from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vmafcast.common.errors import DataError, RequestError
from vmafcast.evaluation.folds import group_folds, leave_one_encoder_out, leave_one_source_out

GROUPS = st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=80).filter(lambda rows: len(set(rows)) > 1)


def holds(folds, groups):
    """What every way of dividing must hold: all rows on one side each, no group on both, each out once."""
    groups = np.array(groups)
    for fold in folds:
        assert np.array_equal(fold.train, ~fold.test)
        assert fold.train.any()
        assert fold.test.any()
        assert not set(groups[fold.train]) & set(groups[fold.test])
        assert set(fold.held_out) == set(groups[fold.test])
    assert (sum(fold.test.astype(int) for fold in folds) == 1).all()


@given(GROUPS)
def test_each_group_is_held_out_once_and_as_a_whole(groups):
    folds = leave_one_source_out(groups)
    holds(folds, groups)
    assert [fold.held_out for fold in folds] == [(name,) for name in sorted(set(groups))]
    assert [fold.name for fold in folds] == sorted(set(groups))


@given(GROUPS)
def test_each_encoder_is_held_out_once(encoders):
    folds = leave_one_encoder_out(encoders)
    holds(folds, encoders)
    assert [fold.name for fold in folds] == sorted(set(encoders))


def test_rows_of_an_unknown_encoder_are_learnt_from_and_never_judged():
    encoders = np.array(["libx264", "unknown", "libx265", "unknown"])
    folds = leave_one_encoder_out(encoders)
    assert [fold.name for fold in folds] == ["libx264", "libx265"]
    for fold in folds:
        assert fold.train[encoders == "unknown"].all()


@pytest.mark.parametrize("encoders", [["libx264"] * 3, ["libx264", "unknown"], ["unknown"]])
def test_one_encoder_leaves_nothing_to_learn_from(encoders):
    with pytest.raises(DataError, match="no other encoder than"):
        leave_one_encoder_out(encoders)


def test_two_sizes_of_a_clip_are_never_split():
    """Trap: splitting by file leaks the title. The group decides, whatever the sources are called."""
    sources = np.array(["foreman_cif", "foreman_1080p", "mobile", "foreman_cif"])
    groups = np.array(["foreman", "foreman", "mobile", "foreman"])
    folds = leave_one_source_out(groups)
    assert len(folds) == 2
    for fold in folds:
        assert len({bool(fold.test[i]) for i in range(4) if sources[i].startswith("foreman")}) == 1


@given(GROUPS, st.integers(2, 6), st.integers(0, 3))
def test_folds_of_several_groups_hold_the_same(groups, n, seed):
    assume(len(set(groups)) >= n)
    folds = group_folds(groups, n, seed)
    assert len(folds) == n
    holds(folds, groups)
    again = group_folds(groups, n, seed)
    assert [fold.held_out for fold in folds] == [fold.held_out for fold in again]


def test_folds_are_balanced_by_rows():
    sizes = {"a": 100, "b": 60, "c": 40, "d": 50, "e": 50}
    groups = np.repeat(list(sizes), list(sizes.values()))
    assert [int(fold.test.sum()) for fold in group_folds(groups, 3, 0)] == [100, 100, 100]


def test_the_seed_decides_among_groups_of_one_size():
    groups = np.repeat(list("abcdefgh"), 3)
    divided = {tuple(fold.held_out for fold in group_folds(groups, 2, seed)) for seed in range(6)}
    assert len(divided) > 1
    assert all(int(fold.test.sum()) == 12 for fold in group_folds(groups, 2, 0))


def test_folds_do_not_depend_on_the_order_of_rows():
    groups = np.repeat(list("abcde"), [5, 4, 3, 2, 1])
    turned = group_folds(groups[::-1], 2, 1)
    assert [fold.held_out for fold in turned] == [fold.held_out for fold in group_folds(groups, 2, 1)]


@pytest.mark.parametrize("groups", [[], ["only"], ["only"] * 5])
def test_one_group_cannot_be_divided(groups):
    with pytest.raises(DataError, match="cannot be divided"):
        leave_one_source_out(groups)


def test_more_folds_than_groups_are_refused():
    with pytest.raises(DataError, match="3 source groups cannot make 5 folds"):
        group_folds(["a", "b", "c"], 5, 0)
    with pytest.raises(RequestError, match="1 folds"):
        group_folds(["a", "b"], 1, 0)
