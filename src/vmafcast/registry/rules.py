"""What may be promoted, and what is recorded of it: pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import ValidationError

from vmafcast.common.documents import to_json
from vmafcast.common.errors import DataError, GateRefused, RequestError
from vmafcast.evaluation.verdict import Verdict
from vmafcast.registry.candidate import VERDICT_STEM, Candidate
from vmafcast.registry.rows import HashedFile, ModelFacts
from vmafcast.registry.state import State
from vmafcast.registry.tidy import MODELS_NAME

_MEANINGFUL = re.compile(r"\S")


def model_path(model: str, name: str) -> str:
    """Return where the file ``name`` of ``model`` lies, relative to the registry."""
    return f"{MODELS_NAME}/{model}/{name}"


def verdict_bytes(verdict: Verdict) -> bytes:
    """Return the bytes that are kept of ``verdict``.

    Raises
    ------
    DataError
        It contradicts itself, as a verdict that was put together by hand may.
    """
    content = to_json(verdict).encode()
    try:
        Verdict.model_validate_json(content)
    except ValidationError as error:
        raise DataError(f"the verdict on {verdict.recipe} is not valid: {error.errors()[0]['msg']}") from error
    return content


def require_earned(state: State, facts: ModelFacts, verdict: Verdict) -> None:
    """Refuse a promotion that ``verdict`` does not allow.

    Parameters
    ----------
    state
        The registry.
    facts
        The model that asks to be champion.
    verdict
        What a gate said.

    Raises
    ------
    GateRefused
        The verdict is not PROMOTE, is on another model file or recipe, or the model is a smoke model or was
        revoked.
    """
    model = facts.id
    if facts.smoke:
        raise GateRefused(f"model {model} is a smoke model, made to try the machinery; train one in earnest")
    if model in state.revoked:
        raise GateRefused(f"model {model} was revoked: {state.revoked[model]}")
    if not verdict.promotes:
        raise GateRefused(f"the gate did not pass {model}: {verdict.recommendation}")
    if verdict.recipe != facts.recipe:
        raise GateRefused(f"the verdict is on {verdict.recipe}, but {model} is of {facts.recipe}; judge it anew")
    if verdict.onnx_sha256 != facts.sha256:
        raise GateRefused(
            f"the verdict is on the model file {verdict.onnx_sha256 or '(none)'}, but {model} is {facts.sha256}; "
            "judge it anew"
        )


def verdict_place(state: State, model: str, sha256: str) -> tuple[str, bool]:
    """Return where a verdict on ``model`` goes and whether it is new; an earlier one is never written over."""
    earlier = state.verdicts.get(model, ())
    for path in earlier:
        if state.files[path] == sha256:
            return path, False
    number = f"-{len(earlier) + 1}" if earlier else ""
    return model_path(model, f"{VERDICT_STEM}{number}.json"), True


def facts_of(candidate: Candidate, files: Mapping[str, str], description: str, at_utc: str) -> ModelFacts:
    """Return what is recorded of ``candidate``.

    Parameters
    ----------
    candidate
        The model.
    files
        SHA-256 of each of its files, by path relative to the registry.
    description
        A line for people.
    at_utc
        When it is registered.
    """
    model, sidecar = candidate.model_id, candidate.facts
    onnx_path, sidecar_path = model_path(model, sidecar.onnx), model_path(model, candidate.sidecar_name)

    def hashed(names: tuple[str, ...]) -> tuple[HashedFile, ...]:
        paths = [model_path(model, name) for name in names]
        return tuple(HashedFile(path=path, sha256=files[path]) for path in paths)

    return ModelFacts(
        id=model,
        kind=sidecar.kind,
        recipe=sidecar.id,
        onnx=onnx_path,
        sha256=files[onnx_path],
        opset=sidecar.opset,
        smoke=sidecar.smoke,
        vocab_version=sidecar.vocab_version,
        license=sidecar.licence,
        description=description,
        notes=sidecar.notes,
        sidecar=sidecar_path,
        sidecar_sha256=files[sidecar_path],
        external_data=hashed(candidate.external_data),
        members=hashed(candidate.members),
        registered_at_utc=at_utc,
    )


def require_text(text: str, what: str) -> None:
    """Refuse a ``text`` that cannot be kept in UTF-8, such as one from a terminal with another encoding.

    Raises
    ------
    RequestError
        It holds a character that is none.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RequestError(f"the {what} {text!a} is not valid text; give it in UTF-8") from error


def require_reason(reason: str) -> None:
    """Refuse an empty reason.

    Raises
    ------
    RequestError
        It is empty or not valid text.
    """
    require_text(reason, "reason")
    if not _MEANINGFUL.search(reason):
        raise RequestError("no reason was given; say why, so that the history can be understood")
