"""Trained networks: their parameters as plain arrays, and what they predict."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from vmafcast.common.errors import DataError
from vmafcast.models.network import Activation, Layer, Parameters, forward

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from vmafcast.models.recipe import Recipe
    from vmafcast.models.scaling import Scaler

_VALUES_AT_ONCE = 1 << 22
"""Hidden values of one layer, over networks and rows, that a prediction holds at once: 16 MiB."""

_FEWEST_ROWS = 64


@dataclass(frozen=True, eq=False)
class Member:
    """One network of a training.

    Attributes
    ----------
    rows
        bool [N]: which rows it may learn from. The recipe's frame stride thins them out further.
    seed
        Decides its initial weights and the order of its rows.
    codec_aware
        Whether it is shown the codec block. A blind network has the same shape, with zeros in its place.
    """

    rows: NDArray[np.bool_]
    seed: int
    codec_aware: bool


@dataclass(frozen=True, eq=False)
class TrainedMembers:
    """M trained networks of one recipe.

    Attributes
    ----------
    recipe
        How they were trained.
    members
        What each was trained on.
    scalers
        Each network's own scaler.
    parameters
        The layers, stacked: ``weight`` [M, inputs, outputs]. The weights of inputs that took one value only
        in training, and of the whole codec block of a blind network, are zero: nothing was learnt of them.
    trained_slots
        For each network, the slots of the vocabulary that it saw rows of.
    rows_learnt
        For each network, how many rows it learnt from.
    """

    recipe: Recipe
    members: tuple[Member, ...]
    scalers: tuple[Scaler, ...]
    parameters: Parameters
    trained_slots: tuple[tuple[str, ...], ...]
    rows_learnt: tuple[int, ...]

    def __len__(self) -> int:
        """Return M."""
        return len(self.members)

    def select(self, which: Sequence[int]) -> TrainedMembers:
        """Return some of the networks, in the order asked for."""
        at = np.asarray(which, dtype=np.intp)
        return TrainedMembers(
            recipe=self.recipe,
            members=tuple(self.members[i] for i in which),
            scalers=tuple(self.scalers[i] for i in which),
            parameters=tuple(
                Layer(np.asarray(layer.weight)[at], np.asarray(layer.bias)[at]) for layer in self.parameters
            ),
            trained_slots=tuple(self.trained_slots[i] for i in which),
            rows_learnt=tuple(self.rows_learnt[i] for i in which),
        )

    def predict(self, features: NDArray[np.float32], block: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Return what every network predicts for every row: float32 [M, N] within the recipe's range.

        Parameters
        ----------
        features
            float32 [N, F] in the recipe's order, not scaled.
        block
            float32 [N, B], the codec block in the recipe's vocabulary; None stands for zeros, which say
            that nothing is known of the encode.

        Raises
        ------
        DataError
            A width is not the recipe's.
        """
        width = self.scalers[0].low.size - self.scalers[0].mean.size
        if block is None:
            block = np.zeros((len(features), width), dtype=np.float32)
        if features.shape[1:] != self.scalers[0].mean.shape or block.shape != (len(features), width):
            raise DataError(
                f"the networks take features [N, {self.scalers[0].mean.size}] and a codec block "
                f"[N, {width}], not {features.shape} and {block.shape}"
            )
        inputs = np.concatenate([features, block], axis=1, dtype=np.float32)
        scale = _scale(self.scalers, width)
        program = _prediction_program(self.recipe.activation, self.recipe.output_range)
        parts = [np.zeros((len(self), 0), dtype=np.float32)]
        at_once = _rows_at_once(len(inputs), len(self) * self.recipe.hidden)
        for begin in range(0, len(inputs), at_once):
            part = inputs[begin : begin + at_once]
            # Padding to a few fixed sizes keeps the number of compilations small.
            padded = np.pad(part, ((0, at_once - len(part)), (0, 0)))
            predicted = program(self.parameters, scale, padded)
            parts.append(np.asarray(predicted)[:, : len(part)])
        return np.concatenate(parts, axis=1)


def input_scale(scalers: Sequence[Scaler], block_width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and std of all inputs, float32 [M, F + B]; the codec block is not scaled."""
    padding = (0, block_width)
    mean = np.stack([np.pad(scaler.mean, padding) for scaler in scalers])
    std = np.stack([np.pad(scaler.std, padding, constant_values=1.0) for scaler in scalers])
    return mean, std


class _Scale(NamedTuple):
    """The scalers of M networks, stacked; the codec block of width B is left as it is."""

    floor: NDArray[np.float32]  # [M, F + B]
    ceiling: NDArray[np.float32]  # [M, F + B]
    mean: NDArray[np.float32]  # [M, F + B]
    std: NDArray[np.float32]  # [M, F + B]
    target_mean: NDArray[np.float32]  # [M]
    target_std: NDArray[np.float32]  # [M]


def _scale(scalers: Sequence[Scaler], block_width: int) -> _Scale:
    beyond = (0, block_width)
    mean, std = input_scale(scalers, block_width)
    return _Scale(
        floor=np.stack([np.pad(scaler.floor, beyond, constant_values=-np.inf) for scaler in scalers]),
        ceiling=np.stack([np.pad(scaler.ceiling, beyond, constant_values=np.inf) for scaler in scalers]),
        mean=mean,
        std=std,
        target_mean=np.array([scaler.target_mean for scaler in scalers]),
        target_std=np.array([scaler.target_std for scaler in scalers]),
    )


def _rows_at_once(rows: int, values_per_row: int) -> int:
    most = max(_FEWEST_ROWS, _VALUES_AT_ONCE // values_per_row)
    wanted = min(rows, most)
    return int(max(_FEWEST_ROWS, 1 << (wanted - 1).bit_length())) if wanted else _FEWEST_ROWS


@lru_cache(maxsize=16)
def _prediction_program(
    activation: Activation, output_range: tuple[float, float]
) -> Callable[[Parameters, _Scale, NDArray[np.float32]], jax.Array]:
    def one(parameters: Parameters, scale: _Scale, inputs: jax.Array) -> jax.Array:
        scaled = (jnp.clip(inputs, scale.floor, scale.ceiling) - scale.mean) / scale.std
        raw = forward(parameters, scaled, activation)
        return jnp.clip(raw * scale.target_std + scale.target_mean, *output_range)

    return jax.jit(jax.vmap(one, in_axes=(0, 0, None)))
