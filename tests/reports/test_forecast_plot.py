"""The picture of a forecast."""

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from vmafcast.common.errors import DataError
from vmafcast.reports.forecast import Band, forecast_svg

SVG = "{http://www.w3.org/2000/svg}"
VMAF = Band("VMAF", [20.0, 30.0, 40.0], [97.0, 88.0, 60.0], [95.0, 85.0, 50.0], [98.0, 91.0, 70.0])
KBPS = Band("kbit/s", [20.0, 30.0, 40.0], [4000.0, 900.0, 200.0], [3000.0, 700.0, 150.0], [5000.0, 1200.0, 300.0])


def bands(svg):
    return [each for each in ET.fromstring(svg).iter(f"{SVG}polygon") if each.get("fill-opacity")]


def test_it_shows_two_curves_with_their_bands():
    svg = forecast_svg(VMAF, KBPS, title="clip & co", subtitle="90 % intervals")
    root = ET.fromstring(svg)
    assert root.find(f"{SVG}title").text == "clip & co"
    assert len(list(root.iter(f"{SVG}polyline"))) == 2
    assert len(bands(svg)) == 2
    assert all(len(band.get("points").split()) == 6 for band in bands(svg))


def test_the_band_encloses_the_curve():
    svg = forecast_svg(VMAF, KBPS, title="x")
    for line, band in zip(ET.fromstring(svg).iter(f"{SVG}polyline"), bands(svg), strict=True):
        curve = [tuple(map(float, point.split(","))) for point in line.get("points").split()]
        corners = [tuple(map(float, point.split(","))) for point in band.get("points").split()]
        for (x, y), (low_x, low), (high_x, high) in zip(curve, corners[:3], reversed(corners[3:]), strict=True):
            assert x == low_x == high_x
            assert high <= y <= low  # pixels count downwards


def test_without_intervals_there_is_no_band():
    bare = Band("VMAF", VMAF.x, VMAF.y, [None] * 3, [None] * 3)
    assert len(bands(forecast_svg(bare, KBPS, title="x"))) == 1


def rings(svg):
    return [each for each in ET.fromstring(svg).iter(f"{SVG}circle") if each.get("fill") == "none"]


def test_an_encode_that_was_made_is_a_ring_at_what_was_measured():
    assert rings(forecast_svg(VMAF, KBPS, title="x")) == []
    on_the_curve, above, beyond = (30.0, 88.0), (30.0, 92.0), (45.0, 40.0)
    drawn = forecast_svg(replace(VMAF, made=[on_the_curve, above, beyond]), KBPS, title="x")
    curve = next(ET.fromstring(drawn).iter(f"{SVG}polyline")).get("points").split()
    [first, second, third] = [(float(each.get("cx")), float(each.get("cy"))) for each in rings(drawn)]
    assert first == tuple(map(float, curve[1].split(",")))
    assert second[0] == first[0]
    assert second[1] < first[1]  # pixels count downwards
    assert third[0] > float(curve[2].split(",")[0])
    assert third[1] > float(curve[2].split(",")[1])


def test_the_same_forecast_gives_the_same_bytes():
    assert forecast_svg(VMAF, KBPS, title="x") == forecast_svg(VMAF, KBPS, title="x")


@pytest.mark.parametrize(
    "rate",
    [
        Band("kbit/s", [20.0], [1.0], [None], [None]),
        Band("kbit/s", [20.0, 30.0], [1.0, 0.0], [None] * 2, [None] * 2),
        Band("kbit/s", [20.0, 30.0], [1.0, float("nan")], [None] * 2, [None] * 2),
    ],
)
def test_what_cannot_be_drawn_is_refused(rate):
    with pytest.raises(DataError):
        forecast_svg(VMAF, rate, title="x")
