"""The quality axis: B-splines that rise where their coefficients rise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import BSpline

from vmafcast.common.errors import DataError
from vmafcast.models.predictor.basis import QualityBasis, breaks_for, rising

BREAKS = st.lists(st.integers(0, 100), min_size=2, max_size=9, unique=True).map(
    lambda places: tuple(place / 100 for place in sorted(places))
)
PLACES = np.linspace(0, 1, 201)


@settings(deadline=None, max_examples=50)
@given(breaks=BREAKS)
def test_it_is_the_b_spline_of_the_textbook(breaks):
    basis = QualityBasis(breaks)
    inside = np.linspace(basis.low, basis.high, 57)
    knots = np.array([*breaks[:1] * 2, *breaks, *breaks[-1:] * 2])
    for which in range(basis.size):
        wanted = BSpline(knots, np.eye(basis.size)[which], 2)(inside)
        np.testing.assert_allclose(basis(inside)[:, which], wanted, atol=1e-9)


@settings(deadline=None, max_examples=50)
@given(breaks=BREAKS, data=st.data())
def test_rising_coefficients_give_a_rising_curve_also_beyond_the_breaks(breaks, data):
    basis = QualityBasis(breaks)
    drawn = data.draw(st.lists(st.floats(-50, 50), min_size=basis.size, max_size=basis.size))
    curve = basis(PLACES) @ rising(np.array(drawn))
    assert np.diff(curve).min() >= -1e-9 * max(1.0, np.abs(curve).max())


@settings(deadline=None, max_examples=50)
@given(breaks=BREAKS)
def test_weights_sum_to_one_everywhere(breaks):
    np.testing.assert_allclose(QualityBasis(breaks)(PLACES).sum(axis=1), 1.0, atol=1e-9)


def test_the_slope_is_continuous_and_straight_beyond_the_last_break():
    basis = QualityBasis((0.2, 0.3, 0.5, 0.8))
    curve = basis(PLACES) @ np.array([0.0, 1.0, 1.5, 4.0, 9.0])
    slope = np.gradient(curve, PLACES)
    assert np.abs(np.diff(slope)).max() < 1.0  # the largest slope is 33: no jumps
    beyond = slope[PLACES > 0.82]
    np.testing.assert_allclose(beyond, beyond[0], rtol=1e-6)


@pytest.mark.parametrize("breaks", [(), (0.5,), (0.5, 0.5), (0.6, 0.4)])
def test_breaks_that_make_no_pieces_are_refused(breaks):
    with pytest.raises(DataError, match="two or more places"):
        QualityBasis(breaks)


def test_levelling_changes_nothing_that_rises_and_levels_what_falls():
    np.testing.assert_array_equal(rising(np.array([[1.0, 2.0, 3.0], [1.0, 0.5, 2.0]])), [[1, 2, 3], [1, 1, 2]])


def test_breaks_are_the_measured_places_or_some_of_them():
    assert breaks_for([0.5, 0.1, 0.5, 0.9], 8) == (0.1, 0.5, 0.9)
    chosen = breaks_for(np.linspace(0, 1, 40), 8)
    assert len(chosen) == 8
    assert (chosen[0], chosen[-1]) == (0.0, 1.0)
    with pytest.raises(DataError, match="one quality value"):
        breaks_for([0.5, 0.5], 8)
