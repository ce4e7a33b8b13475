"""What the software encoders' data rests on, held against the ffmpeg that the package brings."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from vmafcast.encoders.catalogue import ENCODERS, SOFTWARE_ENCODERS

WIDTH, HEIGHT, FRAMES = 128, 96, 4


def ffmpeg(*arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostats", "-v", "error", *arguments]
    return subprocess.run(command, input=data, capture_output=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def picture() -> bytes:
    rng = np.random.default_rng(7)
    ramp = np.add.outer(np.arange(HEIGHT * 3 // 2), np.arange(WIDTH)) % 200
    frames = [np.roll(ramp, 3 * n, axis=1) + rng.integers(0, 10, ramp.shape) for n in range(FRAMES)]
    return np.stack(frames).astype(np.uint8).tobytes()


@pytest.fixture(scope="module")
def encode(picture):
    def run(arguments: tuple[str, ...]) -> bytes:
        size = f"{WIDTH}x{HEIGHT}"
        raw = ("-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", size, "-r", "25", "-i", "-")
        done = ffmpeg(*raw, *arguments, "-f", "data", "-map", "0:v", "-", data=picture)
        assert done.returncode == 0, done.stderr.decode()
        assert done.stdout
        return done.stdout

    return run


def default_arguments(name: str, **changes: object) -> tuple[str, ...]:
    encoder = ENCODERS[name]
    chosen = {"quality": encoder.quality.default, "preset": encoder.presets[0], "threads": 1}
    return encoder.arguments(**(chosen | changes))


@pytest.mark.parametrize("name", SOFTWARE_ENCODERS)
def test_two_runs_give_the_same_bytes(encode, name):
    once, again = (hashlib.sha256(encode(default_arguments(name))).digest() for _ in range(2))
    assert once == again


@pytest.mark.parametrize("name", SOFTWARE_ENCODERS)
def test_both_ends_of_the_scale_mean_what_they_say(encode, name):
    worst, *_, good, best = ENCODERS[name].quality.from_worst_to_best()
    sizes = [
        len(encode(default_arguments(name, quality=quality)))
        for quality in (worst, ENCODERS[name].quality.default, best)
    ]
    assert sizes[0] < sizes[1] < sizes[2]
    assert encode(default_arguments(name, quality=good)) != encode(default_arguments(name, quality=best))


@pytest.mark.parametrize("name", SOFTWARE_ENCODERS)
def test_the_fastest_and_a_middle_preset_differ(encode, name):
    middle = ENCODERS[name].presets[len(ENCODERS[name].presets) // 2]
    assert encode(default_arguments(name)) != encode(default_arguments(name, preset=middle))


def test_svt_av1_takes_crf_0_for_not_given(encode):
    arguments = default_arguments("libsvtav1", quality=35)
    zero = tuple("0" if before == "-crf" else part for before, part in zip(("", *arguments), arguments, strict=False))
    assert zero != arguments
    assert encode(zero) == encode(arguments)


def test_the_picture_of_x265_is_the_same_whatever_the_pool(encode):
    def picture_of(threads: int) -> bytes:
        stream = encode(default_arguments("libx265", threads=threads))
        done = ffmpeg("-f", "hevc", "-i", "-", "-f", "rawvideo", "-", data=stream)
        assert done.returncode == 0, done.stderr.decode()
        assert len(done.stdout) == FRAMES * WIDTH * HEIGHT * 3 // 2
        return done.stdout

    assert picture_of(1) == picture_of(2)


def test_one_thread_of_vvenc_loses_no_short_clip_on_a_busy_core(picture):
    """With a thread of its own it does, nearly always: its lookahead holds the whole clip when ffmpeg asks for it."""
    size, one_core = f"{WIDTH}x{HEIGHT}", {min(os.sched_getaffinity(0))}
    raw = ("-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", size, "-r", "25", "-i", "-")
    arguments = (*raw, *default_arguments("libvvenc"), "-f", "data", "-map", "0:v", "-")
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-v", "error", *arguments]
    with ThreadPoolExecutor(6) as pool:
        made = pool.map(
            lambda _: subprocess.run(
                command, input=picture, capture_output=True, check=False, timeout=120,
                preexec_fn=lambda: os.sched_setaffinity(0, one_core),  # nothing else runs in the fork
            ),
            range(12),
        )  # fmt: skip
    assert len({done.stdout for done in made} - {b""}) == 1


@pytest.mark.parametrize("name", ["libsvtav1", "librav1e"])
def test_bytes_do_not_depend_on_the_thread_count(encode, name):
    assert encode(default_arguments(name)) == encode(default_arguments(name, threads=2))


@pytest.mark.parametrize("name", ENCODERS)
def test_ffmpeg_knows_every_option(name):
    described = ffmpeg("-h", f"encoder={name}").stdout.decode()
    if f"Encoder {name} " not in described:
        pytest.skip(f"this ffmpeg was built without {name}")
    options = set(re.findall(r"^ +(-[a-z0-9_-]+) +<", described, re.MULTILINE))
    generic = {"-c:v", "-b:v", "-threads", "-global_quality", "-q:v", "-profile:v"}
    used = set(default_arguments(name)[::2])
    assert used - generic <= options


def test_the_ranges_are_within_those_that_ffmpeg_states():
    stated = re.compile(r"^ +(-[a-z0-9_-]+) +<(?:int|float)>.*\(from (-?\d+) to (-?\d+)\)", re.MULTILINE)
    checked = set()
    for name, encoder in ENCODERS.items():
        ranges = {
            option: (int(low), int(high))
            for option, low, high in stated.findall(ffmpeg("-h", f"encoder={name}").stdout.decode())
        }
        for flag in set(encoder.quality.flags) & set(ranges):
            low, high = ranges[flag]
            assert low <= encoder.quality.minimum
            assert encoder.quality.maximum <= high
            checked.add(name)
    assert {"libsvtav1", "libaom-av1", "libvpx-vp9", "libvvenc", "librav1e"} <= checked


def test_the_package_brings_its_ffmpeg():
    assert Path(imageio_ffmpeg.get_ffmpeg_exe()).is_file()
