"""Building the ONNX graph of a network, node by node, and what such a graph may be made of.

The nodes mirror :func:`vmafcast.models.network.forward` and the scaling around it. Names depend on the network's form
alone, so that the same network gives the same bytes, wherever and whenever it is exported.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from vmafcast.common.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vmafcast.models.scaling import Scaler
    from vmafcast.models.trained import TrainedMembers

OPSET: Final = 17
IR_VERSION: Final = 8
"""The file format that came with opset 17; a newer one would shut out older runtimes for nothing."""

PRODUCER: Final = ("vmafcast", "1")
"""Name and version in every file. The version is the exporter's own, so that a release changes no bytes."""

ALLOWED_OPERATORS: Final = frozenset(
    {"Add", "Clip", "Concat", "Div", "Erf", "Exp", "Gemm", "Max", "Min", "Mul", "ReduceMean", "Sigmoid", "Squeeze"}
    | {"Sub"}
)
"""All that a model may be made of: elementwise arithmetic and dense layers, no control flow, no text.
``Exp`` is for the kernels of encode predictors."""

FEATURES: Final = "features"
CODEC_BLOCK: Final = "codec_block"
OUTPUT: Final = "vmaf"


class Graph:
    """Collects nodes and constants."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def constant(self, name: str, value: NDArray[np.generic] | np.float32) -> str:
        """Take ``value`` in under ``name``, unless it is there already; return the name."""
        if all(tensor.name != name for tensor in self.initializers):
            self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value).reshape(value.shape), name))
        return name

    def add(self, operator: str, *inputs: str, output: str | None = None, **attributes: int | list[int]) -> str:
        """Add a node and return the name of its output."""
        name = output or f"{operator.lower()}_{len(self.nodes)}"
        node = helper.make_node(operator, list(inputs), [name], name=name)
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self.nodes.append(node)
        return name

    def scaled_inputs(self, scaler: Scaler, block_width: int) -> str:
        """Add the inputs as the networks see them: held, standardised, and the codec block where its width is not 0.

        An operation on [N, F] with one value for each column makes onnxruntime walk row by row, and four of them cost a
        fifth of a prediction. So columns are shifted and stretched by a product with a diagonal matrix, and held at
        their floor and ceiling where these are 0 and 1 for all of them (``python -m benchmarks.prediction``).
        """
        mean, std = scaler.mean.astype(np.float64), scaler.std.astype(np.float64)
        if not np.isfinite(scaler.floor).all():
            scaled = self._stretched(FEATURES, "feature", 1.0 / std, -mean / std)
        else:
            floor = scaler.floor.astype(np.float64)
            width = scaler.ceiling.astype(np.float64) - floor
            varies = width > 0  # a column that did not is held at the one value that it had
            narrowed = np.divide(1.0, width, out=np.zeros_like(width), where=varies)
            place = self._stretched(FEATURES, "feature_place", narrowed, -floor * narrowed)
            held = self.add("Clip", place, self.constant("zero", np.float32(0)), self.constant("unit", np.float32(1)))
            scaled = self._stretched(held, "feature", width / std, (floor - mean) / std)
        return self.add("Concat", scaled, CODEC_BLOCK, axis=1) if block_width else scaled

    def network(self, inputs: str, trained: TrainedMembers, member: int, width: int, suffix: str = "") -> str:
        """Add the layers of one network; return the name of its output [N, 1], in the target's own scale.

        Parameters
        ----------
        inputs
            As :meth:`scaled_inputs` returned them.
        width
            How many there are; the weights of the codec block of a blind network are left out by this.
        suffix
            Tells the constants of several networks apart.
        """
        hidden = inputs
        layers = [(np.asarray(layer.weight)[member], np.asarray(layer.bias)[member]) for layer in trained.parameters]
        for number, (weight, bias) in enumerate(layers):
            used = weight[:width] if number == 0 else weight
            weight_name = self.constant(f"weight_{number}{suffix}", used)
            hidden = self.add("Gemm", hidden, weight_name, self.constant(f"bias_{number}{suffix}", bias))
            if number < len(layers) - 1:
                hidden = self._activation(hidden, trained.recipe.activation)
        return hidden

    def scores(self, raw: str, scaler: Scaler, output_range: tuple[float, float], output: str) -> str:
        """Add the way back to the teacher's units, and the clamp to its range, as ``output``."""
        score = self.add("Mul", raw, self.constant("target_std", scaler.target_std))
        score = self.add("Add", score, self.constant("target_mean", scaler.target_mean))
        low, high = (np.float32(end) for end in output_range)
        return self.add("Clip", score, self.constant("lowest", low), self.constant("highest", high), output=output)

    def finish(
        self, name: str, inputs: Sequence[tuple[str, int]], outputs: Sequence[tuple[str, Sequence[str | int]]]
    ) -> bytes:
        """Return the ONNX file of what was added.

        Parameters
        ----------
        name
            Of the graph.
        inputs
            Name and number of columns of each; one of no columns is left out.
        outputs
            Name and shape of each.
        """
        taken = [
            helper.make_tensor_value_info(each, TensorProto.FLOAT, ["N", width]) for each, width in inputs if width
        ]
        given = [helper.make_tensor_value_info(each, TensorProto.FLOAT, list(shape)) for each, shape in outputs]
        model = helper.make_model(
            helper.make_graph(self.nodes, name, taken, given, self.initializers),
            producer_name=PRODUCER[0],
            producer_version=PRODUCER[1],
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
        )
        check_operators(model)
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString(deterministic=True))

    def _stretched(self, x: str, name: str, factor: NDArray[np.float64], shift: NDArray[np.float64]) -> str:
        """Add each column of ``x`` times its ``factor`` plus its ``shift``."""
        diagonal = self.constant(f"{name}_scale", np.diag(factor).astype(np.float32))
        return self.add("Gemm", x, diagonal, self.constant(f"{name}_shift", shift.astype(np.float32)))

    def _activation(self, x: str, activation: str) -> str:
        if activation == "silu":
            return self.add("Mul", x, self.add("Sigmoid", x))
        # In this very form onnxruntime makes one operator of the five, which is worth a quarter of a prediction's time.
        inner = self.add("Div", x, self.constant("sqrt_two", np.float32(np.sqrt(2.0))))
        shifted = self.add("Add", self.add("Erf", inner), self.constant("one", np.float32(1.0)))
        return self.add("Mul", self.add("Mul", x, shifted), self.constant("half", np.float32(0.5)))


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


def _tensors(model: onnx.ModelProto) -> Iterable[onnx.TensorProto]:
    yield from model.graph.initializer
    for sparse in model.graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
