"""A corpus on the disk: a folder of Parquet, two tables, one file of each for every finished cell group.

``frames/<key>.parquet`` is written first and ``encodes/<key>.parquet`` after it, each by temp, fsync and rename. A
group is finished when its ``encodes`` file is there, so a build that is killed at any moment loses at most the groups
that were running, and never leaves a file that cannot be read.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from vmafcast.common.errors import DataError, OutputError, RequestError
from vmafcast.common.files import atomic_path, sweep_temporaries
from vmafcast.corpus.plan import Cell, CellGroup
from vmafcast.media.availability import Availability
from vmafcast.media.features import Column
from vmafcast.media.ffmpeg import Ffmpeg
from vmafcast.media.graph import Scoring
from vmafcast.media.measure import ScoredEncode
from vmafcast.media.workdir import sweep_workdirs

ENCODES = "encodes"
FRAMES = "frames"
ENCODES_ORDER = ("source", "encoder", "preset", "quality", "cell")

TIMINGS = ("encode_cpu_s", "decode_cpu_s", "score_cpu_s")
"""The columns of ``encodes`` that differ from run to run."""


@dataclass(frozen=True, slots=True)
class Pooled:
    """A teacher's frame scores pooled over an encode, each 0 to 100."""

    mean: float
    harmonic_mean: float
    percentile_1: float
    percentile_5: float
    minimum: float

    @classmethod
    def of(cls, scores: Column) -> Pooled:
        """Pool ``scores`` [frames]; the harmonic mean is libvmaf's, of the score plus one, less one."""
        return cls(
            mean=float(scores.mean()),
            harmonic_mean=float(1.0 / np.mean(1.0 / (scores + 1.0)) - 1.0),
            percentile_1=float(np.percentile(scores, 1)),
            percentile_5=float(np.percentile(scores, 5)),
            minimum=float(scores.min()),
        )


class CorpusStore:
    """The folder of a corpus.

    Parameters
    ----------
    folder
        Where it is; need not be there yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def prepare(self) -> list[Path]:
        """Make the folders, sweep what killed builds left behind, and return what was swept.

        Raises
        ------
        OutputError
            The folder cannot be made or written.
        """
        try:
            for name in (ENCODES, FRAMES):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"cannot make a corpus in {self.folder}: {error.strerror}; choose another place"
            ) from error
        for folder in (self.folder, self.folder / ENCODES, self.folder / FRAMES):
            if not os.access(folder, os.W_OK):
                raise OutputError(f"cannot write to the corpus {folder}: permission denied; choose another place")
        swept = sweep_temporaries(self.folder) + sweep_workdirs(self.folder)
        for path in sorted((self.folder / FRAMES).glob("[!.]*.parquet")):  # the hidden ones are still being written
            if not (self.folder / ENCODES / path.name).exists():
                path.unlink(missing_ok=True)
                swept.append(path)
        return swept

    def finished(self) -> set[str]:
        """Return the identities of the cells that are finished."""
        files = self._files(ENCODES)
        return set(_scan(files, ["cell"])["cell"].to_list()) if files else set()

    def write_group(
        self,
        group: CellGroup,
        encodes: Sequence[ScoredEncode],
        scoring: Scoring,
        ffmpeg: Ffmpeg,
        availability: Availability,
    ) -> None:
        """Write a finished group: its frames, and then its encodes."""
        pairs = list(zip(group.cells, encodes, strict=True))
        frames = pl.concat([_frame_rows(cell, encode) for cell, encode in pairs])
        rows = pl.DataFrame([_encode_row(cell, encode, scoring, ffmpeg, availability) for cell, encode in pairs])
        for name, table in ((FRAMES, frames), (ENCODES, rows)):
            with atomic_path(self.folder / name / f"{group.key}.parquet") as temporary:
                try:
                    table.write_parquet(temporary, compression="zstd", statistics=False)
                except OSError as error:
                    raise OutputError(
                        f"cannot write to the corpus {self.folder}: {error}; is the disk full?"
                    ) from error

    def encodes(self) -> pl.DataFrame:
        """Return the table of encodes, one row per cell, in a fixed order, each cell once.

        Raises
        ------
        RequestError
            There is no such folder.
        DataError
            It holds no corpus, or one of its files cannot be read.
        """
        table = _scan(self._required(ENCODES))
        return table.unique("cell", keep="first", maintain_order=True).sort(ENCODES_ORDER)

    def frames(self, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Return the table of frames, sorted by cell and frame; ``columns`` limits what is read."""
        wanted = None if columns is None else list(dict.fromkeys(["cell", "frame", *columns]))
        table = _scan(self._required(FRAMES), wanted)
        return table.unique(["cell", "frame"], keep="first", maintain_order=True).sort(["cell", "frame"])

    def encode_files(self) -> list[Path]:
        """Return the files of the table of encodes, sorted; DataError where there are none."""
        return self._required(ENCODES)

    def frame_files(self, *, required: bool = False) -> list[Path]:
        """Return the files of the table of frames, sorted; none where there are none, an error where ``required``."""
        return self._required(FRAMES) if required else self._files(FRAMES)

    def files(self) -> list[Path]:
        """Return every file of the corpus, sorted."""
        return [*self._required(ENCODES), *self._required(FRAMES)]

    def sha256(self) -> str:
        """Return one hash of all that the corpus holds but timings; see :mod:`vmafcast.corpus.content`."""
        from vmafcast.corpus.content import content_sha256

        return content_sha256(self)

    def _files(self, table: str) -> list[Path]:
        """Return the files of a table: one for each finished group, and those of a compacted corpus beside them."""
        groups = sorted(path for path in self.folder.glob(f"{table}/*.parquet") if not path.name.startswith("."))
        return [*groups, *sorted(self.folder.glob(f"{table}*.parquet"))]

    def _required(self, table: str) -> list[Path]:
        files = self._files(table)
        if not files and not self.folder.exists():
            raise RequestError(f"{self.folder} does not exist; give the folder of a corpus")
        if not files:
            raise DataError(
                f"{self.folder} holds no corpus (no {table}/*.parquet); build one with `vmafcast corpus build`"
            )
        return files


def _scan(files: Sequence[Path], columns: Sequence[str] | None = None) -> pl.DataFrame:
    tables = []
    for path in files:
        try:
            tables.append(pl.read_parquet(path, columns=None if columns is None else list(columns), glob=False))
        except pl.exceptions.ColumnNotFoundError as error:
            raise DataError(f"{path} is a table of a corpus that lacks a column: {error}") from error
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
            raise DataError(
                f"{path} cannot be read as a table of a corpus: {error}; "
                "delete it and build again, then what it held is made anew"
            ) from error
    return pl.concat(tables, how="diagonal_relaxed")


def _frame_rows(cell: Cell, encode: ScoredEncode) -> pl.DataFrame:
    count = encode.scores.frames
    return pl.DataFrame(
        {
            "cell": pl.Series([cell.identity] * count, dtype=pl.String),
            "frame": np.arange(count, dtype=np.int32),
            "bytes": encode.packets.bytes.astype(np.int32),
            "type": pl.Series(encode.packets.types, dtype=pl.String),
            **encode.scores.columns,
        }
    ).fill_nan(None)  # what could not be measured is missing, and no number


def _encode_row(
    cell: Cell, encode: ScoredEncode, scoring: Scoring, ffmpeg: Ffmpeg, availability: Availability
) -> dict[str, str | int | float | None]:
    source, settings = cell.source, cell.settings
    pooled = Pooled.of(encode.scores.vmaf)
    return {
        "cell": cell.identity,
        "source": source.name,
        "source_group": source.group,
        "source_sha256": source.video.sha256,
        "width": source.video.even_width,
        "height": source.video.even_height,
        "fps": float(source.video.fps),
        "frames": source.video.frames,
        "bit_depth": source.video.bit_depth,
        "encoder": settings.encoder.name,
        "preset": settings.preset,
        "quality": settings.quality,
        "threads": settings.threads,
        "arguments": " ".join(settings.arguments()),
        "bytes": encode.bytes,
        "kbps": encode.bytes * 8 / 1000 / source.video.duration,
        "vmaf": pooled.mean,
        "vmaf_harmonic_mean": pooled.harmonic_mean,
        "vmaf_p1": pooled.percentile_1,
        "vmaf_p5": pooled.percentile_5,
        "vmaf_min": pooled.minimum,
        "encode_cpu_s": encode.cpu.encode,
        "decode_cpu_s": encode.cpu.decode,
        "score_cpu_s": encode.cpu.score,
        "teacher": scoring.teacher,
        **{name: float(encode.scores.columns[name].mean()) for name in scoring.further_teachers},
        "feature_sets": " ".join(each.name for each in scoring.feature_sets),
        "ffmpeg_version": ffmpeg.version,
        "ffmpeg_build": ffmpeg.build,
        "encoder_version": availability.version,
    }
