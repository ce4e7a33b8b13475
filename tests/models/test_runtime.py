from __future__ import annotations

import subprocess
import sys

import numpy as np
import onnx
import pytest

from vmafcast.common.errors import DataError, IntegrityError, RequestError
from vmafcast.common.files import sha256_bytes
from vmafcast.models.runtime import FrameModel, open_session
from vmafcast.models.sidecar import sidecar_path
from vmafcast.models.training import rows_design


@pytest.fixture
def model(exported):
    return FrameModel.load(exported[0])


def test_serving_says_what_training_said(model, trained, tiny, rows):
    design = rows_design(tiny, rows)
    served = model.predict(rows.features, rows.encoders, rows.preset_norm, rows.crf_norm)
    assert np.allclose(served.vmaf, trained.predict(design.features, design.block)[0], atol=1e-4)
    assert served.vmaf.dtype == np.float32


def test_no_warning_where_there_is_nothing_to_warn_of(model, rows):
    own = rows.take(rows.groups != "clip5")
    assert model.predict(own.features, own.encoders, own.preset_norm, own.crf_norm).warnings == ()


@pytest.mark.parametrize("count", [0, 1, 3])
def test_any_number_of_rows_is_served(model, rows, count):
    served = model.predict(rows.features[:count], ["libx264"] * count, 0.5, 0.5)
    assert served.vmaf.shape == (count,)


def test_columns_may_come_in_any_order_when_they_are_named(model, rows):
    wanted = model.predict(rows.features).vmaf
    turned = model.predict(rows.features[:, ::-1], feature_names=rows.feature_names[::-1]).vmaf
    assert np.array_equal(turned, wanted)


@pytest.mark.parametrize(
    ("name", "says"),
    [("librav1e", "was not trained with the encoder librav1e"), ("libnovelty", "does not hold the encoder libnovelty")],
)
def test_an_encoder_that_is_not_held_is_served_as_unknown_and_named_once(model, rows, name, says):
    features = rows.features[:4]
    served = model.predict(features, ["libx264", name, name, name], 0.5, 0.5)
    unknown = model.predict(features, ["surely not an encoder"] * 4, 0.5, 0.5).vmaf
    known = model.predict(features, ["libx264"] * 4, 0.5, 0.5).vmaf
    assert np.array_equal(served.vmaf[1:], unknown[1:])
    assert served.vmaf[0] == known[0]
    assert len([warning for warning in served.warnings if name in warning]) == 1
    assert says in served.warnings[0]


def test_rows_outside_of_what_was_learnt_are_marked(model, rows):
    features = np.repeat(rows.features[:1], 4, axis=0)
    features[1, 2] = 7.0
    served = model.predict(features, ["libx264", "libx264", "libnovelty", "libx265"], 0.5, 0.5)
    assert served.outside.tolist() == [False, True, True, False]
    assert model.predict(features[:1], ["libx264"], 0.5, 0.999).outside.tolist() == [True]
    assert model.predict(features[:1]).outside.tolist() == [False]
    assert served.members is None


def test_slots_are_matched_by_name_and_never_by_index(exported, rows):
    """The same graph under a sidecar that names two slots the other way round swaps those two encoders."""
    path, sidecar = exported
    swap = {"libx264": "libx265", "libx265": "libx264"}
    vocabulary = tuple(swap.get(name, name) for name in sidecar.encoder_vocab)
    other = sidecar.model_copy(update={"encoder_vocab": vocabulary})
    plain, swapped = FrameModel.load(path, sidecar), FrameModel.load(path, other)
    few = rows.features[:5]
    one = plain.predict(few, ["libx264"] * 5, 0.5, 0.5).vmaf
    assert np.array_equal(swapped.predict(few, ["libx265"] * 5, 0.5, 0.5).vmaf, one)
    assert not np.allclose(swapped.predict(few, ["libx264"] * 5, 0.5, 0.5).vmaf, one, atol=0.5)


def test_without_an_encoder_the_block_is_zeros(model, trained, rows):
    served = model.predict(rows.features[:7])
    assert np.allclose(served.vmaf, trained.predict(rows.features[:7].astype(np.float32))[0], atol=1e-4)


def test_a_blind_model_does_not_look_at_the_encoder(write, trained, rows):
    blind = FrameModel.load(write(trained, 1)[0])
    told = blind.predict(rows.features[:5], ["libnovelty"] * 5, 0.5, 0.5)
    assert np.array_equal(told.vmaf, blind.predict(rows.features[:5]).vmaf)
    assert told.warnings == ()


def test_values_beyond_the_training_range_are_told_once(model):
    features = np.full((5, 6), 0.5)
    features[1:, 2] = 3.0
    features[4, 5] = -1.0
    served = model.predict(features, ["libx264"] * 5, [0.5, 0.5, 0.5, 0.5, 1.0], 0.5)
    (warning,) = served.warnings
    assert "vif_scale1 (4 of 5 rows" in warning
    assert "motion2 (1 of 5 rows" in warning
    assert "preset_norm (1 of 5 rows" in warning
    assert "adm2" not in warning
    assert "crf_norm" not in warning


@pytest.mark.parametrize(
    ("features", "says"),
    [
        (np.zeros((2, 5)), "6 columns"),
        (np.zeros(6), "6 columns"),
        ([[0, 0, np.nan, 0, 0, 0]], "vif_scale1 is not a finite number in row 0"),
    ],
)
def test_features_that_cannot_be_used_are_refused(model, features, says):
    with pytest.raises(DataError, match=says):
        model.predict(features)


def test_requests_that_cannot_be_meant_are_refused(model):
    features = np.zeros((2, 6))
    with pytest.raises(RequestError, match="takes preset_norm and crf_norm"):
        model.predict(features, ["libx264"] * 2)
    with pytest.raises(RequestError, match="takes preset_norm and crf_norm"):
        model.predict(features, ["libx264"] * 2, 0.5)
    with pytest.raises(RequestError, match="1 encoder names were given for 2 rows"):
        model.predict(features, ["libx264"], 0.5, 0.5)
    with pytest.raises(RequestError, match="crf_norm"):
        model.predict(features, ["libx264"] * 2, 0.5, 23)


# ---- integrity


@pytest.mark.parametrize("place", [0, 100, -1])
def test_one_changed_byte_is_refused(exported, place):
    path, _ = exported
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(IntegrityError, match="SHA-256"):
        FrameModel.load(path)


def test_a_truncated_or_missing_model_is_refused(exported):
    path, sidecar = exported
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(IntegrityError):
        FrameModel.load(path)
    path.unlink()
    with pytest.raises(RequestError, match="cannot read the model"):
        FrameModel.load(path, sidecar)


def test_a_missing_or_broken_sidecar_is_refused(exported):
    path, _ = exported
    sidecar_path(path).write_text("{}")
    with pytest.raises(DataError, match="not a valid Sidecar"):
        FrameModel.load(path)
    sidecar_path(path).unlink()
    with pytest.raises(DataError, match="cannot read"):
        FrameModel.load(path)


def test_a_sidecar_of_another_graph_is_refused(exported):
    path, sidecar = exported
    other = sidecar.model_copy(update={"input_names": ("features", "codec")})
    with pytest.raises(DataError, match="not what its sidecar says"):
        FrameModel.load(path, other)


def test_weights_outside_the_file_are_refused_though_the_hash_fits(exported, tmp_path, monkeypatch, capfd):
    path, sidecar = exported
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="weights.data", size_threshold=0)
    assert (path.parent / "weights.data").stat().st_size > 0
    monkeypatch.chdir(path.parent)  # even where the file could be found
    known = sidecar.model_copy(update={"sha256": sha256_bytes(path.read_bytes())})
    with pytest.raises(DataError, match="single ONNX file"):
        FrameModel.load(path, known)
    assert capfd.readouterr() == ("", "")


def test_bytes_that_are_no_model_are_refused():
    with pytest.raises(DataError, match=r"x\.onnx cannot be run"):
        open_session(b"no model at all", "x.onnx")


def test_serving_needs_nothing_that_training_needs():
    code = (
        "import sys, vmafcast.models.runtime; "
        "sys.exit(bool({'jax', 'optax', 'onnx', 'scipy', 'polars'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
