"""A problem solved under a kernel, against the textbook's formulas."""

import numpy as np
import pytest

from vmafcast.models.predictor.marginal import (
    FREEDOM,
    NOISES,
    Problem,
    Shape,
    Solved,
    block_parts,
    kernel_of,
    solve,
)

SHAPE = Shape((2.0, 3.3), (0.3, 0.1))


@pytest.fixture
def problem():
    draw = np.random.default_rng(5)
    rows = draw.normal(size=(30, 5))
    return Problem(block_parts(rows, rows, (2, 3)), None, draw.normal(size=(30, 3)) + rows[:, :1])


def best(problem, shares):
    """Noise, scale and likelihood of each output, gone through one by one with plain inverses (equation 5.8)."""
    kernel, found = kernel_of(problem.parts, SHAPE), []
    for target in problem.targets.T:
        lines = []
        for noise in NOISES:
            covariance = kernel + noise * np.diag(shares)
            scale = target @ np.linalg.solve(covariance, target) / len(target)
            likelihood = -0.5 * (len(target) * np.log(scale) + np.linalg.slogdet(covariance)[1])
            lines.append((likelihood, noise, scale))
        found.append(max(lines))
    return kernel, found


@pytest.mark.parametrize("shares", [None, np.linspace(0.4, 5.0, 30)])
def test_weights_are_those_of_the_likeliest_noise(problem, shares):
    kernel, found = best(problem, np.ones(30) if shares is None else shares)
    own = np.eye(30) if shares is None else np.diag(shares)
    wanted = [
        np.linalg.solve(kernel + noise * own, target)
        for (_, noise, _), target in zip(found, problem.targets.T, strict=True)
    ]
    np.testing.assert_allclose(Solved(problem, SHAPE, shares).weights(), wanted, atol=1e-8)


def test_the_likelihood_is_the_sum_over_the_outputs(problem):
    _, found = best(problem, np.ones(30))
    assert Solved(problem, SHAPE).likelihood == pytest.approx(sum(likelihood for likelihood, _, _ in found))


@pytest.mark.parametrize("shares", [None, np.linspace(0.4, 5.0, 30)])
def test_what_the_others_miss_of_a_row_is_found_by_leaving_it_out(problem, shares):
    each = np.ones(30) if shares is None else shares
    kernel, found = best(problem, each)
    wanted = np.zeros(30)
    for (_, noise, scale), target in zip(found, problem.targets.T, strict=True):
        covariance = kernel + noise * np.diag(each)
        for row in range(30):
            others = np.arange(30) != row
            told = np.linalg.solve(covariance[np.ix_(others, others)], covariance[others, row])
            variance = scale * (covariance[row, row] - covariance[row, others] @ told)
            wanted[row] += (target[row] - told @ target[others]) ** 2 / variance
    np.testing.assert_allclose(Solved(problem, SHAPE, shares).missed(), wanted, rtol=1e-6)


def test_no_rounds_take_all_rows_for_alike(problem):
    np.testing.assert_array_equal(solve(problem, SHAPE, 0).weights(), Solved(problem, SHAPE).weights())


def test_one_round_gives_a_row_the_share_of_the_t_distribution(problem):
    first = Solved(problem, SHAPE)
    shares = (FREEDOM + first.missed()) / (FREEDOM + 3)
    np.testing.assert_array_equal(solve(problem, SHAPE, 1).weights(), Solved(problem, SHAPE, shares).weights())
