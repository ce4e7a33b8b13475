"""Exporting a corpus as JSON lines, and what importing them again gives."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vmafcast.common.errors import DataError, RequestError
from vmafcast.corpus import cells
from vmafcast.corpus.build import build_corpus
from vmafcast.corpus.export import export_jsonl
from vmafcast.corpus.importing import import_file
from vmafcast.corpus.store import CorpusStore
from vmafcast.corpus.table import frame_table
from vmafcast.corpus.tables import ENCODE_SCHEMA
from vmafcast.workflows.sweep import EncoderSweep, make_sweep

SIX = ("adm2", "vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "motion2")
TEACHER = "vmaf_v0.6.1"


SCORES = st.floats(0, 100)
SHARES = st.floats(0, 1.5)
ENCODES = st.fixed_dictionaries({
    "src": st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).map(str.strip).filter(bool),
    "encoder": st.sampled_from(["libx264", "libsvtav1", "h264_videotoolbox"]),
    "preset": st.none(),
    "cq": st.integers(1, 51),
    "enc_bytes": st.none() | st.integers(0, 2**53),
    "enc_time_ms": st.none() | st.floats(0, 1e12),
})  # fmt: skip


def cell_of(facts):
    return facts["src"], facts["encoder"], facts["cq"]


FRAMES = st.lists(st.tuples(SCORES, *[SHARES] * 5, st.floats(0, 256)), min_size=1, max_size=4)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    encodes=st.lists(st.tuples(ENCODES, FRAMES), min_size=1, max_size=5, unique_by=lambda each: cell_of(each[0])),
    order=st.randoms(use_true_random=False),
)  # fmt: skip
def test_export_and_import_are_the_identity_on_what_they_share(jsonl, tmp_path_factory, encodes, order):
    tmp_path = tmp_path_factory.mktemp("trip")
    rows = [
        {key: value for key, value in facts.items() if value is not None}
        | dict(zip(("vmaf", *SIX), numbers, strict=True)) | {"frame_index": frame}
        for facts, frames in encodes for frame, numbers in enumerate(frames)
    ]  # fmt: skip
    order.shuffle(rows)
    first, _ = jsonl.take(tmp_path, rows, "first")
    out = jsonl.exported(first, tmp_path / "first.out")
    by_frame = sorted(rows, key=lambda each: (*cell_of(each), each["frame_index"]))
    assert sorted(out, key=lambda each: (*cell_of(each), each["frame_index"])) == by_frame
    import_file(tmp_path / "first.out", tmp_path / "second")
    assert jsonl.files_of(tmp_path / "second") == jsonl.files_of(tmp_path / "first")
    export_jsonl(CorpusStore(tmp_path / "second"), tmp_path / "second.out")
    assert (tmp_path / "second.out").read_bytes() == (tmp_path / "first.out").read_bytes()


@pytest.fixture(scope="module")
def native(ffmpeg, make_clip, tmp_path_factory):
    """A corpus that was really encoded and scored."""
    store = CorpusStore(tmp_path_factory.mktemp("native") / "corpus")
    clips = [make_clip("first.mkv", seed=1), make_clip("second.mkv", seed=2)]
    sweep = make_sweep(clips, [EncoderSweep("libx264", ("ultrafast",), (23, 40))])
    assert not build_corpus(store, sweep, ffmpeg, processes=1).set_aside
    return store


def test_an_import_has_the_columns_and_types_of_a_build(native, tmp_path):
    built = native.encodes()
    assert dict(built.schema) == dict(ENCODE_SCHEMA)
    export_jsonl(native, tmp_path / "rows.jsonl")
    import_file(tmp_path / "rows.jsonl", tmp_path / "corpus")
    imported = CorpusStore(tmp_path / "corpus")
    assert {name: imported.encodes().schema[name] for name in built.columns} == dict(built.schema)
    frames = imported.frames()
    assert {name: kind for name, kind in native.frames().schema.items() if name in frames.columns} == dict(
        frames.schema
    )


def test_a_built_corpus_survives_the_trip(jsonl, native, tmp_path):
    rows = jsonl.exported(native, tmp_path / "rows.jsonl")
    assert len(rows) == native.frames().height
    assert list(rows[0]) == [
        "src", "encoder", "preset", "cq", "frame_index", "vmaf", *SIX, "enc_bytes", "enc_time_ms",
    ]  # fmt: skip
    assert [(each["src"], each["cq"], each["frame_index"]) for each in rows] == sorted(
        (each["src"], each["cq"], each["frame_index"]) for each in rows
    )
    import_file(tmp_path / "rows.jsonl", tmp_path / "corpus")
    columns = ("source", "encoder", "preset", "quality", "frames", "bytes", "vmaf", "vmaf_p1", "vmaf_min", "teacher")
    back = CorpusStore(tmp_path / "corpus")
    assert back.encodes().select(columns).equals(native.encodes().select(columns))
    assert back.encodes()["enc_time_ms"].to_list() == (native.encodes()["encode_cpu_s"] * 1000).to_list()
    shared = ["source", "quality", "frame", "vmaf", *SIX]
    assert frame_table(back, SIX, TEACHER).select(shared).equals(frame_table(native, SIX, TEACHER).select(shared))


def test_an_export_replaces_a_file_as_a_whole_or_not_at_all(native, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("what was there\n")
    for folder, error in (("nowhere", RequestError), (".", DataError)):
        with pytest.raises(error):
            export_jsonl(CorpusStore(tmp_path / folder), path)
    assert path.read_text() == "what was there\n"
    assert export_jsonl(native, path).cells == 4
    assert [each.name for each in tmp_path.iterdir()] == ["rows.jsonl"]


def test_an_encode_without_frames_and_a_missing_feature_stop_an_export(jsonl, tmp_path):
    store, _ = jsonl.take(tmp_path, [*jsonl.clip(), *jsonl.clip(cq=30)])
    (frames,) = store.frame_files()
    table = pl.read_parquet(frames)
    table.drop("motion2").write_parquet(frames)
    with pytest.raises(DataError, match="motion2"):
        export_jsonl(store, tmp_path / "out.jsonl")
    table.filter(pl.col("cell") == table["cell"][0]).write_parquet(frames)
    with pytest.raises(DataError, match="no frames of the cell"):
        export_jsonl(store, tmp_path / "out.jsonl")
    frames.unlink()
    with pytest.raises(DataError, match="no frames"):
        export_jsonl(store, tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()


def split(store, into):
    """Cut the two files of a corpus into several, with their rows in another order."""
    for path in [*store.encode_files(), *store.frame_files()]:
        table = pl.read_parquet(path).sample(fraction=1.0, shuffle=True, seed=4)
        path.unlink()
        for number, part in enumerate(table.iter_slices(-(-table.height // into))):
            part.write_parquet(path.with_name(f"{number}.parquet"))


@pytest.mark.parametrize("batch", [1, 7, 1 << 18])
def test_an_export_does_not_depend_on_files_or_batches(jsonl, tmp_path, monkeypatch, batch):
    store, _ = jsonl.take(
        tmp_path, [each for name in "abc" for cq in (20, 30, 40) for each in jsonl.clip(4, src=name, cq=cq)]
    )
    export_jsonl(store, tmp_path / "before.jsonl")
    split(store, 4)
    monkeypatch.setattr(cells.batches_of, "__defaults__", (batch,))
    monkeypatch.setattr(cells.FrameReader.batches, "__defaults__", (None, batch))
    assert export_jsonl(store, tmp_path / "after.jsonl").rows == 36
    assert (tmp_path / "after.jsonl").read_bytes() == (tmp_path / "before.jsonl").read_bytes()


def test_optional_keys_are_there_where_they_are_known(jsonl, tmp_path):
    rows = [*jsonl.clip(2), *jsonl.clip(2, cq=30, preset="fast", enc_bytes=7), *jsonl.clip(2, cq=40, enc_time_ms=1.5)]
    store, _ = jsonl.take(tmp_path, rows)
    known = {each["cq"]: set(each) - set(jsonl.row()) for each in jsonl.exported(store, tmp_path / "out.jsonl")}
    assert known == {28: set(), 30: {"preset", "enc_bytes"}, 40: {"enc_time_ms"}}


@pytest.mark.parametrize("damage", [b"", b"PAR1", b"not a table at all"])
def test_a_damaged_file_of_a_corpus_is_named(jsonl, tmp_path, damage):
    store, _ = jsonl.take(tmp_path, jsonl.clip())
    (path,) = store.frame_files()
    path.write_bytes(damage)
    with pytest.raises(DataError, match=path.name):
        export_jsonl(store, tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()
