"""JSON documents: one pydantic model each, validated on reading, written atomically, never with a NaN."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from vmafcast.common.errors import DataError
from vmafcast.common.files import write_text

DocumentT = TypeVar("DocumentT", bound="Document")


class Document(BaseModel):
    """Base of our own documents: immutable, unknown keys are an error, NaN and infinity never enter."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=())


class ForeignDocument(BaseModel):
    """Base of documents that others wrote: unknown keys are kept, the rest is validated as ours is."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False, protected_namespaces=())


def to_json(document: BaseModel) -> str:
    """Return the document as indented JSON with a final newline, keys in the model's order."""
    return json.dumps(document.model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_document(path: Path, document: BaseModel) -> None:
    """Write ``document`` to ``path`` as JSON, atomically."""
    write_text(path, to_json(document))


def read_document(path: Path, model: type[DocumentT]) -> DocumentT:
    """Read and validate the JSON document at ``path``.

    Raises
    ------
    DataError
        The file cannot be read, is no JSON, or does not have the form of ``model``; the message names the
        file and the first key that is wrong.
    """
    try:
        return model.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise DataError(f"{path} is not a valid {model.__name__}: {where}: {first['msg']}") from error
