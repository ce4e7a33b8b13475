"""Curves through measured points, and what a measured encode does to a predicted curve."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vmafcast.common.errors import DataError
from vmafcast.models.predictor.basis import QualityBasis
from vmafcast.models.predictor.curves import Points, fit_curves, values_at
from vmafcast.models.predictor.posterior import NOISE, Measured, residual_covariance, update

PLACES = np.linspace(0.1, 0.9, 8)
BASIS = QualityBasis(tuple(PLACES))


def made_up(sources, drop=(), seed=0):
    """Points of sources whose curves are one shape, moved and stretched; ``drop`` lists (source, place) left out."""
    draw = np.random.default_rng(seed)
    rows = []
    for source in range(sources):
        height, stretch = draw.normal(), 1 + 0.2 * draw.normal()
        kept = [place for place in PLACES if (source, round(float(place), 4)) not in drop]
        rows += [(source, place, height + stretch * 4 * place, height + 3 * place) for place in kept]
    table = np.array(rows)
    return Points(table[:, 0].astype(np.intp), table[:, 1], table[:, 2:])


def test_a_curve_runs_through_what_was_measured():
    points = made_up(12)
    curves = fit_curves(points, BASIS)
    for row, source in enumerate(curves.source):
        mine = points.source == source
        at = values_at(curves.coefficients[row], BASIS, points.place[mine])
        np.testing.assert_allclose(at, points.values[mine].T, atol=0.02)


def test_a_gap_is_filled_by_the_shape_of_the_others():
    gaps = {(0, round(float(place), 4)) for place in PLACES[3:6]}
    whole, holed = fit_curves(made_up(12), BASIS), fit_curves(made_up(12, gaps), BASIS)
    there = values_at(whole.coefficients[0, 0], BASIS, PLACES[3:6])
    np.testing.assert_allclose(values_at(holed.coefficients[0, 0], BASIS, PLACES[3:6]), there, atol=0.1)


def test_a_source_with_one_point_has_no_curve_and_none_at_all_is_an_error():
    alone = {(0, round(float(place), 4)) for place in PLACES[1:]}
    assert 0 not in fit_curves(made_up(6, alone), BASIS).source
    lonely = Points(np.array([0, 1]), np.array([0.1, 0.9]), np.zeros((2, 2)))
    with pytest.raises(DataError, match="two quality values"):
        fit_curves(lonely, BASIS)


@pytest.fixture
def covariance():
    """Of residuals that are mostly an offset, which VMAF and bits share with opposite signs."""
    draw = np.random.default_rng(1)
    level = draw.normal(size=(400, 1, 1))
    both = level * np.array([1.0, -0.5])[None, :, None] + 0.1 * draw.normal(size=(400, 2, BASIS.size))
    return residual_covariance(both, np.arange(400).astype(str))


PREDICTED = np.stack([4 * PLACES, 3 * PLACES - 4])


def test_without_a_measured_encode_the_prediction_stays(covariance):
    curve = update(PREDICTED, PLACES, BASIS, covariance)
    np.testing.assert_allclose(curve.values, PREDICTED)
    assert (curve.deviation > np.array(NOISE)[:, None]).all()


def test_a_measured_encode_moves_the_whole_curve_and_makes_it_surer(covariance):
    prior = update(PREDICTED, PLACES, BASIS, covariance)
    known = Measured(float(PLACES[4]), float(PREDICTED[0, 4]) + 0.8, float(PREDICTED[1, 4]))
    moved = update(PREDICTED, PLACES, BASIS, covariance, [known])
    assert moved.values[0, 4] == pytest.approx(PREDICTED[0, 4] + 0.8, abs=0.5)
    assert (moved.values[0] - PREDICTED[0] > 0.1).all()
    assert (moved.deviation < prior.deviation).all()


def test_what_was_measured_exactly_is_met_closely(covariance):
    known = Measured(float(PLACES[4]), float(PREDICTED[0, 4]) + 0.8, float(PREDICTED[1, 4]) - 0.4)
    moved = update(PREDICTED, PLACES, BASIS, covariance, [known])
    np.testing.assert_allclose(moved.values[:, 4] - PREDICTED[:, 4], [0.8, -0.4], atol=0.02)


def test_two_identical_measurements_are_no_trouble(covariance):
    known = Measured(float(PLACES[4]), 2.0, -2.0)
    moved = update(PREDICTED, PLACES, BASIS, covariance, [known, known])
    assert np.isfinite(moved.values).all()
    assert np.isfinite(moved.deviation).all()


@settings(deadline=None, max_examples=50)
@given(offsets=st.lists(st.floats(-3, 3), min_size=4, max_size=4))
def test_curves_rise_whatever_was_measured(offsets):
    draw = np.random.default_rng(1)
    wild = residual_covariance(draw.normal(size=(60, 2, BASIS.size)), np.arange(60).astype(str))
    known = [
        Measured(float(PLACES[place]), float(PREDICTED[0, place]) + off, float(PREDICTED[1, place]) - off)
        for place, off in zip((0, 2, 5, 7), offsets, strict=True)
    ]
    moved = update(PREDICTED, PLACES, BASIS, wild, known)
    assert (np.diff(moved.values, axis=1) >= 0).all()


def test_a_group_counts_once_however_many_sources_it_has():
    one = np.random.default_rng(2).normal(size=(5, 2, BASIS.size))
    copied = np.concatenate([one, one[:1], one[:1]])
    names = np.array(list("abcde"))
    np.testing.assert_allclose(
        residual_covariance(copied, np.append(names, ["a", "a"])), residual_covariance(one, names), atol=1e-12
    )


def test_a_few_sources_that_are_like_no_other_hardly_move_the_covariance():
    draw = np.random.default_rng(4)
    plain = draw.normal(size=(100, 1, 1)) + 0.3 * draw.normal(size=(100, 2, BASIS.size))
    odd = plain.copy()
    odd[:3] += 20.0 * draw.normal(size=(3, 2, BASIS.size))
    names = np.arange(100).astype(str)
    clean, moved = residual_covariance(plain, names), residual_covariance(odd, names)
    assert np.linalg.norm(moved - clean) < 0.3 * np.linalg.norm(clean)


def test_of_many_residuals_the_covariance_keeps_its_form():
    draw = np.random.default_rng(6)
    size = 2 * BASIS.size
    mixed = draw.normal(size=(size, size))
    residuals = (draw.normal(size=(4000, size)) @ mixed.T).reshape(-1, 2, BASIS.size)
    found = residual_covariance(residuals, np.arange(4000).astype(str))
    wanted = 0.98 * mixed @ mixed.T + 0.02 * np.diag(np.diag(mixed @ mixed.T))
    factor = np.trace(found) / np.trace(wanted)
    assert 0.5 < factor < 2.0
    assert np.linalg.norm(found / factor - wanted) < 0.1 * np.linalg.norm(wanted)


def test_residuals_of_nothing_have_no_covariance_and_no_trouble():
    found = residual_covariance(np.zeros((6, 2, BASIS.size)), np.arange(6).astype(str))
    np.testing.assert_array_equal(found, np.zeros((2 * BASIS.size, 2 * BASIS.size)))
