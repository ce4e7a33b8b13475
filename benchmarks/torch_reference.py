"""The published training, one network after another in PyTorch: the baseline of :mod:`benchmarks.training`.

It reads the same recipe as the batched trainer (a ``*_reference`` one), the same design matrix and the same folds, and
is written as such scripts are: a standardised matrix on the CPU, a shuffled index, a Python loop over mini-batches.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from vmafcast.models.recipe import Recipe
from vmafcast.models.rows import Rows
from vmafcast.models.training import rows_design


@dataclass(frozen=True)
class TorchFold:
    """What one sequential training took, and what it says of the held-out rows."""

    seconds: float
    predictions: NDArray[np.float32]


def train_fold(recipe: Recipe, rows: Rows, held_out: NDArray[np.bool_], seed: int, threads: int) -> TorchFold:
    """Train one network on the rows that are not held out, and predict those that are."""
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    design = rows_design(recipe, rows)
    began = time.perf_counter()
    mean = design.features[~held_out].mean(axis=0)
    std = design.features[~held_out].std(axis=0)
    std[std == 0] = 1.0
    inputs = torch.from_numpy(np.concatenate([(design.features - mean) / std, design.block], axis=1))
    learnt = inputs[~held_out]
    wanted = torch.from_numpy(rows.target[~held_out])
    network = _network(recipe, inputs.shape[1])
    optimiser = _optimiser(recipe, network)
    loss_of = nn.MSELoss()
    network.train()
    for _ in range(recipe.epochs):
        order = torch.randperm(len(learnt))
        for begin in range(0, len(order), recipe.batch_size):
            batch = order[begin : begin + recipe.batch_size]
            optimiser.zero_grad()
            loss_of(network(learnt[batch]).squeeze(-1), wanted[batch]).backward()
            optimiser.step()
    network.eval()
    with torch.no_grad():
        predictions = network(inputs[held_out]).squeeze(-1).clamp(*recipe.output_range).numpy()
    return TorchFold(time.perf_counter() - began, predictions)


def _network(recipe: Recipe, width: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(recipe.depth):
        layers += [nn.Linear(width, recipe.hidden), nn.GELU(), nn.Dropout(recipe.dropout)]
        width = recipe.hidden
    return nn.Sequential(*layers, nn.Linear(width, 1))


def _optimiser(recipe: Recipe, network: nn.Module) -> torch.optim.Optimizer:
    # torch's Adam couples its L2 with the gradient; its AdamW does not.
    kind = torch.optim.Adam if recipe.optimiser == "adam_coupled_l2" else torch.optim.AdamW
    return kind(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
