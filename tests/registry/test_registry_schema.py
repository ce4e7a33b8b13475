from __future__ import annotations

import json
from importlib.resources import files

import pytest
from jsonschema import Draft202012Validator, ValidationError

from vmafcast.registry.rows import registry_schema

COMMITTED = files("vmafcast.registry").joinpath("registry.schema.json").read_text()


@pytest.fixture
def document(registry, workshop):
    workshop.promoted(registry)
    workshop.promoted(registry, external=True)
    registry.register(workshop.candidate(smoke=True))
    return json.loads((registry.folder / "registry.json").read_text())


def test_the_committed_schema_is_current():
    assert registry_schema() == COMMITTED


def test_the_schema_is_one():
    Draft202012Validator.check_schema(json.loads(COMMITTED))


def test_what_is_written_is_valid(document):
    Draft202012Validator(json.loads(COMMITTED)).validate(document)


def test_the_keys_of_the_contract_are_there(document):
    contract = {"id", "kind", "onnx", "sha256", "opset", "smoke", "vocab_version", "license", "description", "notes"}
    assert {"schema_version", "models"} <= set(document)
    assert all(contract <= set(row) for row in document["models"])


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: d.pop("models"),
        lambda d: d.update(schema_version=2),
        lambda d: d.update(extra=1),
        lambda d: d["models"][0].update(sha256="ABC"),
        lambda d: d["models"][0].update(onnx="../model.onnx"),
        lambda d: d["models"][0].update(kind="oracle"),
        lambda d: d["models"][0].pop("smoke"),
    ],
)
def test_what_breaks_the_contract_is_not_valid(document, edit):
    edit(document)
    with pytest.raises(ValidationError):
        Draft202012Validator(json.loads(COMMITTED)).validate(document)
