from __future__ import annotations

import re
from dataclasses import replace

import pytest

from vmafcast.common.errors import CapabilityError
from vmafcast.encoders.catalogue import ENCODERS, get_encoder
from vmafcast.media.availability import Availability, check_encoder, require_encoder

SOFTWARE = [each for each in ENCODERS.values() if not each.is_hardware]
HARDWARE = [each for each in ENCODERS.values() if each.is_hardware]


@pytest.mark.parametrize("encoder", SOFTWARE, ids=lambda each: each.name)
def test_a_software_encoder_that_is_built_in_works_and_states_its_version(ffmpeg, encoder):
    found = check_encoder(ffmpeg, encoder)
    if encoder.name not in ffmpeg.encoders:
        assert found == Availability(encoder.name, built_in=False, works=False, version="", reason=found.reason)
        assert "built without" in found.reason
        return
    assert found.built_in
    assert found.works, found.reason
    assert found.reason == ""
    assert re.search(r"\d", found.version)
    assert require_encoder(ffmpeg, encoder) == found


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("libx264", r"core \d+"),
        ("libx265", r"\d+\.\d+"),
        ("libsvtav1", r"v\d+\.\d+"),
        ("libaom-av1", r"v\d+\.\d+"),
        ("libvpx-vp9", r"v\d+\.\d+"),
        ("libvvenc", r"\d+\.\d+"),
    ],
)
def test_the_version_is_the_encoders_own(ffmpeg, name, form):
    """An encoder's build decides numbers, so ffmpeg's version will not do where the encoder states one."""
    version = check_encoder(ffmpeg, get_encoder(name)).version
    assert re.match(form, version)
    assert ffmpeg.version not in version
    assert len(version) < 60


@pytest.mark.parametrize("encoder", HARDWARE, ids=lambda each: each.name)
def test_a_hardware_encoder_works_or_gives_a_reason(ffmpeg, encoder):
    """ffmpeg lists what this machine cannot run; only an encode tells."""
    found = check_encoder(ffmpeg, encoder)
    assert found.built_in == (encoder.name in ffmpeg.encoders)
    assert found.works == bool(found.version)
    assert found.works != bool(found.reason)
    if not found.works:
        assert "\n" not in found.reason
        with pytest.raises(CapabilityError, match=re.escape(encoder.name)) as caught:
            require_encoder(ffmpeg, encoder)
        assert found.reason in str(caught.value)


def test_an_encoder_that_nobody_has(ffmpeg):
    unknown = replace(get_encoder("libx264"), name="libnone")
    found = check_encoder(ffmpeg, unknown)
    assert (found.built_in, found.works) == (False, False)
    with pytest.raises(CapabilityError, match=r"libnone does not work here: this ffmpeg .* was built without it"):
        require_encoder(ffmpeg, unknown)


def test_settings_that_the_encoder_refuses_are_a_reason_not_a_crash(ffmpeg):
    broken = replace(get_encoder("libx264"), presets=("warp",), default_preset="warp")
    found = check_encoder(ffmpeg, broken)
    assert found.built_in
    assert not found.works
    assert "warp" in found.reason or "preset" in found.reason


def test_an_ffmpeg_that_cannot_run_is_a_reason(ffmpeg):
    found = check_encoder(replace(ffmpeg, path="/nonexistent/ffmpeg"), get_encoder("libx264"))
    assert not found.works
    assert "No such file" in found.reason
