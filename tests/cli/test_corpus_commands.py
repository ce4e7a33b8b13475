"""``vmafcast corpus``: what is built, what is not built twice, and what is said of it."""

from __future__ import annotations

import shutil
import signal
from hashlib import sha256

import numpy as np
import polars as pl
import pytest

from vmafcast.corpus.feature_costs import FEATURE_COSTS, read_feature_costs


@pytest.fixture
def again(built, tmp_path):
    """The clips and a copy of the corpus, in a folder that a test may change."""
    (tmp_path / "clips").symlink_to(built.clips)
    shutil.copytree(built.corpus, tmp_path / "corpus")
    return tmp_path


def test_everything_that_was_asked_for_is_there_once(built):
    assert built.said["build"].done["built"] == built.cells
    table = pl.read_parquet(built.corpus / "encodes" / "*.parquet")
    cells = {
        (row["source"], row["source_group"], row["encoder"], row["quality"]) for row in table.iter_rows(named=True)
    }
    expected = {
        (name, group, encoder, quality)
        for name, group in built.groups.items()
        for encoder, qualities in built.qualities.items()
        for quality in qualities
    }
    assert cells == expected
    assert table.height == built.cells
    frames = pl.read_parquet(built.corpus / "frames" / "*.parquet")
    assert (
        frames.group_by("cell").agg(pl.col("frame").sort())["frame"].to_list()
        == [list(range(built.frames))] * built.cells
    )


def test_a_second_run_builds_nothing_and_changes_nothing(again, tree, run_in, built):
    before = tree(again / "corpus")
    said = run_in(again, *built.build_arguments())
    assert said.code == 0
    assert (said.done["planned"], said.done["already_finished"], said.done["built"]) == (built.cells, built.cells, 0)
    assert said.done["cpu_seconds"] == 0
    assert tree(again / "corpus") == before


def test_a_dry_run_shows_the_plan_and_writes_nothing(again, tree, run_in, built):
    before = tree(again)
    wider = [*built.build_arguments(), "--quality", "libx264=38", "--dry-run"]
    said = run_in(again, *wider)
    assert said.code == 0
    *encoders, plan = said.lines
    assert [line["type"] for line in said.lines] == ["encoder", "plan"]
    assert (plan["planned"], plan["already_finished"]) == (built.cells + len(built.groups), built.cells)
    assert (plan["groups"], plan["refined_by"]) == (len(built.groups), built.cells)
    assert encoders[0]["encoder"] == "libx264"
    assert encoders[0]["cells"] == len(built.groups)
    assert 0 < plan["cpu_seconds"] * plan["low"] < plan["cpu_seconds"] < plan["cpu_seconds"] * plan["high"]
    told = run_in(again, *(word for word in wider if word != "--json"))
    assert f"{len(built.groups)} would run" in told.out
    assert "nothing was written" in told.out
    assert tree(again) == before


def test_a_budget_of_cores_that_are_not_there_is_refused(again, tree, run_in, built):
    before = tree(again)
    said = run_in(again, *built.build_arguments("new"), "--cpu-budget", "9999")
    assert said.code == 2
    assert "a budget of 9999 cores is not to be had" in said.err
    assert tree(again) == before


def test_a_budget_of_one_core_builds_the_same(again, run_in, built):
    said = run_in(again, *built.build_arguments("new"), "--cpu-budget", "1")
    assert (said.code, said.done["built"]) == (0, built.cells)
    columns = ["cell", "bytes", "vmaf"]
    one, other = (
        pl.read_parquet(again / name / "encodes" / "*.parquet", columns=columns) for name in ("corpus", "new")
    )
    assert one.sort("cell").equals(other.sort("cell"))


def test_a_wider_sweep_builds_only_what_is_new(again, tree, run_in, built):
    before = tree(again / "corpus")
    said = run_in(again, *built.build_arguments(), "--quality", "libx264=38")
    assert said.code == 0
    assert said.done["already_finished"] == built.cells
    assert said.done["built"] == len(built.groups)
    assert before.items() <= tree(again / "corpus").items()
    table = pl.read_parquet(again / "corpus" / "encodes" / "*.parquet").filter(pl.col("quality") == 38)
    assert set(table["encoder"]) == {"libx264"}
    assert table["source"].sort().to_list() == sorted(built.groups)


def test_what_a_killed_build_left_is_swept_and_built_again(again, tree, run_in, built):
    whole = tree(again / "corpus")
    one = min((again / "corpus" / "encodes").iterdir())
    one.unlink()  # its frames are there, its encodes are not: killed between the two
    (again / "corpus" / "vmafcast-work-999999999-abc").mkdir()
    said = run_in(again, *built.build_arguments())
    assert said.code == 0
    assert said.done["built"] == 3
    assert set(tree(again / "corpus")) == set(whole)
    assert not (again / "corpus" / "vmafcast-work-999999999-abc").exists()


def test_describe_says_what_the_files_hold(built, run_in):
    said = run_in(built.folder, "corpus", "describe", "corpus", "--json")
    assert said.code == 0
    [line] = said.lines
    encodes = pl.read_parquet(built.corpus / "encodes" / "*.parquet")
    frames = pl.read_parquet(built.corpus / "frames" / "*.parquet").join(
        encodes.select("cell", "encoder", "source", "quality"), on="cell"
    )
    assert (line["cells"], line["frames"]) == (built.cells, built.cells * built.frames)
    assert (line["sources"], line["source_groups"], line["complete"]) == (3, 3, True)
    assert line["teachers"] == ["vmaf_v0.6.1"]
    assert line["bytes_on_disk"] == sum(path.stat().st_size for path in built.corpus.rglob("*.parquet"))
    assert [each["encoder"] for each in line["encoders"]] == sorted(built.qualities)
    for each in line["encoders"]:
        name = each["encoder"]
        cells = (
            frames.filter(pl.col("encoder") == name)
            .group_by("source", "quality")
            .agg(pl.col("vmaf").mean(), (pl.col("bytes").sum() * 8 / 1000 / (built.frames / built.fps)).alias("kbps"))
        )
        assert (each["preset"], each["qualities"]) == (
            {"libx264": "ultrafast", "libsvtav1": "10"}[name],
            list(built.qualities[name]),
        )
        assert (each["cells"], each["sources"]) == (cells.height, len(built.groups))
        assert each["vmaf_min"] == pytest.approx(cells["vmaf"].min(), abs=1e-9)
        assert each["vmaf_median"] == pytest.approx(float(np.median(cells["vmaf"].to_numpy())), abs=1e-9)
        assert each["vmaf_max"] == pytest.approx(cells["vmaf"].max(), abs=1e-9)
        assert each["kbps_median"] == pytest.approx(float(np.median(cells["kbps"].to_numpy())), rel=1e-9)
        curve = {
            quality: cells.filter(pl.col("quality") == quality)["vmaf"].mean() for quality in built.qualities[name]
        }
        assert dict(each["mean_curve"]) == pytest.approx(curve)


def test_describe_says_when_a_setting_is_missing(again, run_in, built):
    min((again / "corpus" / "encodes").iterdir()).unlink()
    said = run_in(again, "corpus", "describe", "corpus")
    assert said.code == 0
    assert f"{built.cells - 3} cells" in said.out
    assert "not every source has every setting" in said.out


def test_a_scope_that_is_not_swept_is_refused_before_anything_runs(built, tmp_path, run_in):
    said = run_in(
        tmp_path, "corpus", "build", built.clips, "--encoder", "libx264", "--quality", "libx265=23", "--out", "c"
    )
    assert said.code == 2
    assert "libx265" in said.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("encoding", [False, True], ids=["at once", "encoding"])
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_ends_a_build_and_leaves_nothing_running(start, clip, tmp_path, running, name, encoding):
    if signal.getsignal(getattr(signal, name)) == signal.SIG_IGN:
        pytest.skip(f"{name} is ignored here, as nohup does it, and what these tests start ignores it too")
    arguments = ["--encoder", "libaom-av1", "--preset", "0", "--quality", "10,20", "--out", "corpus", "--json"]
    process = start("corpus", "build", clip, *arguments, made="vmafcast-work-*/" + ("c1.packets" if encoding else "*"))
    process.send_signal(getattr(signal, name))
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out == ""
    assert "interrupted" in err
    assert "Traceback" not in err
    assert not running()
    # What features cost is measured before anything is encoded, and kept, as whatever a build finished is.
    costs = tmp_path / "corpus" / FEATURE_COSTS
    finished = [costs] if encoding or costs.exists() else []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == finished
    assert len(read_feature_costs(tmp_path / "corpus")) == 2 * len(finished)
    assert not list(tmp_path.rglob("vmafcast-work-*"))


def test_verify_makes_random_cells_again(again, run_in, built):
    said = run_in(again, "corpus", "verify", "corpus", "--rebuild", "2", "--sources", "clips", "--seed", "5", "--json")
    assert said.code == 0, said.err
    [rebuilt] = [line for line in said.lines if line["type"] == "rebuilt"]
    assert (len(rebuilt["rebuilt"]), rebuilt["seed"], rebuilt["frames"]) == (2, 5, 2 * built.frames)
    assert said.done["ok"] is True
    for path in (again / "corpus" / "frames").iterdir():
        rows = pl.read_parquet(path, glob=False)
        rows.with_columns(pl.col("adm2") - 1e-9).write_parquet(path)  # nothing else tells it from a measurement
    said = run_in(again, "corpus", "verify", "corpus", "--rebuild", "1", "--sources", "clips", "--json")
    assert said.code == 4
    assert [line["check"] for line in said.lines if line["type"] == "finding"] == ["rebuilt"]
    assert said.lines[-1]["type"] == "error"


def test_rebuilding_needs_sources(again, run_in):
    said = run_in(again, "corpus", "verify", "corpus", "--rebuild", "2")
    assert said.code == 2
    assert "--rebuild and --sources go together" in said.err


def test_augment_writes_the_clips_that_it_names(make_clip, tmp_path, run_in):
    clip = make_clip("large.mkv", width=144, height=128, frames=4)
    said = run_in(tmp_path, "corpus", "augment", str(clip), "--out", "more", "--each", "2", "--json")
    assert said.code == 0
    assert said.done["files"] == ["large_aug1.mkv", "large_aug2.mkv"]
    assert sorted(path.name for path in (tmp_path / said.done["folder"]).iterdir()) == sorted(
        ["MANIFEST.csv", *said.done["files"]]
    )


def test_augment_of_what_is_not_there_writes_nothing(tmp_path, run_in):
    said = run_in(tmp_path, "corpus", "augment", "gone.mkv", "--out", "more", "--json")
    assert said.code == 2
    assert not (tmp_path / "more").exists()


def test_collages_are_written_with_their_manifest(tmp_path, run_in):
    said = run_in(tmp_path, "corpus", "samples", "made", "--collages", "1", "--json")
    assert said.code == 0
    assert said.done["files"] == ["collage_01.mkv"]
    row = pl.read_csv(tmp_path / "made" / "MANIFEST.csv").row(0, named=True)
    assert (row["name"], row["source_group"], row["licence"]) == ("collage_01", "collage_01", "CC0-1.0")
    assert row["sha256"] == sha256((tmp_path / "made" / "collage_01.mkv").read_bytes()).hexdigest()


def test_screens_and_collages_at_once_are_refused(tmp_path, run_in):
    said = run_in(tmp_path, "corpus", "samples", "made", "--screens", "--collages", "2")
    assert said.code == 2
    assert "folders of their own" in said.err
    assert not (tmp_path / "made").exists()
