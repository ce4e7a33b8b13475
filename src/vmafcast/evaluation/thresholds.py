"""Every constant that a gate judges by, in one place, and the record of those that were overridden."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import TypeVar

from vmafcast.common.documents import Document
from vmafcast.common.errors import RequestError


@dataclass(frozen=True)
class FrV1Thresholds:
    """What the gate ``fr-v1`` asks of a frame regressor on the canonical six.

    The source is the gate table of vmafcast's file contracts, which keeps the production-flip criterion of
    the public ``fr_regressor_v1``: 9-fold leave-one-source-out on the Netflix Public Dataset.

    Parameters
    ----------
    mean_plcc
        Least mean Pearson correlation over the held-out sources, in [-1, 1].
    """

    mean_plcc: float = 0.95


@dataclass(frozen=True)
class FrV3Thresholds:
    """What the gate ``fr-v3`` asks of a codec-aware frame regressor.

    The source is the gate table of vmafcast's file contracts. The mean and the lift are those the public
    ``fr_regressor_v2`` was shipped by; the bounds per source and per champion are ours, because a mean hides
    the one source that a model fails on.

    Parameters
    ----------
    mean_plcc
        Least mean Pearson correlation over the held-out sources, in [-1, 1].
    lift
        Least gain of that mean over the codec-blind recipe on the same folds. A blind recipe that leaves less
        headroom than this below 1 makes the lift not measurable.
    lift_loss
        Largest allowed loss where the lift is not measurable: a gain cannot be asked for there, but harm can be
        seen. It counts as such when the whole interval of the lift, paired by source group, lies beyond it. A tenth
        of the lift; not zero, because near-exact networks differ by 1e-6 from seed to seed.
    per_source_plcc
        Least Pearson correlation of every held-out source, in [-1, 1].
    rmse_ratio
        Largest allowed ratio of a source's RMSE to the champion's on that source; without a unit.
    """

    mean_plcc: float = 0.95
    lift: float = 0.005
    lift_loss: float = 0.0005
    per_source_plcc: float = 0.85
    rmse_ratio: float = 1.5


@dataclass(frozen=True)
class FrEnsembleThresholds:
    """What the gate ``fr-ensemble`` asks of networks that differ by their seed alone.

    The source is the gate table of vmafcast's file contracts; the same three figures stand in the public
    ensemble's ``PROMOTE.json`` (``mean_plcc_threshold``, ``plcc_spread_max``, ``per_seed_min``).

    Parameters
    ----------
    mean_plcc
        Least mean over the seeds of each seed's mean LOSO PLCC, in [-1, 1].
    plcc_spread
        Largest allowed difference between the best and the worst seed.
    per_seed_plcc
        Least mean LOSO PLCC of every seed, in [-1, 1].
    """

    mean_plcc: float = 0.95
    plcc_spread: float = 0.005
    per_seed_plcc: float = 0.95


@dataclass(frozen=True)
class PredictorThresholds:
    """What the gate ``predictor`` asks of a model that predicts encodes before they are made.

    The source is the gate table of vmafcast's file contracts; the same figures stand in the predictor report
    (``loso_fold_count``, ``mean_plcc_threshold``, ``plcc_spread_max``, ``per_fold_min``).

    Parameters
    ----------
    folds
        Number of folds by source group; with fewer groups than this nothing can be judged.
    mean_plcc
        Least mean Pearson correlation over the folds, in [-1, 1].
    plcc_spread
        Largest allowed difference between the best and the worst fold.
    per_fold_plcc
        Least Pearson correlation of every fold, in [-1, 1].
    """

    folds: int = 5
    mean_plcc: float = 0.95
    plcc_spread: float = 0.005
    per_fold_plcc: float = 0.95


Thresholds = FrV1Thresholds | FrV3Thresholds | FrEnsembleThresholds | PredictorThresholds
ThresholdsT = TypeVar("ThresholdsT", FrV1Thresholds, FrV3Thresholds, FrEnsembleThresholds, PredictorThresholds)


class Override(Document):
    """A threshold that was not left at its default: what it is by default, and what was used."""

    default: float
    used: float


def overridden(thresholds: ThresholdsT, changes: Mapping[str, float]) -> ThresholdsT:
    """Return ``thresholds`` with some of them replaced.

    Parameters
    ----------
    thresholds
        Where to start from; it is not altered.
    changes
        New values by the name of the threshold.

    Raises
    ------
    RequestError
        A name that these thresholds do not have, a value that is not finite, or a number of folds that is
        not a whole number of at least two.
    """
    known = [field.name for field in fields(thresholds)]
    for name, value in changes.items():
        if name not in known:
            raise RequestError(f"no threshold is named {name!r}; this gate has {', '.join(known)}")
        if not math.isfinite(value):
            raise RequestError(f"the threshold {name} cannot be {value}; give a finite number")
        if name == "folds" and (value != int(value) or value < 2):
            raise RequestError(f"the number of folds cannot be {value}; give a whole number of at least 2")
    typed = {name: int(value) if name == "folds" else float(value) for name, value in changes.items()}
    # dataclasses.replace keeps the class, and the loop above has checked each name against it.
    return replace(thresholds, **typed)  # type: ignore[arg-type]


def overrides_of(thresholds: Thresholds) -> dict[str, Override]:
    """Return those thresholds that differ from their defaults, by name; the verdict records them.

    They are found by comparison rather than noted by whoever made them, so that none can go unrecorded.
    """
    defaults = asdict(type(thresholds)())
    return {
        name: Override(default=defaults[name], used=value)
        for name, value in asdict(thresholds).items()
        if value != defaults[name]
    }
