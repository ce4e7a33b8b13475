"""The sidecar of a predictor: what its input columns are, how sure it is, and what it takes to serve it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from vmafcast.common.documents import Document
from vmafcast.common.probe_names import encode_name, short_name
from vmafcast.models.predictor.basis import QualityBasis
from vmafcast.models.predictor.calibration import StageCalibration
from vmafcast.models.predictor.inputs import FORMER_PARTS, InputLayout
from vmafcast.models.predictor.kinds import PLACES, ResidualKinds
from vmafcast.models.sidecar import FileName, GateFacts, Sha256

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCHEMA_VERSION: Final = 1


class _Stated(Document):
    encoder: str
    preset: str
    quality: int
    undivided: bool = False


class StatedEncode(_Stated):
    """One encode of the probe, see :class:`vmafcast.media.probe_encode.ProbeEncode`."""

    scored_from: int = 0

    @property
    def name(self) -> str:
        """Its name in the input's columns."""
        return encode_name(self, self.scored_from)


class StatedShort(_Stated):
    """One that is cut short, see :class:`vmafcast.media.probe_encode.ShortProbeEncode`."""

    first: int
    scaled_by: int | None = None

    @property
    def name(self) -> str:
        """Its name in the input's columns."""
        return short_name(self, self.first, self.scaled_by)


class StatedKinds(Document):
    """The covariances by kinds of predicted curves, see :class:`vmafcast.models.predictor.kinds.ResidualKinds`."""

    mean: tuple[float, ...]
    axes: tuple[tuple[float, ...], ...]
    centres: Annotated[tuple[tuple[float, ...], ...], Field(min_length=1)]
    covariances: tuple[tuple[tuple[float, ...], ...], ...]

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if any(len(axis) != len(self.mean) for axis in self.axes) or len(self.mean) != 2 * PLACES:
            raise ValueError(f"the mean and the axes of the kinds must have {2 * PLACES} values")
        if any(len(centre) != len(self.axes) for centre in self.centres) or len(self.centres) != len(self.covariances):
            raise ValueError("every kind needs a coordinate on each axis, and a covariance")
        return self

    def kinds(self) -> ResidualKinds:
        """Return them as arrays."""
        count = len(self.axes)
        return ResidualKinds(
            np.array(self.mean), np.array(self.axes).reshape(count, -1),
            np.array(self.centres).reshape(-1, count), np.array(self.covariances),
        )  # fmt: skip


class VariantUncertainty(Document):
    """How sure the predictor is, with or without the probe.

    Attributes
    ----------
    covariance
        Of what was missed of held-out source groups: rows and columns are the spline coefficients of the logit of VMAF,
        then those of the logarithm of bits per pixel.
    kinds
        The same by kinds of predicted curves, which is what counts; None of predictors from before there were such.
    calibrations
        After no, one and two measured encodes.
    """

    covariance: tuple[tuple[float, ...], ...]
    kinds: StatedKinds | None = None
    calibrations: Annotated[tuple[StageCalibration, ...], Field(min_length=1)]

    def matrices(self) -> list[NDArray[np.float64]]:
        """Return all covariances as arrays."""
        by_kind = () if self.kinds is None else self.kinds.covariances
        return [np.array(self.covariance), *(np.array(each) for each in by_kind)]

    def matrix(self, curves: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the covariance for predicted ``curves`` [2, PLACES], as :func:`looked_at` has them."""
        return np.array(self.covariance) if self.kinds is None else self.kinds.kinds().of(curves)


class StageFigures(Document):
    """How well held-out source groups were predicted at one stage.

    Attributes
    ----------
    probed
        Whether with the probe.
    measured
        After how many measured encodes; those themselves are not counted.
    points
        How many encodes were predicted, and how many of them have a VMAF from 60 to 98.
    mae
        Mean absolute error in VMAF over the latter.
    bitrate_error
        Median relative error of the bitrate over the latter.
    vmaf_coverage, bitrate_coverage
        The share of the latter that the 90 % intervals hold.
    """

    probed: bool
    measured: int
    points: tuple[int, int]
    mae: float | None
    bitrate_error: float | None
    vmaf_coverage: float | None
    bitrate_coverage: float | None


class PredictorTraining(Document):
    """What a predictor was trained from.

    Attributes
    ----------
    dataset, corpus_sha256
        The corpora, in words, and one digest over their files.
    rows
        How many encodes.
    sources, source_groups
        How many there are.
    source_group_names
        Which: nobody can judge the predictor by material that it was shown.
    held_out
        Its figures on source groups that it had not seen.
    """

    dataset: str
    corpus_sha256: Sha256
    rows: int
    sources: int
    source_groups: int
    source_group_names: tuple[str, ...]
    held_out: tuple[StageFigures, ...]


class PredictorSidecar(Document):
    """All that is needed to serve one encode predictor and to audit it.

    Attributes
    ----------
    id
        ``predictor_<encoder>``.
    onnx, sha256, opset, input_names, output_names
        The model file beside the sidecar, its hash, and the contract of the graph.
    feature_order
        The columns of the input, in order.
    feature_min, feature_max
        The range of each column but the last three over the training sources.
    encoder
        Of which encodes are predicted.
    presets, preset_places
        The presets that were learnt, fastest first, and their places on the encoder's scale; others are served as
        mixtures of, or as, the nearest.
    quality_breaks
        The places on the quality scale at which curves are fixed; beyond them they go on straight.
    complexity_columns
        How many of the first columns describe the source's pictures.
    complexity_revision, probe_revision, sample_runs, sample_length, probe
        How the columns were measured: with other settings they mean something else.
    shorts
        The probe's encodes that are cut short; none before there were such.
    beside_probe
        Which features of the source's pictures are looked at, and have to be measured, where there is a probe; None
        for all.
    uncertainty
        Without the probe, and with it.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    id: Annotated[str, Field(pattern=r"^predictor_[A-Za-z0-9_.+-]+$")]
    kind: Literal["predictor"] = "predictor"
    onnx: FileName
    sha256: Sha256
    opset: int
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    feature_order: tuple[str, ...]
    feature_min: tuple[float, ...]
    feature_max: tuple[float, ...]
    encoder: str
    presets: Annotated[tuple[str, ...], Field(min_length=1)]
    preset_places: tuple[float, ...]
    quality_breaks: tuple[float, ...]
    complexity_columns: int
    complexity_revision: int
    probe_revision: int
    sample_runs: int
    sample_length: int
    probe: Annotated[tuple[StatedEncode, ...], Field(min_length=1)]
    shorts: tuple[StatedShort, ...] = ()
    beside_probe: tuple[str, ...] | None = None
    teacher: str
    output_range: tuple[float, float]
    uncertainty: tuple[VariantUncertainty, VariantUncertainty]
    training: PredictorTraining
    gate: GateFacts | None
    smoke: bool
    licence: str
    notes: str

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.feature_order != self.layout.columns:
            raise ValueError("feature_order must be complexity, geometry, the probe's columns and the request")
        if len(self.presets) != len(self.preset_places):
            raise ValueError("every preset needs its place")
        known = len(self.feature_order) - 3
        if len(self.feature_min) != known or len(self.feature_max) != known:
            raise ValueError(f"feature_min and feature_max must have {known} values, one for each measured column")
        size = 2 * self.basis.size
        if any(matrix.shape != (size, size) for each in self.uncertainty for matrix in each.matrices()):
            raise ValueError(f"the covariances must be {size} by {size}")
        return self

    @cached_property
    def layout(self) -> InputLayout:
        """The input's columns."""
        complexity, probe = self.feature_order[: self.complexity_columns], tuple(each.name for each in self.probe)
        former = InputLayout(complexity, probe, FORMER_PARTS)
        shorts = tuple(each.name for each in self.shorts)
        now = InputLayout(complexity, probe, shorts=shorts, beside=self.beside_probe)
        return former if former.columns == self.feature_order else now

    @cached_property
    def basis(self) -> QualityBasis:
        """The quality axis."""
        return QualityBasis(self.quality_breaks)
