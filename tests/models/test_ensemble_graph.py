"""Several networks as one graph: its contract, and that it says what they say."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from vmafcast.common.errors import DataError, RequestError
from vmafcast.common.files import sha256_file
from vmafcast.models.ensemble_graph import ensemble_bytes, ensemble_round_trip, export_ensemble
from vmafcast.models.export import export_onnx
from vmafcast.models.onnx_graph import ALLOWED_OPERATORS
from vmafcast.models.recipe import Recipe
from vmafcast.models.runtime import open_session
from vmafcast.models.trained import Member
from vmafcast.models.training import rows_design, train_members


@pytest.fixture(scope="module")
def everything(rows):
    return np.ones(len(rows), dtype=bool)


@pytest.fixture(scope="module")
def members(tiny, rows, everything):
    """Three networks that differ by their seed alone."""
    return train_members(tiny, rows, [Member(everything, seed, True) for seed in (4, 2, 9)])


@pytest.fixture
def path(members, tmp_path):
    export_ensemble(members, tmp_path / "ensemble.onnx")
    return tmp_path / "ensemble.onnx"


def test_the_graph_has_the_contract_of_the_format(path):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    shapes = {
        value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    assert shapes == {"features": ["N", 6], "codec_block": ["N", 25], "vmaf": ["N"], "members": ["N", 3]}
    assert [output.name for output in model.graph.output] == ["vmaf", "members"]
    kinds = {value.type.tensor_type.elem_type for value in (*model.graph.input, *model.graph.output)}
    assert kinds == {TensorProto.FLOAT}
    assert {node.op_type for node in model.graph.node} <= ALLOWED_OPERATORS


def test_it_says_what_its_networks_say(path, members, tiny, rows, tmp_path):
    design = rows_design(tiny, rows)
    assert ensemble_round_trip(path, members, design.features, design.block) <= 1e-4
    feed = {"features": design.features, "codec_block": design.block}
    mean, columns = open_session(path.read_bytes(), "it").run(["vmaf", "members"], feed)
    for place in range(3):
        export_onnx(members, place, tmp_path / "alone.onnx")
        [alone] = open_session((tmp_path / "alone.onnx").read_bytes(), "alone").run(["vmaf"], feed)
        assert np.allclose(columns[:, place], alone, atol=1e-4)
    assert np.allclose(mean, columns.mean(axis=1), atol=1e-4)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_the_batch_may_have_any_size(path, count):
    feed = {"features": np.zeros((count, 6), np.float32), "codec_block": np.zeros((count, 25), np.float32)}
    mean, columns = open_session(path.read_bytes(), "it").run(None, feed)
    assert (mean.shape, columns.shape) == ((count,), (count, 3))


def test_every_member_is_clamped_before_the_mean(path):
    feed = {
        "features": np.array([[1e9] * 6, [-1e9] * 6], np.float32),
        "codec_block": np.zeros((2, 25), np.float32),
    }
    mean, columns = open_session(path.read_bytes(), "it").run(None, feed)
    for scores in (mean, columns):
        assert ((scores >= 0) & (scores <= 100)).all()


def test_the_same_networks_give_the_same_bytes_and_another_order_others(path, members, tmp_path):
    assert path.read_bytes() == ensemble_bytes(members)
    assert export_ensemble(members, tmp_path / "new" / "it.onnx") == sha256_file(path)
    assert ensemble_bytes(members.select([1, 0, 2])) != ensemble_bytes(members)


def test_blind_silu_networks_without_a_held_range_export_too(tiny, rows, everything, tmp_path):
    changes = {
        "vocabulary": None, "unknown_share": 0.0, "unset_share": 0.0, "epochs": 2, "activation": "silu", "depth": 3,
        "range_margin": None, "standardise_target": False,
    }  # fmt: skip
    recipe = Recipe.model_validate({**tiny.model_dump(), **changes})
    trained = train_members(recipe, rows, [Member(everything, seed, False) for seed in (0, 1)])
    export_ensemble(trained, tmp_path / "it.onnx")
    assert [value.name for value in onnx.load(tmp_path / "it.onnx").graph.input] == ["features"]
    features = rows_design(recipe, rows).features
    assert ensemble_round_trip(tmp_path / "it.onnx", trained, features, None) <= 1e-4


def test_networks_of_other_rows_or_inputs_are_no_ensemble(tiny, rows, everything):
    for odd in (Member(rows.groups != "clip0", 1, True), Member(everything, 1, False)):
        trained = train_members(
            Recipe.model_validate({**tiny.model_dump(), "epochs": 1}), rows, [Member(everything, 0, True), odd]
        )
        with pytest.raises(DataError, match="trained on the same rows and inputs"):
            ensemble_bytes(trained)


def test_a_round_trip_refuses_another_graph_and_needs_rows(path, members, tiny, rows, tmp_path):
    design = rows_design(tiny, rows)
    with pytest.raises(DataError, match="differs from the networks"):
        ensemble_round_trip(path, members.select([1, 0, 2]), design.features, design.block)
    with pytest.raises(RequestError, match="needs rows"):
        ensemble_round_trip(path, members, design.features[:0], design.block[:0])
    with pytest.raises(RequestError, match="cannot read"):
        ensemble_round_trip(tmp_path / "none.onnx", members, design.features, design.block)
