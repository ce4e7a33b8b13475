"""The trainer: every network of a recipe, all folds and seeds, in one batched program.

One step takes a batch of each of M networks, gathered from the one copy of the rows that lies on the
device, and updates all of them at once; a ``lax.scan`` runs an epoch of steps without leaving the device.
The host draws the next epoch's row numbers meanwhile. A network's result depends on its own rows, its seed
and the size of the data set, never on which others were trained beside it, but for rounding.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from vmafcast.common.errors import DataError, RequestError
from vmafcast.common.progress import Silent
from vmafcast.encoders.vocabulary import VOCABULARIES
from vmafcast.models.batches import TOLD, UNSET, Batches, Shape, stack_epoch
from vmafcast.models.design import SETTINGS, CodecFacts, Design, build_design
from vmafcast.models.network import Layer, Parameters, forward, initial_parameters
from vmafcast.models.scaling import Scaler, fit_scaler
from vmafcast.models.trained import Member, TrainedMembers, input_scale

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from vmafcast.common.progress import Progress
    from vmafcast.models.recipe import Recipe
    from vmafcast.models.rows import Rows

_WEIGHTS, _BATCHES = 0, 1
"""What a seed is used for; each use has its own stream of numbers."""


class _State(NamedTuple):
    parameters: Parameters
    optimiser: optax.OptState


class _Data(NamedTuple):
    """What stays on the device: all rows once, and what differs between the networks."""

    inputs: jax.Array  # [N, D]
    target: jax.Array  # [N]
    mean: jax.Array  # [M, D]
    std: jax.Array  # [M, D]
    shown: jax.Array  # [M, D], 0 hides an input from a network
    target_scale: jax.Array  # [M, 2], mean and std
    keys: jax.Array  # [M], for dropout


class _Steps(NamedTuple):
    """An epoch: what differs between the steps."""

    rows: jax.Array  # int [steps, M, size]
    omitted: jax.Array  # int [steps, M, size]
    rate: jax.Array  # [steps]
    number: jax.Array  # int [steps]


def train_members(
    recipe: Recipe, rows: Rows, members: Sequence[Member], *, progress: Progress | None = None
) -> TrainedMembers:
    """Train every member in one batched program.

    Parameters
    ----------
    recipe
        How to train.
    rows
        All the rows; each member says which of them are its own.
    members
        The networks to train, at least one.
    progress
        Where to report; one unit is one epoch of one network.

    Returns
    -------
    TrainedMembers
        In the order of ``members``; the same for the same arguments on the same machine.

    Raises
    ------
    DataError
        The rows lack a feature, a target lies outside the recipe's range, a member has no row to learn
        from, or a training diverged.
    RequestError
        A member wants the codec block of a recipe that has none, or its mask does not fit the rows.
    """
    _refuse_unfit(recipe, rows, members)
    design = rows_design(recipe, rows)
    kept = np.flatnonzero(rows.every(recipe.frame_stride))
    chosen = [np.flatnonzero(member.rows[kept]) for member in members]
    if empty := [str(number) for number, own in enumerate(chosen) if not own.size]:
        raise DataError(f"members {', '.join(empty)} have no row to learn from; check the folds")
    thinned = Design(design.features[kept], design.block[kept])
    target = rows.target[kept]
    scalers = tuple(fit_scaler(recipe, thinned, target, own) for own in chosen)
    shown = np.stack([_shown(scaler, member) for scaler, member in zip(scalers, members, strict=True)])
    parameters = _train(recipe, thinned, target, members, chosen, scalers, shown, progress or Silent())
    first = Layer(np.asarray(parameters[0].weight) * shown[:, :, None], parameters[0].bias)
    return TrainedMembers(
        recipe=recipe,
        members=tuple(members),
        scalers=scalers,
        parameters=(first, *parameters[1:]),
        trained_slots=tuple(
            _trained_slots(recipe, scaler) if member.codec_aware else ()
            for scaler, member in zip(scalers, members, strict=True)
        ),
        rows_learnt=tuple(own.size for own in chosen),
    )


def rows_design(recipe: Recipe, rows: Rows) -> Design:
    """Return the design matrix of ``rows`` as ``recipe`` wants it; raises as :func:`build_design` does."""
    vocabulary = None if recipe.vocabulary is None else VOCABULARIES[recipe.vocabulary]
    codec = CodecFacts(rows.encoders, rows.preset_norm, rows.crf_norm)
    return build_design(recipe.feature_order, rows.feature_names, rows.features, vocabulary, codec)


def _refuse_unfit(recipe: Recipe, rows: Rows, members: Sequence[Member]) -> None:
    if not members:
        raise RequestError("there is no network to train; give at least one member")
    low, high = recipe.output_range
    outside = (rows.target < low) | (rows.target > high)
    if outside.any():
        first = int(np.argmax(outside))
        raise DataError(
            f"the target {rows.target[first]} in row {first} lies outside {low} to {high}, "
            f"the range of {recipe.teacher}"
        )
    for number, member in enumerate(members):
        if member.rows.shape != (len(rows),) or member.rows.dtype != np.bool_:
            raise RequestError(f"the mask of member {number} does not fit the {len(rows)} rows")
        if member.codec_aware and not recipe.codec_aware:
            raise RequestError(f"member {number} is codec-aware, and the recipe {recipe.name} has no vocabulary")


def _shown(scaler: Scaler, member: Member) -> NDArray[np.float32]:
    shown = scaler.varies.copy()
    if not member.codec_aware:
        shown[scaler.mean.size :] = False
    return shown.astype(np.float32)


def _trained_slots(recipe: Recipe, scaler: Scaler) -> tuple[str, ...]:
    if recipe.vocabulary is None:
        return ()
    seen = scaler.high[scaler.mean.size : scaler.high.size - len(SETTINGS)] > 0
    return tuple(slot for slot, is_seen in zip(VOCABULARIES[recipe.vocabulary].slots, seen, strict=True) if is_seen)


def _train(
    recipe: Recipe,
    design: Design,
    target: NDArray[np.float32],
    members: Sequence[Member],
    chosen: Sequence[NDArray[np.intp]],
    scalers: tuple[Scaler, ...],
    shown: NDArray[np.float32],
    progress: Progress,
) -> Parameters:
    """Return the stacked parameters after all epochs, as numpy arrays."""
    shape = Shape.of(len(target), recipe.batch_size)
    streams = [
        Batches(
            own,
            (_BATCHES, member.seed),
            shape,
            unknown_share=recipe.unknown_share,
            unset_share=recipe.unset_share,
        )
        for own, member in zip(chosen, members, strict=True)
    ]
    mean, std = input_scale(scalers, design.block.shape[1])
    data = _Data(
        inputs=jnp.asarray(np.concatenate([design.features, design.block], axis=1)),
        target=jnp.asarray(target),
        mean=jnp.asarray(mean),
        std=jnp.asarray(std),
        shown=jnp.asarray(shown),
        target_scale=jnp.asarray([[s.target_mean, s.target_std] for s in scalers], dtype=jnp.float32),
        keys=jax.vmap(jax.random.key)(np.array([member.seed for member in members])),
    )
    parameters = jax.tree.map(
        lambda *leaves: jnp.stack(leaves),
        *(
            initial_parameters((_WEIGHTS, member.seed), shown.shape[1], recipe.hidden, recipe.depth)
            for member in members
        ),
    )
    state = _State(parameters, _optimiser(recipe).init(parameters))
    rates = _rates(recipe, shape.steps * recipe.epochs)
    epoch = _epoch_program(recipe, design.features.shape[1])
    losses = None
    with progress.task(f"training {len(members)} networks", total=recipe.epochs * len(members)) as task:
        for number in range(recipe.epochs):
            rows, omitted = stack_epoch(streams)
            if losses is not None:
                # Dispatch is asynchronous: wait for the epoch before, not for the one just sent.
                losses.block_until_ready()
                task.advance(len(members))
            numbers = jnp.arange(number * shape.steps, (number + 1) * shape.steps)
            steps = _Steps(jnp.asarray(rows), jnp.asarray(omitted), rates[numbers], numbers)
            state, losses = epoch(state, data, steps)
        final = np.asarray(losses)
        task.advance(len(members))
    if not np.isfinite(final).all():
        wrong = int(np.argmin(np.isfinite(final).all(axis=0)))
        raise DataError(f"the training of network {wrong} of {recipe.name} diverged; lower the recipe's learning rate")
    return tuple(Layer(np.asarray(layer.weight), np.asarray(layer.bias)) for layer in state.parameters)


def _optimiser(recipe: Recipe) -> optax.GradientTransformation:
    decay = optax.add_decayed_weights(recipe.weight_decay)
    adam = optax.scale_by_adam()
    return optax.chain(decay, adam) if recipe.optimiser == "adam_coupled_l2" else optax.chain(adam, decay)


def _rates(recipe: Recipe, steps: int) -> jax.Array:
    """Return the learning rate of every step, float32 [steps]."""
    if recipe.schedule == "constant":
        return jnp.full(steps, recipe.learning_rate)
    # optax cannot divide a cycle of one or two steps into its phases.
    cycle = optax.cosine_onecycle_schedule(max(steps, 4), recipe.learning_rate)
    return jnp.asarray(jax.vmap(cycle)(jnp.arange(steps)))


@lru_cache(maxsize=8)
def _epoch_program(recipe: Recipe, features: int) -> Callable[[_State, _Data, _Steps], tuple[_State, jax.Array]]:
    """Return the compiled epoch: it takes the state, the data and the steps, and gives the losses too."""
    optimiser = _optimiser(recipe)
    low, high = recipe.output_range

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
        parameters: Parameters, data: _Data, inputs: jax.Array, rows: jax.Array, keys: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        each = jax.vmap(loss)(parameters, inputs, data.target[rows], data.target_scale, keys)
        # The networks share nothing, so the gradient of the sum holds the gradient of each.
        return each.sum(), each

    def step(data: _Data, state: _State, now: _Steps) -> tuple[_State, jax.Array]:
        inputs = (data.inputs[now.rows] - data.mean[:, None]) / data.std[:, None] * data.shown[:, None]
        inputs = _leave_out(inputs, now.omitted, features)
        keys = jax.vmap(jax.random.fold_in, in_axes=(0, None))(data.keys, now.number)
        gradient, each = jax.grad(losses, has_aux=True)(state.parameters, data, inputs, now.rows, keys)
        direction, moments = optimiser.update(gradient, state.optimiser, state.parameters)
        moved = jax.tree.map(lambda value, change: value - now.rate * change, state.parameters, direction)
        return _State(moved, moments), each

    def epoch(state: _State, data: _Data, steps: _Steps) -> tuple[_State, jax.Array]:
        return jax.lax.scan(lambda carried, now: step(data, carried, now), state, steps)

    return jax.jit(epoch, donate_argnums=0)


def _leave_out(inputs: jax.Array, omitted: jax.Array, features: int) -> jax.Array:
    """Return ``inputs`` [M, size, D] without the one-hot, or the whole codec block, of the rows that say so."""
    column = jnp.arange(inputs.shape[-1])
    is_setting = column >= inputs.shape[-1] - len(SETTINGS)
    tolerated = jnp.where(column < features, UNSET, jnp.where(is_setting, UNSET - 1, TOLD))
    return jnp.where(omitted[..., None] <= tolerated, inputs, 0.0)
