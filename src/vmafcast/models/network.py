"""The network: a multilayer perceptron as pure functions of a parameter tree.

:mod:`vmafcast.models.onnx_graph` writes the same operations as ONNX nodes; whoever changes one changes the
other, and the round trip at every export holds them together.
"""

from __future__ import annotations

import logging
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# jax logs at every start that a GPU was found which this build of it cannot use. Training on the processor is
# a choice here, and the command line keeps its error stream for what the user must read.
logging.getLogger("jax._src.xla_bridge").setLevel(logging.ERROR)

Activation = Literal["gelu_erf", "silu"]

SQRT_HALF = float(np.float32(np.sqrt(0.5)))
"""1/sqrt(2) in float32, so that every runtime multiplies by the same number."""


class Layer(NamedTuple):
    """One dense layer: ``weight`` [..., inputs, outputs] and ``bias`` [..., outputs], float32."""

    weight: jax.Array | NDArray[np.float32]
    bias: jax.Array | NDArray[np.float32]


Parameters = tuple[Layer, ...]


def initial_parameters(seed: Sequence[int], inputs: int, hidden: int, depth: int) -> Parameters:
    """Return the initial layers of one network, from inputs to the single output.

    Weights and biases are uniform in +-1/sqrt(inputs of the layer), the default of torch's ``Linear``, with
    which the published regressors were trained. Drawn by numpy, so that a seed means the same everywhere.
    """
    generator = np.random.default_rng(seed)
    widths = (inputs, *([hidden] * depth), 1)
    layers = []
    for fan_in, fan_out in pairwise(widths):
        bound = fan_in**-0.5
        weight = generator.uniform(-bound, bound, (fan_in, fan_out))
        bias = generator.uniform(-bound, bound, fan_out)
        layers.append(Layer(weight.astype(np.float32), bias.astype(np.float32)))
    return tuple(layers)


def activate(x: jax.Array, activation: Activation) -> jax.Array:
    """Return the activation of ``x``: the exact GELU x * (1 + erf(x / sqrt 2)) / 2, or x * sigmoid(x)."""
    if activation == "silu":
        return x * jax.nn.sigmoid(x)
    return x * ((jax.lax.erf(x * SQRT_HALF) + 1.0) * 0.5)


def forward(
    parameters: Parameters,
    inputs: jax.Array,
    activation: Activation,
    *,
    dropout: float = 0.0,
    key: jax.Array | None = None,
) -> jax.Array:
    """Return the output [N] of one network for ``inputs`` [N, D].

    Parameters
    ----------
    dropout, key
        In training: the share of hidden units to switch off, and the random key that says which. The
        others are scaled up, so that serving needs no dropout.
    """
    hidden = inputs
    for number, layer in enumerate(parameters[:-1]):
        # The highest precision keeps accelerators from rounding the factors of a product to fewer bits.
        hidden = jnp.matmul(hidden, layer.weight, precision=jax.lax.Precision.HIGHEST) + layer.bias
        hidden = activate(hidden, activation)
        if key is not None and dropout > 0:
            kept = jax.random.bernoulli(jax.random.fold_in(key, number), 1.0 - dropout, hidden.shape)
            hidden = jnp.where(kept, hidden / (1.0 - dropout), 0.0)
    last = parameters[-1]
    return (jnp.matmul(hidden, last.weight, precision=jax.lax.Precision.HIGHEST) + last.bias)[:, 0]
