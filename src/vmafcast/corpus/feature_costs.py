"""What each feature set cost to measure, kept beside a corpus in ``feature_costs.json`` and told for every cell.

It is measured once for each size and bit depth of pictures, feature set and build of ffmpeg, in runs of their own (see
:mod:`vmafcast.media.feature_cost`); a cell's cost is that of a frame times its frames.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Literal

import polars as pl
from pydantic import Field

from vmafcast.common.documents import Document, read_document, write_document
from vmafcast.common.errors import DataError, FfmpegError
from vmafcast.common.progress import Progress, Silent
from vmafcast.common.waiting import first_settled
from vmafcast.corpus.store import CorpusStore
from vmafcast.media.feature_cost import measure_feature_cost
from vmafcast.media.features import FeatureSet
from vmafcast.media.ffmpeg import Ffmpeg
from vmafcast.media.process import STALL_SECONDS, end_all
from vmafcast.media.source import Source

FEATURE_COSTS = "feature_costs.json"

_Key = tuple[str, int, int, int, str]


class FeatureCost(Document):
    """What one set costs at one size: CPU seconds a frame by itself, without a teacher and without decoding.

    ``frames`` is on how many frames it was measured; ``bit_depth`` is that of the source.
    """

    feature_set: str
    width: Annotated[int, Field(gt=0)]
    height: Annotated[int, Field(gt=0)]
    bit_depth: Annotated[int, Field(gt=0)]
    ffmpeg_build: str
    frames: Annotated[int, Field(gt=0)]
    cpu_s_per_frame: Annotated[float, Field(ge=0)]

    @property
    def key(self) -> _Key:
        """What it holds for."""
        return self.feature_set, self.width, self.height, self.bit_depth, self.ffmpeg_build


class FeatureCosts(Document):
    """All that is known of one corpus, in order of set, size, depth and build."""

    schema_version: Literal[1] = 1
    kind: Literal["vmafcast-feature-costs"] = "vmafcast-feature-costs"
    costs: tuple[FeatureCost, ...]


def read_feature_costs(folder: Path) -> tuple[FeatureCost, ...]:
    """Return what is known of the corpus in ``folder``, nothing where it has no such file.

    Raises
    ------
    DataError
        The file is there and cannot be read.
    """
    path = folder / FEATURE_COSTS
    return read_document(path, FeatureCosts).costs if path.is_file() else ()


def write_feature_costs(folder: Path, costs: Iterable[FeatureCost]) -> None:
    """Write the file, each cost once (the first of equal keys), in a fixed order; OutputError where it cannot be."""
    once = {cost.key: cost for cost in reversed(list(costs))}
    write_document(folder / FEATURE_COSTS, FeatureCosts(costs=tuple(once[key] for key in sorted(once))))


def note_feature_costs(
    store: CorpusStore,
    videos: Iterable[Source],
    ffmpeg: Ffmpeg,
    sets: tuple[FeatureSet, ...],
    *,
    processes: int = 1,
    stall_seconds: float = STALL_SECONDS,
    progress: Progress | None = None,
) -> None:
    """Measure and write down what the corpus does not know yet of the sizes of ``videos``.

    A set that is measured without ffmpeg is left out, and so is a size whose runs fail: what is wrong with the video is
    said when it is encoded. A file that cannot be read is replaced.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    try:
        known = {cost.key: cost for cost in read_feature_costs(store.folder)}
    except DataError:
        known = {}
    todo: dict[tuple[int, int, int], tuple[Source, tuple[FeatureSet, ...]]] = {}
    for video in videos:
        size = (video.even_width, video.even_height, video.bit_depth)
        lacking = tuple(
            each for each in sets
            if (each.extractors or each.filters) and (each.name, *size, ffmpeg.build) not in known
        )  # fmt: skip
        if lacking:
            todo.setdefault(size, (video, lacking))
    if not todo:
        return

    def measure(job: tuple[Source, tuple[FeatureSet, ...]]) -> list[FeatureCost]:
        video, lacking = job
        try:
            found, frames = measure_feature_cost(
                ffmpeg, video, lacking, workdir=store.folder, stall_seconds=stall_seconds
            )
        except FfmpegError:
            return []
        return [
            FeatureCost(
                feature_set=name, width=video.even_width, height=video.even_height, bit_depth=video.bit_depth,
                ffmpeg_build=ffmpeg.build, frames=frames, cpu_s_per_frame=seconds,
            )
            for name, seconds in found.items()
        ]  # fmt: skip

    measured: list[FeatureCost] = []
    with (
        (progress or Silent()).task("measuring what features cost") as task,
        ThreadPoolExecutor(max_workers=processes) as pool,
    ):
        try:
            running = {pool.submit(measure, job) for job in todo.values()}
            while running:
                for future in first_settled(running):
                    running.remove(future)
                    measured += future.result()
                task.describe(f"measuring what features cost: {len(measured)} known")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            end_all()  # what runs on would keep the pool, and the terminal, waiting
            raise
    if measured:
        write_feature_costs(store.folder, [*known.values(), *measured])


def cell_feature_costs(store: CorpusStore) -> pl.DataFrame:
    """Return the CPU seconds that each feature set of each cell costs by itself.

    Sets share work in one pass (``motion2``, PSNR, and what the teacher needs anyway), so that the sum of a cell's
    costs is not its ``score_cpu_s``.

    Returns
    -------
    polars.DataFrame
        Columns ``cell``, ``feature_set`` and ``cpu_s``, null where it was not measured; in the corpus's order.
    """
    encodes = store.encodes()
    if encodes["feature_sets"].null_count() == encodes.height or "ffmpeg_build" not in encodes.columns:
        return pl.DataFrame(schema={"cell": pl.String, "feature_set": pl.String, "cpu_s": pl.Float64})
    size = {"width": pl.Int64, "height": pl.Int64, "bit_depth": pl.Int64, "ffmpeg_build": pl.String}
    known = pl.DataFrame(
        [
            cost.model_dump(include={"feature_set", *size, "cpu_s_per_frame"})
            for cost in read_feature_costs(store.folder)
        ],
        schema={"feature_set": pl.String, **size, "cpu_s_per_frame": pl.Float64},
    )
    cells = encodes.select("cell", "frames", *size, feature_set=pl.col("feature_sets").str.split(" ")).explode(
        "feature_set"
    )
    cells = cells.filter(pl.col("feature_set").is_not_null() & (pl.col("feature_set") != ""))
    joined = cells.join(known, on=["feature_set", *size], how="left", maintain_order="left")
    return joined.select("cell", "feature_set", cpu_s=pl.col("cpu_s_per_frame") * pl.col("frames"))
