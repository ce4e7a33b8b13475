from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vmafcast.common.documents import read_document
from vmafcast.common.errors import DataError, RequestError
from vmafcast.common.files import sha256_file
from vmafcast.corpus.build import build_corpus
from vmafcast.corpus.cells import FrameReader
from vmafcast.corpus.compact import compact_corpus, thinned
from vmafcast.corpus.describe import describe_corpus
from vmafcast.corpus.importing import import_file
from vmafcast.corpus.manifest import CorpusManifest
from vmafcast.corpus.store import CorpusStore
from vmafcast.corpus.verify import verify_corpus
from vmafcast.models.recipe import get_recipe
from vmafcast.workflows.rows import corpus_rows
from vmafcast.workflows.sweep import EncoderSweep, make_sweep

SIX = ("adm2", "vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "motion2")


def rows_of(lengths, seed=0):
    rng = np.random.default_rng(seed)
    for number, frames in enumerate(lengths):
        facts = {"src": f"clip {number // 3}", "encoder": "libx264", "preset": "fast", "cq": 20 + 5 * (number % 3)}
        for frame in range(frames):
            values = dict(zip(SIX, rng.random(6).round(6).tolist(), strict=True))
            yield {
                **facts,
                "frame_index": frame,
                "vmaf": float(rng.uniform(0, 100)),
                "enc_bytes": 100 + number,
                **values,
            }


def imported(folder, lengths, name="corpus"):
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows_of(lengths)))
    import_file(path, folder / name)
    return CorpusStore(folder / name)


@pytest.fixture
def store(tmp_path):
    return imported(tmp_path, (40, 41, 7, 1, 40, 23))


def test_whole_and_exact_unless_asked_otherwise(store, tmp_path):
    done = compact_corpus(store, tmp_path / "small")
    small = CorpusStore(tmp_path / "small")
    assert small.encodes().equals(store.encodes())
    assert small.frames().equals(store.frames())
    assert done.manifest.thinning.every == 1
    assert done.manifest.numbers == "float64"
    assert sorted(path.name for path in (tmp_path / "small").iterdir()) == [
        "corpus.json",
        "encodes.parquet",
        "frames.parquet",
    ]
    assert done.bytes_on_disk == sum(path.stat().st_size for path in (tmp_path / "small").iterdir())


def test_thinned_out_the_encodes_stay_whole(store, tmp_path):
    done = compact_corpus(store, tmp_path / "small", frame_stride=8, float32=True)
    small = CorpusStore(tmp_path / "small")
    assert small.encodes().equals(store.encodes())  # frames counts and pooled scores are of every frame
    frames = small.frames()
    assert {frames.schema[name] for name in (*SIX, "vmaf")} == {pl.Float32}
    lengths = frames.group_by("cell").len().join(store.encodes(), on="cell").select("frames", "len").rows()
    assert sorted(lengths) == [(1, 1), (7, 1), (23, 3), (40, 5), (40, 5), (41, 5)]
    both = frames.join(store.frames(), on=["cell", "frame"], suffix="_was")
    assert both.height == frames.height == done.manifest.frames_kept == 20
    for name in (*SIX, "vmaf"):
        assert (both[name] == both[f"{name}_was"].cast(pl.Float32)).all()


def test_the_manifest_says_what_is_there(store, tmp_path):
    compact_corpus(store, tmp_path / "small", frame_stride=4)
    manifest = read_document(tmp_path / "small" / "corpus.json", CorpusManifest)
    assert (manifest.cells, manifest.sources, manifest.source_groups) == (6, 2, 2)
    assert (manifest.frames_measured, manifest.thinning.every) == (152, 4)
    assert manifest.teachers == ("vmaf_v0.6.1",)
    assert manifest.feature_sets == ("canonical6",)
    assert manifest.features == SIX
    assert manifest.made_from == store.sha256() == describe_corpus(store).sha256
    assert [file.path for file in manifest.files] == ["encodes.parquet", "frames.parquet"]
    for file in manifest.files:
        path = tmp_path / "small" / file.path
        assert (file.sha256, file.bytes) == (sha256_file(path), path.stat().st_size)
        assert file.rows == pl.read_parquet(path).height
    assert verify_corpus(CorpusStore(tmp_path / "small")).problems == ()


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=8), stride=st.integers(1, 50))
def test_thinning_is_what_the_trainer_does(tmp_path_factory, lengths, stride):
    """Training on a compacted corpus is training on the whole one with that frame stride."""
    tmp_path = tmp_path_factory.mktemp("stride")
    store = imported(tmp_path, [*lengths, 100])
    compact_corpus(store, tmp_path / "small", frame_stride=stride)
    small, recipe = CorpusStore(tmp_path / "small"), get_recipe("fr_regressor_v1")
    whole = corpus_rows(store, recipe)
    kept = whole.take(whole.every(stride))
    frames = small.encodes().select("cell", "source", "quality").join(small.frames(), on="cell")
    frames = frames.sort("source", "quality", "frame")
    assert frames.height == len(kept)
    assert (frames.select(SIX).to_numpy() == kept.features).all()
    assert (frames["vmaf"].to_numpy().astype(np.float32) == kept.target).all()
    assert verify_corpus(small).problems == ()
    assert set(small.frames()["cell"]) == set(store.frames()["cell"])  # every encode keeps a frame


def test_first_frames_are_not_there_too_often(tmp_path):
    store = imported(tmp_path, [30] * 60)
    compact_corpus(store, tmp_path / "small", frame_stride=10)
    counts = CorpusStore(tmp_path / "small").frames()["frame"].value_counts()["count"]
    assert set(counts) == {6}  # each of the 30 frames as often as any other


def test_batches_change_nothing(store):
    reader, encodes = FrameReader(store), store.encodes()
    ((part, frames),) = reader.batches(encodes)
    whole = thinned(frames, part["cell"].to_list(), 5)
    done, parts = 0, []
    for few, some in reader.batches(encodes, frames=30):
        parts.append(thinned(some, few["cell"].to_list(), 5, first=done))
        done += few.height
    assert len(parts) > 2
    assert pl.concat(parts).equals(whole)


def test_the_same_bytes_from_any_layout_and_any_process(store, tmp_path):
    compact_corpus(store, tmp_path / "one", frame_stride=3, float32=True)
    for name in ("encodes", "frames"):  # the same corpus in other files, rows in another order
        (path,) = (store.folder / name).iterdir()
        table = pl.read_parquet(path).reverse()
        table[:17].write_parquet(path.with_name("a.parquet"))
        table[17:].write_parquet(path)
    program = (
        "import sys\nfrom pathlib import Path\nfrom vmafcast.corpus.compact import compact_corpus\n"
        "from vmafcast.corpus.store import CorpusStore\n"
        "compact_corpus(CorpusStore(Path(sys.argv[1])), Path(sys.argv[2]), frame_stride=3, float32=True)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(store.folder), str(tmp_path / "two")], check=True)
    for name in ("encodes.parquet", "frames.parquet"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_thinning_twice_and_strides_below_one_are_refused(store, tmp_path):
    compact_corpus(store, tmp_path / "small", frame_stride=2)
    with pytest.raises(DataError, match="one frame in 2"):
        compact_corpus(CorpusStore(tmp_path / "small"), tmp_path / "smaller", frame_stride=2)
    with pytest.raises(RequestError, match="stride of 0"):
        compact_corpus(store, tmp_path / "none", frame_stride=0)
    assert not (tmp_path / "smaller").exists()
    assert not (tmp_path / "none").exists()


def test_a_taken_place_and_a_missing_corpus(store, tmp_path):
    with pytest.raises(RequestError, match="there already"):
        compact_corpus(store, store.folder)
    with pytest.raises(RequestError, match="nowhere does not exist"):
        compact_corpus(CorpusStore(tmp_path / "nowhere"), tmp_path / "small")
    (tmp_path / "bare").mkdir()
    with pytest.raises(DataError, match="no corpus"):
        compact_corpus(CorpusStore(tmp_path / "bare"), tmp_path / "small")
    (tmp_path / "bare").rmdir()
    (path,) = store.frame_files()
    pl.read_parquet(path).filter(pl.col("cell") != store.encodes()["cell"][0]).write_parquet(path)
    with pytest.raises(DataError, match="no frames of the cell"):
        compact_corpus(store, tmp_path / "small")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["corpus", "corpus.jsonl"]


def test_a_build_goes_on_beside_a_compacted_corpus(ffmpeg, make_clip, tmp_path):
    """What is in the two small tables is finished; a build adds to it and does not hide it."""
    clip = make_clip("clip.mkv", seed=3)
    first = make_sweep([clip], [EncoderSweep("libx264", ("ultrafast",), (30,))])
    build_corpus(CorpusStore(tmp_path / "corpus"), first, ffmpeg, processes=1)
    compact_corpus(CorpusStore(tmp_path / "corpus"), tmp_path / "small")
    small = CorpusStore(tmp_path / "small")
    more = make_sweep([clip], [EncoderSweep("libx264", ("ultrafast",), (30, 40))])
    report = build_corpus(small, more, ffmpeg, processes=1)
    assert (report.already_finished, report.built) == (1, 1)
    assert small.encodes()["quality"].to_list() == [30, 40]
    assert small.frames()["cell"].n_unique() == 2
