from __future__ import annotations

import pytest
from pydantic import ValidationError

from vmafcast.common.errors import RequestError
from vmafcast.common.feature_names import ACTIVITY, LITE, SOURCE
from vmafcast.encoders.vocabulary import VOCABULARIES
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
    for name in ("fr_regressor_lite", "fr_regressor_lite_psnr"):
        assert set(get_recipe(name).feature_order) < {*LITE, *ACTIVITY, *SOURCE}
    for name in ("fr_regressor_v3", "fr_regressor_v4", "fr_regressor_lite", "fr_regressor_lite_psnr"):
        assert get_recipe(name).unknown_share > 0
        assert get_recipe(name).unset_share > 0


IDENTITY = {"name", "feature_order", "teacher", "output_range", "vocabulary"}
PUBLISHED = {
    "hidden": 64, "depth": 2, "activation": "gelu_erf", "dropout": 0.1, "optimiser": "adam_coupled_l2",
    "learning_rate": 5e-4, "weight_decay": 1e-5, "epochs": 200, "batch_size": 32, "schedule": "constant",
    "frame_stride": 1, "standardise_target": False, "censored_loss": False, "range_margin": None,
    "unknown_share": 0.0, "unset_share": 0.0,
}  # fmt: skip
PUBLISHED_V1 = {**PUBLISHED, "optimiser": "adamw", "learning_rate": 1e-3, "epochs": 30, "batch_size": 256}
REFERENCES = [name for name in RECIPES if name.endswith("_reference")]


def test_every_recipe_has_its_reference_form():
    assert {f"{name}_reference" for name in RECIPES if name not in REFERENCES} == set(REFERENCES)


@pytest.mark.parametrize("name", REFERENCES)
def test_the_published_training_is_kept_to_the_letter(name):
    """Field by field: a field that is added to the recipe has to say here what it was in the published training."""
    published = get_recipe(name)
    training = {field: getattr(published, field) for field in Recipe.model_fields if field not in IDENTITY}
    assert training == (PUBLISHED_V1 if name == "fr_regressor_v1_reference" else PUBLISHED)
    ours = get_recipe(name.removesuffix("_reference"))
    same = {field for field in IDENTITY - {"name"} if getattr(published, field) == getattr(ours, field)}
    assert same == IDENTITY - {"name"}


@pytest.mark.parametrize(
    ("name", "width"),
    [("fr_regressor_v2", 15), ("fr_regressor_v3", 18), ("fr_regressor_v4", 25), ("fr_regressor_lite", 25)],
)
def test_the_codec_blocks_have_the_documented_widths(name, width):
    for each in (name, f"{name}_reference"):
        assert VOCABULARIES[get_recipe(each).vocabulary].width == width


def test_v2_is_the_documented_layout_in_which_svt_av1_has_no_slot():
    vocabulary = VOCABULARIES[get_recipe("fr_regressor_v2").vocabulary]
    assert vocabulary.slots == VOCABULARIES["v3"].slots[:13]
    assert not vocabulary.holds("libsvtav1")
    assert vocabulary.index("libvvenc") == 12


def test_the_blind_twin_differs_by_the_codec_block_alone():
    recipe = get_recipe("fr_regressor_lite")
    twin = recipe.blind()
    assert not twin.codec_aware
    changed = {name for name in Recipe.model_fields if getattr(twin, name) != getattr(recipe, name)}
    assert changed == {"vocabulary", "unknown_share", "unset_share"}


def test_the_lite_recipe_that_is_told_nothing_is_the_blind_twin_of_that_with_psnr():
    assert get_recipe("fr_regressor_lite_blind") == get_recipe("fr_regressor_lite_psnr").blind().model_copy(
        update={"name": "fr_regressor_lite_blind"}
    )


def test_all_that_lite_measures_of_an_encode_is_ssim():
    of_the_source = {"motion2", *ACTIVITY, *SOURCE}
    assert set(get_recipe("fr_regressor_lite").feature_order) - of_the_source == {"ssim"}


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
