"""Intervals about held-out predictions, nested by source group: none was calibrated on the group it is tested on.

For each source group, thresholds (and the floor of the spreads) come from the scores of the other groups alone. What is
not nested: the networks. A row's prediction is by networks that never saw its group, but the networks whose residuals
on other groups calibrate its interval have learnt from it. Leaving out two groups at a time would be needed for that,
and K (K - 1) / 2 networks for each seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import NormalDist
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from vmafcast.common.errors import RequestError
from vmafcast.evaluation.conformal import TEACHER_RANGE, Calibration, Rule, Score, score_scale
from vmafcast.evaluation.conformal_ranks import GroupScores
from vmafcast.evaluation.conformal_scores import DEFAULT_SHARE, ClipRows, HeldOut, Units

if TYPE_CHECKING:
    from numpy.typing import NDArray

Method = Literal["gaussian", "normalised", "shaped", "conformal", "conformal-pooled", "stored"]

NESTED: Final[tuple[Method, ...]] = ("gaussian", "normalised", "shaped", "conformal", "conformal-pooled")
"""``gaussian``
    Prediction plus and minus z times the members' spread, as ensembles are often read; calibrated on nothing.
``normalised``
    The rule on residuals divided by the spread, each encoder by itself.
``shaped``
    The rule on residuals divided by the shape of VMAF's errors and the root of the spread, each encoder by itself.
``conformal``
    The rule on plain residuals, each encoder by itself. This is what an ensemble's manifest carries.
``conformal-pooled``
    The same on all encoders together: what an encoder gets that was not calibrated.

``stored`` is a calibration that is given, tested on a table of other material; it is not nested."""


@dataclass(frozen=True, eq=False)
class Tested:
    """What a rule's intervals did on C units (frames, or clips) and the R rows they are about.

    Attributes
    ----------
    rule, method, level
        Which intervals.
    groups, encoders
        str [C].
    covered
        bool [C]: whether the interval holds the measured value; of ``most-frames``, those of the share of the clip's
        frames or more.
    widths, width_units
        float64 [R], infinite where unbounded: of each frame or clip; and int [R]: the unit that it belongs to.
    """

    rule: Rule
    method: Method
    level: Fraction
    groups: NDArray[np.str_]
    encoders: NDArray[np.str_]
    covered: NDArray[np.bool_]
    widths: NDArray[np.float64]
    width_units: NDArray[np.intp]


def available_methods(held_out: HeldOut) -> tuple[Method, ...]:
    """Return the nested methods that there are: a single member has no spread."""
    if held_out.members.shape[1] > 1:
        return NESTED
    return tuple(method for method in NESTED if method not in {"gaussian", "normalised"})


def evaluate_intervals(
    held_out: HeldOut,
    rule: Rule,
    levels: Sequence[Fraction],
    *,
    share: Fraction = DEFAULT_SHARE,
    stored: Calibration | None = None,
) -> Iterator[Tested]:
    """Yield what the intervals of each method at each level did, method by method.

    Parameters
    ----------
    held_out
        Predictions of networks that never saw the row's source group.
    rule
        What the intervals are about.
    levels
        In (0, 1).
    share
        Of the rule ``most-frames``.
    stored
        A calibration by the same rule to test as it is, in place of the nested ones; its own share counts then.
    """
    units = held_out.clip_means() if rule == "hcp-clip" else held_out.frames()
    clips = held_out.clip_rows() if rule == "most-frames" else None
    if stored is not None and stored.share is not None:
        share = stored.share
    methods: tuple[Method, ...] = available_methods(held_out) if stored is None else ("stored",)
    for method in methods:
        nested = _Nested(units, clips, share)
        halves = nested.halves(method, levels) if stored is None else _stored(units, stored, levels)
        for level in levels:
            yield _tested(rule, method, level, units, clips, share, halves[level])


def _tested(
    rule: Rule,
    method: Method,
    level: Fraction,
    units: Units,
    clips: ClipRows | None,
    share: Fraction,
    half: NDArray[np.float64],
) -> Tested:
    inside = units.residuals <= half
    low, high = TEACHER_RANGE
    bounded = np.isfinite(half)
    reach = np.where(bounded, half, 0.0)
    widths = np.clip(units.mean + reach, low, high) - np.clip(units.mean - reach, low, high)
    widths = np.where(bounded, widths, np.inf)
    if clips is None:
        own = np.arange(len(half))
        return Tested(rule, method, level, units.groups, units.encoders, inside, widths, own)
    held = np.bincount(clips.of_row[inside], minlength=len(clips.sizes))
    covered = held * share.denominator >= share.numerator * clips.sizes
    first = clips.first
    return Tested(rule, method, level, units.groups[first], units.encoders[first], covered, widths, clips.of_row)


class _Nested:
    """Half-widths of units, each from the other source groups alone."""

    def __init__(self, units: Units, clips: ClipRows | None, share: Fraction) -> None:
        self._units, self._clips, self._share = units, clips, share
        self._names, self._codes = np.unique(units.groups, return_inverse=True)

    def halves(self, method: Method, levels: Sequence[Fraction]) -> Mapping[Fraction, NDArray[np.float64]]:
        """Return float64 [N] for each level; infinite where unbounded."""
        spread = self._units.spread
        if method == "gaussian":
            assert spread is not None
            return {level: NormalDist().inv_cdf(float(1 + level) / 2) * spread for level in levels}
        found = {level: np.full(len(self._codes), np.inf) for level in levels}
        encoders = self._units.encoders if method != "conformal-pooled" else np.full(len(self._codes), "")
        score: Score = method if method in ("normalised", "shaped") else "absolute"
        floors = self._floors() if spread is not None and score != "absolute" else None
        for encoder in np.unique(encoders).tolist():
            cell = np.flatnonzero(encoders == encoder)
            mean, own_spread = self._units.mean[cell], None if spread is None else spread[cell]
            fixed = score_scale(score, mean, None, None)
            once = None if floors is not None else self._scores(cell, fixed)
            for group in np.unique(self._codes[cell]).tolist():
                own = cell[self._codes[cell] == group]
                scale = fixed if floors is None else score_scale(score, mean, own_spread, floors[group])
                scores = self._scores(cell, scale) if once is None else once
                others = scores.without(scores.names.index(group))
                for level in levels:
                    threshold = others.threshold(level) if others.groups else None
                    if threshold is not None:
                        found[level][own] = threshold * scale[np.searchsorted(cell, own)]
        return found

    def _scores(self, cell: NDArray[np.intp], scale: NDArray[np.float64]) -> _NamedScores:
        """Return the scores of the rows ``cell``, or of their clips, by the codes of their groups."""
        scores, codes = self._units.residuals[cell] / scale, self._codes[cell]
        if self._clips is not None:
            clips = self._clips.take(cell)
            scores, codes = clips.ranked(scores, self._share), codes[clips.first]
        return _NamedScores(GroupScores.of(scores, codes), tuple(np.unique(codes).tolist()))

    def _floors(self) -> list[float]:
        """Return the floor of the spreads for each group, from the spreads of the others."""
        assert self._units.spread is not None
        spreads = GroupScores.of(self._units.spread, self._codes)
        return [_half_median(spreads.without(group)) for group in range(spreads.groups)]


@dataclass(frozen=True, slots=True)
class _NamedScores:
    scores: GroupScores
    names: tuple[int, ...]

    def without(self, place: int) -> GroupScores:
        return self.scores.without(place)


def _half_median(spreads: GroupScores) -> float:
    """Return what ``spread_floor`` does, and the least number above 0 where members never differ."""
    median = spreads.threshold(Fraction(spreads.groups, 2 * (spreads.groups + 1))) if spreads.groups else None
    return (median or 0.0) / 2 or float(np.finfo(np.float64).tiny)


def _stored(
    units: Units, calibration: Calibration, levels: Sequence[Fraction]
) -> Mapping[Fraction, NDArray[np.float64]]:
    found = {}
    if calibration.floor is not None and units.spread is None:
        raise RequestError("the calibration is by the spread of the members, and a single member has none")
    scale = score_scale(calibration.score, units.mean, units.spread, calibration.floor)
    for level in levels:
        half = np.full(len(units.mean), np.inf)
        for encoder in np.unique(units.encoders).tolist():
            threshold = calibration.cell(encoder).threshold(level)
            if threshold is not None:
                own = units.encoders == encoder
                half[own] = threshold * scale[own]
        found[level] = half
    return found
