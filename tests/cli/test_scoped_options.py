"""Values for all encoders or for one: ``medium,fast`` and ``libx264=medium,fast``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmafcast.cli.options import scoped_values, whole_numbers
from vmafcast.common.errors import RequestError
from vmafcast.encoders.aliases import ALIASES
from vmafcast.encoders.catalogue import ENCODERS

ENCODER = st.sampled_from(sorted(ENCODERS))
VALUE = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_.", min_size=1, max_size=6)
LIST = st.lists(VALUE, min_size=1, max_size=4)


def joined(values, gap=""):
    return f",{gap}".join(values)


@given(encoders=st.lists(ENCODER, min_size=1, max_size=4, unique=True), lists=st.lists(LIST, max_size=3))
def test_values_for_all_go_to_each_once_and_in_order(encoders, lists):
    expected = tuple(dict.fromkeys(value for values in lists for value in values))
    for encoder in encoders:
        assert scoped_values("--preset", [joined(values) for values in lists], encoder, encoders) == expected


@given(
    encoders=st.lists(ENCODER, min_size=2, max_size=4, unique=True),
    general=LIST,
    special=st.lists(LIST, min_size=1, max_size=3),
    before=st.booleans(),
)
def test_what_is_said_for_one_takes_the_place_of_what_is_said_for_all(encoders, general, special, before):
    chosen, *others = encoders
    scoped = [f"{chosen}={joined(values)}" for values in special]
    values = [joined(general), *scoped] if before else [*scoped, joined(general)]
    expected = tuple(dict.fromkeys(value for listed in special for value in listed))
    assert scoped_values("--quality", values, chosen, encoders) == expected
    for other in others:
        assert scoped_values("--quality", values, other, encoders) == tuple(dict.fromkeys(general))


@given(values=LIST, gap=st.sampled_from(["", " ", "  "]), alias=st.sampled_from(sorted(ALIASES)))
def test_blanks_and_aliases_change_nothing(values, gap, alias):
    encoder = ALIASES[alias]
    expected = tuple(dict.fromkeys(values))
    assert scoped_values("--preset", [joined(values, gap)], encoder, [encoder]) == expected
    assert scoped_values("--preset", [f"{alias}={joined(values, gap)}"], encoder, [encoder]) == expected


@given(encoders=st.lists(ENCODER, min_size=2, max_size=5, unique=True), values=LIST)
def test_an_encoder_that_is_not_swept_is_refused_by_name(encoders, values):
    absent, *swept = encoders
    with pytest.raises(RequestError, match=absent):
        scoped_values("--preset", [f"{absent}={joined(values)}"], swept[0], swept)


@pytest.mark.parametrize("value", ["", ",", " , ", "libx264=", "libx264=,"])
def test_an_empty_list_is_refused_with_an_example(value):
    with pytest.raises(RequestError, match="holds no value; write a list such as"):
        scoped_values("--quality", [value], "libx264", ["libx264"])


def test_an_unknown_encoder_is_refused_with_a_suggestion():
    with pytest.raises(RequestError, match=r"libx246.*did you mean .*libx264"):
        scoped_values("--quality", ["libx246=23"], "libx264", ["libx264"])


@given(numbers=st.lists(st.integers(-300, 300)))
def test_whole_numbers_are_read(numbers):
    assert whole_numbers("--quality", [str(number) for number in numbers]) == tuple(numbers)


@pytest.mark.parametrize("value", ["23.5", "medium", "0x17", "1e2"])
def test_anything_else_is_refused_and_named(value):
    with pytest.raises(RequestError, match=f"--quality takes whole numbers.*{value}"):
        whole_numbers("--quality", ["23", value])
