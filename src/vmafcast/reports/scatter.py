"""Predicted against measured: a square scatter plot with its diagonal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vmafcast.common.errors import DataError
from vmafcast.reports.axes import Scale, Series, check, grid, linear_ticks, widen
from vmafcast.reports.svg import document, heading, marker, number, segment, series_group, shorten, text

_SIDE, _LEFT, _TOP, _WIDTH = 520.0, 72.0, 78.0, 860.0
# Every series is drawn in so many layers in turn, so that none hides another.
_LAYERS = 8
_GOLDEN = 0.6180339887498949


def scatter_svg(
    points: Sequence[Series],
    *,
    title: str,
    subtitle: str = "",
    x_label: str = "measured VMAF",
    y_label: str = "predicted VMAF",
    limits: tuple[float, float] | None = None,
    band: float | None = 5.0,
    most: int = 3000,
) -> str:
    """Return an SVG of ``points`` about the diagonal on which a perfect prediction lies.

    Parameters
    ----------
    points
        One series per encoder: x measured, y predicted, in VMAF units.
    title, subtitle
        What the picture shows, and the figures that go with it (PLCC, RMSE, n), as the caller computed them.
    x_label, y_label
        What the axes say.
    limits
        Ends of both axes; widened to round numbers where points lie outside. By default just wide enough.
    band
        Half-width of the band about the diagonal, in the axes' units, above 0; None for none.
    most
        How many points are drawn at most; more are thinned evenly, the same way each time, and the picture
        says so. At least one of each series stays.

    Raises
    ------
    DataError
        There is nothing to plot, or a value is no finite number, or the limits are none.
    """
    check(points, "the scatter plot")
    values = [value for series in points for axis in (series.x, series.y) for value in axis]
    if band is not None and not 0 < band < math.inf:
        raise DataError(f"the scatter plot: a band of ±{band} cannot be drawn; give a width above 0, or none")
    if limits is not None:
        if not -math.inf < limits[0] < limits[1] < math.inf:
            raise DataError(f"the scatter plot: {limits} are no limits; give the lower and then the higher end")
        inside = limits[0] <= min(values) and max(values) <= limits[1]
        limits = limits if inside else widen([*values, *limits])
    low, high = limits or widen(values)
    x, y = Scale(low, high, _LEFT, _LEFT + _SIDE), Scale(low, high, _TOP + _SIDE, _TOP)
    ticks = linear_ticks(low, high, 11)
    parts = heading(title, subtitle, _WIDTH)
    if band is not None:
        parts.append(_band(x, y, band))
    parts += grid(x, y, ticks, ticks)
    kept = [_thin(len(series.x), most, sum(len(s.x) for s in points)) for series in points]
    # Many points show their density by adding up, few are easier to tell apart when they are opaque.
    style = "cloud" if sum(map(len, kept)) > 400 else "few"
    for layer in range(_LAYERS):
        for index, (series, places) in enumerate(zip(points, kept, strict=True)):
            dots = [marker(index, x(series.x[i]), y(series.y[i]), 2.6) for i in places[layer::_LAYERS]]
            if dots:
                parts.append(f'<g class="{style}">{series_group(index, dots)}</g>')
    parts.append(segment(x(low), y(low), x(high), y(high), "exact"))
    parts.append(text(_LEFT + _SIDE / 2, _TOP + _SIDE + 40, x_label, "label", anchor="middle"))
    parts.append(text(26, _TOP + _SIDE / 2, y_label, "label", anchor="middle", turned=True))
    parts += _key(points, band, shown=sum(map(len, kept)))
    return document(_WIDTH, _TOP + _SIDE + 60, title, parts)


def _band(x: Scale, y: Scale, half: float) -> str:
    """Return the part of the square within ``half`` of the diagonal."""
    low, high = x.low, x.high
    reach = min(half, high - low)
    corners = [
        (low, low),
        (low, low + reach),
        (high - reach, high),
        (high, high),
        (high, high - reach),
        (low + reach, low),
    ]
    way = " ".join(f"{number(x(a))},{number(y(b))}" for a, b in corners)
    return f'<polygon class="band" points="{way}"/>'


def _thin(count: int, most: int, total: int) -> list[int]:
    """Return which of ``count`` points are drawn when ``total`` of all series are to be at most ``most``.

    The multiples of the golden ratio spread over the unit interval without any period, so that taking the
    smallest leaves no stripes where rows come frame by frame or level by level.
    """
    if total <= most:
        return list(range(count))
    keep = max(1, count * most // total)
    return sorted(sorted(range(count), key=lambda i: (i * _GOLDEN) % 1)[:keep])


def _key(points: Sequence[Series], band: float | None, *, shown: int) -> list[str]:
    """Return the legend at the right: a series with its count in each row, then what the lines mean."""
    left, right, row = _LEFT + _SIDE + 30, _WIDTH - 24, _TOP + 14
    parts = []
    for index, series in enumerate(points):
        count = f"{len(series.x):,}".replace(",", "\u202f")
        parts.append(series_group(index, [marker(index, left + 5, row - 4, 4.2)]))
        parts.append(
            text(left + 18, row, shorten(series.name, "legend", right - left - 66), "legend", full=series.name)
        )
        parts.append(text(right, row, count, "note", anchor="end"))
        row += 22
    row += 12
    parts.append(segment(left - 3, row + 2, left + 13, row - 10, "exact"))
    parts.append(text(left + 18, row, "exact", "note"))
    if band is not None:
        row += 20
        parts.append(f'<rect class="band" x="{number(left - 3)}" y="{number(row - 10)}" width="16" height="12"/>')
        parts.append(text(left + 18, row, f"within ±{band:g}", "note"))
    total = sum(len(series.x) for series in points)
    if shown < total:
        note = f"{shown:,} of {total:,} points drawn".replace(",", "\u202f")
        parts.append(text(left - 3, row + 26, note, "note"))
    return parts
