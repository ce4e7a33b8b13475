"""What a registry serves, derived from its events by pure functions.

For every recipe there is a line of succession: the models that are or were champion, oldest first.

- *promote* puts a model at its end, where the champion stands.
- *rollback* takes the champion out of the line, so that the one before it is served again. What was taken
  back was found wanting, so every spell of it goes: a second rollback goes further back and never returns to
  it, and neither does a rollback after a later promotion. It can be served again only by being promoted again,
  under a verdict.
- *revoke* takes a model out of the line wherever it stands, for good. When it was the champion, the one
  before it is served, or none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from vmafcast.common.documents import to_json
from vmafcast.common.errors import IntegrityError
from vmafcast.registry.journal import NO_EVENT, Event
from vmafcast.registry.rows import ModelFacts, ModelRow, ModelStatus, RegistryDocument


@dataclass(frozen=True)
class State:
    """A registry after some number of events.

    Parameters
    ----------
    models
        Every model by id, in the order of registration.
    succession
        The models that are or were champion, by recipe, the champion last.
    revoked
        Models that must not be served, with the reason.
    files
        Every file there must be, by path relative to the registry, with its SHA-256.
    verdicts
        The paths of a model's verdicts, in the order of its promotions.
    events, head
        How many events led here, and the hash of the last.
    """

    models: dict[str, ModelFacts] = field(default_factory=dict)
    succession: dict[str, tuple[str, ...]] = field(default_factory=dict)
    revoked: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    verdicts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    events: int = 0
    head: str = NO_EVENT

    def champion(self, recipe: str) -> str | None:
        """Return the model that is served for ``recipe``, None when there is none."""
        line = self.succession.get(recipe, ())
        return line[-1] if line else None

    def status(self, model: str) -> ModelStatus:
        """Return where ``model`` stands."""
        if model in self.revoked:
            return "revoked"
        return "champion" if self.champion(self.models[model].recipe) == model else "registered"

    def row(self, model: str) -> ModelRow:
        """Return ``model`` as ``registry.json`` lists it."""
        return ModelRow(**self.models[model].model_dump(), status=self.status(model))

    def files_of(self, model: str) -> dict[str, str]:
        """Return the files of ``model``, by path relative to the registry."""
        return {path: sha for path, sha in self.files.items() if path.startswith(f"models/{model}/")}


def succession_after(line: tuple[str, ...], event: str, model: str) -> tuple[str, ...]:
    """Return a recipe's line of succession after an event that the rules allow.

    Parameters
    ----------
    line
        The line before it, the champion last.
    event
        ``register``, ``promote``, ``rollback`` or ``revoke``.
    model
        The model that the event concerns.
    """
    if event == "promote":
        return (*line, model)
    if event in ("rollback", "revoke"):
        remaining: list[str] = []
        for other in line:
            # With a model gone from between them, two spells of the same champion become one.
            if other != model and remaining[-1:] != [other]:
                remaining.append(other)
        return tuple(remaining)
    return line


def apply(state: State, event: Event) -> State:
    """Return ``state`` after ``event``.

    Raises
    ------
    IntegrityError
        The event could not have happened in this state: the chain was forged, whatever its hashes say.
    """
    wrong = _objection(state, event)
    line = succession_after(state.succession.get(event.recipe, ()), event.event, event.model)
    if not wrong and event.champion != (line[-1] if line else None):
        wrong = f"it names {event.champion} as champion, which does not follow from the events"
    if wrong:
        raise IntegrityError(f"event {event.seq} ({event.event} {event.model}) is impossible: {wrong}")
    after = replace(
        state,
        succession={**state.succession, event.recipe: line},
        files={**state.files, **event.files},
        events=event.seq,
        head=event.hash,
    )
    if event.event == "register" and event.facts is not None:
        return replace(after, models={**state.models, event.model: event.facts})
    if event.event == "promote":
        earlier = state.verdicts.get(event.model, ())
        added = tuple(path for path in event.files if path not in earlier)
        return replace(after, verdicts={**state.verdicts, event.model: earlier + added})
    if event.event == "revoke":
        return replace(after, revoked={**state.revoked, event.model: event.reason})
    return after


def replay(events: Iterable[Event]) -> State:
    """Return the state that ``events`` lead to; raises what :func:`apply` raises."""
    state = State()
    for event in events:
        state = apply(state, event)
    return state


def render(state: State) -> bytes:
    """Return the bytes of ``registry.json`` for ``state``."""
    document = RegistryDocument(
        events=state.events,
        head=state.head,
        champions={recipe: line[-1] for recipe in sorted(state.succession) if (line := state.succession[recipe])},
        models=tuple(state.row(model) for model in state.models),
    )
    return to_json(document).encode()


def _objection(state: State, event: Event) -> str:
    """Return why ``event`` could not have happened in ``state``, or nothing."""
    known = state.models.get(event.model)
    if any(not path.startswith(f"models/{event.model}/") for path in event.files):
        return "it adds files to another model"
    if any(state.files.get(path, sha) != sha for path, sha in event.files.items()):
        return "it replaces a file"
    if event.event == "register":
        return _objection_to_registration(state, event)
    if known is None:
        return "the model was never registered"
    if known.recipe != event.recipe or event.facts is not None:
        return "it contradicts the registration"
    if event.event == "promote":
        return _objection_to_promotion(state, event, known)
    if event.files:
        return "it adds files"
    line = state.succession.get(event.recipe, ())
    if event.event == "rollback" and (len(line) < 2 or line[-1] != event.model):
        return "that model was not champion, or had no predecessor"
    if event.event == "revoke" and event.model in state.revoked:
        return "the model was revoked before"
    return ""


def _objection_to_registration(state: State, event: Event) -> str:
    facts = event.facts
    if facts is None or (facts.id, facts.recipe) != (event.model, event.recipe):
        return "it does not hold the facts of its model"
    if event.model in state.models:
        return "the model was registered before"
    needed = {facts.onnx: facts.sha256, facts.sidecar: facts.sidecar_sha256}
    needed.update((data.path, data.sha256) for data in (*facts.external_data, *facts.members))
    if any(event.files.get(path) != sha for path, sha in needed.items()):
        return "not every byte of the model is covered by a hash"
    return ""


def _objection_to_promotion(state: State, event: Event, known: ModelFacts) -> str:
    if known.smoke:
        return "a smoke model is never champion"
    if event.model in state.revoked:
        return "the model was revoked"
    if event.verdict_sha256 is None or list(event.files.values()) != [event.verdict_sha256]:
        return "it does not hold exactly its verdict"
    if state.champion(event.recipe) == event.model:
        return "the model was champion already"
    return ""
