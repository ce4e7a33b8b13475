"""Names as people give them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmafcast.common.errors import RequestError
from vmafcast.encoders.aliases import ALIASES, resolve
from vmafcast.encoders.catalogue import ENCODERS

EXPECTED = {
    "h264": "libx264",
    "x264": "libx264",
    "avc": "libx264",
    "libx264": "libx264",
    "hevc": "libx265",
    "h265": "libx265",
    "x265": "libx265",
    "av1": "libsvtav1",
    "svt-av1": "libsvtav1",
    "svtav1": "libsvtav1",
    "libsvtav1": "libsvtav1",
    "aom": "libaom-av1",
    "libaom": "libaom-av1",
    "vp9": "libvpx-vp9",
    "libvpx": "libvpx-vp9",
    "vvc": "libvvenc",
    "h266": "libvvenc",
    "vvenc": "libvvenc",
    "rav1e": "librav1e",
    "av1_nvenc": "av1_nvenc",
}


@pytest.mark.parametrize(("name", "expected"), EXPECTED.items())
def test_aliases(name, expected):
    assert resolve(name) == expected
    assert resolve(name.upper()) == expected
    assert resolve(f" {name.title()} ") == expected


def test_every_alias_leads_to_an_encoder_and_hides_none():
    assert set(ALIASES.values()) <= set(ENCODERS)
    assert not set(ALIASES) & set(ENCODERS)
    assert all(alias == alias.lower() for alias in ALIASES)


@given(st.sampled_from([*ENCODERS, *ALIASES]))
def test_resolving_twice_changes_nothing(name):
    assert resolve(resolve(name)) == resolve(name)


@pytest.mark.parametrize(
    ("wrong", "suggested"),
    [
        ("libx246", "libx264"),
        ("libsvt-av1", "libsvtav1"),
        ("hevc_nvnec", "hevc_nvenc"),
        ("libvpx-vp8", "libvpx-vp9"),
        ("vvencc", "libvvenc"),
    ],
)
def test_a_misspelt_name_is_refused_with_a_suggestion(wrong, suggested):
    with pytest.raises(RequestError, match="did you mean") as caught:
        resolve(wrong)
    assert repr(wrong) in str(caught.value)
    assert suggested in str(caught.value).split("did you mean")[1]


@pytest.mark.parametrize("wrong", ["", "unknown", "%", "0"])
def test_a_name_like_no_other_is_refused_with_the_list(wrong):
    with pytest.raises(RequestError, match="no encoder is called") as caught:
        resolve(wrong)
    assert all(name in str(caught.value) for name in ENCODERS)


@given(st.text(max_size=24))
def test_text_that_is_no_name_is_refused_by_itself(text):
    if text.strip().lower() in {*ENCODERS, *ALIASES}:
        assert resolve(text) in ENCODERS
    else:
        with pytest.raises(RequestError) as caught:
            resolve(text)
        assert repr(text) in str(caught.value)
