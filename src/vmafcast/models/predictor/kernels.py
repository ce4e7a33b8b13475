"""The kernels of all processes: one for each variant, chosen by every encoder's curves together.

A kernel says which sources are alike, and that hardly depends on what encodes them. Some dozens of sources do not
settle it for one encoder's curve; all encoders' presets and both curves together do so far better.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vmafcast.common.errors import DataError
from vmafcast.models.predictor.heads import curve_scores
from vmafcast.models.predictor.marginal import Shape
from vmafcast.models.predictor.process import FEWEST_ROWS, SWEEPS, choose_shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from vmafcast.models.predictor.model import EncoderCurves, Sources


@dataclass(frozen=True)
class Kernels:
    """The kernel without a probe, and that with one."""

    plain: Shape
    probed: Shape


def choose_kernels(
    encoders: Sequence[EncoderCurves], sources: Sources, learn: NDArray[np.bool_], sweeps: int = SWEEPS
) -> Kernels:
    """Choose the kernels by the curves of the sources that the mask ``learn`` [S] admits.

    Parameters
    ----------
    encoders
        Whose curves decide; nothing of other sources reaches them.
    sweeps
        How often all choices of a kernel are gone through at most.

    Raises
    ------
    DataError
        No preset of them has three such sources.
    """
    targets: dict[tuple[int, ...], list[NDArray[np.float64]]] = {}
    for measured in encoders:
        for curves in measured.curves:
            mine = learn[curves.source]
            if mine.sum() < FEWEST_ROWS:
                continue
            _, _, scores = curve_scores(curves.coefficients[mine])
            targets.setdefault(tuple(curves.source[mine].tolist()), []).append(scores.reshape(len(scores), -1))
    if not targets:
        raise DataError(f"no preset has the {FEWEST_ROWS} sources that a kernel is chosen by; sweep more of them")
    shapes = []
    for probed in (False, True):
        features, blocks = sources.features(probed=probed)
        problems = [
            (features[list(rows)], np.concatenate(each, axis=1), sources.groups[list(rows)])
            for rows, each in targets.items()
        ]
        shapes.append(choose_shape(problems, blocks, sweeps))
    return Kernels(*shapes)


class SharedKernels:
    """The kernels of some encoders, chosen once for each set of sources that is learnt from."""

    def __init__(self, encoders: Sequence[EncoderCurves], sources: Sources, sweeps: int = SWEEPS) -> None:
        self._encoders, self._sources, self._sweeps = encoders, sources, sweeps
        self._chosen: dict[bytes, Kernels] = {}

    def __call__(self, learn: NDArray[np.bool_]) -> Kernels:
        """Return the kernels that the sources in ``learn`` [S] choose; see :func:`choose_kernels`."""
        key = learn.tobytes()
        if key not in self._chosen:
            told = [each.as_known_to(learn) for each in self._encoders]
            self._chosen[key] = choose_kernels(told, self._sources, learn, self._sweeps)
        return self._chosen[key]
