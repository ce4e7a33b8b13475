"""The codec block: what a codec-aware model is told about the encode, as numbers in [0, 1].

Its layout is the one-hot of the encoder, then ``preset_norm``, then ``crf_norm``. Both norms are places on
the encoder's own full scales and never depend on a corpus, so that training and serving cannot disagree:

- ``preset_norm``: 0 = fastest, 1 = slowest preset of the encoder.
- ``crf_norm``: 0 = worst, 1 = best quality of the encoder. The name is the format's; the direction is the
  same for every encoder, whichever way its own knob turns. A foreign sidecar may define it otherwise.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vmafcast.common.errors import RequestError
from vmafcast.encoders.encoder import Encoder
from vmafcast.encoders.vocabulary import Vocabulary


def codec_block(
    vocabulary: Vocabulary,
    encoders: Sequence[str] | NDArray[np.str_],
    preset_norm: ArrayLike,
    crf_norm: ArrayLike,
    trained: Collection[str] | None = None,
) -> NDArray[np.float32]:
    """Return the codec block of N rows.

    Parameters
    ----------
    vocabulary
        The vocabulary of the model that the block is for.
    encoders
        N encoder names.
    preset_norm
        N places on the encoders' preset scales, in [0, 1], 0 = fastest.
    crf_norm
        N places on the encoders' quality scales, in [0, 1], 0 = worst.
    trained
        The names of the slots that had training rows, None when all had.

    Returns
    -------
    float32 array [N, vocabulary.width]

    Raises
    ------
    RequestError
        A norm is not an array of N numbers in [0, 1].
    """
    rows = len(encoders)
    block = np.empty((rows, vocabulary.width), dtype=np.float32)
    block[:, :-2] = vocabulary.one_hot(encoders, trained)
    block[:, -2] = _checked(preset_norm, rows, "preset_norm")
    block[:, -1] = _checked(crf_norm, rows, "crf_norm")
    return block


def codec_block_for(
    vocabulary: Vocabulary,
    encoder: Encoder,
    preset: str,
    quality: int,
    n: int,
    trained: Collection[str] | None = None,
) -> NDArray[np.float32]:
    """Return the codec block of ``n`` rows of one encode: float32 [n, vocabulary.width], all rows alike.

    Raises
    ------
    RequestError
        The encoder has no such preset or quality.
    """
    row = codec_block(
        vocabulary,
        (encoder.name,),
        np.array([encoder.preset_norm(preset)]),
        np.array([encoder.quality_norm(quality)]),
        trained,
    )
    return np.repeat(row, n, axis=0)


def _checked(values: ArrayLike, rows: int, name: str) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (rows,):
        raise RequestError(f"{name} has the shape {array.shape}; it takes one number for each of {rows} rows")
    wrong = np.flatnonzero(~((array >= 0.0) & (array <= 1.0)))
    if wrong.size:
        first = int(wrong[0])
        raise RequestError(
            f"{name} is {array[first]} in row {first}; every value lies in [0, 1], "
            "so normalise by the encoder's own scale"
        )
    return array
