"""Activity: how much there is to see in each frame of a source, at four scales.

VMAF asks how much of the source's detail survives, scale by scale; a PSNR says how much was lost, whatever there was.
The gradient of the source at each scale tells one from the other, costs one pass over its luma, and is the same for
every encode of it. Its root mean square does better than its mean: edges hide less than texture of the same mean.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vmafcast.common.errors import MediaError
from vmafcast.common.feature_names import ACTIVITY
from vmafcast.media.complexity.sample import shown_planes
from vmafcast.media.graph import source_depth
from vmafcast.media.source import Source

FLOOR = 0.1
"""Added to a gradient before its logarithm, in 8-bit code values: flat frames have an activity of -3.3, not none."""


def frame_activity(luma: NDArray[np.unsignedinteger[Any]], depth: int) -> NDArray[np.float64]:
    """Return the activity of one picture at every scale, from fine to coarse: float64 [4].

    It is ``log2(0.1 + sqrt(mean g^2))`` of the gradient g = |dx| + |dy|, dx and dy being the differences of a pixel to
    its neighbours on the right and below in 8-bit code values: -3.3 for a flat picture, about 1 to 6 for footage. Each
    scale is the former, averaged over blocks of 2x2; a side of one pixel has no gradient.

    Parameters
    ----------
    luma
        [height, width], of ``depth`` bits.
    depth
        Bits per sample.
    """
    picture = luma.astype(np.float32) * np.float32(2.0 ** (8 - depth))
    squares = []
    for scale in range(len(ACTIVITY)):
        if scale:
            picture = _halved(picture)
        squares.append(np.square(_gradient(picture)).mean(dtype=np.float64))
    found: NDArray[np.float64] = np.log2(FLOOR + np.sqrt(squares))
    return found


@lru_cache(maxsize=64)
def source_activity(source: Source) -> dict[str, NDArray[np.float64]]:
    """Return the activity of every frame of ``source`` by feature name: float64 [frames] each, see `frame_activity`.

    It is kept for as long as the process runs: a sweep asks for it once for every encoder and preset.

    Raises
    ------
    MediaError
        The source cannot be decoded to its end.
    """
    depth = source_depth(source)
    table = np.array([frame_activity(luma, depth) for luma, _, _ in shown_planes(source)])
    if len(table) != source.frames:
        raise MediaError(f"{source.path}: {len(table)} of {source.frames} frames can be decoded; the file is damaged")
    return {name: table[:, column] for column, name in enumerate(ACTIVITY)}


def _gradient(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    rows, columns = (max(side - 1, 1) for side in picture.shape)
    here = picture[:rows, :columns]
    gradient = np.zeros_like(here)
    if picture.shape[1] > 1:
        gradient += np.abs(picture[:rows, 1:] - here)
    if picture.shape[0] > 1:
        gradient += np.abs(picture[1:, :columns] - here)
    return gradient


def _halved(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = (max(side // 2, 1) for side in picture.shape)
    if picture.shape[0] > 1:
        picture = (picture[0 : 2 * height : 2] + picture[1 : 2 * height : 2]) * np.float32(0.5)
    if picture.shape[1] > 1:
        picture = (picture[:, 0 : 2 * width : 2] + picture[:, 1 : 2 * width : 2]) * np.float32(0.5)
    return picture
