"""What several tests of the corpus share: looking for running processes, waiting, and a disk that is soon full."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def running_in() -> Callable[[Path], list[int]]:
    """A function that returns the processes whose working folder is in a folder."""

    def find(folder: Path) -> list[int]:
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                place = (entry / "cwd").readlink()
            except OSError:
                continue
            if folder in place.parents:
                found.append(int(entry.name))
        return found

    return find


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., bool]:
    """A function that waits for a condition, and returns whether it came."""

    def wait(condition: Callable[[], bool], seconds: float = 15.0) -> bool:
        deadline = time.monotonic() + seconds
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.02)
        return condition()

    return wait


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own that holds 1 MiB; skipped where none can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except OSError as error:
        pytest.skip(f"no file system can be mounted: {error}")
    if done.returncode != 0:
        pytest.skip(f"no file system can be mounted: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], timeout=30, check=True)


@pytest.fixture(scope="session")
def remount() -> Callable[[Path, str], None]:
    """A function that makes a mounted file system read-only (``ro``) or writable (``rw``)."""

    def change(folder: Path, how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True, timeout=30)

    return change
