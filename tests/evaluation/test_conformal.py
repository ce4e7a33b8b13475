from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from vmafcast.common.documents import read_document, to_json, write_document
from vmafcast.common.errors import DataError, RequestError
from vmafcast.evaluation.conformal import Calibration, Interval, ends, score_scale
from vmafcast.evaluation.conformal_ranks import GroupScores
from vmafcast.evaluation.conformal_scores import RULES, HeldOut, calibrate, mean_and_spread, spread_floor, unit_scores

ENCODERS = ("libx264", "libx265")


def corpus(groups=12, clips=2, frames=5, seed=0, members=3, group_effect=2.0):
    """Held-out predictions: every group has every encoder, clips share an error, frames add their own."""
    rng = np.random.default_rng(seed)
    rows = []
    for group in range(groups):
        shift = rng.normal(0, group_effect)
        for encoder in ENCODERS:
            for clip in range(clips):
                truth = rng.uniform(30, 80) + rng.normal(0, 2, frames)
                said = truth + shift + rng.normal(0, 0.5, frames)
                rows += [
                    (f"g{group:02d}", encoder, f"g{group:02d}-{encoder}-{clip}", t, s)
                    for t, s in zip(truth, said, strict=True)
                ]
    names = [np.array(column) for column in zip(*rows, strict=True)]
    jitter = rng.normal(0, rng.uniform(0.1, 1, (len(rows), 1)), (len(rows), members))
    jitter -= jitter.mean(axis=1, keepdims=True)
    return HeldOut(*names[:4], names[4][:, None] + jitter)


def reordered(held_out, order):
    columns = (held_out.groups, held_out.encoders, held_out.clips, held_out.measured, held_out.members)
    return HeldOut(*(column[order] for column in columns))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("score", ["absolute", "normalised", "shaped"])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_order_of_rows_means_nothing(rule, score, seed):
    held_out = corpus()
    order = np.random.default_rng(seed).permutation(len(held_out.measured))
    first, second = calibrate(held_out, rule, score), calibrate(reordered(held_out, order), rule, score)
    assert first.model_dump(exclude={"scores", "floor"}) == second.model_dump(exclude={"scores", "floor"})
    for one, other in zip(first.scores, second.scores, strict=True):  # means of clips are summed in another order
        assert one.scores == pytest.approx(other.scores, abs=3e-6)


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(RULES), st.integers(2, 4))
def test_writing_every_row_of_a_group_down_again_changes_nothing(rule, times):
    held_out = corpus()
    mine = np.flatnonzero(held_out.groups == "g03")
    order = np.concatenate([np.arange(len(held_out.measured)), *[mine] * (times - 1)])
    one, other = calibrate(held_out, rule), calibrate(reordered(held_out, order), rule)
    assert [cell.groups for cell in one.scores] == [cell.groups for cell in other.scores]
    assert [cell.scores for cell in one.scores] == [pytest.approx(cell.scores, abs=3e-6) for cell in other.scores]


def test_another_clip_of_a_group_halves_what_its_first_counts_and_leaves_other_groups_alone():
    def of(groups, clips, residuals):
        return calibrate(
            HeldOut(groups, ["libx264"] * len(groups), clips, residuals, np.zeros((len(groups), 1))), "hcp-clip"
        )

    one = of(["a", "b", "c"], ["a1", "b1", "c1"], [1.0, 2.0, 9.0])
    two = of(["a", "b", "c", "c"], ["a1", "b1", "c1", "c2"], [1.0, 2.0, 9.0, 0.5])
    assert (one.groups, two.groups) == (3, 3)
    level = Fraction(5, 8)  # a mass of 2.5 of 4 groups: with the second clip of c, one half of it lies below
    assert one.interval(50.0, level=level).upper == 59.0
    assert two.interval(50.0, level=level).upper == 52.0
    assert two.interval(50.0, level="0.75").upper == 59.0


def test_a_group_of_a_thousand_clips_counts_as_one():
    few, many = corpus(groups=8, clips=1), corpus(groups=8, clips=40)
    for rule in RULES:
        assert calibrate(few, rule).groups == calibrate(many, rule).groups == 8
        assert not calibrate(many, rule).interval(50.0, level=0.9).bounded


@pytest.mark.parametrize("rule", RULES)
def test_too_few_groups_are_unbounded_and_never_a_number(rule):
    interval = calibrate(corpus(groups=8), rule).interval(50.0, level=0.9, encoder="libx264")
    assert (interval.lower, interval.upper, interval.width, interval.bounded) == (None, None, None, False)
    assert (interval.groups, interval.cell, interval.level) == (8, "libx264", Fraction(9, 10))
    assert 0.0 in interval
    assert 100.0 in interval
    assert calibrate(corpus(groups=9), rule).interval(50.0, level=0.9).bounded


def test_an_encoder_has_its_own_scores_and_one_that_was_not_calibrated_those_of_all():
    held_out = corpus()
    wide = HeldOut(
        held_out.groups,
        held_out.encoders,
        held_out.clips,
        held_out.measured + 10 * (held_out.encoders == "libx265"),
        held_out.members,
    )
    calibration = calibrate(wide, "hcp-frame")
    own = {
        encoder: calibration.interval(50.0, level=0.8, encoder=encoder) for encoder in (*ENCODERS, "libaom-av1", None)
    }
    assert own["libx264"].width < own[None].width < own["libx265"].width
    assert own["libaom-av1"] == own[None]
    assert [own[encoder].cell for encoder in (*ENCODERS, "libaom-av1", None)] == ["libx264", "libx265", "all", "all"]


def test_an_encoder_that_few_groups_have_is_unbounded_by_itself_whatever_the_others_have():
    held_out = corpus(groups=20)
    rare = held_out.encoders == "libx265"
    kept = ~rare | np.isin(held_out.groups, ["g00", "g01", "g02"])
    calibration = calibrate(reordered(held_out, np.flatnonzero(kept)), "hcp-clip")
    assert calibration.interval(50.0, level=0.9).bounded
    own = calibration.interval(50.0, level=0.9, encoder="libx265")
    assert (own.bounded, own.groups, own.cell) == (False, 3, "libx265")


def test_a_clip_is_judged_by_its_mean_and_its_members_means():
    held_out = HeldOut(
        ["a", "a", "b"],
        ["libx264"] * 3,
        ["a1", "a1", "b1"],
        [50.0, 60.0, 70.0],
        [[52.0, 50.0], [62.0, 52.0], [71.0, 73.0]],
    )
    clips = held_out.clip_means()
    assert clips.measured.tolist() == [55.0, 70.0]
    assert clips.mean.tolist() == [54.0, 72.0]
    assert clips.residuals.tolist() == [1.0, 2.0]
    assert clips.spread is not None
    assert clips.spread.tolist() == pytest.approx([6 / math.sqrt(2), 2 / math.sqrt(2)])


def test_most_frames_takes_the_rank_of_each_clip():
    """Ten frames missed by 1 to 10: nine tenths of them are missed by at most 9, and 0.91 takes the tenth."""
    groups = np.repeat([f"g{number}" for number in range(9)], 10)
    residuals = np.tile(np.arange(1.0, 11.0), 9)
    held_out = HeldOut(groups, ["libx264"] * 90, groups, residuals, np.zeros((90, 1)))
    for share, rank in (("0.9", 9.0), ("0.91", 10.0), ("0.1", 1.0), ("0.11", 2.0), ("1/3", 4.0)):
        interval = calibrate(held_out, "most-frames", share=share).interval(50.0, level=0.9)
        assert interval.upper == 50.0 + rank
        assert interval.share == Fraction(share)


def test_normalised_widths_follow_the_spread_down_to_the_floor():
    calibration = calibrate(corpus(), "hcp-frame", "normalised", floor=0.25)
    widths = [calibration.interval(50.0, spread, level=0.8).width for spread in (0.0, 0.1, 0.25, 0.5, 1.0)]
    assert widths[0] == widths[1] == widths[2] > 0
    assert widths[3:] == pytest.approx([2 * widths[2], 4 * widths[2]])


def test_shaped_widths_are_widest_amid_the_range_and_follow_the_root_of_the_spread():
    calibration = calibrate(corpus(), "hcp-frame", "shaped", floor=0.25)
    assert calibration.interval(50.0, 1.0, level=0.5).width == pytest.approx(
        2 * calibration.interval(50.0, 0.25, level=0.5).width
    )
    assert calibration.interval(50.0, 0.1, level=0.5) == calibration.interval(50.0, 0.25, level=0.5)
    assert score_scale("shaped", [50.0, 0.0, 100.0, 20.0, 80.0], None, None) == pytest.approx(
        [1.0, 1100 / 3600, 1100 / 3600, 0.75, 0.75]
    )
    assert score_scale("shaped", 130.0, None, None) == score_scale("shaped", 100.0, None, None)


def test_shaped_scores_of_a_single_member_go_without_its_spread():
    calibration = calibrate(corpus(members=1, groups=20), "hcp-clip", "shaped")
    assert calibration.floor is None
    amid, end = (calibration.interval(said, level=0.5) for said in (50.0, 95.0))
    assert amid.width == pytest.approx(end.width * 3600 / (105 * 15))


def test_members_that_never_differ_leave_the_shape_alone_and_no_spread_to_normalise_by():
    same = HeldOut(
        ["a", "b", "c"], ["libx264"] * 3, ["1", "2", "3"], np.array([50.0, 60.0, 70.0]), np.full((3, 2), 55.0)
    )
    assert calibrate(same, "hcp-clip", "shaped").floor is None
    with pytest.raises(RequestError, match="never differ"):
        calibrate(same, "hcp-clip", "normalised")


def test_the_floor_is_half_the_median_spread_with_each_group_counting_as_one():
    units = HeldOut(
        ["a"] * 8 + ["b", "c"], ["libx264"] * 10, [str(n) for n in range(10)], np.zeros(10),
        np.outer([1.0] * 8 + [3.0, 5.0], [-1.0, 0.0, 1.0]),
    ).frames()  # fmt: skip
    assert spread_floor(units) == pytest.approx(1.5)
    assert unit_scores(units, "normalised", 1.5).tolist() == [0.0] * 10


def test_a_single_member_has_no_spread_and_says_so():
    single = corpus(members=1)
    assert mean_and_spread(single.members)[1] is None
    assert calibrate(single, "hcp-clip").interval(50.0, level=0.8).bounded
    with pytest.raises(RequestError, match="single member has no spread"):
        calibrate(single, "hcp-clip", "normalised")
    with pytest.raises(RequestError, match="single member has no spread"):
        calibrate(single, "hcp-clip", "normalised", floor=1.0)


def test_members_that_never_differ_cannot_scale_anything():
    same = HeldOut(["a", "b"], ["libx264"] * 2, ["a", "b"], [1.0, 2.0], [[1.0, 1.0], [2.0, 2.0]])
    with pytest.raises(RequestError, match="never differ"):
        calibrate(same, "hcp-frame", "normalised")


def test_a_perfect_model_has_an_interval_of_width_zero_and_not_none():
    """Trap: ``q or z`` takes a conformal quantile of 0.0 for an absent one."""
    measured = np.linspace(10, 90, 30)
    names = [str(number) for number in range(30)]
    interval = calibrate(HeldOut(names, ["libx264"] * 30, names, measured, measured[:, None]), "hcp-clip").interval(
        42.0
    )
    assert (interval.lower, interval.upper, interval.width, interval.bounded) == (42.0, 42.0, 0.0, True)
    assert 42.0 in interval
    assert 42.1 not in interval


def test_the_teachers_range_is_applied_to_bounded_ends_alone():
    assert ends(98.0, 5.0) == (93.0, 100.0)
    assert ends(3.0, 5.0) == (0.0, 8.0)
    assert ends(50.0, None) == (None, None)
    assert ends(100.4, 0.1) == (100.0, 100.0)  # a foreign model that does not clamp
    assert ends(50.0, 0.0) == (50.0, 50.0)


@given(st.floats(0, 100), st.floats(0, 200), st.floats(0, 100))
def test_cutting_at_the_range_costs_no_coverage(prediction, half, measured):
    lower, upper = ends(prediction, half)
    assert (lower <= measured <= upper) == (prediction - half <= measured <= prediction + half)


@given(
    st.fractions(Fraction(1, 300), Fraction(299, 300), max_denominator=300), st.sampled_from(["hcp-frame", "hcp-clip"])
)
@settings(max_examples=60, deadline=None)
def test_what_is_remembered_is_never_narrower_than_the_rule_and_exact_at_every_step(level, rule):
    held_out = corpus(groups=25)
    calibration = calibrate(held_out, rule)
    units = held_out.clip_means() if rule == "hcp-clip" else held_out.frames()
    exact = GroupScores.of(units.residuals, units.groups).threshold(level)
    remembered = calibration.scores[0].threshold(level)
    if exact is None or remembered is None:
        assert exact is remembered
        return
    assert remembered >= exact
    if (level * 200).denominator == 1:
        assert remembered == pytest.approx(exact, abs=1.5e-6)


def test_levels_between_the_last_step_and_the_highest_take_the_largest_score():
    calibration = calibrate(corpus(groups=12), "hcp-clip")
    cell = calibration.scores[0]
    assert len(cell.scores) == 184  # 184/200 * 13 groups = 11.96 is in 12, 185/200 is not
    assert cell.threshold(Fraction(12, 13)) == cell.largest
    assert cell.threshold(Fraction(12, 13) + Fraction(1, 10**9)) is None


def test_a_wider_level_never_has_a_narrower_interval():
    calibration = calibrate(corpus(groups=30), "hcp-frame")
    widths = [calibration.interval(50.0, level=Fraction(step, 97)).width for step in range(1, 94)]
    assert widths == sorted(widths)


@pytest.mark.parametrize("rule", RULES)
def test_a_calibration_survives_being_written(rule, tmp_path):
    calibration = calibrate(corpus(groups=30), rule, "normalised", alpha="0.05")
    write_document(tmp_path / "c.json", calibration)
    again = read_document(tmp_path / "c.json", Calibration)
    assert again == calibration
    assert again.interval(93.0, 0.4, encoder="libx265") == calibration.interval(93.0, 0.4, 0.95, "libx265")
    written = json.loads((tmp_path / "c.json").read_text())
    assert written["alpha"] == "0.05"
    assert written["unit"] == "source_group"
    assert len(to_json(calibration)) < 20_000


def test_an_interval_survives_being_written_with_its_level_exact():
    interval = calibrate(corpus(), "most-frames", share="1/3").interval(93.0, level="0.85", outside_training=True)
    text = interval.model_dump_json()
    assert json.loads(text)["level"] == "0.85"
    assert Interval.model_validate_json(text) == interval
    assert calibrate(corpus(groups=3), "hcp-clip").interval(93.0, level="0.9").model_dump(mode="json")["lower"] is None


def test_outside_the_training_range_nothing_is_guaranteed():
    calibration = calibrate(corpus(), "hcp-clip")
    assert calibration.interval(50.0, level="0.9").guarantee == Fraction(9, 10)
    void = calibration.interval(50.0, level="0.9", outside_training=True)
    assert void.bounded
    assert void.guarantee is None


@pytest.mark.parametrize(
    "change",
    [
        {"lower": None},
        {"upper": 40.0},
        {"level": 1},
        {"mean": math.nan},
        {"rule": "naive"},
        {"surprise": 1},
    ],
)
def test_an_interval_that_cannot_be_meant_is_refused(change):
    fields = calibrate(corpus(), "hcp-clip").interval(50.0, level="0.9").model_dump()
    with pytest.raises(ValidationError):
        Interval.model_validate({**fields, **change})


def test_a_calibration_whose_parts_do_not_fit_is_refused():
    fields = calibrate(corpus(), "most-frames").model_dump()
    for change in (
        {"share": None},
        {"floor": 1.0},
        {"scores": []},
        {"scores": [*fields["scores"], fields["scores"][1]]},
    ):
        with pytest.raises(ValidationError):
            Calibration.model_validate({**fields, **change})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((math.nan, 1.0), "no interval"),
        ((50.0, None), "need the spread"),
        ((50.0, -1.0), "need the spread"),
        ((50.0, math.nan), "need the spread"),
        ((50.0, 1.0, 1.0), "not a level"),
    ],
)
def test_what_has_no_interval_is_refused(arguments, said):
    with pytest.raises(RequestError, match=said):
        calibrate(corpus(), "hcp-clip", "normalised").interval(*arguments)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("measured", [1.0, math.nan], "finite"),
        ("members", [[1.0], [math.inf]], "finite"),
        ("members", [1.0, 2.0], "one column or more"),
        ("groups", ["a"], "length"),
        ("clips", ["x", "x"], "one source group and one encoder"),
    ],
)
def test_held_out_predictions_that_cannot_be_calibrated_on_are_refused(column, value, said):
    columns = {
        "groups": ["a", "b"], "encoders": ["libx264"] * 2, "clips": ["a1", "b1"], "measured": [1.0, 2.0],
        "members": [[1.0], [2.0]],
    }  # fmt: skip
    with pytest.raises(DataError, match=said):
        calibrate(HeldOut(**{**columns, column: value}), "hcp-clip")
    with pytest.raises(DataError, match="no held-out prediction"):
        HeldOut([], [], [], [], np.zeros((0, 1)))
