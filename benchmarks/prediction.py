"""How fast models are served: rows per second of one core, a cold command, and what activation, width and batch cost.

Every figure is CPU time of this process (``time.process_time``), the best of some rounds, onnxruntime on one thread: on
a machine that others share, the wall measures the others. The weights are random; they do not change the speed.

    python -m benchmarks.prediction [--rows 1000000] [--sweep] [--out bench/prediction.json]

``--sweep`` adds every activation at every width, and every batch size.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from onnx import TensorProto, helper, numpy_helper

from vmafcast.common.feature_names import CANONICAL6
from vmafcast.common.files import write_text
from vmafcast.common.provenance import code_version, host_facts
from vmafcast.models import runtime
from vmafcast.models.recipe import get_recipe
from vmafcast.models.runtime import FrameModel, open_session, run_in_batches
from vmafcast.models.sidecar import Sidecar, TrainingFacts

TARGETS = {"canonical": 4.0e6, "canonical, through the library": 4.0e6, "ensemble": 0.8e6}
"""Rows per second of one core that are asked for."""

ACTIVATIONS = ("gelu_erf", "gelu_tanh", "silu", "relu")
WIDTHS = (64, 48, 32)
BATCHES = (256, 512, 1024, 2048, 4096, 16384)
BLOCK = 18
ROUNDS = 5


def network(activation: str, width: int, *, members: int = 1, block: int = 0, scaled: bool = True) -> bytes:
    """Return a model of two hidden layers in the form that the exporter writes, with random weights."""
    rng = np.random.default_rng(0)
    nodes, constants = [], []

    def constant(name: str, value: object) -> str:
        constants.append(numpy_helper.from_array(np.asarray(value, dtype=np.float32), name))
        return name

    def add(operator: str, *inputs: str, output: str | None = None, **attributes: object) -> str:
        name = output or f"n{len(nodes)}"
        nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def activated(x: str, tag: str) -> str:
        if activation == "relu":
            return add("Relu", x)
        if activation == "silu":
            return add("Mul", x, add("Sigmoid", x))
        if activation == "gelu_erf":
            shifted = add("Add", add("Erf", add("Div", x, constant(f"r{tag}", np.sqrt(2)))), constant(f"o{tag}", 1))
            return add("Mul", add("Mul", x, shifted), constant(f"h{tag}", 0.5))
        cube = add("Mul", add("Mul", x, x), x)
        inner = add("Add", x, add("Mul", cube, constant(f"k{tag}", 0.044715)))
        tanh = add("Tanh", add("Mul", inner, constant(f"s{tag}", np.sqrt(2 / np.pi))))
        return add("Mul", add("Mul", x, add("Add", tanh, constant(f"o{tag}", 1))), constant(f"h{tag}", 0.5))

    hidden = "features"
    features = len(CANONICAL6)
    if scaled:
        for part in ("place", "scale"):
            hidden = add(
                "Gemm", hidden, constant(part, np.eye(features) / 9), constant(f"{part}_b", np.full(features, 0.5))
            )
            if part == "place":
                hidden = add("Clip", hidden, constant("zero", 0), constant("unit", 1))
    if block:
        hidden = add("Concat", hidden, "codec_block", axis=1)
    raw = []
    for member in range(members):
        layer, inputs = hidden, features + block
        for number, outputs in enumerate((width, width, 1)):
            tag = f"{member}_{number}"
            weight = constant(f"w{tag}", rng.normal(size=(inputs, outputs)) / np.sqrt(inputs))
            layer = add("Gemm", layer, weight, constant(f"b{tag}", np.zeros(outputs)))
            layer = activated(layer, tag) if outputs > 1 else layer
            inputs = outputs
        raw.append(layer)
    joined = add("Concat", *raw, axis=1) if members > 1 else raw[0]
    scaled_up = add("Add", add("Mul", joined, constant("ts", 20)), constant("tm", 50))
    clipped = add("Clip", scaled_up, constant("low", 0), constant("high", 100))
    if members > 1:
        add("ReduceMean", clipped, output="vmaf", axes=[1], keepdims=0)
    else:
        constants.append(numpy_helper.from_array(np.array([1]), "axis"))
        add("Squeeze", clipped, "axis", output="vmaf")
    given = [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", features])]
    if block:
        given.append(helper.make_tensor_value_info("codec_block", TensorProto.FLOAT, ["N", block]))
    result = [helper.make_tensor_value_info("vmaf", TensorProto.FLOAT, ["N"])]
    graph = helper.make_graph(nodes, "bench", given, result, constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(made.SerializeToString())


def rows_per_second(model: bytes, rows: int, *, block: int = 0, rounds: int = ROUNDS) -> float:
    """Return the best rate over some rounds, in rows per second of CPU time."""
    rng = np.random.default_rng(1)
    feed = {"features": rng.normal(size=(rows, len(CANONICAL6))).astype(np.float32)}
    if block:
        feed["codec_block"] = rng.uniform(size=(rows, block)).astype(np.float32)
    session = open_session(model, "benchmark")
    run_in_batches(session, ["vmaf"], {name: values[:5000] for name, values in feed.items()})
    return rows / _best(lambda: run_in_batches(session, ["vmaf"], feed), rounds)


def library_rows_per_second(rows: int) -> float:
    """Return the rate of ``FrameModel.predict`` on float32 features, with all that it checks of them."""
    width = len(CANONICAL6)
    recipe = get_recipe("fr_regressor_v1")
    training = TrainingFacts(
        recipe=recipe, dataset="random", corpus_sha256=None, rows=1, source_groups=1, source_group_names=("a",), seed=0,
        loso=None,
    )  # fmt: skip
    sidecar = Sidecar(
        id="benchmark", onnx="model.onnx", sha256="0" * 64, opset=17, input_names=("features",), output_names=("vmaf",),
        feature_order=CANONICAL6, feature_mean=(0.0,) * width, feature_std=(1.0,) * width, feature_min=(0.0,) * width,
        feature_max=(1.0,) * width, codec_aware=False, codec_block_layout=(), encoder_vocab=(),
        encoder_vocab_version=None, trained_slots=(), preset_norm_range=None, crf_norm_range=None,
        teacher=recipe.teacher, output_range=recipe.output_range, training=training, gate=None, smoke=False, licence="",
        notes="",
    )  # fmt: skip
    model = FrameModel(open_session(network("gelu_erf", 64), "benchmark"), sidecar)
    features = np.random.default_rng(1).uniform(size=(rows, width)).astype(np.float32)
    model.predict(features[:5000])
    return rows / _best(lambda: model.predict(features), ROUNDS)


def cold_command(rows: int = 5000) -> dict[str, float]:
    """Return CPU and wall seconds of ``vmafcast predict --features`` in a fresh process, the best of five."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        model = network("gelu_erf", 64)
        (place / "model.onnx").write_bytes(model)
        rng = np.random.default_rng(2)
        table = pl.DataFrame({name: rng.uniform(size=rows) for name in CANONICAL6})
        table.write_parquet(place / "table.parquet")
        sidecar = {"id": "benchmark", "sha256": runtime.sha256_bytes(model), "feature_order": list(CANONICAL6)}
        (place / "model.json").write_text(json.dumps(sidecar))
        command = [sys.executable, "-m", "vmafcast.cli.main", "predict", "--features", str(place / "table.parquet")]
        command += ["--model", str(place / "model.onnx"), "--json"]
        figures = []
        for _ in range(5):
            before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - began
            figures.append((after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall))
    return {"cpu_s": min(cpu for cpu, _ in figures), "wall_s": min(wall for _, wall in figures)}


def _best(work: Callable[[], object], rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken)


def main() -> None:
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--sweep", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("bench/prediction.json"))
    chosen = parser.parse_args()
    rates = {
        "canonical": rows_per_second(network("gelu_erf", 64), chosen.rows),
        "canonical, through the library": library_rows_per_second(chosen.rows),
        "codec_aware": rows_per_second(network("gelu_erf", 64, block=BLOCK), chosen.rows, block=BLOCK),
        "ensemble": rows_per_second(network("gelu_erf", 64, members=5), chosen.rows, rounds=3),
    }
    cold = cold_command()
    figures: dict[str, object] = {"rows": chosen.rows, "rows_per_cpu_second": rates, "cold_command": cold}
    for name, rate in rates.items():
        target = f" (asked: {TARGETS[name] / 1e6:.1f})" if name in TARGETS else ""
        print(f"{name}: {rate / 1e6:.2f} million rows per second of one core{target}")
    print(f"a cold `vmafcast predict --features`: {cold['cpu_s']:.2f} s CPU, {cold['wall_s']:.2f} s wall (asked: 0.70)")
    if chosen.sweep:
        sweep = {
            f"{activation} {width}": rows_per_second(network(activation, width), chosen.rows, rounds=3)
            for activation in ACTIVATIONS
            for width in WIDTHS
        }
        batches = {}
        kept = runtime.BATCH_ROWS
        for size in BATCHES:
            runtime.BATCH_ROWS = size
            batches[str(size)] = rows_per_second(network("gelu_erf", 64), chosen.rows, rounds=3)
        runtime.BATCH_ROWS = kept
        figures |= {"by_activation_and_width": sweep, "by_batch": batches}
        for name, rate in (*sweep.items(), *((f"batches of {size}", rate) for size, rate in batches.items())):
            print(f"{name}: {rate / 1e6:.2f} million rows per second of one core")
    figures |= {"code_version": code_version(), "host": host_facts()}
    write_text(chosen.out, json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
