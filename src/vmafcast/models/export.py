"""Writing a trained network as ONNX: one file, raw features in, a score within the teacher's range out.

The nodes mirror :func:`vmafcast.models.network.forward` and the scaling around it, in the same order. The
same network gives the same bytes, wherever and whenever it is exported.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from vmafcast.common.errors import DataError, RequestError
from vmafcast.common.files import sha256_bytes, write_bytes
from vmafcast.encoders.vocabulary import VOCABULARIES
from vmafcast.models.design import SETTINGS
from vmafcast.models.network import SQRT_HALF
from vmafcast.models.runtime import open_session
from vmafcast.models.sidecar import Sidecar

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from vmafcast.models.sidecar import GateFacts, TrainingFacts
    from vmafcast.models.trained import TrainedMembers

OPSET: Final = 17
IR_VERSION: Final = 8
"""The file format that came with opset 17; a newer one would shut out older runtimes for nothing."""

PRODUCER: Final = ("vmafcast", "1")
"""Name and version in every file. The version is the exporter's own, so that a release changes no bytes."""

ALLOWED_OPERATORS: Final = frozenset(
    {"Add", "Clip", "Concat", "Div", "Erf", "Gemm", "Max", "Min", "Mul", "Sigmoid", "Squeeze", "Sub"}
)
"""All that a model may be made of: elementwise arithmetic and dense layers, no control flow, no text."""

TOLERANCE: Final = 1e-4
"""The largest difference, in the teacher's units, between the exported graph and the network."""

FEATURES: Final = "features"
CODEC_BLOCK: Final = "codec_block"
OUTPUT: Final = "vmaf"


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
    graph = _Graph()

    held = FEATURES
    if np.isfinite(scaler.floor).all():
        held = graph.add("Max", held, graph.constant("feature_floor", scaler.floor))
        held = graph.add("Min", held, graph.constant("feature_ceiling", scaler.ceiling))
    shifted = graph.add("Sub", held, graph.constant("feature_mean", scaler.mean))
    hidden = graph.add("Div", shifted, graph.constant("feature_std", scaler.std))
    if aware:
        hidden = graph.add("Concat", hidden, CODEC_BLOCK, axis=1)
    layers = [(np.asarray(layer.weight)[member], np.asarray(layer.bias)[member]) for layer in trained.parameters]
    for number, (weight, bias) in enumerate(layers):
        used = weight[: width + block_width] if number == 0 else weight
        hidden = graph.add(
            "Gemm", hidden, graph.constant(f"weight_{number}", used), graph.constant(f"bias_{number}", bias)
        )
        if number < len(layers) - 1:
            hidden = _activation(graph, hidden, trained.recipe.activation)
    score = graph.add("Squeeze", hidden, graph.constant("last_axis", np.array([1], dtype=np.int64)))
    score = graph.add("Mul", score, graph.constant("target_std", scaler.target_std))
    score = graph.add("Add", score, graph.constant("target_mean", scaler.target_mean))
    low, high = (np.float32(end) for end in trained.recipe.output_range)
    graph.add("Clip", score, graph.constant("lowest", low), graph.constant("highest", high), output=OUTPUT)

    inputs = [helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, ["N", width])]
    if aware:
        inputs.append(helper.make_tensor_value_info(CODEC_BLOCK, TensorProto.FLOAT, ["N", block_width]))
    output = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N"])
    model = helper.make_model(
        helper.make_graph(graph.nodes, trained.recipe.name, inputs, [output], graph.initializers),
        producer_name=PRODUCER[0],
        producer_version=PRODUCER[1],
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    check_operators(model)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def check_operators(model: onnx.ModelProto) -> None:
    """Refuse a model that is more than dense layers over its inputs.

    Raises
    ------
    DataError
        An operator outside :data:`ALLOWED_OPERATORS`, a subgraph, a function, another opset, or weights
        outside the file.
    """
    opsets = {(opset.domain, opset.version) for opset in model.opset_import}
    if opsets != {("", OPSET)}:
        raise DataError(f"the model wants the operator sets {sorted(opsets)}; only opset {OPSET} is allowed")
    if model.functions:
        raise DataError("the model brings functions of its own; only plain operators are allowed")
    for node in model.graph.node:
        if node.op_type not in ALLOWED_OPERATORS or node.domain:
            raise DataError(f"the model uses the operator {node.domain or 'ai.onnx'}.{node.op_type}, not allowed")
        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            raise DataError(f"the model hides a subgraph in an attribute of {node.op_type}")
    for tensor in _tensors(model):
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            raise DataError(
                f"the model keeps the weights {tensor.name!r} in another file, which its hash does not cover; "
                "convert it to a single file"
            )


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


class _Graph:
    """Collects nodes and constants under names that depend on the network's form alone."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def constant(self, name: str, value: NDArray[np.generic] | np.float32) -> str:
        if all(tensor.name != name for tensor in self.initializers):
            self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value).reshape(value.shape), name))
        return name

    def add(self, operator: str, *inputs: str, output: str | None = None, axis: int | None = None) -> str:
        name = output or f"{operator.lower()}_{len(self.nodes)}"
        node = helper.make_node(operator, list(inputs), [name], name=name)
        if axis is not None:
            node.attribute.append(helper.make_attribute("axis", axis))
        self.nodes.append(node)
        return name


def _activation(graph: _Graph, x: str, activation: str) -> str:
    if activation == "silu":
        return graph.add("Mul", x, graph.add("Sigmoid", x))
    inner = graph.add("Mul", x, graph.constant("sqrt_half", np.float32(SQRT_HALF)))
    shifted = graph.add("Add", graph.add("Erf", inner), graph.constant("one", np.float32(1.0)))
    return graph.add("Mul", x, graph.add("Mul", shifted, graph.constant("half", np.float32(0.5))))


def _tensors(model: onnx.ModelProto) -> Iterable[onnx.TensorProto]:
    yield from model.graph.initializer
    for sparse in model.graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _floats(values: NDArray[np.float32]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
