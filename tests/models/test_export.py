from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from vmafcast.common.errors import DataError, OutputError, RequestError
from vmafcast.common.files import sha256_file
from vmafcast.models.export import export_onnx, model_bytes, round_trip
from vmafcast.models.onnx_graph import ALLOWED_OPERATORS, check_operators
from vmafcast.models.recipe import Recipe
from vmafcast.models.runtime import FrameModel
from vmafcast.models.trained import Member
from vmafcast.models.training import rows_design, train_members


def run(path, features, block=None):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    feed = {"features": np.asarray(features, dtype=np.float32)}
    if block is not None:
        feed["codec_block"] = np.asarray(block, dtype=np.float32)
    return session.run(["vmaf"], feed)[0]


def test_the_graph_has_the_contract_of_the_format(exported):
    path, _ = exported
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert [(each.domain, each.version) for each in model.opset_import] == [("", 17)]
    shapes = {
        value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    assert shapes == {"features": ["N", 6], "codec_block": ["N", 25], "vmaf": ["N"]}
    kinds = {value.type.tensor_type.elem_type for value in (*model.graph.input, *model.graph.output)}
    assert kinds == {TensorProto.FLOAT}
    assert {node.op_type for node in model.graph.node} <= ALLOWED_OPERATORS
    assert not list(path.parent.glob("*.data"))


def test_a_blind_network_has_no_input_for_the_block(write, trained, tiny, rows):
    path, sidecar = write(trained, 1)
    assert [value.name for value in onnx.load(path).graph.input] == ["features"]
    assert sidecar.input_names == ("features",)
    assert not sidecar.codec_aware
    design = rows_design(tiny, rows)
    assert np.allclose(run(path, design.features), trained.predict(design.features, design.block)[1], atol=1e-4)


def test_the_file_says_what_the_network_says(exported, trained, tiny, rows):
    path, _ = exported
    design = rows_design(tiny, rows)
    assert round_trip(path, trained, 0, design.features, design.block) <= 1e-4


@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 64),
    spread=st.sampled_from([0.1, 1.0, 10.0, 1000.0]),
)
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_file_says_so_for_any_rows(exported, trained, seed, rows, spread):
    rng = np.random.default_rng(seed)
    features = rng.normal(0.5, spread, (rows, 6)).astype(np.float32)
    block = np.zeros((rows, 25), dtype=np.float32)
    block[np.arange(rows), rng.integers(0, 23, rows)] = 1
    block[:, -2:] = rng.random((rows, 2))
    assert round_trip(exported[0], trained, 0, features, block) <= 1e-4


@pytest.mark.parametrize("count", [0, 1, 2])
def test_the_batch_may_have_any_size(exported, count):
    assert run(exported[0], np.zeros((count, 6)), np.zeros((count, 25))).shape == (count,)


def test_scaler_and_clamp_are_inside(exported):
    scores = run(exported[0], [[1e9] * 6, [-1e9] * 6], np.zeros((2, 25)))
    assert ((scores >= 0) & (scores <= 100)).all()


def test_the_same_network_gives_the_same_bytes(trained, tmp_path):
    data = model_bytes(trained, 0)
    assert data == model_bytes(trained, 0)
    assert data == model_bytes(trained.select([1, 0]), 1)
    assert data != model_bytes(trained, 1)
    path = tmp_path / "new" / "model.onnx"
    assert export_onnx(trained, 0, path) == sha256_file(path)
    assert path.read_bytes() == data


def test_onnxruntime_makes_one_operator_of_each_gelu(exported, tmp_path):
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "fused.onnx")
    options.log_severity_level = 4
    onnxruntime.InferenceSession(str(exported[0]), options, providers=["CPUExecutionProvider"])
    kinds = [node.op_type for node in onnx.load(tmp_path / "fused.onnx").graph.node]
    assert kinds.count("Gelu") == 2
    assert "Erf" not in kinds


def test_silu_and_unscaled_recipes_export_too(make_rows, tiny, tmp_path):
    rows = make_rows(groups=2, frames=8)
    recipe = Recipe.model_validate(
        {
            **tiny.model_dump(),
            "epochs": 2,
            "activation": "silu",
            "depth": 3,
            "range_margin": None,
            "standardise_target": False,
            "dropout": 0.2,
        }
    )
    trained = train_members(recipe, rows, [Member(np.ones(len(rows), dtype=bool), 0, True)])
    path = tmp_path / "model.onnx"
    export_onnx(trained, 0, path)
    design = rows_design(recipe, rows)
    assert round_trip(path, trained, 0, design.features, design.block) <= 1e-4


def test_a_round_trip_refuses_a_file_of_another_network(write, trained, make_rows, tiny):
    rows = make_rows(groups=2, frames=4, seed=5)
    design = rows_design(tiny, rows)
    other = train_members(
        Recipe.model_validate({**tiny.model_dump(), "epochs": 1}),
        rows,
        [Member(np.ones(len(rows), dtype=bool), 0, True)],
    )
    path, _ = write(trained, 0)
    with pytest.raises(DataError, match="differs from the network"):
        round_trip(path, other, 0, design.features, design.block)


def test_a_round_trip_needs_rows_and_a_block(exported, trained, tmp_path):
    path, _ = exported
    with pytest.raises(RequestError, match="needs rows"):
        round_trip(path, trained, 0, np.zeros((0, 6), dtype=np.float32), None)
    with pytest.raises(RequestError, match="codec-aware"):
        round_trip(path, trained, 0, np.zeros((1, 6), dtype=np.float32), None)
    with pytest.raises(RequestError, match="cannot read"):
        round_trip(tmp_path / "none.onnx", trained, 1, np.zeros((1, 6), dtype=np.float32), None)


def test_nothing_is_left_behind_where_it_cannot_be_written(trained, tmp_path):
    (tmp_path / "model.onnx").mkdir()
    with pytest.raises(OutputError):
        export_onnx(trained, 0, tmp_path / "model.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


# ---- what a model may be made of


def graph_with(*nodes, initializers=(), opset=17, domain=""):
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N"])
    graph = helper.make_graph(list(nodes), "g", [x], [y], list(initializers))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid(domain, opset)])


def external(name="w"):
    tensor = helper.make_tensor(name, TensorProto.FLOAT, [1], [1.0])
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../elsewhere.data"
    return tensor


def test_plain_arithmetic_is_allowed():
    check_operators(graph_with(helper.make_node("Mul", ["x", "x"], ["y"])))


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (graph_with(helper.make_node("Loop", ["x"], ["y"])), r"operator ai\.onnx\.Loop"),
        (graph_with(helper.make_node("Add", ["x", "x"], ["y"], domain="evil")), r"operator evil\.Add"),
        (graph_with(helper.make_node("Add", ["x", "x"], ["y"]), opset=21), "only opset 17"),
        (graph_with(helper.make_node("Add", ["x", "x"], ["y"]), domain="evil"), "only opset 17"),
        (graph_with(helper.make_node("Add", ["x", "w"], ["y"]), initializers=[external()]), "another file"),
        (
            graph_with(helper.make_node("Add", ["x", "x"], ["y"], value=external())),
            "another file",
        ),
        (
            graph_with(
                helper.make_node(
                    "Add", ["x", "x"], ["y"], body=graph_with(helper.make_node("Add", ["x", "x"], ["y"])).graph
                )
            ),
            "hides a subgraph",
        ),
    ],
)
def test_anything_more_is_refused(model, says):
    with pytest.raises(DataError, match=says):
        check_operators(model)


def test_functions_are_refused():
    model = graph_with(helper.make_node("Add", ["x", "x"], ["y"]))
    model.functions.append(
        helper.make_function("", "Add", ["a"], ["b"], [helper.make_node("Loop", ["a"], ["b"])], model.opset_import)
    )
    with pytest.raises(DataError, match="functions"):
        check_operators(model)


def test_no_operation_walks_over_the_columns_of_the_features(exported):
    """With one value for each of six columns, onnxruntime goes row by row; four such operations cost a fifth."""
    model = onnx.load(exported[0])
    shapes = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type != "Gemm":
            assert not [name for name in node.input if shapes.get(name, [])[-1:] == [6]], node.op_type


@pytest.mark.parametrize("column", range(6))
@pytest.mark.parametrize("far", [-1e30, -50.0, 50.0, 1e30])
def test_a_feature_beyond_what_is_believed_counts_as_the_end_of_it(exported, trained, rows, column, far):
    path, _ = exported
    scaler = trained.scalers[0]
    beyond, end = rows.features[:9].astype(np.float32), rows.features[:9].astype(np.float32)
    beyond[:, column] = far
    end[:, column] = scaler.floor[column] if far < 0 else scaler.ceiling[column]
    model = FrameModel.load(path)
    assert model.predict(beyond).vmaf == pytest.approx(model.predict(end).vmaf, abs=1e-4)


def test_a_feature_that_was_constant_in_training_is_held_at_its_value(make_rows, tiny, tmp_path):
    rows = make_rows(groups=3, frames=12)
    features = rows.features.copy()
    features[:, 2] = 0.7
    rows = dataclasses.replace(rows, features=features)
    recipe = tiny.model_copy(update={"epochs": 2})
    trained = train_members(recipe, rows, [Member(np.ones(len(rows), dtype=bool), 0, True)])
    path = tmp_path / "model.onnx"
    export_onnx(trained, 0, path)
    design = rows_design(recipe, rows)
    assert round_trip(path, trained, 0, design.features, design.block) < 1e-4
    moved = design.features.copy()
    moved[:, 2] = 5.0
    assert round_trip(path, trained, 0, moved, design.block) < 1e-4
