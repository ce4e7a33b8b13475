"""One registered model, and the only way to its bytes: read once, hashed, and handed on as they were hashed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from vmafcast.common.errors import DataError, GateRefused, IntegrityError
from vmafcast.common.files import sha256_bytes
from vmafcast.models.sidecar import Sidecar
from vmafcast.registry.rows import ModelRow


@dataclass(frozen=True)
class Entry:
    """A registered model.

    Parameters
    ----------
    root
        The registry's folder.
    row
        What is known of it, and where it stands.
    files
        Every file of it, by path relative to the registry, with its SHA-256.
    """

    root: Path
    row: ModelRow
    files: Mapping[str, str]

    @property
    def id(self) -> str:
        """The model's id."""
        return self.row.id

    @property
    def onnx_path(self) -> Path:
        """Where the model file lies; to predict, take its bytes from :func:`load` instead."""
        return self.root / self.row.onnx

    @property
    def sidecar_path(self) -> Path:
        """Where the sidecar lies."""
        return self.root / self.row.sidecar


@dataclass(frozen=True)
class LoadedModel:
    """A model's bytes, each of which was covered by a hash when it was read.

    Parameters
    ----------
    entry
        Which model.
    onnx
        The model file, to be given to a runtime as bytes.
    sidecar
        The sidecar.
    external_data
        Files that hold weights, by name.
    members
        Further model files, by name.
    """

    entry: Entry
    onnx: bytes
    sidecar: bytes
    external_data: Mapping[str, bytes]
    members: Mapping[str, bytes] = field(default_factory=dict)

    def sidecar_document(self) -> Sidecar:
        """Return the sidecar of a frame regressor as a document.

        Raises
        ------
        DataError
            It is not the sidecar of a frame regressor, or of another version of vmafcast.
        """
        try:
            return Sidecar.model_validate_json(self.sidecar)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the document"
            raise DataError(
                f"{self.entry.sidecar_path} is not a valid sidecar of a frame regressor: {where}: {first['msg']}"
            ) from error


def require_intact(entry: Entry) -> dict[str, bytes]:
    """Return the bytes of every file of ``entry``, by path relative to the registry.

    The files are read once, and what was hashed is what is returned: a file that is exchanged between a check
    and a later reading would pass the check.

    Raises
    ------
    IntegrityError
        A file is missing, unreadable, or differs from what was recorded; the message names it.
    """
    content = {}
    for path, expected in entry.files.items():
        try:
            data = (entry.root / path).read_bytes()
        except OSError as error:
            raise IntegrityError(
                f"cannot read {entry.root / path} of model {entry.id}: {error.strerror}; "
                "restore it from a copy, or roll back"
            ) from error
        if (actual := sha256_bytes(data)) != expected:
            raise IntegrityError(
                f"{entry.root / path} of model {entry.id} has the SHA-256 {actual}, but {expected} was recorded; "
                "restore it from a copy, or roll back"
            )
        content[path] = data
    return content


def load(entry: Entry) -> LoadedModel:
    """Return the verified bytes that it takes to predict with ``entry``.

    Raises
    ------
    GateRefused
        The model was revoked.
    IntegrityError
        See :func:`require_intact`.
    """
    if entry.row.status == "revoked":
        raise GateRefused(f"model {entry.id} was revoked and is not served; use the champion of its recipe")
    content = require_intact(entry)
    return LoadedModel(
        entry=entry,
        onnx=content[entry.row.onnx],
        sidecar=content[entry.row.sidecar],
        external_data={Path(data.path).name: content[data.path] for data in entry.row.external_data},
        members={Path(member.path).name: content[member.path] for member in entry.row.members},
    )
