from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vmafcast.common.errors import DataError, RequestError
from vmafcast.encoders.vocabulary import VOCABULARIES
from vmafcast.models.network import Layer
from vmafcast.models.program import learning_rates, make_optimiser
from vmafcast.models.recipe import Recipe
from vmafcast.models.trained import Member
from vmafcast.models.training import rows_design, train_members


def error(predicted, wanted):
    return float(np.sqrt(np.mean((predicted - wanted) ** 2)))


def leaves(trained):
    return [np.asarray(array) for layer in trained.parameters for array in layer]


def fast(recipe: Recipe, **changes) -> Recipe:
    return Recipe.model_validate({**recipe.model_dump(), "epochs": 3, **changes})


# ---- what is learnt


def test_a_smooth_function_of_six_features_is_met_nearly_exactly(make_rows, tiny):
    rows = make_rows(groups=6, frames=40)
    recipe = fast(tiny, epochs=60, hidden=32, frame_stride=1, vocabulary=None, unknown_share=0, unset_share=0)
    trained = train_members(recipe, rows, [Member(rows.groups != "clip0", 0, False)])
    held = rows.groups == "clip0"
    predicted = trained.predict(rows_design(recipe, rows).features)[0, held]
    assert error(predicted, rows.target[held]) < 0.5
    assert np.corrcoef(predicted, rows.target[held])[0, 1] > 0.999


def test_the_block_helps_where_the_target_depends_on_the_encoder(trained, tiny, rows):
    design = rows_design(tiny, rows)
    held = rows.groups == "clip5"
    aware, blind = trained.predict(design.features, design.block)[:, held]
    assert error(aware, rows.target[held]) < 2.0
    assert error(blind, rows.target[held]) > 5.0


def test_the_blind_twin_does_not_see_the_block(trained, tiny, rows):
    design = rows_design(tiny, rows)
    noise = np.random.default_rng(0).random(design.block.shape).astype(np.float32)
    aware, blind = trained.predict(design.features, design.block)
    other_aware, other_blind = trained.predict(design.features, noise)
    assert np.array_equal(blind, other_blind)
    assert not np.allclose(aware, other_aware, atol=1.0)


def test_unknown_and_untold_encoders_were_trained_for(trained, tiny, rows):
    """All zeros is the middle of what the encoders do, not a place that nothing shaped."""
    design = rows_design(tiny, rows)
    unknown = design.block.copy()
    unknown[:, :-2] = 0
    middle = rows.encoders == "libx264"
    for block in (unknown, np.zeros_like(unknown)):
        predicted = trained.predict(design.features, block)[0]
        assert error(predicted[middle], rows.target[middle]) < 4.0


def test_slots_without_rows_do_not_shift_the_score(trained, tiny, rows):
    """Trap: unused slots that decayed to zero shifted scores by 12 to 24 VMAF."""
    slots = VOCABULARIES["v4"].slots
    assert trained.trained_slots == (("libx264", "libx265", "libsvtav1"), ())
    design = rows_design(tiny, rows)
    unknown = design.block.copy()
    unknown[:, :-2] = 0
    wanted = trained.predict(design.features, unknown)[0]
    for slot in ("librav1e", "av1_vaapi", "h264_nvenc"):
        named = unknown.copy()
        named[:, slots.index(slot)] = 1
        assert np.array_equal(trained.predict(design.features, named)[0], wanted)


def test_a_column_that_was_constant_has_no_say_in_service(make_rows, tiny):
    """Trap: columns that were constant in training saturate the network in use."""
    rows = make_rows(groups=3)
    features = rows.features.copy()
    features[:, 3] = 60.0
    features[:, 4] = 0.0
    recipe = fast(tiny, range_margin=None)
    rows = replace(rows, features=features, preset_norm=np.full(len(rows), 0.5))
    trained = train_members(recipe, rows, [Member(np.ones(len(rows), dtype=bool), 0, True)])
    design = rows_design(recipe, rows)
    moved, block = design.features.copy(), design.block.copy()
    moved[:, 3] = -1e6
    moved[:, 4] = 1e6
    block[:, -2] = 1.0
    wanted = trained.predict(design.features, design.block)
    assert np.array_equal(trained.predict(moved, design.block), wanted)
    assert np.array_equal(trained.predict(design.features, block), wanted)


def test_features_beyond_the_training_range_are_held(trained, tiny, rows):
    design = rows_design(tiny, rows)
    scaler = trained.scalers[0]
    out = np.full((1, 6), 1e6, dtype=np.float32)
    assert np.array_equal(trained.predict(out), trained.predict(scaler.ceiling[None]))
    assert np.array_equal(trained.predict(-out), trained.predict(scaler.floor[None]))
    own = rows.groups != "clip5"
    assert scaler.floor == pytest.approx(design.features[own].min(axis=0) - 0.1 * np.ptp(design.features[own], axis=0))


def test_predictions_stay_within_the_range_of_the_teacher(trained):
    extremes = np.random.default_rng(1).normal(scale=1e4, size=(300, 6)).astype(np.float32)
    predicted = trained.predict(extremes)
    assert predicted.shape == (2, 300)
    assert ((predicted >= 0) & (predicted <= 100)).all()


def test_a_clipped_target_blames_nothing_beyond_the_clip(make_rows, tiny):
    rows = make_rows(groups=4, frames=40)
    steep = np.minimum(100 * rows.target / np.quantile(rows.target, 0.75), 100)
    rows = replace(rows, target=steep)
    everything = Member(np.ones(len(rows), dtype=bool), 0, False)
    found = {}
    for censored in (False, True):
        recipe = fast(tiny, epochs=40, frame_stride=1, censored_loss=censored)
        trained = train_members(recipe, rows, [everything])
        found[censored] = error(trained.predict(rows_design(recipe, rows).features)[0], steep)
    assert found[True] < 0.8 * found[False]


# ---- what it depends on


def test_the_same_training_twice_is_the_same_to_the_last_bit(make_rows, tiny):
    rows = make_rows(groups=3)
    members = [Member(rows.groups != "clip0", 0, True), Member(rows.groups != "clip1", 1, False)]
    recipe = fast(tiny, dropout=0.1)
    first, second = (train_members(recipe, rows, members) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(leaves(first), leaves(second), strict=True))


def test_a_result_does_not_depend_on_which_others_are_trained_beside_it(make_rows, tiny):
    rows = make_rows(groups=5)
    one = Member(np.isin(rows.groups, ["clip0", "clip1"]), 4, True)  # far fewer rows than the others
    others = [Member(rows.groups != "clip1", 0, False), Member(rows.groups != "clip2", 4, True)]
    recipe = fast(tiny, dropout=0.1)
    together = train_members(recipe, rows, [others[0], one, others[1]])
    alone = train_members(recipe, rows, [one])
    for a, b in zip(leaves(together.select([1])), leaves(alone), strict=True):
        assert np.allclose(a, b, atol=1e-4)


def test_a_network_knows_nothing_of_rows_that_are_not_its_own(make_rows, tiny):
    rows = make_rows(groups=3)
    own = rows.groups != "clip2"
    features, target = rows.features.copy(), rows.target.copy()
    features[~own] = 1e5
    target[~own] = 0
    poisoned = replace(rows, features=features, target=target)
    recipe = fast(tiny)
    clean, other = (train_members(recipe, each, [Member(own, 0, True)]) for each in (rows, poisoned))
    assert all(np.array_equal(a, b) for a, b in zip(leaves(clean), leaves(other), strict=True))
    assert np.array_equal(clean.scalers[0].mean, other.scalers[0].mean)
    assert clean.scalers[0].mean == pytest.approx(
        rows.features[own & rows.every(recipe.frame_stride)].mean(axis=0), rel=1e-5
    )


def test_seeds_and_rows_make_a_difference(make_rows, tiny):
    rows = make_rows(groups=3)
    own = rows.groups != "clip2"
    trained = train_members(
        fast(tiny), rows, [Member(own, 0, True), Member(own, 1, True), Member(rows.groups != "clip0", 0, True)]
    )
    weights = np.asarray(trained.parameters[1].weight)
    assert not np.allclose(weights[0], weights[1], atol=1e-2)
    assert not np.allclose(weights[0], weights[2], atol=1e-4)


def test_fewer_rows_than_a_batch_are_enough(make_rows, tiny):
    rows = make_rows(groups=2, frames=1)
    trained = train_members(fast(tiny), rows, [Member(rows.groups == "clip0", 0, True)])
    assert trained.rows_learnt == (9,)
    assert np.isfinite(trained.predict(rows_design(tiny, rows).features)).all()


# ---- how it moves


@pytest.mark.parametrize("optimiser", ["adamw", "adam_coupled_l2"])
def test_the_decay_is_coupled_or_not_as_the_recipe_says(tiny, optimiser):
    recipe = fast(tiny, optimiser=optimiser, weight_decay=0.5)
    parameters = (Layer(jnp.array([[2.0, -4.0]]), jnp.array([1.0, 0.0])),)
    gradient = (Layer(jnp.array([[0.3, 0.1]]), jnp.array([-0.2, 0.4])),)
    transform = make_optimiser(recipe)
    direction, _ = transform.update(gradient, transform.init(parameters), parameters)
    for p, g, d in zip(*(jax.tree.leaves(tree) for tree in (parameters, gradient, direction)), strict=True):
        # Adam's first step is the gradient's sign; only the place of the decay differs.
        wanted = np.sign(g + 0.5 * p) if optimiser == "adam_coupled_l2" else np.sign(g) + 0.5 * p
        assert np.allclose(d, wanted, atol=1e-5)


def test_a_cycle_rises_to_its_peak_and_falls_to_nothing(tiny):
    rates = np.asarray(learning_rates(fast(tiny, learning_rate=0.02), 200))
    assert rates.shape == (200,)
    assert rates.max() == pytest.approx(0.02, rel=1e-3)
    assert 50 <= rates.argmax() <= 65
    assert rates[0] < 0.001
    assert rates[-1] < 1e-4
    constant = np.asarray(learning_rates(fast(tiny, schedule="constant", learning_rate=0.02), 5))
    assert constant == pytest.approx([0.02] * 5)


@pytest.mark.parametrize("steps", [1, 2, 3, 5])
def test_the_shortest_cycles_are_finite(tiny, steps):
    rates = np.asarray(learning_rates(tiny, steps))
    assert np.isfinite(rates).all()
    assert (rates > 0).all()


class Recorder:
    def __init__(self):
        self.total, self.done, self.words = None, 0.0, ""

    @contextmanager
    def task(self, description, total=None):
        self.words, self.total = description, total
        yield self

    def advance(self, amount=1.0):
        self.done += amount

    def describe(self, text):
        self.words = text


def test_progress_reaches_its_total(make_rows, tiny):
    rows = make_rows(groups=2, frames=4)
    watched = Recorder()
    train_members(fast(tiny), rows, [Member(rows.groups == "clip0", 0, True)] * 2, progress=watched)
    assert watched.total == watched.done == 2 * 3
    assert "2 networks" in watched.words


# ---- what is refused


def test_training_refuses_what_it_cannot_learn_from(make_rows, tiny):
    rows = make_rows(groups=2, frames=4)
    everything = np.ones(len(rows), dtype=bool)
    with pytest.raises(RequestError, match="no network"):
        train_members(tiny, rows, [])
    with pytest.raises(RequestError, match="mask of member 1"):
        train_members(tiny, rows, [Member(everything, 0, True), Member(everything[1:], 0, True)])
    with pytest.raises(DataError, match="members 0 have no row"):
        train_members(tiny, rows, [Member(~everything, 0, True)])
    with pytest.raises(RequestError, match="codec-aware"):
        train_members(tiny.blind(), rows, [Member(everything, 0, True)])
    target = rows.target.copy()
    target[2] = 101
    with pytest.raises(DataError, match=r"target 101.0 in row 2 .* 0.0 to 100.0"):
        train_members(tiny, replace(rows, target=target), [Member(everything, 0, True)])
    names = tuple(name.replace("vif_scale0", "other") for name in rows.feature_names)
    with pytest.raises(DataError, match="lack vif_scale0"):
        train_members(tiny, replace(rows, feature_names=names), [Member(everything, 0, True)])


def test_a_training_that_diverges_says_which(make_rows, tiny):
    rows = make_rows(groups=2, frames=4)
    recipe = fast(tiny, learning_rate=1e38, schedule="constant")
    with pytest.raises(DataError, match=r"network 0 of tiny diverged.*learning rate"):
        train_members(recipe, rows, [Member(rows.groups == "clip0", 0, True)])


def test_predicting_takes_the_widths_of_the_recipe(trained):
    assert trained.predict(np.zeros((0, 6), dtype=np.float32)).shape == (2, 0)
    assert trained.predict(np.zeros((1, 6), dtype=np.float32)).shape == (2, 1)
    with pytest.raises(DataError, match=r"features \[N, 6\]"):
        trained.predict(np.zeros((3, 5), dtype=np.float32))
    with pytest.raises(DataError, match=r"codec block"):
        trained.predict(np.zeros((3, 6), dtype=np.float32), np.zeros((3, 18), dtype=np.float32))


def test_many_rows_are_predicted_in_parts_as_one(trained):
    rng = np.random.default_rng(0)
    features = rng.uniform(0, 1, (150_000, 6)).astype(np.float32)
    whole = trained.predict(features)
    part = trained.predict(features[140_000:140_100])
    assert whole.shape == (2, 150_000)
    assert np.allclose(whole[:, 140_000:140_100], part, atol=1e-4)
