from __future__ import annotations

import math
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vmafcast.common.errors import DataError
from vmafcast.reports.axes import Series
from vmafcast.reports.curves import Panel, curves_svg
from vmafcast.reports.svg import text_width

SVG = "{http://www.w3.org/2000/svg}"


def make_panels(count, encoders=("libx264", "libx265", "libsvtav1")):
    return [
        Panel(
            f"source_{i:02d}",
            [
                Series(name, [30.0 * (i + 1) * (j + 1) * 2**k for k in range(5)], [40.0 + 11 * k + j for k in range(5)])
                for j, name in enumerate(encoders)
            ],
        )
        for i in range(count)
    ]


def draw(panels, **options):
    return ET.fromstring(curves_svg(panels, **{"title": "Rate and quality", **options}))


def texts(root, style):
    return [element for element in root.findall(f"{SVG}text") if element.attrib["class"] == style]


def polylines(root):
    """Return the class and the points of every curve, the samples in the legend left out."""
    found = []
    for group in root.findall(f"{SVG}g"):
        for line in group.findall(f"{SVG}polyline"):
            points = [tuple(map(float, pair.split(","))) for pair in line.attrib["points"].split()]
            if len(points) > 2:
                found.append((group.attrib["class"], points))
    return found


@pytest.mark.parametrize("count", [1, 2, 4, 5, 12, 14, 16])
def test_every_source_has_a_panel_of_its_own_and_all_fit(count):
    root = draw(make_panels(count))
    names = texts(root, "panel")
    assert [element.text for element in names] == [f"source_{i:02d}" for i in range(count)]
    assert len({(element.attrib["x"], element.attrib["y"]) for element in names}) == count
    assert len(polylines(root)) == 3 * count
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    assert width == 900
    for element in root.findall(f"{SVG}text"):
        reach = text_width(element.text, element.attrib["class"])
        place = float(element.attrib["x"])
        anchor = element.attrib.get("text-anchor", "start")
        if "transform" not in element.attrib:
            left = place - reach * {"start": 0, "middle": 0.5, "end": 1}[anchor]
            assert left >= 0
            assert left + reach <= width + 12
        assert 0 < float(element.attrib["y"]) < height


def test_curves_stay_in_their_panels():
    panels = make_panels(6)
    root = draw(panels, columns=3)
    axes = [line for line in root.findall(f"{SVG}line") if line.attrib["class"] == "axis"]
    boxes = [(float(a.attrib["x1"]), float(a.attrib["x2"]), float(a.attrib["y1"])) for a in axes]
    assert len(boxes) == 6
    for index, (_, points) in enumerate(polylines(root)):
        left, right, foot = boxes[index // 3]
        for x, y in points:
            assert left <= x <= right
            assert foot - 128 <= y <= foot


@settings(max_examples=40, deadline=None)
@given(
    points=st.lists(
        st.tuples(st.floats(0.5, 1e6), st.floats(0, 100)), min_size=3, max_size=12, unique_by=lambda pair: pair[0]
    )
)
def test_any_measured_curve_can_be_drawn_and_runs_by_bitrate(points):
    root = draw([Panel("p", [Series("e", [x for x, _ in points], [y for _, y in points])])])
    ((_, drawn),) = polylines(root)
    assert len(drawn) == len(points)
    assert [x for x, _ in drawn] == sorted(x for x, _ in drawn)
    ranked = [y for _, y in sorted(points)]
    for (_, high), (_, low), a, b in zip(drawn, drawn[1:], ranked, ranked[1:], strict=False):
        assert (a >= b) == (high <= low) or abs(high - low) < 0.011


def test_an_encoder_keeps_its_colour_where_others_are_missing():
    panels = [
        Panel("both", [Series("a", [1.0, 2.0, 4.0], [1.0, 2.0, 3.0]), Series("b", [1.0, 2.0, 4.0], [2.0, 3.0, 4.0])]),
        Panel("second only", [Series("b", [1.0, 2.0, 4.0], [2.0, 3.0, 4.0])]),
    ]
    root = draw(panels)
    assert [style for style, _ in polylines(root)] == ["s0", "s1", "s1"]
    assert [element.text for element in texts(root, "legend")] == ["a", "b"]


def test_axes_are_shared_and_labelled_once_per_row_and_column():
    root = draw(make_panels(8), columns=4)
    ticks = [element.text for element in texts(root, "tick")]
    # Two rows with y labels, four columns with x labels.
    assert ticks.count("100") >= 2
    per_column = [t for t in ticks if t.endswith("k")]
    assert len(per_column) % 4 == 0
    labels = ["".join(element.itertext()) for element in texts(root, "label")]
    assert labels == ["bitrate in kbps, logarithmic", "VMAF"]


def test_the_lowest_panel_of_every_column_has_its_bitrates():
    root = draw(make_panels(5), columns=4)
    feet = {element.attrib["y"] for element in texts(root, "tick") if element.attrib.get("text-anchor") == "middle"}
    assert len(feet) == 2


def test_the_target_is_marked_in_every_panel_and_explained():
    root = draw(make_panels(3), target=93)
    rules = [line for line in root.findall(f"{SVG}line") if line.attrib["class"] == "rule"]
    assert len(rules) == 3 + 1
    assert "target 93" in [element.text for element in texts(root, "legend")]
    assert 'class="rule"' not in curves_svg(make_panels(3), title="t")


def test_one_measured_point_is_a_marker_without_a_line():
    root = draw([Panel("p", [Series("e", [200.0], [90.0])])])
    assert polylines(root) == []
    groups = root.findall(f"{SVG}g")
    assert sum(len(group.findall(f"{SVG}circle")) for group in groups) == 2  # the legend's and its own


def test_same_values_same_bytes():
    assert curves_svg(make_panels(14), title="t", target=90) == curves_svg(make_panels(14), title="t", target=90)


@pytest.mark.parametrize("name", ["<b>&\"'", "a\x00b", "\udfff", "long " * 60, "", "名前"])
def test_hostile_names(name):
    panels = [Panel(name, [Series(name, [1.0, 2.0, 5.0], [2.0, 3.0, 4.0])])] * 2
    root = draw(panels, title=name, subtitle=name, x_label=name, y_label=name)
    assert len(polylines(root)) == 2
    assert root.find(f".//{SVG}b") is None


@pytest.mark.parametrize(
    ("panels", "options", "said"),
    [
        ([], {}, "no source"),
        ([Panel("p", [])], {}, "'p' has nothing to show"),
        ([Panel("p", [Series("e", [], [])])], {}, "'p': 'e'"),
        ([Panel("p", [Series("e", [1.0], [math.nan])])], {}, "'p': point 0 of 'e'"),
        ([Panel("p", [Series("e", [0.0], [50.0])])], {}, "above 0"),
        ([Panel("p", [Series("e", [1.0], [50.0])])], {"columns": 0}, "0 columns"),
        ([Panel("p", [Series("e", [1.0], [50.0])])], {"target": math.nan}, "target nan"),
    ],
)
def test_what_cannot_be_drawn_is_refused(panels, options, said):
    with pytest.raises(DataError, match=said):
        curves_svg(panels, title="t", **options)
