from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmafcast.common.errors import DataError
from vmafcast.models.rows import Rows


def plain(n=4, **changes):
    facts = {
        "features": np.arange(2.0 * n).reshape(n, 2),
        "feature_names": ("adm2", "motion2"),
        "target": np.linspace(0, 100, n),
        "groups": ["g"] * n,
        "encoders": ["libx264"] * n,
        "preset_norm": np.full(n, 0.5),
        "crf_norm": np.full(n, 0.5),
        "sources": ["s"] * n,
    }
    return Rows(**{**facts, **changes})


def test_columns_become_arrays_of_their_types():
    rows = plain()
    assert rows.features.dtype == np.float64
    assert rows.target.dtype == np.float32
    assert rows.groups.dtype.kind == rows.encoders.dtype.kind == rows.sources.dtype.kind == "U"
    assert len(rows) == 4


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"features": np.zeros((0, 2))}, "there is no row"),
        ({"features": np.zeros(4)}, "1 dimensions"),
        ({"features": np.zeros((4, 3))}, "3 columns for the names adm2, motion2"),
        ({"feature_names": ("adm2", "adm2")}, "2 columns"),
        ({"features": np.array([[0, 0], [0, np.nan], [0, 0], [0, 0]])}, "motion2 is not a finite number in row 1"),
        ({"target": [1, 2, np.inf, 4]}, "target is not a finite number in row 2"),
        ({"target": [1, 2, 3]}, "target has the shape"),
        ({"groups": ["g", "g", "g"]}, "groups has the shape"),
        ({"groups": ["g", "g", "", "g"]}, "groups is empty in row 2"),
        ({"encoders": ["", "a", "a", "a"]}, "encoders is empty in row 0"),
        ({"crf_norm": [0, 0, 0, 1.01]}, r"crf_norm is not within \[0, 1\] in row 3"),
        ({"preset_norm": [-0.1, 0, 0, 0]}, r"preset_norm is not within \[0, 1\] in row 0"),
        ({"preset_norm": [np.nan, 0, 0, 0]}, "preset_norm is not a finite number in row 0"),
    ],
)
def test_a_column_that_cannot_be_used_is_refused_by_name_and_row(changes, says):
    with pytest.raises(DataError, match=says):
        plain(**changes)


def test_take_selects_every_column_alike():
    rows = plain(sources=["a", "b", "c", "d"])
    taken = rows.take(np.array([False, True, False, True]))
    assert taken.sources.tolist() == ["b", "d"]
    assert taken.target.tolist() == rows.target[[1, 3]].tolist()
    assert taken.features.tolist() == rows.features[[1, 3]].tolist()
    assert {len(getattr(taken, f.name)) for f in fields(taken) if f.name != "feature_names"} == {2}


def test_taking_nothing_is_refused():
    with pytest.raises(DataError, match="no row"):
        plain().take(np.zeros(4, dtype=bool))


@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=12),
    stride=st.integers(1, 16),
)
def test_every_encode_keeps_its_share_of_frames(lengths, stride):
    sources = np.repeat([f"s{number}" for number in range(len(lengths))], lengths)
    kept = plain(len(sources), sources=sources).every(stride)
    for number, length in enumerate(lengths):
        count = int(kept[sources == f"s{number}"].sum())
        assert max(1, length // stride) <= count <= -(-length // stride)


def test_the_first_kept_frame_moves_on_from_encode_to_encode():
    crf = np.repeat([0.1, 0.2, 0.3], 4)
    kept = plain(12, crf_norm=crf).every(4)
    assert np.flatnonzero(kept).tolist() == [0, 5, 10]


def test_an_encode_begins_anew_where_any_setting_changes():
    base = plain(8)
    for name, halves in {
        "sources": ["a", "b"],
        "encoders": ["a", "b"],
        "crf_norm": [0.1, 0.2],
        "preset_norm": [0.1, 0.2],
    }.items():
        kept = replace(base, **{name: np.repeat(halves, 4)}).every(8)
        assert np.flatnonzero(kept).tolist() == [0, 5], name
