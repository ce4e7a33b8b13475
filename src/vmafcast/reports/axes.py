"""Scales, ticks and the grid behind a plot, and the check that what is plotted can be."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vmafcast.common.errors import DataError
from vmafcast.reports.svg import segment, text


@dataclass(frozen=True)
class Series:
    """Points of one name, an encoder's mostly.

    Attributes
    ----------
    name
        What the legend calls it.
    x, y
        Coordinates in the axes' units, of equal length.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Scale:
    """A map from values to pixels.

    Attributes
    ----------
    low, high
        Ends of the axis, in its own units; both above 0 when ``log``.
    start, end
        Where they stand, in pixels.
    log
        Whether equal ratios, and not equal differences, are equally far apart.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return where ``value`` stands, in pixels."""
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def check(series: Sequence[Series], what: str, *, positive_x: bool = False) -> None:
    """Refuse what cannot be plotted.

    Raises
    ------
    DataError
        No series, a series without points, x and y of different lengths, a value that is no finite number,
        or, with ``positive_x``, an x that is not above 0; the message names ``what`` and the series.
    """
    if not series:
        raise DataError(f"{what} has nothing to show; give at least one series")
    for one in series:
        if len(one.x) != len(one.y) or len(one.x) == 0:
            raise DataError(
                f"{what}: {one.name!r} has {len(one.x)} x and {len(one.y)} y; give as many of each, and some"
            )
        for place, pair in enumerate(zip(one.x, one.y, strict=True)):
            if not all(math.isfinite(value) for value in pair):
                raise DataError(f"{what}: point {place} of {one.name!r} is {pair}; leave out what was not measured")
            if positive_x and pair[0] <= 0:
                raise DataError(f"{what}: point {place} of {one.name!r} has x = {pair[0]}; a log axis needs it above 0")


def linear_ticks(low: float, high: float, most: int) -> list[float]:
    """Return at most ``most`` (at least 2) multiples of 1, 2 or 5 times a power of ten within [low, high]."""
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    for step in (factor * power for factor in (1, 2, 5, 10, 20, 50, 100)):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first + 1 <= most:
            # Rounded to the step's own digits: 3 * 0.1 is to read 0.3.
            digits = max(0, 1 - math.floor(math.log10(step)))
            return [round(k * step, digits) for k in range(first, last + 1)]
    raise AssertionError("a hundred steps of a tenth of the range are always few enough")


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Return at most ``most`` (at least 2) round values within [low, high], 0 < low: 1-2-5, 1-3 or powers of ten.

    A range too narrow for two of those has the ticks of a linear axis.
    """
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks: list[float] = []
    for factors in ((1, 2, 5), (1, 3), (1,)):
        ticks = [f * 10.0**d for d in decades for f in factors if low <= f * 10.0**d <= high]
        if len(ticks) < 2:
            return linear_ticks(low, high, most)
        if len(ticks) <= most:
            return ticks
    return ticks[:: math.ceil(len(ticks) / most)]


def widen(values: Iterable[float]) -> tuple[float, float]:
    """Return the nearest round numbers that enclose ``values`` and are not equal."""
    found = list(values)
    low, high = min(found), max(found)
    if low == high:
        low, high = low - 1, high + 1
    step = 10.0 ** math.floor(math.log10((high - low) / 8))
    step *= next(factor for factor in (5, 2, 1) if factor * step <= (high - low) / 8)
    digits = max(0, 1 - math.floor(math.log10(step)))
    return round(math.floor(low / step) * step, digits), round(math.ceil(high / step) * step, digits)


def tick_label(value: float) -> str:
    """Return ``value`` as an axis shows it: thousands as k, millions as M."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}".replace("-", "\u2212")


def grid(
    x: Scale, y: Scale, x_ticks: Sequence[float], y_ticks: Sequence[float], *, below: bool = True, left: bool = True
) -> list[str]:
    """Return the grid of a plot with its tick labels ``below`` and ``left`` of it, where they are wanted."""
    parts = [segment(x(t), y.start, x(t), y.end, "grid") for t in x_ticks]
    parts += [segment(x.start, y(t), x.end, y(t), "grid") for t in y_ticks]
    parts.append(segment(x.start, y.start, x.end, y.start, "axis"))
    if below:
        parts += [text(x(t), y.start + 15, tick_label(t), "tick", anchor="middle") for t in x_ticks]
    if left:
        parts += [text(x.start - 7, y(t) + 3.5, tick_label(t), "tick", anchor="end") for t in y_ticks]
    return parts
