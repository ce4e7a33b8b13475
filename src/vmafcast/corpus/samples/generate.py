"""Writing the sample sources: the files and their manifest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from vmafcast.common.files import sha256_file
from vmafcast.common.progress import Progress, Silent, Task
from vmafcast.corpus.samples.camera import shrink, to_yuv420
from vmafcast.corpus.samples.catalogue import CATALOGUE, Sample
from vmafcast.corpus.samples.fields import generator
from vmafcast.corpus.sources import write_manifest
from vmafcast.media.lossless import Planes, write_lossless

LICENCE = "CC0-1.0"
_COLUMNS = (
    "name", "file", "sha256", "bytes", "width", "height", "fps", "frames", "source_group", "content_tags", "licence",
)  # fmt: skip


def generate_samples(
    folder: Path, *, progress: Progress | None = None, catalogue: Sequence[Sample] = CATALOGUE
) -> list[Path]:
    """Write the sample sources and their manifest into ``folder``.

    The clips are painted from fixed seeds, so every run writes the same bytes with the same numpy and PyAV.
    A file that is there under one of the names is replaced; the manifest is written last.

    Parameters
    ----------
    folder
        Where they go; made when missing.
    progress
        Told of every frame; silent by default.
    catalogue
        What to write; everything by default.

    Returns
    -------
    list[Path]
        The clips, in the manifest's order.

    Raises
    ------
    OutputError
        The folder or a file in it cannot be written; files that are whole stay, nothing half-written does.
    """
    rows, paths = [], []
    total = sum(sample.frames for sample in catalogue)
    with (progress or Silent()).task("painting sample sources", total) as task:
        for sample in catalogue:
            task.describe(f"painting {sample.name}")
            place = folder / f"{sample.name}.mkv"
            write_sample(place, sample, task)
            rows.append(_row(place, sample))
            paths.append(place)
    write_manifest(folder, _COLUMNS, rows)
    return paths


def write_sample(path: Path, sample: Sample, task: Task | None = None) -> None:
    """Paint one sample and write it to ``path``; see :func:`generate_samples` for what it raises."""
    width, height = sample.shape
    write_lossless(path, _frames(sample, task), width=width, height=height, fps=sample.fps)


def _frames(sample: Sample, task: Task | None) -> Iterator[Planes]:
    rng = generator(*sample.group.encode())
    for picture in sample.scene(rng, *sample.rendered, sample.frames):
        yield to_yuv420(shrink(picture, sample.size[1], sample.size[0]) if sample.size else picture)
        if task:
            task.advance()


def _row(path: Path, sample: Sample) -> dict[str, object]:
    tags = ";".join(sample.tags)
    facts = (sha256_file(path), path.stat().st_size, *sample.shape, sample.fps, sample.frames)
    return dict(zip(_COLUMNS, (sample.name, path.name, *facts, sample.group, tags, LICENCE), strict=True))
