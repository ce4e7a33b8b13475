"""The corpus commands that exchange, run as a user runs them: outputs, JSON lines, exit codes."""

import json
import signal
import subprocess
import sys
import time

import polars as pl
import pytest

SIX = ("adm2", "vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "motion2")


def rows(sources=("park", "lake"), qualities=(20, 30), frames=60, **changes):
    return [
        {"src": source, "encoder": "libx264", "cq": quality, "frame_index": frame, "vmaf": 95.0 - quality - frame / 60}
        | dict.fromkeys(SIX, 0.4 + frame / 200) | changes
        for source in sources for quality in qualities for frame in range(frames)
    ]  # fmt: skip


def write(path, content):
    path.write_text("".join(json.dumps(row) + "\n" for row in content))
    return path


@pytest.fixture
def imported(vmafcast, tmp_path):
    write(tmp_path / "rows.jsonl", rows())
    assert vmafcast("corpus", "import", "rows.jsonl", "--out", "corpus").code == 0
    return tmp_path / "corpus"


def last(outcome, code=0):
    assert outcome.code == code, outcome.err
    assert "Traceback" not in outcome.err
    return outcome.lines[-1]


def test_help_lists_the_commands(vmafcast):
    outcome = vmafcast("corpus", "--help")
    assert outcome.code == 0
    assert all(name in outcome.out for name in ("build", "compact", "export", "import", "merge", "verify"))


def test_import_says_what_it_took_and_what_it_assumed(vmafcast, tmp_path):
    path = write(tmp_path / "rows.jsonl", rows(codec="x265", encoder=None))
    path.write_text(path.read_text().replace('"encoder": null, ', "") + '{"src": "to')
    outcome = vmafcast("corpus", "import", "rows.jsonl", "--out", "corpus", "--json")
    done = last(outcome)
    assert len(outcome.lines) == 1
    assert (done["type"], done["kind"], done["corpus"]) == ("done", "json-lines", "corpus")
    assert (done["rows"], done["cells"], done["sources"], done["source_groups"]) == (240, 4, 2, 2)
    assert done["teacher"] == "vmaf_v0.6.1"
    assert done["features"] == list(SIX)
    size = len(path.read_bytes()) - len('{"src": "to')
    assert done["torn"] == {"line": 241, "byte_offset": size, "bytes": 11}
    assert "is torn" in outcome.err
    assert str(size) in outcome.err
    assert "--source-groups" in outcome.err


def test_source_groups_from_a_table(vmafcast, tmp_path):
    write(tmp_path / "rows.jsonl", rows())
    (tmp_path / "groups.csv").write_text("name,source_group\npark,green\nlake,green\n")
    arguments = ("corpus", "import", "rows.jsonl", "--out", "corpus", "--json")
    done = last(vmafcast(*arguments, "--source-groups", "groups.csv", "--teacher", "vmaf_v0.6.1"))
    assert (done["source_groups"], done["notes"]) == (1, [])


def test_a_feature_table_is_known_by_its_bytes(vmafcast, tmp_path):
    columns = {"source": "src", "frame_index": "frame_index", "vmaf": "vmaf"}
    data = rows(qualities=(20,))
    table = pl.DataFrame(
        {ours: [row[theirs] for row in data] for ours, theirs in columns.items()}
        | {f"integer_{name}": [row[name] for row in data] for name in SIX}
    )
    table.write_parquet(tmp_path / "features.bin")
    done = last(vmafcast("corpus", "import", "features.bin", "--out", "corpus", "--json"))
    assert (done["kind"], done["cells"]) == ("feature-table", 2)
    summary = last(vmafcast("corpus", "describe", "corpus", "--json"))
    assert [each["encoder"] for each in summary["encoders"]] == ["unknown"]
    assert vmafcast("corpus", "describe", "corpus").code == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (rows(encoder="mpeg1"), ("rows.jsonl, line 1", "mpeg1")),
        ([*rows()[:3], {"src": "x"}], ("line 4", "no encoder")),
        ([*rows(), rows()[7]], ("line 241", "frame 7", "park")),
        (rows(vmaf=float("nan")), ("line 1", "vmaf", "nan")),
        ([], ("holds no row",)),
    ],
)
def test_rows_that_cannot_be_used_end_in_one_line_and_leave_nothing(vmafcast, tmp_path, content, words):
    write(tmp_path / "rows.jsonl", content)
    outcome = vmafcast("corpus", "import", "rows.jsonl", "--out", "corpus", "--json")
    error = last(outcome, 1)
    assert error["type"] == "error"
    assert all(word in error["message"] for word in words), error
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def test_requests_that_cannot_be_meant(vmafcast, imported, tmp_path):
    assert vmafcast("corpus", "import", "nowhere.jsonl", "--out", "new").code == 2
    taken = vmafcast("corpus", "import", "rows.jsonl", "--out", "corpus")
    assert taken.code == 2
    assert "there already" in taken.err
    assert vmafcast("corpus", "import", "rows.jsonl", "--out", "new", "--source-groups", "none.csv").code == 2
    assert vmafcast("corpus", "merge", "corpus", "--out", "new").code == 2
    assert vmafcast("corpus", "compact", "corpus", "--out", "new", "--frame-stride", "0").code == 2
    assert vmafcast("corpus", "export", "nowhere", "--out", "new.jsonl").code == 2
    assert vmafcast("corpus", "verify", "nowhere").code == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus", "rows.jsonl"]


def test_there_and_back(vmafcast, imported, tmp_path):
    done = last(vmafcast("corpus", "export", "corpus", "--out", "out.jsonl", "--json"))
    assert done == {"type": "done", "output": "out.jsonl", "rows": 240, "cells": 4}
    assert last(vmafcast("corpus", "import", "out.jsonl", "--out", "again", "--json"))["rows"] == 240
    first = {path.relative_to(imported): path.read_bytes() for path in imported.rglob("*.parquet")}
    again = {
        path.relative_to(tmp_path / "again"): path.read_bytes() for path in (tmp_path / "again").rglob("*.parquet")
    }
    assert first == again
    assert "240 rows of 4 encodes" in vmafcast("corpus", "export", "corpus", "--out", "out.jsonl").out


def test_merge_says_which_surveys_do_not_come_along(vmafcast, imported, tmp_path, write_predictor_corpus):
    write(tmp_path / "more.jsonl", rows(sources=("dune",)))
    vmafcast("corpus", "import", "more.jsonl", "--out", "more")
    made = pl.read_parquet(write_predictor_corpus(tmp_path / "made", groups=1) / "sources.parquet").head(1)
    assert "survey" not in vmafcast("corpus", "merge", "corpus", "more", "--out", "none").err
    park = made.with_columns(source=pl.lit("park"), source_group=pl.lit("park"))
    park.write_parquet(imported / "sources.parquet")
    some = vmafcast("corpus", "merge", "corpus", "more", "--out", "some", "--json")
    assert [last(some)[name] for name in ("surveyed", "unsurveyed", "surveys_differ")] == [1, 2, False]
    again = "measure them with `vmafcast corpus complexity {} --sources CLIPS`"
    assert f"note: 2 sources of 3 without a survey; {again.format('some')}" in some.err
    dune = made.with_columns(pl.col("probe_revision") + 1, source=pl.lit("dune"), source_group=pl.lit("dune"))
    dune.with_columns(source_sha256=pl.lit("1" * 64)).write_parquet(tmp_path / "more" / "sources.parquet")
    differ = vmafcast("corpus", "merge", "corpus", "more", "--out", "differ", "--json")
    assert [last(differ)[name] for name in ("surveyed", "unsurveyed", "surveys_differ")] == [0, 3, True]
    assert f"not all surveyed alike; their surveys are left out; {again.format('differ')}" in differ.err


def test_merge_compact_and_verify(vmafcast, imported, tmp_path):
    write(tmp_path / "more.jsonl", rows(sources=("lake", "dune")))
    vmafcast("corpus", "import", "more.jsonl", "--out", "more")
    merged = last(vmafcast("corpus", "merge", "corpus", "more", "--out", "both", "--json"))
    assert (merged["cells"], merged["frames"], merged["shared_cells"], merged["left_out"]) == (6, 360, 2, [])
    done = last(vmafcast("corpus", "compact", "both", "--out", "small", "--frame-stride", "8", "--float32", "--json"))
    assert (done["frames_measured"], done["numbers"], done["thinning"]["every"]) == (360, "float32", 8)
    assert done["frames_kept"] == 46  # 60 frames from positions 0, 1, ... 5
    assert done["bytes"] == sum(path.stat().st_size for path in (tmp_path / "small").iterdir())
    for folder in ("both", "small"):
        verified = vmafcast("corpus", "verify", folder, "--json")
        assert {line["check"] for line in verified.lines[:-1]} == {"unstated"}
        checked = last(verified)
        assert (checked["ok"], checked["problems"], checked["cells"]) == (True, 0, 6)
        described = last(vmafcast("corpus", "describe", folder, "--json"))
        assert (checked["frames"], checked["frames_encoded"]) == (described["frames_kept"], described["frames"])
    shown = vmafcast("corpus", "verify", "small")
    assert shown.code == 0
    assert "small: 2 files, 6 cells, 46 of 360 frames kept: all of it holds" in shown.out
    assert "preset" in shown.out
    assert (
        "6 cells, 46 of 360 frames kept, 3 sources in 3 source groups;" in vmafcast("corpus", "describe", "small").out
    )
    assert "6 cells, 360 frames, 3 sources" in vmafcast("corpus", "describe", "both").out


def test_verify_ends_with_exit_code_4_and_names_what_is_wrong(vmafcast, imported):
    (path,) = (imported / "frames").iterdir()
    pl.read_parquet(path).with_columns(vmaf=pl.lit(50.0)).write_parquet(path)
    outcome = vmafcast("corpus", "verify", "corpus", "--json")
    findings = [line for line in outcome.lines if line["type"] == "finding" and line["kind"] == "problem"]
    assert {line["check"] for line in findings} == {"pooled"}
    assert len(findings) == 8  # the mean and the minimum of each cell
    done, error = outcome.lines[-2:]
    assert (done["type"], done["ok"], done["problems"]) == ("done", False, 8)
    assert (error["type"], error["exit_code"], outcome.code) == ("error", 4, 4)
    shown = vmafcast("corpus", "verify", "corpus")
    assert shown.code == 4
    assert "pooled" in shown.out
    assert "Traceback" not in shown.err


def test_many_findings_of_a_kind_are_cut_short_on_a_terminal_alone(vmafcast, tmp_path):
    write(tmp_path / "rows.jsonl", rows(sources=[f"s{n}" for n in range(30)], qualities=(30, 20), frames=1, vmaf=50.0))
    assert vmafcast("corpus", "import", "rows.jsonl", "--out", "corpus").code == 0
    (path,) = (tmp_path / "corpus" / "encodes").iterdir()
    pl.read_parquet(path).with_columns(kbps=-1.0).write_parquet(path)
    assert sum(line["type"] == "finding" for line in vmafcast("corpus", "verify", "corpus", "--json").lines) >= 60
    assert "and 40 more" in vmafcast("corpus", "verify", "corpus").out


def test_features_that_differ_are_refused_until_the_common_ones_are_asked_for(vmafcast, imported, tmp_path):
    write(tmp_path / "more.jsonl", rows(sources=("dune",)))
    vmafcast("corpus", "import", "more.jsonl", "--out", "more")
    (path,) = (tmp_path / "more" / "frames").iterdir()
    pl.read_parquet(path).with_columns(psnr_y=pl.lit(40.0)).write_parquet(path)
    refused = vmafcast("corpus", "merge", "corpus", "more", "--out", "both")
    assert refused.code == 1
    assert "--common-features" in refused.err
    assert not (tmp_path / "both").exists()
    merged = vmafcast("corpus", "merge", "corpus", "more", "--out", "both", "--common-features", "--json")
    assert last(merged)["left_out"] == ["psnr_y"]
    assert "psnr_y" in merged.err


@pytest.mark.slow
def test_an_interrupted_import_leaves_nothing(tmp_path):
    path = tmp_path / "rows.jsonl"
    with path.open("w") as handle:
        for number in range(400):
            handle.writelines(json.dumps(row) + "\n" for row in rows(sources=(f"clip {number}",), frames=600))
    command = [
        sys.executable,
        "-m",
        "vmafcast.cli.main",
        "corpus",
        "import",
        str(path),
        "--out",
        str(tmp_path / "corpus"),
    ]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not any(each.name.endswith(".corpus") for each in tmp_path.iterdir()):
        assert time.monotonic() < deadline
        assert running.poll() is None
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in said
    assert [each.name for each in tmp_path.iterdir()] == ["rows.jsonl"]
