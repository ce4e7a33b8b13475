"""What per-frame JSON lines become when they are imported: the tables, the names, the order, the torn last line."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys

import numpy as np
import pytest

from vmafcast.corpus import intake
from vmafcast.corpus.describe import describe_corpus
from vmafcast.corpus.foreign import SourceGroups
from vmafcast.corpus.importing import import_file
from vmafcast.corpus.store import Pooled
from vmafcast.corpus.tables import IMPORTED_SCHEMA
from vmafcast.encoders.aliases import ALIASES

SIX = ("adm2", "vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "motion2")
TEACHER = "vmaf_v0.6.1"


def test_the_tables_hold_what_the_rows_say_and_nothing_more(jsonl, tmp_path):
    rows = jsonl.clip(5, preset="slow", enc_bytes=1234, enc_time_ms=56.5)
    store, done = jsonl.take(tmp_path, rows)
    (encode,) = store.encodes().iter_rows(named=True)
    scores = np.array([each["vmaf"] for each in rows])
    pooled = Pooled.of(scores)
    assert store.encodes().schema == dict(IMPORTED_SCHEMA)
    assert encode["source"] == encode["source_group"] == "park"
    assert (encode["encoder"], encode["preset"], encode["quality"]) == ("libx264", "slow", 28)
    assert (encode["frames"], encode["bytes"], encode["enc_time_ms"]) == (5, 1234, 56.5)
    assert (encode["vmaf"], encode["vmaf_min"]) == (pooled.mean, scores.min())
    assert (encode["vmaf_harmonic_mean"], encode["vmaf_p5"]) == (pooled.harmonic_mean, pooled.percentile_5)
    assert (encode["teacher"], encode["feature_sets"]) == (TEACHER, "canonical6")
    for unsaid in ("source_sha256", "width", "fps", "bit_depth", "threads", "kbps", "encode_cpu_s", "ffmpeg_version"):
        assert encode[unsaid] is None
    frames = store.frames()
    assert frames["frame"].to_list() == [0, 1, 2, 3, 4]
    assert frames["bytes"].null_count() == frames["type"].null_count() == 5
    assert frames.select(*SIX, "vmaf").rows() == [tuple(each[name] for name in (*SIX, "vmaf")) for each in rows]
    assert done.counts.rows == 5
    assert done.counts.cells == done.counts.sources == 1


def test_an_import_says_what_it_assumed(jsonl, tmp_path):
    _, done = jsonl.take(tmp_path, [jsonl.row(3), jsonl.row(5)])
    assert any("group of its own" in words for words in done.notes)
    assert any(TEACHER in words and "--teacher" in words for words in done.notes)
    assert any("1 of 1 encodes do not hold every frame" in words for words in done.notes)
    _, told = jsonl.take(tmp_path, jsonl.clip(), "told", teacher="vmaf_v1", groups=SourceGroups({"park": "parks"}))
    assert told.notes == ()
    assert told.teacher == "vmaf_v1"


@pytest.mark.parametrize(
    ("old", "new"),
    [("codec", "encoder"), ("q", "cq"), ("crf", "cq"), ("vmaf_score", "vmaf")],
)  # fmt: skip
def test_every_older_name_of_a_key_is_read(jsonl, tmp_path, old, new):
    rows = [{(old if key == new else key): value for key, value in each.items()} for each in jsonl.clip()]
    aliased, _ = jsonl.take(tmp_path, rows, "aliased")
    plain, _ = jsonl.take(tmp_path, jsonl.clip(), "plain")
    assert jsonl.files_of(aliased.folder) == jsonl.files_of(plain.folder)


@pytest.mark.parametrize("key", ["kbps", "actual_kbps", "bitrate_kbps"])
def test_the_bitrate_is_read_under_each_of_its_names(jsonl, tmp_path, key):
    store, _ = jsonl.take(tmp_path, jsonl.clip(**{key: 812.5}))
    assert store.encodes()["kbps"].to_list() == [812.5]


@pytest.mark.parametrize("alias", sorted(ALIASES))
def test_every_alias_of_an_encoder_becomes_its_own_name(jsonl, tmp_path, alias):
    store, _ = jsonl.take(tmp_path, [jsonl.row(encoder=alias.upper()), jsonl.row(1, codec=alias, encoder=None)])
    assert store.encodes()["encoder"].to_list() == [ALIASES[alias]]


def test_a_quality_may_be_written_as_a_float_and_a_preset_as_a_number(jsonl, tmp_path):
    store, _ = jsonl.take(
        tmp_path, [jsonl.row(0, encoder="libsvtav1", cq=35.0, preset=8), jsonl.row(1, encoder="av1", cq=35, preset="8")]
    )
    assert store.encodes().select("preset", "quality", "frames").rows() == [("8", 35, 2)]


def test_unknown_keys_are_passed_over_whatever_they_hold(jsonl, tmp_path):
    plain, _ = jsonl.take(tmp_path, jsonl.clip(), "plain")
    odd = [each | {"psnr_y": float("nan"), "nested": {"a": [1, None]}, "note": "é"} for each in jsonl.clip()]
    store, _ = jsonl.take(tmp_path, odd, "odd")
    assert jsonl.files_of(store.folder) == jsonl.files_of(plain.folder)


def test_a_missing_preset_is_not_the_same_encode_as_a_stated_one(jsonl, tmp_path):
    store, _ = jsonl.take(tmp_path, [*jsonl.clip(2), *jsonl.clip(2, preset="medium"), *jsonl.clip(2, preset="slow")])
    assert store.encodes()["preset"].to_list() == [None, "medium", "slow"]
    assert store.encodes()["cell"].n_unique() == 3


def test_the_order_of_rows_and_blank_lines_change_nothing(jsonl, tmp_path):
    rows = [each for cq in (20, 30) for name in "abcdefgh" for each in jsonl.clip(4, src=name, cq=cq)]
    straight, _ = jsonl.take(tmp_path, rows, "straight")
    random.Random(1).shuffle(rows)
    path = tmp_path / "shuffled.jsonl"
    path.write_text("\n\r\n  \n".join(json.dumps(each) for each in rows) + "\n\n")
    import_file(path, tmp_path / "shuffled")
    assert jsonl.files_of(tmp_path / "shuffled") == jsonl.files_of(straight.folder)


def test_many_spills_give_the_tables_that_one_gives(jsonl, tmp_path, monkeypatch):
    rows = [each for name in "abcdefghij" for cq in (21, 22) for each in jsonl.clip(3, src=name, cq=cq)]
    random.Random(2).shuffle(rows)
    one, _ = jsonl.take(tmp_path, rows, "one")
    monkeypatch.setattr(intake, "SPILL_BYTES", 1024)
    many, _ = jsonl.take(tmp_path, rows, "many")
    assert len(jsonl.files_of(one.folder)) == 2 < len(jsonl.files_of(many.folder))
    assert one.encodes().equals(many.encodes())
    assert one.frames().equals(many.frames())
    assert jsonl.exported(one, tmp_path / "one.out") == jsonl.exported(many, tmp_path / "many.out")


def test_a_torn_last_line_is_reported_with_its_offset_and_dropped(jsonl, tmp_path):
    whole = "".join(json.dumps(each) + "\n" for each in jsonl.clip(4)).encode()
    path = tmp_path / "torn.jsonl"
    for torn in (b'{"src": "park", "enc', b'{"src": "park", "enc\n', b'{"src": "pa\xff\n  \n', b"\0\0\0"):
        path.write_bytes(whole + torn)
        done = import_file(path, tmp_path / f"corpus{len(torn)}")
        assert done.torn is not None
        assert (done.torn.line, done.torn.byte_offset) == (5, len(whole))
        assert any(f"byte offset {len(whole)}" in words and "line 5" in words for words in done.notes)
        assert done.counts.rows == 4


def test_a_last_line_without_an_end_is_whole(jsonl, tmp_path):
    path = jsonl.write(tmp_path / "rows.jsonl", jsonl.clip(4), end="")
    done = import_file(path, tmp_path / "corpus")
    assert (done.torn, done.counts.rows) == (None, 4)


def test_a_byte_order_mark_is_passed_over(jsonl, tmp_path):
    path = tmp_path / "rows.jsonl"
    rows = b"".join(json.dumps(each).encode() + b"\n" for each in jsonl.clip(3))
    path.write_bytes(b"\xef\xbb\xbf" + rows + b'{"src"')
    done = import_file(path, tmp_path / "corpus")
    assert (done.counts.rows, done.torn.byte_offset) == (3, 3 + len(rows))


def test_what_a_killed_import_left_is_swept_by_the_next(jsonl, tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    stale = tmp_path / f".vmafcast-{gone.pid}-00ff.corpus"
    other = tmp_path / f".vmafcast-{gone.pid}-00ff.another corpus"
    running = tmp_path / f".vmafcast-{os.getpid()}-00ff.corpus"
    for folder in (stale, other, running):
        (folder / "spill").mkdir(parents=True)
    jsonl.take(tmp_path, jsonl.clip())
    assert not stale.exists()
    assert other.exists()
    assert running.exists()


def test_an_imported_corpus_can_be_described(jsonl, tmp_path):
    rows = [
        *jsonl.clip(3),
        *jsonl.clip(3, preset="fast", cq=40, kbps=900.0),
        *jsonl.clip(3, src="lake", encoder="unknown", cq=None),
    ]
    store, _ = jsonl.take(tmp_path, rows)
    summary = describe_corpus(store)
    kinds = {(each.encoder, each.preset): each for each in summary.encoders}
    assert list(kinds) == [("libx264", None), ("libx264", "fast"), ("unknown", None)]
    assert kinds["libx264", "fast"].kbps_median == 900.0
    assert kinds["libx264", None].kbps_median is None
    assert kinds["unknown", None].qualities == kinds["unknown", None].mean_curve == ()
    assert {each.cpu_seconds for each in summary.encoders} == {None}
    assert (summary.cells, summary.frames, summary.ffmpeg_versions) == (3, 9, ())
