"""Searching the cheapest quality value that meets a target: pure decisions, fed with measurements.

The answer is a pair of neighbours on the encoder's scale, one that meets the target and the next worse one that
does not, both measured: no curve, however well it fits, replaces the measurement. The curve only decides where
to look next.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from vmafcast.common.errors import RequestError
from vmafcast.encoders.encoder import Encoder
from vmafcast.tuning.prior import VMAF_CEILING, PriorCurve, logit, prior_curve

_CREEPING = 4  # measurements in a row on one side of the target

Outcome = Literal["met", "met-at-the-end", "unreachable"]


@dataclass(slots=True)
class QualitySearch:
    """The search for one source, encoder, preset and target.

    Ask :meth:`next_quality`, measure it, tell :meth:`record`, until it returns None.

    Parameters
    ----------
    encoder
        Whose scale is searched.
    target
        The VMAF to meet, above 0 and at most 100.

    Attributes
    ----------
    measured
        VMAF by quality value.
    """

    encoder: Encoder
    target: float
    measured: dict[int, float] = field(default_factory=dict)
    _scale: list[int] = field(init=False)
    _prior: PriorCurve = field(init=False)

    def __post_init__(self) -> None:
        """Check the target and lay out the scale from worst to best."""
        if not 0 < self.target <= VMAF_CEILING:
            raise RequestError(f"the target {self.target:g} is no VMAF; choose one above 0 and at most 100")
        self._scale = list(self.encoder.quality.from_worst_to_best())
        self._prior = prior_curve(self.encoder)

    def record(self, quality: int, vmaf: float) -> None:
        """Take in that ``quality`` was measured to have ``vmaf``."""
        self.measured[quality] = vmaf

    def next_quality(self) -> int | None:
        """Return the quality value to measure next, or None when the answer is known.

        Strictly between the best known failure and the worst known success, where the prior curve, bent through what
        was measured, crosses the target. Each call at least shrinks that bracket, so at most as many encodes are made
        as the scale has values; in practice two to four.
        """
        fails, meets = self._bracket()
        if meets - fails <= 1:
            return None
        guess = self._crossing(fails, meets)
        run = self._run()
        if run >= _CREEPING and fails < 0:
            guess = min(guess, meets - 2 ** (run - 2))
        elif run >= _CREEPING and meets == len(self._scale):
            guess = max(guess, fails + 2 ** (run - 2))
        return self._scale[min(max(guess, fails + 1), meets - 1)]

    @property
    def best(self) -> int | None:
        """The cheapest quality value known to meet the target, or None."""
        _, meets = self._bracket()
        return self._scale[meets] if meets < len(self._scale) else None

    @property
    def next_worse(self) -> int | None:
        """The neighbour of :attr:`best` towards worse, known to fail; None where the scale ends."""
        _, meets = self._bracket()
        return self._scale[meets - 1] if 0 < meets < len(self._scale) else None

    @property
    def outcome(self) -> Outcome:
        """How the search ended, once :meth:`next_quality` has returned None.

        ``met``: the next worse value fails. ``met-at-the-end``: the worst value of the scale meets the target.
        ``unreachable``: the best value of the scale does not.
        """
        _, meets = self._bracket()
        if meets == len(self._scale):
            return "unreachable"
        return "met" if meets > 0 else "met-at-the-end"

    def _bracket(self) -> tuple[int, int]:
        """Return the positions of the best known failure (-1: none) and of the worst success above it (length: none).

        Curves are not always monotone, so the failure counts first: the answer is the lowest success above it.
        """
        place = {quality: index for index, quality in enumerate(self._scale)}
        successes = [place[quality] for quality, vmaf in self.measured.items() if vmaf >= self.target]
        meets = min(successes, default=len(self._scale))
        failures = [place[quality] for quality, vmaf in self.measured.items() if vmaf < self.target]
        return max((index for index in failures if index < meets), default=-1), meets

    def _run(self) -> int:
        """Return how many of the latest measurements fell on one side of the target.

        While only one side of the target is known, a long run means that the prior is no guide here: the search then
        strides ahead in doubling steps, so that a plateau cannot hold it up.
        """
        sides = [vmaf >= self.target for vmaf in reversed(self.measured.values())]
        return next((count for count, side in enumerate(sides) if side != sides[0]), len(sides))

    def _crossing(self, fails: int, meets: int) -> int:
        """Return the lowest position at which the bent prior meets the target."""
        goal = logit(self.target)
        for index in range(fails + 1, meets):
            if self._prior.at(self._scale[index]) + self._bend(self._scale[index]) >= goal:
                return index
        return meets - 1

    def _bend(self, quality: int) -> float:
        """Return how far the measured points move the prior at ``quality``, in log-odds.

        Linear between the nearest measured neighbours, constant beyond the outermost.
        """
        offsets = sorted((known, logit(vmaf) - self._prior.at(known)) for known, vmaf in self.measured.items())
        if not offsets:
            return 0.0
        left = max((pair for pair in offsets if pair[0] <= quality), default=offsets[0])
        right = min((pair for pair in offsets if pair[0] >= quality), default=offsets[-1])
        if left[0] == right[0]:
            return left[1]
        if left[0] > quality or right[0] < quality:
            return left[1] if right[0] < quality else right[1]
        share = (quality - left[0]) / (right[0] - left[0])
        return left[1] + share * (right[1] - left[1])
