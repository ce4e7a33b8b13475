"""Writing a trained network as ONNX: one file, raw features in, a score within the teacher's range out.

The same network gives the same bytes, wherever and whenever it is exported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from vmafcast.common.errors import DataError, RequestError
from vmafcast.common.files import sha256_bytes, write_bytes
from vmafcast.encoders.vocabulary import VOCABULARIES
from vmafcast.models.design import SETTINGS
from vmafcast.models.onnx_graph import CODEC_BLOCK, FEATURES, OPSET, OUTPUT, Graph
from vmafcast.models.runtime import open_session
from vmafcast.models.sidecar import Sidecar

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from vmafcast.models.sidecar import GateFacts, TrainingFacts
    from vmafcast.models.trained import TrainedMembers

TOLERANCE: Final = 1e-4
"""The largest difference, in the teacher's units, between the exported graph and the network."""


def export_onnx(trained: TrainedMembers, member: int, path: Path) -> str:
    """Write one network to ``path``, atomically, and return the SHA-256 of the file.

    The input is ``features`` [N, F], for a codec-aware network also ``codec_block`` [N, B]; the output is
    ``vmaf`` [N]; all float32. A blind network is written without the inputs that it never saw.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    data = model_bytes(trained, member)
    write_bytes(path, data)
    return sha256_bytes(data)


def model_bytes(trained: TrainedMembers, member: int) -> bytes:
    """Return the ONNX file of one network; see :func:`export_onnx`."""
    aware = trained.members[member].codec_aware
    scaler = trained.scalers[member]
    width = scaler.mean.size
    block_width = scaler.low.size - width if aware else 0
    graph = Graph()
    raw = graph.network(graph.scaled_inputs(scaler, block_width), trained, member, width + block_width)
    score = graph.add("Squeeze", raw, graph.constant("last_axis", np.array([1], dtype=np.int64)))
    graph.scores(score, scaler, trained.recipe.output_range, OUTPUT)
    return graph.finish(trained.recipe.name, [(FEATURES, width), (CODEC_BLOCK, block_width)], [(OUTPUT, ["N"])])


def round_trip(
    path: Path,
    trained: TrainedMembers,
    member: int,
    features: NDArray[np.float32],
    block: NDArray[np.float32] | None,
    *,
    tolerance: float = TOLERANCE,
) -> float:
    """Return the largest difference between the file at ``path`` and the network it was written from.

    Parameters
    ----------
    features, block
        Real rows, as :func:`~vmafcast.models.training.rows_design` gives them. Zeros would prove nothing:
        most mistakes in a graph agree on them.
    tolerance
        In the teacher's units.

    Raises
    ------
    RequestError
        There is no row to compare on.
    DataError
        The two differ by more than ``tolerance``, or the file cannot be run.
    """
    if not len(features):
        raise RequestError("a round trip needs rows to compare on; give some of the training rows")
    feed = {FEATURES: np.asarray(features, dtype=np.float32)}
    if trained.members[member].codec_aware:
        if block is None:
            raise RequestError("the network is codec-aware; give the codec block of the rows")
        feed[CODEC_BLOCK] = np.asarray(block, dtype=np.float32)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror}") from error
    served = np.asarray(open_session(data, str(path)).run([OUTPUT], feed)[0], dtype=np.float64)
    wanted = trained.select([member]).predict(features, block)[0].astype(np.float64)
    difference = float(np.abs(served - wanted).max())
    # Written so that a NaN on either side is refused too.
    if not difference <= tolerance:
        raise DataError(
            f"{path} differs from the network it was written from by {difference:.3g}, more than {tolerance:.3g}"
        )
    return difference


def describe_export(
    trained: TrainedMembers,
    member: int,
    path: Path,
    sha256: str,
    training: TrainingFacts,
    *,
    gate: GateFacts | None = None,
    smoke: bool = False,
    licence: str = "",
    notes: str = "",
    model_id: str | None = None,
) -> Sidecar:
    """Return the sidecar of a network that was exported to ``path``.

    Parameters
    ----------
    sha256
        What :func:`export_onnx` returned.
    training
        What it was trained from; the caller knows, the network does not.
    model_id
        The identity; the recipe's name when None.
    """
    recipe, scaler = trained.recipe, trained.scalers[member]
    aware = trained.members[member].codec_aware
    vocabulary = VOCABULARIES[recipe.vocabulary] if aware and recipe.vocabulary else None
    width = scaler.mean.size
    settings = [
        (float(low), float(high))
        for low, high in zip(scaler.low[-len(SETTINGS) :], scaler.high[-len(SETTINGS) :], strict=True)
    ]
    return Sidecar(
        id=model_id or recipe.name,
        onnx=path.name,
        sha256=sha256,
        opset=OPSET,
        input_names=(FEATURES, CODEC_BLOCK) if aware else (FEATURES,),
        output_names=(OUTPUT,),
        feature_order=recipe.feature_order,
        feature_mean=_floats(scaler.mean),
        feature_std=_floats(scaler.std),
        feature_min=_floats(scaler.low[:width]),
        feature_max=_floats(scaler.high[:width]),
        codec_aware=aware,
        codec_block_layout=(*vocabulary.slots, *SETTINGS) if vocabulary else (),
        encoder_vocab=vocabulary.slots if vocabulary else (),
        encoder_vocab_version=vocabulary.version if vocabulary else None,
        trained_slots=trained.trained_slots[member],
        preset_norm_range=settings[0] if aware else None,
        crf_norm_range=settings[1] if aware else None,
        teacher=recipe.teacher,
        output_range=recipe.output_range,
        training=training,
        gate=gate,
        smoke=smoke,
        licence=licence,
        notes=notes,
    )


def _floats(values: NDArray[np.float32]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
