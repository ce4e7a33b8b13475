from __future__ import annotations

import contextlib

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from vmafcast.common.errors import DataError
from vmafcast.models.external_data import external_locations, is_sibling


def outside_tensor(location):
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), "t")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "16")):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return tensor


def graph(nodes=(), initializer=()):
    return helper.make_graph(list(nodes), "g", [], [], list(initializer))


def in_initializer(tensor):
    return helper.make_model(graph(initializer=[tensor]))


def in_constant(tensor):
    return helper.make_model(graph([helper.make_node("Constant", [], ["c"], value=tensor)]))


def in_branch(tensor):
    branch = graph([helper.make_node("Constant", [], ["c"], value=tensor)])
    return helper.make_model(graph([helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=graph())]))


def in_function(tensor):
    node = helper.make_node("Constant", [], ["c"], value=tensor)
    function = helper.make_function("mine", "F", [], ["c"], [node], [helper.make_opsetid("", 17)])
    return helper.make_model(graph(), functions=[function])


def in_sparse(tensor):
    model = helper.make_model(graph())
    sparse = model.graph.sparse_initializer.add()
    sparse.values.CopyFrom(tensor)
    return model


def in_training(tensor):
    model = helper.make_model(graph())
    model.training_info.add().initialization.CopyFrom(graph(initializer=[tensor]))
    return model


PLACES = [in_initializer, in_constant, in_branch, in_function, in_sparse, in_training]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("location", ["w.data", "../../etc/passwd", "/abs/w.data", "ünïcode.data"])
def test_a_reference_is_found_wherever_a_tensor_can_be(place, location):
    assert external_locations(place(outside_tensor(location)).SerializeToString()) == (location,)


@pytest.mark.parametrize("place", PLACES)
def test_a_model_that_holds_its_weights_names_no_file(place):
    tensor = numpy_helper.from_array(np.arange(4, dtype=np.float32), "location")
    assert external_locations(place(tensor).SerializeToString()) == ()


def test_files_that_the_onnx_package_writes_are_found(tmp_path):
    tensors = [numpy_helper.from_array(np.zeros(64, np.float32), f"t{i}") for i in range(3)]
    path = tmp_path / "m.onnx"
    onnx.save_model(
        helper.make_model(graph(initializer=tensors)),
        path,
        save_as_external_data=True,
        all_tensors_to_one_file=False,
        size_threshold=0,
    )
    written = sorted(file.name for file in tmp_path.iterdir() if file != path)
    assert len(written) == 3
    assert external_locations(path.read_bytes()) == tuple(written)


@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    with contextlib.suppress(DataError):
        assert all(isinstance(location, str) for location in external_locations(data))


@given(cut=st.integers(1, 10_000))
def test_a_truncated_model_never_yields_a_name_it_does_not_hold(cut):
    whole = in_initializer(outside_tensor("w.data")).SerializeToString()
    with contextlib.suppress(DataError):
        assert external_locations(whole[: cut % len(whole)]) in ((), ("w.data",), ("",))


@pytest.mark.parametrize("data", [b"\x3a\x7f", b"\xff" * 12, b"\x0b", b"\x39\x00", b"not a model at all"])
def test_what_is_no_model_is_refused(data):
    with pytest.raises(DataError):
        external_locations(data)


@pytest.mark.parametrize("location", ["model.onnx.data", "weights", "..data"])
def test_siblings(location):
    assert is_sibling(location)


@pytest.mark.parametrize("location", ["", ".", "..", "../w", "/w", "a/b", "a\\b", "C:w", "file:w", "w\0"])
def test_no_siblings(location):
    assert not is_sibling(location)
