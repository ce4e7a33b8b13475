"""What a build is expected to take: grounded in the table, refined by what is finished, honest about guesses."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmafcast.corpus.build import build_corpus, dry_run
from vmafcast.corpus.costs import CostModel, GroupCost, measured_costs
from vmafcast.corpus.estimate import wall_seconds
from vmafcast.corpus.plan import Cell, CellGroup, NamedSource, Sweep
from vmafcast.corpus.store import CorpusStore
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.media.features import CANONICAL6, LITE
from vmafcast.media.graph import EncodeSettings, Scoring
from vmafcast.media.source import Source, probe

SCORING = Scoring("vmaf_v0.6.1", (CANONICAL6, LITE))
COMMITTED = Path(__file__).parents[2] / "data" / "corpus"
VIDEO = Source(
    path=Path("/clips/a.mkv"), sha256="ab" * 32, width=480, height=270, fps=Fraction(25), frames=50,
    pixel_format="yuv420p", bit_depth=8, full_range=False, codec="ffv1", encoder_tag="",
)  # fmt: skip
CLIP = NamedSource("a", "a", VIDEO)


def job(encoder="libx264", preset="medium", quality=26, threads=1):
    return EncodeSettings(get_encoder(encoder), preset, quality, threads)


def group(*jobs, source=CLIP):
    return CellGroup(tuple(Cell(f"{number:016x}", source, each) for number, each in enumerate(jobs)))


def finished(cells):
    """Finished cells as a corpus records them: source, settings and how many times the expected CPU time they took."""
    model = CostModel(SCORING)
    rows = []
    for source, each, factor in cells:
        cost, video = model.cell(source, each), source.video
        rows.append({
            "source": source.name, "encoder": each.encoder.name, "preset": each.preset, "quality": each.quality,
            "width": video.width, "height": video.height, "frames": video.frames, "threads": 1,
            "encode_cpu_s": cost.encode * factor, "decode_cpu_s": cost.decode * factor,
            "score_cpu_s": cost.score * factor, "teacher": SCORING.teacher, "feature_sets": "canonical6 lite",
        })  # fmt: skip
    return pl.DataFrame(rows)


# ------------------------------------------------------------------------------------------------------- the table


def test_the_table_is_that_of_the_committed_corpus():
    """On the corpus it was made from, what all of a preset's cells took is what is expected of them."""
    table = CorpusStore(COMMITTED).encodes().filter(pl.col("encode_cpu_s").is_not_null())
    model = CostModel(Scoring("vmaf_v0.6.1", (CANONICAL6,)))
    known = {(each.encoder, each.preset): each for each in measured_costs().presets}
    for (encoder, preset), rows in table.group_by("encoder", "preset"):
        if (encoder, preset) not in known or set(rows["feature_sets"]) != {"canonical6"}:
            continue
        costs = [
            model.cell(
                replace(CLIP, video=replace(VIDEO, width=r["width"], height=r["height"], frames=r["frames"])),
                job(encoder, preset, r["quality"]),
            )
            for r in rows.iter_rows(named=True)
        ]
        assert sum(cost.encode for cost in costs) == pytest.approx(rows["encode_cpu_s"].sum(), rel=0.01)
        assert sum(cost.decode for cost in costs) == pytest.approx(rows["decode_cpu_s"].sum(), rel=0.01)
        assert sum(cost.bytes for cost in costs) == pytest.approx(rows["bytes"].sum(), rel=0.01)
        assert sum(cost.score for cost in costs) == pytest.approx(rows["score_cpu_s"].sum(), rel=0.01)


def test_what_it_says_of_its_own_error_includes_being_right():
    table = measured_costs()
    for spread in (table.cell_error, table.sweep_error):
        assert spread.low < spread.middle < spread.high
        assert spread.low < 1 < spread.high
    assert table.cell_error.low < table.sweep_error.low
    assert table.cell_error.high > table.sweep_error.high


def test_better_quality_costs_more_and_lies_between_what_was_measured():
    model = CostModel(SCORING)
    costs = [model.cell(CLIP, job(quality=quality)).seconds for quality in range(52)]
    assert costs == sorted(costs, reverse=True)
    assert costs[15] > costs[16] > costs[20]  # 15 and 20 were measured


def test_twice_the_pixels_cost_twice_as_much():
    model = CostModel(SCORING)
    double = replace(CLIP, video=replace(VIDEO, frames=100))
    assert model.cell(double, job()).seconds == pytest.approx(2 * model.cell(CLIP, job()).seconds)


# --------------------------------------------------------------------------------------------------------- guesses


def test_a_preset_that_was_not_measured_is_a_guess_from_the_nearest():
    model = CostModel(SCORING)
    presets = ("superfast", "veryfast", "faster", "fast", "medium", "slow", "veryslow")
    costs = [model.cell(CLIP, job(preset=preset)).encode for preset in presets]
    assert costs == sorted(costs)
    assert [preset for preset in presets if model.is_measured(job(preset=preset))] == ["veryfast", "medium"]


def test_an_encoder_that_was_not_measured_is_a_guess_between_the_others():
    model = CostModel(SCORING)
    stranger = job("prores_videotoolbox", get_encoder("prores_videotoolbox").default_preset, 50)
    assert not model.is_measured(stranger)
    encodes = [model.cell(CLIP, job(e.encoder, e.preset, e.by_quality[3].quality)).encode for e in model.table.presets]
    assert min(encodes) < model.cell(CLIP, stranger).encode < max(encodes)


def test_a_teacher_that_was_not_measured_is_said():
    assert CostModel(SCORING).scoring_is_measured
    assert not CostModel(replace(SCORING, teacher="vmaf_4k_v0.6.1")).scoring_is_measured


# --------------------------------------------------------------------------------------------------------- refined


def test_a_machine_that_is_half_as_fast_is_recognised():
    names = [replace(CLIP, name=name) for name in "bcdefgh"]
    slow = CostModel(SCORING, finished([(name, job(quality=q), 2.0) for name in names for q in (20, 26, 36)]))
    before, after = (
        CostModel(SCORING).cell(CLIP, job("libx265", "fast", 26)),
        slow.cell(CLIP, job("libx265", "fast", 26)),
    )
    assert after.encode == pytest.approx(2 * before.encode)
    assert after.score == pytest.approx(2 * before.score)
    assert slow.refined_by == 21


def test_a_source_that_is_hard_is_recognised_but_not_blamed_on_the_others():
    hard, easy = replace(CLIP, name="hard"), replace(CLIP, name="easy")
    cells = [(source, job(quality=q), f) for source, f in ((hard, 1.6), (easy, 0.4)) for q in range(15, 48)]
    model = CostModel(SCORING, finished(cells))
    other = job("libsvtav1", "8", 40)
    base = CostModel(SCORING).cell(CLIP, other).encode
    assert model.cell(hard, other).encode == pytest.approx(1.6 * base, rel=0.05)
    assert model.cell(easy, other).encode == pytest.approx(0.4 * base, rel=0.1)
    assert model.cell(CLIP, other).encode == pytest.approx(base, rel=0.05)


def test_a_finished_cell_makes_a_guess_a_measurement():
    slow = [(replace(CLIP, name=name), job(preset="slow", quality=q), 3.0) for name in "bcd" for q in (20, 30, 40)]
    model = CostModel(SCORING, finished(slow))
    assert model.is_measured(job(preset="slow"))
    assert model.cell(CLIP, job(preset="slow")).encode > 2 * CostModel(SCORING).cell(CLIP, job(preset="slow")).encode
    assert model.cell(CLIP, job()).encode == pytest.approx(CostModel(SCORING).cell(CLIP, job()).encode)


def test_what_an_imported_corpus_does_not_say_refines_nothing():
    rows = finished([(CLIP, job(), 5.0)])
    for silent in (rows.drop("encode_cpu_s"), rows.with_columns(encode_cpu_s=pl.lit(None, pl.Float64)), rows[:0]):
        model = CostModel(SCORING, silent)
        assert model.refined_by == 0
        assert model.cell(CLIP, job()) == CostModel(SCORING).cell(CLIP, job())


# --------------------------------------------------------------------------------------------------------- the wall

COSTS = st.lists(st.tuples(st.floats(0.1, 100), st.floats(0.05, 1)), min_size=1, max_size=30)


@given(COSTS, st.integers(1, 8), st.integers(1, 8))
def test_no_wall_is_shorter_than_the_work_or_the_slowest_encode(drawn, processes, cores):
    costs = sorted((GroupCost(s, s * share, 0) for s, share in drawn), key=lambda cost: -cost.seconds)
    wall = wall_seconds(costs, processes=processes, cores=cores)
    assert wall >= sum(cost.seconds for cost in costs) / cores
    assert wall >= max(cost.slowest for cost in costs)
    assert wall <= sum(cost.seconds for cost in costs) * max(processes / cores, 1) / 0.95 + 1e-9


def test_a_group_costs_its_cells_and_what_a_process_costs():
    model = CostModel(SCORING)
    cells = [model.cell(CLIP, job(quality=q)) for q in (20, 30)]
    cost = model.group(group(job(quality=20), job(quality=30)))
    assert cost.seconds > sum(cell.seconds for cell in cells)
    assert cost.slowest == pytest.approx(max(cell.encode for cell in cells))
    threads = model.group(group(job(quality=20, threads=4)))
    assert threads.slowest == pytest.approx(cells[0].encode / 4)


# ---------------------------------------------------------------------------------------------------- for real


def test_a_dry_run_writes_nothing_and_knows_what_is_finished(ffmpeg, make_clip, tmp_path):
    video = probe(make_clip(width=96, height=64, frames=6))
    jobs = tuple(job(preset="ultrafast", quality=q) for q in (25, 45))
    sweep = Sweep((NamedSource("a", "a", video),), jobs, SCORING)
    store = CorpusStore(tmp_path / "corpus")
    found = dry_run(store, sweep, ffmpeg, processes=2, cores=2)
    assert not store.folder.exists()
    assert (found.planned, found.already_finished, found.groups, found.refined_by) == (2, 0, 1, 0)
    assert 0 < found.low < 1 < found.high
    assert min(found.cpu_seconds, found.wall_seconds, found.corpus_bytes, found.working_bytes) > 0
    [only] = found.encoders
    assert (only.encoder, only.preset, only.cells, only.groups, only.measured) == ("libx264", "ultrafast", 2, 1, False)
    build_corpus(store, Sweep(sweep.sources, jobs[:1], SCORING), ffmpeg, processes=1)
    before = sorted(store.folder.rglob("*"))
    rest = dry_run(store, sweep, ffmpeg, processes=2, cores=2)
    assert (rest.planned, rest.already_finished, rest.groups, rest.refined_by) == (2, 1, 1, 1)
    assert rest.encoders[0].measured
    assert sorted(store.folder.rglob("*")) == before
    build_corpus(store, sweep, ffmpeg, processes=1)
    none = dry_run(store, sweep, ffmpeg, processes=2, cores=2)
    assert (none.groups, none.cpu_seconds, none.wall_seconds, none.encoders) == (0, 0, 0, ())
