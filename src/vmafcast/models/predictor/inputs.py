"""The input of a predictor, column by column: what is measured of a source, what probes found, what is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from vmafcast.common.errors import DataError
from vmafcast.models.predictor.scale import to_logit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

GEOMETRY: Final = ("log_pixels", "log_fps", "log_frames")
"""Natural logarithms of the pixels of a frame, of the frames per second, and of the number of frames."""

REQUEST: Final = ("probe_given", "preset_norm", "quality_norm")
"""The last columns: 1 where the probe columns are filled, else 0; the places of preset and quality on their scales."""

PROBE_COLUMNS: Final = ("logit_vmaf", "log_bpp")
"""What is taken of every encode of a probe: the logit of its VMAF, and the logarithm of its bits per pixel."""


@dataclass(frozen=True)
class InputLayout:
    """The names of the input's columns, in order.

    Attributes
    ----------
    complexity
        Features of the source, as :meth:`vmafcast.media.complexity.Complexity.scaled` has them.
    probe
        The encodes of the probe, such as ``libx264_veryfast_18``.
    """

    complexity: tuple[str, ...]
    probe: tuple[str, ...]

    @property
    def plain(self) -> tuple[str, ...]:
        """The columns that are known of every source."""
        return (*self.complexity, *GEOMETRY)

    @property
    def probe_columns(self) -> tuple[str, ...]:
        """The columns that a probe fills."""
        return tuple(f"{encode}_{column}" for encode in self.probe for column in PROBE_COLUMNS)

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns."""
        return (*self.plain, *self.probe_columns, *REQUEST)


def geometry(width: int, height: int, fps: float, frames: int) -> NDArray[np.float64]:
    """Return the columns :data:`GEOMETRY` of a source."""
    if min(width, height, frames) < 1 or not fps > 0:
        raise DataError(f"a source of {frames} frames of {width}x{height} at {fps} a second has no geometry")
    return np.log(np.array([width * height, fps, frames], dtype=np.float64))


def probe_values(encodes: Sequence[str], found: Mapping[str, tuple[float, float]]) -> NDArray[np.float64]:
    """Return the probe's columns from the VMAF and the bits per pixel of each of its encodes.

    Raises
    ------
    DataError
        An encode is missing, or weighs nothing.
    """
    if missing := [name for name in encodes if name not in found]:
        raise DataError(f"the probe lacks {', '.join(missing)}")
    values = []
    for name in encodes:
        vmaf, bpp = found[name]
        if not bpp > 0:
            raise DataError(f"the probe {name} has {bpp} bits per pixel")
        values += [float(to_logit(vmaf)), float(np.log(bpp))]
    return np.array(values)
