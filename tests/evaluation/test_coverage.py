from __future__ import annotations

from fractions import Fraction
from statistics import NormalDist

import numpy as np
import pytest

from vmafcast.common.documents import to_json
from vmafcast.common.errors import RequestError
from vmafcast.evaluation.conformal_scores import RULES, HeldOut, calibrate
from vmafcast.evaluation.coverage import NESTED, available_methods, evaluate_intervals
from vmafcast.evaluation.coverage_report import CoverageReport, report_coverage

LEVELS = (Fraction(1, 2), Fraction(4, 5), Fraction(9, 10))


def table(groups=14, frames=6, clips=2, seed=0, members=3, effect=2.0, hard=1.0):
    """Held-out predictions about 50; the clips of libx265 are missed by ``hard`` times as much."""
    rng = np.random.default_rng(seed)
    rows = []
    for group in range(groups):
        shift = rng.normal(0, effect)
        for encoder in ("libx264", "libx265"):
            for clip in range(clips):
                error = (shift + rng.normal(0, 1) + rng.normal(0, 0.5, frames)) * (hard if encoder == "libx265" else 1)
                rows += [(f"g{group:02d}", encoder, f"{group}-{encoder}-{clip}", 50 + e) for e in error]
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    jitter = rng.normal(0, rng.uniform(0.2, 1, (len(rows), 1)), (len(rows), members))
    return HeldOut(*columns, 50 + jitter - jitter.mean(axis=1, keepdims=True))


def without(held_out, group):
    kept = held_out.groups != group
    names = ("groups", "encoders", "clips", "measured", "members")
    return HeldOut(*(getattr(held_out, name)[kept] for name in names))


def only(held_out, group):
    own = held_out.groups == group
    names = ("groups", "encoders", "clips", "measured", "members")
    return HeldOut(*(getattr(held_out, name)[own] for name in names))


@pytest.mark.parametrize("rule", ["hcp-frame", "hcp-clip"])
@pytest.mark.parametrize("method", ["conformal", "normalised", "shaped", "conformal-pooled"])
def test_each_group_is_tested_by_what_calibrating_on_the_others_gives(rule, method):
    """The evaluator's shortcut against the long way: leave the group out, calibrate, ask for each interval."""
    held_out = table()
    level = Fraction(4, 5)
    [found] = [t for t in evaluate_intervals(held_out, rule, [level]) if t.method == method]
    for group in np.unique(held_out.groups):
        score = method if method in {"normalised", "shaped"} else "absolute"
        calibration = calibrate(without(held_out, group), rule, score)
        own = only(held_out, group)
        units = own.clip_means() if rule == "hcp-clip" else own.frames()
        asked = [
            calibration.interval(p, s, level, None if method == "conformal-pooled" else e)
            for p, s, e in zip(units.mean, units.spread, units.encoders, strict=True)
        ]
        assert found.covered[found.groups == group].tolist() == [
            m in i for m, i in zip(units.measured, asked, strict=True)
        ]
        assert found.widths[found.groups == group] == pytest.approx([i.width for i in asked], abs=2e-5)


def test_most_frames_of_each_clip_are_tested_the_long_way_too():
    held_out = table(frames=7)
    level, share = Fraction(4, 5), Fraction(3, 4)
    [found] = [t for t in evaluate_intervals(held_out, "most-frames", [level], share=share) if t.method == "conformal"]
    expected = {}
    for group in np.unique(held_out.groups):
        calibration = calibrate(without(held_out, group), "most-frames", share=share)
        own = only(held_out, group)
        for clip in np.unique(own.clips):
            rows = own.clips == clip
            interval = calibration.interval(50.0, level=level, encoder=own.encoders[rows][0])
            expected[clip] = np.mean([m in interval for m in own.measured[rows]]) >= float(share)
    assert found.covered.tolist() == [bool(expected[clip]) for clip in np.unique(held_out.clips)]


def test_the_group_under_test_has_no_say_in_its_own_intervals():
    """However badly a group is missed, its intervals are what they would be if it had been hit."""
    held_out = table()
    own = held_out.groups == "g03"
    worse = HeldOut(
        held_out.groups,
        held_out.encoders,
        held_out.clips,
        np.where(own, held_out.measured + 40, held_out.measured),
        held_out.members,
    )
    for rule in RULES:
        for before, after in zip(
            evaluate_intervals(held_out, rule, LEVELS), evaluate_intervals(worse, rule, LEVELS), strict=True
        ):
            mine = (before.groups == "g03")[before.width_units]
            assert before.widths[mine].tolist() == after.widths[mine].tolist()
            assert not after.covered[after.groups == "g03"].any()


def test_gaussian_intervals_are_the_spread_times_the_normal_quantile():
    held_out = table()
    units = held_out.frames()
    [found] = [t for t in evaluate_intervals(held_out, "hcp-frame", [Fraction(9, 10)]) if t.method == "gaussian"]
    half = NormalDist().inv_cdf(0.95) * units.spread
    assert found.widths == pytest.approx(2 * half)
    assert found.covered.tolist() == (units.residuals <= half).tolist()


def test_conformal_covers_and_gaussian_does_not_where_members_agree_more_than_they_are_right():
    report = report_coverage(table(groups=30, effect=4.0), levels=LEVELS)
    figures = {(f.rule, f.method, f.cell, f.level): f for f in report.figures}
    for level in LEVELS:
        for cell in ("all", "libx264", "libx265"):
            assert figures["hcp-clip", "conformal", cell, level].coverage >= level - Fraction(3, 100)
        assert figures["hcp-clip", "gaussian", "all", level].under_covers
    assert report.passed
    assert report.failing == ()


def test_what_is_served_is_what_is_judged():
    held_out = table(groups=30, effect=4.0)
    report = report_coverage(held_out, levels=LEVELS, served="gaussian")
    assert not report.passed
    assert {figure.method for figure in report.failing} == {"gaussian"}
    assert all(figure.coverage_interval[1] < figure.level for figure in report.failing)


def test_pooled_intervals_under_cover_the_hard_encoder_and_its_own_do_not():
    report = report_coverage(table(groups=40, hard=4.0), levels=LEVELS)
    figures = {(f.rule, f.method, f.cell, f.level): f for f in report.figures}
    level = Fraction(4, 5)
    assert figures["hcp-clip", "conformal-pooled", "libx265", level].coverage < 0.7
    assert figures["hcp-clip", "conformal", "libx265", level].coverage >= 0.77
    wide, narrow = (figures["hcp-clip", "conformal", cell, level].median_width for cell in ("libx265", "libx264"))
    assert wide > 3 * narrow


def test_too_few_groups_are_unbounded_covered_and_without_a_width():
    report = report_coverage(table(groups=6), levels=[Fraction(9, 10)])
    for figure in report.figures:
        if figure.method == "gaussian":
            continue
        assert (figure.coverage, figure.unbounded) == (1.0, 1.0)
        assert (figure.mean_width, figure.median_width) == (None, None)


def test_nine_groups_are_enough_for_nine_tenths_but_not_once_one_is_left_out():
    bounded = {f.unbounded for f in report_coverage(table(groups=10), levels=LEVELS).figures if f.method == "conformal"}
    assert bounded == {0.0}
    short = [f for f in report_coverage(table(groups=9), levels=LEVELS).figures if f.method == "conformal"]
    assert {f.unbounded for f in short if f.level == Fraction(9, 10)} == {1.0}


def test_a_group_counts_as_one_in_what_is_reported():
    few = table(groups=12, clips=1)
    [figure] = [
        f
        for f in report_coverage(few, levels=[Fraction(4, 5)]).figures
        if (f.rule, f.method, f.cell) == ("hcp-clip", "conformal", "all")
    ]
    by_group = {
        g.source_group: g.coverage
        for g in report_coverage(few, levels=[Fraction(4, 5)]).by_source_group
        if (g.rule, g.method) == ("hcp-clip", "conformal")
    }
    assert figure.coverage == pytest.approx(np.mean(list(by_group.values())))
    assert figure.groups == len(by_group) == 12
    low, high = figure.coverage_interval
    assert low <= figure.coverage <= high


def test_a_single_member_has_no_spread_to_judge_by():
    single = table(members=1)
    assert available_methods(single) == ("shaped", "conformal", "conformal-pooled")
    assert available_methods(table()) == NESTED
    assert {f.method for f in report_coverage(single, levels=LEVELS).figures} == {
        "shaped",
        "conformal",
        "conformal-pooled",
    }
    for served in ("gaussian", "normalised"):
        with pytest.raises(RequestError, match="single member has no spread"):
            report_coverage(single, levels=LEVELS, served=served)


def test_a_stored_calibration_is_tested_as_it_is_on_other_material():
    mine, theirs = table(groups=25), table(groups=30, seed=5)
    stored = {rule: calibrate(mine, rule, share="0.8") for rule in RULES}
    report = report_coverage(theirs, levels=LEVELS, stored=stored)
    assert (report.nested, report.served, report.passed) == (False, "stored", True)
    [clip] = [f for f in report.figures if (f.rule, f.cell, f.level) == ("hcp-clip", "libx264", Fraction(4, 5))]
    assert clip.median_width == stored["hcp-clip"].interval(50.0, level="0.8", encoder="libx264").width

    harder = table(groups=30, seed=5, effect=12.0)
    assert not report_coverage(harder, levels=LEVELS, stored=stored).passed


def test_a_stored_normalised_calibration_takes_its_own_floor():
    mine, theirs = table(groups=25), table(groups=30, seed=5)
    stored = calibrate(mine, "hcp-frame", "normalised", floor=0.7)
    [found] = evaluate_intervals(theirs, "hcp-frame", [Fraction(4, 5)], stored=stored)
    units = theirs.frames()
    expected = [stored.interval(50.0, s, "0.8", e).width for s, e in zip(units.spread, units.encoders, strict=True)]
    assert found.widths == pytest.approx(expected)


def test_the_report_survives_being_written_and_is_the_same_each_time():
    report = report_coverage(table(), levels=LEVELS)
    text = to_json(report)
    assert CoverageReport.model_validate_json(text) == report
    assert to_json(report_coverage(table(), levels=LEVELS)) == text


def test_no_level_is_refused():
    with pytest.raises(RequestError, match="at least one"):
        report_coverage(table(), levels=[])
