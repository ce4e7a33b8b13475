"""From held-out predictions to a calibration: what a unit is, how far it was missed, and whose scores count."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np

from vmafcast.common.errors import DataError, RequestError
from vmafcast.evaluation.conformal import ALL_ENCODERS, Calibration, CellScores, Rule, Score, score_scale
from vmafcast.evaluation.conformal_ranks import GroupScores, exact_level

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

RULES: Final[tuple[Rule, ...]] = ("hcp-frame", "hcp-clip", "most-frames")

DEFAULT_ALPHA: Final = Fraction(1, 10)
DEFAULT_SHARE: Final = Fraction(9, 10)
"""The share of a clip's frames that ``most-frames`` speaks of where none is asked for."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """N frames with what networks predicted of them that never saw their source group.

    Attributes
    ----------
    groups, encoders, clips
        str [N]: the source group, the encoder, and the clip (one encode: a name that no other encode has) of each.
    measured
        float64 [N], finite: the teacher's score.
    members
        float64 [N, M], finite: what each of M members predicted.

    Raises
    ------
    DataError
        There is no row, a column does not fit, a number is not finite, or a clip belongs to two groups or encoders.
    """

    groups: NDArray[np.str_]
    encoders: NDArray[np.str_]
    clips: NDArray[np.str_]
    measured: NDArray[np.float64]
    members: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Take the columns over as arrays and refuse those that cannot be calibrated on."""
        for name in ("groups", "encoders", "clips"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.str_))
        for name in ("measured", "members"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64))
        rows = self.measured.shape
        if len(rows) != 1 or not self.measured.size:
            raise DataError("there is no held-out prediction to calibrate on")
        if self.members.ndim != 2 or self.members.shape[0] != rows[0] or not self.members.shape[1]:
            raise DataError(f"predictions {self.members.shape} are not one column or more of {rows[0]} rows")
        if any(column.shape != rows for column in (self.groups, self.encoders, self.clips)):
            raise DataError("the columns of the held-out predictions differ in length")
        if not (np.isfinite(self.measured).all() and np.isfinite(self.members).all()):
            raise DataError("a measured or predicted VMAF is not a finite number")

    def frames(self) -> Units:
        """Return every frame as a unit."""
        mean, spread = mean_and_spread(self.members)
        return Units(self.groups, self.encoders, self.measured, mean, spread)

    def clip_means(self) -> Units:
        """Return every clip as a unit: the mean over its frames, measured and predicted by each member."""
        clips = self.clip_rows()
        members = np.column_stack([clips.means(member) for member in self.members.T])
        mean, spread = mean_and_spread(members)
        first = clips.first
        return Units(self.groups[first], self.encoders[first], clips.means(self.measured), mean, spread)

    def clip_rows(self) -> ClipRows:
        """Return which rows belong to which clip; DataError where a clip is of two groups or encoders."""
        return ClipRows.of(self.clips, self.groups, self.encoders)


@dataclass(frozen=True, eq=False)
class Units:
    """N frames, or N clips, that were predicted without their source group.

    Attributes
    ----------
    groups, encoders
        str [N].
    measured, mean
        float64 [N]: the teacher's score, and the mean over the members.
    spread
        float64 [N]: how far the members lie apart, see :func:`mean_and_spread`; None of a single member.
    """

    groups: NDArray[np.str_]
    encoders: NDArray[np.str_]
    measured: NDArray[np.float64]
    mean: NDArray[np.float64]
    spread: NDArray[np.float64] | None

    @property
    def residuals(self) -> NDArray[np.float64]:
        """float64 [N]: how far each was missed, in VMAF."""
        return np.abs(self.measured - self.mean)

    def take(self, kept: NDArray[np.bool_] | NDArray[np.intp]) -> Units:
        """Return some of the units."""
        spread = None if self.spread is None else self.spread[kept]
        return Units(self.groups[kept], self.encoders[kept], self.measured[kept], self.mean[kept], spread)


def mean_and_spread(members: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Return the mean over the members and their standard deviation (ddof 1), both [N].

    Parameters
    ----------
    members
        [N, M]: what each of M members predicts of N frames; of a clip, the members' means over its frames.

    Returns
    -------
    tuple
        The spread is None of a single member, which has none: 0 would say that it is sure.
    """
    table = np.asarray(members, dtype=np.float64)
    mean = table.mean(axis=1)
    return mean, (table.std(axis=1, ddof=1) if table.shape[1] > 1 else None)


def spread_floor(units: Units) -> float:
    """Return what a spread counts as at least: half the median spread, in VMAF, each source group counting as one.

    Members that happen to agree must not make an interval vanish. Only predictions go into it, no residual.

    Raises
    ------
    RequestError
        There is a single member, or the members never differ.
    """
    if units.spread is None:
        raise RequestError("a single member has no spread; calibrate plain residuals, or train several seeds")
    floor = _half_median_spread(units)
    if not floor:
        raise RequestError("the members never differ, so their spread says nothing; calibrate plain residuals")
    return floor


def _half_median_spread(units: Units) -> float:
    if units.spread is None:
        return 0.0
    scores = GroupScores.of(units.spread, units.groups)
    # The median of the groups' own masses, without the mass at infinity that a guarantee would add.
    return (scores.threshold(Fraction(scores.groups, 2 * (scores.groups + 1))) or 0.0) / 2


def calibrate(
    held_out: HeldOut,
    rule: Rule,
    score: Score = "absolute",
    *,
    alpha: Fraction | str | float = DEFAULT_ALPHA,
    share: Fraction | str | float = DEFAULT_SHARE,
    floor: float | None = None,
) -> Calibration:
    """Calibrate one rule on held-out predictions, for all encoders together and for each by itself.

    Every encoder is a category of its own (V. Vovk, D. Lindsay, I. Nouretdinov and A. Gammerman, *Mondrian confidence
    machine*, 2003): its guarantee holds for that encoder, and its K counts the source groups that have it.

    Parameters
    ----------
    held_out
        Predictions by networks that never saw the row's source group.
    rule, score
        See ``conformal``.
    alpha
        One minus the level that is used where none is asked for.
    share
        Of the rule ``most-frames``.
    floor
        Of scores that a spread enters, in VMAF; by default :func:`spread_floor` of the units. Where members never
        differ, ``shaped`` does without a spread, since the shape alone says something.

    Raises
    ------
    RequestError
        A level is none, or the scores are to be normalised by a spread that is not there.
    """
    units = held_out.clip_means() if rule == "hcp-clip" else held_out.frames()
    if score == "absolute" or (score == "shaped" and units.spread is None):
        floor = None
    elif floor is None:
        floor = _half_median_spread(units) or None if score == "shaped" else spread_floor(units)
    share = exact_level(share)
    scores = unit_scores(units, score, floor)
    groups, encoders = units.groups, units.encoders
    if rule == "most-frames":
        clips = held_out.clip_rows()
        scores, groups, encoders = clips.ranked(scores, share), groups[clips.first], encoders[clips.first]
    cells = [CellScores.of(ALL_ENCODERS, GroupScores.of(scores, groups))]
    for encoder in np.unique(encoders).tolist():
        own = encoders == encoder
        cells.append(CellScores.of(encoder, GroupScores.of(scores[own], groups[own])))
    return Calibration(
        rule=rule,
        groups=cells[0].groups,
        alpha=exact_level(alpha),
        score=score,
        floor=floor,
        share=share if rule == "most-frames" else None,
        scores=tuple(cells),
    )


def unit_scores(units: Units, score: Score, floor: float | None) -> NDArray[np.float64]:
    """Return float64 [N]: the residuals, each divided by its :func:`~vmafcast.evaluation.conformal.score_scale`."""
    if floor is not None and units.spread is None:
        raise RequestError("a single member has no spread; calibrate plain residuals, or train several seeds")
    return units.residuals / score_scale(score, units.mean, units.spread, floor)


@dataclass(frozen=True, eq=False)
class ClipRows:
    """Which of N rows belong to which of C clips.

    Attributes
    ----------
    of_row
        int [N]: the clip of each row, in [0, C).
    first, sizes
        int [C]: the first row of each clip, and how many it has, one or more.
    """

    of_row: NDArray[np.intp]
    first: NDArray[np.intp]
    sizes: NDArray[np.intp]

    @classmethod
    def of(cls, clips: NDArray[np.str_] | NDArray[np.intp], *facts: NDArray[np.str_]) -> ClipRows:
        """Sort rows into clips by name.

        Raises
        ------
        DataError
            Rows of one clip differ in one of ``facts``.
        """
        _, first, of_row, sizes = np.unique(clips, return_index=True, return_inverse=True, return_counts=True)
        for fact in facts:
            other = fact != fact[first][of_row]
            if other.any():
                raise DataError(
                    f"the clip {clips[other][0]} is of both {fact[first][of_row][other][0]} and {fact[other][0]}; "
                    "one encode has one source group and one encoder"
                )
        return cls(of_row, first, sizes)

    def take(self, rows: NDArray[np.intp]) -> ClipRows:
        """Return the clips of some of the rows."""
        return ClipRows.of(self.of_row[rows])

    def means(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return float64 [C]: the mean of each clip's values."""
        return np.bincount(self.of_row, weights=values) / self.sizes

    def ranked(self, values: NDArray[np.float64], share: Fraction) -> NDArray[np.float64]:
        """Return float64 [C]: the ceil(share n)-th smallest of each clip's n values."""
        order = np.lexsort((values, self.of_row))
        starts = np.cumsum(self.sizes) - self.sizes
        ranks: Sequence[int] = [-(-share.numerator * n // share.denominator) for n in self.sizes.tolist()]
        return np.asarray(values[order][starts + np.asarray(ranks, dtype=np.intp) - 1])
