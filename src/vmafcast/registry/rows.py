"""The documents of ``registry.json``: what is known of each model, and what is served."""

from __future__ import annotations

import json
from typing import Annotated, Final, Literal

from pydantic import Field

from vmafcast.common.documents import Document

SCHEMA_VERSION: Final = 1

Kind = Literal["fr", "nr", "filter", "fr_ensemble", "predictor"]
ModelStatus = Literal["champion", "registered", "revoked"]

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+-]*$", max_length=128)]
"""The name of a recipe, model or file: one part of a path, never read as two parts nor as an option."""

RelativePath = Annotated[str, Field(pattern=r"^models(/[A-Za-z0-9_][A-Za-z0-9_.+-]*){2}$")]
"""A file of a model, relative to the registry: ``models/<id>/<name>``."""


class HashedFile(Document):
    """A file of the registry by its relative path, and the SHA-256 of its bytes."""

    path: RelativePath
    sha256: Sha256


class ModelFacts(Document):
    """What is known of a model from its registration on, and never changes.

    Parameters
    ----------
    id
        Derived from the model's bytes: ``<recipe>-<12 hexadecimal digits>``.
    kind
        What the model does; ``fr_ensemble`` and ``predictor`` are vmafcast's additions.
    recipe
        The recipe's name, as the sidecar's ``id`` gives it. One champion is served for each.
    onnx, sha256
        The model file and the SHA-256 of its bytes.
    opset
        Of the ONNX graph.
    smoke
        Whether the model was made to try the machinery only; such a model is never champion.
    vocab_version
        The version of the encoder vocabulary, null for a codec-blind model.
    license, description, notes
        For people.
    sidecar, sidecar_sha256
        The sidecar and the SHA-256 of its bytes.
    external_data
        Files beside the model that hold its weights; empty for a single-file model.
    members
        Further model files that the sidecar names, such as the networks of an ensemble; empty for one model.
    registered_at_utc
        When it was registered.
    """

    id: Name
    kind: Kind
    recipe: Name
    onnx: RelativePath
    sha256: Sha256
    opset: int
    smoke: bool
    vocab_version: int | str | None
    license: str
    description: str
    notes: str
    sidecar: RelativePath
    sidecar_sha256: Sha256
    external_data: tuple[HashedFile, ...]
    members: tuple[HashedFile, ...] = ()
    registered_at_utc: str


class ModelRow(ModelFacts):
    """A model as ``registry.json`` lists it: its facts, and where it stands now."""

    status: ModelStatus


class RegistryDocument(Document):
    """``registry.json``: a rendering of the events, for readers that know nothing of events.

    Parameters
    ----------
    events, head
        How many events it was rendered from, and the hash of the last; 64 zeros when there is none. Events
        that are cut off the end of ``events.jsonl`` are noticed by this.
    champions
        The model that is served, by recipe.
    models
        Every model, in the order of registration.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    events: Annotated[int, Field(ge=0)]
    head: Sha256
    champions: dict[str, str]
    models: tuple[ModelRow, ...]


def registry_schema() -> str:
    """Return the JSON Schema (draft 2020-12) of ``registry.json``, as it is committed beside this module."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **RegistryDocument.model_json_schema(),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
