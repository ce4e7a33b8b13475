"""What `vmafcast` exports is a promise: a change here is a change of the public interface."""

import subprocess
import sys

import pytest

import vmafcast

PUBLIC = {
    "ENCODERS", "RECIPES", "Attempt", "CapabilityError", "ClipPrediction", "CorpusStore", "DataError", "EncodeFacts",
    "EncodeSettings", "Encoder", "EvaluateRequest", "EvaluationReport", "EnsembleRequest", "Ensembled", "Ffmpeg",
    "FfmpegError", "Forecast", "ForecastPoint", "Forecasted", "ForeignModel", "FrameModel", "FrameScores",
    "GateRefused", "IntegrityError", "Interval", "MeasuredEncode", "MediaError", "OutputError", "Prediction",
    "PredictorModel", "PredictorsRequest", "PredictorsTrained", "Recipe", "Registry", "RequestError", "ScoredEncode",
    "Scoring", "Shipped", "Source", "TablePrediction", "TargetError", "TrainRequest", "Trained", "TuneRequest", "Tuned",
    "VmafcastError", "encode_and_score", "evaluate", "ensemble", "find_ffmpeg", "forecast", "get_encoder", "get_recipe",
    "load_champion", "load_model", "load_predictor", "predict_clip", "predict_table", "probe", "score_pair",
    "serving_registry", "ship", "train", "train_predictors", "tune",
}  # fmt: skip


def test_the_public_names_are_frozen():
    assert set(vmafcast.__all__) == PUBLIC
    assert len(vmafcast.__all__) == len(PUBLIC)


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_name_can_be_had_and_is_documented(name):
    value = getattr(vmafcast, name)
    assert name in dir(vmafcast)
    if callable(value):
        assert value.__doc__


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = vmafcast.nonsense


def test_importing_the_package_imports_nothing_else():
    code = "import sys, vmafcast; print(*sorted(name for name in sys.modules if name.startswith('vmafcast')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["vmafcast"]
