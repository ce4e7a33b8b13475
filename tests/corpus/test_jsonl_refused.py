"""Per-frame JSON lines that cannot be used, and places that cannot be written."""

from __future__ import annotations

import json
import os

import pytest

from vmafcast.common.errors import DataError, OutputError, RequestError
from vmafcast.corpus.importing import import_file
from vmafcast.corpus.jsonl import LONGEST_LINE, JsonLines


def refused(tmp_path, content, *words):
    """An import that ends in an error with these words, and leaves nothing behind."""
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else "\n".join(map(json.dumps, content)).encode() + b"\n")
    with pytest.raises(DataError) as caught:
        import_file(path, tmp_path / "bad")
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert [each.name for each in tmp_path.iterdir()] == ["bad.jsonl"]


@pytest.mark.parametrize("batch", [1, 300, 1 << 20])
def test_a_torn_line_elsewhere_is_an_error_that_names_it(jsonl, tmp_path, batch):
    lines = [json.dumps(each).encode() for each in jsonl.clip(5)]
    lines[2] = lines[2][:50]
    path = tmp_path / "torn.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    with pytest.raises(DataError, match="line 3 is no JSON object"):
        list(JsonLines(path).batches(batch_bytes=batch))


def test_a_torn_line_that_a_later_run_went_on_after_is_an_error(jsonl, tmp_path):
    lines = [json.dumps(each) for each in jsonl.clip(4)]
    refused(tmp_path, f"{lines[0]}\n{lines[1][:30]}{lines[2]}\n{lines[3]}\n".encode(), "line 2", "torn")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"encoder": "libx265z"}, ("libx265z", "libx265")),
        ({"encoder": "divx {0}"}, ("divx {0}",)),
        ({"encoder": None}, ("no encoder or codec",)),
        ({"encoder": True}, ("encoder", "rue")),
        ({"src": None}, ("no src",)),
        ({"src": "  "}, ("source has no name",)),
        ({"cq": None}, ("no quality", "cq", "libx264")),
        ({"cq": 52}, ("libx264", "0 to 51", "52")),
        ({"cq": 23.5}, ("quality", "23.5")),
        ({"cq": -1}, ("-1",)),
        ({"cq": "28"}, ("cq", "'28'", "no number")),
        ({"preset": "warp"}, ("libx264", "'warp'", "ultrafast")),
        ({"frame_index": -1}, ("frame", "-1")),
        ({"frame_index": 0.5}, ("frame", "0.5")),
        ({"frame_index": 1e12}, ("frame",)),
        ({"frame_index": None}, ("no frame_index",)),
        ({"vmaf": float("nan")}, ("vmaf", "nan")),
        ({"vmaf": float("inf")}, ("vmaf", "inf")),
        ({"vmaf": 100.5}, ("vmaf", "100.5")),
        ({"vmaf": -0.1}, ("vmaf", "-0.1")),
        ({"vmaf": None}, ("no vmaf or vmaf_score",)),
        ({"vmaf": True}, ("vmaf", "True")),
        ({"vmaf": 10**400}, ("vmaf", "larger")),
        ({"adm2": float("nan")}, ("adm2", "nan")),
        ({"vif_scale2": 7.0}, ("vif_scale2", "7")),
        ({"motion2": -3.0}, ("motion2", "-3")),
        ({"motion2": None}, ("no motion2",)),
        ({"enc_bytes": -5}, ("bytes", "-5")),
        ({"enc_bytes": 0.5}, ("bytes", "0.5")),
        ({"enc_time_ms": float("nan")}, ("enc_time_ms", "nan")),
        ({"kbps": -1.0}, ("kbps", "-1")),
    ],
)  # fmt: skip
def test_an_impossible_value_is_refused_with_its_line(jsonl, tmp_path, change, words):
    refused(tmp_path, [*jsonl.clip(2), jsonl.row(2, **change), *jsonl.clip(2, src="other")], "line 3", *words)


def test_the_first_of_several_wrong_lines_is_named(jsonl, tmp_path):
    refused(tmp_path, [jsonl.row(0), jsonl.row(1, adm2=9.0), jsonl.row(2, vmaf=-4.0)], "line 2", "adm2")


def test_a_frame_that_is_there_twice_is_refused_with_both_lines(jsonl, tmp_path):
    refused(tmp_path, [*jsonl.clip(3), jsonl.row(1, encoder="x264", vmaf=3.0)], "line 4", "frame 1", "park", "(at 2)")


def test_rows_of_one_encode_that_disagree_are_refused(jsonl, tmp_path):
    refused(
        tmp_path, [jsonl.row(0, enc_bytes=10), jsonl.row(1), jsonl.row(2, enc_bytes=11)], "line 3", "bytes", "11", "10"
    )


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"[1, 2]\n", b"7\n", b"null\n{}\n", b"name,vmaf\npark,80\n", b"\xef\xbb\xbf"]
)
def test_what_holds_no_rows_is_refused(tmp_path, content):
    refused(tmp_path, content, "bad.jsonl")


def test_a_file_without_lines_is_refused_before_it_is_held(tmp_path):
    refused(tmp_path, b"x" * (2 * LONGEST_LINE), "line 1", "longer than")


def test_a_missing_file_and_a_place_that_is_taken(jsonl, tmp_path):
    with pytest.raises(RequestError, match="nowhere"):
        import_file(tmp_path / "nowhere.jsonl", tmp_path / "corpus")
    path = jsonl.write(tmp_path / "rows.jsonl", jsonl.clip())
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "letter").touch()
    with pytest.raises(RequestError, match="there already"):
        import_file(path, tmp_path / "taken")
    with pytest.raises(RequestError, match="there already"):
        import_file(path, path)
    assert [each.name for each in (tmp_path / "taken").iterdir()] == ["letter"]
    (tmp_path / "empty").mkdir()
    assert import_file(path, tmp_path / "empty").counts.rows == 6


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_place_that_cannot_be_written(jsonl, tmp_path):
    path = jsonl.write(tmp_path / "rows.jsonl", jsonl.clip())
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(OutputError, match="locked"):
        import_file(path, tmp_path / "locked" / "corpus")


def test_an_output_below_a_file_is_refused(jsonl, tmp_path):
    path = jsonl.write(tmp_path / "rows.jsonl", jsonl.clip())
    with pytest.raises(OutputError, match="choose another place"):
        import_file(path, path / "corpus")
