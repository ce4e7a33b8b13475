from __future__ import annotations

import pytest
from pydantic import ValidationError

from vmafcast.common.errors import RequestError
from vmafcast.common.feature_names import LITE
from vmafcast.models.recipe import RECIPES, Recipe, get_recipe


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_survives_json(name):
    recipe = get_recipe(name)
    assert recipe.name == name
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe
    assert hash(recipe) == hash(Recipe.model_validate(recipe.model_dump()))


def test_the_shipped_recipes_are_as_they_are_described():
    assert get_recipe("fr_regressor_v1").vocabulary is None
    assert get_recipe("fr_regressor_v3").vocabulary == "v3"
    assert get_recipe("fr_regressor_v4").vocabulary == get_recipe("fr_regressor_lite").vocabulary == "v4"
    assert get_recipe("fr_regressor_lite").feature_order == LITE
    for name in ("fr_regressor_v3", "fr_regressor_v4", "fr_regressor_lite"):
        assert get_recipe(name).unknown_share > 0
        assert get_recipe(name).unset_share > 0


def test_the_published_training_is_kept_to_the_letter():
    published = get_recipe("fr_regressor_v3_reference")
    assert (published.hidden, published.depth, published.activation) == (64, 2, "gelu_erf")
    assert (published.dropout, published.optimiser, published.weight_decay) == (0.1, "adam_coupled_l2", 1e-5)
    assert (published.learning_rate, published.schedule) == (5e-4, "constant")
    assert (published.epochs, published.batch_size, published.frame_stride) == (200, 32, 1)
    assert not published.standardise_target
    assert not published.censored_loss
    assert published.range_margin is None
    first = get_recipe("fr_regressor_v1_reference")
    assert (first.optimiser, first.learning_rate, first.epochs, first.batch_size) == ("adamw", 1e-3, 30, 256)


def test_the_blind_twin_differs_by_the_codec_block_alone():
    recipe = get_recipe("fr_regressor_lite")
    twin = recipe.blind()
    assert not twin.codec_aware
    changed = {name for name in Recipe.model_fields if getattr(twin, name) != getattr(recipe, name)}
    assert changed == {"vocabulary", "unknown_share", "unset_share"}


def test_an_unknown_recipe_lists_those_there_are():
    with pytest.raises(RequestError, match=r"fr_regressor_v5.*fr_regressor_v1"):
        get_recipe("fr_regressor_v5")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"feature_order": ("a", "a")}, "twice"),
        ({"feature_order": ()}, "at least 1"),
        ({"output_range": (100, 0)}, "lower to the higher"),
        ({"vocabulary": "v9"}, "vocabulary must be one of"),
        ({"vocabulary": "v1"}, "unknown by zeros"),
        ({"unknown_share": 0.1}, "codec-blind"),
        ({"vocabulary": "v4", "unknown_share": 0.6, "unset_share": 0.5}, "no row"),
        ({"learning_rate": 0}, "greater than 0"),
        ({"learning_rate": float("nan")}, "finite"),
        ({"dropout": 1.0}, "less than 1"),
        ({"epochs": 0}, "greater than or equal to 1"),
        ({"range_margin": -0.1}, "greater than or equal to 0"),
        ({"name": "../x"}, "pattern"),
        ({"unheard_of": 1}, "Extra inputs"),
    ],
)
def test_a_recipe_that_cannot_be_meant_is_refused(changes, says):
    facts = {"name": "r", "feature_order": ("a",), "teacher": "t"}
    with pytest.raises(ValidationError, match=says):
        Recipe.model_validate({**facts, **changes})
