from __future__ import annotations

from pathlib import Path

import pytest

from vmafcast.common.errors import DataError, RequestError
from vmafcast.corpus.sources import MANIFEST_NAME, SourceFile, find_sources


@pytest.fixture
def folder(tmp_path):
    """Videos by name only: who finds them does not open them."""
    for name in ("b.mkv", "a.mp4", "c.Y4M", "notes.txt", "a.srt"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def manifest(folder, text, encoding="utf-8"):
    (folder / MANIFEST_NAME).write_bytes(text.encode(encoding))


GOOD = "file,name,source_group,licence\nb.mkv,bee,insects,CC0\na.mp4,ant,insects,CC0\n"


def test_a_folder_without_a_manifest_is_all_its_videos_each_a_group(folder):
    assert find_sources([folder]) == [
        SourceFile("a", folder / "a.mp4", "a"),
        SourceFile("b", folder / "b.mkv", "b"),
        SourceFile("c", folder / "c.Y4M", "c"),
    ]


def test_a_manifest_says_which_clips_and_which_are_the_same_material(folder):
    manifest(folder, GOOD)
    assert find_sources([folder]) == [
        SourceFile("ant", folder / "a.mp4", "insects"),
        SourceFile("bee", folder / "b.mkv", "insects"),
    ]


def test_a_single_file_is_known_to_the_manifest_beside_it(folder):
    manifest(folder, GOOD)
    assert find_sources([folder / "b.mkv"]) == [SourceFile("bee", folder / "b.mkv", "insects")]
    assert find_sources([folder / "c.Y4M"]) == [SourceFile("c", folder / "c.Y4M", "c")]


def test_a_single_file_may_have_any_suffix(folder):
    assert find_sources([folder / "notes.txt"]) == [SourceFile("notes", folder / "notes.txt", "notes")]


def test_the_order_of_the_places_does_not_matter_and_nothing_comes_twice(folder, monkeypatch):
    monkeypatch.chdir(folder)
    once = find_sources([folder])
    assert [each.name for each in find_sources([folder / "c.Y4M", folder, Path("a.mp4"), folder])] == ["a", "b", "c"]
    assert find_sources([folder, folder / "b.mkv"]) == once


def test_two_files_of_one_name_are_refused(folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.mkv").write_bytes(b"")
    with pytest.raises(RequestError, match=r"a\.mp4 and .*a\.mkv would both be called a; rename one"):
        find_sources([folder, other])
    (folder / "b.mov").write_bytes(b"")
    with pytest.raises(RequestError, match="would both be called b"):
        find_sources([folder])


def test_two_lines_of_a_manifest_with_one_name_are_refused(folder):
    manifest(folder, "file,name,source_group\nb.mkv,bee,one\na.mp4,bee,two\n")
    with pytest.raises(RequestError, match="would both be called bee"):
        find_sources([folder])


def test_a_file_that_a_manifest_names_twice_is_refused(folder):
    """With two groups, the same material would be trained on and tested on."""
    manifest(folder, "file,name,source_group\nb.mkv,bee,one\nb.mkv,wasp,two\n")
    with pytest.raises(DataError, match=r"line 3: b\.mkv"):
        find_sources([folder])


def test_what_is_not_there(folder):
    with pytest.raises(RequestError, match=r"absent\.mkv does not exist"):
        find_sources([folder / "absent.mkv"])
    (folder / "empty").mkdir()
    with pytest.raises(RequestError, match=r"empty holds no video"):
        find_sources([folder / "empty"])


def test_a_manifest_that_names_what_is_not_there(folder):
    manifest(folder, GOOD + "absent.mkv,x,x,CC0\n")
    with pytest.raises(DataError, match=r"MANIFEST\.csv names absent\.mkv, which is not there"):
        find_sources([folder])


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("file,name\nb.mkv,bee\n", 2, "source_group"),
        ("name,source_group\nbee,x\n", 2, "file"),
        ("file,name,source_group\nb.mkv,bee,x\na.mp4,,x\n", 3, "name"),
        ("file,name,source_group\nb.mkv\n", 2, "name"),
        ("just words\nand more words\n", 2, "file"),
    ],
)
def test_a_manifest_that_lacks_something_is_named_with_its_line(folder, text, line, column):
    manifest(folder, text)
    with pytest.raises(DataError, match=rf"MANIFEST\.csv, line {line}: there is no {column}"):
        find_sources([folder])


@pytest.mark.parametrize("data", [b"\xff\xfe\x00 words", b"file,name,source_group\n\xe9.mkv,x,y\n"])
def test_a_manifest_that_is_no_text_is_named(folder, data):
    (folder / MANIFEST_NAME).write_bytes(data)
    with pytest.raises(DataError, match=r"MANIFEST\.csv"):
        find_sources([folder])


def test_a_manifest_from_a_spreadsheet_may_begin_with_a_mark_and_end_lines_as_windows_does(folder):
    manifest(folder, GOOD.replace("\n", "\r\n"), encoding="utf-8-sig")
    assert [each.name for each in find_sources([folder])] == ["ant", "bee"]


def test_a_name_with_a_comma_can_be_quoted(folder):
    manifest(folder, 'file,name,source_group\nb.mkv,"bee, flying",insects\n')
    assert [each.name for each in find_sources([folder])] == ["bee, flying"]


def test_a_clip_in_a_folder_below(folder):
    (folder / "deep").mkdir()
    (folder / "deep" / "d.mkv").write_bytes(b"")
    manifest(folder, "file,name,source_group\ndeep/d.mkv,dee,x\n")
    assert find_sources([folder]) == [SourceFile("dee", folder / "deep" / "d.mkv", "x")]


def test_hidden_files_are_no_sources(folder):
    """A temporary that is being written, or what some systems put beside every file."""
    for name in (".vmafcast-1-ab.d.mkv", "._a.mp4"):
        (folder / name).write_bytes(b"")
    assert [each.name for each in find_sources([folder])] == ["a", "b", "c"]


@pytest.mark.clips
def test_the_real_clips_and_their_groups(clips_folder):
    found = find_sources([clips_folder])
    assert len(found) > len({each.group for each in found}) > 1
    assert all(each.path.is_file() for each in found)
