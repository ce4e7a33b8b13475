"""The logistic curve by which a cheap metric is usually mapped to a quality score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EVALUATIONS = 200
_STEEPEST = 60.0  # exp of more than this is of no account beside the 1 that it is added to


@dataclass(frozen=True)
class Logistic:
    """The four-parameter logistic of VQEG, rising with its input.

    ``bottom + (top - bottom) / (1 + exp(-(x - middle) / width))``

    Attributes
    ----------
    bottom, top
        What it tends to, in units of the output.
    middle, width
        Where it is half-way, and how gently it rises; in units of the input, the width above 0.

    References
    ----------
    Video Quality Experts Group, *Final report on the validation of objective models of video quality assessment*,
    phase II, 2003, section 6.1 ("logistic"), with ``|b4|`` for the width.
    """

    bottom: float
    top: float
    middle: float
    width: float

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the curve at ``x``."""
        return self.bottom + (self.top - self.bottom) * _sigmoid((x - self.middle) / self.width)


def fit_logistic(x: NDArray[np.float64], y: NDArray[np.float64]) -> Logistic:
    """Return the curve with the least squares of ``y`` at ``x``; a flat one where ``x`` does not vary.

    Parameters
    ----------
    x, y
        [N], finite, at least one value.
    """
    from scipy.optimize import least_squares

    centre, spread = float(x.mean()), float(x.std())
    if spread <= 1e-9 * max(1.0, abs(centre)):
        return Logistic(float(y.mean()), float(y.mean()), centre, 1.0)
    z = (x - centre) / spread

    def residuals(p: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(p[0] + (p[1] - p[0]) * _sigmoid((z - p[2]) * np.exp(-p[3])) - y)

    def jacobian(p: NDArray[np.float64]) -> NDArray[np.float64]:
        slope = np.exp(-p[3])
        value = _sigmoid((z - p[2]) * slope)
        rise = (p[1] - p[0]) * value * (1 - value)
        return np.stack([1 - value, value, -rise * slope, -rise * (z - p[2]) * slope], axis=1)

    begin = np.array([y.min(), y.max(), 0.0, np.log(0.5)], dtype=np.float64)
    # The width enters by its logarithm, so that it stays above 0; the bounds keep the search from running off.
    bounds = ([-1e4, -1e4, -20.0, -5.0], [1e4, 1e4, 20.0, 5.0])
    found = least_squares(residuals, begin, jac=jacobian, bounds=bounds, x_scale="jac", max_nfev=_EVALUATIONS).x
    return Logistic(
        float(found[0]), float(found[1]), centre + spread * float(found[2]), spread * float(np.exp(found[3]))
    )


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(x, -_STEEPEST, _STEEPEST))))
