"""Models that others trained, built here node by node: served is what their own graph says of their own inputs."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from vmafcast.common.errors import DataError, IntegrityError, RequestError
from vmafcast.common.feature_names import CANONICAL6
from vmafcast.common.files import sha256_bytes
from vmafcast.encoders.vocabulary import V1, V2_DOCUMENTED, V2_TRAINED, V3, V4
from vmafcast.models.foreign import ForeignModel
from vmafcast.models.loading import load_model
from vmafcast.models.runtime import FrameModel

MEAN = np.array([0.9, 0.5, 0.8, 0.85, 0.9, 3.0], dtype=np.float32)
STD = np.array([0.1, 0.2, 0.1, 0.1, 0.05, 2.0], dtype=np.float32)
ROWS = np.array([[0.95, 0.6, 0.9, 0.9, 0.92, 4.0], [0.7, 0.3, 0.6, 0.7, 0.8, 0.0]])


def weights(codec_width, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=6).astype(np.float32), rng.normal(size=codec_width).astype(np.float32) * 5


def graph(codec_width=0, codec_name="codec", output="score", seed=0, flat=False):
    """A linear model: 60 + features . w + codec . v, shaped [N, 1] or, ``flat``, [N]."""
    w, v = weights(codec_width, seed)
    nodes = [helper.make_node("MatMul", ["features", "w"], ["a"])]
    inputs = [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", 6])]
    constants = [numpy_helper.from_array(w[:, None], "w"), numpy_helper.from_array(np.float32(60), "c")]
    total = "a"
    if codec_width:
        inputs.append(helper.make_tensor_value_info(codec_name, TensorProto.FLOAT, ["N", codec_width]))
        nodes += [helper.make_node("MatMul", [codec_name, "v"], ["b"]), helper.make_node("Add", ["a", "b"], ["ab"])]
        constants.append(numpy_helper.from_array(v[:, None], "v"))
        total = "ab"
    nodes.append(helper.make_node("Add", [total, "c"], ["column" if flat else output]))
    if flat:
        constants.append(numpy_helper.from_array(np.array([1]), "axis"))
        nodes.append(helper.make_node("Squeeze", ["column", "axis"], [output]))
    shape = ["N"] if flat else ["N", 1]
    made = helper.make_graph(
        nodes, "foreign", inputs, [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)], constants
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def layout(slots):
    return [*(f"encoder_onehot[{slot}]" for slot in slots), "preset_norm", "crf_norm"]


@pytest.fixture
def foreign(tmp_path):
    """A function that writes a foreign model of a codec width, with keys of its sidecar replaced or (None) left out."""

    def write(codec_width=14, *, name="their_model", codec_name="codec", external=False, model=None, **changes):
        path = tmp_path / f"{name}.onnx"
        made = model or graph(codec_width, codec_name)
        onnx.save_model(
            made, path, save_as_external_data=external, location=f"{name}.onnx.data" if external else None,
            size_threshold=0,
        )  # fmt: skip
        slots = list(V2_TRAINED.slots)
        sidecar = {
            "id": name, "kind": "fr", "onnx": path.name, "sha256": sha256_bytes(path.read_bytes()), "opset": 17,
            "input_names": ["features", codec_name] if codec_width else ["features"], "output_names": ["score"],
            "feature_order": list(CANONICAL6), "feature_mean": MEAN.tolist(), "feature_std": STD.tolist(),
            "codec_aware": bool(codec_width), "teacher": "vmaf_v0.6.1", "something": {"nobody": "reads"},
        }  # fmt: skip
        if codec_width:
            sidecar |= {"encoder_vocab": slots, "encoder_vocab_version": 2, "codec_block_layout": layout(slots)}
            sidecar |= {"crf_norm": "crf/63", "preset_norm": 0.5}
        if external:
            sidecar["external_data"] = [
                {"path": f"{name}.onnx.data", "sha256": sha256_bytes((tmp_path / f"{name}.onnx.data").read_bytes())}
            ]
        sidecar = {key: value for key, value in (sidecar | changes).items() if value is not None}
        path.with_suffix(".json").write_text(json.dumps(sidecar))
        return path

    return write


def by_hand(codec=None, rows=ROWS, seed=0):
    """What the linear model says, computed without it."""
    w, v = weights(0 if codec is None else len(codec), seed)
    said = 60 + ((rows.astype(np.float32) - MEAN) / STD) @ w
    return said if codec is None else said + np.asarray(codec, dtype=np.float32) @ v


def block(slots, encoder, preset_norm, crf_norm):
    return [*(float(slot == encoder) for slot in slots), preset_norm, crf_norm]


def test_its_own_scaler_is_applied(foreign):
    model = load_model(foreign(0))
    assert isinstance(model, ForeignModel)
    found = model.predict(ROWS)
    assert found.vmaf == pytest.approx(by_hand(), abs=1e-4)
    assert found.warnings == ()
    assert (model.id, model.teacher, model.codec_aware) == ("their_model", "vmaf_v0.6.1", False)


def test_a_graph_that_gives_a_flat_row_of_scores_is_served_as_well(foreign):
    model = load_model(foreign(0, model=graph(flat=True)))
    assert model.predict(ROWS).vmaf == pytest.approx(by_hand(), abs=1e-4)
    assert model.predict(np.zeros((0, 6))).vmaf.shape == (0,)


@pytest.mark.parametrize("codec_name", ["codec", "codec_onehot", "codec_block"])
def test_the_codec_input_may_have_any_name(foreign, codec_name):
    model = load_model(foreign(codec_name=codec_name))
    preset, crf = model.norms("libx265", "slow", 28)
    assert (preset, crf) == (0.5, pytest.approx(28 / 63))
    found = model.predict(ROWS, ["libx265"] * 2, preset, crf)
    assert found.vmaf == pytest.approx(by_hand(block(V2_TRAINED.slots, "libx265", 0.5, 28 / 63)), abs=1e-4)
    assert found.warnings == ()


def test_features_may_be_named_as_libvmaf_does(foreign):
    names = [f"integer_{name}" for name in reversed(CANONICAL6)]
    turned = {"feature_order": names, "feature_mean": MEAN[::-1].tolist(), "feature_std": STD[::-1].tolist()}
    model = load_model(foreign(0, **turned))
    assert model.feature_order == tuple(reversed(CANONICAL6))
    w, _ = weights(0)
    wanted = 60 + ((ROWS.astype(np.float32) - MEAN) / STD)[:, ::-1] @ w
    assert model.predict(ROWS, feature_names=CANONICAL6).vmaf == pytest.approx(wanted, abs=1e-4)


# ---- vocabularies: by name, never by index


@pytest.mark.parametrize("vocabulary", [V1, V2_TRAINED, V2_DOCUMENTED, V3, V4], ids=lambda each: each.name)
@pytest.mark.parametrize("asked", ["libx264", "libaom-av1", "libvpx-vp9", "h264_amf", "av1_vaapi", "libnovelty"])
def test_an_encoder_is_found_by_name_in_every_vocabulary(foreign, vocabulary, asked):
    slots = list(vocabulary.slots)
    path = foreign(vocabulary.width, encoder_vocab=slots, codec_block_layout=layout(slots))
    found = load_model(path).predict(ROWS, [asked] * 2, 0.5, 0.25)
    spelt = {"libx264": "x264"}.get(asked, asked) if vocabulary is V1 else asked
    held = spelt in slots
    wanted = spelt if held else "unknown"  # a vocabulary without that slot has zeros
    assert found.vmaf == pytest.approx(by_hand(block(slots, wanted, 0.5, 0.25)), abs=1e-4)
    assert found.outside.tolist() == [not held] * 2
    if held:
        assert found.warnings == ()
    else:
        [warning] = found.warnings
        assert f"does not hold the encoder {asked}; it is scored as an unknown encoder" in warning


def test_our_own_model_is_asked_by_name_too(exported, rows):
    """The reverse: an encoder of the old vocabularies that a model does not hold is unknown to it, and said so."""
    path, _ = exported
    model = load_model(path)
    assert isinstance(model, FrameModel)
    few = rows.features[:3]
    told = model.predict(few, ["libvpx-vp9", "libx264", "x264"], 0.5, 0.5)
    unknown = model.predict(few, ["unknown"] * 3, 0.5, 0.5)
    assert told.vmaf[0] == unknown.vmaf[0]
    assert told.vmaf[1] != unknown.vmaf[1]
    assert told.vmaf[2] == model.predict(few, ["libx264"] * 3, 0.5, 0.5).vmaf[2]
    assert [warning for warning in told.warnings if "libvpx-vp9" in warning]
    assert not [warning for warning in unknown.warnings if "encoder" in warning]


def test_trained_slots_are_believed_where_they_are_stated(foreign):
    path = foreign(trained_slots=["libx264"])
    found = load_model(path).predict(ROWS, ["libx264", "libx265"], 0.5, 0.5)
    wanted = [by_hand(block(V2_TRAINED.slots, name, 0.5, 0.5))[n] for n, name in enumerate(("libx264", "unknown"))]
    assert found.vmaf == pytest.approx(wanted, abs=1e-4)
    assert "was not trained with the encoder libx265" in found.warnings[0]


@pytest.mark.parametrize(("width", "vocabulary"), [(14, V2_TRAINED), (15, V2_DOCUMENTED), (8, V1), (25, V4)])
def test_a_vocabulary_that_is_not_named_goes_by_the_width_and_is_said(foreign, width, vocabulary):
    path = foreign(width, encoder_vocab=None, codec_block_layout=None)
    found = load_model(path).predict(ROWS, ["libsvtav1"] * 2, 0.5, 0.5)
    assert found.vmaf == pytest.approx(by_hand(block(vocabulary.slots, "libsvtav1", 0.5, 0.5)), abs=1e-4)
    assert f"the vocabulary {vocabulary.name} is assumed" in found.warnings[0]
    with pytest.raises(DataError, match="no vocabulary has the width 9"):
        load_model(foreign(9, encoder_vocab=None, codec_block_layout=None))


def test_the_columns_may_stand_in_another_order_or_be_fewer(foreign):
    slots = list(V2_TRAINED.slots)
    turned = ["crf_norm", "preset_norm", *reversed(slots)]
    found = load_model(foreign(codec_block_layout=turned)).predict(ROWS, ["libvvenc"] * 2, 0.5, 0.1)
    wanted = [0.1, 0.5, *(float(slot == "libvvenc") for slot in reversed(slots))]
    assert found.vmaf == pytest.approx(by_hand(wanted), abs=1e-4)
    bare = foreign(12, codec_block_layout=None, crf_norm=None, preset_norm=None)
    found = load_model(bare).predict(ROWS, ["libvvenc"] * 2, 0.5, 0.1)
    assert found.vmaf == pytest.approx(by_hand([float(slot == "libvvenc") for slot in slots]), abs=1e-4)
    assert found.warnings == ()  # it takes no settings, so nothing was assumed of them


# ---- normalisers


def test_a_quality_may_be_taken_between_the_ends_of_the_corpus(foreign):
    model = load_model(foreign(crf_norm=None, corpus={"cq_min": 20, "cq_max": 44}))
    assert model.norms("libx264", "medium", 26)[1] == pytest.approx(0.25)
    assert model.norms("libx264", None, 10)[1] == 0
    assert model.norms("libx264", None, 63)[1] == 1
    assert model.predict(ROWS, ["libx264"] * 2, 0.5, 0.25).warnings == ()


def test_settings_on_the_encoder_s_own_scale_may_be_stated(foreign):
    model = load_model(foreign(crf_norm="own-scale", preset_norm="own-scale"))
    assert model.norms("libx264", "ultrafast", 51) == (0.0, 0.0)


@pytest.mark.parametrize("missing", [("crf_norm",), ("preset_norm",), ("crf_norm", "preset_norm")])
def test_what_the_sidecar_does_not_say_is_assumed_aloud(foreign, missing):
    model = load_model(foreign(**dict.fromkeys(missing)))
    said = {"crf_norm": "crf/63 is assumed", "preset_norm": "the constant 0.5 is assumed"}
    found = model.predict(ROWS, ["libx264"] * 2, *model.norms("libx264", "veryslow", 30))
    assert len(found.warnings) == len(missing)
    assert all(any(said[name] in warning for warning in found.warnings) for name in missing)
    assert found.vmaf == pytest.approx(by_hand(block(V2_TRAINED.slots, "libx264", 0.5, 30 / 63)), abs=1e-4)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"teacher": None}, "vmaf_v0.6.1 is assumed"),
        ({"feature_mean": None, "feature_std": None}, "states no scaler"),
        ({"smoke": True}, "smoke model"),
    ],
)
def test_other_gaps_are_named_as_well(foreign, changes, says):
    assert says in " ".join(load_model(foreign(0, **changes)).predict(ROWS).warnings)


def test_not_being_told_the_encode_is_said(foreign):
    found = load_model(foreign()).predict(ROWS)
    assert found.vmaf == pytest.approx(by_hand(block(V2_TRAINED.slots, "unknown", 0.5, 0.5)), abs=1e-4)
    assert "was not told the encode" in found.warnings[0]


def test_scores_beyond_the_teacher_s_are_given_as_they_are_and_named(foreign):
    far = np.array([[0.9, 0.5, 0.8, 0.85, 0.9, 3000.0]])
    found = load_model(foreign(0)).predict(far)
    assert found.vmaf == pytest.approx(by_hand(rows=far), rel=1e-5)
    assert "1 of 1 rows a score outside of 0 to 100" in found.warnings[0]
    assert found.outside.tolist() == [True]


# ---- weights beside the model


def test_weights_beside_the_model_are_served_where_a_hash_covers_them(foreign):
    path = foreign(external=True)
    assert (path.parent / "their_model.onnx.data").stat().st_size > 0
    found = load_model(path).predict(ROWS, ["libx265"] * 2, 0.5, 0.5)
    assert found.vmaf == pytest.approx(by_hand(block(V2_TRAINED.slots, "libx265", 0.5, 0.5)), abs=1e-4)


def test_a_changed_byte_of_the_weights_is_refused(foreign):
    path = foreign(external=True)
    data = path.parent / "their_model.onnx.data"
    content = bytearray(data.read_bytes())
    content[0] ^= 1
    data.write_bytes(bytes(content))
    with pytest.raises(IntegrityError, match=r"onnx\.data has the SHA-256"):
        load_model(path)
    data.unlink()
    with pytest.raises(RequestError, match=r"cannot read .*onnx\.data"):
        load_model(path)


def test_weights_that_no_hash_covers_are_refused_unless_another_document_covers_them(foreign):
    path = foreign(external=True, external_data=None)
    with pytest.raises(IntegrityError, match=r"no hash covers .*onnx\.data"):
        load_model(path)
    data = path.parent / "their_model.onnx.data"
    model = load_model(path, hashes={data.name: sha256_bytes(data.read_bytes())})
    assert model.predict(ROWS).vmaf.shape == (2,)


@pytest.mark.parametrize("location", ["../weights.data", "/etc/weights.data", "sub/weights.data"])
def test_weights_outside_of_the_folder_are_refused(foreign, tmp_path, location):
    path = foreign(external=True)
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    path.write_bytes(model.SerializeToString())
    sidecar = json.loads(path.with_suffix(".json").read_text())
    sidecar["sha256"] = sha256_bytes(path.read_bytes())
    path.with_suffix(".json").write_text(json.dumps(sidecar))
    with pytest.raises(DataError, match="outside of its folder"):
        load_model(path)


def test_a_link_to_weights_elsewhere_is_refused(foreign, tmp_path):
    path = foreign(external=True)
    data = path.parent / "their_model.onnx.data"
    elsewhere = tmp_path / "elsewhere" / "weights"
    elsewhere.parent.mkdir()
    data.rename(elsewhere)
    data.symlink_to(elsewhere)
    with pytest.raises(IntegrityError, match="is a link"):
        load_model(path)


def test_a_model_without_a_hash_is_refused_until_one_is_stated(foreign):
    path = foreign(0, sha256=None)
    with pytest.raises(IntegrityError, match="no hash covers"):
        load_model(path)
    assert load_model(path, hashes={path.name: sha256_bytes(path.read_bytes())}).predict(ROWS).warnings == ()


# ---- ensembles


@pytest.fixture
def manifest(foreign, tmp_path):
    """A foreign ensemble: three members, one scaler, the vocabulary under its other name."""
    members = []
    for seed in range(3):
        path = foreign(12, name=f"seed{seed}", model=graph(12, "codec_onehot", seed=seed))
        path.with_suffix(".json").unlink()
        members.append({"id": path.stem, "onnx": path.name, "seed": seed, "sha256": sha256_bytes(path.read_bytes())})
    found = {
        "id": "their_ensemble", "kind": "fr_ensemble", "ensemble_size": 3, "members": members,
        "feature_order": list(CANONICAL6), "feature_mean": MEAN.tolist(), "feature_std": STD.tolist(),
        "codec_vocab": list(V2_TRAINED.slots), "codec_vocab_version": 2, "teacher": "vmaf_v0.6.1",
        "confidence": {"method": "ensemble", "conformal_q_residual": 0.0},
    }  # fmt: skip
    path = tmp_path / "their_ensemble.json"
    path.write_text(json.dumps(found))
    return path


def test_an_ensemble_is_served_by_its_manifest(manifest):
    found = load_model(manifest).predict(ROWS, ["av1_qsv"] * 2, 0.5, 0.5)
    codec = [float(slot == "av1_qsv") for slot in V2_TRAINED.slots]
    members = np.stack([by_hand(codec, seed=seed) for seed in range(3)], axis=1)
    assert found.members == pytest.approx(members, abs=1e-4)
    assert found.vmaf == pytest.approx(members.mean(axis=1), abs=1e-4)


def test_a_changed_member_is_refused(manifest):
    member = manifest.parent / "seed1.onnx"
    member.write_bytes(member.read_bytes() + b"\0")
    with pytest.raises(IntegrityError, match=r"seed1\.onnx has the SHA-256"):
        load_model(manifest)


# ---- what cannot be served


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"feature_order": ["adm2"]}, "must have a value for each of the 1 features"),
        ({"feature_order": ["adm2"], "feature_mean": [0.0], "feature_std": [1.0]}, "takes 6 features"),
        ({"feature_order": []}, "feature_order"),
        ({"feature_std": [0.0] * 6}, "is not above 0"),
        ({"feature_std": None}, "must have a value"),
        ({"input_names": ["features", "other"]}, "inputs"),
        ({"output_names": ["vmaf"]}, "outputs"),
        ({"encoder_vocab": ["libx264"], "codec_block_layout": None}, "do not belong together"),
        ({"codec_block_layout": [*layout(V2_TRAINED.slots)[:-1], "moon_phase"]}, "moon_phase"),
        ({"crf_norm": "some/how"}, "some/how"),
        ({"preset_norm": "ordinal"}, "ordinal"),
        ({"preset_norm": 2}, "outside of 0 to 1"),
        ({"crf_norm": None, "corpus": {"cq_min": 5, "cq_max": 5}}, "no range"),
        ({"crf_norm": None, "corpus": {"cq_min": "a", "cq_max": 5}}, "where a number belongs"),
    ],
)
def test_a_sidecar_that_does_not_fit_is_refused(foreign, changes, says):
    with pytest.raises(DataError, match=says):
        load_model(foreign(**changes))


@pytest.mark.parametrize("content", ["{", "[]", "{}", "null"])
def test_what_is_no_sidecar_is_refused(foreign, content):
    path = foreign()
    path.with_suffix(".json").write_text(content)
    with pytest.raises(DataError):
        load_model(path)
    path.with_suffix(".json").unlink()
    with pytest.raises(RequestError, match="needs its sidecar beside it"):
        load_model(path)


def test_features_and_settings_that_cannot_be_used_are_refused(foreign):
    model = load_model(foreign())
    with pytest.raises(DataError, match="the features lack motion2"):
        model.predict(ROWS[:, :5], feature_names=CANONICAL6[:5])
    with pytest.raises(RequestError, match="preset_norm and crf_norm"):
        model.predict(ROWS, ["libx264"] * 2)
    with pytest.raises(RequestError, match="1 encoder names were given for 2 rows"):
        model.predict(ROWS, ["libx264"], 0.5, 0.5)
