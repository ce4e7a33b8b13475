from __future__ import annotations

import itertools
import math
import random
import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vmafcast.common.errors import DataError
from vmafcast.reports.axes import Series
from vmafcast.reports.scatter import scatter_svg

SVG = "{http://www.w3.org/2000/svg}"
score = st.floats(-20, 120)


def make(name, count, seed=0):
    rng = random.Random(seed)
    x = [100 * rng.random() for _ in range(count)]
    return Series(name, x, [min(100.0, max(0.0, value + rng.gauss(0, 3))) for value in x])


def draw(series, **options):
    return ET.fromstring(scatter_svg(series, **{"title": "Predicted against measured", **options}))


def clouds(root):
    return [group for group in root.findall(f"{SVG}g") if group.attrib["class"] in {"cloud", "few"}]


def dots(root):
    """Return the centre of every drawn point with its series class."""
    found = []
    for cloud in clouds(root):
        for group in cloud:
            for mark in group:
                if mark.tag == f"{SVG}circle":
                    centre = float(mark.attrib["cx"]), float(mark.attrib["cy"])
                else:
                    corners = [tuple(map(float, pair.split(","))) for pair in mark.attrib["points"].split()]
                    centre = tuple(sum(axis) / len(corners) for axis in zip(*corners, strict=True))
                found.append((group.attrib["class"], *centre))
    return found


def square(root):
    """Return the box that the grid spans: left, top, right, bottom."""
    lines = [line for line in root.findall(f"{SVG}line") if line.attrib["class"] == "grid"]
    xs = [float(line.attrib[key]) for line in lines for key in ("x1", "x2")]
    ys = [float(line.attrib[key]) for line in lines for key in ("y1", "y2")]
    return min(xs), min(ys), max(xs), max(ys)


@settings(max_examples=40, deadline=None)
@given(points=st.lists(st.tuples(score, score), min_size=1, max_size=30))
def test_every_point_lies_inside_the_axes(points):
    root = draw([Series("e", [x for x, _ in points], [y for _, y in points])])
    left, top, right, bottom = square(root)
    assert right - left == pytest.approx(bottom - top, abs=0.1)
    assert len(dots(root)) == len(points)
    for _, x, y in dots(root):
        assert left - 0.02 <= x <= right + 0.02
        assert top - 0.02 <= y <= bottom + 0.02


def test_points_stand_where_they_belong():
    root = draw([Series("e", [0.0, 100.0, 50.0], [0.0, 100.0, 75.0])])
    left, top, right, bottom = square(root)
    places = sorted((x, y) for _, x, y in dots(root))
    assert places[0] == pytest.approx((left, bottom), abs=0.01)
    assert places[1] == pytest.approx(((left + right) / 2, bottom - 0.75 * (bottom - top)), abs=0.01)
    assert places[2] == pytest.approx((right, top), abs=0.01)
    diagonal = next(line for line in root.findall(f"{SVG}line") if line.attrib["class"] == "exact")
    ends = [float(diagonal.attrib[key]) for key in ("x1", "y1", "x2", "y2")]
    assert ends == pytest.approx([left, bottom, right, top], abs=0.01)


def test_limits_are_kept_and_widened_only_where_points_lie_outside():
    series = [Series("e", [50.0, 60.0], [52.0, 61.0])]

    def ends(root):
        ticks = [e.text for e in root.findall(f"{SVG}text") if e.attrib["class"] == "tick"]
        return float(ticks[0]), max(map(float, ticks))

    assert ends(draw(series, limits=(0, 100))) == (0, 100)
    assert ends(draw(series, limits=(40, 80))) == (40, 80)
    low, high = ends(draw(series, limits=(55, 58)))
    assert low <= 50
    assert high >= 60


def test_thinning_is_even_and_the_picture_says_so():
    # Rows come source by source: an even thinning keeps the share of each.
    x = [float(i // 1000) * 10 for i in range(10_000)]
    root = draw([Series("many", x, x), make("few", 20)], most=500)
    found = dots(root)
    assert 400 < len(found) <= 500
    assert any(style == "s1" for style, *_ in found)
    per_source = [
        sum(1 for style, px, _ in found if style == "s0" and round(px, 1) == p)
        for p in sorted({round(px, 1) for style, px, _ in found if style == "s0"})
    ]
    assert len(per_source) == 10
    assert max(per_source) - min(per_source) <= 3
    note = f"{len(found)} of 10\u202f020 points drawn"
    assert note in [element.text for element in root.findall(f"{SVG}text")]
    assert "points drawn" not in scatter_svg([make("few", 20)], title="t")


def test_every_series_keeps_a_point():
    root = draw([make("huge", 5000), Series("single", [50.0], [50.0])], most=100)
    assert {style for style, *_ in dots(root)} == {"s0", "s1"}


def test_series_take_turns_so_that_none_covers_another():
    root = draw([make("a", 300, 1), make("b", 300, 2)])
    order = [group[0].attrib["class"] for group in clouds(root)]
    assert order[:4] == ["s0", "s1", "s0", "s1"]
    assert len(order) == 16


def test_same_values_same_bytes():
    series = [make("a", 4000, 1), make("b", 50, 2)]
    assert scatter_svg(series, title="t", subtitle="s") == scatter_svg(series, title="t", subtitle="s")


def test_the_callers_words_appear_and_counts_too():
    root = draw([make("libx264", 1234)], subtitle="PLCC 0.98, RMSE 4.1", x_label="truth", y_label="guess", band=3)
    words = ["".join(element.itertext()) for element in root.iter(f"{SVG}text")]
    for word in ("Predicted against measured", "PLCC 0.98, RMSE 4.1", "truth", "guess", "libx264", "within ±3"):
        assert word in words
    assert "1\u202f234" in words
    assert not any(element.attrib["class"] == "subtitle" for element in draw([make("a", 3)]).iter(f"{SVG}text"))


def test_no_band_when_none_is_wanted():
    assert 'class="band"' in scatter_svg([make("a", 5)], title="t")
    assert 'class="band"' not in scatter_svg([make("a", 5)], title="t", band=None)
    # A band wider than the square is cut to it.
    root = draw([make("a", 5)], band=500)
    left, top, right, bottom = square(root)
    shape = next(e for e in root.findall(f"{SVG}polygon") if e.attrib["class"] == "band")
    for pair in shape.attrib["points"].split():
        x, y = map(float, pair.split(","))
        assert left <= x <= right
        assert top <= y <= bottom


def test_no_two_texts_overlap():
    series = [
        make(f"{codec}_{maker}", 40, i)
        for i, (codec, maker) in enumerate(
            (codec, maker)
            for codec in ("h264", "hevc", "av1")
            for maker in ("nvenc", "qsv", "amf", "videotoolbox", "vaapi")
        )
    ]
    root = draw(series, subtitle="15 encoders")
    height = float(root.attrib["height"])
    legend = [e for e in root.findall(f"{SVG}text") if e.attrib["class"] == "legend"]
    rows = [float(element.attrib["y"]) for element in legend]
    assert len(rows) == 15
    assert min(b - a for a, b in itertools.pairwise(rows)) >= 14
    assert max(float(element.attrib["y"]) for element in root.findall(f"{SVG}text")) < height


@pytest.mark.parametrize("name", ["<b>&\"'", "a\x00b", "\ud800", "x" * 500, "", "名前"])
def test_hostile_names(name):
    root = draw([Series(name, [1.0], [2.0])], title=name, subtitle=name, x_label=name, y_label=name)
    assert len(dots(root)) == 1
    assert not re.search("<b>", ET.tostring(root, encoding="unicode"))


@pytest.mark.parametrize(
    ("series", "options"),
    [
        ([], {}),
        ([Series("a", [], [])], {}),
        ([Series("a", [1.0], [math.nan])], {}),
        ([Series("a", [math.inf], [1.0])], {}),
        ([Series("a", [1.0, 2.0], [1.0])], {}),
        ([Series("a", [1.0], [1.0])], {"limits": (5.0, 5.0)}),
        ([Series("a", [1.0], [1.0])], {"limits": (math.nan, 5.0)}),
        ([Series("a", [1.0], [1.0])], {"limits": (0.0, math.inf)}),
        ([Series("a", [1.0], [1.0])], {"band": 0.0}),
        ([Series("a", [1.0], [1.0])], {"band": math.nan}),
    ],
)
def test_what_cannot_be_drawn_is_refused(series, options):
    with pytest.raises(DataError, match="the scatter plot"):
        scatter_svg(series, title="t", **options)
