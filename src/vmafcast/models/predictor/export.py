"""Writing a predictor as ONNX: one file, measurements and a request in, VMAF and log bitrate out.

The nodes mirror :meth:`vmafcast.models.predictor.model.EncodePredictor.coefficients` and the basis, in the same order.
Columns are picked by dense layers of ones and zeros, which is exact, so that no further operator is needed.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from vmafcast.common.errors import DataError
from vmafcast.models.onnx_graph import Graph
from vmafcast.models.predictor.scale import MARGIN, from_logit
from vmafcast.models.runtime import open_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from vmafcast.models.predictor.basis import QualityBasis
    from vmafcast.models.predictor.heads import Head
    from vmafcast.models.predictor.inputs import InputLayout
    from vmafcast.models.predictor.model import EncodePredictor
    from vmafcast.models.predictor.process import GaussianProcess

INPUT: Final = "input"
OUTPUTS: Final = ("vmaf", "log_kbps")
TOLERANCE: Final = 0.02
"""The largest difference between the file and the predictor: in VMAF, and in per cent of the bitrate."""

_KILO = float(np.log(1000.0))


def predictor_bytes(predictor: EncodePredictor, layout: InputLayout) -> bytes:
    """Return the ONNX file of a predictor.

    The input is ``input`` [N, F], float32, with the columns of ``layout``; the outputs are ``vmaf`` [N] in [0, 100],
    and ``log_kbps`` [N], the natural logarithm of the bitrate in 1000 bits per second. The same predictor gives the
    same bytes.
    """
    return _Writer(predictor, layout).write()


def check_round_trip(
    data: bytes, predictor: EncodePredictor, layout: InputLayout, rows: NDArray[np.float64]
) -> tuple[float, float]:
    """Return the largest differences between a file and its predictor on ``rows`` [N, F]: VMAF, and log bitrate.

    Raises
    ------
    DataError
        They differ by more than :data:`TOLERANCE`, or the file cannot be run.
    """
    vmaf, log_kbps = open_session(data, "the exported predictor").run(list(OUTPUTS), {INPUT: rows.astype(np.float32)})
    wanted_vmaf, wanted_log = evaluate(predictor, layout, rows.astype(np.float32).astype(np.float64))
    off = float(np.abs(vmaf - wanted_vmaf).max()), float(np.abs(log_kbps - wanted_log).max())
    # Written so that a NaN on either side is refused too.
    if not (off[0] <= TOLERANCE and off[1] <= TOLERANCE / 100):
        raise DataError(f"the exported predictor is off by {off[0]:.3g} VMAF and {off[1]:.3g} in the log bitrate")
    return off


def evaluate(
    predictor: EncodePredictor, layout: InputLayout, rows: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return VMAF and log bitrate [N] of the input ``rows`` [N, F], as the file does, in float64."""
    plain, columns = len(layout.plain), layout.columns
    preset, quality = rows[:, columns.index("preset_norm")], rows[:, columns.index("quality_norm")]
    given = rows[:, columns.index("probe_given")][:, None, None]
    without = predictor.coefficients(rows[:, :plain], preset, probed=False)
    with_probe = predictor.coefficients(rows[:, layout.probed_columns], preset, probed=True)
    curves = without + given * (with_probe - without)
    values = np.einsum("ncs,ns->cn", curves, predictor.basis(quality))
    size = rows[:, columns.index("log_pixels")] + rows[:, columns.index("log_fps")]
    return from_logit(values[0]), values[1] + size - _KILO


class _Writer:
    def __init__(self, predictor: EncodePredictor, layout: InputLayout) -> None:
        self.predictor = predictor
        self.layout = layout
        self.graph = Graph()
        self.width = len(layout.columns)
        self.kernels: dict[tuple[str | bytes, ...], tuple[str, str]] = {}

    def write(self) -> bytes:
        size = self.predictor.basis.size
        without = self._variant(self.predictor.plain, np.arange(len(self.layout.plain)), "plain")
        with_probe = self._variant(self.predictor.probed, self.layout.probed_columns, "probed")
        gain = self.graph.add("Sub", with_probe, without)
        given = self._pick(["probe_given"])
        curves = self.graph.add("Add", without, self.graph.add("Mul", gain, given))
        basis = self._basis(self.predictor.basis)
        values = []
        for curve, name in enumerate(("vmaf", "bits")):
            picked = np.eye(2 * size)[:, curve * size : (curve + 1) * size]
            coefficients = self._rising(self._dense(curves, picked, f"pick_{name}"), size)
            terms = self.graph.add("Mul", coefficients, basis)
            values.append(self._dense(terms, np.ones((size, 1)), "sum_of_terms"))
        return self._finish(*values)

    def _variant(self, heads: Sequence[Head], columns: NDArray[np.intp], name: str) -> str:
        """Add the mixture of the presets' coefficients [N, 2 size]."""
        features = self._dense(INPUT, np.eye(self.width)[:, columns], f"pick_{name}")
        made = [self._head(head, features, f"{name}_{place}") for place, head in enumerate(heads)]
        if len(made) == 1:
            return made[0]
        places = self.predictor.places
        wanted = self._pick(["preset_norm"])
        mixed = made[0]
        # Along the presets, every step adds its share of the way to the next one: 0 before it, 1 beyond it.
        for step, (one, other) in enumerate(pairwise(places)):
            way = self.graph.add("Sub", wanted, self._number(f"preset_{step}", one))
            way = self.graph.add("Mul", way, self._number(f"preset_scale_{step}", 1.0 / (other - one)))
            way = self.graph.add("Clip", way, self._scalar("zero", 0.0), self._scalar("one", 1.0))
            difference = self.graph.add("Sub", made[step + 1], made[step])
            mixed = self.graph.add("Add", mixed, self.graph.add("Mul", difference, way))
        return mixed

    def _head(self, head: Head, features: str, name: str) -> str:
        """Add one preset's coefficients of both curves [N, 2 size]: smooth part, linear part and average."""
        first = head.processes[0]
        scaled, kernel = self._kernel(first, features, name)
        weights = [process.weights.T @ ways for process, ways in zip(head.processes, head.ways, strict=True)]
        both = np.concatenate(weights, axis=1)
        smooth = self._dense(kernel, both, f"weights_{name}", head.average.ravel())
        widths = np.array(first.blocks)
        shares = np.repeat(np.array(first.shape.linear) / widths, widths)
        return self.graph.add("Add", smooth, self._dense(scaled, (first.rows * shares).T @ both, f"slope_{name}"))

    def _kernel(self, process: GaussianProcess, features: str, name: str) -> tuple[str, str]:
        """Add the scaled features [N, F] and how near they are to each row [N, rows], once for all that share them.

        Both curves of a preset do, and presets do that were learnt from the same sources.
        """
        widths = np.array(process.blocks)
        stretch = np.repeat(1.0 / (np.array(process.shape.lengths) * np.sqrt(widths)), widths)
        rows = process.rows * stretch
        told = (process.low, process.high, process.mean, process.std, process.turn, rows, stretch)
        key = (features, *(values.tobytes() for values in told))
        if key not in self.kernels:
            held = self.graph.add("Max", features, self._row(f"low_{name}", process.low))
            held = self.graph.add("Min", held, self._row(f"high_{name}", process.high))
            centred = self.graph.add("Sub", held, self._row(f"mean_{name}", process.mean))
            scaled = self._dense(centred, process.turn / process.std[:, None], f"turn_{name}")
            near = self.graph.add("Mul", scaled, self._row(f"stretch_{name}", stretch))
            squares = self._dense(self.graph.add("Mul", near, near), np.ones((len(stretch), 1)), f"ones_{name}")
            crossed = self._dense(near, -2.0 * rows.T, f"rows_{name}", (rows**2).sum(axis=1))
            zero = self._row("zero_row", np.zeros(1))
            distance = self.graph.add("Max", self.graph.add("Add", crossed, squares), zero)
            kernel = self.graph.add("Exp", self.graph.add("Mul", distance, self._row("minus_half", np.array([-0.5]))))
            self.kernels[key] = scaled, kernel
        return self.kernels[key]

    def _rising(self, coefficients: str, size: int) -> str:
        """Level every fall: the largest of each and all before it, by doubling steps."""
        step = 1
        while step < size:
            earlier = np.maximum(np.arange(size) - step, 0)
            shifted = self._dense(coefficients, np.eye(size)[:, earlier], f"earlier_{step}")
            coefficients = self.graph.add("Max", coefficients, shifted)
            step *= 2
        return coefficients

    def _basis(self, basis: QualityBasis) -> str:
        """Add the values [N, size] of the basis at the wanted quality."""
        at = np.array(basis.breaks)
        place = self._pick(["quality_norm"])
        into = self.graph.add("Sub", place, self._row("breaks", at[:-1]))
        into = self.graph.add("Max", into, self._row("zero_row", np.zeros(1)))
        into = self.graph.add("Min", into, self._row("pieces", np.diff(at)))
        below = self.graph.add("Sub", place, self._row("first_break", at[:1]))
        below = self.graph.add("Min", below, self._row("zero_row", np.zeros(1)))
        above = self.graph.add("Sub", place, self._row("last_break", at[-1:]))
        above = self.graph.add("Max", above, self._row("zero_row", np.zeros(1)))
        steps = self.graph.add("Concat", into, self.graph.add("Mul", into, into), below, above, axis=1)
        return self._dense(steps, basis.matrix, "basis", np.eye(basis.size)[0])

    def _finish(self, logit: str, log_bits: str) -> bytes:
        graph = self.graph
        share = graph.add("Sigmoid", logit)
        score = graph.add("Mul", share, self._row("span", np.array([100.0 + 2 * MARGIN])))
        score = graph.add("Sub", score, self._row("margin", np.array([MARGIN])))
        score = graph.add("Clip", score, self._scalar("zero", 0.0), self._scalar("hundred", 100.0))
        size = self._dense(INPUT, self._columns(["log_pixels", "log_fps"]).sum(axis=1, keepdims=True), "size")
        rate = graph.add("Sub", graph.add("Add", log_bits, size), self._row("log_1000", np.array([_KILO])))
        axis = graph.constant("last_axis", np.array([1], dtype=np.int64))
        for value, name in zip((score, rate), OUTPUTS, strict=True):
            graph.add("Squeeze", value, axis, output=name)
        return graph.finish(
            f"predictor_{self.predictor.encoder}", [(INPUT, self.width)], [(name, ["N"]) for name in OUTPUTS]
        )

    def _columns(self, names: Sequence[str]) -> NDArray[np.float64]:
        return np.eye(self.width)[:, [self.layout.columns.index(name) for name in names]]

    def _pick(self, names: Sequence[str]) -> str:
        return self._dense(INPUT, self._columns(names), f"pick_{'_'.join(names)}")

    def _dense(
        self, inputs: str, weight: NDArray[np.float64], name: str, bias: NDArray[np.float64] | None = None
    ) -> str:
        held = self.graph.constant(f"dense_{name}", weight.astype(np.float32))
        if bias is None:
            return self.graph.add("Gemm", inputs, held)
        return self.graph.add("Gemm", inputs, held, self.graph.constant(f"bias_{name}", bias.astype(np.float32)))

    def _row(self, name: str, values: NDArray[np.float64]) -> str:
        return self.graph.constant(name, values.astype(np.float32))

    def _number(self, name: str, value: float) -> str:
        return self._row(name, np.array([value]))

    def _scalar(self, name: str, value: float) -> str:
        return self.graph.constant(name, np.float32(value))
