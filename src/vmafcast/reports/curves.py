"""Rate-quality curves as small multiples: one panel per source, one line per encoder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vmafcast.common.errors import DataError
from vmafcast.reports.axes import Scale, Series, check, grid, linear_ticks, log_ticks, widen
from vmafcast.reports.svg import document, heading, legend_rows, marker, polyline, segment, series_group, shorten, text

_WIDTH, _LEFT, _RIGHT = 900.0, 58.0, 20.0
_GAP, _ROW, _HEAD = 16.0, 128.0, 26.0


@dataclass(frozen=True)
class Panel:
    """The curves of one source.

    Attributes
    ----------
    name
        The source.
    curves
        One series per encoder: x in kbps, y in VMAF units.
    """

    name: str
    curves: Sequence[Series]


def curves_svg(
    panels: Sequence[Panel],
    *,
    title: str,
    subtitle: str = "",
    x_label: str = "bitrate in kbps, logarithmic",
    y_label: str = "VMAF",
    columns: int = 4,
    target: float | None = None,
) -> str:
    """Return an SVG with one panel per source, all on the same axes.

    Parameters
    ----------
    panels
        The sources in reading order. An encoder has one colour in all panels, given in the order of its first
        appearance; a curve's points are joined in the order of their bitrates.
    title, subtitle
        What the picture shows.
    x_label, y_label
        What the axes say.
    columns
        Panels in a row, at least 1; fewer where there are fewer panels.
    target
        A quality to mark by a dashed line, in the y axis's units.

    Raises
    ------
    DataError
        There is nothing to plot, a value is no finite number, or a bitrate is not above 0.
    """
    if not panels:
        raise DataError("the rate-quality curves have no source to show; give at least one panel")
    for panel in panels:
        check(panel.curves, f"the panel {panel.name!r}", positive_x=True)
    if columns < 1 or (target is not None and not math.isfinite(target)):
        raise DataError(f"the rate-quality curves cannot have {columns} columns and the target {target}")
    columns = min(columns, len(panels))
    rows = math.ceil(len(panels) / columns)
    names = list(dict.fromkeys(curve.name for panel in panels for curve in panel.curves))
    parts = heading(title, subtitle, _WIDTH)
    legend, tall = legend_rows(
        names, x=24, y=80, width=_WIDTH - 48, rule="" if target is None else f"target {target:g}"
    )
    parts += legend
    top = 80 + tall - 8
    wide = (_WIDTH - _LEFT - _RIGHT - _GAP * (columns - 1)) / columns
    bounds = _bounds(panels, target)
    for index, panel in enumerate(panels):
        left = _LEFT + (index % columns) * (wide + _GAP)
        foot = top + (index // columns) * (_ROW + _HEAD) + _HEAD + _ROW - 8
        x = Scale(*bounds[0], left, left + wide, log=True)
        y = Scale(*bounds[1], foot, foot - _ROW + 12)
        lowest = index + columns >= len(panels)
        parts += _panel(panel, x, y, names, target=target, below=lowest, left=index % columns == 0)
    height = top + rows * (_ROW + _HEAD) + 44
    parts.append(text(_LEFT + (_WIDTH - _LEFT - _RIGHT) / 2, height - 16, x_label, "label", anchor="middle"))
    parts.append(text(22, top + rows * (_ROW + _HEAD) / 2 + 8, y_label, "label", anchor="middle", turned=True))
    return document(_WIDTH, height, title, parts)


def _bounds(panels: Sequence[Panel], target: float | None) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the ends of the axes that hold every point: bitrates with a little room, qualities round."""
    rates = [value for panel in panels for curve in panel.curves for value in curve.x]
    scores = [value for panel in panels for curve in panel.curves for value in curve.y]
    scores += [] if target is None else [target]
    return (min(rates) / 1.18, max(rates) * 1.18), widen(scores)


def _panel(
    panel: Panel, x: Scale, y: Scale, names: Sequence[str], *, target: float | None, below: bool, left: bool
) -> list[str]:
    wide = x.end - x.start
    parts = [text(x.start, y.end - 8, shorten(panel.name, "panel", wide), "panel", full=panel.name)]
    x_ticks = log_ticks(x.low, x.high, max(2, int(wide / 34)))
    parts += grid(x, y, x_ticks, linear_ticks(y.low, y.high, 6), below=below, left=left)
    if target is not None:
        parts.append(segment(x.start, y(target), x.end, y(target), "rule"))
    for curve in panel.curves:
        index = names.index(curve.name)
        points = [(x(rate), y(score)) for rate, score in sorted(zip(curve.x, curve.y, strict=True))]
        dots = [marker(index, px, py, 2.3) for px, py in points]
        parts.append(series_group(index, [polyline(points), *dots] if len(points) > 1 else dots))
    return parts
