"""Residuals that differ with the curve: what each kind of curve is missed by is told apart."""

import numpy as np
import pytest

from vmafcast.models.predictor.basis import QualityBasis
from vmafcast.models.predictor.kinds import KINDS, PLACES, looked_at, residual_kinds
from vmafcast.models.predictor.posterior import residual_covariance

BASIS = QualityBasis((0.2, 0.5, 0.8))
ROWS = 800


@pytest.fixture
def two_sorts():
    """Curves low or high; of the low ones VMAF is missed, of the high ones the bits."""
    draw = np.random.default_rng(3)
    high = draw.integers(0, 2, ROWS)
    curves = 4.0 * high[:, None, None] + np.linspace(0, 2, PLACES) + 0.3 * draw.normal(size=(ROWS, 2, 1))
    scale = np.stack([1.0 - 0.9 * high, 0.1 + 0.9 * high], axis=1)[:, :, None]
    residuals = scale * (draw.normal(size=(ROWS, 2, 1)) + 0.1 * draw.normal(size=(ROWS, 2, BASIS.size)))
    return residuals, curves, np.arange(ROWS).astype(str), high


def test_each_sort_of_curve_has_the_covariance_of_its_like(two_sorts):
    residuals, curves, groups, high = two_sorts
    kinds = residual_kinds(residuals, curves, groups)
    for sort in (0, 1):
        mean = curves[high == sort].mean(axis=0)
        vmaf, bits = np.split(np.diag(kinds.of(mean)), 2)
        assert (vmaf.mean() > 2 * bits.mean()) == (sort == 0)
        assert (bits.mean() > 2 * vmaf.mean()) == (sort == 1)


def test_between_two_kinds_lies_what_lies_between(two_sorts):
    residuals, curves, groups, high = two_sorts
    kinds = residual_kinds(residuals, curves, groups)
    low, up = (kinds.of(curves[high == sort].mean(axis=0)) for sort in (0, 1))
    between = np.trace(kinds.of(curves.mean(axis=0))[: BASIS.size, : BASIS.size])
    assert np.trace(up[: BASIS.size, : BASIS.size]) < between < np.trace(low[: BASIS.size, : BASIS.size])


def test_any_curve_has_a_covariance(two_sorts):
    residuals, curves, groups, _ = two_sorts
    kinds = residual_kinds(residuals, curves, groups)
    for curve in (curves[0], 1e6 * np.ones((2, PLACES)), np.zeros((2, PLACES))):
        found = kinds.of(curve)
        np.testing.assert_allclose(found, found.T)
        assert np.linalg.eigvalsh(found).min() >= -1e-12


def test_groups_count_once_and_order_does_not_matter(two_sorts):
    residuals, curves, groups, _ = (each[:60] for each in two_sorts)
    at = curves[0]
    plain = residual_kinds(residuals, curves, groups).of(at)
    twice = np.repeat(np.arange(60), 2)
    np.testing.assert_allclose(residual_kinds(residuals[twice], curves[twice], groups[twice]).of(at), plain, rtol=1e-6)
    turned = residual_kinds(residuals[::-1], curves[::-1], groups[::-1]).of(at)
    np.testing.assert_allclose(turned, plain, rtol=1e-6)


def test_curves_that_are_all_alike_are_one_kind(two_sorts):
    residuals, _, groups, _ = two_sorts
    same = np.ones((ROWS, 2, PLACES))
    kinds = residual_kinds(residuals, same, groups)
    np.testing.assert_allclose(kinds.of(same[0] + 3.0), residual_covariance(residuals, groups), rtol=1e-9)
    few = residual_kinds(residuals[:2], same[:2] * np.array([1.0, 2.0])[:, None, None], groups[:2])
    assert len(few.centres) == KINDS
    assert np.isfinite(few.of(same[0])).all()


def test_curves_are_looked_at_from_end_to_end():
    np.testing.assert_allclose(looked_at(BASIS), np.linspace(0.2, 0.8, PLACES))


def test_a_residual_that_counts_more_weighs_more():
    draw = np.random.default_rng(5)
    residuals = draw.normal(size=(40, 2, BASIS.size)) * np.repeat([1.0, 3.0], 20)[:, None, None]
    groups = np.arange(40).astype(str)
    counts = np.repeat([1.0, 0.1], 20)
    assert np.trace(residual_covariance(residuals, groups, counts)) < np.trace(residual_covariance(residuals, groups))
    np.testing.assert_allclose(
        residual_covariance(residuals, groups, np.full(40, 0.3)), residual_covariance(residuals, groups), rtol=1e-9
    )
