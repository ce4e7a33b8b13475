"""What is known of an encode: all of it, or nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmafcast.common.errors import RequestError
from vmafcast.encoders.catalogue import ENCODERS, get_encoder
from vmafcast.registry.store import Registry
from vmafcast.workflows.predict import EncodeFacts, encode_facts, load_champion


def test_nothing_is_known_of_nothing():
    assert encode_facts(None, None, None) is None


@given(name=st.sampled_from(sorted(ENCODERS)), data=st.data())
def test_what_an_encoder_has_is_taken(name, data):
    encoder = get_encoder(name)
    quality = data.draw(st.integers(encoder.quality.minimum, encoder.quality.maximum))
    preset = data.draw(st.sampled_from(encoder.presets))
    assert encode_facts(name, preset, quality) == EncodeFacts(name, preset, quality)
    assert encode_facts(name, None, quality) == EncodeFacts(name, encoder.default_preset, quality)


@given(name=st.sampled_from(sorted(ENCODERS)), beyond=st.integers(1, 10_000), above=st.booleans())
def test_what_it_does_not_have_is_refused(name, beyond, above):
    scale = get_encoder(name).quality
    quality = scale.maximum + beyond if above else scale.minimum - beyond
    with pytest.raises(RequestError, match=f"{scale.minimum} to {scale.maximum}"):
        encode_facts(name, None, quality)


@pytest.mark.parametrize(
    ("encoder", "preset", "quality"), [("libx264", None, None), (None, None, 30), (None, "fast", None)]
)
def test_a_part_of_it_is_refused(encoder, preset, quality):
    with pytest.raises(RequestError, match="both --encoder and --quality"):
        encode_facts(encoder, preset, quality)


def test_an_empty_registry_serves_nothing(tmp_path):
    with pytest.raises(RequestError, match="recipes served: none"):
        load_champion(Registry.open(tmp_path / "registry", create=True), "fr_regressor_v3")
