import polars as pl
import pytest

from vmafcast.common.errors import DataError, RequestError
from vmafcast.corpus.card import corpus_card, read_source_facts
from vmafcast.corpus.store import CorpusStore

ENCODE = {
    "source_sha256": "0" * 64, "width": 320, "height": 180, "fps": 25.0, "frames": 2, "bit_depth": 8, "threads": 1,
    "arguments": "-c:v libx264", "bytes": 1000, "kbps": 100.0,
    "vmaf_harmonic_mean": 80.0, "vmaf_p1": 70.0, "vmaf_p5": 71.0,
    "vmaf_min": 70.0, "encode_cpu_s": 0.1, "decode_cpu_s": 0.1, "score_cpu_s": 0.1, "teacher": "vmaf_v0.6.1",
    "feature_sets": "canonical6", "ffmpeg_version": "9", "ffmpeg_build": "b", "encoder_version": "core 165",
}  # fmt: skip


@pytest.fixture
def store(tmp_path):
    cells = [
        {**ENCODE, "cell": f"{source}{quality}", "source": source, "source_group": group, "encoder": "libx264",
         "preset": "medium", "quality": quality, "vmaf": 90.0 - quality}
        for source, group in (("tree", "tree"), ("tree_large", "tree"), ("sea", "sea"))
        for quality in (20, 30)
    ]  # fmt: skip
    for name, rows in (
        ("encodes", cells),
        (
            "frames",
            [{"cell": cell["cell"], "frame": frame, "vmaf": cell["vmaf"]} for cell in cells for frame in (0, 1)],
        ),
    ):
        (tmp_path / name).mkdir()
        pl.DataFrame(rows).write_parquet(tmp_path / name / "one.parquet")
    return CorpusStore(tmp_path)


def test_a_card_names_every_source_with_its_group_and_licence(store):
    card = corpus_card(store, "A corpus", {"tree": {"licence": "CC0-1.0", "origin_repo": "a/b"}})
    assert card.startswith("# A corpus\n")
    assert "6 encodes of 3 sources in 2 source groups, 12 frames" in card
    assert "| tree | tree | 320x180 | 25 | 2 |  | CC0-1.0 | a/b |" in card
    assert "| sea | sea | 320x180 | 25 | 2 |  | not stated |  |" in card
    assert "| libx264 | medium | 20 30 | 6 | 60.0 |" in card


def test_a_card_states_its_gaps(store):
    card = corpus_card(store, "A corpus", {})
    assert "no source is taller than 180 lines" in card
    assert "no hardware encoder" in card
    assert "nothing is known of the origin of sea, tree, tree_large" in card


def test_facts_are_read_by_name_from_several_manifests(tmp_path):
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    one.write_text("name,file,licence\ntree,tree.mkv,CC0-1.0\n")
    two.write_text("name,file,licence\nsea,sea.mkv,MIT\n")
    facts = read_source_facts([one, two])
    assert facts["tree"]["licence"] == "CC0-1.0"
    assert facts["sea"]["licence"] == "MIT"


def test_a_manifest_that_cannot_be_used_is_named(tmp_path):
    with pytest.raises(RequestError, match=r"gone\.csv"):
        read_source_facts([tmp_path / "gone.csv"])
    nameless = tmp_path / "nameless.csv"
    nameless.write_text("file\na.mkv\n")
    with pytest.raises(RequestError, match="no column name"):
        read_source_facts([nameless])


def test_no_corpus_no_card(tmp_path):
    with pytest.raises(DataError, match="holds no corpus"):
        corpus_card(CorpusStore(tmp_path), "A corpus", {})
