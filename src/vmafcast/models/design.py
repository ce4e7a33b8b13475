"""The design matrix: from named columns and encoder names to a network's inputs.

Training and serving both come through here, so that they cannot disagree about an order or a meaning.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vmafcast.common.errors import DataError, RequestError
from vmafcast.encoders.codec_block import codec_block

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from vmafcast.encoders.vocabulary import Vocabulary

SETTINGS: tuple[str, ...] = ("preset_norm", "crf_norm")
"""What follows the one-hot in the codec block."""


@dataclass(frozen=True, eq=False)
class CodecFacts:
    """What is known of N encodes, one of which each row is.

    Attributes
    ----------
    encoders
        N encoder names.
    preset_norm, crf_norm
        The settings in [0, 1] on the encoders' own scales: N values, or one that holds for all.
    """

    encoders: Sequence[str] | NDArray[np.str_]
    preset_norm: ArrayLike
    crf_norm: ArrayLike


@dataclass(frozen=True, eq=False)
class Design:
    """The inputs of a network.

    Attributes
    ----------
    features
        float32 [N, F] in the recipe's order, not scaled: the scaler is a part of the model.
    block
        float32 [N, B], the codec block; B is 0 where there is no vocabulary.
    """

    features: NDArray[np.float32]
    block: NDArray[np.float32]


def build_design(
    feature_order: Sequence[str],
    feature_names: Sequence[str],
    features: ArrayLike,
    vocabulary: Vocabulary | None,
    codec: CodecFacts | None,
    trained: Collection[str] | None = None,
) -> Design:
    """Return the network inputs of N rows.

    Parameters
    ----------
    feature_order
        The columns that the model wants, in its order.
    feature_names
        The columns that ``features`` has, in theirs; columns that the model does not want are left out.
    features
        [N, number of ``feature_names``], finite.
    vocabulary
        How the model spells its codec block; None for a codec-blind model.
    codec
        What is known of the encodes; None says that nothing is, and gives a block of zeros.
    trained
        The slots that had training rows, None when all had: other encoders become unknown.

    Raises
    ------
    DataError
        A column is missing, the width is wrong or a value is not finite.
    RequestError
        A setting lies outside [0, 1], or there are not as many as rows.
    """
    chosen = select_features(feature_order, feature_names, features)
    rows = len(chosen)
    if vocabulary is None:
        return Design(chosen, np.zeros((rows, 0), dtype=np.float32))
    if codec is None:
        return Design(chosen, np.zeros((rows, vocabulary.width), dtype=np.float32))
    if len(codec.encoders) != rows:
        raise RequestError(f"{len(codec.encoders)} encoder names were given for {rows} rows; give one for each")
    block = codec_block(
        vocabulary, codec.encoders, spread(codec.preset_norm, rows), spread(codec.crf_norm, rows), trained
    )
    return Design(chosen, block)


def select_features(
    feature_order: Sequence[str], feature_names: Sequence[str], features: ArrayLike
) -> NDArray[np.float32]:
    """Return ``features`` as float32 [N, F] in ``feature_order``; see :func:`build_design`."""
    table = np.asarray(features)
    if table.ndim != 2 or table.shape[1] != len(feature_names):
        raise DataError(
            f"features has the shape {table.shape}; it takes N rows of the {len(feature_names)} columns "
            f"{', '.join(feature_names)}"
        )
    if missing := [name for name in feature_order if name not in feature_names]:
        raise DataError(f"the features lack {', '.join(missing)}; measure the feature set of the recipe")
    places = [list(feature_names).index(name) for name in feature_order]
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused below
        # Columns that are in order already are not gathered, which would cost a tenth of a prediction.
        ordered = table if places == list(range(len(feature_names))) else table[:, places]
        chosen = np.ascontiguousarray(ordered, dtype=np.float32)
    wrong = ~np.isfinite(chosen)
    if wrong.any():
        row, column = (int(place) for place in np.argwhere(wrong)[0])
        raise DataError(f"{feature_order[column]} is not a finite number in row {row}")
    return chosen


def spread(values: ArrayLike, rows: int) -> NDArray[np.float64]:
    """Return one value for each of ``rows``, where one for all may be given."""
    array = np.asarray(values, dtype=np.float64)
    return np.full(rows, array) if array.ndim == 0 else array
