"""Hierarchical jackknife+: an interval from the leave-one-source-out networks themselves.

Y. Lee, R. F. Barber and R. Willett, *Distribution-free inference with hierarchical data*, 2023, extend to groups the
jackknife+ of R. F. Barber, E. J. Candès, A. Ramdas and R. J. Tibshirani, *Predictive inference with the jackknife+*,
2021. With mu_k the network that did not learn from group k, R_ki = abs(y_ki - mu_k(x_ki)), and K groups of N_k scores
each::

    lower = - quantile(1 - alpha) of sum_k sum_i delta(R_ki - mu_k(x)) / ((K + 1) N_k) + delta(inf) / (K + 1)
    upper =   quantile(1 - alpha) of sum_k sum_i delta(R_ki + mu_k(x)) / ((K + 1) N_k) + delta(inf) / (K + 1)

It covers with a probability of at least 1 - 2 alpha whatever the networks are like, and about 1 - alpha where leaving
one group out changes little. Split rules promise 1 - alpha, but of networks that did not learn from the groups that
they are calibrated on. The price is K networks at prediction: the K predictions below are not of what is served.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import numpy as np

from vmafcast.common.errors import RequestError
from vmafcast.evaluation.conformal import ALL_ENCODERS, TEACHER_RANGE, Interval
from vmafcast.evaluation.conformal_ranks import GroupScores, exact_level

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike


def jackknife_plus(
    prediction: float,
    fold_predictions: Mapping[str, float],
    residuals: ArrayLike,
    groups: ArrayLike,
    level: Fraction | str | float,
    *,
    unit: Literal["frame", "clip"] = "clip",
    cell: str = ALL_ENCODERS,
    outside_training: bool = False,
) -> Interval:
    """Return the hierarchical jackknife+ interval of one new frame or clip.

    Parameters
    ----------
    prediction
        What is served, in VMAF; it only goes into the answer's ``mean``.
    fold_predictions
        By source group: what the network that did not learn from it says of the new unit, in VMAF.
    residuals, groups
        [N]: how far that network missed each unit of its group, in VMAF, 0 or more; and which group that is.
    level
        1 - alpha, at least 1/2: below that the ends may cross.
    unit, cell
        What ``residuals`` are of, and which encoder they were restricted to; passed on.
    outside_training
        Passed on.

    Raises
    ------
    RequestError
        The level is none or below 1/2, or the groups of predictions and residuals differ.
    DataError
        A number is not finite.
    """
    wanted = exact_level(level)
    if wanted < Fraction(1, 2):
        raise RequestError(f"the jackknife+ has no level below 1/2, such as {level}; its ends could cross")
    named = np.asarray(groups, dtype=np.str_)
    missed = np.asarray(residuals, dtype=np.float64)
    if set(named.tolist()) != set(fold_predictions):
        raise RequestError("the jackknife+ takes a prediction by the network of each source group that has residuals")
    said = np.asarray([fold_predictions[name] for name in named.tolist()], dtype=np.float64)
    below = GroupScores.of(missed - said, named).threshold(wanted)
    above = GroupScores.of(missed + said, named).threshold(wanted)
    low, high = TEACHER_RANGE
    return Interval(
        mean=prediction,
        lower=None if below is None else min(max(-below, low), high),
        upper=None if above is None else max(min(above, high), low),
        level=wanted,
        groups=len(fold_predictions),
        rule="jackknife+-frame" if unit == "frame" else "jackknife+-clip",
        score="absolute",
        cell=cell,
        outside_training=outside_training,
    )
