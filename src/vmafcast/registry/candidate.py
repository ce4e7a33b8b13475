"""A candidate: the folder that a training leaves behind, read once and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, TypeAdapter, ValidationError

from vmafcast.common.documents import ForeignDocument
from vmafcast.common.errors import DataError, IntegrityError, RequestError
from vmafcast.common.files import sha256_bytes
from vmafcast.models.sidecar import Sidecar
from vmafcast.registry.external_data import external_locations, is_sibling
from vmafcast.registry.rows import Kind, Name, Sha256

SIDECAR_NAME: Final = "model.json"
VERDICT_STEM: Final = "verdict"

# What the gate leaves in the same folder is no part of the candidate: a verdict enters with the promotion.
_NOT_PART = frozenset({"PROMOTE.json", "HOLD.json"})
_ID_DIGITS = 12
_NAME: TypeAdapter[str] = TypeAdapter(Name)


class SidecarFacts(ForeignDocument):
    """What the registry needs of a sidecar, whatever the kind of its model; all else in it is kept unread.

    Parameters
    ----------
    id
        The recipe's name.
    kind
        What the model does.
    onnx, sha256
        The model file beside the sidecar, and the SHA-256 of its bytes.
    opset, smoke, encoder_vocab_version, licence, notes
        As in the registry's rows.
    """

    id: Annotated[Name, Field(max_length=100)]
    kind: Kind
    onnx: Name
    sha256: Sha256
    opset: int
    smoke: bool
    encoder_vocab_version: int | str | None = None
    licence: str = ""
    notes: str = ""


@dataclass(frozen=True)
class Candidate:
    """A model that asks to be registered, all of its bytes in memory.

    Parameters
    ----------
    folder
        Where it was read from.
    facts
        What its sidecar says.
    files
        The bytes of every file, by name: model, sidecar, external data and the reports beside them.
    external_data
        Names of the files that hold weights.
    """

    folder: Path
    facts: SidecarFacts
    files: Mapping[str, bytes]
    external_data: tuple[str, ...]

    @property
    def model_id(self) -> str:
        """The id that the registry gives this model, derived from the bytes that decide what it predicts."""
        parts = [self.files[name] for name in (self.facts.onnx, SIDECAR_NAME, *self.external_data)]
        return content_id(self.facts.id, parts)


def content_id(recipe: str, parts: list[bytes]) -> str:
    """Return ``<recipe>-<12 hexadecimal digits>``, from the SHA-256 of the joined ``parts``.

    Parameters
    ----------
    recipe
        The recipe's name.
    parts
        The bytes of the model file, of the sidecar, then of any external data in the order of the names.
    """
    return f"{recipe}-{sha256_bytes(b''.join(parts))[:_ID_DIGITS]}"


def read_candidate(folder: Path) -> Candidate:
    """Read the candidate in ``folder`` and check that its parts belong together.

    Every plain file directly in the folder is part of it, except hidden files and the gate's own verdict;
    folders below it are not looked into.

    Raises
    ------
    RequestError
        There is no such folder, or no sidecar ``model.json`` in it.
    DataError
        The sidecar is not valid, a file is missing, has an odd name, is a link, or the model reads weights
        from outside of the folder.
    IntegrityError
        The model file is not the one that the sidecar was written for.
    """
    files = _read_files(folder)
    if SIDECAR_NAME not in files:
        raise RequestError(f"{folder} holds no {SIDECAR_NAME}; give the folder that the training wrote")
    facts = _read_facts(folder / SIDECAR_NAME, files[SIDECAR_NAME])
    onnx = files.get(facts.onnx)
    if onnx is None:
        raise DataError(f"{folder / SIDECAR_NAME} names the model file {facts.onnx}, which is not beside it")
    if (actual := sha256_bytes(onnx)) != facts.sha256:
        raise IntegrityError(
            f"{folder / facts.onnx} has the SHA-256 {actual}, but its sidecar was written for {facts.sha256}; "
            "train again"
        )
    return Candidate(folder, facts, files, _external_data(folder / facts.onnx, onnx, files))


def _read_files(folder: Path) -> dict[str, bytes]:
    if not folder.is_dir():
        raise RequestError(f"{folder} is no folder; give the folder that the training wrote")
    files = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in _NOT_PART or (path.is_dir() and not path.is_symlink()):
            continue
        if path.is_symlink() or not path.is_file():
            raise DataError(f"{path} is no plain file; put the file itself there")
        if path.name.startswith(VERDICT_STEM) or not _is_name(path.name):
            raise DataError(f"{path} cannot be registered under that name; rename or remove it")
        try:
            files[path.name] = path.read_bytes()
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}") from error
    return files


def _read_facts(path: Path, content: bytes) -> SidecarFacts:
    try:
        facts = SidecarFacts.model_validate_json(content)
        if facts.kind == "fr":
            # A frame regressor's sidecar is ours throughout; an error in it must not wait for the first use.
            Sidecar.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise DataError(f"{path} is not a valid sidecar: {where}: {first['msg']}") from error
    return facts


def _external_data(path: Path, onnx: bytes, files: Mapping[str, bytes]) -> tuple[str, ...]:
    try:
        locations = external_locations(onnx)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    for location in locations:
        if not is_sibling(location) or location not in files:
            raise DataError(f"{path} reads weights from {location!r}, which is no file beside it; export a single file")
    return locations


def _is_name(name: str) -> bool:
    try:
        _NAME.validate_python(name)
    except ValidationError:
        return False
    return True
