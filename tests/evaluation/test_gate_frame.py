"""The gates of frame regressors."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vmafcast.evaluation.gates import FrScores, judge_fr_v1, judge_fr_v3
from vmafcast.evaluation.thresholds import FrV3Thresholds

NO_NUMBERS = [None, math.nan, math.inf, -math.inf, 99.7]
SOURCES = ("CrowdRun", "FoxBird", "Tennis")

GOOD = FrScores(
    mean_plcc=0.978,
    blind_mean_plcc=0.948,
    per_source_plcc=dict.fromkeys(SOURCES, 0.97),
    per_source_rmse=dict.fromkeys(SOURCES, 4.0),
)
CHAMPION = dict.fromkeys(SOURCES, 4.0)

plccs = st.floats(-1.0, 1.0)
near_plccs = st.one_of(plccs, st.floats(0.84, 0.86), st.floats(0.94, 0.96), st.none())
rmses = st.one_of(st.floats(0.0, 50.0), st.none())


def below(value):
    return math.nextafter(value, -math.inf)


def above(value):
    return math.nextafter(value, math.inf)


def status(outcome, name):
    return outcome.criterion(name).status


# --- fr-v1


def test_fr_v1_passes_on_its_bound_and_fails_one_step_below():
    assert judge_fr_v1(FrScores(0.95)).verdict == "pass"
    outcome = judge_fr_v1(FrScores(below(0.95)))
    assert outcome.verdict == "fail"
    assert outcome.failing == ("mean_plcc",)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 99.7])
def test_fr_v1_fails_on_a_mean_that_is_no_correlation(value):
    outcome = judge_fr_v1(FrScores(value))
    assert outcome.verdict == "fail"
    assert outcome.criterion("mean_plcc").value is None


def test_fr_v1_without_any_score_is_not_measurable_and_no_pass():
    assert judge_fr_v1(FrScores(None)).verdict == "not-measurable"


def test_a_mean_that_leaves_out_a_constant_prediction_fails_and_names_the_source():
    outcome = judge_fr_v1(FrScores(0.99, per_source_plcc={"CrowdRun": 0.99, "Tennis": None}))
    assert outcome.verdict == "fail"
    assert "Tennis" in outcome.criterion("mean_plcc").detail
    assert "CrowdRun" not in outcome.criterion("mean_plcc").detail


# --- fr-v3: each bound


def test_fr_v3_passes_with_every_criterion_measured():
    outcome = judge_fr_v3(GOOD, CHAMPION)
    assert outcome.verdict == "pass"
    assert [c.name for c in outcome.criteria] == ["mean_plcc", "lift", "per_source_plcc", "rmse_ratio"]
    assert {c.status for c in outcome.criteria} == {"pass"}
    assert outcome.criterion("lift").value == 0.03


def test_fr_v3_mean_plcc_on_each_side_of_its_bound():
    at = replace(GOOD, mean_plcc=0.95, blind_mean_plcc=0.9)
    assert judge_fr_v3(at, CHAMPION).verdict == "pass"
    assert judge_fr_v3(replace(at, mean_plcc=below(0.95)), CHAMPION).failing == ("mean_plcc",)


@pytest.mark.parametrize(("aware", "blind"), [(0.965, 0.96), (0.981, 0.976), (0.955, 0.95), (0.998, 0.993)])
def test_fr_v3_lift_on_each_side_of_its_bound(aware, blind):
    at = replace(GOOD, mean_plcc=aware, blind_mean_plcc=blind)
    assert judge_fr_v3(at, CHAMPION).verdict == "pass"
    assert judge_fr_v3(at, CHAMPION).criterion("lift").value == 0.005
    assert judge_fr_v3(replace(at, mean_plcc=below(aware)), CHAMPION).failing == ("lift",)
    assert judge_fr_v3(replace(at, blind_mean_plcc=above(blind)), CHAMPION).failing == ("lift",)


def test_fr_v3_lift_is_not_measurable_just_where_the_headroom_ends():
    at = replace(GOOD, mean_plcc=0.994, blind_mean_plcc=0.995)
    assert judge_fr_v3(at, CHAMPION).failing == ("lift",)  # 0.005 of headroom is just enough to ask for it
    outcome = judge_fr_v3(replace(at, blind_mean_plcc=above(0.995)), CHAMPION)
    assert status(outcome, "lift") == "not-measurable"
    assert outcome.criterion("lift").value == pytest.approx(-0.001)
    assert outcome.verdict == "pass"


def test_fr_v3_lift_that_is_not_measurable_still_gives_its_number():
    lift = judge_fr_v3(replace(GOOD, mean_plcc=0.9975, blind_mean_plcc=0.9982), CHAMPION).criterion("lift")
    assert lift.status == "not-measurable"
    assert lift.value == -0.0007
    assert "0.0018" in lift.detail


@pytest.mark.parametrize("blind", NO_NUMBERS)
def test_fr_v3_without_a_blind_figure_fails_rather_than_passing_silently(blind):
    outcome = judge_fr_v3(replace(GOOD, blind_mean_plcc=blind), CHAMPION)
    assert outcome.failing == ("lift",)
    assert "codec-blind" in outcome.criterion("lift").detail


@pytest.mark.parametrize("source", SOURCES)
def test_fr_v3_every_source_on_each_side_of_its_bound(source):
    at = replace(GOOD, per_source_plcc={**GOOD.per_source_plcc, source: 0.85})
    assert judge_fr_v3(at, CHAMPION).verdict == "pass"
    assert judge_fr_v3(at, CHAMPION).criterion("per_source_plcc").value == 0.85
    beyond = replace(GOOD, per_source_plcc={**GOOD.per_source_plcc, source: below(0.85)})
    outcome = judge_fr_v3(beyond, CHAMPION)
    assert outcome.failing == ("per_source_plcc",)
    assert source in outcome.criterion("per_source_plcc").detail


@pytest.mark.parametrize("value", NO_NUMBERS)
def test_fr_v3_fails_and_names_a_source_without_a_correlation(value):
    outcome = judge_fr_v3(replace(GOOD, per_source_plcc={**GOOD.per_source_plcc, "Tennis": value}), CHAMPION)
    assert set(outcome.failing) == {"mean_plcc", "per_source_plcc"}
    for name in outcome.failing:
        assert "Tennis" in outcome.criterion(name).detail
        assert "FoxBird" not in outcome.criterion(name).detail


def test_fr_v3_names_every_source_that_fails():
    scores = replace(GOOD, per_source_plcc={"a": 0.1, "b": 0.97, "c": 0.2})
    detail = judge_fr_v3(scores, None).criterion("per_source_plcc").detail
    assert "a (0.1)" in detail
    assert "c (0.2)" in detail
    assert "b (" not in detail


def test_fr_v3_without_scores_by_source_fails():
    outcome = judge_fr_v3(FrScores(0.99, 0.95), None)
    assert outcome.failing == ("per_source_plcc",)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("champion", [4.0, 1.1, 0.7])
def test_fr_v3_rmse_on_each_side_of_its_bound(source, champion):
    champions = {**CHAMPION, source: champion}
    bound = {4.0: 6.0, 1.1: 1.65, 0.7: 1.05}[champion]
    at = replace(GOOD, per_source_rmse={**GOOD.per_source_rmse, source: bound})
    assert judge_fr_v3(at, champions).verdict == "pass"
    assert judge_fr_v3(at, champions).criterion("rmse_ratio").value == 1.5
    beyond = replace(GOOD, per_source_rmse={**GOOD.per_source_rmse, source: bound * (1 + 1e-15)})
    outcome = judge_fr_v3(beyond, champions)
    assert outcome.failing == ("rmse_ratio",)
    assert source in outcome.criterion("rmse_ratio").detail


def test_fr_v3_without_a_champion_cannot_measure_the_rmse_ratio_and_says_so():
    outcome = judge_fr_v3(GOOD, None)
    assert status(outcome, "rmse_ratio") == "not-measurable"
    assert "no champion" in outcome.criterion("rmse_ratio").detail
    assert outcome.verdict == "pass"


@pytest.mark.parametrize("champion", [{}, {"Seeking": 1.0}, {"Tennis": None}])
def test_fr_v3_without_a_common_source_cannot_measure_the_rmse_ratio_and_says_so(champion):
    outcome = judge_fr_v3(GOOD, champion)
    assert status(outcome, "rmse_ratio") == "not-measurable"
    assert "no source" in outcome.criterion("rmse_ratio").detail


def test_fr_v3_compares_common_sources_only():
    champion = {"Tennis": 4.0, "Seeking": 0.001}
    assert judge_fr_v3(GOOD, champion).verdict == "pass"


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -1.0])
def test_fr_v3_fails_on_a_candidate_rmse_that_is_missing_or_impossible(value):
    outcome = judge_fr_v3(replace(GOOD, per_source_rmse={**GOOD.per_source_rmse, "Tennis": value}), CHAMPION)
    assert outcome.failing == ("rmse_ratio",)
    assert "Tennis" in outcome.criterion("rmse_ratio").detail


def test_fr_v3_fails_when_a_scored_source_has_no_rmse_at_all():
    assert judge_fr_v3(replace(GOOD, per_source_rmse={}), CHAMPION).failing == ("rmse_ratio",)


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
def test_fr_v3_never_passes_against_an_impossible_champion(value):
    assert judge_fr_v3(GOOD, {**CHAMPION, "Tennis": value}).failing == ("rmse_ratio",)


def test_fr_v3_against_a_champion_without_any_error():
    exact = {"Tennis": 0.0}
    assert judge_fr_v3(GOOD, exact).failing == ("rmse_ratio",)
    as_exact = replace(GOOD, per_source_rmse={**GOOD.per_source_rmse, "Tennis": 0.0})
    assert judge_fr_v3(as_exact, exact).verdict == "pass"


@pytest.mark.parametrize("value", NO_NUMBERS)
def test_fr_v3_never_passes_without_a_mean(value):
    assert judge_fr_v3(replace(GOOD, mean_plcc=value), CHAMPION).verdict == "fail"


def test_thresholds_are_what_is_judged_by():
    assert judge_fr_v3(GOOD, CHAMPION, FrV3Thresholds(mean_plcc=0.98)).failing == ("mean_plcc",)
    assert judge_fr_v3(GOOD, CHAMPION, FrV3Thresholds(lift=0.031)).failing == ("lift",)
    assert judge_fr_v3(GOOD, CHAMPION, FrV3Thresholds(per_source_plcc=0.98)).failing == ("per_source_plcc",)
    assert judge_fr_v3(GOOD, CHAMPION, FrV3Thresholds(rmse_ratio=0.9)).failing == ("rmse_ratio",)


@given(
    mean=near_plccs,
    blind=st.one_of(near_plccs, st.floats(0.99, 1.0)),
    by_source=st.dictionaries(st.sampled_from(SOURCES), near_plccs),
    rmse=st.dictionaries(st.sampled_from(SOURCES), rmses),
    champion=st.none() | st.dictionaries(st.sampled_from(SOURCES), rmses),
    twin=st.dictionaries(st.sampled_from(SOURCES), st.one_of(near_plccs, st.floats(0.99, 1.0))),
    data=st.data(),
)
def test_worsening_any_score_never_turns_a_fail_into_a_pass(mean, blind, by_source, rmse, champion, twin, data):
    scores = FrScores(mean, blind, by_source, rmse, twin)
    before = judge_fr_v3(scores, champion)
    worse = scores
    choice = data.draw(st.sampled_from(["mean", "source", "rmse", "champion"]))
    if choice == "mean" and mean is not None:
        worse = replace(scores, mean_plcc=data.draw(st.none() | st.floats(-1.0, mean)))
    if choice == "source" and by_source:
        source = data.draw(st.sampled_from(sorted(by_source)))
        old = by_source[source]
        new = None if old is None else data.draw(st.none() | st.floats(-1.0, old))
        worse = replace(scores, per_source_plcc={**by_source, source: new})
    if choice == "rmse" and rmse:
        source = data.draw(st.sampled_from(sorted(rmse)))
        old = rmse[source]
        new = None if old is None else data.draw(st.none() | st.floats(old, 1e6))
        worse = replace(scores, per_source_rmse={**rmse, source: new})
    if choice == "champion" and champion:
        source = data.draw(st.sampled_from(sorted(champion)))
        if champion[source] is not None:  # a better champion makes the same candidate relatively worse
            champion = {**champion, source: data.draw(st.floats(0.0, champion[source]))}
    after = judge_fr_v3(worse, champion)
    if before.verdict == "fail":
        assert after.verdict == "fail"
    for criterion in before.criteria:
        if criterion.status == "fail":
            assert status(after, criterion.name) != "pass"


@given(mean=near_plccs, worse=near_plccs)
def test_fr_v1_is_monotone(mean, worse):
    assume(mean is not None)
    assume(worse is None or worse <= mean)
    if judge_fr_v1(FrScores(mean)).verdict == "fail":
        assert judge_fr_v1(FrScores(worse)).verdict != "pass"


# --- fr-v3: harm where a gain cannot be asked for

MANY = tuple(f"source{number:02}" for number in range(12))


def near_exact(losses, blind=0.998):
    """Return scores of a candidate that loses ``losses`` by source to a twin that leaves next to no headroom."""
    twin = dict(zip(MANY, [blind] * len(MANY), strict=True))
    ours = {source: round(blind - loss, 9) for source, loss in zip(MANY, losses, strict=True)}
    return FrScores(
        mean_plcc=sum(ours.values()) / len(ours),
        blind_mean_plcc=blind,
        per_source_plcc=ours,
        per_source_rmse=dict.fromkeys(MANY, 1.0),
        blind_per_source_plcc=twin,
    )


def test_fr_v3_a_sure_loss_fails_on_its_side_of_the_bound_even_without_headroom():
    # The same loss in every source: the interval has no width, so that its bound is the loss itself.
    assert status(judge_fr_v3(near_exact([0.0005] * 12), None), "lift") == "not-measurable"
    outcome = judge_fr_v3(near_exact([0.000501] * 12), None)
    assert outcome.failing == ("lift",)
    lift = outcome.criterion("lift")
    assert lift.value == pytest.approx(-0.000501)
    assert lift.interval == pytest.approx((-0.000501, -0.000501))
    assert "does harm" in lift.detail


def test_fr_v3_a_loss_that_may_be_chance_is_not_measurable_and_gives_its_interval():
    # The mean loss is 0.001, twice the bound; but it is all of one source's making.
    lift = judge_fr_v3(near_exact([0.012, *[0.0] * 11]), None).criterion("lift")
    assert lift.status == "not-measurable"
    assert lift.value == pytest.approx(-0.001)
    low, high = lift.interval
    assert low < -0.001 < high <= 0.0
    assert f"(95 % interval over sources {low:+.6g} to {high:+.6g})" in lift.detail


def test_fr_v3_harm_is_judged_by_its_own_threshold():
    scores = near_exact([0.001] * 12)
    assert judge_fr_v3(scores, None).failing == ("lift",)
    assert judge_fr_v3(scores, None, FrV3Thresholds(lift_loss=0.002)).verdict == "pass"


def test_fr_v3_without_the_twin_s_figures_by_source_no_harm_can_be_shown():
    scores = replace(near_exact([0.001] * 12), blind_per_source_plcc={})
    lift = judge_fr_v3(scores, None).criterion("lift")
    assert (lift.status, lift.interval) == ("not-measurable", None)
    assert "interval" not in lift.detail


def test_fr_v3_where_there_is_headroom_the_bound_is_on_the_lift_and_the_interval_stands_beside_it():
    blind = {source: 0.94 + 0.001 * number for number, source in enumerate(MANY)}
    ours = {source: value + 0.01 for source, value in blind.items()}
    scores = FrScores(0.9555, 0.9455, ours, dict.fromkeys(MANY, 1.0), blind)
    lift = judge_fr_v3(scores, None).criterion("lift")
    assert (lift.status, lift.value) == ("pass", 0.01)
    # Paired: the sources differ by more than the lift, their lifts do not.
    assert lift.interval == pytest.approx((0.01, 0.01))


def test_the_interval_of_the_mean_stands_beside_it_whatever_the_order_of_the_sources():
    sources = {"a": 0.96, "b": 0.99, "c": 0.97}
    one = judge_fr_v1(FrScores(0.9733, per_source_plcc=sources)).criterion("mean_plcc")
    other = judge_fr_v1(FrScores(0.9733, per_source_plcc=dict(reversed(sources.items())))).criterion("mean_plcc")
    assert one == other
    assert one.interval[0] < 0.9733 < one.interval[1]
    assert judge_fr_v1(FrScores(0.97)).criterion("mean_plcc").interval is None
