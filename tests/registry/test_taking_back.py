"""What was served is taken back: rollbacks and revocations."""

from __future__ import annotations

import pytest

from vmafcast.common.errors import GateRefused, IntegrityError, RequestError
from vmafcast.registry.entry import load
from vmafcast.registry.verify import verify

RECIPE = "fr_regressor_v1"


def test_rollback_serves_the_one_before_and_twice_goes_back_to_a_third(registry, workshop):
    first, second, third = (workshop.promoted(registry) for _ in range(3))
    assert registry.rollback(RECIPE, "worse on animation").id == second
    assert registry.champion(RECIPE).id == second
    assert registry.rollback(RECIPE, "worse as well").id == first
    assert registry.entry(third).row.status == "registered"
    with pytest.raises(RequestError, match="first champion"):
        registry.rollback(RECIPE, "and again")
    assert registry.champion(RECIPE).id == first
    events = registry.history(RECIPE)
    assert [(event.event, event.model, event.champion) for event in events[-2:]] == [
        ("rollback", third, second),
        ("rollback", second, first),
    ]
    assert events[-1].reason == "worse as well"
    assert verify(registry.folder).ok


def test_a_rollback_by_the_id_of_the_champion_is_one_of_its_recipe_and_of_no_other_model(registry, workshop, tree):
    first, second = workshop.promoted(registry), workshop.promoted(registry)
    before = tree(registry.folder)
    with pytest.raises(RequestError, match=f"{first} is not served .* champion of {RECIPE}: {second}"):
        registry.rollback(first, "bad")
    assert tree(registry.folder) == before
    assert registry.rollback(second, "bad").id == first


def test_a_rollback_after_a_later_promotion_does_not_return_to_what_was_taken_back(registry, workshop):
    first = workshop.promoted(registry)
    workshop.promoted(registry)
    registry.rollback(RECIPE, "bad")
    workshop.promoted(registry)
    assert registry.rollback(RECIPE, "bad too").id == first


def test_no_earlier_spell_of_what_was_taken_back_is_returned_to(registry, workshop):
    candidate = workshop.candidate()
    first = registry.register(candidate)
    registry.promote(first, workshop.verdict(candidate))
    second = workshop.promoted(registry)
    registry.promote(first, workshop.verdict(candidate, 0.97))
    assert registry.rollback(RECIPE, "bad after all").id == second
    with pytest.raises(RequestError, match="first champion"):
        registry.rollback(RECIPE, "again")


def test_what_was_taken_back_can_be_promoted_again_and_keeps_every_verdict(registry, workshop):
    workshop.promoted(registry)
    candidate = workshop.candidate()
    model = registry.register(candidate)
    registry.promote(model, workshop.verdict(candidate))
    registry.rollback(RECIPE, "bad")
    registry.promote(model, workshop.verdict(candidate, 0.97))
    assert registry.champion(RECIPE).id == model
    names = {path.split("/")[-1] for path in registry.entry(model).files}
    assert {"verdict.json", "verdict-2.json"} <= names
    registry.rollback(RECIPE, "bad")
    registry.promote(model, workshop.verdict(candidate))  # under the first verdict, which is there already
    assert not (registry.folder / f"models/{model}/verdict-3.json").exists()
    assert verify(registry.folder).ok


def test_rollback_without_a_champion_is_refused(registry, workshop, tree):
    registry.register(workshop.candidate())
    before = tree(registry.folder)
    with pytest.raises(RequestError, match="no champion"):
        registry.rollback(RECIPE, "why not")
    assert tree(registry.folder) == before


def test_rollback_to_a_damaged_model_keeps_the_champion(registry, workshop, tree):
    first, second = workshop.promoted(registry), workshop.promoted(registry)
    (registry.folder / f"models/{first}/model.json").write_bytes(b"{}")
    before = tree(registry.folder)
    with pytest.raises(IntegrityError, match=first):
        registry.rollback(RECIPE, "bad")
    assert tree(registry.folder) == before
    assert registry.champion(RECIPE).id == second


@pytest.mark.parametrize("reason", ["", " \n"])
def test_a_reason_is_asked_for(registry, workshop, reason):
    model = workshop.promoted(registry)
    with pytest.raises(RequestError, match="reason"):
        registry.rollback(RECIPE, reason)
    with pytest.raises(RequestError, match="reason"):
        registry.revoke(model, reason)


def test_revoking_the_champion_serves_the_one_before(registry, workshop):
    first, second = workshop.promoted(registry), workshop.promoted(registry)
    assert registry.revoke(second, "trained on a sealed clip") == first
    assert registry.champion(RECIPE).id == first
    assert registry.entry(second).row.status == "revoked"
    assert registry.revoke(first, "that one too") is None
    with pytest.raises(RequestError, match="no champion"):
        registry.champion(RECIPE)
    assert verify(registry.folder).ok


def test_revoking_another_model_leaves_the_champion_and_a_rollback_skips_it(registry, workshop):
    first, second, third = (workshop.promoted(registry) for _ in range(3))
    assert registry.revoke(second, "leak") == third
    assert registry.rollback(RECIPE, "bad").id == first


def test_a_revoked_model_never_comes_back(registry, workshop, tree):
    candidate = workshop.candidate()
    model = registry.register(candidate)
    registry.promote(model, workshop.verdict(candidate))
    registry.revoke(model, "leak")
    before = tree(registry.folder)
    with pytest.raises(GateRefused, match="leak"):
        registry.promote(model, workshop.verdict(candidate))
    with pytest.raises(RequestError, match="leak"):
        registry.register(candidate)
    with pytest.raises(RequestError, match="leak"):
        registry.revoke(model, "again")
    with pytest.raises(GateRefused, match="revoked"):
        load(registry.entry(model))
    assert tree(registry.folder) == before
