from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from vmafcast.common.documents import Document, ForeignDocument, read_document, to_json, write_document
from vmafcast.common.errors import DataError, OutputError


class Part(Document):
    name: str
    weight: float | None = None


class Whole(Document):
    schema_version: int = 1
    parts: list[Part]
    note: str = ""


class Strange(ForeignDocument):
    name: str


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
WHOLE = st.builds(
    Whole,
    parts=st.lists(st.builds(Part, name=TEXT, weight=st.none() | st.floats(allow_nan=False, allow_infinity=False))),
    note=TEXT,
)


@given(WHOLE)
@settings(deadline=None, max_examples=50)
def test_what_is_written_is_read(tmp_path_factory, document):
    path = tmp_path_factory.mktemp("documents") / "whole.json"
    write_document(path, document)
    assert read_document(path, Whole) == document
    text = path.read_text(encoding="utf-8")
    assert text == to_json(document)
    assert text.endswith("}\n")
    assert list(json.loads(text)) == ["schema_version", "parts", "note"]


def test_the_same_document_is_the_same_text_readable_by_a_person():
    document = Whole(parts=[Part(name="müsli", weight=0.1)])
    assert to_json(document) == to_json(document.model_copy())
    assert '"name": "müsli"' in to_json(document)
    assert '"weight": 0.1' in to_json(document)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_never_enters(value):
    with pytest.raises(ValidationError):
        Part(name="x", weight=value)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_nor_by_way_of_a_file(tmp_path, text):
    (tmp_path / "part.json").write_text(f'{{"name": "x", "weight": {text}}}')
    with pytest.raises(DataError, match=r"part\.json is not a valid Part"):
        read_document(tmp_path / "part.json", Part)


def test_a_document_does_not_change():
    with pytest.raises(ValidationError):
        Part(name="x").name = "y"


def test_an_unknown_key_is_an_error_in_ours_and_kept_in_anothers(tmp_path):
    path = tmp_path / "part.json"
    path.write_text('{"name": "x", "colour": "red"}')
    with pytest.raises(DataError, match=r"part\.json is not a valid Part: colour: Extra inputs"):
        read_document(path, Part)
    foreign = Strange.model_validate_json(path.read_bytes())
    assert json.loads(to_json(foreign)) == {"name": "x", "colour": "red"}


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('{"parts": [{"name": "x"}, {"name": 3}]}', "parts.1.name"),
        ('{"parts": [{"weight": 1}]}', "parts.0.name"),
        ("{}", "parts"),
        ("[]", "the document"),
        ('{"parts": [', "the document"),
        ("", "the document"),
        ("\xff", "the document"),
        ("[" * 5000, "the document"),
    ],
)
def test_the_first_wrong_key_is_named(tmp_path, text, where):
    path = tmp_path / "whole.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError) as caught:
        read_document(path, Whole)
    assert str(caught.value).startswith(f"{path} is not a valid Whole: {where}: ")
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*: No such file"):
        read_document(tmp_path / "absent.json", Whole)
    with pytest.raises(DataError, match=r"cannot read .*: Is a directory"):
        read_document(tmp_path, Whole)


def test_a_failed_write_leaves_the_old_document(tmp_path, unprivileged):
    path = unprivileged / "whole.json"
    write_document(path, Whole(parts=[], note="old"))
    unprivileged.chmod(0o555)
    with pytest.raises(OutputError):
        write_document(path, Whole(parts=[], note="new"))
    assert read_document(path, Whole).note == "old"


class Loose(Document):
    args: dict[str, object]


def test_a_nan_in_a_loose_value_is_written_as_null(tmp_path):
    path = tmp_path / "loose.json"
    write_document(path, Loose(args={"a": math.nan, "b": [math.inf], "c": 1.5}))
    assert json.loads(path.read_text(), parse_constant=pytest.fail) == {"args": {"a": None, "b": [None], "c": 1.5}}
