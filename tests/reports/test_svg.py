from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmafcast.reports import svg

SVG = "{http://www.w3.org/2000/svg}"
hostile = st.text(st.characters(codec=None, exclude_categories=()), max_size=30)


@given(content=hostile)
def test_any_text_survives_xml_except_what_xml_cannot_hold(content):
    page = svg.document(10, 10, content, [svg.text(1, 2, content, "label", full=content + "!")])
    root = ET.fromstring(page)
    shown = root.find(f"{SVG}text").itertext()
    # A parser turns every line end into one newline, and nothing else changes.
    allowed = re.sub("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", content)
    expected = allowed.replace("\r\n", "\n").replace("\r", "\n")
    assert list(shown)[-1] == expected if expected else True
    assert root.find(f"{SVG}title").text == (expected or None)
    page.encode()


@pytest.mark.parametrize("name", ['"><script>alert(1)</script>', "a & b", "</text>", "'x' onload=\"y\"", "]]>"])
def test_a_hostile_name_stays_text(name):
    root = ET.fromstring(svg.document(10, 10, name, [svg.text(0, 0, name, "label", full=name + " ")]))
    assert root.attrib["aria-label"] == name
    assert not [element for element in root.iter() if element.tag.endswith("script")]
    assert "onload" not in {key for element in root.iter() for key in element.attrib}


@given(value=st.floats(-1e6, 1e6))
def test_numbers_are_short_and_near(value):
    shown = svg.number(value)
    assert float(shown) == pytest.approx(value, abs=0.00501)
    assert re.fullmatch(r"-?\d+(\.\d{1,2})?", shown)
    assert shown != "-0"


@given(content=st.text(max_size=60), width=st.floats(20, 300))
def test_shortened_text_fits(content, width):
    shown = svg.shorten(content, "legend", width)
    assert svg.text_width(shown, "legend") <= width
    kept = " ".join(content.split())
    if shown.endswith("…") and not kept.endswith("…"):
        assert svg.text_width(kept, "legend") > width


def test_what_fits_is_not_shortened():
    assert svg.shorten("libsvtav1", "legend", 100) == "libsvtav1"
    assert svg.text_width("名前", "legend") > svg.text_width("name"[:2], "legend") > svg.text_width("ll", "legend")


def test_a_hint_says_the_full_text_only_where_it_was_cut():
    assert "<title>" not in svg.text(0, 0, "whole", "label", full="whole")
    assert "<title>a long name</title>" in svg.text(0, 0, "a lo…", "label", full="a long name")


def test_series_differ_in_colour_and_in_shape():
    shapes = {re.sub(r"[-\d.]+", "", svg.marker(i, 50, 50, 3)) + str(svg.marker(i, 50, 50, 3)) for i in range(5)}
    assert len(shapes) == 5
    # The first colour comes again with another shape.
    count = len(svg.PALETTE)
    assert svg.series_group(0, []) == svg.series_group(count, [])
    looks = {(i % count, svg.marker(i, 0, 0, 3)) for i in range(5 * count)}
    assert len(looks) == 5 * count


def test_the_palette_can_be_told_apart_on_its_ground():
    def luminance(colour):
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for light, dark in svg.PALETTE:
        assert 1.05 / (luminance(light) + 0.05) > 2, f"{light} is too pale for white"
        assert (luminance(dark) + 0.05) / (luminance("#0d1117") + 0.05) > 5, f"{dark} is too dim for a dark ground"
    assert len({light for light, _ in svg.PALETTE}) == len(svg.PALETTE)


def test_a_legend_wraps_and_says_how_high_it_is():
    names = [f"encoder_number_{i}" for i in range(12)]
    parts, height = svg.legend_rows(names, x=20, y=50, width=400, rule="target 93")
    root = ET.fromstring(svg.document(440, 400, "legend", parts))
    texts = root.findall(f"{SVG}text")
    assert [element.text for element in texts] == [*names, "target 93"]
    rows = {float(element.attrib["y"]) for element in texts}
    assert len(rows) > 3
    assert max(rows) <= 50 + height
    for element in texts:
        assert float(element.attrib["x"]) + svg.text_width(element.text, "legend") <= 420
    one, low = svg.legend_rows(["only"], x=20, y=50, width=400)
    assert low == 20
    assert len(one) == 2


def test_a_picture_needs_nothing_from_outside_and_knows_both_themes():
    page = svg.document(30, 20, "t", [])
    assert re.findall(r"https?://[^\"]+", page) == ["http://www.w3.org/2000/svg"]
    for word in ("@import", "url(", "<script", "href", "<image", "@font-face"):
        assert word not in page
    assert "prefers-color-scheme:dark" in page
    assert page.count("{") == page.count("}")
    assert page.endswith("</svg>\n")


def test_every_style_that_elements_use_is_in_the_style_sheet():
    sheet = svg.document(1, 1, "t", [])
    used = ["title", "subtitle", "label", "panel", "tick", "note", "legend", "grid", "axis", "rule", "exact"]
    used += ["curve", "dot", "cloud", "few", "band", "ground", "s0", f"s{len(svg.PALETTE) - 1}"]
    assert [style for style in used if f".{style}" not in sheet] == []
