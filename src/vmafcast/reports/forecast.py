"""A forecast as a picture: VMAF and bitrate over the quality value, each with the band that its intervals make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vmafcast.common.errors import DataError
from vmafcast.reports.axes import Scale, Series, check, grid, linear_ticks, log_ticks, widen
from vmafcast.reports.svg import document, heading, marker, number, polyline, series_group, text

_WIDTH, _HEIGHT = 900.0, 400.0
_LEFT, _GAP, _RIGHT, _TOP, _FOOT = 62.0, 84.0, 24.0, 92.0, 52.0


@dataclass(frozen=True)
class Band:
    """A predicted curve.

    Attributes
    ----------
    name
        What the axis says.
    x, y
        Quality values, and what is predicted there.
    low, high
        The ends of the intervals; None where there is none.
    made
        Quality value and measured value of encodes that were made: rings, so that the curve is seen through them.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float | None]
    high: Sequence[float | None]
    made: Sequence[tuple[float, float]] = ()


def forecast_svg(score: Band, rate: Band, *, title: str, subtitle: str = "", x_label: str = "quality value") -> str:
    """Return an SVG with the score on the left and the bitrate, on a logarithmic axis, on the right.

    Raises
    ------
    DataError
        There are fewer than two points, a value is not finite, or a bitrate is not above 0.
    """
    wide = (_WIDTH - _LEFT - _GAP - _RIGHT) / 2
    parts = heading(title, subtitle, _WIDTH)
    for index, (band, log) in enumerate(((score, False), (rate, True))):
        left = _LEFT + index * (wide + _GAP)
        parts += _panel(band, index, left, left + wide, log=log)
        parts.append(text(left + wide / 2, _HEIGHT - 14, x_label, "label", anchor="middle"))
    return document(_WIDTH, _HEIGHT, title, parts)


def _panel(band: Band, index: int, left: float, right: float, *, log: bool) -> list[str]:
    check([Series(band.name, band.x, band.y)], f"the forecast of {band.name}")
    ends = [value for value in (*band.low, *band.high) if value is not None]
    everything = [*band.y, *ends, *(value for _, value in band.made)]
    if len(band.x) < 2 or (log and min(everything) <= 0):
        raise DataError(f"the forecast of {band.name} cannot be drawn: it takes two points or more, above 0")
    across_all = [*band.x, *(quality for quality, _ in band.made)]
    x = Scale(min(across_all), max(across_all), left, right)
    bounds = (min(everything) / 1.1, max(everything) * 1.1) if log else widen(everything)
    y = Scale(*bounds, _HEIGHT - _FOOT, _TOP, log=log)
    y_ticks = log_ticks(*bounds, 7) if log else linear_ticks(*bounds, 7)
    parts = [text(left, _TOP - 12, band.name, "panel")]
    parts += grid(x, y, linear_ticks(x.low, x.high, 8), y_ticks)
    sure = [(q, low, high) for q, low, high in zip(band.x, band.low, band.high, strict=True) if low is not None]
    corners = [(x(q), y(low)) for q, low, _ in sure]
    corners += [(x(q), y(high)) for q, _, high in reversed(sure) if high is not None]
    way = " ".join(f"{number(across)},{number(down)}" for across, down in corners)
    shade = [f'<polygon points="{way}" fill-opacity=".18" stroke="none"/>'] if len(sure) > 1 else []
    points = [(x(q), y(value)) for q, value in zip(band.x, band.y, strict=True)]
    dots = [marker(index, across, down, 2.2) for across, down in points]
    rings = [
        f'<circle cx="{number(x(q))}" cy="{number(y(value))}" r="5" fill="none" stroke-width="2"/>'
        for q, value in band.made
    ]
    return [*parts, series_group(index, [*shade, polyline(points), *dots, *rings])]
