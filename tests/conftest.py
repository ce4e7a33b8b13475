"""Fixtures that several rooms share: the real ffmpeg, small generated clips, real footage, a user without rights."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from vmafcast.media.ffmpeg import Ffmpeg, find_ffmpeg
from vmafcast.media.lossless import Planes, write_lossless

CLIPS_VARIABLE = "VMAFCAST_CLIPS"
_NOBODY = 65534


def moving_texture(width: int, height: int, frames: int, seed: int) -> list[Planes]:
    """A textured plane that pans, a disc that crosses it, and grain: every frame differs from its neighbours."""
    rng = np.random.default_rng(seed)
    chroma = ((height + 1) // 2, (width + 1) // 2)
    wide = rng.normal(size=(height + 64, width + 64))
    for axis in (0, 1):  # a texture with structure at several sizes
        wide = wide + 2 * (np.roll(wide, 1, axis) + np.roll(wide, 2, axis) + np.roll(wide, 4, axis))
    wide = 110 + 45 * wide / wide.std()
    rows, columns = np.mgrid[0:height, 0:width]
    clip = []
    for frame in range(frames):
        dy, dx = (2 * frame) % 64, (3 * frame) % 64
        luma = wide[dy : dy + height, dx : dx + width].copy()
        disc = (rows - height / 2) ** 2 + (columns - (5 * frame) % width) ** 2 < (height / 5) ** 2
        luma[disc] = 200 - frame % 7
        luma += rng.normal(scale=1.5, size=luma.shape)
        u = 118 + 20 * np.sin((np.arange(chroma[1]) + 2 * frame) / 9)[None, :] + np.zeros(chroma)
        v = 138 + 20 * np.cos((np.arange(chroma[0]) + 3 * frame) / 7)[:, None] + np.zeros(chroma)
        clip.append(tuple(np.clip(plane, 16, 235).astype(np.uint8) for plane in (luma, u, v)))
    return clip


@pytest.fixture(scope="session")
def ffmpeg() -> Ffmpeg:
    """The ffmpeg that vmafcast itself would use."""
    return find_ffmpeg()


@pytest.fixture(scope="session")
def make_clip(tmp_path_factory) -> Callable[..., Path]:
    """A function that writes a small lossless clip of moving texture; the same arguments give the same file."""
    made: dict[tuple[object, ...], Path] = {}

    def make(
        name: str = "clip.mkv",
        *,
        width: int = 128,
        height: int = 96,
        frames: int = 12,
        fps: Fraction = Fraction(25),
        seed: int = 0,
        folder: Path | None = None,
    ) -> Path:
        key = (name, width, height, frames, fps, seed, folder)
        if key not in made:
            path = (folder or tmp_path_factory.mktemp("clip")) / name
            write_lossless(path, moving_texture(width, height, frames, seed), width=width, height=height, fps=fps)
            made[key] = path
        return made[key]

    return make


@pytest.fixture(scope="session")
def run_tool(ffmpeg) -> Callable[..., None]:
    """A function that runs ffmpeg by hand, past vmafcast, to make the files that tests need."""

    def run(*arguments: str | Path, cwd: Path | None = None) -> None:
        command = [ffmpeg.path, "-hide_banner", "-nostdin", "-loglevel", "error", "-y", *map(str, arguments)]
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{command}\n{done.stderr}"

    return run


@pytest.fixture(scope="session")
def clips_folder() -> Path:
    """The folder of real clips that ``VMAFCAST_CLIPS`` names."""
    named = os.environ.get(CLIPS_VARIABLE)
    if not named:
        pytest.skip(f"set {CLIPS_VARIABLE} to a folder of clips with a MANIFEST.csv")
    folder = Path(named)
    if not (folder / "MANIFEST.csv").is_file():
        pytest.skip(f"{CLIPS_VARIABLE} names a folder without a MANIFEST.csv")
    return folder


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder of one's own, as a user whom permissions bind: root is somebody else for the time of the test."""
    folder = Path(tempfile.mkdtemp(prefix="vmafcast-unprivileged-"))
    was_root = os.geteuid() == 0
    if was_root:
        os.chown(folder, _NOBODY, _NOBODY)
        os.setresgid(_NOBODY, _NOBODY, 0)
        os.setresuid(_NOBODY, _NOBODY, 0)
    try:
        yield folder
    finally:
        if was_root:
            os.setresuid(0, 0, 0)
            os.setresgid(0, 0, 0)
        for path in folder.rglob("*"):
            if path.is_dir():
                path.chmod(0o700)
        folder.chmod(0o700)
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def write_predictor_corpus() -> Callable[..., Path]:
    """The function of ``predictor_corpus.py`` beside this file, which several rooms' tests need."""
    spec = importlib.util.spec_from_file_location("predictor_corpus", Path(__file__).with_name("predictor_corpus.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.write_corpus
