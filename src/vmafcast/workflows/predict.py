"""Predicting the score of a distorted video with what is served, beside the teacher's own score of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vmafcast.common.errors import RequestError
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.media.features import FEATURE_SETS, FeatureSet
from vmafcast.media.ffmpeg import Ffmpeg
from vmafcast.media.graph import Scoring
from vmafcast.media.measure import score_pair
from vmafcast.media.source import probe
from vmafcast.models.runtime import FrameModel, open_session
from vmafcast.registry.entry import load
from vmafcast.registry.store import Registry

DEFAULT_RECIPE = "fr_regressor_v3"


@dataclass(frozen=True, slots=True)
class EncodeFacts:
    """What is known of how a distorted video was made: all of it, or nothing."""

    encoder: str
    preset: str
    quality: int


@dataclass(frozen=True, slots=True)
class ClipPrediction:
    """A distorted video's predicted score beside the teacher's.

    Attributes
    ----------
    model
        The id of the model that predicted.
    teacher
        The metric model whose score is predicted.
    predicted, measured
        float64 [frames], 0 to 100.
    warnings
        What the reader should know.
    """

    model: str
    teacher: str
    predicted: NDArray[np.float64]
    measured: NDArray[np.float64]
    warnings: tuple[str, ...]

    @property
    def predicted_mean(self) -> float:
        """Mean of the predicted frame scores."""
        return float(self.predicted.mean())

    @property
    def measured_mean(self) -> float:
        """The teacher's pooled mean."""
        return float(self.measured.mean())


def load_champion(registry: Registry, recipe: str) -> tuple[str, FrameModel]:
    """Return the id and the model that is served for ``recipe``, every byte of it verified.

    Raises
    ------
    RequestError
        No champion is served for it.
    IntegrityError
        A file of it differs from what was recorded.
    """
    loaded = load(registry.champion(recipe))
    sidecar = loaded.sidecar_document()
    return loaded.entry.id, FrameModel(open_session(loaded.onnx, loaded.entry.id), sidecar)


def predict_clip(
    reference: Path,
    distorted: Path,
    *,
    registry: Registry,
    ffmpeg: Ffmpeg,
    recipe: str = DEFAULT_RECIPE,
    encode: EncodeFacts | None = None,
) -> ClipPrediction:
    """Measure what the champion of ``recipe`` needs of a pair of videos, and predict the distorted one's score.

    Parameters
    ----------
    reference, distorted
        Two videos of the same frames.
    registry, recipe
        Which model predicts.
    ffmpeg
        What measures.
    encode
        How ``distorted`` was made. None: the model is told that it does not know.

    Raises
    ------
    RequestError
        No champion, or an encode that cannot be meant.
    MediaError
        A video that cannot be used.
    IntegrityError
        The model is not what was registered.
    """
    name, model = load_champion(registry, recipe)
    features = model.sidecar.feature_order
    scoring = Scoring(model.sidecar.teacher, (_feature_set(features),))
    frames = score_pair(ffmpeg, probe(reference), probe(distorted), scoring)
    table = np.column_stack([frames.columns[column] for column in features])
    if encode is None or not model.sidecar.codec_aware:
        prediction = model.predict(table, feature_names=features)
    else:
        encoder = get_encoder(encode.encoder)
        count = frames.frames
        prediction = model.predict(
            table, [encoder.name] * count,
            np.full(count, encoder.preset_norm(encode.preset)), np.full(count, encoder.quality_norm(encode.quality)),
            feature_names=features,
        )  # fmt: skip
    return ClipPrediction(
        name, model.sidecar.teacher, prediction.vmaf.astype(np.float64), frames.vmaf, prediction.warnings
    )


def encode_facts(encoder: str | None, preset: str | None, quality: int | None) -> EncodeFacts | None:
    """Return what is known of an encode when all three are given, None when none is.

    Raises
    ------
    RequestError
        Some are given and some are not; or one is not the encoder's.
    """
    if encoder is None and preset is None and quality is None:
        return None
    if encoder is None or quality is None:
        raise RequestError("give both --encoder and --quality of the distorted video, or neither")
    known = get_encoder(encoder)
    facts = EncodeFacts(known.name, preset or known.default_preset, quality)
    known.check_preset(facts.preset)
    known.check_quality(quality)
    return facts


def _feature_set(features: tuple[str, ...]) -> FeatureSet:
    """Return a known feature set that holds ``features``."""
    for each in FEATURE_SETS.values():
        if set(features) <= set(each.columns):
            return each
    raise RequestError(f"no feature set holds all of {', '.join(features)}, which the model needs")
