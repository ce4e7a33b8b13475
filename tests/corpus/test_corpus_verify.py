from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vmafcast.common.errors import DataError
from vmafcast.corpus.build import build_corpus
from vmafcast.corpus.compact import compact_corpus
from vmafcast.corpus.findings import Finding
from vmafcast.corpus.limits import LIMITS, psnr_ceiling
from vmafcast.corpus.store import CorpusStore, Pooled
from vmafcast.corpus.tables import ENCODE_SCHEMA
from vmafcast.corpus.verify import verify_corpus
from vmafcast.workflows.sweep import EncoderSweep, make_sweep

FEATURES = ("adm2", "vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "motion2", "psnr_y", "ssim", "xpsnr_y")
FRAMES = 10
QUALITIES = (20, 30, 40)


def frames_of(cell, level, frames=FRAMES):
    rng = np.random.default_rng(int(cell, 16))
    count = range(frames)
    return pl.DataFrame({
        "cell": [cell] * frames,
        "frame": pl.Series(count, dtype=pl.Int32),
        "bytes": pl.Series([100 + 7 * frame for frame in count], dtype=pl.Int32),
        "type": ["I"] + ["P"] * (frames - 1),
        **{name: 0.4 + rng.random(frames) / 2 for name in FEATURES[:6]},
        "psnr_y": 30 + rng.random(frames),
        "ssim": rng.random(frames),
        "xpsnr_y": 30 + rng.random(frames),
        "vmaf": level + rng.random(frames),
    })  # fmt: skip


def encode_of(cell, frames, source, quality, **changes):
    pooled = Pooled.of(frames["vmaf"].to_numpy())
    size = int(frames["bytes"].sum())
    known = {
        "cell": cell, "source": source, "source_group": source, "source_sha256": f"sha of {source}", "width": 640,
        "height": 360, "fps": 25.0, "frames": frames.height, "bit_depth": 8, "encoder": "libx264", "preset": "medium",
        "quality": quality, "threads": 1, "arguments": f"-crf {quality}", "bytes": size,
        "kbps": size * 8 / 1000 / (frames.height / 25.0), "vmaf": pooled.mean,
        "vmaf_harmonic_mean": pooled.harmonic_mean, "vmaf_p1": pooled.percentile_1, "vmaf_p5": pooled.percentile_5,
        "vmaf_min": pooled.minimum, "encode_cpu_s": 0.5, "decode_cpu_s": 0.1, "score_cpu_s": 0.2,
        "teacher": "vmaf_v0.6.1", "feature_sets": "canonical6", "ffmpeg_version": "n9", "ffmpeg_build": "b",
        "encoder_version": "164",
    }  # fmt: skip
    return known | changes


def write(store, name, encodes, frames):
    for table, rows in (("encodes", pl.DataFrame(encodes, schema=ENCODE_SCHEMA)), ("frames", frames)):
        (store.folder / table).mkdir(parents=True, exist_ok=True)
        rows.write_parquet(store.folder / table / f"{name}.parquet", statistics=False)


@pytest.fixture
def store(tmp_path):
    """Two sources with three encodes each, one pair of files a source, everything as a build would have it."""
    made = CorpusStore(tmp_path / "corpus")
    for number, source in enumerate(("lake", "park")):
        encodes, frames = [], []
        for at, quality in enumerate(QUALITIES):
            cell = f"{16 * number + at:016x}"
            frames.append(frames_of(cell, 90 - 2 * quality))
            encodes.append(encode_of(cell, frames[-1], source, quality))
        write(made, source, encodes, pl.concat(frames))
    return made


def change(store, table, name, *expressions):
    path = store.folder / table / f"{name}.parquet"
    pl.read_parquet(path).with_columns(*expressions).write_parquet(path)


def set_at(column, value, row=0):
    """An expression that puts a value into one row."""
    return pl.when(pl.int_range(pl.len()) == row).then(pl.lit(value)).otherwise(column).alias(column)


def found(store, kind="problem"):
    return [finding for finding in verify_corpus(store).findings if finding.kind == kind]


def only(store, check, *words, kind="problem"):
    """The corpus has findings of one check alone, and the first of them has these words."""
    findings = found(store, kind)
    assert findings
    assert {finding.check for finding in findings} == {check}, findings
    said = f"{findings[0].where}: {findings[0].detail}"
    assert all(str(word) in said for word in words), said
    return findings


def test_a_sound_corpus_has_no_findings(store):
    report = verify_corpus(store)
    assert report.findings == ()
    assert report.ok
    assert (report.files, report.cells, report.frames) == (4, 6, 60)


def test_a_corpus_that_was_really_built_has_no_problems(ffmpeg, make_clip, tmp_path):
    store = CorpusStore(tmp_path / "built")
    sweep = make_sweep([make_clip("clip.mkv", seed=5)], [EncoderSweep("libx264", ("ultrafast",), (20, 44))])
    build_corpus(store, sweep, ffmpeg, processes=1)
    assert verify_corpus(store).problems == ()


def test_there_is_no_corpus(tmp_path):
    with pytest.raises(DataError, match="no corpus"):
        verify_corpus(CorpusStore(tmp_path))


@pytest.mark.parametrize("table", ["encodes", "frames"])
@pytest.mark.parametrize("damage", ["empty", "cut", "overwritten"])
def test_a_file_that_cannot_be_read_is_found_and_the_rest_is_still_looked_at(store, table, damage):
    path = store.folder / table / "park.parquet"
    data = path.read_bytes()
    path.write_bytes({"empty": b"", "cut": data[: len(data) // 2], "overwritten": data[:40] + b"?" * 300}[damage])
    change(store, "frames", "lake", set_at("adm2", 7.0))
    problems = found(store)
    assert [f.where for f in problems if f.check == "unreadable"] == [f"{table}/park.parquet"]
    assert [f.where for f in problems if f.check == "impossible"] == ["frames/lake.parquet"]
    assert len(problems) == 2  # the other half of each of its cells is not called missing


def test_a_table_that_lacks_a_column_is_found(store):
    path = store.folder / "encodes" / "park.parquet"
    pl.read_parquet(path).drop("teacher").write_parquet(path)
    problems = found(store)
    assert ("unreadable", "encodes/park.parquet") in {(f.check, f.where) for f in problems}
    assert any("teacher" in f.detail for f in problems)


def test_encodes_without_frames_and_frames_without_encodes(store):
    path = store.folder / "frames" / "park.parquet"
    table = pl.read_parquet(path)
    cell = table["cell"][0]
    table.with_columns(pl.col("cell").replace(cell, "feed")).write_parquet(path)
    problems = only(store, "missing")
    assert {f.where for f in problems} == {cell, "feed"}


def test_too_few_and_too_many_frames(store):
    path = store.folder / "frames" / "park.parquet"
    table = pl.read_parquet(path)
    table[:-1].write_parquet(path)
    only(store, "missing", table["cell"][-1], "it has 9 frames, and 10 should be there")
    pl.concat([table, table[-1:].with_columns(frame=pl.lit(10, dtype=pl.Int32))]).write_parquet(path)
    only(store, "missing", "11 frames")


def test_gaps_between_frames_are_a_note(store):
    change(store, "frames", "park", set_at("frame", 12, row=9))
    assert found(store) == []
    only(store, "missing", "from 0 to 12", kind="note")


def test_duplicates(store):
    path = store.folder / "frames" / "park.parquet"
    table = pl.read_parquet(path)
    pl.concat([table, table[3:5]]).write_parquet(path)
    assert any(f.check == "duplicate" and "2 frames are there twice" in f.detail for f in found(store))
    table.write_parquet(path)
    for name in ("encodes", "frames"):
        copied = pl.read_parquet(store.folder / name / "park.parquet")
        copied.write_parquet(store.folder / name / "copy.parquet")
    problems = only(store, "duplicate")
    assert any("2 rows in the table of encodes" in f.detail for f in problems)
    assert any("copy.parquet, park.parquet" in f.detail for f in problems)


def test_the_same_settings_under_another_identity_are_a_note(store):
    other = frames_of("ab", 40)
    write(store, "other", [encode_of("ab", other, "park", 20, threads=4)], other)
    assert found(store) == []
    assert any("more than one identity" in f.detail for f in found(store, "note"))


@pytest.mark.parametrize(
    ("column", "value", "check"),
    [
        ("vmaf", 50.0, "pooled"),
        ("vmaf_min", 1.0, "pooled"),
        ("kbps", 1.0, "bitrate"),
        ("vmaf_p5", 100.5, "impossible"),
        ("vmaf_p1", float("nan"), "impossible"),
        ("vmaf_harmonic_mean", -1.0, "impossible"),
        ("width", 0, "impossible"),
        ("fps", float("inf"), "impossible"),
        ("score_cpu_s", -0.5, "impossible"),
        ("source_group", None, "impossible"),
        ("quality", 52, "settings"),
        ("preset", "warp", "settings"),
        ("encoder", "x264", "settings"),
        ("teacher", "vmaf_4k_v0.6.1", "teachers"),
    ],
)
def test_a_wrong_value_of_an_encode_is_found(store, column, value, check):
    change(store, "encodes", "park", set_at(column, value))
    problems = found(store)
    assert check in {f.check for f in problems}
    if check not in ("teachers", "impossible"):
        assert {f.check for f in problems} == {check}


@pytest.mark.parametrize("size", [-5, 0, 1])
def test_a_size_that_frames_and_bitrate_do_not_give_is_found(store, size):
    change(store, "encodes", "park", set_at("bytes", size))
    checks = {f.check for f in found(store)}
    assert {"pooled", "bitrate"} <= checks
    assert ("impossible" in checks) == (size <= 0)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("vmaf", 100.1), ("vmaf", -0.1), ("vmaf", float("nan")), ("adm2", 1.6), ("adm2", -0.01),
        ("vif_scale3", float("inf")), ("motion2", -1.0), ("ssim", 1.1), ("xpsnr_y", 100.5),
        ("frame", -1), ("bytes", -1),
    ],
)  # fmt: skip
def test_an_impossible_value_of_a_frame_is_found_with_its_place(store, column, value):
    change(store, "frames", "park", set_at(column, value, row=4))
    found_here = [f for f in found(store) if f.check == "impossible"]
    cell = pl.read_parquet(store.folder / "frames" / "park.parquet")["cell"][4]
    assert len(found_here) == 1
    assert found_here[0].where == "frames/park.parquet"
    assert column in found_here[0].detail
    assert cell in found_here[0].detail


def test_values_at_their_limits_are_possible(store):
    for name, limits in LIMITS.items():
        if name in FEATURES:
            change(store, "frames", "park", set_at(name, limits[1], row=2))
            change(store, "frames", "park", set_at(name, limits[0], row=1))
    assert found(store) == []


def test_many_impossible_frames_are_one_finding_for_a_file(store):
    change(store, "frames", "park", pl.lit(3.0).alias("adm2"))
    (only_one,) = only(store, "impossible", "29 more frames")
    assert "adm2" in only_one.detail


@pytest.mark.parametrize(("depth", "allowed"), [(8, 60.0), (10, 72.0), (None, 108.0)])
def test_the_psnr_ceiling_follows_the_bit_depth(store, depth, allowed):
    change(store, "encodes", "park", pl.lit(depth, dtype=pl.Int64).alias("bit_depth"))
    change(store, "frames", "park", set_at("psnr_y", allowed))
    assert found(store) == []
    change(store, "frames", "park", set_at("psnr_y", allowed + 0.01))
    only(store, "impossible", f"{allowed:g} at most")
    if depth:
        assert psnr_ceiling(depth) == allowed


def test_the_psnr_ceiling_is_that_of_an_encoder_that_knows_10_bit_alone(store):
    change(store, "frames", "park", set_at("psnr_y", 72.0))
    settings = (pl.lit("libvvenc").alias("encoder"), pl.lit("medium").alias("preset"))
    only(store, "impossible", "60 at most")
    change(store, "encodes", "park", *settings)
    assert found(store) == []


def test_a_missing_score_is_a_problem_and_a_missing_feature_a_note(store):
    change(store, "frames", "park", set_at("psnr_y", None))
    assert found(store) == []
    only(store, "unstated", "psnr_y is missing in 1 of 30", kind="note")
    change(store, "frames", "park", set_at("vmaf", None))
    assert "impossible" in {f.check for f in found(store)}


def test_features_that_are_no_numbers(store):
    change(store, "frames", "park", pl.lit("high").alias("ssim"))
    only(store, "unreadable", "ssim")


def test_one_source_in_two_groups(store):
    change(store, "encodes", "park", set_at("source_group", "other"))
    problems = only(store, "groups", "other, park")
    assert {f.where for f in problems} == {"park", "sha of park"}


def test_one_content_under_two_groups(store):
    change(store, "encodes", "park", pl.lit("sha of lake").alias("source_sha256"))
    only(store, "groups", "sha of lake", "lake, park")


def test_one_name_for_two_contents(store):
    change(store, "encodes", "park", set_at("source_sha256", "another"))
    only(store, "groups", "park", "contents")


def test_a_curve_that_falls_where_quality_rises_is_a_note(store):
    table = pl.read_parquet(store.folder / "frames" / "park.parquet")
    levels = {20: 60.0, 30: 70.0, 40: 10.0}  # CRF 20 should not be below CRF 30
    encodes, frames = [], []
    for (cell, old), quality in zip(table.group_by(["cell"], maintain_order=True), QUALITIES, strict=True):
        frames.append(old.with_columns(vmaf=pl.lit(levels[quality])))
        encodes.append(encode_of(cell[0], frames[-1], "park", quality))
    write(store, "park", encodes, pl.concat(frames))
    assert found(store) == []
    (falls,) = only(store, "curve", "park libx264 medium", "70.000 at 30 to 60.000 at 20", kind="note")
    assert isinstance(falls, Finding)


def test_the_direction_of_the_scale_is_the_encoders(store):
    """VideoToolbox's quality rises with the number: what falls for CRF rises for it, and the other way round."""
    for name in ("lake", "park"):
        change(
            store, "encodes", name,
            pl.lit("h264_videotoolbox").alias("encoder"), pl.lit("default").alias("preset"),
        )  # fmt: skip
    notes = found(store, "note")
    assert [f.check for f in notes] == ["curve", "curve"]


def test_what_an_import_does_not_say_is_noted(store):
    change(store, "encodes", "park", pl.lit(None, dtype=pl.String).alias("preset"))
    only(store, "unstated", "3 encodes do not state their preset", kind="note")
    change(store, "encodes", "park", pl.lit("unknown").alias("encoder"), pl.lit(None, dtype=pl.Int64).alias("quality"))
    only(store, "unstated", "3 encodes do not state their encoder", kind="note")
    assert found(store) == []


# With a manifest


@pytest.fixture
def compacted(store, tmp_path):
    compact_corpus(store, tmp_path / "small", frame_stride=3)
    return CorpusStore(tmp_path / "small")


def test_a_compacted_corpus_is_sound(compacted):
    assert verify_corpus(compacted).findings == ()


def test_a_changed_file_is_not_what_the_manifest_says(compacted):
    path = compacted.folder / "encodes.parquet"
    pl.read_parquet(path).with_columns(encode_cpu_s=pl.lit(9.0)).write_parquet(path)
    only(compacted, "manifest", "encodes.parquet", "not those")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["encodes.parquet", "frames.parquet"]),
    where=st.floats(0, 1, exclude_max=True),
    bit=st.integers(0, 7),
)
def test_any_bit_that_flips_is_found(compacted, name, where, bit):
    path = compacted.folder / name
    data = path.read_bytes()
    flipped = bytearray(data)
    flipped[int(where * len(data))] ^= 1 << bit
    try:
        path.write_bytes(flipped)
        assert ("manifest", name) in {(f.check, f.where) for f in found(compacted)}
    finally:
        path.write_bytes(data)


def test_a_missing_and_an_unlisted_file(compacted):
    (compacted.folder / "frames.parquet").rename(compacted.folder / "frames2.parquet")
    said = {(f.where, f.check) for f in found(compacted)}
    assert said == {("frames.parquet", "manifest"), ("frames2.parquet", "manifest")}


def test_thinning_that_is_not_the_manifests(compacted):
    path = compacted.folder / "corpus.json"
    manifest = json.loads(path.read_text())
    manifest["thinning"]["every"] = 2
    path.write_text(json.dumps(manifest))
    assert {f.check for f in found(compacted)} == {"missing"}


@pytest.mark.parametrize("text", ["", "{}", '{"schema_version": 1, "surprise": 2}'])
def test_a_manifest_that_cannot_be_read(compacted, text):
    (compacted.folder / "corpus.json").write_text(text)
    assert "manifest" in {f.check for f in found(compacted)}


def test_a_manifest_that_points_outside(compacted):
    path = compacted.folder / "corpus.json"
    manifest = json.loads(path.read_text())
    manifest["files"][0]["path"] = "../corpus/encodes/park.parquet"
    path.write_text(json.dumps(manifest))
    assert any("outside" in f.detail for f in found(compacted))
