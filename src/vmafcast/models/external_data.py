"""Which files an ONNX model reads its weights from, besides itself.

A tensor of an ONNX model may keep its bytes in another file, named by ``TensorProto.external_data``. A hash of
the model alone says nothing of those bytes. The names are read straight from the protobuf encoding, because
verifying a registry must not need the ``onnx`` package, which only training installs.

Sources: the field numbers are those of ``onnx.proto`` (https://github.com/onnx/onnx, IR version 10), the
encoding is that of https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from vmafcast.common.errors import DataError

# Where tensors can be: by message, the fields that lead towards one, and the message that each holds.
_TOWARDS_TENSORS: Final[dict[str, dict[int, str]]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}
_KEY_FIELD, _VALUE_FIELD = 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10


def external_locations(onnx: bytes) -> tuple[str, ...]:
    """Return the file names that the tensors of a model name as the place of their bytes, sorted.

    Parameters
    ----------
    onnx
        The bytes of an ONNX model.

    Raises
    ------
    DataError
        The bytes are no protobuf message.
    """
    found = set()
    waiting = [("model", memoryview(onnx))]
    while waiting:
        message, data = waiting.pop()
        towards = _TOWARDS_TENSORS[message]
        for number, content in _fields(data):
            inner = towards.get(number)
            if inner == "entry":
                entry = dict(_fields(content))
                if bytes(entry.get(_KEY_FIELD, b"")) == b"location":
                    found.add(bytes(entry.get(_VALUE_FIELD, b"")).decode("utf-8", "replace"))
            elif inner is not None:
                waiting.append((inner, content))
    return tuple(sorted(found))


def is_sibling(location: str) -> bool:
    """Whether ``location`` names a file in the model's own folder, rather than a path that could leave it."""
    return bool(location) and location not in {".", ".."} and not set(location) & set("/\\:\0")


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield number and content of each length-delimited field; fields of other kinds are passed over."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            _, position = _varint(data, position)
        elif kind in (_FIXED64, _FIXED32):
            position += 8 if kind == _FIXED64 else 4
        elif kind == _BYTES:
            length, position = _varint(data, position)
            if position + length > len(data):
                raise DataError("this is no ONNX model: a field is longer than the file")
            yield number, data[position : position + length]
            position += length
        else:
            raise DataError(f"this is no ONNX model: field {number} has the unknown wire type {kind}")
    if position > len(data):
        raise DataError("this is no ONNX model: it ends within a field")


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for index in range(_LONGEST_VARINT):
        if position + index >= len(data):
            break
        byte = data[position + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, position + index + 1
    raise DataError("this is no ONNX model: a number in it does not end")
