"""Predicting the score of a distorted video with what is served, beside the teacher's own score of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vmafcast.common.errors import DataError, RequestError
from vmafcast.common.feature_names import SOURCE
from vmafcast.corpus.surveyed import source_features, survey_row
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.evaluation.conformal_ranks import exact_level
from vmafcast.media.complexity.cache import default_cache
from vmafcast.media.complexity.sample import DEFAULT_PLAN
from vmafcast.media.complexity.survey import survey
from vmafcast.media.features import FEATURE_SETS, FeatureSet, columns_of
from vmafcast.media.ffmpeg import Ffmpeg
from vmafcast.media.graph import Scoring
from vmafcast.media.measure import score_pair
from vmafcast.media.probe_encode import REVISION as PROBE_REVISION
from vmafcast.media.probe_encode import ProbeSettings
from vmafcast.media.source import Source, probe
from vmafcast.models.loading import AnyModel
from vmafcast.models.runtime import FrameModel
from vmafcast.registry.store import Registry
from vmafcast.workflows.confidence import ClipConfidence, clip_confidence, load_ensemble_champion
from vmafcast.workflows.serving import DEFAULT_RECIPE, load_champion


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
    confidence
        The intervals of the clip and its frames; None where none were asked for.
    """

    model: str
    teacher: str
    predicted: NDArray[np.float64]
    measured: NDArray[np.float64]
    warnings: tuple[str, ...]
    confidence: ClipConfidence | None = None

    @property
    def predicted_mean(self) -> float:
        """Mean of the predicted frame scores."""
        return float(self.predicted.mean())

    @property
    def measured_mean(self) -> float:
        """The teacher's pooled mean."""
        return float(self.measured.mean())


def predict_clip(
    reference: Path,
    distorted: Path,
    *,
    ffmpeg: Ffmpeg,
    registry: Registry | None = None,
    recipe: str = DEFAULT_RECIPE,
    model: AnyModel | None = None,
    name: str | None = None,
    encode: EncodeFacts | None = None,
    confidence: Fraction | str | float | None = None,
    cache: Path | None = None,
) -> ClipPrediction:
    """Measure what a model needs of a pair of videos, and predict the distorted one's score.

    Parameters
    ----------
    reference, distorted
        Two videos of the same frames.
    ffmpeg
        What measures.
    registry, recipe
        Whose champion predicts, where no model is given.
    model
        What predicts: see :func:`vmafcast.workflows.serving.load_file`.
    name
        What to call that model in the result; by default its own id.
    encode
        How ``distorted`` was made. None: the model is told that it does not know.
    confidence
        The probability with which the intervals shall hold, in (0, 1); only an ensemble has some. None asks for none.
    cache
        Where what is measured of a source once is kept by content, for models that want it; :func:`default_cache` when
        None.

    Raises
    ------
    RequestError
        No champion, no model at all, no ensemble where intervals are asked for, or an encode that cannot be meant.
    MediaError
        A video that cannot be used.
    DataError
        The model takes what is measured of a source once, and learnt from another revision of that.
    CapabilityError
        The ffmpeg cannot make the probe that the model wants.
    OutputError
        The cache cannot be written.
    IntegrityError
        The model is not what was registered.
    """
    level = None if confidence is None else exact_level(confidence)
    called, using = _chosen(registry, recipe, model, name, sure=level is not None)
    features = using.feature_order
    _require_own_survey(using)
    scoring = Scoring(using.teacher, feature_sets_of([name for name in features if name not in SOURCE]))
    original = probe(reference)
    frames = score_pair(ffmpeg, original, probe(distorted), scoring)
    columns = dict(frames.columns)
    if not set(SOURCE).isdisjoint(features):
        once = _measured_once(original, ffmpeg, using.teacher, cache)
        columns |= {name: np.full(frames.frames, value) for name, value in once.items()}
    table = np.column_stack([columns[column] for column in features])
    if encode is None or not using.codec_aware:
        prediction = using.predict(table, feature_names=features)
    else:
        encoder = get_encoder(encode.encoder)
        norms = using.norms(encoder.name, encode.preset, encode.quality)
        prediction = using.predict(table, [encoder.name] * frames.frames, *norms, feature_names=features)
    sure = None
    if level is not None:
        sure = clip_confidence(using, prediction, level, None if encode is None else get_encoder(encode.encoder).name)
    return ClipPrediction(
        called, using.teacher, prediction.vmaf.astype(np.float64), frames.vmaf,
        prediction.warnings + (() if sure is None else sure.notes), sure,
    )  # fmt: skip


def _require_own_survey(model: AnyModel) -> None:
    """Refuse a model that learnt from surveys which this version does not make: the same names, other numbers."""
    known = model.sidecar.training.survey if isinstance(model, FrameModel) else None
    if known is not None and known.probe_revision != PROBE_REVISION:  # what it takes of a source is the probe's alone
        raise DataError(
            f"{model.id} learnt from probes of revision {known.probe_revision}, and this version makes "
            f"{PROBE_REVISION}; train it again with `vmafcast train`"
        )


def _measured_once(source: Source, ffmpeg: Ffmpeg, teacher: str, cache: Path | None) -> dict[str, float]:
    """Return the columns ``SOURCE`` of a video, from the survey that encode predictors take too."""
    settings = ProbeSettings(teacher=teacher)
    cached = cache or default_cache()
    found = survey(source, probe_with=ffmpeg, settings=settings, plan=DEFAULT_PLAN, beside_probe=True, cache=cached)
    return source_features(survey_row(source.path.name, source.path.name, found, DEFAULT_PLAN))


def _chosen(
    registry: Registry | None, recipe: str, model: AnyModel | None, name: str | None, *, sure: bool
) -> tuple[str, AnyModel]:
    if model is not None:
        return name or model.id, model
    if registry is None:
        raise RequestError("nothing was given to predict with; give a registry or a model")
    return load_ensemble_champion(registry, recipe) if sure else load_champion(registry, recipe)


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


def feature_sets_of(features: Collection[str]) -> tuple[FeatureSet, ...]:
    """Return as few known feature sets as hold all of ``features``, the cheap before the dear.

    Raises
    ------
    RequestError
        No known set holds one of them.
    """
    known = tuple(FEATURE_SETS.values())
    for count in range(1, len(known) + 1):
        for sets in combinations(known, count):
            if set(features) <= set(columns_of(sets)):
                return sets
    lacking = sorted(set(features) - set(columns_of(known)))
    raise RequestError(f"no feature set holds {', '.join(lacking)}, which the model needs")
