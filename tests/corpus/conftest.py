"""What several tests of the corpus share: two sources, processes that are looked for, waiting, and a disk soon full."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from vmafcast.corpus.export import export_jsonl
from vmafcast.corpus.importing import Imported, import_file
from vmafcast.corpus.store import CorpusStore


@pytest.fixture(scope="module")
def clips(make_clip: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two small sources."""
    folder = tmp_path_factory.mktemp("sources")
    for seed, name in enumerate(("ant.mkv", "bee.mkv")):
        make_clip(name, width=96, height=64, frames=6, seed=seed, folder=folder)
    return folder


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


class JsonlRows:
    """Rows of per-frame JSON lines, and what becomes of them."""

    def row(self, frame: int = 0, **changes: object) -> dict[str, object]:
        """Return a row of the format; a change to None takes the key out."""
        share = 0.5 + frame / 100
        shares = dict.fromkeys(("adm2", "vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3"), share)
        made = {"src": "park", "encoder": "libx264", "cq": 28, "frame_index": frame, "vmaf": 80.0 + frame / 7}
        whole = made | shares | {"motion2": frame * 1.25} | changes
        return {key: value for key, value in whole.items() if value is not None}

    def clip(self, frames: int = 6, **changes: object) -> list[dict[str, object]]:
        return [self.row(frame, **changes) for frame in range(frames)]

    def write(self, path: Path, rows: list[dict[str, object]], end: str = "\n") -> Path:
        path.write_bytes("\n".join(json.dumps(each) for each in rows).encode() + end.encode())
        return path

    def take(
        self, tmp_path: Path, rows: list[dict[str, object]], name: str = "corpus", **options: object
    ) -> tuple[CorpusStore, Imported]:
        """Import rows; return the corpus and what was said of it."""
        done = import_file(self.write(tmp_path / f"{name}.jsonl", rows), tmp_path / name, **options)
        return CorpusStore(tmp_path / name), done

    def exported(self, store: CorpusStore, path: Path) -> list[dict[str, object]]:
        export_jsonl(store, path)
        return [json.loads(line) for line in path.read_bytes().splitlines()]

    def files_of(self, folder: Path) -> dict[str, bytes]:
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.parquet")}


@pytest.fixture(scope="session")
def jsonl() -> JsonlRows:
    return JsonlRows()


@pytest.fixture(scope="session")
def read_planes() -> Callable[[Path], tuple[NDArray[np.float64], ...]]:
    """A function that returns the luma and the two chroma planes of every frame of a file, each stacked."""

    def read(path: Path) -> tuple[NDArray[np.float64], ...]:
        planes: tuple[list[NDArray[np.float64]], ...] = ([], [], [])
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                for stack, plane in zip(planes, frame.planes, strict=True):
                    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
                    stack.append(rows[: plane.height, : plane.width].astype(np.float64))
        return tuple(np.stack(stack) for stack in planes)

    return read
