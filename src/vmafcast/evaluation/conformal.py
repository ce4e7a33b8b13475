"""Prediction intervals that hold for new material: what a calibration remembers, and what it says of a prediction.

The rules, for K source groups of which group k has N_k scores s_ki, at level 1 - alpha:

``hcp-frame``, ``hcp-clip``
    Hierarchical conformal prediction (Y. Lee, R. F. Barber and R. Willett, *Distribution-free inference with
    hierarchical data*, 2023, section 3). The interval holds every value whose score is at most the quantile at
    1 - alpha of ``sum_k sum_i delta(s_ki) / ((K + 1) N_k) + delta(inf) / (K + 1)``. It covers a frame (or the mean of
    a clip) that is drawn from a new source group with a probability of at least 1 - alpha. A group with many clips
    counts as one.
``most-frames``
    One interval for all frames of a clip, which holds for at least the ``share`` of them at once (J. Duchi, S. Gupta,
    K. Jiang and P. Sur, *Predictive inference in multi-environment scenarios*, 2024, split conformal: coverage of a
    share 1 - alpha of a new environment with a probability of 1 - delta). A clip's score is the
    ceil(share n)-th smallest of its n frames' scores; the rule above is then applied to the scores of clips.

What a residual is divided by to be a score, so that the interval is wide where the model is less sure:

``absolute``
    Nothing.
``normalised``
    The spread of the members, of at least a floor.
``shaped``
    ``(p + 10) (110 - p) / 3600`` of the prediction p, times the root of that spread (of a single member, which has
    none, without it). VMAF saturates at both ends, and so do its errors. Nothing of the form is fitted to residuals.

What is taken for granted: source groups are exchangeable, those learnt from and the one that is asked about; and the
scores are those of networks that never saw the group. The scores here come from leave-one-source-out networks, while
what is served has learnt from every group, which is the jackknife's assumption that one more group changes little
(R. F. Barber, E. J. Candès, A. Ramdas and R. J. Tibshirani, *Predictive inference with the jackknife+*, 2021, whose
theorem needs no such assumption, and of which ``conformal_jackknife`` is the hierarchical form).
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Final, Literal

import numpy as np
from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from vmafcast.common.documents import Document
from vmafcast.common.errors import RequestError
from vmafcast.evaluation.conformal_ranks import GroupScores, exact_level, level_text

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Rule = Literal["hcp-frame", "hcp-clip", "most-frames"]
IntervalRule = Literal["hcp-frame", "hcp-clip", "most-frames", "jackknife+-frame", "jackknife+-clip"]
Score = Literal["absolute", "normalised", "shaped"]

ALL_ENCODERS: Final = "all"
"""The cell of an interval that was calibrated on all encoders together."""

TEACHER_RANGE: Final = (0.0, 100.0)
"""VMAF's range: no measured value lies outside of it."""

LEVEL_STEPS: Final = 200
"""A calibration remembers the threshold of every multiple of 1/200; a level between two takes the higher."""

_DIGITS = 6
_SHOULDER = 10.0
"""How far beyond the teacher's range the shape of errors would vanish, in VMAF: a third of its height is left there."""

Level = Annotated[
    Fraction,
    BeforeValidator(exact_level),
    PlainSerializer(level_text, return_type=str),
]
_Size = Annotated[float, Field(ge=0)]


class Interval(Document):
    """A predicted VMAF and where the measured one lies.

    Attributes
    ----------
    mean
        What is predicted, in VMAF.
    lower, upper
        The ends, both included, within the teacher's range. Both are None where the interval is unbounded: the
        groups are too few for the level, and nothing but the teacher's range can be said.
    level
        The probability that was asked for, exact; see :attr:`guarantee`.
    groups
        K, how many source groups it was calibrated on.
    rule, score
        How, see the module; ``score`` says whether its width follows the spread of the members.
    share
        Of the rule ``most-frames``: the share of a clip's frames that it holds for at once; else None.
    cell
        The encoder that it was calibrated on, or ``"all"``.
    outside_training
        Whether the input lies outside what the model has learnt from. Then the guarantee is void.
    """

    mean: float
    lower: float | None
    upper: float | None
    level: Level
    groups: Annotated[int, Field(ge=0)]
    rule: IntervalRule
    score: Score
    share: Level | None = None
    cell: str = ALL_ENCODERS
    outside_training: bool = False

    @model_validator(mode="after")
    def _ends_belong_together(self) -> Interval:
        if (self.lower is None) != (self.upper is None):
            raise ValueError("an interval is bounded at both ends or at none")
        if self.lower is not None and self.upper is not None and self.lower > self.upper:
            raise ValueError(f"the lower end {self.lower} lies above the upper end {self.upper}")
        return self

    @property
    def bounded(self) -> bool:
        """Whether there were groups enough for the level."""
        return self.lower is not None

    @property
    def width(self) -> float | None:
        """How far apart the ends are, in VMAF; None where the interval is unbounded."""
        return None if self.lower is None or self.upper is None else self.upper - self.lower

    @property
    def guarantee(self) -> Fraction | None:
        """The coverage that the rule's theorem promises whatever the data: the level, for jackknife+ 2 level - 1.

        None where nothing is promised: the input lies outside what was learnt from.
        """
        if self.outside_training:
            return None
        return 2 * self.level - 1 if self.rule.startswith("jackknife+") else self.level

    def __contains__(self, measured: float) -> bool:
        """Whether a measured value lies in it; an unbounded interval holds every value."""
        return self.lower is None or self.upper is None or self.lower <= measured <= self.upper


class CellScores(Document):
    """What is remembered of the scores of one cell (an encoder, or all).

    Attributes
    ----------
    cell
        The encoder's name, or ``"all"``.
    groups, units
        How many source groups, and how many frames or clips in them.
    scores
        The thresholds at the levels 1/200, 2/200, ... as far as K groups allow a bounded one; rounded up at the sixth
        decimal, so that rounding never costs coverage.
    largest
        The threshold at the highest level that K groups allow, K / (K + 1): the largest score.
    """

    cell: str
    groups: Annotated[int, Field(ge=1)]
    units: Annotated[int, Field(ge=1)]
    scores: tuple[_Size, ...]
    largest: _Size

    @classmethod
    def of(cls, cell: str, scores: GroupScores) -> CellScores:
        """Remember ``scores``, of which there is one or more."""
        found = (scores.threshold(Fraction(step, LEVEL_STEPS)) for step in range(1, LEVEL_STEPS))
        kept = tuple(_round_up(threshold) for threshold in found if threshold is not None)
        return cls(
            cell=cell,
            groups=scores.groups,
            units=len(scores.values),
            scores=kept,
            largest=_round_up(float(scores.values[-1])),
        )

    def threshold(self, level: Fraction) -> float | None:
        """Return the score that a new unit stays at or below with the probability ``level``; None for unbounded."""
        if level * (self.groups + 1) > self.groups:
            return None
        place = math.ceil(level * LEVEL_STEPS) - 1
        return self.scores[place] if place < len(self.scores) else self.largest


class Calibration(Document):
    """The held-out scores of a model by one rule: what it takes to put an interval about its predictions.

    Attributes
    ----------
    rule, unit
        How (see the module), and what counts as one: the source group.
    groups
        K, over all encoders.
    alpha
        One minus the level that is used where none is asked for, as an exact text.
    score, floor
        What residuals are divided by, and what a spread counts as at least, in VMAF; None where no spread enters.
    share
        Of the rule ``most-frames``; else None.
    scores
        By cell: all encoders together, then each encoder.
    """

    schema_version: Literal[1] = 1
    rule: Rule
    unit: Literal["source_group"] = "source_group"
    groups: Annotated[int, Field(ge=1)]
    alpha: Level
    score: Score
    floor: Annotated[float, Field(gt=0)] | None = None
    share: Level | None = None
    scores: tuple[CellScores, ...]

    @model_validator(mode="after")
    def _parts_fit(self) -> Calibration:
        if (
            (self.floor is None)
            if self.score == "normalised"
            else (self.floor is not None and self.score == "absolute")
        ):
            raise ValueError("a floor belongs to scores that a spread enters, and to no others")
        if (self.rule == "most-frames") != (self.share is not None):
            raise ValueError("a share belongs to the rule most-frames, and to no other")
        cells = [cell.cell for cell in self.scores]
        if not cells or cells[0] != ALL_ENCODERS or len(set(cells)) != len(cells):
            raise ValueError("scores are those of all encoders together, then of each encoder once")
        return self

    @property
    def level(self) -> Fraction:
        """The level that is used where none is asked for."""
        return 1 - self.alpha

    def cell(self, encoder: str | None) -> CellScores:
        """Return the scores of ``encoder``; those of all encoders where it is unknown or was not calibrated."""
        return next((cell for cell in self.scores if cell.cell == encoder), self.scores[0])

    def interval(
        self,
        prediction: float,
        spread: float | None = None,
        level: Fraction | str | float | None = None,
        encoder: str | None = None,
        *,
        outside_training: bool = False,
    ) -> Interval:
        """Return the interval about a prediction.

        Parameters
        ----------
        prediction
            The ensemble's mean, in VMAF: of a frame for ``hcp-frame`` and ``most-frames``, of a clip for ``hcp-clip``.
        spread
            The spread of the members there, as ``conformal_scores.mean_and_spread`` has it: that of the members'
            clip means for ``hcp-clip``, of the frame for ``hcp-frame`` and ``most-frames``. Only normalised scores
            need it.
        level
            The probability to guarantee, in (0, 1); by default one minus ``alpha``.
        encoder
            Whose scores to use: those of its own cell where there is one, else those of all.
        outside_training
            Passed on: the caller knows the range that was learnt from.

        Raises
        ------
        RequestError
            The level is none, the prediction is not finite, or a spread is missing or not a number of 0 or more.
        """
        wanted = self.level if level is None else exact_level(level)
        if not math.isfinite(prediction):
            raise RequestError(f"a prediction of {prediction} has no interval")
        if self.floor is not None and (spread is None or not 0 <= spread < math.inf):
            raise RequestError(f"{self.score} scores need the spread of the members, not {spread}")
        scale = float(score_scale(self.score, prediction, spread, self.floor))
        cell = self.cell(encoder)
        threshold = cell.threshold(wanted)
        lower, upper = ends(prediction, None if threshold is None else threshold * scale)
        return Interval(
            mean=prediction,
            lower=lower,
            upper=upper,
            level=wanted,
            groups=cell.groups,
            rule=self.rule,
            score=self.score,
            share=self.share,
            cell=cell.cell,
            outside_training=outside_training,
        )


def score_scale(
    score: Score, prediction: ArrayLike, spread: ArrayLike | None, floor: float | None
) -> NDArray[np.float64]:
    """Return what a residual is divided by, as an array of the shape of ``prediction``, above 0; see the module.

    Parameters
    ----------
    score
        Which.
    prediction, spread
        In VMAF; the spread is not looked at without a floor.
    floor
        What a spread counts as at least, above 0; None where no spread enters.
    """
    low, high = TEACHER_RANGE
    said = np.clip(np.asarray(prediction, dtype=np.float64), low, high)
    bounded = np.ones_like(said) if floor is None or spread is None else np.maximum(spread, floor)
    if score == "absolute":
        return np.ones_like(said)
    if score == "normalised":
        return np.asarray(bounded)
    shape = (said - low + _SHOULDER) * (high + _SHOULDER - said) / ((high - low) / 2 + _SHOULDER) ** 2
    return np.asarray(shape * np.sqrt(bounded))


def ends(prediction: float, half: float | None) -> tuple[float, float] | tuple[None, None]:
    """Return the ends of ``prediction`` plus and minus ``half``, within the teacher's range.

    The range is applied to ends that are known to be finite, and never makes one out of an interval that is unbounded:
    [0, 100] would read as if something had been measured. A measured value lies in the range, so cutting there costs
    no coverage.
    """
    if half is None:
        return None, None
    low, high = TEACHER_RANGE
    return min(max(prediction - half, low), high), max(min(prediction + half, high), low)


def _round_up(value: float) -> float:
    rounded = round(value, _DIGITS)
    return rounded if rounded >= value else round(rounded + 10**-_DIGITS, _DIGITS)
