"""Corpora of several teachers, of the set ``full``, and what feature sets are noted to have cost."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from vmafcast.common.errors import DataError, MediaError, RequestError
from vmafcast.corpus.build import build_corpus
from vmafcast.corpus.card import corpus_card
from vmafcast.corpus.cells import FrameReader
from vmafcast.corpus.compact import compact_corpus
from vmafcast.corpus.describe import describe_corpus
from vmafcast.corpus.feature_costs import (
    FEATURE_COSTS,
    FeatureCost,
    cell_feature_costs,
    read_feature_costs,
    write_feature_costs,
)
from vmafcast.corpus.merge import merge_corpora
from vmafcast.corpus.plan import cell_identity
from vmafcast.corpus.store import CorpusStore
from vmafcast.corpus.table import frame_table
from vmafcast.corpus.verify import verify_corpus
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.media.availability import check_encoder
from vmafcast.media.feature_cost import measure_feature_cost
from vmafcast.media.features import CANONICAL6, FULL, LITE
from vmafcast.media.graph import EncodeSettings, Scoring
from vmafcast.media.source import probe
from vmafcast.workflows.sweep import EncoderSweep, make_sweep

SWEEP = [EncoderSweep("libx264", ("ultrafast",), (25, 40))]
FURTHER = ("vmaf_v0.6.1neg", "vmaf_v1.0.16_3d0h_2160")
SETS = ("canonical6", "lite", "full")


def problems(store):
    return [finding for finding in verify_corpus(store).findings if finding.kind == "problem"]


@pytest.fixture(scope="module")
def clip(make_clip):
    """Large enough for every teacher below."""
    return make_clip("meadow.mkv", width=640, height=640, frames=4, seed=3)


@pytest.fixture(scope="module")
def rich(ffmpeg, clip, tmp_path_factory):
    """A corpus of three teachers and all feature sets."""
    store = CorpusStore(tmp_path_factory.mktemp("rich") / "corpus")
    sweep = make_sweep([clip], SWEEP, teachers=("vmaf_v0.6.1", *FURTHER), feature_sets=SETS)
    assert build_corpus(store, sweep, ffmpeg, processes=2).built == 2
    return store


@pytest.fixture(scope="module")
def plain(ffmpeg, clip, tmp_path_factory):
    store = CorpusStore(tmp_path_factory.mktemp("plain") / "corpus")
    assert build_corpus(store, make_sweep([clip], SWEEP), ffmpeg, processes=2).built == 2
    return store


# --------------------------------------------------------------------------------------------------- the teachers


def test_further_teachers_are_columns_with_their_pooled_means(rich):
    frames, encodes = rich.frames(), rich.encodes()
    assert encodes["teacher"].unique().to_list() == ["vmaf_v0.6.1"]
    for name in FURTHER:
        means = frames.group_by("cell").agg(pl.col(name).mean()).sort("cell")
        np.testing.assert_allclose(encodes.sort("cell")[name], means[name], rtol=0, atol=1e-9)
        assert (encodes[name] != encodes["vmaf"]).all()


def test_they_are_no_features(rich):
    reader = FrameReader(rich)
    assert set(reader.features) == {*CANONICAL6.columns, *LITE.columns, *FULL.columns}
    assert not {"vmaf", *FURTHER} & set(reader.features)


def test_any_of_them_can_be_trained_on(rich, plain):
    features = ("adm2", "motion2")
    own = frame_table(rich, features, "vmaf_v0.6.1")
    for name in FURTHER:
        table = frame_table(rich, features, name)
        assert table["teacher"].unique().to_list() == [name]
        assert table.drop("vmaf", "teacher").equals(own.drop("vmaf", "teacher"))
        assert table["vmaf"].sort().equals(rich.frames()[name].sort().alias("vmaf"))
        with pytest.raises(DataError, match="do not mix teachers"):
            frame_table(plain, features, name)


def test_what_else_was_measured_does_not_depend_on_them(rich, plain):
    shared = ["quality", "bytes", "vmaf", "vmaf_p5"]
    assert rich.encodes().select(shared).equals(plain.encodes().select(shared))


def test_the_identity_of_a_plain_cell_is_what_it_always_was(ffmpeg, clip):
    """Finished sweeps would otherwise be run again: the facts that are hashed are pinned, by name and order."""
    import hashlib

    video = probe(clip)
    settings = EncodeSettings(get_encoder("libx264"), "medium", 23)
    found = check_encoder(ffmpeg, get_encoder("libx264"))
    facts = {
        "source": video.sha256, "encoder": "libx264", "encoder_version": found.version,
        "arguments": settings.arguments(), "ffmpeg": [ffmpeg.version, ffmpeg.build], "teacher": "vmaf_v0.6.1",
        "feature_sets": ["canonical6", "lite"], "xpsnr": 2,
    }  # fmt: skip
    expected = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
    plain = Scoring("vmaf_v0.6.1", (CANONICAL6, LITE))
    assert cell_identity(video, settings, plain, ffmpeg, found) == expected
    others = [
        Scoring("vmaf_v0.6.1", (CANONICAL6, LITE), further_teachers=FURTHER),
        Scoring("vmaf_v0.6.1", (CANONICAL6, LITE), further_teachers=FURTHER[:1]),
        Scoring("vmaf_v0.6.1neg", (CANONICAL6, LITE)),
        Scoring("vmaf_v0.6.1", (CANONICAL6, LITE, FULL)),
    ]
    identities = {cell_identity(video, settings, each, ffmpeg, found) for each in (plain, *others)}
    assert len(identities) == 5
    swapped = Scoring("vmaf_v0.6.1", (CANONICAL6, LITE), further_teachers=FURTHER[::-1])
    assert cell_identity(video, settings, swapped, ffmpeg, found) in identities
    assert cell_identity(video, settings, Scoring("vmaf_v0.6.1", plain.feature_sets, allow_hdr=True), ffmpeg, found) \
        == expected  # fmt: skip


def test_deinterlacing_is_part_of_the_identity_only_where_it_is_done(ffmpeg, make_clip, run_tool, tmp_path):
    run_tool("-i", make_clip(frames=6), "-vf", "interlace", "-c:v", "libx264", "-x264-params", "interlaced=1",
             tmp_path / "fields.mkv")  # fmt: skip
    settings = EncodeSettings(get_encoder("libx264"), "medium", 23)
    found = check_encoder(ffmpeg, get_encoder("libx264"))
    scoring = Scoring("vmaf_v0.6.1", ())

    def identity(video):
        return cell_identity(video, settings, scoring, ffmpeg, found)

    fields = probe(tmp_path / "fields.mkv", deinterlace=True)
    from dataclasses import replace

    assert identity(fields) != identity(replace(fields, deinterlace=False))
    progressive = make_clip(frames=6)
    assert identity(probe(progressive, deinterlace=True)) == identity(probe(progressive))


def test_they_survive_merging_and_compacting_and_are_verified(rich, plain, tmp_path):
    assert not problems(rich)
    compact_corpus(rich, tmp_path / "compact", frame_stride=2, float32=True)
    compacted = CorpusStore(tmp_path / "compact")
    assert not problems(compacted)
    assert set(FURTHER) <= set(compacted.frames().columns) & set(compacted.encodes().columns)
    merge_corpora([rich.folder, plain.folder], tmp_path / "merged", common_features=True)
    merged = CorpusStore(tmp_path / "merged")
    assert not problems(merged)
    assert merged.encodes().height == 4
    for name in FURTHER:
        assert merged.encodes()[name].null_count() == 2
        assert merged.frames()[name].drop_nulls().sort().equals(rich.frames()[name].sort())


def test_a_score_beyond_a_teachers_range_is_found(rich, tmp_path):
    """One of them goes to 110; the others do not."""
    for name, value, wrong in (("vmaf_v1.0.16_3d0h_2160", 108.0, False), ("vmaf_v1.0.16_3d0h_2160", 111.0, True),
                               ("vmaf_v0.6.1neg", 101.0, True), ("vmaf", 101.0, True)):  # fmt: skip
        folder = tmp_path / f"{name}{value}"
        for table, rows in (("frames", rich.frames()), ("encodes", rich.encodes())):
            (folder / table).mkdir(parents=True)
            changed = rows.with_columns(
                pl.when(pl.col("frame") == 1).then(value).otherwise(pl.col(name)).alias(name)
            ) if table == "frames" else rows  # fmt: skip
            changed.write_parquet(folder / table / "a.parquet")
        found = [each for each in problems(CorpusStore(folder)) if each.check == "impossible"]
        assert bool(found) == wrong, (name, value, found)
        assert all(name in each.detail for each in found)


def test_the_description_and_the_card_tell_ranges_and_views(rich):
    summary = describe_corpus(rich)
    assert summary.teachers == ("vmaf_v0.6.1",)
    assert summary.further_teachers == FURTHER
    assert [(each.name, each.high, each.viewing_distance) for each in summary.teacher_facts] == [
        ("vmaf_v0.6.1", 100, 3), ("vmaf_v0.6.1neg", 100, 3), ("vmaf_v1.0.16_3d0h_2160", 110, 3)
    ]  # fmt: skip
    card = corpus_card(rich, "Meadow", {})
    assert "vmaf_v1.0.16_3d0h_2160: 0 to 110, seen from 3 heights of a 2160-line display" in card
    assert "beside it: vmaf_v0.6.1neg, vmaf_v1.0.16_3d0h_2160" in card


def test_the_default_teacher_follows_the_sources(make_clip, tmp_path):
    small = make_clip("small.mkv", frames=1)
    large = make_clip("large.mkv", width=1442, height=1442, frames=1)
    assert make_sweep([small], SWEEP).scoring.teacher == "vmaf_v0.6.1"
    assert make_sweep([large], SWEEP).scoring.teacher == "vmaf_4k_v0.6.1"
    with pytest.raises(RequestError, match=r"vmaf_4k_v0\.6\.1 for large\.mkv \(1442x1442\).*--teacher"):
        make_sweep([small, large], SWEEP)
    named = make_sweep([small, large], SWEEP, teachers=("vmaf_v0.6.1neg", "vmaf_v0.6.1", "vmaf_v0.6.1neg")).scoring
    assert (named.teacher, named.further_teachers) == ("vmaf_v0.6.1neg", ("vmaf_v0.6.1",))


def test_what_cannot_be_measured_is_refused_before_anything_runs(make_clip):
    small = make_clip("small.mkv", frames=1)
    for options in ({"teachers": ("vmaf_v1.0.16_3d0h",)}, {"feature_sets": ("full",)}):
        with pytest.raises(MediaError, match=r"small\.mkv is 128x96"):
            make_sweep([small], SWEEP, **options)
    with pytest.raises(RequestError, match="one feature set or more"):
        make_sweep([small], SWEEP, feature_sets=())


def test_a_feature_that_a_small_picture_cannot_give_is_null(ffmpeg, make_clip, tmp_path):
    store = CorpusStore(tmp_path / "corpus")
    clip = make_clip("low.mkv", width=352, height=288, frames=3)
    build_corpus(store, make_sweep([clip], SWEEP, feature_sets=("full",)), ffmpeg, processes=1)
    frames = store.frames()
    for name in FULL.columns:
        assert frames[name].null_count() == (frames.height if name.startswith("speed_chroma") else 0), name
    assert not problems(store)


# ------------------------------------------------------------------------------------------------------ the costs


def test_every_cell_knows_what_its_feature_sets_cost(rich, ffmpeg):
    costs = cell_feature_costs(rich)
    encodes = rich.encodes()
    assert costs.select("cell", "feature_set").rows() == [(cell, name) for cell in encodes["cell"] for name in SETS]
    assert costs["cpu_s"].null_count() == 0
    mean = dict(costs.group_by("feature_set").agg(pl.col("cpu_s").mean()).iter_rows())
    assert mean["full"] > 5 * mean["canonical6"] > 0
    assert mean["full"] > 5 * mean["lite"] >= 0
    assert describe_corpus(rich).feature_cost_seconds == pytest.approx(mean)
    noted = read_feature_costs(rich.folder)
    assert {(each.feature_set, each.width, each.height, each.bit_depth) for each in noted} == {
        (name, 640, 640, 8) for name in SETS
    }
    assert all(each.frames == 4 and each.ffmpeg_build == ffmpeg.build for each in noted)
    per_frame = {each.feature_set: each.cpu_s_per_frame for each in noted}
    for _, name, seconds in costs.iter_rows():
        assert seconds == pytest.approx(4 * per_frame[name])


def test_a_size_that_is_known_is_not_measured_again(rich, ffmpeg, clip):
    before = (rich.folder / FEATURE_COSTS).read_bytes()
    sweep = make_sweep([clip], [EncoderSweep("libx264", ("ultrafast",), (25, 40, 50))],
                       teachers=("vmaf_v0.6.1", *FURTHER), feature_sets=SETS)  # fmt: skip
    assert build_corpus(rich, sweep, ffmpeg, processes=1).built == 1
    assert (rich.folder / FEATURE_COSTS).read_bytes() == before


def test_costs_survive_merging_and_compacting(plain, rich, tmp_path):
    compact_corpus(plain, tmp_path / "compact")
    assert read_feature_costs(tmp_path / "compact") == read_feature_costs(plain.folder)
    merge_corpora([plain.folder, rich.folder], tmp_path / "merged", common_features=True)
    merged = read_feature_costs(tmp_path / "merged")
    assert [each for each in merged if each.feature_set != "full"] == list(read_feature_costs(plain.folder))


def test_a_corpus_without_the_file_has_no_costs(plain, tmp_path):
    for table in ("frames", "encodes"):
        (tmp_path / table).mkdir()
    plain.frames().write_parquet(tmp_path / "frames" / "a.parquet")
    plain.encodes().write_parquet(tmp_path / "encodes" / "a.parquet")
    store = CorpusStore(tmp_path)
    assert read_feature_costs(tmp_path) == ()
    costs = cell_feature_costs(store)
    assert costs["cpu_s"].null_count() == costs.height > 0
    assert describe_corpus(store).feature_cost_seconds == {}
    assert "CPU seconds an encode" not in corpus_card(store, "Bare", {})


def test_a_damaged_file_is_named_and_replaced_by_the_next_build(ffmpeg, make_clip, tmp_path):
    store = CorpusStore(tmp_path)
    (tmp_path / FEATURE_COSTS).write_text("{}")
    with pytest.raises(DataError, match=FEATURE_COSTS):
        read_feature_costs(tmp_path)
    build_corpus(store, make_sweep([make_clip(frames=4)], SWEEP[:1]), ffmpeg, processes=1)
    assert {each.feature_set for each in read_feature_costs(tmp_path)} == {"canonical6", "lite"}


def test_the_first_of_equal_costs_stays_and_the_order_is_fixed(tmp_path):
    def cost(name, seconds):
        return FeatureCost(feature_set=name, width=64, height=48, bit_depth=8, ffmpeg_build="b", frames=9,
                           cpu_s_per_frame=seconds)  # fmt: skip

    write_feature_costs(tmp_path, [cost("lite", 1.0), cost("full", 2.0), cost("lite", 3.0)])
    assert [(each.feature_set, each.cpu_s_per_frame) for each in read_feature_costs(tmp_path)] == [
        ("full", 2.0), ("lite", 1.0)
    ]  # fmt: skip


def test_a_cost_grows_with_the_picture(ffmpeg, make_clip):
    """By a factor of sixteen in area; the machine may be busy."""
    costs = [
        measure_feature_cost(ffmpeg, probe(make_clip(width=width, height=width, frames=12)), (CANONICAL6,))
        for width in (160, 640)
    ]
    (small, small_frames), (large, large_frames) = costs
    assert small_frames == large_frames == 12
    assert large["canonical6"] > 2 * small["canonical6"] >= 0
