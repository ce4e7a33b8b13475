"""Tables on terminals that are narrower than they are: nothing is cut, whatever the command."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmafcast.cli.columns import GAP, Column, parts_of

RECIPE = "fr_regressor_v3"

words = st.text("abc", min_size=1, max_size=30)
texts = st.builds(Column, words, st.tuples(words, st.builds("{} {}".format, words, words)), st.just(False))
numbers = st.builds(Column, words, st.tuples(*[st.integers(0, 10**9).map("{:,}".format)] * 2), st.just(True))
tables = st.lists(texts | numbers, min_size=2, max_size=12)


def width_of(part):
    return sum(place.width for place in part) + GAP * (len(part) - 1)


@given(tables, st.integers(20, 160), st.integers(1, 2))
def test_every_column_stands_once_and_the_key_in_every_part(columns, width, key):
    parts = [[place.index for place in part] for part in parts_of(columns, width, key)]
    assert all(part[:key] == list(range(key)) for part in parts)
    assert [index for part in parts for index in part[key:]] == list(range(key, len(columns)))


@given(tables, st.integers(20, 160))
def test_no_number_is_cut_and_no_heading_and_only_what_cannot_be_divided_is_too_wide(columns, width):
    for part in parts_of(columns, width):
        assert width_of(part) <= width or len(part) <= 2
        for place in part:
            column = columns[place.index]
            assert place.width >= len(column.heading)  # of one word
            assert not column.numeric or place.width >= max(map(len, column.cells))


@given(tables)
def test_where_there_is_room_nothing_is_broken(columns):
    room = sum(column.whole for column in columns) + GAP * (len(columns) - 1)
    [part] = parts_of(columns, room)
    assert [place.width for place in part] == [column.whole for column in columns]


def test_a_table_that_just_fits_is_whole_and_one_character_less_divides_it():
    columns = [Column("name", ("a",), numeric=False), *[Column("count", ("12,345",), numeric=True)] * 2]
    room = 4 + 6 + 6 + 2 * GAP
    assert [len(part) for part in parts_of(columns, room)] == [3]
    assert [len(part) for part in parts_of(columns, room - 1)] == [2, 2]


def test_a_name_is_whole_while_there_is_room_and_what_is_over_goes_to_the_longest_text():
    name, long = "fr_regressor_v3-bae16e03ab0c", " ".join(["word"] * 30)
    columns = [Column("model", (name,), numeric=False), Column("about", (long,), numeric=False)]
    [[model, about]] = parts_of(columns, 60)
    assert (model.width, about.width) == (len(name), 60 - len(name) - GAP)


@pytest.fixture
def tables_of_commands(served, clip, predictions, call):
    """Commands that show tables, with what they need; what is measured is in a cache, and so the same each time."""
    call("complexity", clip, "--probe", "--cache", "cache")
    return {
        "describe": ("corpus", "describe", served.corpus),
        "coverage": ("coverage", predictions, "--out", "coverage"),
        "gate": ("gate", served.candidate, "--out", "gate"),
        "evaluate": ("evaluate", served.candidate),
        "list": ("registry", "list", "--registry", served.registry),
        "history": ("registry", "history", "--registry", served.registry),
        "show": ("registry", "show", RECIPE, "--registry", served.registry),
        "diff": ("registry", "diff", RECIPE, RECIPE, "--registry", served.registry),
        "complexity": ("complexity", clip, "--probe", "--cache", "cache"),
        "forecast": ("forecast", clip, "--encoder", "libx264", "--cache", "cache"),
        "predict": ("predict", clip, clip, "--registry", served.registry),
    }


@pytest.mark.parametrize("columns", [80, 60])
def test_a_narrow_terminal_shows_every_word_that_a_wide_one_does(tables_of_commands, call, on_terminal, columns):
    for name, command in tables_of_commands.items():
        wide = call(*command)
        narrow = on_terminal(*command, columns=columns, env=os.environ | {"NO_COLOR": "1"}, streams=("stdout",))
        assert wide.code == narrow.code
        assert max(map(len, narrow.out.splitlines()), default=0) <= columns, name
        missing = {word for word in wide.out.split() if len(word) <= 16} - set(narrow.out.split())
        assert not missing, (name, missing)


def test_coverage_has_all_its_columns_side_by_side_on_80(predictions, on_terminal):
    shown = on_terminal("coverage", predictions, "--served", "conformal-pooled", "--out", "coverage", columns=80).out
    [line] = [line for line in shown.splitlines() if line.startswith("conformal-pooled") and " 0.95 " in line][:1]
    assert len(line.split()) == 9
