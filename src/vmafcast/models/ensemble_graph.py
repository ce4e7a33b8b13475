"""Writing an ensemble as one ONNX graph: the mean of its members, and what each of them says.

Every member is a chain of its own behind inputs that are scaled once. Measured with onnxruntime on one thread, five
members of 64 units in two layers: 1.1 million rows a second of one core like this, 0.9 to 1.0 as one product of stacked
weights for each layer, 0.5 as one wide network whose weights are block-diagonal
(``python -m benchmarks.ensemble_graph``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vmafcast.common.errors import DataError, RequestError
from vmafcast.common.files import sha256_bytes, write_bytes
from vmafcast.models.export import TOLERANCE
from vmafcast.models.manifest import MEMBERS
from vmafcast.models.onnx_graph import CODEC_BLOCK, FEATURES, OUTPUT, Graph
from vmafcast.models.runtime import open_session

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from vmafcast.models.trained import TrainedMembers


def export_ensemble(trained: TrainedMembers, path: Path) -> str:
    """Write all networks as one graph to ``path``, atomically, and return the SHA-256 of the file.

    The inputs are those of one network (see :func:`vmafcast.models.export.export_onnx`); the outputs are ``vmaf`` [N],
    the mean, and ``members`` [N, M], each within the teacher's range.

    Raises
    ------
    DataError
        The networks do not share one scaler: they were not trained on the same rows.
    OutputError
        The file cannot be written.
    """
    data = ensemble_bytes(trained)
    write_bytes(path, data)
    return sha256_bytes(data)


def ensemble_bytes(trained: TrainedMembers) -> bytes:
    """Return the ONNX file of all networks as one; see :func:`export_ensemble`."""
    _require_shared_inputs(trained)
    scaler, count = trained.scalers[0], len(trained)
    width = scaler.mean.size
    block_width = scaler.low.size - width if trained.members[0].codec_aware else 0
    graph = Graph()
    inputs = graph.scaled_inputs(scaler, block_width)
    raw = [graph.network(inputs, trained, member, width + block_width, f"_{member}") for member in range(count)]
    joined = graph.add("Concat", *raw, axis=1)
    scores = graph.scores(joined, scaler, trained.recipe.output_range, MEMBERS)
    graph.add("ReduceMean", scores, output=OUTPUT, axes=[1], keepdims=0)
    return graph.finish(
        f"{trained.recipe.name}_ensemble",
        [(FEATURES, width), (CODEC_BLOCK, block_width)],
        [(OUTPUT, ["N"]), (MEMBERS, ["N", count])],
    )


def ensemble_round_trip(
    path: Path, trained: TrainedMembers, features: NDArray[np.float32], block: NDArray[np.float32] | None
) -> float:
    """Return the largest difference, in the teacher's units, between the graph at ``path`` and its networks.

    Parameters
    ----------
    features, block
        Real rows; ``block`` is None for codec-blind networks.

    Raises
    ------
    RequestError
        There is no row to compare on, or the file cannot be read.
    DataError
        Graph and networks differ by more than :data:`~vmafcast.models.export.TOLERANCE`, or it cannot be run.
    """
    if not len(features):
        raise RequestError("a round trip needs rows to compare on; give some of the training rows")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror}") from error
    feed = {FEATURES: features} if block is None else {FEATURES: features, CODEC_BLOCK: block}
    mean, members = open_session(data, str(path)).run([OUTPUT, MEMBERS], feed)
    wanted = trained.predict(features, block).T.astype(np.float64)
    differences = np.abs(members - wanted).max(), np.abs(mean - wanted.mean(axis=1)).max()
    # Written so that a NaN on either side is refused too.
    if not all(difference <= TOLERANCE for difference in differences):
        raise DataError(
            f"{path} differs from the networks it was written from by {max(differences):.3g}, more than {TOLERANCE:.3g}"
        )
    return float(max(differences))


def _require_shared_inputs(trained: TrainedMembers) -> None:
    first = trained.scalers[0]
    names = ("mean", "std", "floor", "ceiling", "target_mean", "target_std")
    for scaler, member in zip(trained.scalers[1:], trained.members[1:], strict=True):
        same = all(np.array_equal(getattr(scaler, name), getattr(first, name)) for name in names)
        if not same or member.codec_aware != trained.members[0].codec_aware:
            raise DataError(
                "the members of an ensemble must be trained on the same rows and inputs; train them in one run"
            )
