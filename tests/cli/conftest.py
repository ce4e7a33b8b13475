"""Fixtures of the command line's tests: a clip, and the command run as a user runs it."""

import json
import subprocess
import sys
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest

from vmafcast.media.ffmpeg import find_ffmpeg
from vmafcast.media.lossless import write_lossless


def moving_texture(width, height, frames, seed=0):
    """Yield planes of a coloured texture that drifts under a little grain."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0 : height + 64, 0 : width + 64]
    noise = random.normal(size=(height + 64, width + 64))
    smooth = sum(np.sin(columns / step + rows / (step * 1.7)) for step in (3.0, 7.0, 19.0))
    canvas = 128 + 30 * smooth + 14 * noise
    for frame in range(frames):
        part = canvas[frame : frame + height, 2 * frame : 2 * frame + width]
        luma = np.clip(part + random.normal(scale=2.0, size=part.shape), 16, 235).astype(np.uint8)
        chroma = np.clip(part[::2, ::2] / 4 + 96, 16, 240).astype(np.uint8)
        yield luma, chroma, 255 - chroma


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "texture.mkv"
    write_lossless(path, moving_texture(128, 96, 16), width=128, height=96, fps=Fraction(25))
    return path


@dataclass
class Outcome:
    code: int
    out: str
    err: str

    @property
    def lines(self):
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def vmafcast(tmp_path):
    """Run ``vmafcast ARGUMENTS`` in an empty folder; what it returns has the exit code and both outputs."""

    def run(*arguments, env=None, timeout=120):
        done = subprocess.run(
            [sys.executable, "-m", "vmafcast.cli.main", *map(str, arguments)],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def ffmpeg_without_libvmaf(tmp_path_factory):
    """Return a wrapper of the real ffmpeg that hides libvmaf when asked for its filters."""
    real = find_ffmpeg().path
    path = tmp_path_factory.mktemp("bin") / "ffmpeg"
    path.write_text(
        f'#!/bin/sh\ncase "$*" in *-filters*) "{real}" "$@" | grep -v libvmaf;; *) exec "{real}" "$@";; esac\n'
    )
    path.chmod(0o755)
    return path
