"""Small pure functions that write SVG: elements, text, colours, markers and legends.

Everything a reader sees is in the file itself: no script, no font and nothing from the network. Colours come
from one style sheet that follows the reader's light or dark setting. The same values give the same bytes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from xml.sax import saxutils

PALETTE = (
    ("#0072b2", "#4aa3df"),
    ("#d55e00", "#f0803c"),
    ("#009e73", "#2bc79a"),
    ("#cc79a7", "#e29bc3"),
    ("#e69f00", "#f2b632"),
    ("#56b4e9", "#9bd8f8"),
    ("#4d4d4d", "#b8bec6"),
)
"""Colours of the series on light and on dark ground: those that M. Okabe and K. Ito chose so that people of every
colour vision tell them apart ("Color Universal Design", 2008), less the yellow; the dark ones are lightened."""

_FONT = "system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"
_LIGHT = {"ground": "#ffffff", "ink": "#1f2328", "muted": "#59636e", "grid": "#e4e8ec", "axis": "#8c959f"}
_DARK = {"ground": "#0d1117", "ink": "#e6edf3", "muted": "#9aa4af", "grid": "#262d36", "axis": "#6b7580"}
_SIZES = {"title": 17.0, "subtitle": 12.5, "label": 12.0, "panel": 12.0, "tick": 10.5, "note": 10.5, "legend": 12.0}
# What XML 1.0 has no way to write, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NARROW, _WIDE = frozenset("ijltfrI.,:;'|!()[]/ -"), frozenset("mwMW@%")


def escape(content: str) -> str:
    """Return ``content`` fit for an element or a quoted attribute; what XML cannot hold becomes U+FFFD."""
    return saxutils.escape(_NOT_XML.sub("\ufffd", content), {'"': "&quot;", "'": "&apos;"})


def number(value: float) -> str:
    """Return a coordinate in pixels with at most two decimals and no superfluous zeros."""
    shown = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if shown == "-0" else shown


def text(
    x: float, y: float, content: str, style: str, *, anchor: str = "start", turned: bool = False, full: str = ""
) -> str:
    """Return a line of text.

    Parameters
    ----------
    x, y
        The anchor on the base line, in pixels.
    content
        What it says; escaped here.
    style
        One of title, subtitle, label, panel, tick, note and legend.
    anchor
        Which part of the text stands at ``x``: start, middle or end.
    turned
        Whether it reads upwards.
    full
        What a shortened text says in full, shown when the pointer rests on it.
    """
    place = f'x="{number(x)}" y="{number(y)}"'
    if turned:
        place += f' transform="rotate(-90 {number(x)} {number(y)})"'
    if anchor != "start":
        place += f' text-anchor="{anchor}"'
    hint = f"<title>{escape(full)}</title>" if full and full != content else ""
    return f'<text class="{style}" {place}>{hint}{escape(content)}</text>'


def segment(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    """Return a straight line; ``style`` is grid, axis, rule or exact."""
    ends = f'x1="{number(x1)}" y1="{number(y1)}" x2="{number(x2)}" y2="{number(y2)}"'
    return f'<line class="{style}" {ends}/>'


def polyline(points: Iterable[tuple[float, float]]) -> str:
    """Return an open line through ``points`` (x, y), in its group's colour."""
    way = " ".join(f"{number(x)},{number(y)}" for x, y in points)
    return f'<polyline class="curve" points="{way}"/>'


def series_group(index: int, parts: Iterable[str]) -> str:
    """Return ``parts`` in the colour of the series at ``index``; the colours repeat after the last."""
    return f'<g class="s{index % len(PALETTE)}">{"".join(parts)}</g>'


def marker(index: int, x: float, y: float, size: float) -> str:
    """Return the marker of the series at ``index``: five shapes, so that colour is never all that tells.

    ``size`` is the half-width in pixels.
    """
    round_of = (index + index // len(PALETTE)) % 5
    if round_of == 0:
        return f'<circle class="dot" cx="{number(x)}" cy="{number(y)}" r="{number(size)}"/>'
    corners = {
        1: ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
        2: ((0, -1.2), (1.1, 0.85), (-1.1, 0.85)),
        3: ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
        4: ((0, 1.2), (1.1, -0.85), (-1.1, -0.85)),
    }[round_of]
    way = " ".join(f"{number(x + dx * size)},{number(y + dy * size)}" for dx, dy in corners)
    return f'<polygon class="dot" points="{way}"/>'


def text_width(content: str, style: str) -> float:
    """Return about how many pixels wide ``content`` is, rather too many than too few."""
    return sum(map(_letter_width, content)) * _SIZES[style]


def shorten(content: str, style: str, width: float) -> str:
    """Return ``content``, cut with an ellipsis where it would be wider than ``width`` pixels."""
    content = _NOT_XML.sub("\ufffd", " ".join(content.split()))
    if text_width(content, style) <= width:
        return content
    while content and text_width(content + "…", style) > width:
        content = content[:-1]
    return content.rstrip() + "…"


def legend_rows(names: Sequence[str], *, x: float, y: float, width: float, rule: str = "") -> tuple[list[str], float]:
    """Return the legend of curves that runs from (``x``, ``y``) and wraps at ``width``, and its height.

    Parameters
    ----------
    names
        The series, in the order of their colours.
    x, y
        The left end and the middle of the first row, in pixels.
    width
        Room for a row, in pixels.
    rule
        What the dashed line means; nothing when there is none.
    """
    parts, left, row, key = [], x, y, 30.0
    for index, name in enumerate(names):
        shown = shorten(name, "legend", width - key)
        entry = key + text_width(shown, "legend")
        if left > x and left + entry > x + width:
            left, row = x, row + 20
        sample = [polyline([(left, row), (left + 22, row)]), marker(index, left + 11, row, 3.6)]
        parts.append(series_group(index, sample))
        parts.append(text(left + key - 2, row + 4, shown, "legend", full=name))
        left += entry + 14
    if rule:
        if left > x and left + key + text_width(rule, "legend") > x + width:
            left, row = x, row + 20
        parts.append(segment(left, row, left + 22, row, "rule"))
        parts.append(text(left + key - 2, row + 4, rule, "legend"))
    return parts, row - y + 20


def heading(title: str, subtitle: str, width: float) -> list[str]:
    """Return the two lines at the top of a picture that is ``width`` pixels wide; they end 60 pixels down."""
    parts = [text(24, 34, shorten(title, "title", width - 48), "title", full=title)]
    if subtitle:
        parts.append(text(24, 55, shorten(subtitle, "subtitle", width - 48), "subtitle", full=subtitle))
    return parts


def document(width: float, height: float, title: str, parts: Iterable[str]) -> str:
    """Return the whole file: ``parts`` on a ground of ``width`` x ``height`` pixels, called ``title``."""
    name = escape(title)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {number(width)} {number(height)}" '
            f'width="{number(width)}" height="{number(height)}" role="img" aria-label="{name}">',
            f"<title>{name}</title>",
            f"<style>{_style_sheet()}</style>",
            f'<rect class="ground" width="{number(width)}" height="{number(height)}" rx="6"/>',
            *parts,
            "</svg>",
            "",
        ]
    )


def _letter_width(letter: str) -> float:
    """Return the width of a letter as a share of the font's size, in the widest of the fonts."""
    if letter in _NARROW:
        return 0.36
    if letter in _WIDE or unicodedata.east_asian_width(letter) in "WF":
        return 1.0
    return 0.64


def _style_sheet() -> str:
    rules = [f"text{{font-family:{_FONT};font-variant-numeric:tabular-nums}}"]
    rules += [f".{style}{{font-size:{number(size)}px}}" for style, size in _SIZES.items()]
    rules += [
        ".title,.panel{font-weight:600}",
        ".grid,.axis,.rule{fill:none;stroke-width:1;shape-rendering:crispEdges}",
        ".rule{stroke-dasharray:4 3;shape-rendering:auto}",
        ".exact{fill:none;stroke-width:1.2;stroke-opacity:.7}",
        ".curve{fill:none;stroke-width:1.6;stroke-linejoin:round;stroke-linecap:round}",
        ".dot{stroke:none}",
        ".cloud{fill-opacity:.5}.few{fill-opacity:.85}",
        _colours(_LIGHT, 0),
        f"@media (prefers-color-scheme:dark){{{_colours(_DARK, 1)}}}",
    ]
    return "".join(rules)


def _colours(theme: dict[str, str], column: int) -> str:
    rules = [
        f".ground{{fill:{theme['ground']}}}",
        f".title,.panel,.label,.legend{{fill:{theme['ink']}}}",
        f".subtitle,.tick,.note{{fill:{theme['muted']}}}",
        f".grid{{stroke:{theme['grid']}}}.axis,.rule{{stroke:{theme['axis']}}}",
        f".exact{{stroke:{theme['ink']}}}.band{{fill:{theme['grid']}}}",
    ]
    rules += [f".s{i}{{fill:{pair[column]};stroke:{pair[column]}}}" for i, pair in enumerate(PALETTE)]
    return "".join(rules)
