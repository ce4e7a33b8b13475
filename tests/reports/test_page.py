import re
from html.parser import HTMLParser

import pytest

from vmafcast.reports.page import Section, page_html, shown


class Tags(HTMLParser):
    """Collects a page's tags and its text, and refuses one that is not closed."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.words = [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in {"meta", "link", "br", "img"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def parsed(html):
    tags = Tags()
    tags.feed(html)
    assert tags.open == []
    return tags


SECTION = Section("Scores & more", "a < b", ("group", "RMSE"), [("one", 0.25), ("two", None)], picture="<svg></svg>")


def test_a_page_holds_its_sections_tables_and_pictures():
    tags = parsed(page_html("A page", [SECTION, SECTION]))
    names = [tag for tag, _ in tags.seen]
    assert names.count("h2") == names.count("table") == names.count("svg") == 2
    assert "0.2500" in tags.words
    assert "—" in tags.words


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "</table>", '"&<>'])
def test_markup_in_names_is_shown_and_not_obeyed(text):
    html = page_html(text, [Section(text, text, (text,), [(text,)])])
    tags = parsed(html)
    assert "script" not in [tag for tag, _ in tags.seen]
    assert "".join(tags.words).count(text) == 6  # title twice, heading, sentence, column, value... each as text


def test_a_page_loads_nothing():
    html = page_html("A page", [SECTION])
    assert not re.search(r"(src|href)\s*=|@import|url\(", html)


@pytest.mark.parametrize(
    ("value", "text"), [(None, "—"), (0.12345, "0.1235"), (93.456, "93.46"), (12345, "12,345"), ("x", "x")]
)
def test_values_are_shown_as_people_read_them(value, text):
    assert shown(value) == text
