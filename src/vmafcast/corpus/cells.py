"""Reading a corpus by cells in bounded memory, in an order that does not depend on how it is cut into files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from vmafcast.common.errors import DataError
from vmafcast.corpus.store import ENCODES_ORDER, CorpusStore
from vmafcast.corpus.tables import UNREADABLE, feature_columns

BATCH_FRAMES = 1 << 18
"""How many frames are held at once, more only where one encode has more."""

_AT = "at"


class FrameReader:
    """Reads the frames of some cells at a time.

    Parameters
    ----------
    store
        The corpus.

    Raises
    ------
    RequestError, DataError
        There is no corpus, or a file of it cannot be read.
    """

    def __init__(self, store: CorpusStore) -> None:
        self._folder = store.folder
        self._files = store.frame_files(required=True)
        self._in_file: dict[str, list[int]] = {}
        self.frames_of: dict[str, int] = {}
        columns: dict[str, None] = {}
        for number, path in enumerate(self._files):
            with _Readable(path):
                scan = pl.scan_parquet(path, glob=False)
                columns.update(dict.fromkeys(scan.collect_schema().names()))
                counts = scan.group_by("cell").len().collect()
            for cell, count in counts.iter_rows():
                self._in_file.setdefault(cell, []).append(number)
                self.frames_of[cell] = self.frames_of.get(cell, 0) + count
        self.columns = tuple(columns)

    @property
    def features(self) -> tuple[str, ...]:
        """The feature columns that any file has."""
        return feature_columns(self.columns)

    def holds(self, cell: str) -> bool:
        """Whether there is a frame of ``cell``."""
        return cell in self._in_file

    def read(self, cells: Sequence[str], columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Return the frames of ``cells`` in the order of ``cells`` and by frame, each once.

        Parameters
        ----------
        columns
            Which columns besides ``cell`` and ``frame``; None for all.
        """
        wanted = pl.DataFrame({"cell": list(cells)}, schema={"cell": pl.String}).with_row_index(_AT)
        numbers = sorted({number for cell in cells for number in self._in_file.get(cell, ())})
        keep = None if columns is None else list(dict.fromkeys(["cell", "frame", *columns]))
        parts = []
        for number in numbers:
            path = self._files[number]
            with _Readable(path):
                scan = pl.scan_parquet(path, glob=False)
                if keep is not None:
                    there = scan.collect_schema().names()
                    scan = scan.select([name for name in keep if name in there])
                parts.append(scan.join(wanted.lazy(), on="cell", how="inner").collect())
        if not parts:
            raise DataError(
                f"{self._folder} has no frames of {', '.join(cells[:3])}; look with `vmafcast corpus verify`"
            )
        table = pl.concat(parts, how="diagonal_relaxed")
        table = table.unique([_AT, "frame"], keep="first", maintain_order=True).sort(_AT, "frame").drop(_AT)
        names = [name for name in (self.columns if keep is None else keep) if name in table.columns]
        return table.select(names)

    def batches(
        self, encodes: pl.DataFrame, columns: Sequence[str] | None = None, frames: int = BATCH_FRAMES
    ) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        """Yield parts of ``encodes`` in their order, each with its frames as :meth:`read` returns them.

        Raises
        ------
        DataError
            An encode has no frames.
        """
        for part in batches_of(encodes, self.frames_of, frames):
            missing = [cell for cell in part["cell"] if not self.holds(cell)]
            if missing:
                raise DataError(
                    f"{self._folder} has no frames of the cell {missing[0]}; look with `vmafcast corpus verify`"
                )
            yield part, self.read(part["cell"].to_list(), columns)


def batches_of(encodes: pl.DataFrame, frames_of: dict[str, int], frames: int = BATCH_FRAMES) -> Iterator[pl.DataFrame]:
    """Yield ``encodes`` in parts that have about ``frames`` frames each."""
    begin = held = 0
    for at, cell in enumerate(encodes["cell"]):
        count = frames_of.get(cell, 0)
        if held and held + count > frames:
            yield encodes[begin:at]
            begin, held = at, 0
        held += count
    if begin < encodes.height:
        yield encodes[begin:]


def in_order(encodes: pl.DataFrame) -> pl.DataFrame:
    """Return ``encodes`` in the corpus's fixed order."""
    return encodes.sort(ENCODES_ORDER)


class _Readable:
    """Turns what a broken file raises into an error that names it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, UNREADABLE):
            raise DataError(f"{self._path} cannot be read as a table of a corpus: {error}") from error
