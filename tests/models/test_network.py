from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vmafcast.models.network import Layer, activate, forward, initial_parameters

GRID = np.linspace(-30, 30, 4001, dtype=np.float32)
EXACT_GELU = GRID * 0.5 * (1 + np.vectorize(math.erf)(GRID.astype(np.float64) / math.sqrt(2)))


def test_gelu_is_the_exact_one():
    assert np.abs(np.asarray(activate(jnp.asarray(GRID), "gelu_erf")) - EXACT_GELU).max() < 4e-6


def test_the_tanh_approximation_would_be_told_apart():
    assert np.abs(np.asarray(jax.nn.gelu(jnp.asarray(GRID), approximate=True)) - EXACT_GELU).max() > 4e-4


def test_silu_is_x_times_its_sigmoid():
    x = np.linspace(-8, 8, 33, dtype=np.float32)
    assert np.allclose(activate(jnp.asarray(x), "silu"), x / (1 + np.exp(-x)), atol=1e-6)


def test_forward_is_dense_layers_with_activations_between():
    parameters = initial_parameters((0, 7), 3, 5, 2)
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    wanted = x.astype(np.float64)
    for number, (weight, bias) in enumerate(parameters):
        wanted = wanted @ weight + bias
        if number < 2:
            wanted = wanted * 0.5 * (1 + np.vectorize(math.erf)(wanted / math.sqrt(2)))
    found = forward(parameters, jnp.asarray(x), "gelu_erf")
    assert found.shape == (4,)
    assert np.allclose(found, wanted[:, 0], atol=1e-5)


def test_initial_parameters_depend_on_the_seed_alone_and_keep_their_bounds():
    one, same, other = (initial_parameters((0, seed), 31, 64, 2) for seed in (1, 1, 2))
    assert [layer.weight.shape for layer in one] == [(31, 64), (64, 64), (64, 1)]
    for layer, twin, stranger in zip(one, same, other, strict=True):
        assert np.array_equal(layer.weight, twin.weight)
        assert not np.array_equal(layer.weight, stranger.weight)
        bound = layer.weight.shape[0] ** -0.5
        assert np.abs(layer.weight).max() <= bound
        assert np.abs(layer.bias).max() <= bound
        assert layer.weight.dtype == layer.bias.dtype == np.float32


def test_dropout_leaves_the_mean_where_it_was():
    ones = Layer(np.ones((1, 4000), dtype=np.float32), np.zeros(4000, dtype=np.float32))
    last = Layer(np.full((4000, 1), 1 / 4000, dtype=np.float32), np.zeros(1, dtype=np.float32))
    x = jnp.full((1, 1), 6.0)
    kept = float(forward((ones, last), x, "silu")[0])
    dropped = float(forward((ones, last), x, "silu", dropout=0.25, key=jax.random.key(0))[0])
    assert dropped != kept
    assert dropped == pytest.approx(kept, rel=0.05)
