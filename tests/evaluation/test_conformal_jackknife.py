from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmafcast.common.errors import DataError, RequestError
from vmafcast.evaluation.conformal_jackknife import jackknife_plus
from vmafcast.evaluation.conformal_ranks import GroupScores


def by_definition(said, missed, level):
    """Both quantiles of the definition, one fraction at a time."""

    def quantile(signed):
        mass = Fraction(0)
        for score, weight in sorted(
            (residual + signed * said[name], Fraction(1, (len(said) + 1) * len(residuals)))
            for name, residuals in missed.items()
            for residual in residuals
        ):
            mass += weight
            if mass >= level:
                return score
        return None

    below, above = quantile(-1), quantile(1)
    return (None, None) if below is None else (max(-below, 0.0), min(above, 100.0))


@given(
    st.lists(
        st.tuples(st.integers(20, 80), st.lists(st.integers(0, 15), min_size=1, max_size=5)), min_size=1, max_size=9
    ),
    st.fractions(Fraction(1, 2), Fraction(19, 20), max_denominator=40),
)
def test_the_ends_are_those_of_the_definition(groups, level):
    said = {f"g{number}": float(prediction) for number, (prediction, _) in enumerate(groups)}
    missed = {f"g{number}": [float(residual) for residual in residuals] for number, (_, residuals) in enumerate(groups)}
    names = [name for name, residuals in missed.items() for _ in residuals]
    interval = jackknife_plus(50.0, said, [r for residuals in missed.values() for r in residuals], names, level)
    assert (interval.lower, interval.upper) == by_definition(said, missed, level)


def test_networks_that_agree_give_the_split_interval_about_what_they_say():
    rng = np.random.default_rng(0)
    names = [f"g{number}" for number in range(12) for _ in range(3)]
    missed = rng.exponential(2, 36)
    half = GroupScores.of(missed, names).threshold("0.8")
    interval = jackknife_plus(50.0, dict.fromkeys(names, 50.0), missed, names, "0.8", unit="frame", cell="libx264")
    assert (interval.lower, interval.upper) == (pytest.approx(50 - half), pytest.approx(50 + half))
    assert (interval.rule, interval.cell, interval.groups) == ("jackknife+-frame", "libx264", 12)


def test_networks_that_disagree_widen_it():
    names = [f"g{number}" for number in range(10)]
    agree = jackknife_plus(50.0, dict.fromkeys(names, 50.0), [1.0] * 10, names, "0.8")
    differ = jackknife_plus(
        50.0, {name: 50.0 + 2 * (-1) ** n for n, name in enumerate(names)}, [1.0] * 10, names, "0.8"
    )
    assert (agree.lower, agree.upper) == (49.0, 51.0)
    assert (differ.lower, differ.upper) == (47.0, 53.0)


def test_what_it_promises_is_less_than_its_level_and_nothing_with_too_few_groups():
    names = [f"g{number}" for number in range(8)]
    fine = jackknife_plus(50.0, dict.fromkeys(names, 50.0), [1.0] * 8, names, "0.8")
    assert (fine.level, fine.guarantee) == (Fraction(4, 5), Fraction(3, 5))
    few = jackknife_plus(50.0, dict.fromkeys(names, 50.0), [1.0] * 8, names, "0.9")
    assert (few.lower, few.upper, few.bounded) == (None, None, False)


def test_what_cannot_be_meant_is_refused():
    with pytest.raises(RequestError, match="no level below 1/2"):
        jackknife_plus(50.0, {"a": 50.0}, [1.0], ["a"], "0.4")
    with pytest.raises(RequestError, match="each source group"):
        jackknife_plus(50.0, {"a": 50.0}, [1.0, 1.0], ["a", "b"], "0.5")
    with pytest.raises(RequestError, match="each source group"):
        jackknife_plus(50.0, {"a": 50.0, "b": 1.0}, [1.0], ["a"], "0.5")
    with pytest.raises(DataError, match="finite"):
        jackknife_plus(50.0, {"a": float("nan")}, [1.0], ["a"], "0.5")
