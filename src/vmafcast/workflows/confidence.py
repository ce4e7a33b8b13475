"""How sure an ensemble is of a clip and of each of its frames: the intervals of its manifest about a prediction."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from vmafcast.common.errors import RequestError
from vmafcast.evaluation.conformal import Calibration, Interval, Rule
from vmafcast.evaluation.conformal_scores import mean_and_spread
from vmafcast.models.loading import AnyModel
from vmafcast.models.manifest import ENSEMBLE_SUFFIX, EnsembleManifest
from vmafcast.models.runtime import FrameModel, Prediction
from vmafcast.registry.store import Registry
from vmafcast.workflows.calibration import CLIP_RULE, FRAME_RULE, stored_calibration
from vmafcast.workflows.serving import load_champion, own_registry

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ClipConfidence:
    """The intervals of one clip.

    Attributes
    ----------
    clip
        Of the mean over its frames.
    frames
        Of each frame. Each holds with its own probability; that all hold at once is not said.
    notes
        What the reader should know: that the guarantee is void, or that there is no interval at this level.
    """

    clip: Interval
    frames: tuple[Interval, ...]
    notes: tuple[str, ...]


def ensemble_of(recipe: str) -> str:
    """Return the recipe of the ensemble of ``recipe``, which may be that of an ensemble itself."""
    return recipe if recipe.endswith(ENSEMBLE_SUFFIX) else f"{recipe}{ENSEMBLE_SUFFIX}"


def load_ensemble_champion(registry: Registry, recipe: str) -> tuple[str, FrameModel]:
    """Return the id and the ensemble that is served for ``recipe``, or else for the ensemble of that recipe.

    Raises
    ------
    RequestError
        Neither is served.
    IntegrityError, DataError
        See :func:`vmafcast.workflows.serving.load_champion`.
    """
    served = {entry.row.recipe: entry.row for entry in registry.list() if entry.row.status == "champion"}
    for name in (recipe, f"{recipe}{ENSEMBLE_SUFFIX}"):
        if name in served and served[name].kind == "fr_ensemble":
            return load_champion(registry, name)
    raise RequestError(
        f"no ensemble is served for {recipe!r} in {registry.folder}, and a single model has no interval; "
        f"train one with `vmafcast ensemble {recipe} --corpus CORPUS --registry {own_registry(registry)}`"
    )


def clip_confidence(
    model: AnyModel, prediction: Prediction, level: Fraction | str | float, encoder: str | None = None
) -> ClipConfidence:
    """Return the intervals about what an ensemble predicts of the frames of one clip.

    Parameters
    ----------
    model
        The ensemble that predicted.
    prediction
        Of all frames of one encode.
    level
        The probability to guarantee, in (0, 1).
    encoder
        What it was encoded with, as it was told to the model; None where it was not. Then the intervals are those of
        networks that were told nothing.

    Raises
    ------
    RequestError
        The model is no ensemble, has no calibration, there is no frame, or the level is none.
    DataError
        The calibration cannot be read by this version.
    """
    manifest = model.sidecar if isinstance(model, FrameModel) else None
    if not isinstance(manifest, EnsembleManifest) or prediction.members is None:
        raise RequestError(f"{model.id} is a single model and has no interval; train an ensemble: `vmafcast ensemble`")
    if not len(prediction.vmaf):
        raise RequestError("there is no frame to put an interval about")
    told = encoder is not None or not manifest.codec_aware
    outside = bool(prediction.outside.any())
    of_clip, of_frames = (_calibration(manifest, rule, told=told) for rule in (CLIP_RULE, FRAME_RULE))
    members = prediction.members.astype(np.float64)
    means, spreads = mean_and_spread(members)
    _, spread = mean_and_spread(members.mean(axis=0, keepdims=True))
    clip = of_clip.interval(
        float(means.mean()), _of(spread, 0), level, encoder if told else None, outside_training=outside
    )
    frames = tuple(
        of_frames.interval(float(mean), _of(spreads, place), level, encoder if told else None, outside_training=beyond)
        for place, (mean, beyond) in enumerate(zip(means.tolist(), prediction.outside.tolist(), strict=True))
    )
    return ClipConfidence(clip, frames, _notes(clip, prediction))


def _notes(clip: Interval, prediction: Prediction) -> tuple[str, ...]:
    notes = []
    if clip.outside_training:
        count = int(prediction.outside.sum())
        notes.append(
            f"{count} of {len(prediction.outside)} frames lie outside of what the ensemble was trained on: "
            "the guarantee of the interval is void"
        )
    if not clip.bounded:
        needed = clip.level / (1 - clip.level)
        notes.append(
            f"no interval at the level {float(clip.level):g}: that takes {-(-needed.numerator // needed.denominator)} "
            f"source groups, and it was calibrated on {clip.groups}"
        )
    return tuple(notes)


def _calibration(manifest: EnsembleManifest, rule: Rule, *, told: bool) -> Calibration:
    found = stored_calibration(manifest.confidence, rule, told=told)
    if found is None:
        how = "" if told else " of networks that are told nothing of the encode: give --encoder and --quality"
        raise RequestError(f"{manifest.id} has no calibration {rule}{how}")
    return found


def _of(spread: NDArray[np.float64] | None, place: int) -> float | None:
    return None if spread is None else float(spread[place])
