"""``docs/json.md`` is a contract: what is documented there is in the lines, under that name and of that type."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

CONTRACT = Path(__file__).parents[2] / "docs" / "json.md"
TYPES = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "number or null": lambda value: value is None or (isinstance(value, int | float) and not isinstance(value, bool)),
    "string or null": lambda value: value is None or isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "object or null": lambda value: value is None or isinstance(value, dict),
    "list": lambda value: isinstance(value, list),
    "list of strings": lambda value: isinstance(value, list) and all(isinstance(each, str) for each in value),
}


def sections():
    """Return the text of each section by its title, without the marks of code."""
    parts = re.split(r"(?m)^## ", CONTRACT.read_text())[1:]
    return {part.partition("\n")[0].strip().strip("`"): part.partition("\n")[2] for part in parts}


def tables(text):
    """Return, for each type of line that has a table, its keys with their types."""
    found, line = {}, None
    for row in text.splitlines():
        cells = [cell.strip() for cell in row.strip().strip("|").split("|")] if row.startswith("|") else []
        if len(cells) != 3 or set(cells[0]) == {"-"}:
            continue
        if cells[1:] == ["type", "meaning"]:
            line = "error" if cells[0] == "key" else cells[0].strip("`")
            found[line] = {}
        else:
            for key in re.findall(r"`(\w+)`", cells[0]):
                found[line][key] = cells[1]
    return found


def keys_in(value):
    """Return every key of a JSON value, however deep."""
    if isinstance(value, dict):
        return set(value).union(*map(keys_in, value.values()))
    return set().union(*map(keys_in, value)) if isinstance(value, list) else set()


@pytest.fixture(scope="module")
def said(served, clip, run_in, tmp_path_factory):
    """The lines of every command that a tiny line can run, by command."""
    folder = tmp_path_factory.mktemp("contract")
    place = ("--registry", served.registry, "--json")
    table = folder / "table.jsonl"
    row = {"adm2": 0.9, **{f"vif_scale{scale}": 0.8 for scale in range(4)}, "motion2": 2.0, "vmaf": 90.0, "src": "clip"}
    table.write_text(json.dumps(row) + "\n")
    tune = ("tune", clip, "--encoder", "libx264", "--preset", "ultrafast", "--out", "o.mkv", "--json", "--target")
    found = {
        "vmafcast tune": [*run_in(folder, *tune, "80").lines, *run_in(folder, *tune, "1").lines],
        "vmafcast corpus build": [
            *served.said["build"].lines,
            *run_in(served.folder, *served.build_arguments(), "--dry-run").lines,
        ],
        "vmafcast corpus describe": run_in(folder, "corpus", "describe", served.corpus, "--json").lines,
        "vmafcast complexity": run_in(folder, "complexity", clip, "--no-cache", "--probe", "--json").lines,
        "vmafcast train": served.said["train"].lines,
        "vmafcast evaluate": run_in(
            served.folder, "evaluate", "fr_regressor_v1", "--corpus", served.corpus, "--frame-stride", "8", "--json"
        ).lines,
        "vmafcast ship": served.said["ship"].lines,
        "vmafcast predict": run_in(folder, "predict", clip, clip, "--frames", *place).lines,
        "vmafcast predict --features": run_in(folder, "predict", "--features", table, "--frames", *place).lines,
        "vmafcast registry": [
            line
            for command in (
                ["list"],
                ["history"],
                ["verify"],
                ["show", "fr_regressor_v3"],
                ["card", "fr_regressor_v3"],
                ["diff", "fr_regressor_v3", "fr_regressor_v3"],
            )
            for line in run_in(folder, "registry", *command, *place).lines
        ],
        "`error`": run_in(folder, "corpus", "describe", "nowhere", "--json").lines,
    }
    return {title.strip("`"): lines for title, lines in found.items()}


def test_every_table_is_kept(said):
    checked = set()
    for title, text in sections().items():
        for kind, keys in tables(text).items():
            lines = [line for line in said.get(title, []) if line["type"] == kind]
            if title not in said:
                continue
            assert lines, f"{title} says no {kind}"
            for line in lines:
                for key, form in keys.items():
                    assert TYPES[form](line[key]), f"{title}: {kind}.{key} is {line[key]!r}, not a {form}"
                    checked.add((title, kind, key))
    assert {
        ("vmafcast tune", "attempt", "vmaf"),
        ("vmafcast corpus build", "done", "built"),
        ("error", "error", "message"),
    } <= checked
    assert len(checked) >= 27


@pytest.mark.parametrize(
    "command", ["vmafcast corpus describe", "vmafcast train", "vmafcast predict", "vmafcast predict --features"]
)
def test_every_key_that_is_named_in_a_sentence_is_there(said, command):
    text = "\n".join(row for row in sections()[command].splitlines() if not row.startswith("|"))
    named = set(re.findall(r"`([a-z][a-z0-9_]+)`", text)) - {"null", "true", "false", "error"}
    there = keys_in(said[command]) | {line["type"] for line in said[command]}
    assert named
    assert named <= there, named - there
