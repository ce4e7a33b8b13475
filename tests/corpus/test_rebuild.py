"""Cells made again have the same numbers; what was changed is found, and what cannot be compared is said."""

from __future__ import annotations

import shutil

import polars as pl
import pytest

from vmafcast.common.errors import CapabilityError, DataError, RequestError
from vmafcast.corpus.build import build_corpus
from vmafcast.corpus.compact import compact_corpus
from vmafcast.corpus.plan import NamedSource, Sweep
from vmafcast.corpus.rebuild import rebuild_cells
from vmafcast.corpus.store import CorpusStore
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.media.features import CANONICAL6, LITE
from vmafcast.media.graph import EncodeSettings, Scoring
from vmafcast.media.source import probe

CELLS = 8


@pytest.fixture(scope="module")
def built(ffmpeg, clips, tmp_path_factory):
    """A corpus of two teachers in one pass, two encoders, one of them of 10 bits, and one and two threads."""
    store = CorpusStore(tmp_path_factory.mktemp("built") / "corpus")
    sources = tuple(NamedSource(path.stem, "insects", probe(path)) for path in sorted(clips.iterdir()))
    jobs = [
        EncodeSettings(get_encoder("libx264"), "ultrafast", q, threads) for q, threads in ((25, 1), (45, 1), (30, 2))
    ]
    jobs.append(EncodeSettings(get_encoder("libvvenc"), "faster", 40))
    scoring = Scoring("vmaf_v0.6.1", (CANONICAL6, LITE), further_teachers=("vmaf_v0.6.1neg",))
    build_corpus(store, Sweep(sources, tuple(jobs), scoring), ffmpeg, processes=2)
    assert store.encodes().height == CELLS
    return store


@pytest.fixture
def corpus(built, tmp_path):
    """A copy that a test may change."""
    shutil.copytree(built.folder, tmp_path / "corpus")
    return CorpusStore(tmp_path / "corpus")


def change(store, table, cell, column, by):
    for path in (store.folder / table).glob("*.parquet"):
        rows = pl.read_parquet(path, glob=False)
        here = (pl.col("cell") == cell) & (pl.col("frame") == 3 if table == "frames" else pl.lit(value=True))
        rows.with_columns(
            pl.when(here).then(pl.col(column) + by).otherwise(pl.col(column)).alias(column)
        ).write_parquet(path)


def test_every_cell_made_again_is_the_same_to_the_last_digit(ffmpeg, built, clips):
    before = {path: path.read_bytes() for path in built.files()}
    report = rebuild_cells(built, [clips], ffmpeg, count=100, processes=2)
    assert (report.findings, report.cells, report.candidates) == ((), CELLS, CELLS)
    assert report.rebuilt == tuple(built.encodes()["cell"])
    assert report.frames == CELLS * 6
    assert report.columns == built.frames().width
    assert {path: path.read_bytes() for path in built.files()} == before
    assert sorted(path.name for path in built.folder.iterdir()) == ["encodes", "feature_costs.json", "frames"]


def test_the_seed_decides_what_is_drawn(ffmpeg, built, clips):
    drawn = [rebuild_cells(built, [clips], ffmpeg, count=2, seed=seed).rebuilt for seed in (1, 1, 2, 3)]
    assert all(len(set(cells)) == 2 for cells in drawn)
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 1


@pytest.mark.parametrize(
    ("table", "column", "by", "words"),
    [
        ("encodes", "vmaf", 1e-12, "vmaf .* became"),
        ("frames", "adm2", 1e-9, "frame 3: adm2 .* became"),
        ("frames", "vmaf_v0.6.1neg", -1e-6, "frame 3: vmaf_v0.6.1neg .* became"),
    ],
)
def test_one_digit_that_differs_is_found(ffmpeg, corpus, clips, table, column, by, words):
    victim = corpus.encodes()["cell"][4]
    change(corpus, table, victim, column, by)
    report = rebuild_cells(corpus, [clips], ffmpeg, count=CELLS, processes=2)
    [found] = report.findings
    assert (found.kind, found.check, found.where) == ("problem", "rebuilt", victim)
    assert pl.Series([found.detail]).str.contains(words).item()


def test_a_compacted_corpus_is_compared_as_it_is_stored(ffmpeg, built, clips, tmp_path):
    compact_corpus(built, tmp_path / "small", frame_stride=2, float32=True)
    small = CorpusStore(tmp_path / "small")
    report = rebuild_cells(small, [clips], ffmpeg, count=CELLS, processes=2)
    assert (report.findings, report.frames) == ((), small.frames().height)
    assert 0 < report.frames < CELLS * 6


def test_a_cell_that_was_measured_in_another_way_is_compared_with_a_note(ffmpeg, corpus, clips):
    for path in corpus.files():
        pl.read_parquet(path, glob=False).with_columns(pl.col("cell") + "-old").write_parquet(path)
    report = rebuild_cells(corpus, [clips], ffmpeg, count=CELLS, processes=2)
    assert {(found.kind, found.check) for found in report.findings} == {("note", "rebuilt")}
    assert len(report.findings) == CELLS
    assert report.frames == CELLS * 6


def edit(store, **columns):
    for path in store.encode_files():
        pl.read_parquet(path, glob=False).with_columns(**columns).write_parquet(path)


def test_what_another_build_made_is_not_drawn(ffmpeg, corpus, clips):
    vvenc = pl.col("encoder") == "libvvenc"
    other = pl.when(vvenc).then(pl.lit("9.9")).otherwise(pl.col("encoder_version"))
    edit(corpus, encoder_version=other)
    report = rebuild_cells(corpus, [clips], ffmpeg, count=CELLS, processes=2)
    assert (report.candidates, report.findings) == (CELLS - 2, ())
    edit(corpus, ffmpeg_build=pl.lit("0" * 16), ffmpeg_version=pl.lit("n1.0"))
    with pytest.raises(CapabilityError, match=r"no cell .* but by n1\.0; name that one with --ffmpeg"):
        rebuild_cells(corpus, [clips], ffmpeg, count=1)


def test_what_cannot_be_compared_is_refused(ffmpeg, corpus, clips, make_clip, tmp_path):
    with pytest.raises(RequestError, match="compares nothing"):
        rebuild_cells(corpus, [clips], ffmpeg, count=0)
    with pytest.raises(RequestError, match="the source bee is not in"):
        rebuild_cells(corpus, [clips / "ant.mkv"], ffmpeg, count=CELLS)
    (tmp_path / "others").mkdir()
    for seed, name in enumerate(("bee.mkv", "ant.mkv")):  # one for the other
        make_clip(name, width=96, height=64, frames=6, seed=seed, folder=tmp_path / "others")
    with pytest.raises(DataError, match="its content has another SHA-256"):
        rebuild_cells(corpus, [tmp_path / "others"], ffmpeg, count=CELLS)
    edit(corpus, arguments=pl.col("arguments") + " -g 12")
    with pytest.raises(DataError, match="-g 12; this version would encode it otherwise"):
        rebuild_cells(corpus, [clips], ffmpeg, count=CELLS)
    edit(corpus, source_sha256=pl.lit(None, pl.String))
    with pytest.raises(CapabilityError, match="no cell"):
        rebuild_cells(corpus, [clips], ffmpeg, count=CELLS)
