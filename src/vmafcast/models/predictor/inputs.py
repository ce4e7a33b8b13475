"""The input of a predictor, column by column: what is measured of a source, what probes found, what is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from vmafcast.common.errors import DataError
from vmafcast.models.predictor.scale import to_logit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

GEOMETRY: Final = ("log_pixels", "log_fps", "log_frames")
"""Natural logarithms of the pixels of a frame, of the frames per second, and of the number of frames."""

REQUEST: Final = ("probe_given", "preset_norm", "quality_norm")
"""The last columns: 1 where the probe columns are filled, else 0; the places of preset and quality on their scales."""

CODED_PREFIX: Final = "coded_"
"""What the names of those features of complexity begin with that come of coding residuals; they come last, and are a
block of their own."""

PROBE_COLUMNS: Final = ("logit_vmaf", "log_bpp")
"""What is taken of every encode of a probe first: the logit of its VMAF, the logarithm of its bits per pixel."""

PROBE_KEY_RATIO: Final = "log_key_ratio"
"""The logarithm of how many times as large as its other frames the key frames of an encode are; 0 where all are."""

PROBE_DETAILS: Final = ("adm2", "vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "motion2", "psnr_y")
"""What is taken of every encode of a probe besides: means over its frames of what the teacher sees, and PSNR."""

SHORT_COLUMNS: Final = ("log_bpp", PROBE_KEY_RATIO)
"""What is taken of a probe's encodes that are cut short and not scored, beside the same of the others."""

PROBE_PARTS: Final = (PROBE_COLUMNS, (PROBE_KEY_RATIO,), PROBE_DETAILS)
"""The blocks of a probe's columns, each of all of its encodes."""

PROBE_FOUND: Final = ("vmaf", "bpp", "bpp_i", "bpp_inter", *PROBE_DETAILS)
"""What the columns are made from: fields of :class:`vmafcast.media.probe_encode.ProbePoint`, and its expected bits."""

SHORT_FOUND: Final = ("bpp", "bpp_i", "bpp_inter")
"""Those that are found of an encode that is cut short."""

FORMER_PARTS: Final = (PROBE_COLUMNS, PROBE_DETAILS)
"""Those of predictors that were trained before there was :data:`PROBE_KEY_RATIO`."""


@dataclass(frozen=True)
class InputLayout:
    """The names of the input's columns, in order.

    Attributes
    ----------
    complexity
        Features of the source, as :meth:`vmafcast.media.complexity.Complexity.scaled` has them.
    probe
        The encodes of the probe, such as ``libx264_veryfast_18``.
    parts
        What is taken of each encode, block by block.
    shorts
        The encodes of the probe that are cut short, such as ``libx264_veryfast_40_first12``.
    beside
        Which of the features of the source are looked at where there is a probe; all when None.
    """

    complexity: tuple[str, ...]
    probe: tuple[str, ...]
    parts: tuple[tuple[str, ...], ...] = PROBE_PARTS
    shorts: tuple[str, ...] = ()
    beside: tuple[str, ...] | None = None

    @property
    def plain(self) -> tuple[str, ...]:
        """The columns that are known of every source."""
        return (*self.complexity, *GEOMETRY)

    @property
    def probe_columns(self) -> tuple[str, ...]:
        """The columns that a probe fills."""
        return tuple(f"{encode}_{column}" for part in self.parts for encode, column in self.taken(part))

    def taken(self, part: tuple[str, ...]) -> list[tuple[str, str]]:
        """Return a block's encodes and what is taken of each, in order: first of the whole ones."""
        whole = [(encode, column) for encode in self.probe for column in part]
        return whole + [(encode, column) for encode in self.shorts for column in part if column in SHORT_COLUMNS]

    @property
    def beside_probe(self) -> NDArray[np.bool_]:
        """Which of :attr:`plain` are looked at where there is a probe."""
        looked_at = self.plain if self.beside is None else (*self.beside, *GEOMETRY)
        return np.array([name in looked_at for name in self.plain], dtype=np.bool_)

    @property
    def probed_columns(self) -> NDArray[np.intp]:
        """Which columns are looked at where there is a probe, by their numbers."""
        probe = len(self.plain) + np.arange(len(self.probe_columns))
        return np.concatenate([np.flatnonzero(self.beside_probe), probe])

    @property
    def plain_blocks(self) -> tuple[int, ...]:
        """How the columns that are known of every source are divided."""
        return _divided(self.complexity)

    @property
    def plain_blocks_beside_probe(self) -> tuple[int, ...]:
        """How those of them are divided that are looked at where there is a probe."""
        return _divided(self.complexity if self.beside is None else self.beside)

    @property
    def probe_blocks(self) -> tuple[int, ...]:
        """How the probe's columns are divided."""
        return tuple(len(self.taken(part)) for part in self.parts)

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns."""
        return (*self.plain, *self.probe_columns, *REQUEST)


def _divided(complexity: tuple[str, ...]) -> tuple[int, ...]:
    coded = sum(name.startswith(CODED_PREFIX) for name in complexity)
    known = (len(complexity) - coded, coded) if coded else (len(complexity),)
    return (*known, len(GEOMETRY))


def geometry(width: int, height: int, fps: float, frames: int) -> NDArray[np.float64]:
    """Return the columns :data:`GEOMETRY` of a source."""
    if min(width, height, frames) < 1 or not fps > 0:
        raise DataError(f"a source of {frames} frames of {width}x{height} at {fps} a second has no geometry")
    return np.log(np.array([width * height, fps, frames], dtype=np.float64))


def probe_values(layout: InputLayout, found: Mapping[str, Mapping[str, float | None]]) -> NDArray[np.float64]:
    """Return the probe's columns from what was found of each of its encodes.

    Parameters
    ----------
    layout
        Which columns.
    found
        Of each encode :data:`PROBE_FOUND`, of one that is cut short :data:`SHORT_FOUND`; ``bpp_inter`` is None where it
        has key frames alone.

    Raises
    ------
    DataError
        An encode is missing, or weighs nothing.
    """
    if missing := [name for name in (*layout.probe, *layout.shorts) if name not in found]:
        raise DataError(f"the probe lacks {', '.join(missing)}")
    return np.array(
        [_probe_value(name, column, found[name]) for part in layout.parts for name, column in layout.taken(part)]
    )


def _probe_value(encode: str, column: str, found: Mapping[str, float | None]) -> float:
    if column == "logit_vmaf":
        return float(to_logit(_known(encode, "vmaf", found)))
    if column == "log_bpp":
        return float(np.log(_weight(encode, "bpp", found)))
    if column == PROBE_KEY_RATIO:
        if found.get("bpp_inter") is None:
            return 0.0
        return float(np.log(_weight(encode, "bpp_i", found) / _weight(encode, "bpp_inter", found)))
    return _known(encode, column, found)


def _weight(encode: str, name: str, found: Mapping[str, float | None]) -> float:
    value = _known(encode, name, found)
    if not value > 0:
        raise DataError(f"the probe {encode} has {value} bits per pixel ({name})")
    return value


def _known(encode: str, name: str, found: Mapping[str, float | None]) -> float:
    value = found.get(name)
    if value is None:
        raise DataError(f"the probe {encode} lacks its {name}")
    return value
