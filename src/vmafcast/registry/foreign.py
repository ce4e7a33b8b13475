"""Verifying a registry that others wrote: ``registry.json`` with models and hashes, beside the model files.

Such a registry is verified as far as its hashes go, and every byte that a model needs but no hash covers is a
problem in itself: the sidecar that holds the scaler, and weights in a ``.data`` file.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated, Final

from pydantic import Field, ValidationError

from vmafcast.common.documents import ForeignDocument
from vmafcast.common.errors import DataError, RequestError
from vmafcast.common.files import sha256_bytes
from vmafcast.models.external_data import external_locations, is_sibling
from vmafcast.registry.journal import EVENTS_NAME
from vmafcast.registry.report import Problem, VerifyReport

_REGISTRY_NAME: Final = "registry.json"
_Hash = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")]


class _HashedFile(ForeignDocument):
    path: str
    sha256: _Hash


class _Member(ForeignDocument):
    onnx: str
    sha256: _Hash


class _Row(ForeignDocument):
    id: str
    onnx: str
    sha256: _Hash
    int8_sha256: _Hash | None = None
    sidecar: str | None = None
    sidecar_sha256: _Hash | None = None
    external_data: tuple[_HashedFile, ...] = ()


class _Rows(ForeignDocument):
    models: tuple[_Row, ...]


class _Manifest(ForeignDocument):
    """A sidecar or an ensemble's manifest, as far as it states hashes of model files."""

    onnx: str | None = None
    sha256: _Hash | None = None
    members: tuple[_Member, ...] = ()
    external_data: tuple[_HashedFile, ...] = ()


class _Findings:
    """What has been compared so far, and what was wrong."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checked: set[str] = set()
        self.problems: set[tuple[str, str, str]] = set()

    def add(self, kind: str, path: str, detail: str) -> None:
        self.problems.add((path, kind, detail))

    def compare(self, path: str, sha256: str, stated_by: str) -> bytes | None:
        """Compare the file at ``path`` with a hash; return its bytes when they could be read."""
        if _leaves(path):
            self.add("outside", path, f"{stated_by} names a path that leaves the folder")
            return None
        try:
            data = (self.folder / path).read_bytes()
        except OSError as error:
            self.add("missing", path, f"{stated_by} names it, and it cannot be read: {error.strerror}")
            return None
        self.checked.add(path)
        if (actual := sha256_bytes(data)) != sha256.lower():
            self.add("changed", path, f"its SHA-256 is {actual}, but {stated_by} states {sha256.lower()}")
        return data


def verify_foreign(folder: Path) -> VerifyReport:
    """Verify a foreign registry in ``folder``; see :func:`vmafcast.registry.verify.verify`."""
    findings = _Findings(folder)
    try:
        rows = _Rows.model_validate_json((folder / _REGISTRY_NAME).read_bytes()).models
    except (OSError, ValidationError) as error:
        findings.add("malformed", _REGISTRY_NAME, f"it lists no models with their hashes: {_first(error)}")
        rows = ()
    for row in rows:
        _verify_row(row, findings)
    _verify_manifests(findings)
    _find_unhashed(findings)
    return VerifyReport(
        folder=str(folder),
        layout="foreign",
        events=0,
        head=None,
        checked=tuple(sorted(findings.checked)),
        problems=tuple(
            Problem.model_validate({"kind": kind, "path": path, "detail": detail})
            for path, kind, detail in sorted(findings.problems)
        ),
    )


def foreign_models(folder: Path) -> tuple[str, ...] | None:
    """Return the ids that a foreign registry lists; None where ``folder`` holds none.

    Raises
    ------
    DataError
        Its ``registry.json`` lists no models.
    """
    place = folder / _REGISTRY_NAME
    if (folder / EVENTS_NAME).exists() or not place.is_file() or names_a_history(place):
        return None
    return tuple(row.id for row in _listed(place))


def foreign_model(folder: Path, model: str) -> Path:
    """Return the ONNX file of a model of the foreign registry in ``folder``.

    Parameters
    ----------
    folder
        A folder with a ``registry.json`` that is not ours; see :func:`foreign_models`.
    model
        The id in its row.

    Raises
    ------
    RequestError
        It lists no such model, or lists it with a path that leaves the folder.
    DataError
        Its ``registry.json`` lists no models.
    """
    rows = _listed(folder / _REGISTRY_NAME)
    found = next((row for row in rows if row.id == model), None)
    if found is None or _leaves(found.onnx):
        listed = ", ".join(row.id for row in rows) or "none"
        raise RequestError(f"{folder} is a foreign registry without a servable model {model!r}; it lists {listed}")
    return folder / found.onnx


def _listed(place: Path) -> tuple[_Row, ...]:
    try:
        return _Rows.model_validate_json(place.read_bytes()).models
    except (OSError, ValidationError) as error:
        raise DataError(f"{place} lists no models with their hashes: {_first(error)}") from error


def names_a_history(path: Path) -> bool:
    """Whether ``path`` is our own rendering, whose events are missing, rather than a foreign registry."""
    try:
        content = path.read_bytes()
    except OSError:
        return False
    return b'"head"' in content and b'"champions"' in content


def stated_hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of the files in ``folder`` that a foreign registry there states, by name; empty without one.

    Raises
    ------
    DataError
        There is a ``registry.json`` that is none.
    """
    place = folder / _REGISTRY_NAME
    if not place.is_file():
        return {}
    try:
        rows = _Rows.model_validate_json(place.read_bytes()).models
    except (OSError, ValidationError) as error:
        raise DataError(f"{place} lists no models with their hashes: {_first(error)}") from error
    stated: dict[str, str] = {}
    for row in rows:
        stated |= {row.onnx: row.sha256, **{data.path: data.sha256 for data in row.external_data}}
    # A path into another folder is another folder's file.
    return {path: sha256.lower() for path, sha256 in stated.items() if is_sibling(path)}


def _verify_row(row: _Row, findings: _Findings) -> None:
    by = f"{_REGISTRY_NAME}, model {row.id}"
    findings.compare(row.onnx, row.sha256, by)
    stem = PurePosixPath(row.onnx).with_suffix("").as_posix()
    if row.int8_sha256:
        findings.compare(f"{stem}.int8.onnx", row.int8_sha256, by)
    for data in row.external_data:
        findings.compare(data.path, data.sha256, by)
    sidecar = row.sidecar or f"{stem}.json"
    if row.sidecar_sha256:
        findings.compare(sidecar, row.sidecar_sha256, by)
    elif not _leaves(sidecar) and (findings.folder / sidecar).is_file():
        findings.add("unhashed", sidecar, f"the sidecar of {row.id} is covered by no hash")


def _verify_manifests(findings: _Findings) -> None:
    """Compare what sidecars and ensemble manifests state of model files beside them."""
    for path in sorted(findings.folder.rglob("*.json")):
        try:
            manifest = _Manifest.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            continue  # not every JSON is a sidecar
        here = path.relative_to(findings.folder)
        stated = [(member.onnx, member.sha256) for member in manifest.members]
        stated += [(data.path, data.sha256) for data in manifest.external_data]
        if manifest.onnx and manifest.sha256:
            stated.append((manifest.onnx, manifest.sha256))
        for name, sha256 in stated:
            findings.compare((here.parent / name).as_posix(), sha256, here.as_posix())


def _find_unhashed(findings: _Findings) -> None:
    """Report model files, and the weights that they name, whose bytes nothing has been compared with."""
    for path in sorted(findings.folder.rglob("*.onnx")):
        name = path.relative_to(findings.folder).as_posix()
        if name not in findings.checked:
            findings.add("unhashed", name, "a model file that no hash covers")
        try:
            locations = external_locations(path.read_bytes())
        except (OSError, DataError) as error:
            findings.add("malformed", name, f"it cannot be read as a model: {error}")
            continue
        for location in locations:
            if not is_sibling(location):
                findings.add("outside", name, f"it reads weights from {location!r}, outside of its folder")
                continue
            beside = (path.parent / location).relative_to(findings.folder).as_posix()
            if not (path.parent / location).is_file():
                findings.add("missing", beside, f"{name} reads weights from it")
            elif beside not in findings.checked:
                findings.add("unhashed", beside, f"{name} reads weights from it, and no hash covers them")
    for path in sorted(findings.folder.rglob("*.data")):
        name = path.relative_to(findings.folder).as_posix()
        if name not in findings.checked:
            findings.add("unhashed", name, "weights that no hash covers")


def _leaves(path: str) -> bool:
    parts = PurePosixPath(path)
    return not path or parts.is_absolute() or ".." in parts.parts or "\\" in path or "\0" in path


def _first(error: OSError | ValidationError) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc']) or 'the document'}: {first['msg']}"
    return str(error.strerror)
