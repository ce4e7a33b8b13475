from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from vmafcast.common.documents import to_json
from vmafcast.common.errors import DataError
from vmafcast.models.sidecar import GateCriterion, GateFacts, LosoSummary, Sidecar, read_sidecar, sidecar_path

FORMAT_KEYS = (
    "id, kind, onnx, sha256, opset, input_names, output_names, feature_order, feature_mean, feature_std, codec_aware, "
    "codec_block_layout, encoder_vocab, encoder_vocab_version, trained_slots, teacher, training, gate, smoke, licence, "
    "notes, schema_version, output_range, feature_min, feature_max"
)


def test_the_sidecar_has_every_key_of_the_format(exported):
    path, sidecar = exported
    written = json.loads(sidecar_path(path).read_text())
    assert set(FORMAT_KEYS.split(", ")) <= set(written)
    assert {"recipe", "dataset", "corpus_sha256", "rows", "source_groups", "loso"} <= set(written["training"])
    assert written["kind"] == "fr"
    assert written["onnx"] == path.name
    assert read_sidecar(sidecar_path(path)) == sidecar


def test_the_sidecar_repeats_what_is_in_the_graph(exported, trained, tiny):
    _, sidecar = exported
    assert sidecar.feature_order == tiny.feature_order
    assert sidecar.feature_mean == pytest.approx(trained.scalers[0].mean)
    assert sidecar.feature_std == pytest.approx(trained.scalers[0].std)
    assert len(sidecar.codec_block_layout) == 25
    assert sidecar.codec_block_layout[-2:] == ("preset_norm", "crf_norm")
    assert sidecar.encoder_vocab_version == 4
    assert sidecar.trained_slots == ("libx264", "libx265", "libsvtav1")
    assert sidecar.preset_norm_range == (0.25, 0.75)
    assert sidecar.crf_norm_range == pytest.approx((0.2, 0.8))
    assert sidecar.training.recipe == tiny


def test_evaluation_and_gate_survive_json(exported):
    _, sidecar = exported
    loso = LosoSummary(
        folds=3,
        seeds=(0, 1),
        mean_plcc=0.99,
        std_plcc=0.0,
        min_plcc=0.9,
        max_plcc=1.0,
        mean_srocc=None,
        mean_rmse=1.5,
        mean_plcc_interval=(0.98, 0.995),
        interval_level=0.95,
    )
    criterion = GateCriterion(name="mean PLCC", verdict="not-measurable", measured=None, threshold=0.95)
    full = sidecar.model_copy(
        update={
            "training": sidecar.training.model_copy(update={"loso": loso}),
            "gate": GateFacts(gate="fr-v3", verdict="fail", criteria=(criterion,)),
        }
    )
    assert Sidecar.model_validate_json(to_json(full)) == full


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"onnx": "../model.onnx"}, "onnx"),
        ({"onnx": "/model.onnx"}, "onnx"),
        ({"onnx": "-model.onnx"}, "onnx"),
        ({"onnx": ".hidden.onnx"}, "onnx"),
        ({"sha256": "ABC"}, "sha256"),
        ({"feature_std": [1, 1, 1, 1, 1, 0]}, "greater than 0"),
        ({"feature_mean": [1, 2]}, "feature_mean must have one value for each of the 6 features"),
        ({"feature_max": [float("inf")] * 6}, "finite"),
        ({"codec_aware": False}, "codec_aware must agree"),
        ({"encoder_vocab": []}, "codec_aware must agree"),
        ({"encoder_vocab": ["libx265", "libx264"]}, "must begin with the slots"),
        ({"trained_slots": ["libx264", "libnovelty"]}, "does not hold.*libnovelty"),
        ({"output_range": [100, 0]}, "lower to the higher"),
        ({"unheard_of": 1}, "Extra inputs"),
        ({"schema_version": 2}, "schema_version"),
    ],
)
def test_a_sidecar_that_does_not_hold_together_is_refused(exported, changes, says):
    _, sidecar = exported
    with pytest.raises(ValidationError, match=says):
        Sidecar.model_validate({**sidecar.model_dump(), **changes})


def test_an_unreadable_sidecar_names_the_file_and_the_key(exported):
    path, sidecar = exported
    written = json.loads(to_json(sidecar))
    written["opset"] = "seventeen"
    sidecar_path(path).write_text(json.dumps(written))
    with pytest.raises(DataError, match=r"model0\.json is not a valid Sidecar: opset"):
        read_sidecar(sidecar_path(path))
