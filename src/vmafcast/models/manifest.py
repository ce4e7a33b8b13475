"""The manifest of an ensemble: the sidecar of its one graph, and the members and intervals that belong to it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, JsonValue, model_validator

from vmafcast.common.documents import Document
from vmafcast.common.files import sha256_bytes
from vmafcast.models.sidecar import FileName, Sha256, Sidecar

ENSEMBLE_SUFFIX: Final = "_ensemble"
"""What the identity of an ensemble has behind the name of its recipe."""

MEMBERS: Final = "members"
"""The output of an ensemble's graph that holds what each member says."""


class ManifestMember(Document):
    """One network of an ensemble.

    Attributes
    ----------
    id
        Its identity, as its own sidecar has it.
    onnx, sha256
        Its file beside the manifest, and the SHA-256 of it.
    seed
        Of its initial weights and the order of its rows.
    sidecar, sidecar_sha256
        Its sidecar beside the manifest, and the SHA-256 of that.
    """

    id: str
    onnx: FileName
    seed: Annotated[int, Field(ge=0)]
    sha256: Sha256
    sidecar: FileName
    sidecar_sha256: Sha256


class StoredCalibration(Document):
    """A calibration as the evaluation writes it, and which predictions it is of.

    Attributes
    ----------
    codec_told
        Whether the networks were told the encoder and its settings. Predictions without them are other predictions,
        and have intervals of their own.
    calibration
        The document; :mod:`vmafcast.evaluation.conformal` reads it.
    """

    codec_told: bool
    calibration: dict[str, JsonValue]


class Confidence(Document):
    """How sure the ensemble is, and how that was found.

    Attributes
    ----------
    method
        The rule of ``calibration``; ``none`` where nothing was calibrated.
    nominal_coverage
        The level that the two figures below are for.
    gaussian_z
        The two-sided standard normal quantile at that level. Times the members' spread it is the interval of others;
        it says nothing of new material, and nothing here uses it.
    conformal_q_residual
        Half the width, in VMAF, of the interval of a clip's mean over all encoders at that level, by plain residuals.
        Null where the source groups are too few for it; 0.0 is a value.
    calibration
        The rule for the mean of a clip, of networks that were told the encoder.
    further
        Those for a frame, for most frames of a clip, and of networks that were not told the encoder.
    calibration_sha256
        Over ``calibration`` and ``further``, see :func:`calibration_sha256`.
    """

    method: str
    nominal_coverage: Annotated[float, Field(gt=0, lt=1)]
    gaussian_z: Annotated[float, Field(gt=0)]
    conformal_q_residual: Annotated[float, Field(ge=0)] | None
    calibration: dict[str, JsonValue] | None
    further: tuple[StoredCalibration, ...] = ()
    calibration_sha256: Sha256 | None

    @model_validator(mode="after")
    def _calibration_is_what_was_hashed(self) -> Self:
        found = calibration_sha256(self.calibration, self.further)
        if found != self.calibration_sha256:
            raise ValueError(f"the calibration has the SHA-256 {found}, and {self.calibration_sha256} is recorded")
        return self


class EnsembleScores(Document):
    """How the seeds scored on held-out source groups, and how their mean did.

    Attributes
    ----------
    mean_plcc, plcc_spread
        Over the seeds: the mean, and the largest less the smallest.
    per_seed_plccs
        Mean LOSO PLCC by seed.
    mean_rmse
        Over the seeds, in VMAF.
    ensemble_mean_plcc, ensemble_mean_rmse
        Of the mean of the members, over the held-out source groups.
    """

    mean_plcc: float | None
    plcc_spread: float | None
    per_seed_plccs: dict[str, float | None]
    mean_rmse: float
    ensemble_mean_plcc: float | None
    ensemble_mean_rmse: float


class EnsembleManifest(Sidecar):
    """All that is needed to serve an ensemble and to audit it; what it shares with a sidecar is said there.

    Attributes
    ----------
    ensemble_size, members
        The networks, in the order of the columns of the output ``members``.
    codec_vocab, codec_vocab_version
        ``encoder_vocab`` and its version, under the names that readers of public manifests know.
    confidence
        The intervals.
    eval
        Leave-one-source-out, by seed and of the mean.
    """

    kind: Literal["fr_ensemble"] = "fr_ensemble"
    ensemble_size: Annotated[int, Field(ge=2)]
    members: tuple[ManifestMember, ...]
    codec_vocab: tuple[str, ...]
    codec_vocab_version: int | None
    confidence: Confidence
    eval: EnsembleScores

    @model_validator(mode="after")
    def _members_fit(self) -> Self:
        if len(self.members) != self.ensemble_size:
            raise ValueError(f"ensemble_size is {self.ensemble_size}, and {len(self.members)} members are listed")
        for name in ("id", "seed", "onnx", "sidecar"):
            values = [getattr(member, name) for member in self.members]
            if len(set(values)) != len(values):
                raise ValueError(f"two members have the same {name}")
        if (self.codec_vocab, self.codec_vocab_version) != (self.encoder_vocab, self.encoder_vocab_version):
            raise ValueError("codec_vocab must be encoder_vocab")
        if MEMBERS not in self.output_names:
            raise ValueError(f"the graph of an ensemble has an output {MEMBERS!r}")
        return self


def calibration_sha256(
    calibration: dict[str, JsonValue] | None, further: Sequence[StoredCalibration] = ()
) -> str | None:
    """Return the SHA-256 of calibrations as JSON with sorted keys and no spaces; None where there is none."""
    if calibration is None and not further:
        return None
    content: list[Any] = [calibration, *(each.model_dump(mode="json") for each in further)]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return sha256_bytes(text.encode())
