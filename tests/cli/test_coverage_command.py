from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import polars as pl
import pytest

from vmafcast.common.documents import read_document
from vmafcast.evaluation.coverage_report import CoverageReport


def test_a_candidate_is_evaluated_and_its_report_and_picture_are_left(call, predictions, tmp_path):
    done = call("coverage", predictions, "--out", "out", "--json")
    assert done.code == 0, done.err
    figures = [line for line in done.lines if line["type"] == "figure"]
    assert {line["level"] for line in figures} == {"0.5", "0.8", "0.9", "0.95"}
    assert {line["method"] for line in figures} == {"gaussian", "normalised", "shaped", "conformal", "conformal-pooled"}
    assert {line["cell"] for line in figures} == {"all", "libx264", "libsvtav1"}
    assert done.done["passed"] is True
    assert (done.done["source_groups"], done.done["members"]) == (25, 3)
    report = read_document(tmp_path / done.done["report"], CoverageReport)
    assert [figure.model_dump(mode="json") for figure in report.figures] == [
        {key: value for key, value in line.items() if key != "type"} for line in figures
    ]
    assert [mean.model_dump() for mean in report.means] == [
        {key: value for key, value in line.items() if key != "type"} for line in done.lines if line["type"] == "mean"
    ]
    [table] = report.run_provenance.inputs
    assert table.path == str(predictions / "held_out" / "predictions.parquet")
    ET.parse(tmp_path / done.done["plot"])


def test_intervals_that_cover_less_than_they_promise_are_refused_with_exit_code_3(call, predictions, tmp_path):
    done = call("coverage", predictions, "--served", "gaussian", "--out", "out", "--json")
    assert done.code == 3
    assert done.lines[-1]["exit_code"] == 3
    assert "cover less than they promise" in done.lines[-1]["message"]
    assert done.done["passed"] is False
    assert done.done["under_covers"] > 0
    assert json.loads((tmp_path / "out" / "coverage.json").read_text())["passed"] is False


def test_a_table_on_its_own_is_shown_to_people(call, predictions):
    done = call("coverage", predictions / "held_out" / "predictions.parquet", "--level", "0.8", "--out", "out")
    assert done.code == 0, done.err
    assert "the mean of a clip of new material" in done.out
    assert "conformal-pooled" in done.out
    assert "judged: conformal; they cover what they promise" in done.out
    assert "wrote out/coverage.json and out/coverage.svg" in done.out


def test_encodes_without_a_cell_are_told_apart_by_their_settings(call, predictions, tmp_path):
    """Tables of an earlier version have no column `cell`."""
    table = pl.read_parquet(predictions / "held_out" / "predictions.parquet")
    table.drop("cell", "preset", "quality", "frame_index").write_parquet(tmp_path / "old.parquet")
    old = call("coverage", "old.parquet", "--out", "a", "--json")
    new = call("coverage", predictions, "--out", "b", "--json")
    assert old.code == new.code == 0
    assert [line for line in old.lines if line["type"] == "figure"] == [
        line for line in new.lines if line["type"] == "figure"
    ]


def test_what_was_said_without_knowing_the_encode_can_be_evaluated(call, predictions):
    told = call("coverage", predictions, "--level", "0.5", "--out", "a", "--json")
    untold = call("coverage", predictions, "--level", "0.5", "--untold", "--out", "b", "--json")
    rmse = [next(line["rmse"] for line in done.lines if line["type"] == "mean") for done in (told, untold)]
    assert rmse[1] > rmse[0]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("nowhere",), 2, "no held-out predictions at nowhere"),
        (("bad.parquet",), 1, "cannot be read as a table"),
        (("short.parquet",), 1, "has no column vmaf"),
        (("{}", "--level", "1.5"), 2, "not a level"),
        (("{}", "--share", "0"), 2, "not a level"),
        (("{}", "--served", "magic"), 2, "magic"),
        (("single.parquet", "--served", "normalised"), 2, "single member has no spread"),
        (("{}", "--calibration", "nowhere.json"), 2, "no manifest at nowhere.json"),
    ],
)
def test_bad_input_is_said_in_a_line_and_leaves_nothing(call, predictions, tmp_path, arguments, code, said):
    (tmp_path / "bad.parquet").write_text("this is no parquet")
    table = pl.read_parquet(predictions / "held_out" / "predictions.parquet")
    table.drop("vmaf").write_parquet(tmp_path / "short.parquet")
    table.drop("seed1", "seed2").write_parquet(tmp_path / "single.parquet")
    done = call("coverage", *(str(a).format(predictions) for a in arguments), "--out", "out")
    assert done.code == code
    assert said in done.err
    assert not (tmp_path / "out").exists()
