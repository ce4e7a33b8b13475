from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmafcast.common.errors import IntegrityError
from vmafcast.registry.journal import NO_EVENT, Event
from vmafcast.registry.rows import ModelFacts
from vmafcast.registry.state import State, apply, render, replay, succession_after

RECIPE = "fr_regressor_v1"
MODELS = [f"{RECIPE}-{number:012x}" for number in range(4)]
SHA = "ab" * 32


def facts(model, *, smoke=False, recipe=RECIPE):
    return ModelFacts(
        id=model,
        kind="fr",
        recipe=recipe,
        onnx=f"models/{model}/model.onnx",
        sha256=SHA,
        opset=17,
        smoke=smoke,
        vocab_version=None,
        license="Apache-2.0",
        description="",
        notes="",
        sidecar=f"models/{model}/model.json",
        sidecar_sha256=SHA,
        external_data=(),
        registered_at_utc="2026-01-01T00:00:00Z",
    )


def event(state, kind, model, **changes):
    line = succession_after(state.succession.get(RECIPE, ()), kind, model)
    files = {}
    if kind == "register":
        files = {f"models/{model}/{name}": SHA for name in ("model.onnx", "model.json")}
    if kind == "promote":
        files = {f"models/{model}/verdict.json": SHA}
    content = {
        "seq": state.events + 1,
        "at_utc": "2026-01-01T00:00:00Z",
        "event": kind,
        "recipe": RECIPE,
        "model": model,
        "champion": line[-1] if line else None,
        "files": files,
        "facts": facts(model) if kind == "register" else None,
        "verdict_sha256": SHA if kind == "promote" else None,
        "reason": "a reason",
        "previous_hash": state.head,
        "hash": NO_EVENT,
    }
    return Event(**{**content, **changes}).sealed()


def after(*steps):
    state = State()
    for kind, model in steps:
        state = apply(state, event(state, kind, model))
    return state


A, B, C, D = MODELS
THREE = [(kind, model) for model in (A, B, C) for kind in ("register", "promote")]


@pytest.mark.parametrize(
    ("line", "kind", "model", "expected"),
    [
        ((), "promote", A, (A,)),
        ((A,), "promote", B, (A, B)),
        ((A, B), "register", C, (A, B)),
        ((A, B), "rollback", B, (A,)),
        ((A, B, A), "rollback", A, (B,)),
        ((A, B, A), "revoke", B, (A,)),
        ((A, B), "revoke", A, (B,)),
        ((A,), "revoke", A, ()),
    ],
)
def test_the_line_of_succession(line, kind, model, expected):
    assert succession_after(line, kind, model) == expected


def test_two_rollbacks_go_back_two_models():
    state = after(*THREE, ("rollback", C), ("rollback", B))
    assert state.champion(RECIPE) == A
    assert [state.status(model) for model in (A, B, C)] == ["champion", "registered", "registered"]


def test_an_unknown_recipe_has_no_champion():
    assert State().champion("fr_regressor_v9") is None


@pytest.mark.parametrize(
    ("steps", "kind", "model", "changes", "says"),
    [
        ([], "promote", A, {}, "never registered"),
        ([], "revoke", A, {}, "never registered"),
        ([], "register", A, {"facts": None}, "facts"),
        ([], "register", A, {"facts": facts(B)}, "facts"),
        ([], "register", A, {"files": {}}, "hash"),
        ([], "register", A, {"champion": A}, "does not follow"),
        ([("register", A)], "register", A, {}, "before"),
        ([("register", A)], "promote", A, {"verdict_sha256": None}, "verdict"),
        ([("register", A)], "promote", A, {"files": {}}, "verdict"),
        ([("register", A)], "promote", A, {"facts": facts(A)}, "contradicts"),
        ([("register", A)], "promote", A, {"files": {f"models/{B}/verdict.json": SHA}}, "another model"),
        ([("register", A)], "rollback", A, {}, "not champion"),
        ([("register", A), ("promote", A)], "promote", A, {}, "already"),
        ([("register", A), ("promote", A)], "rollback", A, {}, "no predecessor"),
        ([*THREE], "rollback", B, {}, "not champion"),
        ([*THREE], "rollback", C, {"files": {f"models/{C}/new.json": SHA}}, "adds files"),
        ([*THREE, ("revoke", A)], "revoke", A, {}, "before"),
        ([*THREE, ("revoke", A)], "promote", A, {}, "revoked"),
    ],
)
def test_impossible_events_are_refused(steps, kind, model, changes, says):
    state = after(*steps)
    with pytest.raises(IntegrityError, match=says):
        apply(state, event(state, kind, model, **changes))


def test_a_smoke_model_cannot_have_been_promoted():
    state = apply(State(), event(State(), "register", A, facts=facts(A, smoke=True)))
    with pytest.raises(IntegrityError, match="smoke"):
        apply(state, event(state, "promote", A))


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["register", "promote", "rollback", "revoke"]), st.sampled_from(MODELS)),
        max_size=40,
    )
)
def test_whatever_happens_the_rules_hold(steps):
    state, events, withdrawn = State(), [], set()
    for kind, model in steps:
        candidate = event(state, kind, model)
        previous = state.champion(RECIPE)
        try:
            state = apply(state, candidate)
        except IntegrityError:
            continue
        events.append(candidate)
        champion = state.champion(RECIPE)
        if kind == "promote":
            withdrawn.discard(model)
            assert champion == model
        if kind in ("rollback", "revoke"):
            withdrawn.add(model)
            assert champion != model
        if kind == "register":
            assert champion == previous
        assert champion not in withdrawn
        assert champion not in state.revoked
        assert champion == candidate.champion
        line = state.succession[RECIPE]
        assert all(one != other for one, other in itertools.pairwise(line))
    assert replay(events) == state
    assert render(replay(events)) == render(state)
