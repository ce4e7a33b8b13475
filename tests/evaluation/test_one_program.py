"""However many seeds and folds there are, one program trains them all."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import numpy as np
import pytest

from vmafcast.evaluation.loso import evaluate_loso
from vmafcast.models.recipe import Recipe
from vmafcast.models.trained import Member
from vmafcast.models.training import train_members

COMPILED = "/jax/core/compile/backend_compile_duration"
"""What jax calls the compilation of a program."""


@pytest.fixture
def compiled() -> Iterator[list[str]]:
    """The names of the programs that are compiled while the test runs."""
    names: list[str] = []
    listening = True

    def listen(event: str, _: float, **facts: str) -> None:
        if listening and event == COMPILED:
            names.append(str(facts.get("fun_name")))

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield names
    listening = False


def test_five_seeds_of_every_fold_are_one_compiled_program(compiled, make_rows, small_recipe):
    rows = make_rows()
    # A recipe that no other test trains: its program cannot have been compiled before.
    recipe = Recipe.model_validate({**small_recipe.model_dump(), "hidden": small_recipe.hidden + 3, "epochs": 3})
    result = evaluate_loso(recipe, rows, range(5), final_seeds=range(5))
    assert compiled.count("jit(epoch)") == 1
    assert len(result.final) == 5
    assert result.predictions.shape == (5, len(rows))
    assert np.isfinite(result.untold_predictions).all()
    compiled.clear()
    evaluate_loso(recipe, rows, range(5), final_seeds=range(5))
    assert "jit(epoch)" not in compiled


def test_what_the_networks_say_when_told_nothing_is_what_they_say_of_a_block_of_zeros(make_rows, small_recipe):
    rows = make_rows()
    result = evaluate_loso(small_recipe, rows, (0,))
    fold = result.folds[1]
    judge = train_members(small_recipe, rows, [Member(fold.train, 0, True)])
    [alone] = judge.predict(rows.features[fold.test].astype(np.float32))
    assert np.allclose(result.untold_predictions[0, fold.test], alone, atol=0.05)
    assert not np.allclose(result.untold_predictions, result.predictions, atol=1e-3)
    blind = Recipe.model_validate(
        {**small_recipe.model_dump(), "vocabulary": None, "unknown_share": 0.0, "unset_share": 0.0}
    )
    assert evaluate_loso(blind, rows, (0,)).untold_predictions is None
