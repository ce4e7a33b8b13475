"""The means of a leave-one-out evaluation, as reports and sidecars state them."""

from __future__ import annotations

from vmafcast.common.documents import Document

Interval = tuple[float, float]


class FoldMeans(Document):
    """Means over folds and seeds.

    Attributes
    ----------
    mean_plcc, std_plcc, min_plcc, max_plcc, mean_srocc
        Correlations in [-1, 1]. The deviation is over folds, with ddof 1; min and max are over every fold of every
        seed. None where one of them has no correlation, because a mean over the others would hide it.
    mean_rmse
        In the teacher's units.
    mean_plcc_interval, mean_rmse_interval, interval_level
        Bootstrap intervals of the means over source groups, and the share of resamples that they hold.
    blind_mean_plcc, blind_mean_rmse
        The same of the codec-blind twin on the same folds; None where none was trained.
    lift, lift_interval
        ``mean_plcc`` less ``blind_mean_plcc``, and its interval paired by source group.
    """

    mean_plcc: float | None
    std_plcc: float | None
    min_plcc: float | None
    max_plcc: float | None
    mean_srocc: float | None
    mean_rmse: float
    mean_plcc_interval: Interval | None = None
    mean_rmse_interval: Interval | None = None
    interval_level: float | None = None
    blind_mean_plcc: float | None = None
    blind_mean_rmse: float | None = None
    lift: float | None = None
    lift_interval: Interval | None = None
