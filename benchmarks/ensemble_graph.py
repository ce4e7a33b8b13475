"""How an ensemble is best written as one graph: three layouts of the same five networks, on one thread.

*chains* is what :mod:`vmafcast.models.ensemble_graph` writes: a chain of dense layers for each member behind inputs
that are scaled once. *stacked* multiplies by weights [members, inputs, outputs], one product for each layer. *wide* is
one network of members times as many units, whose later weights are block-diagonal. All give the same numbers, which is
checked. Figures are rows per second of CPU time (``time.process_time``), the best of some rounds.

    python -m benchmarks.ensemble_graph [--rows 65536] [--rounds 5] [--out bench/ensemble_graph.json]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from vmafcast.common.files import write_text
from vmafcast.common.provenance import code_version, host_facts
from vmafcast.models.runtime import open_session

MEMBERS, WIDTH, INPUTS = 5, 64, 31
BATCHES = (256, 512, 1024, 2048)

Layers = list[tuple[NDArray[np.float32], NDArray[np.float32]]]


class _Graph:
    def __init__(self) -> None:
        self.nodes: list[object] = []
        self.constants: list[object] = []

    def constant(self, value: object, kind: type = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype=kind), name))
        return name

    def add(self, operator: str, *inputs: str, **attributes: object) -> str:
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def gelu(self, x: str) -> str:
        inner = self.add("Div", x, self.constant(np.sqrt(2.0)))
        shifted = self.add("Add", self.add("Erf", inner), self.constant(1.0))
        return self.add("Mul", self.add("Mul", x, shifted), self.constant(0.5))

    def finish(self, output: str) -> bytes:
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", INPUTS])
        y = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", MEMBERS])
        graph = helper.make_graph(self.nodes, "layout", [x], [y], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        return bytes(model.SerializeToString())


def chains(layers: Layers) -> bytes:
    """Return the graph with a chain of layers for each member."""
    graph, ends = _Graph(), []
    for member in range(MEMBERS):
        hidden = "x"
        for number, (weight, bias) in enumerate(layers):
            hidden = graph.add("Gemm", hidden, graph.constant(weight[member]), graph.constant(bias[member]))
            hidden = graph.gelu(hidden) if number < len(layers) - 1 else hidden
        ends.append(hidden)
    return graph.finish(graph.add("Concat", *ends, axis=1))


def stacked(layers: Layers) -> bytes:
    """Return the graph with one product of stacked weights for each layer."""
    graph, hidden = _Graph(), "x"
    for number, (weight, bias) in enumerate(layers):
        product = graph.add("MatMul", hidden, graph.constant(weight))
        hidden = graph.add("Add", product, graph.constant(bias[:, None]))
        hidden = graph.gelu(hidden) if number < len(layers) - 1 else hidden
    flat = graph.add("Squeeze", hidden, graph.constant([2], np.int64))
    return graph.finish(graph.add("Transpose", flat, perm=[1, 0]))


def wide(layers: Layers) -> bytes:
    """Return the graph of one wide network."""
    graph, hidden = _Graph(), "x"
    for number, (weight, bias) in enumerate(layers):
        _, fan_in, fan_out = weight.shape
        joined = np.zeros((MEMBERS * fan_in, MEMBERS * fan_out), dtype=np.float32)
        for member in range(MEMBERS):
            rows, columns = (slice(member * fan, (member + 1) * fan) for fan in (fan_in, fan_out))
            joined[rows, columns] = weight[member]
        if number == 0:
            joined = np.concatenate(list(weight), axis=1)
        hidden = graph.add("Gemm", hidden, graph.constant(joined), graph.constant(bias.reshape(-1)))
        hidden = graph.gelu(hidden) if number < len(layers) - 1 else hidden
    return graph.finish(hidden)


def main() -> None:
    """Measure, print a line for each layout, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=65536)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("bench/ensemble_graph.json"))
    chosen = parser.parse_args()
    draw = np.random.default_rng(0)
    sizes = ((INPUTS, WIDTH), (WIDTH, WIDTH), (WIDTH, 1))
    layers = [
        (
            draw.normal(0, fan_in**-0.5, (MEMBERS, fan_in, fan_out)).astype(np.float32),
            draw.normal(size=(MEMBERS, fan_out)).astype(np.float32),
        )
        for fan_in, fan_out in sizes
    ]
    rows = draw.normal(size=(chosen.rows, INPUTS)).astype(np.float32)
    layouts: tuple[Callable[[Layers], bytes], ...] = (chains, stacked, wide)
    said = {
        layout.__name__: open_session(layout(layers), layout.__name__).run(None, {"x": rows[:512]})[0]
        for layout in layouts
    }
    same = all(bool(np.allclose(said[name], said["chains"], atol=1e-4)) for name in said)
    speeds = {
        layout.__name__: {str(size): _speed(layout(layers), rows, size, chosen.rounds) for size in BATCHES}
        for layout in layouts
    }
    for name, by_batch in speeds.items():
        words = ", ".join(f"{speed / 1e6:.2f} at {size}" for size, speed in by_batch.items())
        sys.stdout.write(f"{name}: million rows a second of one core, by rows at once: {words}\n")
    figures = {
        "layouts_agree": same,
        "rows_per_cpu_second": speeds,
        "code_version": code_version(),
        "host": host_facts(),
    }
    write_text(chosen.out, json.dumps(figures, indent=2) + "\n")


def _speed(model: bytes, rows: NDArray[np.float32], size: int, rounds: int) -> float:
    session = open_session(model, "layout")
    best = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        for begin in range(0, len(rows), size):
            session.run(None, {"x": rows[begin : begin + size]})
        best = min(best, time.process_time() - began)
    return len(rows) / best


if __name__ == "__main__":
    main()
