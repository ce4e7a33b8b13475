from __future__ import annotations

import json
from itertools import permutations

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vmafcast.common.errors import DataError, RequestError
from vmafcast.corpus import cells
from vmafcast.corpus.build import build_corpus
from vmafcast.corpus.compact import compact_corpus
from vmafcast.corpus.foreign import SourceGroups
from vmafcast.corpus.importing import import_file
from vmafcast.corpus.merge import merge_corpora
from vmafcast.corpus.store import CorpusStore
from vmafcast.corpus.verify import verify_corpus
from vmafcast.workflows.sweep import EncoderSweep, make_sweep

SIX = ("adm2", "vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "motion2")


def clip(source, quality=28, frames=5, **changes):
    return [
        {"src": source, "encoder": "libx264", "cq": quality, "preset": "fast", "frame_index": frame,
         "vmaf": 90.0 - quality + frame, **dict.fromkeys(SIX, 0.5 + frame / 50)} | changes
        for frame in range(frames)
    ]  # fmt: skip


@pytest.fixture
def corpus(tmp_path):
    def make(name, *clips, **options):
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps(each) + "\n" for rows in clips for each in rows))
        import_file(path, tmp_path / name, **options)
        return tmp_path / name

    return make


def change(folder, table, *expressions):
    for path in (folder / table).iterdir():
        pl.read_parquet(path).with_columns(*expressions).write_parquet(path)


def refused(folders, output, *words, **options):
    with pytest.raises(DataError) as caught:
        merge_corpora(folders, output, **options)
    assert all(word in str(caught.value) for word in words), caught.value
    assert not output.exists()
    assert not [path for path in output.parent.iterdir() if path.name.startswith(".")]


def tables(folder):
    store = CorpusStore(folder)
    return store.encodes(), store.frames()


def test_the_union_of_two_corpora(corpus, tmp_path):
    parts = corpus("a", clip("park"), clip("lake")), corpus("b", clip("park", 40), clip("dune", frames=9))
    done = merge_corpora(parts, tmp_path / "both")
    whole = corpus("whole", clip("park"), clip("lake"), clip("park", 40), clip("dune", frames=9))
    assert (done.cells, done.frames, done.shared_cells, done.same_settings, done.left_out) == (4, 24, 0, 0, ())
    for ours, expected in zip(tables(tmp_path / "both"), tables(whole), strict=True):
        assert ours.equals(expected)
    assert verify_corpus(CorpusStore(tmp_path / "both")).problems == ()


def test_shared_cells_are_there_once(corpus, tmp_path):
    parts = corpus("a", clip("park"), clip("lake")), corpus("b", clip("lake"), clip("dune"))
    done = merge_corpora(parts, tmp_path / "both")
    assert (done.cells, done.frames, done.shared_cells) == (3, 15, 1)
    assert verify_corpus(CorpusStore(tmp_path / "both")).findings == ()


def test_a_corpus_with_itself_is_itself(corpus, tmp_path):
    one = corpus("a", clip("park"), clip("lake"))
    assert merge_corpora([one, one, one], tmp_path / "again").shared_cells == 2
    assert all(ours.equals(was) for ours, was in zip(tables(tmp_path / "again"), tables(one), strict=True))


def test_the_order_of_corpora_does_not_matter(corpus, tmp_path):
    parts = corpus("a", clip("park"), clip("lake")), corpus("b", clip("lake"), clip("dune")), corpus("c", clip("sea"))
    results = []
    for number, order in enumerate(permutations(parts)):
        merge_corpora(order, tmp_path / f"merged{number}")
        results.append({path.name: path.read_bytes() for path in (tmp_path / f"merged{number}").rglob("*.parquet")})
    assert all(result == results[0] for result in results)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_however_cells_are_shared_out_their_union_is_the_same(tmp_path_factory, data):
    tmp_path = tmp_path_factory.mktemp("shares")
    clips = [clip(source, quality) for source in ("park", "lake", "dune") for quality in (20, 30)]
    shares = data.draw(st.lists(st.sets(st.integers(0, 5), min_size=1), min_size=2, max_size=3))
    shares.append(set(range(6)) - set().union(*shares) or {0})
    folders = []
    for number, share in enumerate(shares):
        path = tmp_path / f"{number}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for at in sorted(share) for row in clips[at]))
        import_file(path, tmp_path / str(number))
        folders.append(tmp_path / str(number))
    path = tmp_path / "whole.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for rows in clips for row in rows))
    import_file(path, tmp_path / "whole")
    merge_corpora(folders, tmp_path / "merged")
    assert all(
        ours.equals(was) for ours, was in zip(tables(tmp_path / "merged"), tables(tmp_path / "whole"), strict=True)
    )


def test_many_batches_give_the_same_tables(corpus, tmp_path, monkeypatch):
    parts = corpus("a", *(clip(f"s{n}") for n in range(6))), corpus("b", *(clip(f"s{n}", 35) for n in range(3, 9)))
    merge_corpora(parts, tmp_path / "one")
    monkeypatch.setattr(cells.batches_of, "__defaults__", (7,))
    merge_corpora(parts, tmp_path / "many")
    assert len(CorpusStore(tmp_path / "many").encode_files()) > len(CorpusStore(tmp_path / "one").encode_files())
    assert all(a.equals(b) for a, b in zip(tables(tmp_path / "many"), tables(tmp_path / "one"), strict=True))


def test_one_cell_with_another_frame_is_refused_by_name(corpus, tmp_path):
    other = clip("park")
    other[3]["motion2"] += 0.001
    parts = corpus("a", clip("lake"), clip("park")), corpus("b", other)
    refused(parts, tmp_path / "both", "park", "libx264 fast 28", "frame 3", str(parts[0]), str(parts[1]))


def test_one_cell_with_another_score_or_size_is_refused_by_name(corpus, tmp_path):
    parts = corpus("a", clip("park", enc_bytes=10)), corpus("b", clip("park", enc_bytes=11))
    refused(parts, tmp_path / "both", "park", "bytes", "10", "11")


def test_more_frames_of_one_cell_are_refused(corpus, tmp_path):
    parts = corpus("a", clip("park")), corpus("b", clip("park", frames=6))
    refused(parts, tmp_path / "both", "park", "frames 5", "6")


def test_timings_differ_from_run_to_run_and_the_first_count(corpus, tmp_path):
    parts = corpus("a", clip("park")), corpus("b", clip("park"))
    for folder, seconds in zip(parts, (1.0, 2.0), strict=True):
        change(folder, "encodes", pl.lit(seconds).alias("encode_cpu_s"))
    merge_corpora(parts, tmp_path / "both")
    assert CorpusStore(tmp_path / "both").encodes()["encode_cpu_s"].to_list() == [1.0]


def test_teachers_are_never_mixed(corpus, tmp_path):
    parts = corpus("a", clip("park")), corpus("b", clip("lake"), teacher="vmaf_4k_v0.6.1")
    refused(parts, tmp_path / "both", "vmaf_v0.6.1", "vmaf_4k_v0.6.1", "do not mix")


def test_other_features_are_refused_unless_the_common_ones_are_asked_for(corpus, tmp_path):
    parts = corpus("a", clip("park")), corpus("b", clip("lake"))
    change(parts[1], "frames", pl.lit(40.0).alias("psnr_y"))
    refused(parts, tmp_path / "both", "psnr_y", str(parts[0]), "--common-features")
    done = merge_corpora(parts, tmp_path / "both", common_features=True)
    assert done.left_out == ("psnr_y",)
    encodes, frames = tables(tmp_path / "both")
    assert "psnr_y" not in frames.columns
    assert set(encodes["feature_sets"]) == {"canonical6"}
    change(parts[1], "frames", pl.lit(1.0).alias("zeta"))
    path = next((parts[1] / "frames").iterdir())
    pl.read_parquet(path).drop(*SIX, "psnr_y").write_parquet(path)
    refused(parts, tmp_path / "none", "no feature in common", common_features=True)


def test_a_source_in_two_groups_is_refused(corpus, tmp_path):
    parts = corpus("a", clip("park")), corpus("b", clip("park", 40), groups=SourceGroups({"park": "parks"}))
    refused(parts, tmp_path / "both", "park", "2 source groups", "parks")


def test_one_content_under_two_groups_is_refused(corpus, tmp_path):
    parts = corpus("a", clip("park")), corpus("b", clip("lake"))
    for folder in parts:
        change(folder, "encodes", pl.lit("abc").alias("source_sha256"))
    refused(parts, tmp_path / "both", "abc", "lake, park")


def test_one_name_for_two_contents_is_refused(corpus, tmp_path):
    parts = corpus("a", clip("park")), corpus("b", clip("park", 40))
    for folder, sha in zip(parts, ("abc", "def"), strict=True):
        change(folder, "encodes", pl.lit(sha).alias("source_sha256"))
    refused(parts, tmp_path / "both", "park", "contents", "abc, def")


def test_frames_that_are_not_there_are_refused(corpus, tmp_path):
    parts = corpus("a", clip("park")), corpus("b", clip("lake"), clip("dune"))
    path = next((parts[1] / "frames").iterdir())
    table = pl.read_parquet(path)
    table.filter(pl.col("cell") == table["cell"][0]).write_parquet(path)
    refused(parts, tmp_path / "both", "no frames of the cell", table["cell"][-1])


def test_a_thinned_corpus_is_refused_and_a_whole_compact_one_is_not(corpus, tmp_path):
    one, other = corpus("a", clip("park")), corpus("b", clip("lake"))
    compact_corpus(CorpusStore(one), tmp_path / "thin", frame_stride=2)
    refused([tmp_path / "thin", other], tmp_path / "both", "thin", "one frame in 2")
    compact_corpus(CorpusStore(one), tmp_path / "small")
    assert merge_corpora([tmp_path / "small", other, one], tmp_path / "both").cells == 2


def test_what_cannot_be_meant(corpus, tmp_path):
    one, other = corpus("a", clip("park")), corpus("b", clip("lake"))
    with pytest.raises(RequestError, match="two corpora"):
        merge_corpora([one], tmp_path / "both")
    with pytest.raises(RequestError, match="there already"):
        merge_corpora([one, other], other)
    with pytest.raises(RequestError, match="nowhere does not exist"):
        merge_corpora([one, tmp_path / "nowhere"], tmp_path / "both")
    (tmp_path / "bare").mkdir()
    refused([one, tmp_path / "bare"], tmp_path / "both", "bare", "no corpus")


def test_an_import_and_a_build_of_the_same_settings_are_counted(ffmpeg, make_clip, corpus, tmp_path):
    store = CorpusStore(tmp_path / "built")
    sweep = make_sweep([make_clip("park.mkv", seed=9)], [EncoderSweep("libx264", ("fast",), (28,))])
    build_corpus(store, sweep, ffmpeg, processes=1)
    imported = corpus("a", clip("park"), clip("park", 40))
    refused([store.folder, imported], tmp_path / "both", "lacks psnr_y")
    done = merge_corpora([store.folder, imported], tmp_path / "both", common_features=True)
    assert (done.cells, done.same_settings) == (3, 1)
    encodes, frames = tables(tmp_path / "both")
    assert encodes["fps"].null_count() == 2
    assert frames["type"].null_count() == 10
    assert verify_corpus(CorpusStore(tmp_path / "both")).problems == ()
