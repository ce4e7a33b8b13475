"""The trained predictor of one encoder: heads for its presets, with and without a probe, over one quality axis."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from vmafcast.common.errors import DataError
from vmafcast.models.predictor.basis import QualityBasis, breaks_for, rising
from vmafcast.models.predictor.curves import fit_curves
from vmafcast.models.predictor.heads import Head, fit_head
from vmafcast.models.predictor.kernels import Kernels, choose_kernels
from vmafcast.models.predictor.process import SWEEPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from vmafcast.models.predictor.curves import Curves, Points

CURVES: Final = ("vmaf", "bits")
"""What is predicted over the quality axis: the logit of VMAF, and the natural logarithm of bits per pixel."""

MOST_BREAKS: Final = 8
"""Curves are fixed at no more places than this: eight encodes of a source tell no more about its curve."""

FEWEST_SOURCES: Final = 5
"""A preset that fewer sources were encoded with has no head."""


@dataclass(frozen=True, eq=False)
class Sources:
    """What is known of S sources before anything is encoded.

    Attributes
    ----------
    plain
        float64 [S, F]: complexity and geometry, as models see them.
    plain_blocks
        How many of the F columns belong to each block.
    probe, probe_blocks
        float64 [S, G]: what the probe found, and how its columns are divided.
    groups
        str [S]: source groups.
    beside_probe, blocks_beside_probe
        bool [F]: which of the plain columns are looked at where there is a probe, and how those are divided; all when
        None.
    """

    plain: NDArray[np.float64]
    plain_blocks: tuple[int, ...]
    probe: NDArray[np.float64]
    probe_blocks: tuple[int, ...]
    groups: NDArray[np.str_]
    beside_probe: NDArray[np.bool_] | None = None
    blocks_beside_probe: tuple[int, ...] | None = None

    def features(self, *, probed: bool) -> tuple[NDArray[np.float64], tuple[int, ...]]:
        """Return the columns and blocks that one variant looks at."""
        if not probed:
            return self.plain, self.plain_blocks
        if self.beside_probe is None or self.blocks_beside_probe is None:
            return self.everything(), (*self.plain_blocks, *self.probe_blocks)
        looked_at = np.concatenate([self.plain[:, self.beside_probe], self.probe], axis=1)
        return looked_at, (*self.blocks_beside_probe, *self.probe_blocks)

    def everything(self) -> NDArray[np.float64]:
        """Return all columns [S, F + G]."""
        return np.concatenate([self.plain, self.probe], axis=1)


@dataclass(frozen=True, eq=False)
class EncoderCurves:
    """All measured curves of one encoder.

    Attributes
    ----------
    encoder
        The ffmpeg name.
    basis
        Its quality axis.
    presets, places
        The presets with sources enough, fastest first, and their places in [0, 1].
    points, curves
        What was measured at each preset, and the curves through it; sources are numbered as in :class:`Sources`.
    """

    encoder: str
    basis: QualityBasis
    presets: tuple[str, ...]
    places: tuple[float, ...]
    points: tuple[Points, ...]
    curves: tuple[Curves, ...]

    def as_known_to(self, learn: NDArray[np.bool_]) -> EncoderCurves:
        """Return the same, with gaps filled by the average of those sources alone that ``learn`` [S] admits."""
        return replace(self, curves=tuple(fit_curves(points, self.basis, learn) for points in self.points))


@dataclass(frozen=True, eq=False)
class EncodePredictor:
    """A trained predictor.

    Attributes
    ----------
    encoder, basis, presets, places
        As in :class:`EncoderCurves`.
    plain, probed
        A head for each preset: from complexity alone, and with the probe.
    """

    encoder: str
    basis: QualityBasis
    presets: tuple[str, ...]
    places: tuple[float, ...]
    plain: tuple[Head, ...]
    probed: tuple[Head, ...]

    @property
    def kernels(self) -> Kernels:
        """The kernels of its processes, without a probe and with one."""
        return Kernels(self.plain[0].processes[0].shape, self.probed[0].processes[0].shape)

    def coefficients(self, features: NDArray[np.float64], preset: ArrayLike, *, probed: bool) -> NDArray[np.float64]:
        """Return rising coefficients [M, 2, size] for M rows of features at M places of presets.

        Between two presets that were learnt the curves are mixed; beyond them the nearest one's is taken.
        """
        heads = self.probed if probed else self.plain
        mixed = preset_weights(self.places, preset)
        predicted = np.stack([head.predict(features) for head in heads], axis=1)
        return rising(np.einsum("mh,mhcs->mcs", mixed, predicted))


@dataclass(frozen=True, eq=False)
class Residuals:
    """What was missed of the curves of R sources at one preset: coefficients [R, 2, size], measured less predicted."""

    source: NDArray[np.intp]
    coefficients: NDArray[np.float64]


def preset_weights(places: Sequence[float], preset: ArrayLike) -> NDArray[np.float64]:
    """Return how much each of the presets at ``places`` counts for M wanted places [M, presets]; rows sum to one."""
    wanted = np.asarray(preset, dtype=np.float64)
    return np.stack([np.interp(wanted, places, unit) for unit in np.eye(len(places))], axis=1)


def measured_curves(
    encoder: str, points: dict[str, Points], places: dict[str, float], most_breaks: int = MOST_BREAKS
) -> EncoderCurves:
    """Return the curves of an encoder from what was measured at each of its presets.

    Raises
    ------
    DataError
        No preset was measured on :data:`FEWEST_SOURCES` sources.
    """
    enough = [name for name in points if len(np.unique(points[name].source)) >= FEWEST_SOURCES]
    if not enough:
        raise DataError(f"no preset of {encoder} was measured on {FEWEST_SOURCES} sources or more")
    presets = tuple(sorted(enough, key=lambda name: places[name]))
    basis = QualityBasis(breaks_for(np.concatenate([points[name].place for name in presets]), most_breaks))
    return EncoderCurves(
        encoder=encoder, basis=basis, presets=presets, places=tuple(places[name] for name in presets),
        points=tuple(points[name] for name in presets),
        curves=tuple(fit_curves(points[name], basis) for name in presets),
    )  # fmt: skip


def train_predictor(
    measured: EncoderCurves,
    sources: Sources,
    learn: NDArray[np.bool_],
    kernels: Kernels | None = None,
    sweeps: int = SWEEPS,
) -> EncodePredictor:
    """Learn an encoder's curves from the sources that the mask ``learn`` [S] admits.

    Parameters
    ----------
    kernels
        The kernels; chosen by this encoder's curves alone when None.
    sweeps
        How often all choices of a kernel are gone through at most.

    Raises
    ------
    DataError
        A preset has fewer than three such sources.
    """
    chosen = kernels or choose_kernels([measured], sources, learn, sweeps)
    heads: dict[bool, list[Head]] = {False: [], True: []}
    for curves in measured.curves:
        mine = learn[curves.source]
        for probed, found in heads.items():
            features, blocks = sources.features(probed=probed)
            shape = chosen.probed if probed else chosen.plain
            rows = curves.source[mine]
            own = sources.groups[rows]
            found.append(fit_head(features[rows], curves.coefficients[mine], blocks, shape, groups=own))
    return EncodePredictor(
        encoder=measured.encoder, basis=measured.basis, presets=measured.presets, places=measured.places,
        plain=tuple(heads[False]), probed=tuple(heads[True]),
    )  # fmt: skip


def residuals(
    measured: EncoderCurves, sources: Sources, predictor: EncodePredictor, *, probed: bool
) -> list[Residuals]:
    """Return what ``predictor`` misses of every curve, by preset."""
    features, _ = sources.features(probed=probed)
    found = []
    for place, curves in zip(measured.places, measured.curves, strict=True):
        predicted = predictor.coefficients(features[curves.source], np.full(len(curves.source), place), probed=probed)
        found.append(Residuals(curves.source, curves.coefficients - predicted))
    return found
