from __future__ import annotations

import numpy as np
import pytest

from vmafcast.evaluation.folds import Fold
from vmafcast.evaluation.scores import srocc
from vmafcast.evaluation.target_facts import LOW_SROCC, TargetFacts, explain_low_rank, target_facts


def facts_of(target, predicted):
    target, predicted = np.asarray(target, np.float32), np.asarray(predicted, np.float32)
    everything = np.ones(target.size, dtype=np.bool_)
    return target_facts(Fold(("group",), ~everything, everything), target, predicted, 100.0)


def test_facts_are_counts_of_the_judged_rows_alone():
    target = np.array([100, 100, 100, 90, 90, 80, 7], dtype=np.float32)
    test = np.array([True] * 6 + [False])
    facts = target_facts(Fold(("g",), ~test, test), target, target, 100.0)
    assert (facts.held_out, facts.rows, facts.target_min, facts.target_max) == ("g", 6, 80.0, 100.0)
    assert facts.ceiling_share == pytest.approx(3 / 6)
    assert facts.tied_share == pytest.approx(5 / 6)
    assert facts.srocc_below_ceiling == pytest.approx(1.0)


def test_ties_at_the_ceiling_are_blamed_where_the_rest_ranks_well():
    rng = np.random.default_rng(0)
    quality = rng.uniform(85, 130, 500)
    predicted = np.minimum(quality, 100) + rng.normal(0, 0.05, 500)
    facts = facts_of(np.minimum(quality, 100), predicted)
    found = srocc(predicted, np.minimum(quality, 100))
    low = explain_low_rank(facts, found)
    assert found < LOW_SROCC < facts.srocc_below_ceiling
    assert f"ties: {facts.ceiling_share:.0%} of its frames" in low.reason
    assert low.srocc == found


def test_ties_are_not_blamed_where_the_rest_ranks_no_better():
    facts = TargetFacts(
        held_out="g", rows=9, target_min=50, target_max=100, ceiling_share=0.5, tied_share=0.5, srocc_below_ceiling=0.6
    )
    assert "out of order" in explain_low_rank(facts, 0.7).reason


def test_a_narrow_range_is_said_to_be_one():
    facts = TargetFacts(
        held_out="g", rows=9, target_min=92, target_max=96.9, ceiling_share=0, tied_share=0, srocc_below_ceiling=0.8
    )
    assert "narrow range: 92.0 to 96.9" in explain_low_rank(facts, 0.8).reason
    wide = facts.model_copy(update={"target_max": 97.0})
    assert "neither ties" in explain_low_rank(wide, 0.8).reason


def test_the_bound_is_inclusive_and_no_correlation_is_low():
    facts = TargetFacts(
        held_out="g", rows=9, target_min=0, target_max=90, ceiling_share=0, tied_share=0, srocc_below_ceiling=None
    )
    assert explain_low_rank(facts, LOW_SROCC) is None
    assert explain_low_rank(facts, np.nextafter(LOW_SROCC, 0)) is not None
    assert explain_low_rank(facts, None).srocc is None


def test_a_group_that_is_all_ceiling():
    facts = facts_of([100.0] * 5, [99, 98, 100, 97, 99])
    assert (facts.ceiling_share, facts.srocc_below_ceiling) == (1.0, None)
    assert "100% of its frames" in explain_low_rank(facts, None).reason
