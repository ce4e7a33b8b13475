"""The document that a measurement of complexity leaves."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from vmafcast.common.documents import Document
from vmafcast.media.complexity.facts import FEATURES, NAMES, NAMES_BESIDE_PROBE

REVISION = 3
"""Raised whenever the same frames get other numbers: what an older revision left in a cache is not read."""

REVISIONS = (2, REVISION)
"""Those that can be measured: predictors that learnt from an older one are served as long as it is here."""


class Complexity(Document):
    """What a source is like, from a sample of its frames.

    Attributes
    ----------
    revision
        Of the measures.
    source_sha256
        Of the file's bytes.
    width, height
        The even size in pixels that is encoded and scored.
    fps
        Frames per second.
    frames
        How many frames the source holds.
    bit_depth
        Bits per sample of the source.
    reduction
        By how much pictures were reduced before they were measured; 1 for none.
    sampled_runs
        First and last frame index of each run of the sample, both included.
    features
        By name; units and meaning stand in :data:`FEATURES`. All, or those of
        :data:`~vmafcast.media.complexity.facts.NAMES_BESIDE_PROBE`.
    sampling_cpu_seconds
        What finding and decoding the sample cost when it was done.
    cpu_seconds, wall_seconds
        What measuring the sample cost this process when it was done, without finding and decoding it.
    """

    schema_version: Literal[1] = 1
    revision: int = REVISION
    source_sha256: str
    width: int
    height: int
    fps: float
    frames: int
    bit_depth: int
    reduction: int
    sampled_runs: tuple[tuple[int, int], ...]
    features: dict[str, float]
    sampling_cpu_seconds: float
    cpu_seconds: float
    wall_seconds: float

    @model_validator(mode="after")
    def _whole(self) -> Complexity:
        if tuple(self.features) not in {NAMES, NAMES_BESIDE_PROBE}:
            raise ValueError("the features are not those of this version, in their order")
        return self

    @property
    def sampled_frames(self) -> int:
        """How many frames were measured."""
        return sum(last - first + 1 for first, last in self.sampled_runs)

    @property
    def frames_per_second(self) -> float:
        """Sampled frames measured in a second of one core, without decoding them."""
        return self.sampled_frames / max(self.cpu_seconds, 1e-9)

    def vector(self) -> NDArray[np.float64]:
        """Return the features in the order of :data:`FEATURES`, in their units."""
        return np.array(list(self.features.values()), dtype=np.float64)

    def scaled(self) -> NDArray[np.float64]:
        """Return the features as a model does well to see them: natural logarithms where a feature spans decades."""
        return np.array([
            np.log(self.features[each.name] + each.floor) if each.scale == "log" else self.features[each.name]
            for each in FEATURES
            if each.name in self.features
        ])  # fmt: skip
