"""From the held-out predictions of an ensemble to the intervals that its manifest carries."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

from vmafcast.common.errors import DataError
from vmafcast.evaluation.conformal import Calibration, Rule, Score
from vmafcast.evaluation.conformal_scores import DEFAULT_ALPHA, RULES, HeldOut, calibrate
from vmafcast.models.manifest import Confidence, StoredCalibration, calibration_sha256

if TYPE_CHECKING:
    import polars as pl

CLIP_RULE: Final[Rule] = "hcp-clip"
FRAME_RULE: Final[Rule] = "hcp-frame"

DEFAULT_SCORE: Final[Score] = "shaped"
"""Narrow near the ends of the scale: on the committed corpus the narrowest of lite's intervals, and of the canonical
recipes' hardly wider than those by the members' spread alone (``vmafcast coverage``)."""


def held_out_of(table: pl.DataFrame, *, told: bool = True) -> HeldOut:
    """Return the held-out predictions of a table as :mod:`vmafcast.workflows.held_out` writes it.

    Parameters
    ----------
    told
        Whether to take what the networks said when they were told the encoder, or when they were told nothing.

    Raises
    ------
    DataError
        The table has no such predictions.
    """
    prefix = "seed" if told else "untold_seed"
    columns = [name for name in table.columns if name.startswith(prefix)]
    if not columns:
        raise DataError(f"the held-out predictions have no column {prefix}0 or the like; train again")
    return HeldOut(
        groups=table["source_group"].to_numpy(),
        encoders=table["encoder"].to_numpy(),
        clips=table["cell"].to_numpy(),
        measured=table["vmaf"].to_numpy(),
        members=table.select(columns).to_numpy(),
    )


def confidence_of(table: pl.DataFrame, score: Score = DEFAULT_SCORE) -> Confidence:
    """Return the intervals that held-out predictions allow, for a clip, a frame and most frames of a clip.

    Of a codec-aware recipe there are those of networks that were told nothing of the encode besides; then there is one
    cell for all encoders, because nobody knows which it is.

    Parameters
    ----------
    table
        As :mod:`vmafcast.workflows.held_out` writes it.
    score
        Whether intervals have one width for all (``absolute``), follow the members' spread (``normalised``), or also
        narrow near the ends of the scale (``shaped``).

    Raises
    ------
    DataError
        The table lacks predictions.
    """
    held_out = held_out_of(table)
    main = calibrate(held_out, CLIP_RULE, score)
    further = [_stored(calibrate(held_out, rule, score), told=True) for rule in RULES if rule != CLIP_RULE]
    if any(name.startswith("untold_seed") for name in table.columns):
        untold = held_out_of(table, told=False)
        for rule in RULES:
            found = calibrate(untold, rule, score)
            further.append(_stored(found.model_copy(update={"scores": found.scores[:1]}), told=False))
    plain = main if score == "absolute" else calibrate(held_out, CLIP_RULE, "absolute")
    document = main.model_dump(mode="json")
    level = 1 - DEFAULT_ALPHA
    return Confidence(
        method=main.rule,
        nominal_coverage=float(level),
        gaussian_z=NormalDist().inv_cdf(float(1 + level) / 2),
        conformal_q_residual=plain.cell(None).threshold(level),
        calibration=document,
        further=tuple(further),
        calibration_sha256=calibration_sha256(document, further),
    )


def stored_calibration(confidence: Confidence, rule: Rule, *, told: bool = True) -> Calibration | None:
    """Return one of the calibrations of a manifest, None where it has none by that rule.

    Parameters
    ----------
    told
        Whether that of networks that were told the encoder.

    Raises
    ------
    DataError
        It cannot be read by this version.
    """
    stored: Sequence[StoredCalibration] = confidence.further
    if confidence.calibration is not None:
        stored = (StoredCalibration(codec_told=True, calibration=confidence.calibration), *stored)
    for each in stored:
        if each.codec_told == told and each.calibration.get("rule") == rule:
            try:
                return Calibration.model_validate(each.calibration)
            except ValueError as error:
                raise DataError(f"the calibration {rule} cannot be read by this version: {error}") from error
    return None


def _stored(calibration: Calibration, *, told: bool) -> StoredCalibration:
    return StoredCalibration(codec_told=told, calibration=calibration.model_dump(mode="json"))
