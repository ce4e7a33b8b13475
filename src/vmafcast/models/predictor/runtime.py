"""Serving a predictor: curves with intervals from what was measured of a source, moved by encodes that were made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vmafcast.common.errors import DataError, IntegrityError, RequestError
from vmafcast.common.files import sha256_bytes
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.models.predictor.calibration import DEFAULT_LEVEL, LEVELS
from vmafcast.models.predictor.inputs import geometry, probe_values
from vmafcast.models.predictor.kinds import looked_at
from vmafcast.models.predictor.posterior import Measured, update
from vmafcast.models.predictor.scale import bits_per_pixel, from_logit, to_logit
from vmafcast.models.runtime import open_session

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from fractions import Fraction

    import onnxruntime
    from numpy.typing import NDArray

    from vmafcast.models.predictor.posterior import Curve
    from vmafcast.models.predictor.sidecar import PredictorSidecar

_ROUNDING = 1e-6


@dataclass(frozen=True, eq=False)
class SourceFacts:
    """What is known of a source before it is encoded.

    Attributes
    ----------
    width, height, fps, frames
        Its geometry, in pixels, frames per second and frames.
    complexity
        Features by name, on the scales that models see (see :meth:`vmafcast.media.complexity.Complexity.scaled`).
    probe
        By the name of the probe's encode, what was found of it:
        :data:`~vmafcast.models.predictor.inputs.PROBE_FOUND`; None where there was no probe.
    """

    width: int
    height: int
    fps: float
    frames: int
    complexity: Mapping[str, float]
    probe: Mapping[str, Mapping[str, float | None]] | None = None


@dataclass(frozen=True, slots=True)
class MeasuredEncode:
    """An encode of the source that was made: its quality value, pooled VMAF and bitrate in 1000 bits per second."""

    quality: int
    vmaf: float
    kbps: float


@dataclass(frozen=True, slots=True)
class ForecastPoint:
    """What is predicted of one encode.

    Attributes
    ----------
    quality
        The encoder's own value.
    vmaf, vmaf_low, vmaf_high
        The pooled mean, and the ends of its interval; None where too few source groups allow none.
    kbps, kbps_low, kbps_high
        The bitrate in 1000 bits per second, likewise.
    measured
        Whether this encode was among those that were made.
    outside_training
        Whether no encode as good, or as bad, was learnt from: the curve is drawn on straight there, and the interval
        promises nothing.
    """

    quality: int
    vmaf: float
    vmaf_low: float | None
    vmaf_high: float | None
    kbps: float
    kbps_low: float | None
    kbps_high: float | None
    measured: bool
    outside_training: bool


@dataclass(frozen=True, eq=False)
class Forecast:
    """A predicted curve.

    Attributes
    ----------
    model, encoder, preset, teacher
        Which predictor, of which encodes, of whose scores.
    probed
        Whether a probe was used.
    level
        Of the intervals.
    groups
        How many source groups the intervals rest on.
    points
        In the order of the qualities that were asked for.
    warnings
        What the reader should know.
    """

    model: str
    encoder: str
    preset: str
    teacher: str
    probed: bool
    level: Fraction
    groups: int
    points: tuple[ForecastPoint, ...]
    warnings: tuple[str, ...]


class PredictorModel:
    """An encode predictor that is ready to predict.

    Parameters
    ----------
    onnx
        The bytes of the model file.
    sidecar
        What it is.

    Raises
    ------
    IntegrityError
        The bytes are not those that the sidecar was written for.
    DataError
        They cannot be run, or are not what the sidecar says.
    """

    def __init__(self, onnx: bytes, sidecar: PredictorSidecar) -> None:
        if (found := sha256_bytes(onnx)) != sidecar.sha256:
            raise IntegrityError(
                f"the model of {sidecar.id} has the SHA-256 {found}, and its sidecar was written for {sidecar.sha256}; "
                "restore the file from the registry, or train again"
            )
        self.sidecar = sidecar
        self._session: onnxruntime.InferenceSession = open_session(onnx, sidecar.onnx)
        names = (
            tuple(each.name for each in self._session.get_inputs()),
            tuple(each.name for each in self._session.get_outputs()),
        )
        if names != (sidecar.input_names, sidecar.output_names):
            raise DataError(
                f"{sidecar.onnx} has the inputs {names[0]} and outputs {names[1]}, not those of its sidecar"
            )

    def forecast(
        self,
        source: SourceFacts,
        preset: str | None = None,
        qualities: Sequence[int] = (),
        *,
        measured: Sequence[MeasuredEncode] = (),
        level: Fraction = DEFAULT_LEVEL,
    ) -> Forecast:
        """Predict the encodes of ``source``.

        Parameters
        ----------
        preset
            The encoder's own; its default when None.
        qualities
            Which values; all that lie within what was learnt when empty.
        measured
            Encodes of the source at this preset that were made: they move the whole curve.
        level
            Of the intervals, one of :data:`~vmafcast.models.predictor.calibration.LEVELS`.

        Raises
        ------
        RequestError
            A preset or quality that the encoder does not have, or a level that is not remembered.
        DataError
            A feature is missing or not finite.
        """
        side = self.sidecar
        encoder = get_encoder(side.encoder)
        chosen = preset or encoder.default_preset
        encoder.check_preset(chosen)
        if level not in LEVELS:
            raise RequestError(f"intervals are had at the levels {', '.join(map(str, LEVELS))}, not at {level}")
        scale = list(encoder.quality.from_worst_to_best())
        places = np.array([encoder.quality_norm(quality) for quality in scale])
        for quality in (*qualities, *(encode.quality for encode in measured)):
            encoder.check_quality(quality)
        row = self._row(source, encoder.preset_norm(chosen))
        curve, groups, factors = self._curve(row, places, source, measured, level)
        wanted = tuple(qualities) or tuple(
            quality for quality, place in zip(scale, places, strict=True) if self._learnt(place)
        )
        made = {encode.quality for encode in measured}
        bits = source.width * source.height * source.fps / 1000.0
        points = [
            self._point(quality, scale.index(quality), curve, factors, bits, places, measured=quality in made)
            for quality in wanted
        ]
        return Forecast(
            model=side.id, encoder=side.encoder, preset=chosen, teacher=side.teacher, probed=source.probe is not None,
            level=level, groups=groups, points=tuple(points), warnings=tuple(self._warnings(row, chosen, points)),
        )  # fmt: skip

    def _row(self, source: SourceFacts, preset: float) -> NDArray[np.float64]:
        """Return the input row; the place of the quality is left at 0."""
        layout = self.sidecar.layout
        probed = source.probe is not None
        looked_at = layout.beside_probe if probed else np.ones(len(layout.plain), dtype=np.bool_)
        named = zip(layout.complexity, looked_at, strict=False)
        missing = [name for name, needed in named if needed and name not in source.complexity]
        if missing:
            raise DataError(f"{self.sidecar.id} needs {', '.join(missing)} of the source; measure it again")
        columns = [
            np.array([source.complexity.get(name, 0.0) for name in layout.complexity], dtype=np.float64),
            geometry(source.width, source.height, source.fps, source.frames),
            np.zeros(len(layout.probe_columns)) if source.probe is None else probe_values(layout, source.probe),
            np.array([float(probed), preset, 0.0]),
        ]
        row = np.concatenate(columns)
        if not np.isfinite(row).all():
            name = layout.columns[int(np.flatnonzero(~np.isfinite(row))[0])]
            raise DataError(f"{name} of the source is not a finite number")
        return row

    def _curve(
        self,
        row: NDArray[np.float64],
        places: NDArray[np.float64],
        source: SourceFacts,
        measured: Sequence[MeasuredEncode],
        level: Fraction,
    ) -> tuple[Curve, int, tuple[float, float]]:
        side = self.sidecar
        rows = np.tile(row, (len(places), 1))
        rows[:, -1] = places
        vmaf, log_kbps = self._session.run(list(side.output_names), {side.input_names[0]: rows.astype(np.float32)})
        log_size = float(np.log(source.width * source.height * source.fps / 1000.0))
        values = np.stack([to_logit(vmaf, *side.output_range), log_kbps.astype(np.float64) - log_size])
        encoder = get_encoder(side.encoder)
        known = [
            Measured(
                encoder.quality_norm(encode.quality),
                float(to_logit(encode.vmaf, *side.output_range)),
                float(np.log(bits_per_pixel(encode.kbps, source.width * source.height, source.fps))),
            )
            for encode in measured
        ]
        variant = side.uncertainty[int(source.probe is not None)]
        looks = np.stack([np.interp(looked_at(side.basis), places, curve) for curve in values])
        curve = update(values, places, side.basis, variant.matrix(looks), known)
        calibration = variant.calibrations[min(len(known), len(variant.calibrations) - 1)]
        at = LEVELS.index(level)
        return curve, calibration.groups, (calibration.factors("vmaf")[at], calibration.factors("bits")[at])

    def _point(
        self,
        quality: int,
        at: int,
        curve: Curve,
        factors: tuple[float, float],
        bits: float,
        places: NDArray[np.float64],
        *,
        measured: bool,
    ) -> ForecastPoint:
        logit, log_bits = (float(value) for value in curve.values[:, at])
        reach = [factor * float(spread) for factor, spread in zip(factors, curve.deviation[:, at], strict=True)]
        bounded = [bool(np.isfinite(each)) for each in reach]
        low, high = self.sidecar.output_range
        return ForecastPoint(
            quality=quality,
            vmaf=float(from_logit(logit, low, high)),
            vmaf_low=float(from_logit(logit - reach[0], low, high)) if bounded[0] else None,
            vmaf_high=float(from_logit(logit + reach[0], low, high)) if bounded[0] else None,
            kbps=float(np.exp(log_bits) * bits),
            kbps_low=float(np.exp(log_bits - reach[1]) * bits) if bounded[1] else None,
            kbps_high=float(np.exp(log_bits + reach[1]) * bits) if bounded[1] else None,
            measured=measured,
            outside_training=not self._learnt(float(places[at])),
        )

    def _learnt(self, place: float) -> bool:
        basis = self.sidecar.basis
        return bool(basis.low - _ROUNDING <= place <= basis.high + _ROUNDING)

    def _warnings(self, row: NDArray[np.float64], preset: str, points: Sequence[ForecastPoint]) -> list[str]:
        side = self.sidecar
        said = []
        if preset not in side.presets:
            said.append(
                f"{side.id} has learnt from the presets {', '.join(side.presets)}; "
                f"{preset} is predicted as the nearest of them, and the intervals do not hold for it"
            )
        beyond = [str(point.quality) for point in points if point.outside_training]
        if beyond:
            said.append(
                f"no encode at the quality {', '.join(beyond)} was learnt from: the curve goes on straight there"
            )
        low, high = np.array(side.feature_min), np.array(side.feature_max)
        seen = side.layout.probed_columns if row[-3] else np.arange(len(side.layout.plain))
        slack = _ROUNDING * np.maximum(high - low, 1.0)
        wrong = np.zeros(len(low), dtype=np.bool_)
        wrong[seen] = ((row[:-3] < low - slack) | (row[:-3] > high + slack))[seen]
        if wrong.any():
            names = ", ".join(
                f"{side.feature_order[i]} ({row[i]:.4g}, learnt {low[i]:.4g} to {high[i]:.4g})"
                for i in np.flatnonzero(wrong)
            )
            said.append(
                f"the source lies outside of what {side.id} has learnt from, so the intervals may not hold: {names}"
            )
        return said
