from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmafcast.common.errors import DataError, OutputError, RequestError
from vmafcast.common.files import temporary_sibling
from vmafcast.corpus.plan import NamedSource, Sweep, group_cells, plan_cells
from vmafcast.corpus.store import TIMINGS, CorpusStore, Pooled
from vmafcast.corpus.table import frame_table
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.media.availability import check_encoder
from vmafcast.media.features import CANONICAL6, LITE
from vmafcast.media.graph import EncodeSettings, Scoring
from vmafcast.media.measure import encode_and_score
from vmafcast.media.source import probe

SCORING = Scoring("vmaf_v0.6.1", (CANONICAL6, LITE))


def dead_process():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


@pytest.fixture(scope="module")
def measured(ffmpeg, make_clip):
    """Two groups of cells with what was measured of them."""
    video = probe(make_clip(frames=7))
    source = NamedSource("clip", "texture", video)
    jobs = tuple(
        EncodeSettings(get_encoder("libx264"), preset, quality)
        for preset in ("ultrafast", "superfast")
        for quality in (45, 25)
    )
    here = {"libx264": check_encoder(ffmpeg, get_encoder("libx264"))}
    groups = group_cells(plan_cells(Sweep((source,), jobs, SCORING), ffmpeg, here), frozenset())
    return [
        (group, encode_and_score(ffmpeg, video, [cell.settings for cell in group.cells], SCORING), here["libx264"])
        for group in groups
    ]


@pytest.fixture
def store(tmp_path, measured, ffmpeg):
    store = CorpusStore(tmp_path / "corpus")
    store.prepare()
    for group, encodes, here in measured:
        store.write_group(group, encodes, SCORING, ffmpeg, here)
    return store


def test_every_encode_comes_back_with_its_facts(store, measured, ffmpeg):
    table = store.encodes()
    assert table.height == 4
    assert table["preset"].to_list() == ["superfast", "superfast", "ultrafast", "ultrafast"]
    assert table["quality"].to_list() == [25, 45, 25, 45]
    by_cell = {row["cell"]: row for row in table.iter_rows(named=True)}
    for group, encodes, here in measured:
        for cell, encode in zip(group.cells, encodes, strict=True):
            row = by_cell[cell.identity]
            assert row["source"] == "clip"
            assert row["source_group"] == "texture"
            assert row["source_sha256"] == cell.source.video.sha256
            assert (row["width"], row["height"], row["frames"], row["fps"]) == (128, 96, 7, 25.0)
            assert (row["encoder"], row["threads"], row["bit_depth"]) == ("libx264", 1, 8)
            assert row["arguments"] == " ".join(cell.settings.arguments())
            assert row["bytes"] == encode.bytes
            assert row["kbps"] == pytest.approx(encode.bytes * 8 / 1000 / (7 / 25))
            assert row["vmaf"] == encode.scores.vmaf.mean()
            assert row["teacher"] == "vmaf_v0.6.1"
            assert row["feature_sets"] == "canonical6 lite"
            assert (row["ffmpeg_version"], row["ffmpeg_build"]) == (ffmpeg.version, ffmpeg.build)
            assert row["encoder_version"] == here.version
            assert {name: row[name] for name in TIMINGS} == {
                "encode_cpu_s": encode.cpu.encode,
                "decode_cpu_s": encode.cpu.decode,
                "score_cpu_s": encode.cpu.score,
            }


def test_every_frame_comes_back_to_the_last_digit(store, measured):
    for group, encodes, _ in measured:
        for cell, encode in zip(group.cells, encodes, strict=True):
            rows = store.frames().filter(pl.col("cell") == cell.identity)
            assert rows["frame"].to_list() == list(range(7))
            assert rows["bytes"].to_list() == encode.packets.bytes.tolist()
            assert rows["type"].to_list() == list(encode.packets.types)
            for name, column in encode.scores.columns.items():
                np.testing.assert_array_equal(rows[name].to_numpy(), column)


def test_only_the_columns_that_are_asked_for_are_read(store):
    assert store.frames(["vmaf", "adm2", "frame"]).columns == ["cell", "frame", "vmaf", "adm2"]


def test_the_table_for_training_joins_both(store):
    table = frame_table(store, ["psnr_y", "adm2"], "vmaf_v0.6.1")
    assert table.height == 4 * 7
    assert table["source_group"].unique().to_list() == ["texture"]
    assert {"psnr_y", "adm2", "vmaf", "encoder", "preset", "quality"} <= set(table.columns)
    with pytest.raises(DataError, match="do not mix teachers"):
        frame_table(store, ["adm2"], "vmaf_v0.6.1neg")
    with pytest.raises(DataError, match="lacks a feature of cambi"):
        frame_table(store, ["cambi"], "vmaf_v0.6.1")


def test_encodes_without_their_frames_are_noticed(store):
    store.frame_files()[0].unlink()
    with pytest.raises(DataError, match="encodes without frames"):
        frame_table(store, ["adm2"], "vmaf_v0.6.1")


def test_what_is_finished_is_what_was_written(store, measured):
    assert store.finished() == {cell.identity for group, *_ in measured for cell in group.cells}


def test_the_same_group_written_twice_counts_once(store, measured, ffmpeg):
    before = store.encodes()
    group, encodes, here = measured[0]
    store.write_group(group, encodes, SCORING, ffmpeg, here)
    assert store.encodes().equals(before)
    single = replace(group, cells=group.cells[:1])
    store.write_group(single, encodes[:1], SCORING, ffmpeg, here)
    assert len(store.encode_files()) == 3
    assert store.encodes().equals(before)
    assert store.frames().height == 4 * 7


def test_the_same_numbers_are_the_same_bytes(store, tmp_path, measured, ffmpeg):
    other = CorpusStore(tmp_path / "other")
    other.prepare()
    for group, encodes, here in reversed(measured):
        other.write_group(group, encodes, SCORING, ffmpeg, here)
    assert other.sha256() == store.sha256()
    assert other.encodes().equals(store.encodes())


def test_the_hash_is_that_of_what_is_held_and_not_of_timings_or_files(store, tmp_path):
    before = store.sha256()
    (tmp_path / "other").mkdir()
    other = CorpusStore(tmp_path / "other")
    store.encodes().with_columns(pl.col(*TIMINGS) * 3).reverse().write_parquet(other.folder / "encodes.parquet")
    store.frames().reverse().write_parquet(other.folder / "frames.parquet")
    assert other.sha256() == before


@pytest.mark.parametrize(
    ("table", "column"),
    [("encodes", "vmaf"), ("encodes", "bytes"), ("encodes", "threads"), ("frames", "adm2"), ("frames", "bytes")],
)
def test_every_number_is_in_the_hash(store, table, column):
    before = store.sha256()
    path = (store.encode_files() if table == "encodes" else store.frame_files())[0]
    rows = pl.read_parquet(path, glob=False)
    last = pl.int_range(pl.len()) == pl.len() - 1
    step = 1 if rows[column].dtype.is_integer() else 1e-9
    changed = rows.with_columns(pl.when(last).then(pl.col(column) + step).otherwise(pl.col(column)).alias(column))
    changed.write_parquet(path)
    assert store.sha256() != before
    changed.with_columns(rows[column]).write_parquet(path)
    assert store.sha256() == before
    store.frame_files()[0].unlink()
    assert store.sha256() != before


def test_a_folder_with_brackets_in_its_name_is_a_folder(store, tmp_path):
    odd = tmp_path / "corpus [1080p] *"
    shutil.copytree(store.folder, odd)
    assert CorpusStore(odd).encodes().equals(store.encodes())
    assert CorpusStore(odd).frames().equals(store.frames())
    assert CorpusStore(odd).sha256() == store.sha256()
    assert CorpusStore(odd).finished() == store.finished()


def test_a_group_whose_frames_cannot_be_written_is_not_finished(tmp_path, measured, ffmpeg):
    """Frames come first: a group that is listed has them."""
    store = CorpusStore(tmp_path)
    store.prepare()
    group, encodes, here = measured[0]
    (tmp_path / "frames" / f"{group.key}.parquet").mkdir()
    with pytest.raises(OutputError, match="cannot write"):
        store.write_group(group, encodes, SCORING, ffmpeg, here)
    assert store.finished() == set()
    assert list((tmp_path / "encodes").iterdir()) == []


# ------------------------------------------------------------------------------------------------------- damaged files


def damage(data, how):
    return {
        "empty": b"",
        "torn": data[: len(data) // 2],
        "torn at the end": data[:-3],
        "text": b"these are words\n" * 40,
        "zeros": b"\0" * len(data),
        "magic alone": b"PAR1" + b"\xff" * 200 + b"PAR1",
    }[how]


@pytest.mark.parametrize("how", ["empty", "torn", "torn at the end", "text", "zeros", "magic alone"])
def test_a_damaged_file_is_named_with_what_to_do(store, how):
    for path, read in ((store.encode_files()[1], store.encodes), (store.frame_files()[0], store.frames)):
        whole = path.read_bytes()
        path.write_bytes(damage(whole, how))
        with pytest.raises(DataError, match="delete it and build again") as caught:
            read()
        assert str(path) in str(caught.value)
        path.write_bytes(whole)
    assert store.encodes().height == 4


def test_a_damaged_list_of_what_is_finished_is_named_too(store):
    path = store.encode_files()[0]
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(DataError, match=path.name):
        store.finished()


def test_a_table_of_something_else_is_named(store):
    path = store.encode_files()[0]
    pl.DataFrame({"colour": ["red"]}).write_parquet(path)
    with pytest.raises(DataError, match=path.name):
        store.finished()
    with pytest.raises(DataError, match="lacks a column"):
        store.frames(["colour"])


def test_where_there_is_no_corpus(tmp_path):
    for folder, error, words in (
        (tmp_path / "absent", RequestError, "absent does not exist"),
        (tmp_path, DataError, r"holds no corpus .* build one with `vmafcast corpus build`"),
    ):
        empty = CorpusStore(folder)
        assert empty.finished() == set()
        for read in (empty.encodes, empty.frames, empty.files, empty.sha256):
            with pytest.raises(error, match=words):
                read()


# ------------------------------------------------------------------------------------------------- sweeping leftovers


def test_what_dead_processes_left_is_swept_and_what_living_ones_write_is_kept(store):
    dead = dead_process()
    stale = [
        store.folder / "frames" / f".vmafcast-{dead}-0a1b2c3d.x.parquet",
        store.folder / "encodes" / f".vmafcast-{dead}-0a1b2c3d.x.parquet",
    ]
    for path in stale:
        path.write_bytes(b"PAR1 torn")
    work = store.folder / f"vmafcast-work-{dead}-abc"
    work.mkdir()
    (work / "c0.mkv").write_bytes(b"x" * 100)
    orphan = store.folder / "frames" / ("e" * 16 + ".parquet")
    orphan.write_bytes(store.frame_files()[0].read_bytes())
    living = [
        temporary_sibling(store.folder / "frames" / "y.parquet"),
        store.folder / f"vmafcast-work-{os.getpid()}-abc",
    ]
    living[0].write_bytes(b"being written")
    living[1].mkdir()
    before = store.encodes()
    assert sorted(store.prepare()) == sorted([*stale, work, orphan])
    assert not any(path.exists() for path in (*stale, work, orphan))
    assert all(path.exists() for path in living)
    assert store.encodes().equals(before)
    assert store.frames().height == 4 * 7
    assert store.prepare() == []


def test_temporaries_are_no_part_of_a_corpus(store):
    before = store.sha256()
    for name in ("encodes", "frames"):
        temporary_sibling(store.folder / name / "y.parquet").write_bytes(b"being written")
    assert store.sha256() == before
    assert store.encodes().height == 4


def test_places_where_no_corpus_can_be(tmp_path, unprivileged):
    (unprivileged / "file").write_text("in the way")
    closed = unprivileged / "closed"
    (closed / "encodes").mkdir(parents=True)
    (closed / "frames").mkdir()
    closed.chmod(0o555)
    for folder in (unprivileged / "file", unprivileged / "file" / "corpus", closed, closed / "new"):
        with pytest.raises(OutputError, match=r"cannot (make a|write to the) corpus .*choose another place"):
            CorpusStore(folder).prepare()
    assert sorted(path.name for path in closed.iterdir()) == ["encodes", "frames"]


# ------------------------------------------------------------------------------------------------------ pooling


@given(st.lists(st.floats(0, 100), min_size=1, max_size=200))
def test_pooled_scores_are_in_order(scores):
    pooled = Pooled.of(np.array(scores))
    assert pooled.minimum <= pooled.percentile_1 <= pooled.percentile_5
    assert pooled.minimum - 1e-9 <= pooled.harmonic_mean <= pooled.mean + 1e-9
    assert pooled.mean == pytest.approx(np.mean(scores))


def test_the_mean_hides_the_worst_and_the_others_do_not():
    scores = np.array([95.0] * 95 + [10.0] * 5)
    pooled = Pooled.of(scores)
    assert pooled.mean == pytest.approx(90.75)
    assert pooled.harmonic_mean < 72
    assert pooled.percentile_1 == pooled.minimum == 10
    assert Pooled.of(np.zeros(3)).harmonic_mean == 0
