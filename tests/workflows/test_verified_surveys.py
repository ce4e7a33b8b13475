"""What `corpus verify` makes of the table of surveys, beside encodes and in a manifest."""

from __future__ import annotations

import json
import shlex
import shutil

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vmafcast.common.errors import DataError
from vmafcast.common.files import sha256_file
from vmafcast.corpus.check_surveys import check_surveys
from vmafcast.corpus.compact import compact_corpus
from vmafcast.corpus.manifest import MANIFEST, read_manifest
from vmafcast.corpus.store import CorpusStore
from vmafcast.corpus.surveyed import SURVEYS, write_surveys
from vmafcast.corpus.verify import verify_corpus
from vmafcast.workflows.surveys import survey_corpus

PROBE = "libsvtav1_12_35_from1"
SHORT = "libx264_veryfast_40_undivided_first16_by31"


@pytest.fixture
def corpus(surveyed, tmp_path):
    """A corpus with surveys that a test may change."""
    return CorpusStore(shutil.copytree(surveyed.folder, tmp_path / "corpus"))


@pytest.fixture(scope="module")
def table(surveyed):
    """Its surveys."""
    return pl.read_parquet(surveyed.folder / SURVEYS)


@pytest.fixture
def small(surveyed, tmp_path):
    """The same, compacted."""
    compact_corpus(surveyed, tmp_path / "small")
    return CorpusStore(tmp_path / "small")


def change(store, *expressions, table=SURVEYS):
    for path in store.folder.glob(table):
        pl.read_parquet(path).with_columns(*expressions).write_parquet(path)


def of_alpha(column, value):
    return pl.when(pl.col("source") == "alpha").then(pl.lit(value)).otherwise(column).alias(column)


def found(store, kind="problem"):
    """What was found of surveys; nothing else of these corpora is wrong or worth knowing but the shape of curves."""
    return [f for f in verify_corpus(store).findings if f.kind == kind and f.check != "curve"]


def only(store, check, *words, kind="problem"):
    findings = found(store, kind)
    assert {finding.check for finding in findings} == {check}, findings
    said = f"{findings[0].where}: {findings[0].detail}"
    assert all(str(word) in said for word in words), said
    return findings


def write_manifest(store, change):
    path = store.folder / MANIFEST
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


# ------------------------------------------------------------------------------------------------ the table by itself


def test_what_a_survey_measured_is_sound(corpus):
    report = verify_corpus(corpus)
    assert found(corpus) == found(corpus, "note") == []
    (corpus.folder / SURVEYS).unlink()
    assert verify_corpus(corpus).files == report.files - 1
    assert found(corpus) == found(corpus, "note") == []  # a corpus need not be surveyed


@pytest.mark.parametrize("damage", ["empty", "cut", "overwritten"])
def test_a_table_that_cannot_be_read_is_found_and_the_rest_is_still_looked_at(corpus, damage):
    path = corpus.folder / SURVEYS
    data = path.read_bytes()
    path.write_bytes({"empty": b"", "cut": data[: len(data) // 2], "overwritten": data[:40] + b"?" * 300}[damage])
    change(corpus, pl.lit("north").alias("encoder"), table="encodes/*.parquet")
    assert {f.check for f in found(corpus)} == {"unreadable", "settings"}
    assert [f.where for f in found(corpus) if f.check == "unreadable"] == [SURVEYS]


@pytest.mark.parametrize("column", ["source", "sample_length", "noise", f"{PROBE}_vmaf_p5", f"{PROBE}_motion2"])
def test_a_column_that_is_not_there_is_named(corpus, column):
    path = corpus.folder / SURVEYS
    pl.read_parquet(path).drop(column).write_parquet(path)
    only(corpus, "unreadable", SURVEYS, column)


def test_a_table_from_before_ssim_was_measured_is_sound(corpus):
    path = corpus.folder / SURVEYS
    table = pl.read_parquet(path)
    table.drop(name for name in table.columns if name.endswith("_ssim")).write_parquet(path)
    assert found(corpus) == found(corpus, "note") == []


def test_a_table_from_before_encodes_were_cut_short_is_sound_and_one_with_half_of_them_is_not(corpus):
    path = corpus.folder / SURVEYS
    table = pl.read_parquet(path)
    table.drop(name for name in table.columns if "_first" in name).write_parquet(path)
    assert found(corpus) == found(corpus, "note") == []
    table.drop(f"{SHORT}_bpp_inter").write_parquet(path)
    only(corpus, "unreadable", SURVEYS, f"{SHORT}_bpp_inter")


def test_a_table_without_a_probe_says_how_to_get_one(corpus):
    path = corpus.folder / SURVEYS
    table = pl.read_parquet(path)
    table.drop(name for name in table.columns if name.startswith("lib")).write_parquet(path)
    only(corpus, "unreadable", "no encode of the probe", f"vmafcast corpus complexity {corpus.folder} --sources CLIPS")


@pytest.mark.parametrize(
    ("column", "value"),
    [("width", "wide"), ("ti", "much"), (f"{PROBE}_bpp", "few"), ("source_group", 3), ("teacher", None), ("si", None)],
)
def test_a_column_of_another_type_is_found(corpus, column, value):
    change(corpus, pl.lit(value).alias(column))
    only(corpus, "unreadable", column, "not")


def test_a_source_that_is_there_twice(corpus):
    path = corpus.folder / SURVEYS
    table = pl.read_parquet(path)
    pl.concat([table, table[:1], table[:1]]).write_parquet(path)
    (finding,) = only(corpus, "duplicate", "alpha", "3 times", "--sources CLIPS")
    assert finding.where == "alpha"


NAN, INF = float("nan"), float("inf")
IMPOSSIBLE = [
    ("source_group", None), ("source_sha256", None), ("teacher", None),
    ("width", 0), ("height", -2), ("frames", None), ("bit_depth", 0), ("sampled_frames", 0), ("sampled_frames", 10),
    ("sample_runs", 0), ("sample_length", 0), ("fps", 0.0), ("fps", INF), ("fps", NAN),
    ("complexity_cpu_s", -0.1), ("probe_cpu_s", NAN),
    ("noise", NAN), ("noise", None), ("noise", -0.5), ("ti", -INF), ("luma_mean", INF), ("dark_share", 1.1),
    ("flat_share", -0.1), ("kept_8", NAN),
    (f"{PROBE}_bpp", 0.0), (f"{PROBE}_bpp", NAN), (f"{PROBE}_bpp", None), (f"{PROBE}_bpp_i", 0.0),
    (f"{PROBE}_bpp_inter", -0.1), (f"{PROBE}_bpp_inter", NAN), (f"{PROBE}_b_share", 1.5),
    (f"{PROBE}_vmaf", 100.5), (f"{PROBE}_vmaf", NAN), (f"{PROBE}_vmaf", None), (f"{PROBE}_vmaf_p5", -1.0),
    (f"{PROBE}_vmaf_harmonic_mean", 101.0), (f"{PROBE}_psnr_y", 200.0), (f"{PROBE}_psnr_y", None),
    (f"{PROBE}_adm2", 1.6), (f"{PROBE}_vif_scale0", None), (f"{PROBE}_motion2", -1.0),
    (f"{PROBE}_ssim", 1.01), (f"{PROBE}_ssim", NAN),
    (f"{SHORT}_bpp", 0.0), (f"{SHORT}_bpp_i", NAN), (f"{SHORT}_bpp_inter", -0.1),
]  # fmt: skip


@pytest.mark.parametrize(("column", "value"), IMPOSSIBLE)
def test_an_impossible_value_is_found_with_its_source(table, column, value):
    findings = list(check_surveys(table.with_columns(of_alpha(column, value)), "it again"))
    (finding,) = [each for each in findings if each.check == "impossible"]
    assert (finding.kind, finding.where) == ("problem", "alpha")
    assert column in finding.detail


def test_an_impossible_value_is_found_where_the_corpus_is_verified(corpus):
    change(corpus, of_alpha(f"{PROBE}_vmaf", NAN), of_alpha("height", 0))
    assert {f.check for f in found(corpus)} == {"impossible", "surveys"}
    assert {f.where for f in found(corpus)} == {"alpha"}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("noise", 0.0), ("dark_share", 1.0), ("complexity_cpu_s", 0.0), ("mc_gain", -0.01),
        (f"{PROBE}_vmaf", 100.0), (f"{PROBE}_vmaf_p5", 0.0), (f"{PROBE}_bpp", 1e-9), (f"{PROBE}_bpp_p", None),
        (f"{PROBE}_ssim", 1.0), (f"{PROBE}_ssim", None),
        (f"{SHORT}_bpp_inter", None), (f"{SHORT}_bpp_inter", 0.0),
        (f"{PROBE}_bpp_inter", 0.0), (f"{PROBE}_psnr_y", 60.0), (f"{PROBE}_adm2", 1.2), (f"{PROBE}_motion2", 0.0),
    ],
)  # fmt: skip
def test_a_value_at_its_limit_is_possible(table, column, value):
    assert list(check_surveys(table.with_columns(of_alpha(column, value)), "it again")) == []


def test_the_range_of_scores_is_the_teachers(table):
    high = table.with_columns(pl.lit("vmaf_v1.0.16_3d0h").alias("teacher"), pl.lit(109.0).alias(f"{PROBE}_vmaf"))
    assert {f.check for f in check_surveys(high, "it again")} == {"impossible"}
    assert list(check_surveys(high.with_columns(teacher=pl.lit("vmaf_v1.0.16_3d0h_2160")), "it again")) == []


@pytest.mark.parametrize(
    ("column", "value"),
    [("complexity_revision", 1), ("probe_revision", 1), ("sample_runs", 7), ("sample_length", 9), ("teacher", "other")],
)
def test_sources_that_were_not_measured_alike(table, column, value):
    (finding,) = check_surveys(table.with_columns(of_alpha(column, value)), "it again")
    assert (finding.kind, finding.check, finding.where) == ("problem", "surveys", SURVEYS)
    assert all(word in finding.detail for word in (column, str(value), "not measured alike", "it again"))
    assert list(check_surveys(table.with_columns(pl.lit(value).alias(column)), "it again")) == []  # alike, if older


# ----------------------------------------------------------------------------------------- against the encodes


@pytest.mark.parametrize(
    ("column", "value"),
    [("source_group", "lake"), ("source_sha256", "0" * 64), ("width", 128), ("height", 72), ("frames", 10)],
)
def test_a_survey_of_another_source_is_found(corpus, column, value):
    change(corpus, of_alpha(column, value))
    (finding,) = only(corpus, "surveys", column, value, "--sources CLIPS")
    assert finding.where == "alpha"


def test_what_an_import_does_not_state_is_not_compared(corpus):
    change(corpus, of_alpha("width", 128), of_alpha("frames", 10), of_alpha("source_sha256", "0" * 64))
    assert len(only(corpus, "surveys")) == 3
    change(corpus, *(pl.lit(None).alias(name) for name in ("width", "source_sha256")), table="encodes/*.parquet")
    assert [f for f in found(corpus) if f.check == "surveys"] == []


def test_the_command_that_is_named_can_be_pasted(corpus, tmp_path):
    renamed = CorpusStore(corpus.folder.rename(tmp_path / "my corpus"))
    change(renamed, of_alpha("frames", 10))
    (finding,) = only(renamed, "surveys")
    command = finding.detail.split("`")[1]
    assert shlex.split(command) == ["vmafcast", "corpus", "complexity", str(renamed.folder), "--sources", "CLIPS"]


def test_sources_without_a_survey_are_a_note(corpus):
    path = corpus.folder / SURVEYS
    table = pl.read_parquet(path)
    table.filter(pl.col("source") == "beta").write_parquet(path)
    assert found(corpus) == []
    only(corpus, "surveys", SURVEYS, "2 of 3 sources", "alpha, gamma", "--sources CLIPS", kind="note")


def test_surveys_without_encodes_are_a_note_where_all_encodes_could_be_read(corpus):
    path = corpus.folder / SURVEYS
    table = pl.read_parquet(path)
    pl.concat([table, table[:1].with_columns(source=pl.lit("delta"), source_sha256=pl.lit("d"))]).write_parquet(path)
    assert found(corpus) == []
    only(corpus, "surveys", "1 sources", "delta", kind="note")
    next(corpus.folder.glob("encodes/*.parquet")).write_bytes(b"")
    assert found(corpus, "note") == []


# ------------------------------------------------------------------------------------------------ in a manifest


def test_compacting_lists_the_surveys(small, surveyed):
    assert found(small) == found(small, "note") == []
    files = {file.path: file for file in read_manifest(small.folder).files}
    assert list(files) == ["encodes.parquet", "frames.parquet", SURVEYS]
    path = small.folder / SURVEYS
    assert (files[SURVEYS].sha256, files[SURVEYS].bytes, files[SURVEYS].rows) == (
        sha256_file(path), path.stat().st_size, 3,
    )  # fmt: skip
    assert small.sha256() == surveyed.sha256() == read_manifest(small.folder).made_from  # what models record


def test_a_corpus_without_surveys_lists_none(store, tmp_path):
    compact_corpus(store, tmp_path / "small")
    assert [file.path for file in read_manifest(tmp_path / "small").files] == ["encodes.parquet", "frames.parquet"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_bit_that_flips_is_found(small, where, bit):
    path = small.folder / SURVEYS
    data = path.read_bytes()
    flipped = bytearray(data)
    flipped[int(where * len(data))] ^= 1 << bit
    try:
        path.write_bytes(flipped)
        only(small, "manifest", SURVEYS, "not those", "take it from a copy, or run `vmafcast corpus complexity")
    finally:
        path.write_bytes(data)


def test_surveys_that_the_manifest_lists_and_that_are_gone(small):
    (small.folder / SURVEYS).unlink()
    only(small, "manifest", SURVEYS, "not there")


def test_surveys_of_before_they_were_listed_are_a_note_and_looked_at_all_the_same(small):
    write_manifest(small, lambda document: document["files"].pop())
    assert found(small) == []
    only(small, "manifest", SURVEYS, "does not list it", "--sources CLIPS", kind="note")
    change(small, of_alpha("frames", 10))
    only(small, "surveys", "frames")


def test_measuring_the_sources_lists_them_and_leaves_the_rest_of_the_manifest(store, clips, ffmpeg, tmp_path):
    compact_corpus(store, tmp_path / "small")
    small = CorpusStore(tmp_path / "small")
    before, content = json.loads((small.folder / MANIFEST).read_text()), small.sha256()
    for _ in range(2):  # again: the same table, and one line of it
        done = survey_corpus(small.folder, [clips], ffmpeg, cache=tmp_path / "cache")
        after = json.loads((small.folder / MANIFEST).read_text())
        [listed] = [file for file in after["files"] if file["path"] == SURVEYS]
        assert listed["sha256"] == sha256_file(done.path)
        assert listed["rows"] == 3
        assert after | {"files": before["files"]} == before
        assert [file for file in after["files"] if file != listed] == before["files"]
        assert found(small) == found(small, "note") == []
        assert small.sha256() == content


def test_the_same_surveys_give_the_same_manifest(small, surveyed):
    before = (small.folder / MANIFEST).read_bytes()
    write_surveys(small.folder, pl.read_parquet(small.folder / SURVEYS).to_dicts()[::-1])
    assert (small.folder / MANIFEST).read_bytes() == before
    write_surveys(small.folder, pl.read_parquet(small.folder / SURVEYS).to_dicts()[:2])
    assert [file.rows for file in read_manifest(small.folder).files if file.path == SURVEYS] == [2]
    assert not (surveyed.folder / MANIFEST).exists()  # a corpus without a manifest gets none


def test_a_kill_between_table_and_manifest_is_found_and_mended_by_the_next_run(small, clips, ffmpeg, tmp_path):
    before = (small.folder / MANIFEST).read_bytes()
    write_surveys(small.folder, pl.read_parquet(small.folder / SURVEYS).with_columns(probe_cpu_s=9.0).to_dicts())
    (small.folder / MANIFEST).write_bytes(before)
    only(small, "manifest", SURVEYS)
    survey_corpus(small.folder, [clips], ffmpeg, cache=tmp_path / "cache")
    assert found(small) == []


def test_a_manifest_that_cannot_be_read_stops_before_anything_is_measured(small, clips, ffmpeg, tmp_path):
    (small.folder / MANIFEST).write_text("{}")
    before = (small.folder / SURVEYS).read_bytes()
    with pytest.raises(DataError, match=r"corpus\.json is not a valid"):
        survey_corpus(small.folder, [clips], ffmpeg, cache=tmp_path / "cache")
    assert (small.folder / SURVEYS).read_bytes() == before
    assert not (tmp_path / "cache").exists()
