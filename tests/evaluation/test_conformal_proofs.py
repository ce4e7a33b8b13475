"""Monte Carlo proofs: the rules cover new source groups as promised, and the usual split by frames does not.

Each count of covered cases is held to the binomial distribution at its guarantee, with a chance of 1e-5 of failing
where the guarantee holds exactly; seeds are fixed.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from vmafcast.evaluation.conformal_jackknife import jackknife_plus
from vmafcast.evaluation.conformal_ranks import GroupScores
from vmafcast.evaluation.conformal_scores import HeldOut, calibrate

pytestmark = pytest.mark.slow

CHANCE = 1e-5
EFFECTS = (0.0, 0.5, 2.0, 8.0)  # deviation of what a group's rows share, in that of what they do not


def least(level, trials):
    return stats.binom.ppf(CHANCE, trials, float(level)) / trials


def most(level, trials):
    return stats.binom.ppf(1 - CHANCE, trials, min(float(level), 1.0)) / trials


def residuals(rng, effect, groups, uneven):
    """Rows of ``groups`` groups; the more rows a group has the worse it may be predicted, if ``uneven``."""
    sizes = rng.integers(1, 30, groups) if uneven else np.full(groups, 10)
    shift = rng.normal(0, effect, groups) * (np.sqrt(sizes / 10) if uneven else 1)
    owners = np.repeat(np.arange(groups), sizes)
    return shift[owners] + rng.normal(0, 1, owners.size), owners


@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize("effect", EFFECTS)
@pytest.mark.parametrize(("level", "groups"), [("0.8", 14), ("0.9", 30)])
def test_hierarchical_conformal_covers_a_row_of_a_new_group(level, groups, effect, uneven):
    """Theorem of Lee, Barber and Willett: between the level and 2 / (K + 1) above it where no scores tie."""
    rng = np.random.default_rng(11)
    trials, covered = 4000, 0
    for _ in range(trials):
        missed, owners = residuals(rng, effect, groups + 1, uneven)
        new = np.flatnonzero(owners == groups)
        known = owners < groups
        threshold = GroupScores.of(np.abs(missed[known]), owners[known]).threshold(level)
        covered += abs(missed[rng.choice(new)]) <= threshold
    assert least(level, trials) <= covered / trials <= most(float(level) + 2 / (groups + 1), trials)


@pytest.mark.parametrize("effect", EFFECTS)
def test_rows_counted_one_by_one_fail_where_big_groups_are_the_bad_ones_and_groups_do_not(effect):
    """Pooling rows as if they were exchangeable weighs a group by its size: wrong both ways for a new group."""
    rng = np.random.default_rng(12)
    trials, pooled, grouped = 3000, 0, 0
    for _ in range(trials):
        sizes = np.where(rng.random(21) < 0.3, 60, 2)
        owners = np.repeat(np.arange(21), sizes)
        shift = rng.normal(0, effect * np.where(sizes == 2, 1.0, 0.1))
        missed = np.abs(shift[owners] + rng.normal(0, 1, owners.size))
        known = owners < 20
        one = rng.choice(missed[~known])
        pooled += one <= np.quantile(missed[known], 0.9, method="higher")
        grouped += one <= GroupScores.of(missed[known], owners[known]).threshold("0.9")
    assert grouped / trials >= least("0.9", trials)
    if effect >= 2:
        assert pooled / trials < 0.75


def clips_of(rng, effect, groups):
    """Frames of clips of groups, as held-out predictions: group, clip and frame each add an error."""
    rows = []
    for group in range(groups):
        shift = rng.normal(0, effect)
        for clip in range(rng.integers(1, 4)):
            frames = rng.integers(8, 24)
            error = shift + rng.normal(0, 1) + rng.normal(0, 1, frames)
            rows += [(f"{group:03d}", f"{group:03d}-{clip}", 50 + e) for e in error]
    names, clips, measured = (np.array(column) for column in zip(*rows, strict=True))
    return HeldOut(names, np.full(len(rows), "libx264"), clips, measured, np.full((len(rows), 1), 50.0))


@pytest.mark.parametrize("effect", EFFECTS)
def test_a_clip_mean_and_most_frames_of_a_clip_of_a_new_group_are_covered(effect):
    rng = np.random.default_rng(13)
    trials, groups, level = 200, 20, Fraction(4, 5)
    mean, share, by_chance = 0, 0, 0
    for _ in range(trials):
        everything = clips_of(rng, effect, groups + 1)
        known = everything.groups != f"{groups:03d}"
        columns = ("groups", "encoders", "clips", "measured", "members")
        calibrated_on = HeldOut(*(getattr(everything, name)[known] for name in columns))
        new = rng.choice(np.unique(everything.clips[~known]))
        measured = everything.measured[everything.clips == new]
        mean += measured.mean() in calibrate(calibrated_on, "hcp-clip").interval(50.0, level=level)
        interval = calibrate(calibrated_on, "most-frames", share="0.9").interval(50.0, level=level)
        share += np.mean([value in interval for value in measured]) >= 0.9
        frames = calibrate(calibrated_on, "hcp-frame").interval(50.0, level=level)
        by_chance += np.mean([value in frames for value in measured]) >= 0.9
    assert mean / trials >= least(level, trials)
    assert share / trials >= least(level, trials)
    assert share >= by_chance  # an interval for one frame is no promise for most of them


@pytest.mark.parametrize("effect", [0.5, 2.0])
def test_an_encoder_is_covered_by_its_own_scores_and_not_by_those_of_all(effect):
    rng = np.random.default_rng(14)
    trials, groups, level = 1500, 24, "0.8"
    covered = {"own": 0, "all": 0}
    for _ in range(trials):
        owners = np.repeat(np.arange(groups + 1), 10)
        hard = np.tile(np.arange(10) < 2, groups + 1)
        missed = np.abs(rng.normal(0, effect, groups + 1)[owners] + rng.normal(0, 1, owners.size)) * np.where(
            hard, 4, 1
        )
        known = owners < groups
        one = rng.choice(missed[~known & hard])
        own = GroupScores.of(missed[known & hard], owners[known & hard])
        covered["own"] += one <= own.threshold(level)
        covered["all"] += one <= GroupScores.of(missed[known], owners[known]).threshold(level)
    assert covered["own"] / trials >= least(level, trials)
    assert covered["all"] / trials < 0.6


def nearest_neighbours(features, owners, measured, asked, barred):
    """Predict by the three nearest rows; a row whose owner is ``barred`` of the asking row is not looked at."""
    distance = ((asked[:, None, :] - features[None, :, :]) ** 2).sum(axis=2)
    distance[barred[:, None] == owners[None, :]] = np.inf
    return measured[np.argpartition(distance, 3, axis=1)[:, :3]].mean(axis=1)


@pytest.mark.parametrize(("effect", "highest"), [(1.0, 0.80), (2.0, 0.60), (4.0, 0.40)])
def test_the_split_by_frames_under_covers_on_the_same_data_on_which_groups_cover(effect, highest):
    """The negative control.

    A learner that can know a clip again (nearest neighbours on features that carry the clip's signature) is calibrated
    on random frames of the clips it has learnt from, as is usual, and on groups that it has not seen. At a nominal 90 %
    the first covers as little of a new clip as is asserted here; nothing but the split differs.
    """
    rng = np.random.default_rng(15)
    trials, groups, frames = 150, 30, 12
    by_frames, by_groups = [], []
    for _ in range(trials):
        owners = np.repeat(np.arange(groups + 1), frames)
        features = rng.normal(0, 1, (groups + 1, 4))[owners] + rng.normal(0, 0.05, (owners.size, 4))
        measured = 50 + rng.normal(0, effect, groups + 1)[owners] + rng.normal(0, 1, owners.size)
        new = owners == groups
        known = np.flatnonzero(~new)
        learnt = rng.permutation(known)[: known.size // 2]
        held = np.setdiff1d(known, learnt)
        nobody = np.full(owners.size, -1)

        def predict(rows, asked, barred, f=features, o=owners, m=measured):
            return nearest_neighbours(f[rows], o[rows], m[rows], f[asked], barred[asked])

        naive = np.sort(np.abs(measured[held] - predict(learnt, held, nobody)))
        half = naive[int(np.ceil(0.9 * (naive.size + 1))) - 1]
        by_frames.append(np.mean(np.abs(measured[new] - predict(learnt, np.flatnonzero(new), nobody)) <= half))
        left_out = np.abs(measured[known] - predict(known, known, owners))
        threshold = GroupScores.of(left_out, owners[known]).threshold("0.9")
        by_groups.append(np.mean(np.abs(measured[new] - predict(known, np.flatnonzero(new), nobody)) <= threshold))
    error = np.std(by_groups, ddof=1) / np.sqrt(trials)
    assert np.mean(by_groups) >= 0.9 - 4 * error
    assert np.mean(by_frames) <= highest


def least_squares(features, measured, asked):
    """Fit with the least norm: wild where there are about as many rows as features."""
    return asked @ np.linalg.lstsq(features, measured, rcond=None)[0]


@pytest.mark.parametrize(("features", "stable"), [(3, True), (24, False)])
def test_the_jackknife_plus_holds_even_where_leaving_a_group_out_changes_everything(features, stable):
    """Its theorem needs no stability; the interval about one network that is calibrated on others' residuals does.

    Barber and others show the plain jackknife to fail where rows are about as many as features. So does the use of
    leave-one-out residuals for the network that has learnt from everything; with a stable learner both cover alike.
    """
    rng = np.random.default_rng(16)
    trials, groups, rows, level = 1500, 12, 2, Fraction(4, 5)
    plus, plain = 0, 0
    for _ in range(trials):
        owners = np.repeat(np.arange(groups), rows)
        x = rng.normal(0, 1, (groups * rows, features))
        y = x.sum(axis=1) / np.sqrt(features) + rng.normal(0, 1, groups)[owners] + rng.normal(0, 1, owners.size)
        new_x = rng.normal(0, 1, features)
        new_y = new_x.sum() / np.sqrt(features) + rng.normal(0, 1) + rng.normal(0, 1)
        said, missed = {}, np.empty(owners.size)
        for group in range(groups):
            out = owners == group
            said[f"{group:02d}"] = 50 + float(least_squares(x[~out], y[~out], new_x))
            missed[out] = np.abs(y[out] - least_squares(x[~out], y[~out], x[out]))
        names = [f"{owner:02d}" for owner in owners]
        plus += 50 + new_y in jackknife_plus(50.0, said, missed, names, level)
        whole = least_squares(x, y, new_x)
        plain += abs(new_y - whole) <= GroupScores.of(missed, names).threshold(level)
    assert plus / trials >= least(2 * level - 1, trials)
    assert plus / trials >= least(level, trials) - 0.02  # in practice it is near the level itself
    if stable:
        assert abs(plus - plain) / trials < 0.03
    else:
        assert plain / trials < 0.6
