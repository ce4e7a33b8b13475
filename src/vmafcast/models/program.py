"""What runs on the device: one step of M networks at once, and an epoch of such steps without leaving it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import optax

from vmafcast.models.batches import TOLD, UNSET
from vmafcast.models.design import SETTINGS
from vmafcast.models.network import Parameters, forward

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmafcast.models.recipe import Recipe


class State(NamedTuple):
    """What a step changes: the parameters of M networks, stacked, and the optimiser's moments of them."""

    parameters: Parameters
    optimiser: optax.OptState


class Data(NamedTuple):
    """What stays on the device: all rows once, and what differs between the networks."""

    inputs: jax.Array  # [N, D]
    target: jax.Array  # [N]
    mean: jax.Array  # [M, D]
    std: jax.Array  # [M, D]
    shown: jax.Array  # [M, D], 0 hides an input from a network
    target_scale: jax.Array  # [M, 2], mean and std
    keys: jax.Array  # [M], for dropout


class Steps(NamedTuple):
    """An epoch: what differs between the steps."""

    rows: jax.Array  # int [steps, M, size]
    omitted: jax.Array  # int [steps, M, size]
    rate: jax.Array  # [steps]
    number: jax.Array  # int [steps]


def make_optimiser(recipe: Recipe) -> optax.GradientTransformation:
    """Return what turns gradients into directions; the learning rate comes with each step."""
    decay = optax.add_decayed_weights(recipe.weight_decay)
    adam = optax.scale_by_adam()
    return optax.chain(decay, adam) if recipe.optimiser == "adam_coupled_l2" else optax.chain(adam, decay)


def learning_rates(recipe: Recipe, steps: int) -> jax.Array:
    """Return the learning rate of every step, float32 [steps]."""
    if recipe.schedule == "constant":
        return jnp.full(steps, recipe.learning_rate)
    # optax cannot divide a cycle of one or two steps into its phases.
    cycle = optax.cosine_onecycle_schedule(max(steps, 4), recipe.learning_rate)
    # Compiled as one: operation by operation it takes as many programs, and longer than a small training.
    return jnp.asarray(jax.jit(jax.vmap(cycle))(jnp.arange(steps)))


@lru_cache(maxsize=8)
def epoch_program(recipe: Recipe) -> Callable[[State, Data, Steps], tuple[State, jax.Array]]:
    """Return the compiled epoch: it takes the state, the data and the steps, and gives the losses too."""
    optimiser = make_optimiser(recipe)
    low, high = recipe.output_range
    features = len(recipe.feature_order)

    def loss(
        parameters: Parameters, inputs: jax.Array, wanted: jax.Array, scale: jax.Array, key: jax.Array
    ) -> jax.Array:
        raw = forward(parameters, inputs, recipe.activation, dropout=recipe.dropout, key=key)
        error = raw - (wanted - scale[0]) / scale[1]
        if recipe.censored_loss:
            beyond = ((wanted >= high) & (error > 0)) | ((wanted <= low) & (error < 0))
            error = jnp.where(beyond, 0.0, error)
        return jnp.mean(error * error)

    def losses(
        parameters: Parameters, data: Data, inputs: jax.Array, rows: jax.Array, keys: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        each = jax.vmap(loss)(parameters, inputs, data.target[rows], data.target_scale, keys)
        # The networks share nothing, so the gradient of the sum holds the gradient of each.
        return each.sum(), each

    def step(data: Data, state: State, now: Steps) -> tuple[State, jax.Array]:
        inputs = (data.inputs[now.rows] - data.mean[:, None]) / data.std[:, None] * data.shown[:, None]
        inputs = _leave_out(inputs, now.omitted, features)
        keys = jax.vmap(jax.random.fold_in, in_axes=(0, None))(data.keys, now.number)
        gradient, each = jax.grad(losses, has_aux=True)(state.parameters, data, inputs, now.rows, keys)
        direction, moments = optimiser.update(gradient, state.optimiser, state.parameters)
        moved = jax.tree.map(lambda value, change: value - now.rate * change, state.parameters, direction)
        return State(moved, moments), each

    def epoch(state: State, data: Data, steps: Steps) -> tuple[State, jax.Array]:
        return jax.lax.scan(lambda carried, now: step(data, carried, now), state, steps)

    return jax.jit(epoch, donate_argnums=0)


def _leave_out(inputs: jax.Array, omitted: jax.Array, features: int) -> jax.Array:
    """Return ``inputs`` [M, size, D] without the one-hot, or the whole codec block, of the rows that say so."""
    column = jnp.arange(inputs.shape[-1])
    is_setting = column >= inputs.shape[-1] - len(SETTINGS)
    tolerated = jnp.where(column < features, UNSET, jnp.where(is_setting, UNSET - 1, TOLD))
    return jnp.where(omitted[..., None] <= tolerated, inputs, 0.0)
