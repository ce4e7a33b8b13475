"""The registry: registering, promoting, rolling back and revoking models."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from vmafcast.common.errors import OutputError, RequestError
from vmafcast.common.files import sha256_bytes, write_bytes
from vmafcast.common.provenance import utc_now
from vmafcast.evaluation.verdict import Verdict
from vmafcast.registry.candidate import Candidate
from vmafcast.registry.entry import Entry, require_intact
from vmafcast.registry.journal import EVENTS_NAME, Event, read_journal
from vmafcast.registry.rows import ModelFacts
from vmafcast.registry.rules import (
    facts_of,
    model_path,
    require_earned,
    require_reason,
    require_text,
    verdict_bytes,
    verdict_place,
)
from vmafcast.registry.state import State, apply, replay
from vmafcast.registry.tidy import MODELS_NAME, require_whole_history
from vmafcast.registry.transaction import Transaction, put_folder, undone_on_error, writing
from vmafcast.registry.transaction import create as create_registry

DEFAULT_LOCK_TIMEOUT_S: Final = 30.0


class Registry:
    """A folder of models with a history.

    Nothing is cached: every question is answered from ``events.jsonl`` as it is on the disk, so that several
    processes may use one registry at once. Open one with :meth:`open`.

    Parameters
    ----------
    folder
        Where it is.
    notices
        What was noticed on opening, for a person to read.
    clock
        What tells the time of an event.
    lock_timeout_s
        How long to wait for another writer, in seconds.
    """

    def __init__(
        self,
        folder: Path,
        *,
        notices: tuple[str, ...] = (),
        clock: Callable[[], str] = utc_now,
        lock_timeout_s: float = DEFAULT_LOCK_TIMEOUT_S,
    ) -> None:
        self.folder = folder
        self.notices = notices
        self._clock = clock
        self._lock_timeout_s = lock_timeout_s

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        create: bool = False,
        clock: Callable[[], str] = utc_now,
        lock_timeout_s: float = DEFAULT_LOCK_TIMEOUT_S,
    ) -> Registry:
        """Open the registry in ``folder``; this writes nothing, unless ``create`` finds nothing there.

        Parameters
        ----------
        folder
            Where it is.
        create
            Whether to make an empty one where there is none.
        clock, lock_timeout_s
            See the class.

        Raises
        ------
        RequestError
            There is no registry; or one is to be made in a folder that holds something else.
        IntegrityError
            The history does not hold, or ``registry.json`` knows of events that it has not.
        OutputError
            It cannot be made there.
        """
        if create and not (folder / EVENTS_NAME).exists():
            create_registry(folder, lock_timeout_s)
        if not (folder / EVENTS_NAME).is_file():
            raise RequestError(
                f"{folder.absolute()} is no registry: it holds no {EVENTS_NAME}; name another with --registry"
            )
        require_whole_history(folder)
        journal = read_journal(folder / EVENTS_NAME)
        replay(journal.events)
        notices = []
        if journal.torn:
            notices.append(
                f"{folder / EVENTS_NAME} ends in {journal.torn} bytes of an event that was never committed "
                f"(at byte {journal.size}); they are passed over, and the next write removes them"
            )
        return cls(folder, notices=tuple(notices), clock=clock, lock_timeout_s=lock_timeout_s)

    def champion(self, recipe: str) -> Entry:
        """Return the model that is served for ``recipe``.

        Raises
        ------
        RequestError
            There is none.
        """
        state = self._state()
        model = state.champion(recipe)
        if model is None:
            served = ", ".join(sorted(name for name in state.succession if state.champion(name))) or "none"
            raise RequestError(f"no champion is served for {recipe!r} in {self.folder}; recipes served: {served}")
        return self._entry(state, model)

    def serves(self, recipe: str) -> bool:
        """Whether a model is served for ``recipe``."""
        return self._state().champion(recipe) is not None

    def entry(self, model_id: str) -> Entry:
        """Return the model with that id; raises :class:`RequestError` when there is none."""
        state = self._state()
        self._known(state, model_id)
        return self._entry(state, model_id)

    def find(self, name: str) -> Entry:
        """Return the model with the id ``name``, or the champion of the recipe ``name``.

        Raises
        ------
        RequestError
            There is neither.
        """
        state = self._state()
        model = name if name in state.models else state.champion(name)
        if model is None:
            raise RequestError(f"no model and no champion is called {name!r} in {self.folder}; list the registry")
        return self._entry(state, model)

    def revocation(self, model_id: str) -> str | None:
        """Return why a model was revoked, None where it was not."""
        return self._state().revoked.get(model_id)

    def list(self) -> tuple[Entry, ...]:
        """Return every model, in the order of registration."""
        state = self._state()
        return tuple(self._entry(state, model) for model in state.models)

    def history(self, recipe: str | None = None) -> tuple[Event, ...]:
        """Return the events of ``recipe``, or of all, oldest first."""
        events = read_journal(self.folder / EVENTS_NAME).events
        return tuple(event for event in events if recipe in (None, event.recipe))

    def tidy(self) -> tuple[str, ...]:
        """Put the registry in order after a killed writer, as every write does first; return what was done.

        Raises
        ------
        IntegrityError
            The registry was altered by something else.
        OutputError
            It cannot be written, or another writer keeps it.
        """
        with writing(self.folder, self._lock_timeout_s) as transaction:
            return transaction.tidied

    def register(self, candidate: Candidate, *, description: str = "") -> str:
        """Take a copy of ``candidate`` into the registry and return the model's id. It is not served by that.

        Registering the same bytes again changes nothing and returns the same id; the reports that were taken
        the first time stay.

        Parameters
        ----------
        candidate
            As read by :func:`vmafcast.registry.candidate.read_candidate`.
        description
            A line about it, for people.

        Raises
        ------
        RequestError
            The same model was registered and then revoked.
        OutputError
            The registry cannot be written.
        """
        require_text(description, "description")
        model = candidate.model_id
        with writing(self.folder, self._lock_timeout_s) as transaction:
            if model not in transaction.state.models:
                self._take_in(transaction, candidate.files, self._registration(transaction, candidate, description))
            elif model in transaction.state.revoked:
                raise RequestError(f"model {model} was revoked ({transaction.state.revoked[model]}); train another one")
        return model

    def ship(self, candidate: Candidate, verdict: Verdict, *, description: str = "") -> Entry:
        """Register ``candidate`` and make it the champion of its recipe in one step: both happen, or neither.

        The parameters and what it raises are those of :meth:`register` and :meth:`promote`.
        """
        require_text(description, "description")
        content = verdict_bytes(verdict)
        model = candidate.model_id
        with writing(self.folder, self._lock_timeout_s) as transaction:
            if model in transaction.state.models:
                return self._promote(transaction, model, verdict, content)
            registration = self._registration(transaction, candidate, description)
            state = apply(transaction.state, registration)
            facts = state.models[model]
            require_earned(state, facts, verdict)
            path, _ = verdict_place(state, model, sha256_bytes(content))
            promotion = self._promotion(transaction, facts, verdict, {path: sha256_bytes(content)}, after=state)
            files = {**candidate.files, Path(path).name: content}
            return self._entry(self._take_in(transaction, files, registration, promotion), model)

    def promote(self, model_id: str, verdict: Verdict) -> Entry:
        """Make a registered model the champion of its recipe.

        Promoting the champion again changes nothing.

        Parameters
        ----------
        model_id
            The model.
        verdict
            What a gate said of exactly this model file.

        Raises
        ------
        GateRefused
            The verdict is not PROMOTE, names another model file or recipe, or the model is a smoke model or
            was revoked. Nothing was changed.
        IntegrityError
            A file of the model is not what was registered.
        RequestError
            There is no such model.
        DataError
            The verdict contradicts itself.
        OutputError
            The registry cannot be written. Nothing was changed.
        """
        content = verdict_bytes(verdict)
        with writing(self.folder, self._lock_timeout_s) as transaction:
            return self._promote(transaction, model_id, verdict, content)

    def rollback(self, name: str, reason: str) -> Entry:
        """Take a champion back and serve the one before it again; return that one.

        ``name`` is a recipe or the id of its champion.

        What was taken back leaves the line of succession: rolling back twice goes back to a third model. It
        can be champion again only by a new promotion. See :mod:`vmafcast.registry.state`.

        Raises
        ------
        RequestError
            There is no champion or none before it, ``name`` is a model that is not served, or no reason was given.
        IntegrityError
            A file of the earlier champion is not what was registered; the present one stays.
        OutputError
            The registry cannot be written. Nothing was changed.
        """
        require_reason(reason)
        with writing(self.folder, self._lock_timeout_s) as transaction:
            recipe = self._recipe_served(transaction.state, name)
            line = transaction.state.succession.get(recipe, ())
            if len(line) < 2:
                there = f"{line[0]} is its first champion" if line else "it has no champion"
                raise RequestError(f"{recipe!r} cannot be rolled back: {there}")
            event = transaction.event("rollback", recipe, line[-1], self._clock(), reason=reason)
            require_intact(self._entry(transaction.state, line[-2]))
            return self._entry(transaction.commit(event), line[-2])

    def revoke(self, model_id: str, reason: str) -> str | None:
        """Withdraw a model for good; return the recipe's champion from now on, None when there is none.

        When the model is champion, the one before it is served again, as after a rollback.

        Raises
        ------
        RequestError
            There is no such model, it was revoked before, or no reason was given.
        OutputError
            The registry cannot be written. Nothing was changed.
        """
        require_reason(reason)
        with writing(self.folder, self._lock_timeout_s) as transaction:
            facts = self._known(transaction.state, model_id)
            if model_id in transaction.state.revoked:
                raise RequestError(f"model {model_id} was revoked before: {transaction.state.revoked[model_id]}")
            event = transaction.event("revoke", facts.recipe, model_id, self._clock(), reason=reason)
            return transaction.commit(event).champion(facts.recipe)

    def _recipe_served(self, state: State, name: str) -> str:
        """Return the recipe that ``name`` is, or that is served by the model with that id."""
        if name not in state.models:
            return name
        recipe = state.models[name].recipe
        if (champion := state.champion(recipe)) != name:
            raise RequestError(f"{name} is not served and cannot be taken back; champion of {recipe}: {champion}")
        return recipe

    def _registration(self, transaction: Transaction, candidate: Candidate, description: str) -> Event:
        """Return the event that registers a model which is not registered yet."""
        model = candidate.model_id
        if (place := self.folder / MODELS_NAME / model).exists():
            raise OutputError(f"{place} is in the way and no event knows it; move it elsewhere")
        files = {model_path(model, name): sha256_bytes(data) for name, data in candidate.files.items()}
        facts = facts_of(candidate, files, description, self._clock())
        return transaction.event("register", facts.recipe, model, facts.registered_at_utc, files=files, facts=facts)

    def _take_in(self, transaction: Transaction, files: Mapping[str, bytes], *events: Event) -> State:
        """Put the folder of a new model in place and commit ``events``, all of it or nothing."""
        place = self.folder / MODELS_NAME / events[0].model
        with undone_on_error(lambda: shutil.rmtree(place, ignore_errors=True)):
            put_folder(place, files)
            return transaction.commit(*events)

    def _promote(self, transaction: Transaction, model: str, verdict: Verdict, content: bytes) -> Entry:
        state = transaction.state
        facts = self._known(state, model)
        require_earned(state, facts, verdict)
        if state.champion(facts.recipe) == model:
            return self._entry(state, model)
        require_intact(self._entry(state, model))
        path, is_new = verdict_place(state, model, sha256_bytes(content))
        event = self._promotion(transaction, facts, verdict, {path: sha256_bytes(content)})
        place = self.folder / path
        with undone_on_error(lambda: place.unlink(missing_ok=True) if is_new else None):
            if is_new:
                write_bytes(place, content)
            return self._entry(transaction.commit(event), model)

    def _promotion(
        self,
        transaction: Transaction,
        facts: ModelFacts,
        verdict: Verdict,
        kept: Mapping[str, str],
        after: State | None = None,
    ) -> Event:
        """Return the event that promotes a model under the verdict that is ``kept`` at a path with a hash."""
        (digest,) = kept.values()
        return transaction.event(
            "promote", facts.recipe, facts.id, self._clock(), files=kept, verdict_sha256=digest,
            reason=verdict.recommendation, after=after,
        )  # fmt: skip

    def _state(self) -> State:
        return replay(read_journal(self.folder / EVENTS_NAME).events)

    def _known(self, state: State, model_id: str) -> ModelFacts:
        if model_id not in state.models:
            raise RequestError(f"no model {model_id!r} in {self.folder}; list the registry to see its models")
        return state.models[model_id]

    def _entry(self, state: State, model_id: str) -> Entry:
        return Entry(root=self.folder, row=state.row(model_id), files=state.files_of(model_id))
