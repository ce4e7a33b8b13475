from __future__ import annotations

import json
import os
import random
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vmafcast.common.errors import DataError, OutputError, RequestError
from vmafcast.corpus import cells, intake
from vmafcast.corpus.build import build_corpus
from vmafcast.corpus.describe import describe_corpus
from vmafcast.corpus.export import export_jsonl
from vmafcast.corpus.foreign import SourceGroups
from vmafcast.corpus.importing import import_file
from vmafcast.corpus.jsonl import LONGEST_LINE, JsonLines
from vmafcast.corpus.store import CorpusStore, Pooled
from vmafcast.corpus.table import frame_table
from vmafcast.corpus.tables import ENCODE_SCHEMA, IMPORTED_SCHEMA
from vmafcast.encoders.aliases import ALIASES
from vmafcast.models.recipe import get_recipe
from vmafcast.workflows.rows import corpus_rows
from vmafcast.workflows.sweep import EncoderSweep, make_sweep

SIX = ("adm2", "vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "motion2")
TEACHER = "vmaf_v0.6.1"


def row(frame=0, **changes):
    """A row of the format; a change to None takes the key out."""
    share = 0.5 + frame / 100
    made = {"src": "park", "encoder": "libx264", "cq": 28, "frame_index": frame, "vmaf": 80.0 + frame / 7}
    made |= dict.fromkeys(SIX[:5], share) | {"motion2": frame * 1.25} | changes
    return {key: value for key, value in made.items() if value is not None}


def clip(frames=6, **changes):
    return [row(frame, **changes) for frame in range(frames)]


def write(path, rows, end="\n"):
    path.write_bytes("\n".join(json.dumps(each) for each in rows).encode() + end.encode())
    return path


def take(tmp_path, rows, name="corpus", **options):
    done = import_file(write(tmp_path / f"{name}.jsonl", rows), tmp_path / name, **options)
    return CorpusStore(tmp_path / name), done


def refused(tmp_path, content, *words):
    """An import that ends in an error with these words, and leaves nothing behind."""
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else "\n".join(map(json.dumps, content)).encode() + b"\n")
    with pytest.raises(DataError) as caught:
        import_file(path, tmp_path / "bad")
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert [each.name for each in tmp_path.iterdir()] == ["bad.jsonl"]


def files_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.parquet")}


def exported(store, path):
    export_jsonl(store, path)
    return [json.loads(line) for line in path.read_bytes().splitlines()]


# What the rows become


def test_the_tables_hold_what_the_rows_say_and_nothing_more(tmp_path):
    rows = clip(5, preset="slow", enc_bytes=1234, enc_time_ms=56.5)
    store, done = take(tmp_path, rows)
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


def test_an_import_says_what_it_assumed(tmp_path):
    _, done = take(tmp_path, [row(3), row(5)])
    assert any("group of its own" in words for words in done.notes)
    assert any(TEACHER in words and "--teacher" in words for words in done.notes)
    assert any("1 of 1 encodes do not hold every frame" in words for words in done.notes)
    _, told = take(tmp_path, clip(), "told", teacher="vmaf_v1", groups=SourceGroups({"park": "parks"}))
    assert told.notes == ()
    assert told.teacher == "vmaf_v1"


@pytest.mark.parametrize(
    ("old", "new"),
    [("codec", "encoder"), ("q", "cq"), ("crf", "cq"), ("vmaf_score", "vmaf")],
)  # fmt: skip
def test_every_older_name_of_a_key_is_read(tmp_path, old, new):
    rows = [{(old if key == new else key): value for key, value in each.items()} for each in clip()]
    aliased, _ = take(tmp_path, rows, "aliased")
    plain, _ = take(tmp_path, clip(), "plain")
    assert files_of(aliased.folder) == files_of(plain.folder)


@pytest.mark.parametrize("key", ["kbps", "actual_kbps", "bitrate_kbps"])
def test_the_bitrate_is_read_under_each_of_its_names(tmp_path, key):
    store, _ = take(tmp_path, clip(**{key: 812.5}))
    assert store.encodes()["kbps"].to_list() == [812.5]


@pytest.mark.parametrize("alias", sorted(ALIASES))
def test_every_alias_of_an_encoder_becomes_its_own_name(tmp_path, alias):
    store, _ = take(tmp_path, [row(encoder=alias.upper()), row(1, codec=alias, encoder=None)])
    assert store.encodes()["encoder"].to_list() == [ALIASES[alias]]


def test_a_quality_may_be_written_as_a_float_and_a_preset_as_a_number(tmp_path):
    store, _ = take(
        tmp_path, [row(0, encoder="libsvtav1", cq=35.0, preset=8), row(1, encoder="av1", cq=35, preset="8")]
    )
    assert store.encodes().select("preset", "quality", "frames").rows() == [("8", 35, 2)]


def test_unknown_keys_are_passed_over_whatever_they_hold(tmp_path):
    plain, _ = take(tmp_path, clip(), "plain")
    odd = [each | {"psnr_y": float("nan"), "nested": {"a": [1, None]}, "note": "é"} for each in clip()]
    store, _ = take(tmp_path, odd, "odd")
    assert files_of(store.folder) == files_of(plain.folder)


def test_a_missing_preset_is_not_the_same_encode_as_a_stated_one(tmp_path):
    store, _ = take(tmp_path, [*clip(2), *clip(2, preset="medium"), *clip(2, preset="slow")])
    assert store.encodes()["preset"].to_list() == [None, "medium", "slow"]
    assert store.encodes()["cell"].n_unique() == 3


def test_the_order_of_rows_and_blank_lines_change_nothing(tmp_path):
    rows = [each for cq in (20, 30) for name in "abcdefgh" for each in clip(4, src=name, cq=cq)]
    straight, _ = take(tmp_path, rows, "straight")
    random.Random(1).shuffle(rows)
    path = tmp_path / "shuffled.jsonl"
    path.write_text("\n\r\n  \n".join(json.dumps(each) for each in rows) + "\n\n")
    import_file(path, tmp_path / "shuffled")
    assert files_of(tmp_path / "shuffled") == files_of(straight.folder)


def test_many_spills_give_the_tables_that_one_gives(tmp_path, monkeypatch):
    rows = [each for name in "abcdefghij" for cq in (21, 22) for each in clip(3, src=name, cq=cq)]
    random.Random(2).shuffle(rows)
    one, _ = take(tmp_path, rows, "one")
    monkeypatch.setattr(intake, "SPILL_BYTES", 1024)
    many, _ = take(tmp_path, rows, "many")
    assert len(files_of(one.folder)) == 2 < len(files_of(many.folder))
    assert one.encodes().equals(many.encodes())
    assert one.frames().equals(many.frames())
    assert exported(one, tmp_path / "one.out") == exported(many, tmp_path / "many.out")


# What is refused


def test_a_torn_last_line_is_reported_with_its_offset_and_dropped(tmp_path):
    whole = "".join(json.dumps(each) + "\n" for each in clip(4)).encode()
    path = tmp_path / "torn.jsonl"
    for torn in (b'{"src": "park", "enc', b'{"src": "park", "enc\n', b'{"src": "pa\xff\n  \n', b"\0\0\0"):
        path.write_bytes(whole + torn)
        done = import_file(path, tmp_path / f"corpus{len(torn)}")
        assert done.torn is not None
        assert (done.torn.line, done.torn.byte_offset) == (5, len(whole))
        assert any(f"byte offset {len(whole)}" in words and "line 5" in words for words in done.notes)
        assert done.counts.rows == 4


def test_a_last_line_without_an_end_is_whole(tmp_path):
    path = write(tmp_path / "rows.jsonl", clip(4), end="")
    done = import_file(path, tmp_path / "corpus")
    assert (done.torn, done.counts.rows) == (None, 4)


@pytest.mark.parametrize("batch", [1, 300, 1 << 20])
def test_a_torn_line_elsewhere_is_an_error_that_names_it(tmp_path, batch):
    lines = [json.dumps(each).encode() for each in clip(5)]
    lines[2] = lines[2][:50]
    path = tmp_path / "torn.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    with pytest.raises(DataError, match="line 3 is no JSON object"):
        list(JsonLines(path).batches(batch_bytes=batch))


def test_a_torn_line_that_a_later_run_went_on_after_is_an_error(tmp_path):
    lines = [json.dumps(each) for each in clip(4)]
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
def test_an_impossible_value_is_refused_with_its_line(tmp_path, change, words):
    refused(tmp_path, [*clip(2), row(2, **change), *clip(2, src="other")], "line 3", *words)


def test_the_first_of_several_wrong_lines_is_named(tmp_path):
    refused(tmp_path, [row(0), row(1, adm2=9.0), row(2, vmaf=-4.0)], "line 2", "adm2")


def test_a_frame_that_is_there_twice_is_refused_with_both_lines(tmp_path):
    refused(tmp_path, [*clip(3), row(1, encoder="x264", vmaf=3.0)], "line 4", "frame 1", "park", "(at 2)")


def test_rows_of_one_encode_that_disagree_are_refused(tmp_path):
    refused(tmp_path, [row(0, enc_bytes=10), row(1), row(2, enc_bytes=11)], "line 3", "bytes", "11", "10")


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"[1, 2]\n", b"7\n", b"null\n{}\n", b"name,vmaf\npark,80\n", b"\xef\xbb\xbf"]
)
def test_what_holds_no_rows_is_refused(tmp_path, content):
    refused(tmp_path, content, "bad.jsonl")


def test_a_file_without_lines_is_refused_before_it_is_held(tmp_path):
    refused(tmp_path, b"x" * (2 * LONGEST_LINE), "line 1", "longer than")


def test_a_byte_order_mark_is_passed_over(tmp_path):
    path = tmp_path / "rows.jsonl"
    rows = b"".join(json.dumps(each).encode() + b"\n" for each in clip(3))
    path.write_bytes(b"\xef\xbb\xbf" + rows + b'{"src"')
    done = import_file(path, tmp_path / "corpus")
    assert (done.counts.rows, done.torn.byte_offset) == (3, 3 + len(rows))


def test_a_missing_file_and_a_place_that_is_taken(tmp_path):
    with pytest.raises(RequestError, match="nowhere"):
        import_file(tmp_path / "nowhere.jsonl", tmp_path / "corpus")
    path = write(tmp_path / "rows.jsonl", clip())
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "letter").touch()
    with pytest.raises(RequestError, match="there already"):
        import_file(path, tmp_path / "taken")
    with pytest.raises(RequestError, match="there already"):
        import_file(path, path)
    assert [each.name for each in (tmp_path / "taken").iterdir()] == ["letter"]
    (tmp_path / "empty").mkdir()
    assert import_file(path, tmp_path / "empty").counts.rows == 6


def test_what_a_killed_import_left_is_swept_by_the_next(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    stale = tmp_path / f".vmafcast-{gone.pid}-00ff.corpus"
    other = tmp_path / f".vmafcast-{gone.pid}-00ff.another corpus"
    running = tmp_path / f".vmafcast-{os.getpid()}-00ff.corpus"
    for folder in (stale, other, running):
        (folder / "spill").mkdir(parents=True)
    take(tmp_path, clip())
    assert not stale.exists()
    assert other.exists()
    assert running.exists()


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_place_that_cannot_be_written(tmp_path):
    path = write(tmp_path / "rows.jsonl", clip())
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(OutputError, match="locked"):
        import_file(path, tmp_path / "locked" / "corpus")


def test_an_output_below_a_file_is_refused(tmp_path):
    path = write(tmp_path / "rows.jsonl", clip())
    with pytest.raises(OutputError, match="choose another place"):
        import_file(path, path / "corpus")


# Source groups


def test_source_groups_are_found_by_name_file_name_and_stem(tmp_path):
    table = tmp_path / "groups.csv"
    table.write_text("name,file,source_group\npark_a,park_a.mkv,park\npark_b,,park\nlake,lake.y4m,lake\n")
    rows = [*clip(src="park_a"), *clip(src="/data/park_b.yuv"), *clip(src="C:\\clips\\lake.y4m")]
    store, done = take(tmp_path, rows, groups=SourceGroups.read(table))
    assert sorted(store.encodes()["source_group"]) == ["lake", "park", "park"]
    assert done.counts.source_groups == 2
    assert not any("group of its own" in words for words in done.notes)


def test_a_source_without_a_group_is_an_error_that_names_it(tmp_path):
    table = tmp_path / "groups.csv"
    table.write_text("src,source_group\npark,parks\n")
    path = write(tmp_path / "rows.jsonl", [*clip(), *clip(src="lake")])
    with pytest.raises(DataError, match=r"groups\.csv.*lake"):
        import_file(path, tmp_path / "corpus", groups=SourceGroups.read(table))
    assert not (tmp_path / "corpus").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("src,group\na,b\n", "source_group"),
        ("who,source_group\na,b\n", "name, src, source or file"),
        ("src,source_group\na,\n", "line 2"),
        ("src,source_group\n,b\n", "line 2"),
        ("src,source_group\na,b\na,c\n", "line 3: a is in the groups b and c"),
        ("", "source_group"),
    ],
)
def test_a_table_of_groups_that_cannot_be_meant(tmp_path, text, words):
    table = tmp_path / "groups.csv"
    table.write_text(text)
    with pytest.raises(DataError, match=words):
        SourceGroups.read(table)


def test_a_table_of_groups_that_cannot_be_read(tmp_path):
    (tmp_path / "groups.csv").write_bytes(b"\xff\xfe\x00")
    for name in ("groups.csv", "nowhere.csv"):
        with pytest.raises(RequestError, match=name):
            SourceGroups.read(tmp_path / name)


# Reading against the standard library, line by line


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 200), st.floats(allow_nan=True), st.text(max_size=3), st.just([1]),
)  # fmt: skip
LINES = st.one_of(
    st.builds(
        lambda frame, key, value: json.dumps(row(frame) | {key: value}).encode(),
        st.integers(0, 99), st.sampled_from([*row(), "codec", "crf", "preset", "other"]), VALUES,
    ),
    st.builds(lambda frame, cut: json.dumps(row(frame)).encode()[:cut], st.integers(0, 9), st.integers(0, 400)),
    st.sampled_from([b"", b"  ", b"\r", b"{}", b"[]", b"nul", b"\xff", b'{"a": 1} {"a": 2}']),
)  # fmt: skip


def read_plainly(data):
    """What must come of a file, by the rules as they are written: rows by line, the torn line, or the line at fault."""
    lines = data.split(b"\n")
    last = max((number for number, line in enumerate(lines, 1) if line.strip(b" \t\r")), default=0)
    rows, torn = [], None
    for number, line in enumerate(lines, 1):
        if not line.strip(b" \t\r"):
            continue
        try:
            found = json.loads(line)
        except ValueError:
            if number == last:
                torn = number
                continue
            return number
        if not isinstance(found, dict):
            return number
        columns = {"source": ("src",), "encoder": ("encoder", "codec"), "preset": ("preset",)}
        columns |= {"quality": ("cq", "q", "crf"), "frame": ("frame_index",), "vmaf": ("vmaf", "vmaf_score")}
        got = {}
        for name, keys in (columns | {name: (name,) for name in SIX}).items():
            value = next((found[key] for key in keys if found.get(key) is not None), None)
            text = name in ("source", "encoder", "preset")
            if value is None and name not in ("preset", "quality"):
                return number
            fits = isinstance(value, str | int) if text else isinstance(value, int | float)
            if value is not None and (not fits or isinstance(value, bool)):
                return number
            got[name] = None if value is None else str(value) if text else float(value)
        rows.append((number, got))
    return rows, torn


def read_by_us(path, batch_bytes):
    reader = JsonLines(path)
    try:
        tables = list(reader.batches(batch_bytes=batch_bytes))
    except DataError as error:
        return int(str(error).split("line ")[1].split(":")[0].split(" ")[0])
    rows = [
        (
            each["number"],
            {name: each[name] for name in ("source", "encoder", "preset", "quality", "frame", "vmaf", *SIX)},
        )
        for table in tables
        for each in table.iter_rows(named=True)
    ]
    return rows, reader.torn and reader.torn.line


def lenient(line):
    """Polars turns booleans, floats and lists into text, where the standard library's reader refuses them."""
    try:
        found = json.loads(line)
    except ValueError:
        return False
    odd = (found.get(key) for key in ("src", "encoder", "codec", "preset")) if isinstance(found, dict) else ()
    return any(isinstance(value, bool | float | list) for value in odd)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(LINES, max_size=8).filter(lambda lines: not any(map(lenient, lines))),
    end=st.sampled_from([b"", b"\n"]),
    batch_bytes=st.sampled_from([1, 64, 700, 1 << 20]),
)
def test_batches_hold_what_the_lines_hold(tmp_path, lines, end, batch_bytes):
    path = tmp_path / "lines.jsonl"
    path.write_bytes(b"\n".join(lines) + end)
    expected, got = read_plainly(path.read_bytes()), read_by_us(path, batch_bytes)
    assert repr(got) == repr(expected)  # NaN equals NaN here


# Round trips


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
def test_export_and_import_are_the_identity_on_what_they_share(tmp_path_factory, encodes, order):
    tmp_path = tmp_path_factory.mktemp("trip")
    rows = [
        {key: value for key, value in facts.items() if value is not None}
        | dict(zip(("vmaf", *SIX), numbers, strict=True)) | {"frame_index": frame}
        for facts, frames in encodes for frame, numbers in enumerate(frames)
    ]  # fmt: skip
    order.shuffle(rows)
    first, _ = take(tmp_path, rows, "first")
    out = exported(first, tmp_path / "first.out")
    by_frame = sorted(rows, key=lambda each: (*cell_of(each), each["frame_index"]))
    assert sorted(out, key=lambda each: (*cell_of(each), each["frame_index"])) == by_frame
    import_file(tmp_path / "first.out", tmp_path / "second")
    assert files_of(tmp_path / "second") == files_of(tmp_path / "first")
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


def test_a_built_corpus_survives_the_trip(native, tmp_path):
    rows = exported(native, tmp_path / "rows.jsonl")
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
    with pytest.raises(DataError):
        export_jsonl(CorpusStore(tmp_path / "nowhere"), path)
    assert path.read_text() == "what was there\n"
    assert export_jsonl(native, path).cells == 4
    assert [each.name for each in tmp_path.iterdir()] == ["rows.jsonl"]


def test_an_encode_without_frames_and_a_missing_feature_stop_an_export(tmp_path):
    store, _ = take(tmp_path, [*clip(), *clip(cq=30)])
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
def test_an_export_does_not_depend_on_files_or_batches(tmp_path, monkeypatch, batch):
    store, _ = take(tmp_path, [each for name in "abc" for cq in (20, 30, 40) for each in clip(4, src=name, cq=cq)])
    export_jsonl(store, tmp_path / "before.jsonl")
    split(store, 4)
    monkeypatch.setattr(cells.batches_of, "__defaults__", (batch,))
    monkeypatch.setattr(cells.FrameReader.batches, "__defaults__", (None, batch))
    assert export_jsonl(store, tmp_path / "after.jsonl").rows == 36
    assert (tmp_path / "after.jsonl").read_bytes() == (tmp_path / "before.jsonl").read_bytes()


def test_optional_keys_are_there_where_they_are_known(tmp_path):
    rows = [*clip(2), *clip(2, cq=30, preset="fast", enc_bytes=7), *clip(2, cq=40, enc_time_ms=1.5)]
    store, _ = take(tmp_path, rows)
    known = {each["cq"]: set(each) - set(row()) for each in exported(store, tmp_path / "out.jsonl")}
    assert known == {28: set(), 30: {"preset", "enc_bytes"}, 40: {"enc_time_ms"}}


@pytest.mark.parametrize("damage", [b"", b"PAR1", b"not a table at all"])
def test_a_damaged_file_of_a_corpus_is_named(tmp_path, damage):
    store, _ = take(tmp_path, clip())
    (path,) = store.frame_files()
    path.write_bytes(damage)
    with pytest.raises(DataError, match=path.name):
        export_jsonl(store, tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()


def test_an_imported_corpus_can_be_described(tmp_path):
    rows = [*clip(3), *clip(3, preset="fast", cq=40, kbps=900.0), *clip(3, src="lake", encoder="unknown", cq=None)]
    store, _ = take(tmp_path, rows)
    summary = describe_corpus(store)
    kinds = {(each.encoder, each.preset): each for each in summary.encoders}
    assert list(kinds) == [("libx264", None), ("libx264", "fast"), ("unknown", None)]
    assert kinds["libx264", "fast"].kbps_median == 900.0
    assert kinds["libx264", None].kbps_median is None
    assert kinds["unknown", None].qualities == kinds["unknown", None].mean_curve == ()
    assert {each.cpu_seconds for each in summary.encoders} == {None}
    assert (summary.cells, summary.frames, summary.ffmpeg_versions) == (3, 9, ())


# What is learnt from


def test_an_unstated_preset_is_the_middle_and_that_is_said(tmp_path, caplog):
    rows = [*clip(60), *clip(60, cq=40, preset="ultrafast")]
    store, _ = take(tmp_path, rows)
    made = corpus_rows(store, get_recipe("fr_regressor_v3"))
    assert sorted(set(made.preset_norm.tolist())) == [0.0, 0.5]
    (said,) = caplog.messages
    assert "1 of 2 encodes" in said
    assert "0.5" in said


def test_rows_that_do_not_name_their_encoder_say_nothing_of_it(tmp_path, caplog):
    store, _ = take(tmp_path, [*clip(60, encoder="unknown", cq=None), *clip(60, encoder="unknown", src="lake")])
    made = corpus_rows(store, get_recipe("fr_regressor_v3"))
    assert set(made.encoders.tolist()) == {"unknown"}
    assert not made.preset_norm.any()
    assert not made.crf_norm.any()
    assert ["unknown" in words for words in caplog.messages] == [True]
    caplog.clear()
    assert len(corpus_rows(store, get_recipe("fr_regressor_v1"))) == 120
    assert not caplog.messages  # a codec-blind recipe has nothing to assume


# Memory


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path):
    """Twelve times the rows may take a little more memory (words of the encodes), not twelve times as much."""
    program = (
        "import resource, sys\nfrom pathlib import Path\nfrom vmafcast.corpus.importing import import_file\n"
        "import_file(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    peaks = []
    for count in (25, 300):
        path = tmp_path / f"{count}.jsonl"
        with path.open("w") as handle:
            for number in range(count):
                handle.writelines(json.dumps(row(frame % 50) | {"src": f"clip {number}", "frame_index": frame}) + "\n"
                                  for frame in range(1200))  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", program, str(path), str(tmp_path / f"corpus{count}")],
            env=os.environ | {"POLARS_MAX_THREADS": "1"}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        peaks.append(int(done.stdout))
    assert peaks[1] < 2 * peaks[0], peaks
