"""What is known of a rate-quality curve before anything is measured: how VMAF falls along an encoder's own scale.

The curves are means over real sources, so a single source may lie far from them; after the first measured point only
their slope is used.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from vmafcast.encoders.encoder import Encoder

VMAF_CEILING = 100.0
_CLIP = 0.05  # of VMAF, so that a score of 0 or 100 has a finite logit
_FALLBACK_BEST, _FALLBACK_WORST = 99.0, 30.0  # VMAF at both ends of a scale that nobody has measured here


def logit(vmaf: float) -> float:
    """Return the log-odds of a VMAF score in [0, 100], clipped a little inside: curves are nearly straight in it."""
    share = min(max(vmaf, _CLIP), VMAF_CEILING - _CLIP) / VMAF_CEILING
    return math.log(share / (1.0 - share))


def score(log_odds: float) -> float:
    """Return the VMAF score of a log-odds value: the inverse of :func:`logit`."""
    return VMAF_CEILING / (1.0 + math.exp(-log_odds))


@dataclass(frozen=True, slots=True)
class PriorCurve:
    """A mean curve: log-odds of VMAF at some quality values, in rising order of value, straight between them.

    Beyond both ends it goes on as it ends.
    """

    qualities: tuple[float, ...]
    log_odds: tuple[float, ...]

    def at(self, quality: float) -> float:
        """Return the log-odds at ``quality``."""
        after = next((i for i, value in enumerate(self.qualities) if value >= quality), len(self.qualities) - 1)
        right = max(after, 1)
        left = right - 1
        span = self.qualities[right] - self.qualities[left]
        share = (quality - self.qualities[left]) / span
        return self.log_odds[left] + share * (self.log_odds[right] - self.log_odds[left])


def prior_curve(encoder: Encoder) -> PriorCurve:
    """Return the mean curve of ``encoder``: measured where it was, else a straight line over its whole scale."""
    points = _measured().get(encoder.name)
    if points is None:
        scale = list(encoder.quality.from_worst_to_best())
        points = [[scale[0], _FALLBACK_WORST], [scale[-1], _FALLBACK_BEST]]
    points = sorted(points)
    return PriorCurve(
        qualities=tuple(float(quality) for quality, _ in points), log_odds=tuple(logit(vmaf) for _, vmaf in points)
    )


@lru_cache(maxsize=1)
def _measured() -> dict[str, list[list[float]]]:
    text = resources.files(__package__).joinpath("prior_curves.json").read_text()
    curves: dict[str, list[list[float]]] = json.loads(text)["curves"]
    return curves
