"""Gaussian processes against the textbook's formula, and what their blocks are for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import fractional_matrix_power

from vmafcast.common.errors import DataError
from vmafcast.models.predictor.marginal import Shape
from vmafcast.models.predictor.process import SHARED_VARIANCES, choose_shape, fit, whitening


@pytest.fixture
def draw():
    return np.random.default_rng(3)


def test_the_mean_is_that_of_equation_2_25(draw):
    rows, targets = draw.normal(size=(30, 4)), draw.normal(size=(30, 1))
    shape = Shape((2.0,), (0.5,))
    fitted = fit(rows, targets, (4,), shape, margin=100.0, rounds=0)
    asked = draw.normal(size=(7, 4))
    scaled, new = (rows - rows.mean(0)) / rows.std(0), (asked - rows.mean(0)) / rows.std(0)
    scaled, new = scaled @ whitening(scaled), new @ whitening(scaled)

    def kernel(left, right):
        squared = ((left[:, None] - right[None]) ** 2).sum(-1) / 4
        return np.exp(-0.5 * squared / 2.0**2) + 0.5 * left @ right.T / 4

    own = kernel(scaled, scaled)
    # The noise was chosen from a grid: find it by what it must have given.
    noise = np.linalg.lstsq(fitted.weights.T, targets - own @ fitted.weights.T, rcond=None)[0].item()
    wanted = kernel(new, scaled) @ np.linalg.solve(own + noise * np.eye(30), targets)
    np.testing.assert_allclose(fitted.predict(asked), wanted, atol=1e-8)


def correlated(draw, rows=200):
    """Two columns that rise as one, and a third that does not, of mean 0 and variance 1."""
    level, other = draw.normal(size=(2, rows))
    table = np.c_[level, level + 0.2 * draw.normal(size=rows), other]
    return (table - table.mean(0)) / table.std(0)


@pytest.mark.parametrize("power", [0.0, 0.1, 0.25, 0.5])
def test_whitening_is_the_power_of_the_correlation_matrix(draw, power):
    rows = correlated(draw)
    found = whitening(rows, power)
    floor = 1e-3 * np.linalg.eigvalsh(np.corrcoef(rows.T)).max() * np.eye(3)
    wanted = fractional_matrix_power(np.corrcoef(rows.T) + floor, -power)
    np.testing.assert_allclose(found / found[0, 0], wanted / wanted[0, 0], atol=1e-9)
    np.testing.assert_allclose((rows @ found).var(axis=0).mean(), 1.0)
    if power == 0.5:
        np.testing.assert_allclose(np.corrcoef((rows @ found).T), np.eye(3), atol=0.1)  # but for the floor


@given(st.integers(1, 6), st.integers(3, 12), st.integers(0, 10**6))
def test_whitening_has_no_sign_or_order_of_its_own(columns, count, seed):
    draw = np.random.default_rng(seed)
    rows = draw.normal(size=(count, columns))
    rows -= rows.mean(0)
    order, signs = draw.permutation(columns), draw.choice([-1.0, 1.0], columns)
    found = whitening((rows * signs)[:, order])
    wanted = (whitening(rows) * signs * signs[:, None])[np.ix_(order, order)]
    np.testing.assert_allclose(found, wanted, atol=1e-8 * np.abs(wanted).max())


def test_columns_that_never_moved_are_not_whitened_to_noise():
    np.testing.assert_array_equal(whitening(np.zeros((5, 3))), np.eye(3))
    rows = np.c_[np.array([-1.0, 1.0, -1.0, 1.0]), np.zeros(4)]
    assert np.abs(rows @ whitening(rows)).max() == pytest.approx(1.0)


def test_a_small_difference_of_two_columns_that_rise_as_one_is_learnt(draw):
    level, steep = draw.normal(size=(2, 160))
    other = draw.normal(size=(160, 6))
    both = np.c_[level + 0.1 * steep, level - 0.1 * steep, other]
    target = (np.sin(2 * steep) + 0.1 * draw.normal(size=160))[:, None]
    learn, asked = slice(0, 80), slice(80, 160)
    shape = Shape((1.5,), (0.1,))

    def miss(rows):
        fitted = fit(rows[learn], target[learn] - target[learn].mean(), (8,), shape)
        return np.abs(fitted.predict(rows[asked]) + target[learn].mean() - target[asked]).mean()

    apart = np.c_[level, steep, other]  # the same, said in a way that needs no turning
    assert miss(both) < 1.5 * miss(apart)


def test_blocks_are_turned_each_by_itself(draw):
    table = correlated(draw, 40)
    fitted = fit(table, draw.normal(size=(40, 1)), (2, 1), Shape((2.0, 2.0), (0.3, 0.3)))
    np.testing.assert_array_equal(fitted.turn[:2, 2], 0.0)
    np.testing.assert_array_equal(fitted.turn[2, :2], 0.0)
    assert fitted.turn[2, 2] == pytest.approx(1.0)


def test_a_straight_line_is_learnt_from_few_rows(draw):
    rows = draw.normal(size=(25, 3))
    slope = np.array([[1.0], [-2.0], [0.5]])
    fitted = fit(rows, rows @ slope - (rows @ slope).mean(), (3,))
    asked = draw.normal(size=(50, 3)) * 0.5
    off = fitted.predict(asked) - (asked @ slope - (rows @ slope).mean())
    assert np.abs(off).mean() < 0.05


def test_a_block_of_noise_is_left_out_rather_than_drowning_the_one_that_tells(draw):
    telling, noise = draw.normal(size=(40, 2)), draw.normal(size=(40, 30))
    target = np.sin(telling[:, :1]) + telling[:, 1:]
    target -= target.mean()
    asked, more = draw.normal(size=(60, 2)), draw.normal(size=(60, 30))
    wanted = np.sin(asked[:, :1]) + asked[:, 1:] - (np.sin(telling[:, :1]) + telling[:, 1:]).mean()
    both, other = np.c_[telling, noise], np.c_[asked, more]
    apart = np.abs(fit(both, target, (2, 30)).predict(other) - wanted).mean()
    together = np.abs(fit(both, target, (32,)).predict(other) - wanted).mean()
    assert apart < 0.5 * together


def test_a_column_that_never_moved_changes_nothing(draw):
    rows, targets = draw.normal(size=(20, 2)), draw.normal(size=(20, 1))
    stuck = np.c_[rows, np.full(20, 7.0)]
    shape = Shape((2.0,), (0.3,))
    asked = draw.normal(size=(5, 2))
    here = fit(stuck, targets, (3,), shape).predict(np.c_[asked, np.full(5, 7.0)])
    elsewhere = fit(stuck, targets, (3,), shape).predict(np.c_[asked, np.full(5, -900.0)])
    np.testing.assert_allclose(here, elsewhere)
    assert np.isfinite(here).all()


def test_features_are_held_near_the_range_that_was_seen(draw):
    rows, targets = draw.normal(size=(20, 2)), draw.normal(size=(20, 1))
    fitted = fit(rows, targets, (2,))
    far = fitted.predict(np.array([[1e6, 0.0]]))
    edge = fitted.predict(np.array([[rows[:, 0].max() + 0.1 * np.ptp(rows[:, 0]), 0.0]]))
    np.testing.assert_allclose(far, edge)


def test_the_same_rows_give_the_same_process(draw):
    rows, targets = draw.normal(size=(20, 5)), draw.normal(size=(20, 2))
    one, other = fit(rows, targets, (2, 3)), fit(rows, targets, (2, 3))
    assert one.shape == other.shape
    np.testing.assert_array_equal(one.weights, other.weights)


def test_two_rows_are_too_few():
    with pytest.raises(DataError, match="too few"):
        fit(np.zeros((2, 1)), np.zeros((2, 1)), (1,))


def of_groups(draw, groups, each, shared):
    """Rows of some groups: a target that the first feature tells, and a part that each group has to itself."""
    labels = np.repeat([f"g{number}" for number in range(groups)], each)
    rows = draw.normal(size=(groups * each, 3)) + np.repeat(draw.normal(size=(groups, 3)), each, axis=0)
    own = np.repeat(draw.normal(size=groups), each)
    target = rows[:, 0] + shared * own + 0.1 * draw.normal(size=len(rows))
    return labels, rows, (target - target.mean())[:, None]


def test_what_rows_of_a_group_share_is_in_their_covariance_and_not_in_that_of_new_rows(draw):
    labels, rows, targets = of_groups(draw, 8, 3, 1.0)
    shape = Shape((2.0,), (0.5,), shared=0.7)
    fitted = fit(rows, targets, (3,), shape, groups=labels, rounds=0)
    scaled = (rows - rows.mean(0)) / rows.std(0)
    scaled = scaled @ whitening(scaled)
    squared = ((scaled[:, None] - scaled[None]) ** 2).sum(-1) / 3
    smooth = np.exp(-0.5 * squared / 2.0**2) + 0.5 * scaled @ scaled.T / 3
    own = smooth + 0.7 * (labels[:, None] == labels[None, :])
    noise = np.linalg.lstsq(fitted.weights.T, targets - own @ fitted.weights.T, rcond=None)[0].item()
    wanted = np.linalg.solve(own + noise * np.eye(24), targets)
    np.testing.assert_allclose(fitted.weights.T, wanted, atol=1e-8)
    np.testing.assert_allclose(fitted.predict(rows), smooth @ wanted, atol=1e-8)


@pytest.mark.parametrize(("shared", "found"), [(1.5, True), (0.0, False)])
def test_what_groups_share_is_found_where_there_is_any(draw, shared, found):
    labels, rows, targets = of_groups(draw, 20, 5, shared)
    shape = choose_shape([(rows, targets, labels)], (3,))
    assert shape.shared in SHARED_VARIANCES
    assert (shape.shared > 0) is found


def test_many_rows_of_a_group_do_not_count_as_many_groups(draw):
    """Forty copies of one odd group pull a prediction far less when it is known that they are one group's."""
    rows = np.r_[draw.normal(size=(20, 2)), np.full((40, 2), 0.3) + 0.05 * draw.normal(size=(40, 2))]
    targets = np.r_[rows[:20, :1], np.full((40, 1), 5.0)]
    labels = np.r_[[f"g{number}" for number in range(20)], ["odd"] * 40]
    shape = Shape((2.0,), (0.5,), shared=1.0)
    asked = np.array([[0.3, 0.3]])
    known = fit(rows, targets, (2,), shape, groups=labels).predict(asked).item()
    taken = fit(rows, targets, (2,), shape).predict(asked).item()
    assert known < 0.75 * taken


def test_groups_of_one_row_each_change_nothing(draw):
    rows, targets = draw.normal(size=(20, 3)), draw.normal(size=(20, 2))
    alone = np.array([f"g{number}" for number in range(20)])
    plain, grouped = fit(rows, targets, (3,)), fit(rows, targets, (3,), groups=alone)
    assert plain.shape == grouped.shape
    np.testing.assert_array_equal(plain.weights, grouped.weights)


def crossed(draw, odd):
    """Sixty rows that tell seven outputs, but for the last ``odd``, which are far off in all of them."""
    rows = draw.normal(size=(60, 4))
    targets = np.sin(rows @ draw.normal(size=(4, 7))) + 0.05 * draw.normal(size=(60, 7))
    clean = targets.copy()
    targets[60 - odd :] += 6.0 * draw.choice([-1.0, 1.0], size=(odd, 7))
    return rows, targets, clean


def test_rows_that_are_like_no_other_hardly_move_predictions(draw):
    rows, targets, clean = crossed(draw, 4)
    shape = Shape((2.0,), (0.3,))
    asked = rows[:50] + 0.1 * draw.normal(size=(50, 4))
    wanted = fit(rows[:56], clean[:56], (4,), shape).predict(asked)
    alike = np.abs(fit(rows, targets, (4,), shape, rounds=0).predict(asked) - wanted).mean()
    apart = np.abs(fit(rows, targets, (4,), shape).predict(asked) - wanted).mean()
    assert apart < 0.5 * alike


def test_where_no_row_is_odd_their_own_noise_changes_little(draw):
    rows, targets, _ = crossed(draw, 0)
    shape = Shape((2.0,), (0.3,))
    apart, alike = (
        fit(rows, targets, (4,), shape).predict(rows),
        fit(rows, targets, (4,), shape, rounds=0).predict(rows),
    )
    assert np.abs(apart - alike).mean() < 0.15 * targets.std()
