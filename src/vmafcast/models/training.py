"""The trainer: every network of a recipe, all folds and seeds, in one batched program.

One step takes a batch of each of M networks, gathered from the one copy of the rows that lies on the
device, and updates all of them at once; a ``lax.scan`` runs an epoch of steps without leaving the device.
The host draws the next epoch's row numbers meanwhile. A network's result depends on its own rows, its seed
and the size of the data set, never on which others were trained beside it, but for rounding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from vmafcast.common.errors import DataError, RequestError
from vmafcast.common.progress import Silent
from vmafcast.encoders.vocabulary import VOCABULARIES
from vmafcast.models.batches import Batches, Shape, stack_epoch
from vmafcast.models.design import SETTINGS, CodecFacts, Design, build_design
from vmafcast.models.network import Layer, Parameters, initial_parameters
from vmafcast.models.program import Data, State, Steps, epoch_program, learning_rates, make_optimiser
from vmafcast.models.scaling import Scaler, fit_scaler
from vmafcast.models.trained import Member, TrainedMembers, input_scale

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from vmafcast.common.progress import Progress
    from vmafcast.models.recipe import Recipe
    from vmafcast.models.rows import Rows

_WEIGHTS, _BATCHES = 0, 1
"""What a seed is used for; each use has its own stream of numbers."""


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
    thinned = rows.every(recipe.frame_stride)
    chosen = [np.flatnonzero(member.rows & thinned) for member in members]
    if empty := [str(number) for number, learnt in enumerate(chosen) if not learnt.size]:
        raise DataError(f"members {', '.join(empty)} have no row to learn from; check the folds")
    scalers = tuple(
        fit_scaler(recipe, design, rows.target, np.flatnonzero(member.rows), learnt)
        for member, learnt in zip(members, chosen, strict=True)
    )
    shown = np.stack([_shown(scaler, member) for scaler, member in zip(scalers, members, strict=True)])
    shape = Shape.of(int(thinned.sum()), recipe.batch_size)
    streams = [
        Batches(
            learnt,
            (_BATCHES, member.seed),
            shape,
            unknown_share=recipe.unknown_share,
            unset_share=recipe.unset_share,
        )
        for learnt, member in zip(chosen, members, strict=True)
    ]
    data = _on_device(design, rows.target, members, scalers, shown)
    parameters = _train(recipe, data, streams, shape, [member.seed for member in members], progress or Silent())
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
        rows_learnt=tuple(learnt.size for learnt in chosen),
    )


def rows_design(recipe: Recipe, rows: Rows, *, trained: Collection[str] | None = None) -> Design:
    """Return the design matrix of ``rows`` as ``recipe`` wants it; see :func:`build_design`."""
    vocabulary = None if recipe.vocabulary is None else VOCABULARIES[recipe.vocabulary]
    codec = CodecFacts(rows.encoders, rows.preset_norm, rows.crf_norm)
    return build_design(recipe.feature_order, rows.feature_names, rows.features, vocabulary, codec, trained)


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
    return tuple(
        slot
        for slot, is_seen in zip(VOCABULARIES[recipe.vocabulary].slots, scaler.seen[: -len(SETTINGS)], strict=True)
        if is_seen
    )


def _on_device(
    design: Design,
    target: NDArray[np.float32],
    members: Sequence[Member],
    scalers: tuple[Scaler, ...],
    shown: NDArray[np.float32],
) -> Data:
    mean, std = input_scale(scalers, design.block.shape[1])
    return Data(
        inputs=jnp.asarray(np.concatenate([design.features, design.block], axis=1)),
        target=jnp.asarray(target),
        mean=jnp.asarray(mean),
        std=jnp.asarray(std),
        shown=jnp.asarray(shown),
        target_scale=jnp.asarray([[s.target_mean, s.target_std] for s in scalers], dtype=jnp.float32),
        keys=jax.vmap(jax.random.key)(np.array([member.seed for member in members])),
    )


def _train(
    recipe: Recipe,
    data: Data,
    streams: Sequence[Batches],
    shape: Shape,
    seeds: Sequence[int],
    progress: Progress,
) -> Parameters:
    """Return the stacked parameters after all epochs, as numpy arrays."""
    width = data.inputs.shape[1]
    parameters = jax.tree.map(
        lambda *leaves: jnp.asarray(np.stack(leaves)),
        *(initial_parameters((_WEIGHTS, seed), width, recipe.hidden, recipe.depth) for seed in seeds),
    )
    state = State(parameters, make_optimiser(recipe).init(parameters))
    rates = learning_rates(recipe, shape.steps * recipe.epochs)
    epoch = epoch_program(recipe)
    losses = None
    with progress.task(f"training {len(seeds)} networks", total=recipe.epochs * len(seeds)) as task:
        for number in range(recipe.epochs):
            rows, omitted = stack_epoch(streams)
            if losses is not None:
                # Dispatch is asynchronous: wait for the epoch before, not for the one just sent.
                losses.block_until_ready()
                task.advance(len(seeds))
            numbers = jnp.arange(number * shape.steps, (number + 1) * shape.steps)
            steps = Steps(jnp.asarray(rows), jnp.asarray(omitted), rates[numbers], numbers)
            state, losses = epoch(state, data, steps)
        final = np.asarray(losses)
        task.advance(len(seeds))
    if not np.isfinite(final).all():
        wrong = int(np.argmin(np.isfinite(final).all(axis=0)))
        raise DataError(f"the training of network {wrong} of {recipe.name} diverged; lower the recipe's learning rate")
    return tuple(Layer(np.asarray(layer.weight), np.asarray(layer.bias)) for layer in state.parameters)
