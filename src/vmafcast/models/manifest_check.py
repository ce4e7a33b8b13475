"""Whether an ensemble is what its manifest says: every file, the order of the members, and the scaler.

A hash says that a file is the one that was recorded; it does not say that the first member of the list is the first
column of the graph. So the members are run beside the graph, on rows from the range that they were trained on.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from pydantic import ValidationError

from vmafcast.common.errors import IntegrityError, RequestError
from vmafcast.common.files import sha256_bytes
from vmafcast.models.design import SETTINGS
from vmafcast.models.manifest import MEMBERS, EnsembleManifest, ManifestMember
from vmafcast.models.runtime import open_session
from vmafcast.models.sidecar import Sidecar

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHARED: Final = (
    "feature_order", "feature_mean", "feature_std", "feature_min", "feature_max", "codec_aware", "codec_block_layout",
    "encoder_vocab", "encoder_vocab_version", "trained_slots", "preset_norm_range", "crf_norm_range", "teacher",
    "output_range", "opset", "input_names", "smoke",
)  # fmt: skip
"""What an ensemble and its members have in common."""

_PROBES: Final = 64
_TOLERANCE: Final = 1e-3
"""In VMAF: rounding between two graphs of the same network, and far below the distance between two seeds."""


def parse_manifest(content: bytes, shown_as: str) -> EnsembleManifest:
    """Return the manifest in ``content``.

    Raises
    ------
    IntegrityError
        It is not the manifest of an ensemble, or contradicts itself: it was changed, or is of another version.
    """
    try:
        return EnsembleManifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise IntegrityError(f"{shown_as} is not a valid manifest of an ensemble: {where}: {first['msg']}") from error


def read_ensemble(path: Path) -> tuple[EnsembleManifest, bytes]:
    """Return the manifest at ``path`` and the bytes of its graph, all of the ensemble checked.

    Raises
    ------
    RequestError
        There is no such file.
    IntegrityError
        See :func:`check_ensemble`.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RequestError(f"cannot read the manifest {path}: {error.strerror}") from error
    manifest = parse_manifest(content, str(path))
    names = [manifest.onnx, *(name for member in manifest.members for name in (member.onnx, member.sidecar))]
    files = {}
    for name in names:
        try:
            files[name] = path.with_name(name).read_bytes()
        except OSError as error:
            raise IntegrityError(f"{path} names {name}, which cannot be read: {error.strerror}") from error
    check_ensemble(manifest, files, str(path))
    return manifest, files[manifest.onnx]


def check_ensemble(manifest: EnsembleManifest, files: Mapping[str, bytes], shown_as: str) -> None:
    """Check that graph and members are those of ``manifest``, in its order and with its scaler.

    Parameters
    ----------
    files
        The bytes of the graph, of every member and of every member's sidecar, by name.
    shown_as
        What to call the manifest in an error.

    Raises
    ------
    IntegrityError
        A file is missing or has another hash; a member's sidecar contradicts the manifest; or a column of the graph is
        not the member that stands in its place. The message gives the reason.
    """
    _require_hash(files, manifest.onnx, manifest.sha256, shown_as)
    for member in manifest.members:
        _require_hash(files, member.onnx, member.sha256, shown_as)
        _require_hash(files, member.sidecar, member.sidecar_sha256, shown_as)
        _require_own_sidecar(manifest, member, files[member.sidecar], shown_as)
    _require_columns(manifest, files, shown_as)


def _require_hash(files: Mapping[str, bytes], name: str, recorded: str, shown_as: str) -> None:
    if name not in files:
        raise IntegrityError(f"{shown_as} names {name}, which is not there; restore it from a copy")
    if (found := sha256_bytes(files[name])) != recorded:
        raise IntegrityError(
            f"{name} has the SHA-256 {found}, but {shown_as} records {recorded}: one of the two was changed; "
            "restore both from a copy, or train again"
        )


def _require_own_sidecar(manifest: EnsembleManifest, member: ManifestMember, content: bytes, shown_as: str) -> None:
    try:
        sidecar = Sidecar.model_validate_json(content)
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise IntegrityError(f"{member.sidecar}, of {shown_as}, is not a valid sidecar: {reason}") from error
    own = {"id": member.id, "onnx": member.onnx, "sha256": member.sha256}
    wrong = [name for name, value in own.items() if getattr(sidecar, name) != value]
    wrong += ["seed"] if sidecar.training.seed != member.seed else []
    wrong += [name for name in _SHARED if getattr(sidecar, name) != getattr(manifest, name)]
    if wrong:
        raise IntegrityError(
            f"{shown_as} and its member {member.sidecar} differ in {', '.join(wrong)}: one of the two was changed; "
            "restore both from a copy, or train again"
        )


def _require_columns(manifest: EnsembleManifest, files: Mapping[str, bytes], shown_as: str) -> None:
    feed = _probes(manifest)
    session = open_session(files[manifest.onnx], manifest.onnx)
    names = tuple(each.name for each in session.get_outputs())
    if names != manifest.output_names:
        raise IntegrityError(f"{manifest.onnx} has the outputs {names}, and {shown_as} says {manifest.output_names}")
    mean, columns = session.run([manifest.output_names[0], MEMBERS], feed)
    if columns.shape[1] != manifest.ensemble_size:
        raise IntegrityError(
            f"{manifest.onnx} has {columns.shape[1]} members, and {shown_as} lists {len(manifest.members)}"
        )
    for place, member in enumerate(manifest.members):
        [alone] = open_session(files[member.onnx], member.onnx).run([manifest.output_names[0]], feed)
        apart = np.abs(columns - alone[:, None]).max(axis=0)
        if not apart[place] <= _TOLERANCE:
            fits = [str(column) for column in np.flatnonzero(apart <= _TOLERANCE)]
            where = f"it is column {', '.join(fits)}: the order was changed" if fits else "it is in no column of it"
            raise IntegrityError(
                f"{member.onnx} (seed {member.seed}) stands in place {place} of {shown_as}, "
                f"but in {manifest.onnx} {where}"
            )
    if not np.abs(mean - columns.mean(axis=1)).max() <= _TOLERANCE:
        raise IntegrityError(f"{manifest.onnx} does not give the mean of its members")


def _probes(manifest: EnsembleManifest) -> dict[str, NDArray[np.float32]]:
    """Return inputs from the range that the networks were trained on, always the same."""
    draw = np.random.default_rng(0)
    low, high = np.array(manifest.feature_min), np.array(manifest.feature_max)
    feed = {manifest.input_names[0]: draw.uniform(low, high, (_PROBES, low.size)).astype(np.float32)}
    if manifest.codec_aware:
        slots = len(manifest.encoder_vocab)
        block = np.zeros((_PROBES, slots + len(SETTINGS)), dtype=np.float32)
        trained = [manifest.encoder_vocab.index(slot) for slot in manifest.trained_slots]
        if trained:
            block[np.arange(_PROBES), draw.choice(trained, _PROBES)] = 1
        block[:, slots:] = draw.random((_PROBES, len(SETTINGS)))
        feed[manifest.input_names[1]] = block
    return feed
