from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vmafcast.evaluation.logistic import Logistic, fit_logistic


@settings(max_examples=40, deadline=None)
@given(
    bottom=st.floats(-20, 30),
    rise=st.floats(20, 100),
    middle=st.floats(28, 42),
    width=st.floats(2, 8),
)
def test_a_curve_is_found_again_from_points_on_it(bottom, rise, middle, width):
    truth = Logistic(bottom, bottom + rise, middle, width)
    x = np.linspace(15, 55, 120)
    found = fit_logistic(x, truth(x))
    assert np.allclose(found(x), truth(x), atol=0.05)


def test_the_curve_is_the_formula_of_the_reference():
    curve = Logistic(10.0, 90.0, 35.0, 4.0)
    assert curve(np.array([35.0]))[0] == pytest.approx(50.0)
    assert curve(np.array([39.0]))[0] == pytest.approx(10 + 80 / (1 + np.exp(-1)))
    assert curve(np.array([-1e6, 1e6])) == pytest.approx([10.0, 90.0])


def test_noise_is_averaged_and_the_fit_is_the_same_every_time():
    rng = np.random.default_rng(0)
    truth = Logistic(0.0, 100.0, 33.0, 4.0)
    x = rng.uniform(20, 50, 4000)
    y = np.clip(truth(x) + rng.normal(0, 3, x.size), 0, 100)
    found = fit_logistic(x, y)
    assert found == fit_logistic(x, y)
    assert np.abs(found(x) - truth(x)).mean() < 1.0
    assert found.width > 0


def test_where_nothing_varies_the_curve_is_flat():
    found = fit_logistic(np.full(5, 60.0), np.array([98.0, 99.0, 100.0, 99.0, 99.0]))
    assert np.allclose(found(np.array([10.0, 60.0, 90.0])), 99.0)


def test_two_points_are_not_refused():
    found = fit_logistic(np.array([30.0, 40.0]), np.array([50.0, 90.0]))
    assert np.allclose(found(np.array([30.0, 40.0])), [50.0, 90.0], atol=1.0)
