"""Fold-local standardisation: each network's scaler comes from its own training rows and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vmafcast.models.design import Design
    from vmafcast.models.recipe import Recipe

CONSTANT = 1e-6
"""A column whose deviation is below this share of its largest magnitude is constant: that is float32 noise."""

SMALLEST_SPREAD = 1e-2
"""No column is divided by less than this share of its largest magnitude. A column that hardly moved in
training and moves freely in service would otherwise arrive hundreds of deviations out and saturate, and float32 would
lose in the difference from the mean what the network then makes much of."""


@dataclass(frozen=True, eq=False)
class Scaler:
    """What the training rows say of a network's D = F + B inputs and of its target.

    Attributes
    ----------
    mean, std
        float32 [F]: what each feature is shifted and divided by. A constant feature has std 1.
    low, high
        float32 [D]: the range of each input over the network's rows, those between the strides included.
    floor, ceiling
        float32 [F]: features are held within these before they are scaled; infinite where nothing is held.
    varies
        bool [D]: whether the input took more than one value. Nothing can be learnt from one that did not,
        so its weights stay as random as they began; the trainer sets them to zero.
    seen
        bool [B]: whether the input of the codec block was ever anything but zero.
    target_mean, target_std
        What the target is shifted and divided by; 0 and 1 where the recipe learns it as it is.
    """

    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    floor: NDArray[np.float32]
    ceiling: NDArray[np.float32]
    varies: NDArray[np.bool_]
    seen: NDArray[np.bool_]
    target_mean: np.float32
    target_std: np.float32


def fit_scaler(
    recipe: Recipe,
    design: Design,
    target: NDArray[np.float32],
    own: NDArray[np.intp],
    learnt: NDArray[np.intp],
) -> Scaler:
    """Return the scaler of one network.

    Parameters
    ----------
    design, target
        All rows.
    own
        The numbers of the rows that the network may know of, at least one: they give the ranges.
    learnt
        Those of them that it learns from: they give everything else.
    """
    features, block = design.features[learnt].astype(np.float64), design.block[learnt]
    mean, spread = features.mean(axis=0), features.std(axis=0)
    magnitude = np.abs(features).max(axis=0)
    constant = spread <= CONSTANT * magnitude
    std = np.where(constant, 1.0, np.maximum(spread, SMALLEST_SPREAD * magnitude))
    known = np.concatenate([design.features[own], design.block[own]], axis=1)
    low, high = known.min(axis=0), known.max(axis=0)
    margin = np.inf if recipe.range_margin is None else recipe.range_margin * (high - low)[: mean.size]
    target_mean, target_std = 0.0, 1.0
    if recipe.standardise_target:
        wanted = target[learnt].astype(np.float64)
        target_mean, target_std = float(wanted.mean()), float(wanted.std())
        if target_std <= CONSTANT * float(np.abs(wanted).max()):
            target_std = 1.0
    return Scaler(
        mean=mean.astype(np.float32),
        std=std.astype(np.float32),
        low=low,
        high=high,
        floor=(low[: mean.size] - margin).astype(np.float32),
        ceiling=(high[: mean.size] + margin).astype(np.float32),
        varies=np.concatenate([~constant, block.max(axis=0) > block.min(axis=0)]),
        seen=block.max(axis=0) > 0,
        target_mean=np.float32(target_mean),
        target_std=np.float32(target_std),
    )
