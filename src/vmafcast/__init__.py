"""vmafcast predicts VMAF: from cheap measurements, and before anything is encoded.

What stands in ``__all__`` is the public interface. Every name is imported on its first use, so that ``import vmafcast``
costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vmafcast.common.errors import (
        CapabilityError,
        DataError,
        FfmpegError,
        GateRefused,
        IntegrityError,
        MediaError,
        OutputError,
        RequestError,
        TargetError,
        VmafcastError,
    )
    from vmafcast.corpus.store import CorpusStore
    from vmafcast.encoders.catalogue import ENCODERS, Encoder, get_encoder
    from vmafcast.evaluation.conformal import Interval
    from vmafcast.evaluation.report import EvaluationReport
    from vmafcast.media.ffmpeg import Ffmpeg, find_ffmpeg
    from vmafcast.media.graph import EncodeSettings, Scoring
    from vmafcast.media.measure import FrameScores, ScoredEncode, encode_and_score, score_pair
    from vmafcast.media.source import Source, probe
    from vmafcast.models.foreign import ForeignModel
    from vmafcast.models.loading import load_model
    from vmafcast.models.predictor.runtime import Forecast, ForecastPoint, MeasuredEncode, PredictorModel
    from vmafcast.models.recipe import RECIPES, Recipe, get_recipe
    from vmafcast.models.runtime import FrameModel, Prediction
    from vmafcast.registry.store import Registry
    from vmafcast.workflows.ensemble import Ensembled, EnsembleRequest, ensemble
    from vmafcast.workflows.evaluate import EvaluateRequest, evaluate
    from vmafcast.workflows.forecast import Forecasted, forecast, load_predictor
    from vmafcast.workflows.predict import ClipPrediction, EncodeFacts, predict_clip
    from vmafcast.workflows.predict_table import TablePrediction, predict_table
    from vmafcast.workflows.serving import load_champion, serving_registry
    from vmafcast.workflows.ship import Shipped, ship
    from vmafcast.workflows.train import Trained, TrainRequest, train
    from vmafcast.workflows.train_predictors import PredictorsRequest, PredictorsTrained, train_predictors
    from vmafcast.workflows.tune import Attempt, Tuned, TuneRequest, tune

_HOMES = {
    "vmafcast.common.errors": (
        "CapabilityError", "DataError", "FfmpegError", "GateRefused", "IntegrityError", "MediaError", "OutputError",
        "RequestError", "TargetError", "VmafcastError",
    ),
    "vmafcast.corpus.store": ("CorpusStore",),
    "vmafcast.encoders.catalogue": ("ENCODERS", "Encoder", "get_encoder"),
    "vmafcast.evaluation.conformal": ("Interval",),
    "vmafcast.media.ffmpeg": ("Ffmpeg", "find_ffmpeg"),
    "vmafcast.media.graph": ("EncodeSettings", "Scoring"),
    "vmafcast.media.measure": ("FrameScores", "ScoredEncode", "encode_and_score", "score_pair"),
    "vmafcast.media.source": ("Source", "probe"),
    "vmafcast.models.predictor.runtime": ("Forecast", "ForecastPoint", "MeasuredEncode", "PredictorModel"),
    "vmafcast.models.recipe": ("RECIPES", "Recipe", "get_recipe"),
    "vmafcast.models.foreign": ("ForeignModel",),
    "vmafcast.models.loading": ("load_model",),
    "vmafcast.models.runtime": ("FrameModel", "Prediction"),
    "vmafcast.registry.store": ("Registry",),
    "vmafcast.workflows.ensemble": ("EnsembleRequest", "Ensembled", "ensemble"),
    "vmafcast.workflows.forecast": ("Forecasted", "forecast", "load_predictor"),
    "vmafcast.evaluation.report": ("EvaluationReport",),
    "vmafcast.workflows.evaluate": ("EvaluateRequest", "evaluate"),
    "vmafcast.workflows.predict": ("ClipPrediction", "EncodeFacts", "predict_clip"),
    "vmafcast.workflows.predict_table": ("TablePrediction", "predict_table"),
    "vmafcast.workflows.serving": ("load_champion", "serving_registry"),
    "vmafcast.workflows.ship": ("Shipped", "ship"),
    "vmafcast.workflows.train": ("TrainRequest", "Trained", "train"),
    "vmafcast.workflows.train_predictors": ("PredictorsRequest", "PredictorsTrained", "train_predictors"),
    "vmafcast.workflows.tune": ("Attempt", "TuneRequest", "Tuned", "tune"),
}  # fmt: skip
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "ENCODERS",
    "RECIPES",
    "Attempt",
    "CapabilityError",
    "ClipPrediction",
    "CorpusStore",
    "DataError",
    "EncodeFacts",
    "EncodeSettings",
    "Encoder",
    "EnsembleRequest",
    "Ensembled",
    "EvaluateRequest",
    "EvaluationReport",
    "Ffmpeg",
    "FfmpegError",
    "Forecast",
    "ForecastPoint",
    "Forecasted",
    "ForeignModel",
    "FrameModel",
    "FrameScores",
    "GateRefused",
    "IntegrityError",
    "Interval",
    "MeasuredEncode",
    "MediaError",
    "OutputError",
    "Prediction",
    "PredictorModel",
    "PredictorsRequest",
    "PredictorsTrained",
    "Recipe",
    "Registry",
    "RequestError",
    "ScoredEncode",
    "Scoring",
    "Shipped",
    "Source",
    "TablePrediction",
    "TargetError",
    "TrainRequest",
    "Trained",
    "TuneRequest",
    "Tuned",
    "VmafcastError",
    "encode_and_score",
    "ensemble",
    "evaluate",
    "find_ffmpeg",
    "forecast",
    "get_encoder",
    "get_recipe",
    "load_champion",
    "load_model",
    "load_predictor",
    "predict_clip",
    "predict_table",
    "probe",
    "score_pair",
    "serving_registry",
    "ship",
    "train",
    "train_predictors",
    "tune",
]


def __getattr__(name: str) -> object:
    """Import a public name on its first use."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
