"""A candidate: the folder that a training leaves behind, read once and checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, TypeAdapter, ValidationError

from vmafcast.common.documents import ForeignDocument
from vmafcast.common.errors import DataError, IntegrityError, RequestError
from vmafcast.common.files import sha256_bytes
from vmafcast.models.external_data import external_locations, is_sibling
from vmafcast.models.sidecar import Sidecar
from vmafcast.registry.rows import Kind, Name, Sha256

SIDECAR_NAME: Final = "model.json"
"""The sidecar of a candidate. One that is called otherwise lies beside its model under the model's own name."""

CARD_NAME: Final = "README.md"
"""The model card of a candidate, under the name that model hosts show."""

VERDICT_STEM: Final = "verdict"

VERDICT_FILE: Final = re.compile(rf"^{VERDICT_STEM}(-[0-9]+)?\.json$")
"""By what names the registry keeps verdicts beside a model."""

# What the gate leaves in the same folder is no part of the candidate: a verdict enters with the promotion.
_NOT_PART = frozenset({"PROMOTE.json", "HOLD.json"})
_ID_DIGITS = 12
_NAME: TypeAdapter[str] = TypeAdapter(Name)


class MemberFacts(ForeignDocument):
    """A network of an ensemble in its manifest; ``onnx`` is null where it lies in the ensemble's own graph."""

    onnx: Name | None = None
    sha256: Sha256 | None = None


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
    codec_vocab_version
        What an ensemble's manifest calls ``encoder_vocab_version``.
    members
        The networks of an ensemble.
    """

    id: Annotated[Name, Field(max_length=100)]
    kind: Kind
    onnx: Name
    sha256: Sha256
    opset: int
    smoke: bool
    encoder_vocab_version: int | str | None = None
    codec_vocab_version: int | str | None = None
    members: tuple[MemberFacts, ...] = ()
    licence: str = ""
    notes: str = ""

    @property
    def vocab_version(self) -> int | str | None:
        """The version of the encoder vocabulary, None for a codec-blind model."""
        return self.codec_vocab_version if self.encoder_vocab_version is None else self.encoder_vocab_version


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
    members
        Names of further model files that the sidecar names.
    sidecar_name
        The name of the sidecar.
    """

    folder: Path
    facts: SidecarFacts
    files: Mapping[str, bytes]
    external_data: tuple[str, ...]
    members: tuple[str, ...] = ()
    sidecar_name: str = SIDECAR_NAME

    @property
    def model_id(self) -> str:
        """The id that the registry gives this model, derived from the bytes that decide what it predicts."""
        names = (self.facts.onnx, self.sidecar_name, *self.external_data, *self.members)
        return content_id(self.facts.id, [self.files[name] for name in names])

    def with_file(self, name: str, content: bytes) -> Candidate:
        """Return the candidate with one more file, such as a card; it takes no part in the model's id."""
        if name in (self.facts.onnx, self.sidecar_name, *self.external_data, *self.members) or not _is_name(name):
            raise RequestError(f"{name} cannot be added to the candidate {self.folder} under that name")
        return replace(self, files={**self.files, name: content})


def content_id(recipe: str, parts: list[bytes]) -> str:
    """Return ``<recipe>-<12 hexadecimal digits>``, from the SHA-256 of the joined ``parts``.

    Parameters
    ----------
    recipe
        The recipe's name.
    parts
        The bytes of the model file, of the sidecar, then of any external data in the order of the names, then of
        any members in theirs.
    """
    return f"{recipe}-{sha256_bytes(b''.join(parts))[:_ID_DIGITS]}"


def read_candidate(folder: Path, *, with_verdicts: bool = False) -> Candidate:
    """Read the candidate in ``folder`` and check that its parts belong together.

    Every plain file directly in the folder is part of it, except hidden files and the gate's own verdict;
    folders below it are not looked into.

    Raises
    ------
    RequestError
        There is no such folder, or no sidecar in it: ``model.json``, or ``<model>.json`` beside a ``<model>.onnx``.
    DataError
        The sidecar is not valid, a file is missing, has an odd name, is a link, or the model reads weights
        from outside of the folder.
    IntegrityError
        The model file is not the one that the sidecar was written for.
    """
    files = _read_files(folder, with_verdicts=with_verdicts)
    sidecar = _find_sidecar(folder, files)
    facts = _read_facts(folder / sidecar, files[sidecar])
    onnx = files.get(facts.onnx)
    if onnx is None:
        raise DataError(f"{folder / sidecar} names the model file {facts.onnx}, which is not beside it")
    if (actual := sha256_bytes(onnx)) != facts.sha256:
        raise IntegrityError(
            f"{folder / facts.onnx} has the SHA-256 {actual}, but its sidecar was written for {facts.sha256}; "
            "train again"
        )
    members = _members(folder / sidecar, facts, files)
    data = {name for model in (facts.onnx, *members) for name in _external_data(folder / model, files[model], files)}
    return Candidate(folder, facts, files, tuple(sorted(data)), members, sidecar)


def _read_files(folder: Path, *, with_verdicts: bool) -> dict[str, bytes]:
    if not folder.is_dir():
        raise RequestError(f"{folder} is no folder; give the folder that the training wrote")
    files = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in _NOT_PART or (path.is_dir() and not path.is_symlink()):
            continue
        if path.is_symlink() or not path.is_file():
            raise DataError(f"{path} is no plain file; put the file itself there")
        if with_verdicts and VERDICT_FILE.match(path.name):
            continue
        if path.name.startswith(VERDICT_STEM) or not _is_name(path.name):
            raise DataError(f"{path} cannot be registered under that name; rename or remove it")
        try:
            files[path.name] = path.read_bytes()
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}") from error
    return files


def _find_sidecar(folder: Path, files: Mapping[str, bytes]) -> str:
    if SIDECAR_NAME in files:
        return SIDECAR_NAME
    models = [Path(name).stem for name in files if name.endswith(".onnx")]
    found = [f"{stem}.json" for stem in models if f"{stem}.json" in files]
    if len(found) != 1:
        many = f"holds {len(found)} sidecars ({', '.join(found)}) and" if found else "holds"
        raise RequestError(f"{folder} {many} no {SIDECAR_NAME}; give the folder that the training wrote")
    return found[0]


def _members(path: Path, facts: SidecarFacts, files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return the names of the further model files that a sidecar names, each of which is what it was written for."""
    found = set()
    for member in facts.members:
        if member.onnx is None:
            continue
        content = files.get(member.onnx)
        if content is None:
            raise DataError(f"{path} names the member {member.onnx}, which is not beside it")
        if (actual := sha256_bytes(content)) != member.sha256:
            raise IntegrityError(
                f"{path.with_name(member.onnx)} has the SHA-256 {actual}, but its manifest was written for "
                f"{member.sha256 or 'none'}; train again"
            )
        found.add(member.onnx)
    return tuple(sorted(found - {facts.onnx}))


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
