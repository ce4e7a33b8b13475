"""Coverage against the nominal level: square panels with the diagonal on which a calibrated interval lies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vmafcast.common.errors import DataError
from vmafcast.reports.axes import Scale, grid
from vmafcast.reports.svg import document, heading, legend_rows, marker, polyline, segment, series_group, shorten, text

_WIDTH, _LEFT, _RIGHT, _GAP, _HEAD = 900.0, 62.0, 20.0, 22.0, 30.0
_MOST = 3  # panels in a row: smaller squares could not be read
_STEP = 0.1


@dataclass(frozen=True)
class CoverageCurve:
    """What one method covers.

    Attributes
    ----------
    name
        What the legend calls it.
    nominal, coverage
        Shares in [0, 1], of equal length.
    low, high
        Ends of the error bars about ``coverage``.
    """

    name: str
    nominal: Sequence[float]
    coverage: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


@dataclass(frozen=True)
class CoveragePanel:
    """The curves of one kind of unit, such as frames or clips."""

    name: str
    curves: Sequence[CoverageCurve]


def calibration_svg(panels: Sequence[CoveragePanel], *, title: str, subtitle: str = "") -> str:
    """Return an SVG with one square panel per kind of unit, all on the same axes.

    Parameters
    ----------
    panels
        In reading order. A method has one colour in all panels, given in the order of its first appearance.
    title, subtitle
        What the picture shows.

    Raises
    ------
    DataError
        There is nothing to plot, columns differ in length, or a value is no share in [0, 1].
    """
    _check(panels)
    names = list(dict.fromkeys(curve.name for panel in panels for curve in panel.curves))
    values = [
        value
        for panel in panels
        for curve in panel.curves
        for column in (curve.nominal, curve.coverage, curve.low)
        for value in column
    ]
    low = max(0.0, math.floor(min(values) / _STEP + 1e-9) * _STEP - (_STEP if min(values) < _STEP else 0.0))
    low = min(round(low, 1), 0.9)
    parts = heading(title, subtitle, _WIDTH)
    legend, tall = legend_rows(names, x=24, y=80, width=_WIDTH - 48)
    parts += legend
    top = 80 + tall - 8
    side = (_WIDTH - _LEFT - _RIGHT - _GAP * (_MOST - 1)) / _MOST
    rows = math.ceil(len(panels) / _MOST)
    for index, panel in enumerate(panels):
        left = _LEFT + (index % _MOST) * (side + _GAP)
        head = top + (index // _MOST) * (side + _HEAD + 24) + _HEAD
        x, y = Scale(low, 1.0, left, left + side), Scale(low, 1.0, head + side, head)
        parts.append(text(left, head - 9, shorten(panel.name, "panel", side), "panel", full=panel.name))
        parts += _panel(panel, x, y, names, left=index % _MOST == 0)
    height = top + rows * (side + _HEAD + 24) + 36
    parts.append(text(_LEFT + (_WIDTH - _LEFT - _RIGHT) / 2, height - 14, "nominal level", "label", anchor="middle"))
    parts.append(text(22, top + _HEAD + side / 2, "share covered", "label", anchor="middle", turned=True))
    return document(_WIDTH, height, title, parts)


def _panel(panel: CoveragePanel, x: Scale, y: Scale, names: Sequence[str], *, left: bool) -> list[str]:
    count = round((1.0 - x.low) / _STEP)
    ticks = [round(1.0 - _STEP * step, 1) for step in range(count, -1, -1)]
    parts = grid(x, y, ticks, ticks, left=left)
    parts.append(segment(x(x.low), y(y.low), x(1.0), y(1.0), "exact"))
    for curve in panel.curves:
        index = names.index(curve.name)
        # Side by side rather than on top of each other: methods often cover alike.
        shift = (index - (len(names) - 1) / 2) * 2.4
        drawn = [polyline([(x(n) + shift, y(c)) for n, c in zip(curve.nominal, curve.coverage, strict=True)])]
        for nominal, coverage, low, high in zip(curve.nominal, curve.coverage, curve.low, curve.high, strict=True):
            across = x(nominal) + shift
            drawn.append(polyline([(across, y(low)), (across, y(high))]))
            drawn.append(marker(index, across, y(coverage), 3.4))
        parts.append(series_group(index, drawn))
    return parts


def _check(panels: Sequence[CoveragePanel]) -> None:
    if not panels or not all(panel.curves for panel in panels):
        raise DataError("the calibration plot has nothing to show; give at least one panel with a curve")
    for panel in panels:
        for curve in panel.curves:
            columns = (curve.nominal, curve.coverage, curve.low, curve.high)
            if not curve.nominal or any(len(column) != len(curve.nominal) for column in columns):
                raise DataError(f"the calibration plot: the columns of {curve.name!r} differ in length, or are empty")
            if not all(0 <= value <= 1 for column in columns for value in column):
                raise DataError(f"the calibration plot: {curve.name!r} has a value that is no share in [0, 1]")
