"""What the codec block is worth: the gain over the codec-blind twin, paired by source group."""

from __future__ import annotations

from collections.abc import Mapping

from vmafcast.evaluation.criteria import correlation, difference
from vmafcast.evaluation.scores import bootstrap_mean

_DECIMALS = 12


def lifts_by_source(aware: Mapping[str, float | None], blind: Mapping[str, float | None]) -> dict[str, float] | None:
    """Return the gain in PLCC of every held-out source; None where one of them has no figure on either side.

    Parameters
    ----------
    aware, blind
        PLCC by held-out source of the codec-aware recipe and of its codec-blind twin on the same folds.
    """
    pairs = {source: (correlation(value), correlation(blind.get(source))) for source, value in sorted(aware.items())}
    if not pairs or set(aware) != set(blind):
        return None
    known = {
        source: difference(ours, theirs)
        for source, (ours, theirs) in pairs.items()
        if ours is not None and theirs is not None
    }
    return known if len(known) == len(pairs) else None


def lift_interval(
    aware: Mapping[str, float | None], blind: Mapping[str, float | None], *, level: float = 0.95
) -> tuple[float, float] | None:
    """Return the bootstrap interval of the mean lift over source groups, None where there is none.

    It is paired: what is resampled are the differences by source. The two networks of a fold are judged by the same
    frames, and what makes a source hard is hard for both, so that an interval of each mean would say far less.

    Parameters
    ----------
    aware, blind
        As in :func:`lifts_by_source`.
    level
        The share of resampled means that the interval holds, in (0, 1).
    """
    lifts = lifts_by_source(aware, blind)
    # One source differs from itself by nothing: resampling it says nothing of others.
    if lifts is None or len(lifts) < 2:
        return None
    low, high = bootstrap_mean(list(lifts.values()), level=level)
    # A loss that is exactly on its bound in every source must not lie beyond it by the last bit of a sum.
    return round(low, _DECIMALS), round(high, _DECIMALS)
