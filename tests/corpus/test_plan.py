from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vmafcast.corpus.plan import (
    SWEEP_LENGTH,
    CellGroup,
    NamedSource,
    Sweep,
    cell_identity,
    default_qualities,
    group_cells,
    plan_cells,
)
from vmafcast.encoders.catalogue import ENCODERS, get_encoder
from vmafcast.media.availability import Availability
from vmafcast.media.features import CANONICAL6, LITE
from vmafcast.media.ffmpeg import Ffmpeg
from vmafcast.media.graph import EncodeSettings, Scoring
from vmafcast.media.source import Source

VIDEO = Source(
    path=Path("/clips/a.mkv"),
    sha256="ab" * 32,
    width=352,
    height=288,
    fps=Fraction(25),
    frames=50,
    pixel_format="yuv420p",
    bit_depth=8,
    full_range=False,
    codec="ffv1",
    encoder_tag="",
)
X264 = EncodeSettings(get_encoder("libx264"), "medium", 23)
SCORING = Scoring("vmaf_v0.6.1", (CANONICAL6, LITE))
FFMPEG = Ffmpeg("/usr/bin/ffmpeg", "n9.0", "0123456789abcdef", frozenset({"libx264"}), frozenset({"libvmaf"}))
HERE = Availability("libx264", built_in=True, works=True, version="core 165", reason="")
FACTS = {"source": VIDEO, "settings": X264, "scoring": SCORING, "ffmpeg": FFMPEG, "availability": HERE}


def identity(**changed):
    return cell_identity(**(FACTS | changed))


DECIDING = {
    "content": {"source": replace(VIDEO, sha256="cd" * 32)},
    "encoder": {"settings": replace(X264, encoder=replace(X264.encoder, name="libx264rgb"))},
    "preset": {"settings": replace(X264, preset="fast")},
    "quality": {"settings": replace(X264, quality=24)},
    "threads": {"settings": replace(X264, threads=2)},
    "extra arguments": {"settings": replace(X264, extra=("-g", "30"))},
    "order of extra arguments": {"settings": replace(X264, extra=("30", "-g"))},
    "encoder's build": {"availability": replace(HERE, version="core 164")},
    "ffmpeg's version": {"ffmpeg": replace(FFMPEG, version="n9.1")},
    "ffmpeg's build": {"ffmpeg": replace(FFMPEG, build="f" * 16)},
    "teacher": {"scoring": replace(SCORING, teacher="vmaf_v0.6.1neg")},
    "fewer features": {"scoring": replace(SCORING, feature_sets=(CANONICAL6,))},
}

NOT_DECIDING = {
    "where the source is": {"source": replace(VIDEO, path=Path("/elsewhere/b.mkv"))},
    "where ffmpeg is": {"ffmpeg": replace(FFMPEG, path="/opt/ffmpeg")},
    "what else ffmpeg can do": {"ffmpeg": replace(FFMPEG, encoders=frozenset(), filters=frozenset())},
    "libvmaf's threads": {"scoring": replace(SCORING, threads=4)},
    "other values of the scale": {
        "settings": replace(X264, encoder=replace(X264.encoder, default_preset="fast", bit_depths=(8,)))
    },
}


@pytest.mark.parametrize("what", DECIDING)
def test_whatever_decides_numbers_changes_the_identity(what):
    assert identity(**DECIDING[what]) != identity()


def test_every_change_leads_to_another_identity():
    assert len({identity(), *(identity(**changed) for changed in DECIDING.values())}) == len(DECIDING) + 1


@pytest.mark.parametrize("what", NOT_DECIDING)
def test_nothing_else_does(what):
    assert identity(**NOT_DECIDING[what]) == identity()


def test_the_identity_is_frozen():
    """It names what is on people's disks: a change makes them encode everything again."""
    assert identity() == "610143c87e01a395"


def test_a_name_and_a_group_are_not_part_of_it():
    cells = plan_cells(sweep([named("x")]), FFMPEG, {"libx264": HERE})
    others = plan_cells(sweep([replace(named("y"), group="z", video=named("x").video)]), FFMPEG, {"libx264": HERE})
    assert [cell.identity for cell in cells] == [cell.identity for cell in others]


# --------------------------------------------------------------------------------------------------- planning a sweep


def named(name, **changed):
    return NamedSource(name, name, replace(VIDEO, **({"sha256": name.ljust(64, "0")} | changed)))


def sweep(sources, qualities=(20, 30, 40), presets=("medium", "fast"), scoring=SCORING):
    jobs = [EncodeSettings(get_encoder("libx264"), preset, quality) for preset in presets for quality in qualities]
    return Sweep(tuple(sources), tuple(jobs), scoring)


def test_every_source_meets_every_setting_in_order():
    cells = plan_cells(sweep([named("a"), named("b")]), FFMPEG, {"libx264": HERE})
    assert [(cell.source.name, cell.settings.preset, cell.settings.quality) for cell in cells] == [
        (name, preset, quality) for name in "ab" for preset in ("medium", "fast") for quality in (20, 30, 40)
    ]
    assert len({cell.identity for cell in cells}) == len(cells)


def test_a_setting_that_is_named_twice_is_one_cell():
    cells = plan_cells(sweep([named("a")], qualities=(20, 20, 30)), FFMPEG, {"libx264": HERE})
    assert len(cells) == 4


def planned(count=3, qualities=tuple(range(15, 40)), **changed):
    return plan_cells(
        sweep([named(name, **changed) for name in "abcdef"[:count]], qualities), FFMPEG, {"libx264": HERE}
    )


def test_cells_of_one_process_share_source_encoder_and_preset():
    groups = group_cells(planned(), frozenset())
    for group in groups:
        assert len({(cell.source.name, cell.settings.encoder.name, cell.settings.preset) for cell in group.cells}) == 1
        assert group.source == group.cells[0].source
    assert sorted(cell.identity for group in groups for cell in group.cells) == sorted(
        cell.identity for cell in planned()
    )


@given(done=st.sets(st.integers(0, 149)))
@settings(max_examples=50, deadline=None)
def test_how_cells_are_grouped_does_not_depend_on_what_is_finished(done):
    cells = planned()
    whole = [{cell.identity for cell in group.cells} for group in group_cells(cells, frozenset())]
    finished = {cells[number].identity for number in done}
    rest = group_cells(cells, finished)
    for group in rest:
        members = {cell.identity for cell in group.cells}
        [origin] = [each for each in whole if members <= each]
        assert members == origin - finished
    assert {cell.identity for group in rest for cell in group.cells} == {c.identity for c in cells} - finished


def test_nothing_is_left_when_all_is_finished():
    cells = planned()
    assert group_cells(cells, {cell.identity for cell in cells}) == []


def test_an_untouched_group_keeps_its_key_whatever_else_is_finished():
    cells = planned()
    groups = group_cells(cells, frozenset())
    rest = group_cells(cells, {cell.identity for cell in groups[0].cells})
    assert {group.key for group in rest} == {group.key for group in groups[1:]}


def test_the_longest_comes_first():
    cells = planned()
    by_pixels = group_cells(cells, frozenset())
    assert [group.pixels for group in by_pixels] == sorted((group.pixels for group in by_pixels), reverse=True)
    cost = {group.key: float(number) for number, group in enumerate(by_pixels)}
    by_cost = group_cells(cells, frozenset(), lambda group: cost[group.key])
    assert by_cost == by_pixels[::-1]


@pytest.mark.parametrize(
    ("width", "height", "most"), [(352, 288, 8), (1280, 720, 8), (1920, 1080, 3), (3840, 2160, 1), (8192, 4320, 1)]
)
def test_large_pictures_share_a_process_with_fewer_others(width, height, most):
    sizes = [len(group.cells) for group in group_cells(planned(1, width=width, height=height), frozenset())]
    assert max(sizes) == most
    assert sum(sizes) == 50


def test_a_key_is_that_of_the_cells_in_order():
    group = group_cells(planned(1), frozenset())[0]
    assert len(group.key) == 16
    assert int(group.key, 16) >= 0
    assert CellGroup(group.cells[::-1]).key != group.key
    assert CellGroup(group.cells).key == group.key


def test_a_label_names_what_runs():
    group = group_cells(planned(1, qualities=(20, 30)), frozenset())[0]
    assert group.label().startswith("a libx264 ")
    assert group.label().endswith(" 20,30")


# ----------------------------------------------------------------------------------------------- quality values


@pytest.mark.parametrize("encoder", ENCODERS.values(), ids=lambda each: each.name)
@pytest.mark.parametrize("count", [1, 2, SWEEP_LENGTH, 15])
def test_default_qualities_go_from_good_to_bad_and_are_all_on_the_scale(encoder, count):
    values = default_qualities(encoder, count)
    assert 1 <= len(values) <= count
    norms = [encoder.quality.norm(value) for value in values]
    assert norms == sorted(norms, reverse=True)
    assert len(set(values)) == len(values)
    if count > 1:
        assert norms[0] > 0.6
        assert norms[-1] < 0.4
