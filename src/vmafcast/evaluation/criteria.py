"""What a gate says: criteria with their figures, and the outcome that follows from them.

Comparisons are made on figures as they are written. A lift of 0.965 over 0.960 is 0.005 in every report, yet
0.0049999999999999 in binary; derived figures are therefore computed in decimal, from the shortest digits that
name each float, and then rounded once. A figure exactly on its bound passes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Literal, Self

from pydantic import model_validator

from vmafcast.common.documents import Document

Status = Literal["pass", "fail", "not-measurable"]
Comparison = Literal[">=", "<="]
Judgement = Literal["pass", "fail", "not-measurable", "insufficient-sources", "missing-rows"]

# Correlations are computed in floating point and may end a few units in the last place beyond one.
_CORRELATION_ROUNDING = 1e-9


class Criterion(Document):
    """One question that a gate asked, and its answer.

    Parameters
    ----------
    name
        The name of the threshold it was judged by.
    status
        ``pass``, ``fail``, or ``not-measurable`` where the question has no meaning for these scores.
    value
        The figure that was compared, None where there is none. It is in the unit of ``threshold``.
    threshold
        The bound, inclusive.
    comparison
        ``>=`` where the value must reach the bound, ``<=`` where it must not exceed it.
    detail
        One sentence for a person: over what, and which sources, seeds or folds failed.
    interval
        The 95 % bootstrap interval of ``value`` over source groups, None where there is none.
    """

    name: str
    status: Status
    value: float | None
    threshold: float
    comparison: Comparison
    detail: str
    interval: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _a_pass_is_a_figure_within_its_bound(self) -> Self:
        # A file that says "pass" beside a figure that does not is forged or damaged, never to be believed.
        if self.status == "pass" and not meets(self.value, self.threshold, self.comparison):
            raise ValueError(f"{self.name} says pass, but {self.value} {self.comparison} {self.threshold} is not so")
        return self


class GateOutcome(Document):
    """What a gate found.

    Parameters
    ----------
    gate
        Which gate: ``fr-v1``, ``fr-v3``, ``fr-ensemble`` or ``predictor``.
    verdict
        ``pass`` where no criterion failed and the decisive ones were measured. ``not-measurable``,
        ``insufficient-sources`` and ``missing-rows`` are not passes.
    criteria
        Every criterion, in the order of the gate table.
    failing
        Names of those that failed.
    """

    gate: str
    verdict: Judgement
    criteria: tuple[Criterion, ...]
    failing: tuple[str, ...]

    @model_validator(mode="after")
    def _the_parts_agree(self) -> Self:
        failed = tuple(criterion.name for criterion in self.criteria if criterion.status == "fail")
        if failed != self.failing:
            raise ValueError(f"failing is {list(self.failing)}, but the criteria that failed are {list(failed)}")
        if self.verdict == "pass" and (failed or not self.criteria):
            raise ValueError("the verdict is pass, but its criteria do not support it")
        return self

    @property
    def passed(self) -> bool:
        """Whether the verdict is ``pass``."""
        return self.verdict == "pass"

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it did not pass: what the criteria say that failed or, if none did, that have no answer."""
        if self.passed:
            return ()
        wanted: Status = "fail" if self.failing else "not-measurable"
        return tuple(f"{c.name}: {c.detail}" for c in self.criteria if c.status == wanted)

    def criterion(self, name: str) -> Criterion | None:
        """Return the criterion of that name, None where this gate has none."""
        return next((criterion for criterion in self.criteria if criterion.name == name), None)


def meets(value: float | None, threshold: float, comparison: Comparison) -> bool:
    """Whether ``value`` is a finite number on the right side of ``threshold``, or exactly on it."""
    if value is None or not math.isfinite(value):
        return False
    return value >= threshold if comparison == ">=" else value <= threshold


def compare(
    name: str,
    value: float | None,
    threshold: float,
    comparison: Comparison,
    detail: str,
    interval: tuple[float, float] | None = None,
) -> Criterion:
    """Return the criterion comparing ``value`` with ``threshold``; an absent or non-finite value fails."""
    status: Status = "pass" if meets(value, threshold, comparison) else "fail"
    return Criterion(
        name=name,
        status=status,
        value=finite(value),
        threshold=threshold,
        comparison=comparison,
        detail=detail,
        interval=interval,
    )


def conclude(gate: str, criteria: Sequence[Criterion], decisive: Iterable[str]) -> GateOutcome:
    """Return the outcome that follows from ``criteria``.

    Parameters
    ----------
    gate
        The gate's name.
    criteria
        What it found.
    decisive
        Names of the criteria without whose measurement nothing has been shown.
    """
    failing = tuple(criterion.name for criterion in criteria if criterion.status == "fail")
    measured = {criterion.name for criterion in criteria if criterion.status == "pass"}
    verdict: Judgement = "pass"
    if failing:
        verdict = "fail"
    elif not measured.issuperset(decisive):
        verdict = "not-measurable"
    return GateOutcome(gate=gate, verdict=verdict, criteria=tuple(criteria), failing=failing)


def finite(value: float | None) -> float | None:
    """Return ``value`` as a plain float, None where it is absent, NaN or infinite."""
    return float(value) if value is not None and math.isfinite(value) else None


def correlation(value: float | None) -> float | None:
    """Return ``value`` if it can be a correlation, in [-1, 1] up to rounding, else None.

    A correlation in percent, or one of a constant prediction (NaN), is none.
    """
    number = finite(value)
    return number if number is not None and abs(number) <= 1.0 + _CORRELATION_ROUNDING else None


def written(value: float) -> Decimal:
    """Return the decimal that a report shows for ``value``: the shortest digits that name the float."""
    return Decimal(str(float(value)))


def difference(larger: float, smaller: float) -> float:
    """Return ``larger - smaller`` of the figures as written, rounded once."""
    return float(written(larger) - written(smaller))


def mean(values: Sequence[float]) -> float:
    """Return the mean of at least one figure as written, rounded once."""
    return float(sum((written(value) for value in values), Decimal(0)) / len(values))
