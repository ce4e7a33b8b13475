"""How many predicted deviations an interval reaches, remembered for a few levels."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Final, Literal

from pydantic import Field

from vmafcast.common.documents import Document

LEVELS: Final = (Fraction(1, 2), Fraction(4, 5), Fraction(9, 10), Fraction(19, 20))
"""The levels that intervals are remembered for."""

DEFAULT_LEVEL: Final = Fraction(9, 10)

Factor = Annotated[float, Field(ge=0)] | None


class StageCalibration(Document):
    """How far intervals reach at one stage, in predicted standard deviations on the scales of the curves.

    Attributes
    ----------
    groups
        How many source groups the held-out residuals came from; each counted once.
    vmaf, bits
        A factor for each of :data:`LEVELS`; null where so few groups allow no bounded interval.
    """

    groups: int
    vmaf: tuple[Factor, ...]
    bits: tuple[Factor, ...]

    def factors(self, curve: Literal["vmaf", "bits"]) -> tuple[float, ...]:
        """Return the factors of a curve, infinite where there is no bound."""
        return tuple(float("inf") if factor is None else factor for factor in getattr(self, curve))
