from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from vmafcast.common.errors import DataError
from vmafcast.reports.calibration import CoverageCurve, CoveragePanel, calibration_svg

SVG = "{http://www.w3.org/2000/svg}"


def curve(
    name="conformal", nominal=(0.5, 0.8, 0.9), coverage=(0.52, 0.81, 0.93), low=(0.4, 0.7, 0.9), high=(0.6, 0.9, 1.0)
):
    return CoverageCurve(name, nominal, coverage, low, high)


def draw(panels, **options):
    text = calibration_svg(panels, title="t", **options)
    assert text == calibration_svg(panels, title="t", **options)
    return ET.fromstring(text)


def marks(root):
    """Return the circles inside series groups, those of the legend (three of which stand above) aside."""
    return [
        (float(mark.attrib["cx"]), float(mark.attrib["cy"]))
        for group in root.findall(f"{SVG}g")
        if len(group) > 2
        for mark in group
        if mark.tag == f"{SVG}circle"
    ]


def diagonal(root):
    [line] = [line for line in root.findall(f"{SVG}line") if line.attrib["class"] == "exact"]
    return tuple(float(line.attrib[key]) for key in ("x1", "y1", "x2", "y2"))


def test_points_stand_where_they_belong():
    root = draw(
        [CoveragePanel("clips", [curve(nominal=(0.4, 0.7, 1.0), coverage=(0.4, 0.85, 1.0), low=(0.4, 0.8, 1.0))])]
    )
    x1, y1, x2, y2 = diagonal(root)
    places = marks(root)
    assert places[0] == pytest.approx((x1, y1), abs=0.02)
    assert places[1] == pytest.approx(((x1 + x2) / 2, y1 + 0.75 * (y2 - y1)), abs=0.02)
    assert places[2] == pytest.approx((x2, y2), abs=0.02)
    assert x2 - x1 == pytest.approx(y1 - y2, abs=0.02)  # the panel is square


def test_error_bars_reach_from_low_to_high():
    root = draw([CoveragePanel("clips", [curve(nominal=(0.5,), coverage=(0.5,), low=(0.5,), high=(1.0,))])])
    _, y1, _, y2 = diagonal(root)
    bars = [
        line for group in root.findall(f"{SVG}g") if len(group) > 2 for line in group if line.tag == f"{SVG}polyline"
    ]
    ends = [float(pair.split(",")[1]) for pair in bars[1].attrib["points"].split()]
    assert ends == pytest.approx([y1, y2], abs=0.02)


def test_methods_keep_their_colour_from_panel_to_panel_and_stand_side_by_side():
    a, b = curve("a"), curve("b")
    root = draw([CoveragePanel("frames", [b]), CoveragePanel("clips", [a, b])])
    groups = [group.attrib["class"] for group in root.findall(f"{SVG}g") if len(group) > 2]
    assert groups == ["s0", "s1", "s0"]
    texts = [element.text for element in root.findall(f"{SVG}text")]
    assert {"frames", "clips", "nominal level", "share covered", "a", "b"} <= set(texts)


def test_more_panels_than_fit_go_into_the_next_row():
    one = draw([CoveragePanel(str(n), [curve()]) for n in range(3)])
    two = draw([CoveragePanel(str(n), [curve()]) for n in range(4)])
    assert float(two.attrib["height"]) > float(one.attrib["height"]) + 200


@pytest.mark.parametrize("lowest", [0.0, 0.05, 0.31, 0.95, 1.0])
def test_everything_lies_inside_the_axes(lowest):
    root = draw([CoveragePanel("clips", [curve(nominal=(lowest,), coverage=(lowest,), low=(lowest,), high=(1.0,))])])
    x1, y1, x2, y2 = diagonal(root)
    [(x, y)] = marks(root)
    assert x1 - 0.02 <= x <= x2 + 0.02
    assert y2 - 0.02 <= y <= y1 + 0.02


@pytest.mark.parametrize(
    "panels",
    [
        [],
        [CoveragePanel("clips", [])],
        [CoveragePanel("clips", [curve(nominal=())])],
        [CoveragePanel("clips", [curve(low=(0.4,))])],
        [CoveragePanel("clips", [curve(coverage=(0.5, 0.8, 1.1))])],
        [CoveragePanel("clips", [curve(coverage=(0.5, 0.8, float("nan")))])],
    ],
)
def test_what_cannot_be_drawn_is_refused(panels):
    with pytest.raises(DataError, match="calibration plot"):
        calibration_svg(panels, title="t")
