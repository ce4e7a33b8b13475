"""The table that says which sources of a foreign file are the same material."""

from __future__ import annotations

import pytest

from vmafcast.common.errors import DataError, RequestError
from vmafcast.corpus.foreign import SourceGroups
from vmafcast.corpus.importing import import_file


def test_source_groups_are_found_by_name_file_name_and_stem(jsonl, tmp_path):
    table = tmp_path / "groups.csv"
    table.write_text("name,file,source_group\npark_a,park_a.mkv,park\npark_b,,park\nlake,lake.y4m,lake\n")
    rows = [*jsonl.clip(src="park_a"), *jsonl.clip(src="/data/park_b.yuv"), *jsonl.clip(src="C:\\clips\\lake.y4m")]
    store, done = jsonl.take(tmp_path, rows, groups=SourceGroups.read(table))
    assert sorted(store.encodes()["source_group"]) == ["lake", "park", "park"]
    assert done.counts.source_groups == 2
    assert not any("group of its own" in words for words in done.notes)


def test_a_source_without_a_group_is_an_error_that_names_it(jsonl, tmp_path):
    table = tmp_path / "groups.csv"
    table.write_text("src,source_group\npark,parks\n")
    path = jsonl.write(tmp_path / "rows.jsonl", [*jsonl.clip(), *jsonl.clip(src="lake")])
    with pytest.raises(DataError, match=r"groups\.csv.*lake"):
        import_file(path, tmp_path / "corpus", groups=SourceGroups.read(table))
    assert not (tmp_path / "corpus").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("src,group\na,b\n", "source_group"),
        ("who,source_group\na,b\n", "name, src, source or file"),
        ("src,source_group\na,\n", "line 2"),
        ("src,source_group\n,b\n", "line 2"),
        ("src,source_group\na,b\na,c\n", "line 3: a is in the groups b and c"),
        ("", "source_group"),
    ],
)
def test_a_table_of_groups_that_cannot_be_meant(tmp_path, text, words):
    table = tmp_path / "groups.csv"
    table.write_text(text)
    with pytest.raises(DataError, match=words):
        SourceGroups.read(table)


def test_a_table_of_groups_that_cannot_be_read(tmp_path):
    (tmp_path / "groups.csv").write_bytes(b"\xff\xfe\x00")
    for name in ("groups.csv", "nowhere.csv"):
        with pytest.raises(RequestError, match=name):
            SourceGroups.read(tmp_path / name)
