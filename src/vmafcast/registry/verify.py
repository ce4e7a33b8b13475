"""Verifying a registry: every byte against its hash, every event against the chain and the rules."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from vmafcast.common.errors import DataError, IntegrityError, RequestError
from vmafcast.common.files import sha256_bytes
from vmafcast.evaluation.verdict import Verdict
from vmafcast.models.external_data import external_locations
from vmafcast.registry.candidate import content_id
from vmafcast.registry.foreign import names_a_history, verify_foreign
from vmafcast.registry.journal import EVENTS_NAME, Journal, scan_journal
from vmafcast.registry.lock import LOCK_NAME, shared
from vmafcast.registry.report import Problem, VerifyReport
from vmafcast.registry.rows import ModelFacts
from vmafcast.registry.state import State, apply, render
from vmafcast.registry.tidy import REGISTRY_NAME, is_behind, leftovers

_LOCK_TIMEOUT_S = 30.0


def verify(folder: Path) -> VerifyReport:
    """Verify the registry in ``folder`` without changing anything.

    Parameters
    ----------
    folder
        A registry of vmafcast, or a foreign one: a ``registry.json`` that lists models with their hashes,
        beside the models.

    Raises
    ------
    RequestError
        The folder holds neither.
    OutputError
        A writer kept the registry locked for too long.
    """
    if (folder / EVENTS_NAME).is_file() or names_a_history(folder / REGISTRY_NAME):
        with shared(folder, _LOCK_TIMEOUT_S):
            return _verify_own(folder)
    if (folder / REGISTRY_NAME).is_file():
        return verify_foreign(folder)
    raise RequestError(
        f"{folder.absolute()} is no registry: it holds neither {EVENTS_NAME} nor {REGISTRY_NAME}; "
        "name another with --registry"
    )


def _verify_own(folder: Path) -> VerifyReport:
    try:
        journal = scan_journal(folder / EVENTS_NAME)
    except RequestError as error:
        missing = Problem(kind="missing", path=EVENTS_NAME, detail=str(error))
        return VerifyReport(folder=str(folder), layout="vmafcast", events=0, head=None, checked=(), problems=(missing,))
    checked = {EVENTS_NAME}
    state, problems = _replay_as_far_as_it_holds(journal)
    whole = not problems
    if journal.torn:
        detail = f"it ends in {journal.torn} bytes of an event that was never committed"
        problems.append(Problem(kind="unfinished", path=EVENTS_NAME, detail=detail))
    if whole:
        checked.add(REGISTRY_NAME)
        problems += _check_rendering(folder / REGISTRY_NAME, journal, state)
    content = {}
    for path, sha256 in state.files.items():
        data, problem = _check_file(folder, path, sha256)
        checked.add(path)
        if problem:
            problems.append(problem)
        if data is not None:
            content[path] = data
    for facts in state.models.values():
        problems += _check_model(facts, content)
        problems += _check_verdicts(facts, state.verdicts.get(facts.id, ()), content)
    unfinished = leftovers(folder, state) if whole else []
    problems += [
        Problem(
            kind="unfinished",
            path=path.relative_to(folder).as_posix(),
            detail="a killed writer left it; the next write removes it",
        )
        for path in unfinished
    ]
    # With a broken history the files of its later events would all look like strangers.
    problems += _strangers(folder, state, unfinished) if whole else []
    return VerifyReport(
        folder=str(folder),
        layout="vmafcast",
        events=state.events,
        head=state.head if state.events else None,
        checked=tuple(sorted(checked)),
        problems=_sorted(problems),
    )


def _replay_as_far_as_it_holds(journal: Journal) -> tuple[State, list[Problem]]:
    state = State()
    for event in journal.events:
        try:
            state = apply(state, event)
        except IntegrityError as error:
            return state, [Problem(kind="history", path=EVENTS_NAME, detail=str(error))]
    if journal.broken:
        return state, [Problem(kind="history", path=EVENTS_NAME, detail=journal.broken)]
    return state, []


def _check_rendering(path: Path, journal: Journal, state: State) -> list[Problem]:
    try:
        found = path.read_bytes()
    except OSError as error:
        return [Problem(kind="missing", path=path.name, detail=f"it cannot be read: {error.strerror}")]
    if found == render(state):
        return []
    if is_behind(found, journal):
        detail = "it is behind the history by an unfinished write; the next write renders it anew"
        return [Problem(kind="unfinished", path=path.name, detail=detail)]
    detail = f"it is not the rendering of {EVENTS_NAME}: one of the two was altered, or events were cut off"
    return [Problem(kind="changed", path=path.name, detail=detail)]


def _check_file(folder: Path, path: str, sha256: str) -> tuple[bytes | None, Problem | None]:
    try:
        data = (folder / path).read_bytes()
    except FileNotFoundError:
        return None, Problem(kind="missing", path=path, detail="the file is not there")
    except OSError as error:
        return None, Problem(kind="missing", path=path, detail=f"it cannot be read: {error.strerror}")
    actual = sha256_bytes(data)
    if actual == sha256:
        return data, None
    return None, Problem(kind="changed", path=path, detail=f"its SHA-256 is {actual}, recorded was {sha256}")


def _check_model(facts: ModelFacts, content: dict[str, bytes]) -> list[Problem]:
    """Check what the hashes alone do not say: that the id is the content's, and no weights lie elsewhere."""
    data_paths, member_paths = ([file.path for file in files] for files in (facts.external_data, facts.members))
    parts = [content.get(path) for path in (facts.onnx, facts.sidecar, *data_paths, *member_paths)]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return []  # that file has its own problem already
    problems = []
    if content_id(facts.recipe, known) != facts.id:
        detail = "the model's id is not the hash of its content"
        problems.append(Problem(kind="changed", path=facts.onnx, detail=detail))
    hashed = {Path(path).name for path in data_paths}
    for model in (facts.onnx, *member_paths):
        try:
            locations = external_locations(content[model])
        except DataError as error:
            problems.append(Problem(kind="malformed", path=model, detail=str(error)))
            continue
        problems += [
            Problem(kind="unhashed", path=model, detail=f"it reads weights from {location!r}, unhashed")
            for location in locations
            if location not in hashed
        ]
    return problems


def _check_verdicts(facts: ModelFacts, paths: Iterable[str], content: dict[str, bytes]) -> list[Problem]:
    """Check that what is kept as the reason of a promotion is one, and of this very model."""
    problems = []
    for path in paths:
        if path not in content:
            continue  # that file has its own problem already
        try:
            verdict = Verdict.model_validate_json(content[path])
        except ValidationError as error:
            problems.append(Problem(kind="malformed", path=path, detail=str(error.errors()[0]["msg"])))
            continue
        if not verdict.promotes or verdict.onnx_sha256 != facts.sha256:
            detail = "the model was promoted by it, but it does not promote this model"
            problems.append(Problem(kind="malformed", path=path, detail=detail))
    return problems


def _strangers(folder: Path, state: State, unfinished: Iterable[Path]) -> list[Problem]:
    known = {folder / path for path in (EVENTS_NAME, REGISTRY_NAME, *state.files)}
    passed_over = set(unfinished)
    found = []
    for place, folders, files in os.walk(folder):
        here = Path(place)
        folders[:] = [name for name in folders if here / name not in passed_over]
        for name in files:
            path = here / name
            if path in known or path in passed_over:
                continue
            if path == folder / LOCK_NAME and path.stat().st_size == 0:
                continue
            found.append(
                Problem(kind="unlisted", path=path.relative_to(folder).as_posix(), detail="no event knows this file")
            )
    return found


def _sorted(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda problem: (problem.path, problem.kind, problem.detail)))
