from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from vmafcast.common.errors import DataError
from vmafcast.corpus import feature_table
from vmafcast.corpus.export import export_jsonl
from vmafcast.corpus.foreign import SourceGroups
from vmafcast.corpus.importing import import_file
from vmafcast.corpus.store import CorpusStore
from vmafcast.corpus.verify import verify_corpus
from vmafcast.models.recipe import get_recipe
from vmafcast.workflows.rows import corpus_rows

SIX = ("adm2", "vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "motion2")
OTHERS = (
    "adm3", "aim", "adm_scale0", "adm_scale1", "adm_scale2", "adm_scale3", "motion", "motion3", "psnr_y", "psnr_cb",
    "psnr_cr", "float_ssim", "float_ms_ssim", "ciede2000", "cambi", "speed_chroma", "speed_chroma_u", "speed_chroma_v",
    "speed_temporal",
)  # fmt: skip
SOURCES = ("BigBuckBunny", "CrowdRun", "FoxBird")


def table(encodes=4, frames=10, prefix="", seed=0):
    """A table of the published shape: keys, the teacher's score and the full features, 30 columns."""
    rng = np.random.default_rng(seed)
    keys = [
        {"source": source, "dis_basename": f"{source}_{encode}.yuv", "frame_index": frame, "codec": "unknown"}
        for source in SOURCES
        for encode in range(encodes)
        for frame in range(frames)
    ]
    made = pl.DataFrame(keys)
    values = {name: rng.random(made.height).astype(np.float32) for name in (*SIX, *OTHERS)}
    integer = {*SIX, "motion", "motion3", "aim", "adm3", *(f"adm_scale{scale}" for scale in range(4))}
    named = {(prefix + name if name in integer else name): column for name, column in values.items()}
    return made.with_columns(vmaf=pl.Series(100 * rng.random(made.height), dtype=pl.Float32)).with_columns(**named)


def take(tmp_path, frame, name="corpus", **options):
    path = tmp_path / f"{name}.parquet"
    frame.write_parquet(path)
    done = import_file(path, tmp_path / name, **options)
    return CorpusStore(tmp_path / name), done


def refused(tmp_path, frame, *words, **options):
    with pytest.raises(DataError) as caught:
        take(tmp_path, frame, "bad", **options)
    assert all(word in str(caught.value) for word in words), caught.value
    assert [each.name for each in tmp_path.iterdir()] == ["bad.parquet"]


def test_a_table_of_the_published_shape_becomes_a_corpus_that_v1_learns_from(tmp_path):
    whole = table(encodes=5, frames=12)
    assert whole.width == 30
    store, done = take(tmp_path, whole)
    assert done.kind == "feature-table"
    assert done.features == (*SIX, *OTHERS)
    assert (done.counts.rows, done.counts.cells, done.counts.sources) == (180, 15, 3)
    encodes = store.encodes()
    assert set(encodes["encoder"]) == {"unknown"}
    for unsaid in ("preset", "quality", "bytes", "kbps", "fps"):
        assert encodes[unsaid].null_count() == 15
    assert sorted(encodes["distorted"]) == sorted(set(whole["dis_basename"]))
    rows = corpus_rows(store, get_recipe("fr_regressor_v1"))
    assert len(rows) == 180
    assert set(rows.groups.tolist()) == set(SOURCES)
    frames = store.frames().join(encodes.select("cell", "distorted"), on="cell")
    both = whole.join(frames, left_on=["dis_basename", "frame_index"], right_on=["distorted", "frame"], suffix="_ours")
    assert both.height == 180
    for name in (*SIX, *OTHERS, "vmaf"):
        assert (both[name].cast(pl.Float64) == both[f"{name}_ours"]).all(), name
    assert not verify_corpus(store).problems


def test_integer_names_and_plain_names_give_the_same_corpus(tmp_path):
    plain, _ = take(tmp_path, table(), "plain")
    integer, done = take(tmp_path, table(prefix="integer_"), "integer")
    assert done.features[:6] == SIX
    assert (
        integer.frames()
        .select(sorted(integer.frames().columns))
        .equals(plain.frames().select(sorted(plain.frames().columns)))
    )
    assert integer.encodes().equals(plain.encodes())


def test_the_fixed_point_feature_wins_where_both_are_there(tmp_path):
    both = table().with_columns(integer_adm2=pl.lit(0.25))
    store, done = take(tmp_path, both)
    assert set(store.frames()["adm2"]) == {0.25}
    assert done.features.count("adm2") == 1


def test_what_a_table_says_of_its_encodes_is_kept(tmp_path):
    told = table(encodes=2).drop("dis_basename").with_columns(
        codec=pl.lit("x265"), preset=pl.lit("fast"), crf=pl.int_range(pl.len()) // 10 % 2 + 30
    )  # fmt: skip
    store, _ = take(tmp_path, told)
    assert store.encodes().select("encoder", "preset").unique().rows() == [("libx265", "fast")]
    assert sorted(set(store.encodes()["quality"])) == [30, 31]


def test_an_encoder_without_a_quality_value_is_kept_and_trains_as_unknown(tmp_path, caplog):
    store, _ = take(tmp_path, table(frames=20).with_columns(codec=pl.lit("libx264")))
    assert set(store.encodes()["encoder"]) == {"libx264"}
    rows = corpus_rows(store, get_recipe("fr_regressor_v3"))
    assert set(rows.encoders.tolist()) == {"unknown"}
    assert any("12 of 12 encodes" in words for words in caplog.messages)
    assert [finding.kind for finding in verify_corpus(store).findings if finding.check == "unstated"] == [
        "note",
        "note",
    ]


@pytest.mark.parametrize("batch_rows", [7, 40, 1 << 17])
def test_encodes_that_nothing_tells_apart_go_by_their_frame_index(tmp_path, monkeypatch, batch_rows):
    monkeypatch.setattr(feature_table, "BATCH_ROWS", batch_rows)
    whole = table(encodes=3, frames=8)
    again = pl.concat([whole, table(encodes=1, frames=8, seed=1)])  # each source comes back for a fourth encode
    store, done = take(tmp_path, again.drop("dis_basename", "codec"))
    assert any("does not tell encodes apart" in words for words in done.notes)
    assert store.encodes().group_by("source").len()["len"].to_list() == [4, 4, 4]
    assert sorted(set(store.encodes()["distorted"])) == ["encode 1", "encode 2", "encode 3", "encode 4"]
    means = (
        again.with_columns(pl.Series("encode", np.arange(again.height) // 8))
        .group_by("encode")
        .agg(pl.col("vmaf").mean())
    )
    assert np.allclose(sorted(store.encodes()["vmaf"]), sorted(means["vmaf"]), atol=1e-4)


def test_batches_change_nothing(tmp_path, monkeypatch):
    whole, _ = take(tmp_path, table(), "whole")
    monkeypatch.setattr(feature_table, "BATCH_ROWS", 13)
    parts, _ = take(tmp_path, table(), "parts")
    assert [path.read_bytes() for path in parts.files()] == [path.read_bytes() for path in whole.files()]


def test_a_feature_that_a_frame_has_not_is_null_and_an_empty_one_is_left_out(tmp_path):
    gaps = table().with_columns(
        motion3=pl.when(pl.col("frame_index") > 0).then("motion3").otherwise(float("nan")),
        cambi=pl.when(pl.col("frame_index") > 1).then("cambi").otherwise(float("inf")),
        empty=pl.lit(None, dtype=pl.Float64),
        words=pl.lit("hello"),
    )
    store, done = take(tmp_path, gaps)
    assert store.frames()["motion3"].null_count() == 12
    assert store.frames()["cambi"].null_count() == 24
    assert "empty" not in done.features
    assert any("empty" in words and "words" in words for words in done.notes)
    assert not verify_corpus(store).problems


def test_columns_that_a_corpus_uses_itself_are_not_features(tmp_path):
    _, done = take(tmp_path, table().with_columns(bytes=pl.lit(1.0), fps=pl.lit(25.0), key=pl.lit(3.0)))
    assert set(done.features) - {*SIX, *OTHERS} == {"key"}


def test_the_teacher_that_a_table_names_counts(tmp_path):
    named = table().with_columns(teacher_model=pl.lit("vmaf_v1"))
    store, done = take(tmp_path, named)
    assert done.teacher == "vmaf_v1"
    assert set(store.encodes()["teacher"]) == {"vmaf_v1"}
    assert not any("--teacher" in words for words in done.notes)
    assert take(tmp_path, named, "same", teacher="vmaf_v1")[1].teacher == "vmaf_v1"


def test_another_teacher_or_two_are_refused(tmp_path):
    named = table().with_columns(teacher=pl.lit("vmaf_v1"))
    refused(tmp_path, named, "vmaf_v1", "vmaf_v0.6.1", teacher="vmaf_v0.6.1")
    two = named.with_columns(teacher=pl.when(pl.col("frame_index") > 3).then(pl.lit("b")).otherwise(pl.lit("a")))
    refused(tmp_path, two, "a, b", "one teacher")


@pytest.mark.parametrize("column", ["source", "frame_index", "vmaf", "adm2", "motion2"])
def test_a_missing_column_is_named_with_the_names_it_is_looked_for_by(tmp_path, column):
    refused(tmp_path, table().drop(column), column, "lacks")


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("adm2", float("nan"), ("adm2", "nan")),
        ("vif_scale0", 9.0, ("vif_scale0", "9")),
        ("vmaf", 101.0, ("vmaf", "101")),
        ("vmaf", None, ("no vmaf",)),
        ("motion2", float("inf"), ("motion2", "inf")),
        ("source", None, ("no source",)),
        ("codec", "betamax", ("betamax",)),
    ],
)
def test_an_impossible_value_is_refused_with_its_row(tmp_path, column, value, words):
    whole = table()
    wrong = pl.when(pl.int_range(pl.len()) == 16).then(pl.lit(value, dtype=whole.schema[column])).otherwise(column)
    refused(tmp_path, whole.with_columns(wrong.alias(column)), "row 17", *words)


def test_the_same_frame_twice_is_refused(tmp_path):
    refused(tmp_path, pl.concat([table(), table()[5:6]]), "row 121", "BigBuckBunny_0.yuv", "frame 5", "(at 6)")


def test_a_column_of_another_type_is_refused(tmp_path):
    refused(tmp_path, table().with_columns(frame_index=pl.lit("first")), "cannot be read as a table of frames")
    refused(tmp_path, table().with_columns(adm2=pl.lit("high")), "lacks", "adm2")


def test_a_broken_or_empty_file_is_refused(tmp_path):
    path = tmp_path / "bad.parquet"
    path.write_bytes(b"PAR1 and then nothing of the kind")
    with pytest.raises(DataError, match=r"bad\.parquet"):
        import_file(path, tmp_path / "bad")
    refused(tmp_path, table().clear(), "bad.parquet")


def test_groups_hold_here_too(tmp_path):
    store, _ = take(tmp_path, table(), groups=SourceGroups(dict.fromkeys(SOURCES, "netflix")))
    assert set(store.encodes()["source_group"]) == {"netflix"}


def test_a_table_survives_the_trip_through_json_lines(tmp_path):
    store, _ = take(tmp_path, table())
    export_jsonl(store, tmp_path / "rows.jsonl")
    import_file(tmp_path / "rows.jsonl", tmp_path / "back")
    back = CorpusStore(tmp_path / "back")
    assert back.encodes().drop("feature_sets").equals(store.encodes().drop("feature_sets"))
    assert (
        back.frames().select("cell", "frame", "vmaf", *SIX).equals(store.frames().select("cell", "frame", "vmaf", *SIX))
    )
