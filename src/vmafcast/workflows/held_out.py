"""What each row of a corpus was predicted to be by networks that never saw its source group, as a table.

``HELD_OUT`` in a candidate folder is that table: one row per frame with ``source``, ``source_group``, ``encoder``,
``preset``, ``quality``, ``preset_norm``, ``crf_norm``, ``cell``, ``frame_index``, ``vmaf``, a column ``seed{N}`` for
each seed, and of a codec-aware recipe ``untold_seed{N}``: what the same network says if nothing is told of the encode.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from vmafcast.common.errors import OutputError
from vmafcast.common.files import atomic_path

if TYPE_CHECKING:
    from vmafcast.evaluation.loso import LosoResult
    from vmafcast.workflows.rows import CorpusRows

HELD_OUT: Final = Path("held_out") / "predictions.parquet"
"""Where a candidate folder keeps the table."""


def held_out_table(labelled: CorpusRows, result: LosoResult) -> pl.DataFrame:
    """Return the table; see the module."""
    rows, labels = labelled.rows, labelled.labels
    return labels.select("source", "source_group").with_columns(
        pl.Series("encoder", rows.encoders.tolist()),
        labels["preset"],
        labels["quality"],
        pl.Series("preset_norm", rows.preset_norm),
        pl.Series("crf_norm", rows.crf_norm),
        labels["cell"],
        labels["frame_index"],
        pl.Series("vmaf", rows.target),
        *(pl.Series(f"seed{seed}", said) for seed, said in zip(result.seeds, result.predictions, strict=True)),
        *(
            pl.Series(f"untold_seed{seed}", result.untold_predictions[number])
            for number, seed in enumerate(result.seeds)
            if result.untold_predictions is not None
        ),
    )


def write_held_out(table: pl.DataFrame, path: Path) -> None:
    """Write the table to ``path``, atomically; raises :class:`OutputError` where that cannot be done."""
    with atomic_path(path) as temporary:
        try:
            table.write_parquet(temporary, compression="zstd")
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror or error}; is the disk full?") from error
