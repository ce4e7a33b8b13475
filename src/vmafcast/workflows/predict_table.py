"""Predicting the scores of frames whose features were measured before: a table in, a table out, no video opened."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vmafcast.common.errors import DataError, OutputError, RequestError
from vmafcast.common.feature_names import SOURCE
from vmafcast.common.files import atomic_path
from vmafcast.encoders.aliases import resolve
from vmafcast.encoders.vocabulary import UNKNOWN
from vmafcast.models.loading import AnyModel
from vmafcast.models.normalisers import MIDDLE_PRESET
from vmafcast.models.runtime import FrameModel

_PREFIX = "integer_"
_NAMES: dict[str, tuple[str, ...]] = {
    "source": ("source", "src"),
    "encoder": ("encoder", "codec"),
    "preset": ("preset",),
    "quality": ("cq", "q", "crf", "quality"),
    "vmaf": ("vmaf", "vmaf_score"),
}
"""By what names a column is looked for beside the features; the first that is there counts."""

_TEXTS = frozenset({"source", "encoder", "preset"})


@dataclass(frozen=True, eq=False)
class TablePrediction:
    """Predicted scores of the rows of a table.

    Attributes
    ----------
    model, teacher
        What predicted, and whose scores.
    predicted
        float32 [N].
    measured
        float64 [N], the table's own scores; None where it has none.
    sources
        Whose frame each row is; None where the table does not say.
    outside
        bool [N]: rows that lie outside of what the model learnt from.
    warnings
        What the reader should know.
    """

    model: str
    teacher: str
    predicted: NDArray[np.float32]
    measured: NDArray[np.float64] | None
    sources: pl.Series | None
    outside: NDArray[np.bool_]
    warnings: tuple[str, ...]

    @property
    def mean(self) -> float | None:
        """Mean of the predicted scores, None without rows."""
        return float(self.predicted.mean(dtype=np.float64)) if len(self.predicted) else None

    def summary(self) -> pl.DataFrame:
        """Return a row for all and one for each source: ``source``, ``rows``, ``predicted``, ``measured``, ``rmse``."""
        table = pl.DataFrame({"predicted": self.predicted.astype(np.float64)}).with_columns(
            pl.Series("measured", self.measured, dtype=pl.Float64)
            if self.measured is not None
            else _nothing("measured"),
            _nothing("source", pl.String) if self.sources is None else self.sources.alias("source"),
        )
        figures = [
            pl.len().alias("rows"),
            pl.col("predicted").mean(),
            pl.col("measured").mean(),
            ((pl.col("predicted") - pl.col("measured")) ** 2).mean().sqrt().alias("rmse"),
        ]
        by_source = table.group_by("source", maintain_order=True).agg(figures) if self.sources is not None else None
        whole = table.select(_nothing("source", pl.String).first(), *figures)
        return whole if by_source is None else pl.concat([whole, by_source])

    def rows(self) -> Iterator[dict[str, object]]:
        """Yield each row's ``predicted``, ``outside``, and ``source`` and ``measured`` where they are known."""
        return self._frame().iter_rows(named=True)

    def write(self, path: Path) -> None:
        """Write ``predicted``, ``outside``, and ``source`` and ``measured`` where they are known, a row for each.

        ``.parquet`` and ``.jsonl`` are known.

        Raises
        ------
        RequestError
            The name says neither.
        OutputError
            The file cannot be written.
        """
        require_writable(path)
        table = self._frame()
        with atomic_path(path) as temporary:
            try:
                if path.suffix == ".parquet":
                    table.write_parquet(temporary, compression="zstd")
                else:
                    table.write_ndjson(temporary)
            except OSError as error:
                raise OutputError(f"cannot write {path}: {error.strerror or error}; is the disk full?") from error

    def _frame(self) -> pl.DataFrame:
        columns: dict[str, object] = {} if self.sources is None else {"source": self.sources}
        if self.measured is not None:
            columns["measured"] = self.measured
        return pl.DataFrame({**columns, "predicted": self.predicted, "outside": self.outside})


def require_writable(path: Path) -> None:
    """Refuse a name that does not say how to write predictions; raises :class:`RequestError`."""
    if path.suffix not in {".parquet", ".jsonl"}:
        raise RequestError(f"{path} is neither .parquet nor .jsonl; choose such a name for the predictions")


def predict_table(path: Path, model: AnyModel, *, name: str | None = None) -> TablePrediction:
    """Predict the score of every row of a feature table.

    Parameters
    ----------
    path
        A Parquet file or JSON lines, known by their content. Features under their plain names or libvmaf's
        (``integer_adm2``); optional are ``source``, ``vmaf``, and ``encoder``, ``preset`` and ``cq`` for a codec-aware
        model.
    model
        What predicts.
    name
        What to call it in the result; by default its own id.

    Raises
    ------
    RequestError
        The file cannot be read.
    DataError
        A feature is missing or not finite, or a row names a setting that its encoder has not.
    """
    table, warnings = _read(path, model.feature_order)
    features = table.select(model.feature_order).to_numpy()
    try:
        if model.codec_aware and "encoder" in table.columns:
            settings = table.select(_column(table, each) for each in ("encoder", "preset", "quality"))
            encoders, preset_norm, crf_norm = _settings(path, settings, model, warnings)
            found = model.predict(features, encoders, preset_norm, crf_norm)
        else:
            found = model.predict(features)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    return TablePrediction(
        model=name or model.id,
        teacher=model.teacher,
        predicted=found.vmaf,
        measured=table["vmaf"].to_numpy() if "vmaf" in table.columns and table["vmaf"].is_not_null().all() else None,
        sources=table["source"] if "source" in table.columns else None,
        outside=found.outside,
        warnings=(*warnings, *found.warnings),
    )


def _read(path: Path, features: tuple[str, ...]) -> tuple[pl.DataFrame, list[str]]:
    """Return the columns that matter under our names, features as Float64 without a null."""
    names = {**{feature: (feature, _PREFIX + feature) for feature in features}, **_NAMES}
    try:
        with path.open("rb") as handle:
            is_parquet = handle.read(4) == b"PAR1"
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror}") from error
    warnings: list[str] = []
    raw = _read_parquet(path, names) if is_parquet else _read_lines(path, names, warnings)
    found = {name: key for name, keys in names.items() if (key := next((k for k in keys if k in raw.columns), None))}
    if missing := [f"{name} (or {_PREFIX}{name})" for name in features if name not in found]:
        of_source = not set(SOURCE).isdisjoint(set(features) - set(found))
        remedy = "; those of the source are measured where its video is: give the two videos" if of_source else ""
        raise DataError(f"{path} lacks the features {', '.join(missing)}, which the model needs{remedy}")
    try:
        table = raw.select(
            pl.col(key).cast(pl.String if name in _TEXTS else pl.Float64).alias(name) for name, key in found.items()
        )
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path} holds something other than numbers in a column of numbers: {_brief(error)}") from error
    for name in features:
        if table[name].has_nulls():
            raise DataError(f"{path}: {name} is missing in row {int(table[name].is_null().arg_max() or 0)}")
    return table, warnings


def _read_parquet(path: Path, names: dict[str, tuple[str, ...]]) -> pl.DataFrame:
    wanted = {key for keys in names.values() for key in keys}
    try:
        scan = pl.scan_parquet(path, glob=False)
        return scan.select(key for key in scan.collect_schema() if key in wanted).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path} cannot be read as a table: {_brief(error)}") from error


def _read_lines(path: Path, names: dict[str, tuple[str, ...]], warnings: list[str]) -> pl.DataFrame:
    data = path.read_bytes()
    keys = {key: name for name, each in names.items() for key in each}
    schema = {key: pl.String if name in _TEXTS else pl.Float64 for key, name in keys.items()}
    torn = len(data) if data.endswith(b"\n") else data.rfind(b"\n") + 1
    if torn < len(data) and not _is_object(data[torn:]):
        warnings.append(f"{path} ends in a torn line at byte {torn}, which is left out")
        data = data[:torn]
    try:
        table = pl.read_ndjson(io.BytesIO(data), schema=schema)
        whole = table.height == sum(bool(line.strip()) for line in io.BytesIO(data))
    except pl.exceptions.PolarsError:
        whole = False
    if not whole:
        raise DataError(f"{path}, {_first_wrong(data)}; every line takes one JSON object with numbers as features")
    return table.select(key for key in table.columns if table[key].is_not_null().any())


def _first_wrong(data: bytes) -> str:
    for number, line in enumerate(io.BytesIO(data), start=1):
        if line.strip() and not _is_object(line):
            return f"line {number} is no JSON object"
    return "a line holds another type than it should"


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _settings(
    path: Path, settings: pl.DataFrame, model: AnyModel, warnings: list[str]
) -> tuple[NDArray[np.str_], NDArray[np.float64], NDArray[np.float64]]:
    """Return the encoder, preset_norm and crf_norm of every row; rows of one encode mostly stand together."""
    if not settings.height:
        return np.zeros(0, dtype=np.str_), np.zeros(0), np.zeros(0)
    run = settings.select(pl.struct(pl.all()).rle_id()).to_series().to_numpy()
    begins = np.flatnonzero(np.diff(run, prepend=-1))
    lengths = np.diff(begins, append=settings.height)
    known: dict[tuple[str | None, str | None, float | None], tuple[str, float, float]] = {}
    said = {"untold": 0, "preset": 0}
    nameless: dict[str, None] = {}
    places = []
    for row, count in zip(settings[begins].iter_rows(), lengths.tolist(), strict=True):
        encoder, preset, quality = row
        if row not in known:
            try:
                known[row] = _place(encoder, preset, quality, model)
            except RequestError as error:
                raise DataError(f"{path}: {error}") from error
        places.append(known[row])
        if known[row][0] == UNKNOWN:
            said["untold"] += count
            if encoder is not None and quality is not None and encoder.strip().lower() != UNKNOWN:
                nameless[encoder] = None
        elif preset is None and isinstance(model, FrameModel):
            said["preset"] += count
    warnings += _said(said, tuple(nameless), settings.height)
    names, presets, qualities = zip(*places, strict=True)
    return np.array(names)[run], np.array(presets, dtype=np.float64)[run], np.array(qualities, dtype=np.float64)[run]


def _place(encoder: str | None, preset: str | None, quality: float | None, model: AnyModel) -> tuple[str, float, float]:
    if encoder is None or quality is None or encoder.strip().lower() == UNKNOWN:
        return UNKNOWN, *model.untold
    try:
        name = resolve(encoder)
    except RequestError:
        return UNKNOWN, *model.untold
    preset_norm, crf_norm = model.norms(name, preset, quality)
    # As in training: the middle stands for a preset that nobody stated.
    return name, MIDDLE_PRESET if preset is None and isinstance(model, FrameModel) else preset_norm, crf_norm


def _said(said: dict[str, int], nameless: tuple[str, ...], rows: int) -> Iterator[str]:
    if nameless:
        yield f"no encoder is called {', '.join(nameless)}; these rows are scored without it"
    if said["untold"]:
        yield f"{said['untold']} of {rows} rows are scored without their encoder and quality, which are not known"
    if said["preset"]:
        yield f"{said['preset']} of {rows} rows do not state their preset; preset_norm is taken for {MIDDLE_PRESET}"


def _column(table: pl.DataFrame, name: str) -> pl.Expr:
    kind = pl.String if name in _TEXTS else pl.Float64
    return pl.col(name) if name in table.columns else pl.lit(None, dtype=kind).alias(name)


def _nothing(name: str, kind: type[pl.DataType] = pl.Float64) -> pl.Expr:
    return pl.lit(None, dtype=kind).alias(name)


def _brief(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
