"""``vmafcast demo``: the whole line on generated footage, in one command."""

from __future__ import annotations

import hashlib
import json
from xml.etree import ElementTree as ET

import av
import polars as pl
import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def demo(run_in, tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    outcome = run_in(folder, "demo", "--out", "demo", timeout=1800)
    assert outcome.code == 0, outcome.err
    return folder / "demo", outcome


@pytest.fixture(scope="module")
def summary(demo):
    return json.loads((demo[0] / "summary.json").read_text())


def test_everything_is_there(demo):
    folder, outcome = demo
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {
        "samples/MANIFEST.csv",
        "candidate/model.onnx",
        "candidate/model.json",
        "candidate/loso_seed0.json",
        "candidate/PROMOTE.json",
        "registry/events.jsonl",
        "registry/registry.json",
        "tuned.mkv",
        "predicted_against_measured.svg",
        "rate_quality.svg",
        "summary.json",
    } <= names
    assert not [name for name in names if "vmafcast-" in name]
    assert "says PROMOTE" in outcome.out


def test_the_pictures_are_pictures(demo):
    for path in demo[0].rglob("*.svg"):
        root = ET.parse(path).getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "http" not in path.read_text().replace("http://www.w3.org/", "")  # nothing is fetched


def test_the_summary_is_that_of_the_parts(demo, summary):
    folder, _ = demo
    encodes = pl.read_parquet(folder / "corpus" / "encodes" / "*.parquet")
    assert summary["corpus"]["cells"] == encodes.height
    assert summary["corpus"]["source_groups"] == encodes["source_group"].n_unique()
    assert summary["corpus"]["frames"] == pl.read_parquet(folder / "corpus" / "frames" / "*.parquet").height
    report = json.loads((folder / "candidate" / "loso_seed0.json").read_text())
    assert summary["loso"] == {key: report[key] for key in ("mean_plcc", "mean_srocc", "mean_rmse")}
    assert report["n_folds"] == summary["corpus"]["source_groups"]
    assert summary["verdict"] == json.loads((folder / "candidate" / "PROMOTE.json").read_text())["verdict"]
    [model] = json.loads((folder / "registry" / "registry.json").read_text())["models"]
    assert (model["id"], model["status"]) == (summary["champion"], "champion")
    chosen = summary["tuned"]["chosen"]
    assert chosen in summary["attempts"]
    assert summary["tuned"]["attempts"] == len(summary["attempts"])
    assert chosen["vmaf"] >= 93 > summary["tuned"]["next_worse"]["vmaf"]


def test_the_tuned_file_is_what_is_said_of_it(demo, summary, raw_scores):
    folder, _ = demo
    first = pl.read_csv(folder / "samples" / "MANIFEST.csv").row(0, named=True)
    source = folder / "samples" / first["file"]
    measured = raw_scores(source, folder / "tuned.mkv")["pooled_metrics"]["vmaf"]["mean"]
    assert measured == pytest.approx(summary["tuned"]["chosen"]["vmaf"], abs=1e-3)
    assert measured == pytest.approx(summary["measured_vmaf"], abs=1e-3)
    assert abs(summary["predicted_vmaf"] - measured) < 3
    with av.open(str(folder / "tuned.mkv")) as opened:
        sizes = [packet.size for packet in opened.demux(video=0) if packet.size]
    # Matroska leaves out AV1's temporal delimiters, of two bytes each.
    assert sum(sizes) == pytest.approx(summary["tuned"]["chosen"]["bytes"], abs=2 * len(sizes))


def test_the_provenance_is_of_the_files(demo, summary):
    folder, _ = demo
    outputs = {entry["path"]: entry["sha256"] for entry in summary["run_provenance"]["outputs"]}
    assert set(outputs) == {"demo/tuned.mkv", "demo/predicted_against_measured.svg", "demo/rate_quality.svg"}
    for path, sha256 in outputs.items():
        assert hashlib.sha256((folder.parent / path).read_bytes()).hexdigest() == sha256


def test_a_second_run_encodes_no_cell_again(demo, run_in):
    folder, _ = demo
    before = {path.name: path.stat().st_mtime_ns for path in (folder / "corpus").rglob("*.parquet")}
    outcome = run_in(folder.parent, "demo", "--out", "demo", timeout=1800)
    assert outcome.code == 0, outcome.err
    assert {path.name: path.stat().st_mtime_ns for path in (folder / "corpus").rglob("*.parquet")} == before
    assert len(json.loads((folder / "registry" / "registry.json").read_text())["models"]) == 1
