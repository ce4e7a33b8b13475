"""From corpora to what predictors learn from: sources with their surveys, and every encoder's measured curves."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vmafcast.common.errors import DataError
from vmafcast.common.files import sha256_bytes, sha256_file
from vmafcast.corpus.store import CorpusStore
from vmafcast.corpus.surveyed import (
    STATED,
    SURVEYS,
    join_surveys,
    probe_encodes,
    probe_shorts,
    read_surveys,
    survey_command,
    survey_features,
)
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.media.complexity.facts import FEATURES, NAMES_BESIDE_PROBE
from vmafcast.media.complexity.sample import SamplePlan
from vmafcast.models.predictor.curves import Points
from vmafcast.models.predictor.inputs import PROBE_FOUND, SHORT_FOUND, InputLayout, geometry, probe_values
from vmafcast.models.predictor.kernels import SharedKernels
from vmafcast.models.predictor.model import EncoderCurves, Sources, measured_curves
from vmafcast.models.predictor.process import SWEEPS
from vmafcast.models.predictor.scale import to_logit


@dataclass(frozen=True, eq=False)
class Found:
    """What lies under the roots.

    Attributes
    ----------
    corpora
        Folders with encodes and surveys.
    missing
        Roots that are not there.
    skipped
        Corpora that predictors cannot learn from, with the reason.
    learn_only
        Folders with encodes and surveys that are learnt from, but that nothing is judged by.
    """

    corpora: tuple[Path, ...]
    missing: tuple[str, ...]
    skipped: tuple[str, ...]
    learn_only: tuple[Path, ...] = ()

    @property
    def learnt(self) -> tuple[Path, ...]:
        """All that is learnt from."""
        return (*self.corpora, *self.learn_only)

    def files(self) -> list[Path]:
        """Return the files that are learnt from."""
        return [path for folder in self.learnt for path in (*CorpusStore(folder).encode_files(), folder / SURVEYS)]

    def sha256(self) -> str:
        """Return one hash over the names and contents of those files."""
        return sha256_bytes("\n".join(f"{path.name} {sha256_file(path)}" for path in self.files()).encode())


@dataclass(frozen=True, eq=False)
class PredictorRows:
    """All that predictors learn from.

    Attributes
    ----------
    layout
        The columns of a source.
    names
        Of the S sources.
    sources
        What is known of them.
    encodes
        Every usable encode: ``source``, ``encoder``, ``preset``, ``quality``, ``vmaf``, ``bpp`` and ``corpus``.
    teacher
        Whose scores.
    complexity_revision, probe_revision
        Of the measures.
    plan
        Which frames stood for a source.
    judged
        bool [S]: which sources predictors are judged by; the others are learnt from alone.
    """

    layout: InputLayout
    names: tuple[str, ...]
    sources: Sources
    encodes: pl.DataFrame
    teacher: str
    complexity_revision: int
    probe_revision: int
    plan: SamplePlan
    judged: NDArray[np.bool_]

    def of(self, encoder: str) -> pl.DataFrame:
        """Return the encodes of one encoder."""
        return self.encodes.filter(pl.col("encoder") == encoder).sort("source", "preset", "quality")

    def judged_of(self, encoder: str) -> pl.DataFrame:
        """Return the encodes of one encoder that its predictor is judged by."""
        names = [name for name, judged in zip(self.names, self.judged, strict=True) if judged]
        return self.of(encoder).filter(pl.col("source").is_in(names))

    def kernels(self, sweeps: int = SWEEPS) -> SharedKernels:
        """Return what chooses kernels by the curves of all encoders that have enough of them."""
        every = []
        for encoder in sorted(self.encodes["encoder"].unique()):
            with suppress(DataError):
                every.append(self.curves(encoder))
        return SharedKernels(every, self.sources, sweeps)

    def curves(self, encoder: str) -> EncoderCurves:
        """Return the measured curves of one encoder; DataError where there are too few."""
        known = get_encoder(encoder)
        number = {name: index for index, name in enumerate(self.names)}
        points, places = {}, {}
        for (preset,), table in self.of(encoder).group_by("preset", maintain_order=True):
            name = str(preset)
            points[name] = Points(
                source=np.array([number[source] for source in table["source"]], dtype=np.intp),
                place=np.array([known.quality_norm(quality) for quality in table["quality"]]),
                values=np.column_stack([to_logit(table["vmaf"].to_numpy()), np.log(table["bpp"].to_numpy())]),
            )
            places[name] = known.preset_norm(name)
        return measured_curves(encoder, points, places)


def find_corpora(roots: Sequence[Path], learn_only: Sequence[Path] = ()) -> Found:
    """Return the corpora with surveys under ``roots``: each root itself, and the folders directly within.

    A root that is not there, and a corpus whose sources were not surveyed, are reported and passed over. A corpus that
    lies under ``learn_only`` as well is learnt from alone.
    """
    corpora: list[Path] = []
    only: list[Path] = []
    missing, skipped = [], []
    for into, root in (*((only, root) for root in learn_only), *((corpora, root) for root in roots)):
        if not root.is_dir():
            missing.append(str(root))
            continue
        for folder in (root, *sorted(path for path in root.iterdir() if path.is_dir() and path.name[0] != ".")):
            if not any(folder.glob("encodes*.parquet")) and not any(folder.glob("encodes/*.parquet")):
                continue
            if (folder / SURVEYS).is_file():
                into.append(folder)
            else:
                skipped.append(f"{folder} has no {SURVEYS}; make it with {survey_command(folder)}")
    apart = {folder.resolve() for folder in only}
    judged = dict.fromkeys(folder for folder in corpora if folder.resolve() not in apart)
    return Found(tuple(judged), tuple(missing), tuple(dict.fromkeys(skipped)), tuple(dict.fromkeys(only)))


def read_rows(corpora: Sequence[Path], learn_only: Sequence[Path] = ()) -> PredictorRows:
    """Read the sources and encodes of some corpora.

    A source that is in more than one counts once, and so does an encode with the same settings: the first is taken.
    What is in ``learn_only`` alone is learnt from, and nothing is judged by it.

    Raises
    ------
    DataError
        They were surveyed with other probes, by other teachers or other revisions; or a source is in two source groups.
    """
    surveys, encodes = [], []
    for folder in (*corpora, *learn_only):
        found = read_surveys(folder)
        if found is None:
            raise DataError(f"{folder} has no {SURVEYS}; make it with {survey_command(folder)}")
        surveys.append(found)
        encodes.append(_usable(CorpusStore(folder).encodes(), folder))
    table = join_surveys(surveys)
    if table is None:
        raise DataError(
            f"the sources of {', '.join(map(str, (*corpora, *learn_only)))} were not all measured alike (probes, "
            "sample, teacher, revision); run `vmafcast corpus complexity CORPUS --sources CLIPS` on each again"
        )
    rows = pl.concat(encodes, how="diagonal_relaxed")
    teacher, complexity_revision, probe_revision, runs, length = table.select(STATED).row(0)
    rows = rows.filter((pl.col("teacher") == teacher) & pl.col("source").is_in(table["source"].to_list()))
    rows = rows.unique(["source", "encoder", "preset", "quality"], keep="first", maintain_order=True)
    names = tuple(feature.name for feature in FEATURES)
    layout = InputLayout(names, probe_encodes(table), shorts=probe_shorts(table), beside=NAMES_BESIDE_PROBE)
    judged = pl.concat([found["source"] for found in surveys[: len(corpora)]])
    return PredictorRows(
        layout=layout,
        names=tuple(table["source"]),
        sources=_sources(table, layout),
        encodes=rows,
        teacher=str(teacher),
        complexity_revision=int(complexity_revision),
        probe_revision=int(probe_revision),
        plan=SamplePlan(int(runs), int(length)),
        judged=table["source"].is_in(judged.to_list()).to_numpy(),
    )


def scaled_features(row: dict[str, float]) -> NDArray[np.float64]:
    """Return complexity features as models see them, from their own units."""
    return np.array(
        [
            np.log(row[feature.name] + feature.floor) if feature.scale == "log" else row[feature.name]
            for feature in FEATURES
        ]
    )


def _usable(table: pl.DataFrame, folder: Path) -> pl.DataFrame:
    whole = table.filter(pl.all_horizontal(pl.col("preset", "quality", "width", "bytes", "vmaf").is_not_null()))
    bpp = pl.col("bytes") * 8.0 / (pl.col("width") * pl.col("height") * pl.col("frames"))
    return whole.filter(pl.col("bytes") > 0).select(
        "source", "encoder", "preset", "quality", "vmaf", "teacher", bpp=bpp, corpus=pl.lit(str(folder))
    )


def _sources(table: pl.DataFrame, layout: InputLayout) -> Sources:
    plain, probe = [], []
    for row in table.iter_rows(named=True):
        size = geometry(row["width"], row["height"], row["fps"], row["frames"])
        plain.append(np.concatenate([scaled_features(survey_features(row)), size]))
        found = {name: {key: row[f"{name}_{key}"] for key in PROBE_FOUND} for name in layout.probe}
        found |= {name: {key: row[f"{name}_{key}"] for key in SHORT_FOUND} for name in layout.shorts}
        probe.append(probe_values(layout, found))
    groups = table["source_group"].to_numpy().astype(np.str_)
    return Sources(
        np.stack(plain), layout.plain_blocks, np.stack(probe), layout.probe_blocks, groups,
        layout.beside_probe, layout.plain_blocks_beside_probe,
    )  # fmt: skip
