from __future__ import annotations

import hashlib
import subprocess
from dataclasses import replace

import pytest

from vmafcast.common.errors import CapabilityError, RequestError
from vmafcast.media.ffmpeg import FFMPEG_VARIABLE, find_ffmpeg, supports_loopback


@pytest.fixture
def script(tmp_path):
    def write(body, name="ffmpeg-script"):
        path = tmp_path / name
        path.write_text("#!/bin/sh\n" + body)
        path.chmod(0o755)
        return path

    return write


def test_the_shipped_ffmpeg_can_do_what_vmafcast_needs(monkeypatch):
    monkeypatch.delenv(FFMPEG_VARIABLE, raising=False)
    found = find_ffmpeg()
    found.require_filters("libvmaf", "ssim", "xpsnr")
    for name in ("libx264", "libx265", "libsvtav1", "libaom-av1", "libvpx-vp9", "libvvenc"):
        found.require_encoder(name)
    assert supports_loopback(found)


def test_lists_hold_names_and_nothing_else(ffmpeg):
    for names in (ffmpeg.encoders, ffmpeg.filters):
        assert len(names) > 50
        assert not names & {"=", "->", "|", ""}
    assert "libvmaf" not in ffmpeg.encoders
    assert "libx264" not in ffmpeg.filters


def test_version_and_build_are_its_own_answer(ffmpeg):
    about = subprocess.run([ffmpeg.path, "-version"], capture_output=True, check=True).stdout
    assert about.decode().startswith(f"ffmpeg version {ffmpeg.version} ")
    assert ffmpeg.build == hashlib.sha256(about).hexdigest()[:16]


def test_an_explicit_path_goes_before_the_variable_and_that_before_ours(ffmpeg, script, monkeypatch):
    one = script(f'exec {ffmpeg.path} "$@"\n', "one")
    two = script(f'exec {ffmpeg.path} "$@"\n', "two")
    monkeypatch.setenv(FFMPEG_VARIABLE, str(one))
    assert find_ffmpeg().path == str(one)
    assert find_ffmpeg(str(two)).path == str(two)
    monkeypatch.setenv(FFMPEG_VARIABLE, "")
    assert find_ffmpeg().path == ffmpeg.path


def test_a_bare_name_is_looked_up_on_the_path(ffmpeg, script, monkeypatch):
    place = script(f'exec {ffmpeg.path} "$@"\n', "ffmpeg-of-mine")
    monkeypatch.setenv("PATH", str(place.parent), prepend=":")
    assert find_ffmpeg("ffmpeg-of-mine").path == str(place)
    with pytest.raises(RequestError, match="no executable 'ffmpeg-of-nobody' on the PATH"):
        find_ffmpeg("ffmpeg-of-nobody")


def test_a_relative_path_still_works_from_another_folder(ffmpeg, script, monkeypatch):
    place = script(f'exec {ffmpeg.path} "$@"\n', "mine")
    monkeypatch.chdir(place.parent)
    assert find_ffmpeg("./mine").path == str(place.parent / "mine")


@pytest.mark.parametrize("body", ["exit 1\n", "echo hello\n", "kill -9 $$\n", "echo 'ffprobe version 6'\n"])
def test_what_is_no_ffmpeg_is_named(script, body):
    place = script(body)
    with pytest.raises(CapabilityError) as caught:
        find_ffmpeg(str(place))
    assert str(place) in str(caught.value)
    assert FFMPEG_VARIABLE in str(caught.value)


def test_a_path_that_is_not_there_or_no_program(tmp_path):
    (tmp_path / "text").write_text("words")
    with pytest.raises(RequestError, match="absent does not exist"):
        find_ffmpeg(str(tmp_path / "absent"))
    for place in (tmp_path, tmp_path / "text"):
        with pytest.raises(CapabilityError, match=str(place)):
            find_ffmpeg(str(place))


def test_a_replaced_executable_is_asked_anew(ffmpeg, script):
    place = script("echo 'ffmpeg version 1 old'\n")
    assert find_ffmpeg(str(place)).version == "1"
    script("echo 'ffmpeg version 22 newer'\n")
    assert find_ffmpeg(str(place)).version == "22"


def test_two_builds_of_one_version_differ(script):
    one = find_ffmpeg(str(script("echo 'ffmpeg version 7.1'\necho 'libavcodec 61.1'\n", "one")))
    two = find_ffmpeg(str(script("echo 'ffmpeg version 7.1'\necho 'libavcodec 61.2'\n", "two")))
    assert one.version == two.version
    assert one.build != two.build


def test_what_is_missing_is_named_with_the_way_out(ffmpeg):
    poor = replace(ffmpeg, filters=frozenset({"ssim"}), encoders=frozenset())
    with pytest.raises(CapabilityError, match=r"built without libvmaf, xpsnr; use the ffmpeg that comes with vmafcast"):
        poor.require_filters("libvmaf", "ssim", "xpsnr")
    with pytest.raises(CapabilityError, match=r"without the encoder libx264; choose another"):
        poor.require_encoder("libx264")


def test_loopback_is_found_out_by_trying(ffmpeg, script):
    older = find_ffmpeg(str(script(f'case "$*" in *-dec*) exit 1;; esac\nexec {ffmpeg.path} "$@"\n')))
    assert not supports_loopback(older)
    assert not supports_loopback(replace(ffmpeg, path="/nonexistent"))
