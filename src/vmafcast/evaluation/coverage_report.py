"""How often intervals hold what was measured, how wide they are, and whether those that are served hold enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Final, Literal

import numpy as np
from pydantic import Field

from vmafcast.common.documents import Document
from vmafcast.common.errors import RequestError
from vmafcast.common.progress import Progress, Silent
from vmafcast.common.provenance import RunProvenance
from vmafcast.evaluation.conformal import ALL_ENCODERS, Calibration, Level, Rule
from vmafcast.evaluation.conformal_scores import DEFAULT_SHARE, RULES, HeldOut
from vmafcast.evaluation.coverage import Method, Tested, available_methods, evaluate_intervals
from vmafcast.evaluation.scores import bootstrap_mean, plcc, rmse

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVELS: Final = (Fraction(1, 2), Fraction(4, 5), Fraction(9, 10), Fraction(19, 20))

BOOTSTRAP_LEVEL: Final = 0.95

_Share = Annotated[float, Field(ge=0, le=1)]
_Width = Annotated[float, Field(ge=0)]


class CoverageFigure(Document):
    """What the intervals of one method did at one level, over all encoders or for one.

    Attributes
    ----------
    rule, method, level
        Which intervals; see ``coverage``.
    cell
        The encoder whose units these are, or ``"all"``.
    groups, units
        How many source groups, and how many frames or clips in them.
    coverage
        The share of units that are covered, each source group counting as one.
    coverage_interval
        The percentile bootstrap interval of that mean over source groups, at 95 %.
    mean_width, median_width
        In VMAF, over frames or clips; None where an unbounded one makes it infinite.
    unbounded
        The share of frames or clips whose interval is unbounded.
    under_covers
        Whether even the upper end of ``coverage_interval`` lies below the level.
    """

    rule: Rule
    method: Method
    level: Level
    cell: str
    groups: Annotated[int, Field(ge=1)]
    units: Annotated[int, Field(ge=1)]
    coverage: _Share
    coverage_interval: tuple[_Share, _Share]
    mean_width: _Width | None
    median_width: _Width | None
    unbounded: _Share
    under_covers: bool


class GroupFigure(Document):
    """What the intervals of one method did at one level on one source group, over all encoders."""

    source_group: str
    rule: Rule
    method: Method
    level: Level
    units: Annotated[int, Field(ge=1)]
    coverage: _Share
    median_width: _Width | None


class MeanFigure(Document):
    """How well the mean of the members follows the teacher: ``plcc`` (None where not defined) and ``rmse`` in VMAF."""

    unit: Literal["frame", "clip"]
    cell: str
    units: Annotated[int, Field(ge=1)]
    plcc: float | None
    rmse: float


class CoverageReport(Document):
    """The whole evaluation.

    Attributes
    ----------
    source_groups, encoders, members
        Of the held-out predictions.
    share
        Of the rule ``most-frames``.
    nested
        Whether every interval was calibrated without the source group that it is tested on. False of a stored
        calibration, which is to be tested on other material than it was made from.
    served
        The method that is judged: what the champion serves.
    passed
        Whether none of its figures under-covers.
    figures, by_source_group, means
        See there.
    """

    schema_version: Literal[1] = 1
    source_groups: Annotated[int, Field(ge=1)]
    encoders: tuple[str, ...]
    members: Annotated[int, Field(ge=1)]
    share: Level
    nested: bool
    served: Method
    passed: bool
    figures: tuple[CoverageFigure, ...]
    by_source_group: tuple[GroupFigure, ...]
    means: tuple[MeanFigure, ...]
    run_provenance: RunProvenance | None = None

    @property
    def failing(self) -> tuple[CoverageFigure, ...]:
        """The figures of the served method that under-cover."""
        return tuple(figure for figure in self.figures if figure.method == self.served and figure.under_covers)


def report_coverage(
    held_out: HeldOut,
    *,
    levels: Sequence[Fraction] = LEVELS,
    served: Method = "conformal",
    share: Fraction = DEFAULT_SHARE,
    stored: Mapping[Rule, Calibration] | None = None,
    progress: Progress | None = None,
) -> CoverageReport:
    """Return the report of held-out predictions.

    Parameters
    ----------
    held_out
        Predictions by networks that never saw the row's source group; of two groups or more where nested.
    levels
        In (0, 1), one or more.
    served
        The method to judge.
    share
        Of the rule ``most-frames``.
    stored
        Calibrations to test as they are, by rule, in place of nested ones; ``served`` is then ``stored``.
    progress
        Where to report.

    Raises
    ------
    RequestError
        There is no level, or the method to judge has no intervals here: a single member has no spread.
    """
    if not levels:
        raise RequestError("there is no level to evaluate; give at least one")
    judged: Method = served if stored is None else "stored"
    if stored is None and judged not in available_methods(held_out):
        raise RequestError(
            f"there are no {judged} intervals to judge: a single member has no spread; train several seeds"
        )
    figures, by_group = [], []
    rules = RULES if stored is None else tuple(stored)
    methods = 1 if stored is not None else len(available_methods(held_out))
    with (progress or Silent()).task("testing intervals", len(rules) * methods * len(levels)) as task:
        for rule in rules:
            chosen = None if stored is None else stored[rule]
            for tested in evaluate_intervals(held_out, rule, levels, share=share, stored=chosen):
                figures.append(_figure(tested, ALL_ENCODERS))
                figures += [_figure(tested, encoder) for encoder in np.unique(tested.encoders).tolist()]
                by_group += _by_group(tested)
                task.advance()
    if not any(figure.method == judged for figure in figures):
        raise RequestError(
            f"there are no {judged} intervals to judge: a single member has no spread; train several seeds"
        )
    return CoverageReport(
        source_groups=len(np.unique(held_out.groups)),
        encoders=tuple(np.unique(held_out.encoders).tolist()),
        members=held_out.members.shape[1],
        share=share,
        nested=stored is None,
        served=judged,
        passed=not any(figure.under_covers for figure in figures if figure.method == judged),
        figures=tuple(figures),
        by_source_group=tuple(by_group),
        means=tuple(_means(held_out)),
    )


def _figure(tested: Tested, cell: str) -> CoverageFigure:
    own = np.full(len(tested.covered), True) if cell == ALL_ENCODERS else tested.encoders == cell  # noqa: FBT003
    shares = _group_means(tested.covered[own], tested.groups[own])[1]
    interval = bootstrap_mean(shares.tolist(), level=BOOTSTRAP_LEVEL)
    widths = tested.widths[own[tested.width_units]]
    coverage = float(shares.mean())
    return CoverageFigure(
        rule=tested.rule,
        method=tested.method,
        level=tested.level,
        cell=cell,
        groups=len(shares),
        units=int(own.sum()),
        coverage=min(coverage, 1.0),
        coverage_interval=(interval[0], min(interval[1], 1.0)),
        mean_width=_finite(widths.mean()),
        median_width=_median(widths),
        unbounded=float(np.isinf(widths).mean()),
        under_covers=interval[1] < float(tested.level),
    )


def _by_group(tested: Tested) -> list[GroupFigure]:
    names, shares, counts = _group_means(tested.covered, tested.groups)
    of_width = tested.groups[tested.width_units]
    return [
        GroupFigure(
            source_group=str(name),
            rule=tested.rule,
            method=tested.method,
            level=tested.level,
            units=int(counts[place]),
            coverage=min(float(shares[place]), 1.0),
            median_width=_median(tested.widths[of_width == name]),
        )
        for place, name in enumerate(names)
    ]


def _means(held_out: HeldOut) -> list[MeanFigure]:
    found = []
    for unit in ("frame", "clip"):
        units = held_out.frames() if unit == "frame" else held_out.clip_means()
        for cell in (ALL_ENCODERS, *np.unique(units.encoders).tolist()):
            own = units if cell == ALL_ENCODERS else units.take(units.encoders == cell)
            found.append(
                MeanFigure(
                    unit=unit,
                    cell=cell,
                    units=len(own.mean),
                    plcc=plcc(own.mean, own.measured),
                    rmse=rmse(own.mean, own.measured),
                )
            )
    return found


def _group_means(
    values: NDArray[np.bool_], groups: NDArray[np.str_]
) -> tuple[NDArray[np.str_], NDArray[np.float64], NDArray[np.intp]]:
    names, owners, counts = np.unique(groups, return_inverse=True, return_counts=True)
    return names, np.bincount(owners, weights=values) / counts, counts


def _median(widths: NDArray[np.float64]) -> float | None:
    """Return the lower median: with an infinite half it is still a width that was given."""
    return _finite(np.sort(widths)[(len(widths) - 1) // 2])


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
