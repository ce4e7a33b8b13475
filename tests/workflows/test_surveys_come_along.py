"""What was measured of the sources comes along where corpora are merged or compacted, so that lite can be trained."""

from __future__ import annotations

import polars as pl
import pytest

from vmafcast.common.errors import DataError
from vmafcast.corpus.compact import compact_corpus
from vmafcast.corpus.merge import merge_corpora
from vmafcast.corpus.store import CorpusStore
from vmafcast.corpus.surveyed import SURVEYS, read_surveys
from vmafcast.corpus.table import frame_table
from vmafcast.corpus.tables import write_table
from vmafcast.corpus.verify import verify_corpus
from vmafcast.models.recipe import get_recipe

TEACHER = "vmaf_v0.6.1"
COLUMNS = get_recipe("fr_regressor_lite").feature_order


@pytest.fixture
def part(surveyed, tmp_path):
    """A function that writes the cells and surveys of some of the sources as a corpus of its own."""

    def make(*sources, surveys=True, **changes):
        folder = tmp_path / "-".join(sources)
        own = pl.col("source").is_in(sources)
        encodes = surveyed.encodes().filter(own)
        write_table(encodes, folder / "encodes" / "all.parquet")
        write_table(surveyed.frames().join(encodes, on="cell", how="semi"), folder / "frames" / "all.parquet")
        if surveys:
            write_table(
                pl.read_parquet(surveyed.folder / SURVEYS).filter(own).with_columns(**changes), folder / SURVEYS
            )
        return folder

    return make


def test_lite_learns_from_a_merged_corpus_what_it_learns_from_the_whole(part, surveyed, tmp_path):
    done = merge_corpora([part("alpha", "beta"), part("beta", "gamma")], tmp_path / "both")
    assert (done.surveyed, done.unsurveyed, done.surveys_differ) == (3, 0, False)
    both = CorpusStore(tmp_path / "both")
    assert frame_table(both, COLUMNS, TEACHER).equals(frame_table(surveyed, COLUMNS, TEACHER))
    assert (both.folder / SURVEYS).read_bytes() == (surveyed.folder / SURVEYS).read_bytes()
    assert verify_corpus(both).ok


def test_lite_learns_from_a_compacted_corpus_what_it_learns_from_the_whole(surveyed, tmp_path):
    done = compact_corpus(surveyed, tmp_path / "small")
    small = CorpusStore(tmp_path / "small")
    assert frame_table(small, COLUMNS, TEACHER).equals(frame_table(surveyed, COLUMNS, TEACHER))
    assert done.bytes_on_disk == sum(path.stat().st_size for path in small.folder.iterdir())
    assert verify_corpus(small).ok


def test_the_survey_of_a_source_in_several_is_that_of_the_first(part, tmp_path):
    first, second = part("alpha", "beta", probe_cpu_s=pl.lit(1.0)), part("beta", "gamma", probe_cpu_s=pl.lit(2.0))
    for folders, costs in (((first, second), [1.0, 1.0, 2.0]), ((second, first), [1.0, 2.0, 2.0])):
        output = tmp_path / f"from {folders[0].name}"
        merge_corpora(folders, output)
        assert read_surveys(output)["probe_cpu_s"].to_list() == costs


@pytest.mark.parametrize(
    "changes",
    [
        {"probe_revision": pl.col("probe_revision") - 1},
        {"complexity_revision": pl.col("complexity_revision") - 1},
        {"teacher": pl.lit("vmaf_v0.6.1neg")},
        {"sample_length": pl.col("sample_length") + 1},
        {"libx264_slow_40_bpp": pl.lit(0.5)},  # a further encode of the probe
        {"libx264_slow_40_first8_bpp": pl.lit(0.5)},  # one that is cut short
    ],
)
def test_surveys_that_were_not_made_alike_are_left_out(part, tmp_path, changes):
    done = merge_corpora([part("alpha"), part("beta", "gamma", **changes)], tmp_path / "both")
    assert (done.surveyed, done.unsurveyed, done.surveys_differ) == (0, 3, True)
    assert not (tmp_path / "both" / SURVEYS).exists()


def test_sources_without_a_survey_are_counted(part, tmp_path):
    done = merge_corpora([part("alpha"), part("beta", "gamma", surveys=False)], tmp_path / "both")
    assert (done.surveyed, done.unsurveyed, done.surveys_differ) == (1, 2, False)
    assert read_surveys(tmp_path / "both")["source"].to_list() == ["alpha"]


def test_a_survey_of_another_file_is_refused(part, tmp_path):
    folders = part("alpha"), part("beta", source_sha256=pl.lit("0" * 64))
    with pytest.raises(DataError, match=r"source beta has 2 contents \(SHA-256\).*mend that before merging"):
        merge_corpora(folders, tmp_path / "both")
    assert not (tmp_path / "both").exists()


def test_a_survey_that_cannot_be_read_is_not_passed_over(part, tmp_path):
    folders = part("alpha"), part("beta")
    (folders[0] / SURVEYS).write_bytes(b"no table")
    with pytest.raises(DataError, match=r"sources\.parquet cannot be read"):
        merge_corpora(folders, tmp_path / "made")
    with pytest.raises(DataError, match=r"sources\.parquet cannot be read"):
        compact_corpus(CorpusStore(folders[0]), tmp_path / "made")
    assert not (tmp_path / "made").exists()
