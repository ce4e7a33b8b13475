"""How much to aim above a target, so that few sources miss it: conformal risk control over source groups.

A. N. Angelopoulos, S. Bates, A. Fisch, L. Lei and T. Schuster, *Conformal risk control*, 2022: for losses L_k(lambda)
of K exchangeable groups, at most B and not increasing in lambda, the least lambda with ::

    (K R(lambda) + B) / (K + 1) <= alpha,    R(lambda) = sum_k L_k(lambda) / K

has an expected loss of at most alpha on a new group. Here lambda is the safety offset, L_k the share of group k's
choices that miss the target, and B = 1. A loss that increases somewhere (predictions are not exact, and measured curves
are not always monotone) is replaced by the least one above it that does not, ``sup over lambda' >= lambda`` of L_k, as
the paper has it. Sums are exact, since they are compared with a bound.
"""

from __future__ import annotations

import math
import operator
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Final

import numpy as np
from pydantic import Field

from vmafcast.common.documents import Document
from vmafcast.common.errors import DataError, RequestError
from vmafcast.evaluation.conformal import Level
from vmafcast.evaluation.conformal_ranks import exact_level

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

OFFSETS: Final = tuple(step / 20 for step in range(-200, 801))
"""The offsets that are tried, from -10 to 40 VMAF in steps of 0.05: a predictor may be pessimistic, too."""

_Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, eq=False)
class HeldOutCurve:
    """What was predicted and measured of one source at Q quality values, by a model that never saw its source group.

    Attributes
    ----------
    group
        The source group.
    predicted, measured
        float64 [Q], in VMAF, from the cheapest encode to the dearest.
    scale
        float64 [Q], above 0: the unit of the offset at each value, such as the standard deviation of the prediction;
        None for 1 VMAF throughout.

    Raises
    ------
    DataError
        The columns do not fit, or a number is not finite, or a scale not above 0.
    """

    group: str
    predicted: NDArray[np.float64]
    measured: NDArray[np.float64]
    scale: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        """Take the columns over as arrays and refuse those that no choice can be made on."""
        for name in ("predicted", "measured", "scale"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, np.asarray(value, dtype=np.float64))
        scale = np.ones_like(self.predicted) if self.scale is None else self.scale
        columns = (self.predicted, self.measured, scale)
        if self.predicted.ndim != 1 or not self.predicted.size or any(c.shape != self.predicted.shape for c in columns):
            raise DataError(f"a curve of {self.group}: predicted, measured and scale are not columns of one length")
        if not all(np.isfinite(column).all() for column in columns) or (scale <= 0).any():
            raise DataError(f"a curve of {self.group}: a value is not finite, or a scale is not above 0")

    def outcomes(self, target: float, offsets: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return bool [J] twice: at each offset, whether the choice misses, and whether there is none.

        The choice is the cheapest value with ``predicted >= target + offset * scale``. Where there is none, nothing is
        promised, so nothing is missed.
        """
        scale = np.ones_like(self.predicted) if self.scale is None else self.scale
        reaches = self.predicted >= target + offsets[:, None] * scale
        chosen = np.asarray(reaches.argmax(axis=1), dtype=np.intp)
        declined = np.asarray(~reaches.any(axis=1))
        return np.asarray((self.measured[chosen] < target) & ~declined), declined


class SafetyOffset(Document):
    """How far above the target to aim.

    Attributes
    ----------
    offset
        In VMAF (or in the curves' scale); None where the confidence cannot be had: the groups are too few, or no
        offset that was tried is enough.
    confidence
        One minus alpha: the expected share of sources that meet the target when it is promised to them.
    targets
        What was aimed at, in VMAF.
    groups, curves
        K, and how many curves they have.
    missed, bound
        At this offset: the share of choices that missed, each group counting as one; and (K missed + 1) / (K + 1) of
        the loss made monotone, which is at most alpha. None without an offset.
    declined
        The share of choices for which nothing is predicted to reach the target with this offset, so that none is
        made; they are not counted as missed.
    """

    offset: float | None
    confidence: Level
    targets: tuple[float, ...]
    groups: Annotated[int, Field(ge=1)]
    curves: Annotated[int, Field(ge=1)]
    missed: _Share | None
    bound: _Share | None
    declined: _Share | None


def safety_offset(
    curves: Sequence[HeldOutCurve],
    targets: Sequence[float] | float,
    confidence: Fraction | str | float,
    offsets: ArrayLike = OFFSETS,
) -> SafetyOffset:
    """Return the least offset at which the share of sources missing the target is controlled at 1 - confidence.

    The guarantee is on the average: of the choices made on a new source group (one drawn as these were), the expected
    share that misses is at most 1 - confidence.

    Parameters
    ----------
    curves
        Held-out curves; those of one source group count as one together.
    targets
        In VMAF; several are averaged over within each group.
    confidence
        In (0, 1).
    offsets
        What to choose from, ascending.

    Raises
    ------
    RequestError
        The confidence is none, or there is no curve, target or offset, or offsets do not ascend.
    """
    alpha = 1 - exact_level(confidence)
    aims = (float(targets),) if isinstance(targets, int | float) else tuple(float(target) for target in targets)
    tried = np.asarray(offsets, dtype=np.float64)
    if not curves or not aims or not tried.size:
        raise RequestError("risk control takes one curve, one target and one offset or more")
    if not np.isfinite(aims).all() or not np.isfinite(tried).all() or (np.diff(tried) <= 0).any():
        raise RequestError("targets and offsets are finite numbers, and offsets ascend")
    missed, declined, sizes = _by_group(curves, aims, tried)
    groups = len(sizes)
    place = _least(missed, sizes, alpha)
    figures = None
    if place is not None:
        worst = missed[:, place:].max(axis=1)
        figures = (_mean(missed[:, place], sizes), (_mean(worst, sizes) * groups + 1) / (groups + 1))
    return SafetyOffset(
        offset=None if place is None else float(tried[place]),
        confidence=1 - alpha,
        targets=aims,
        groups=groups,
        curves=len(curves),
        missed=None if figures is None else float(figures[0]),
        bound=None if figures is None else float(figures[1]),
        declined=None if place is None else float(_mean(declined[:, place], sizes)),
    )


def _by_group(
    curves: Sequence[HeldOutCurve], targets: tuple[float, ...], offsets: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[int]]:
    """Return int [K, J] twice, how many choices missed and were declined, and of how many in each group."""
    names = sorted({curve.group for curve in curves})
    numbers = {name: number for number, name in enumerate(names)}
    missed = np.zeros((len(names), offsets.size), dtype=np.int64)
    declined = np.zeros_like(missed)
    sizes = [0] * len(names)
    for curve in curves:
        number = numbers[curve.group]
        for target in targets:
            misses, declines = curve.outcomes(target, offsets)
            missed[number] += misses
            declined[number] += declines
            sizes[number] += 1
    return missed, declined, sizes


def _least(missed: NDArray[np.int64], sizes: Sequence[int], alpha: Fraction) -> int | None:
    """Return the place of the least offset whose bound is at most ``alpha``."""
    monotone = np.maximum.accumulate(missed[:, ::-1], axis=1)[:, ::-1]
    common = math.lcm(*sizes)
    weights = [common // size for size in sizes]
    budget = (alpha * (len(sizes) + 1) - 1) * common  # K R + 1 <= alpha (K + 1), in units of 1 / common

    def within(place: int) -> int:
        return int(sum(map(operator.mul, monotone[:, place].tolist(), weights)) <= budget)

    place = bisect_left(range(monotone.shape[1]), 1, key=within)  # once within, always within: losses only fall
    return place if place < monotone.shape[1] else None


def _mean(counts: NDArray[np.int64], sizes: Sequence[int]) -> Fraction:
    shares = (Fraction(count, size) for count, size in zip(counts.tolist(), sizes, strict=True))
    return sum(shares, Fraction(0)) / len(sizes)
