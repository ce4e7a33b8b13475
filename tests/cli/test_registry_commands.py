"""``vmafcast registry``: every byte is watched, and nothing is served from bytes that changed."""

from __future__ import annotations

import shutil

import pytest

from vmafcast.registry.store import Registry
from vmafcast.workflows.ship import ship

RECIPE = "fr_regressor_v3"
MODEL_FILES = ("model.onnx", "model.json", "loso_seed0.json", "verdict.json")
FILES = [
    "events.jsonl",
    "registry.json",
    *(f"champion/{name}" for name in MODEL_FILES),
    *(f"former/{name}" for name in MODEL_FILES),
]


@pytest.fixture(scope="session")
def two(served, better, tmp_path_factory):
    """A registry with a champion and a former one, and their ids."""
    folder = tmp_path_factory.mktemp("two")
    registry = Registry(folder / "registry")
    ids = {}
    for role, candidate in (("former", served.candidate), ("champion", better)):
        copied = shutil.copytree(candidate, folder / role)
        ids[role] = ship(copied, registry).champion.id
    return registry.folder, ids


@pytest.fixture
def changed(two, tmp_path):
    """A function that changes one byte of a file in a copy of the registry, and returns the file's path in it."""
    folder, ids = two
    copy = tmp_path / "registry"
    shutil.copytree(folder, copy)

    def change(name, position=None):
        role, _, rest = name.rpartition("/")
        path = f"models/{ids[role]}/{rest}" if role else rest
        content = bytearray((copy / path).read_bytes())
        content[len(content) // 2 if position is None else position] ^= 1
        (copy / path).write_bytes(content)
        return path

    return change


def test_a_whole_registry_holds(two, call):
    folder, _ = two
    code, out, _ = call("registry", "verify", "--registry", folder)
    assert code == 0
    assert f"{len(FILES)} files and 4 events hold" in out


@pytest.mark.parametrize("name", FILES)
def test_one_changed_byte_anywhere_is_named_and_never_served(changed, call, clip, name):
    path = changed(name)
    code, out, err = call("registry", "verify", "--registry", "registry")
    assert code == 4
    assert out == ""
    assert path in err.splitlines()[-1]

    code, out, err = call("predict", clip, clip, "--registry", "registry", "--json")
    if name.startswith("champion/") or name == "events.jsonl":  # what is served, or what says what is served
        assert code == 4
        assert path in err
        assert '"type": "clip"' not in out
    else:  # a rendering that nothing is read from, and a model that is not served
        assert code == 0, err
        assert '"type": "clip"' in out


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("former/")])
def test_nothing_rolls_back_to_changed_bytes(changed, call, tree, tmp_path, name):
    path = changed(name)
    before = tree(tmp_path / "registry")
    code, _, err = call("registry", "rollback", RECIPE, "--reason", "try", "--registry", "registry")
    assert code == 4
    assert path in err
    assert tree(tmp_path / "registry") == before


def test_a_lost_line_end_is_no_torn_write(changed, call, tree, tmp_path):
    changed("events.jsonl", position=-1)
    before = tree(tmp_path / "registry")
    code, _, err = call("registry", "verify", "--registry", "registry")
    assert code == 4
    assert "registry.json" in err.splitlines()[-1]  # it knows of the event that seems never to have been committed
    code, _, _ = call("registry", "rollback", RECIPE, "--reason", "try", "--registry", "registry")
    assert code == 4
    assert tree(tmp_path / "registry") == before


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(two, call, tmp_path, name):
    folder, ids = two
    copy = shutil.copytree(folder, tmp_path / "registry")
    role, _, rest = name.rpartition("/")
    path = f"models/{ids[role]}/{rest}" if role else rest
    (copy / path).unlink()
    code, _, err = call("registry", "verify", "--registry", "registry")
    assert code == 4
    assert path in err.splitlines()[-1]


def test_bytes_in_the_lock_and_strangers_are_named(two, call, tmp_path):
    folder, _ = two
    copy = shutil.copytree(folder, tmp_path / "registry")
    (copy / ".lock").write_bytes(b"x")
    (copy / "models" / "notes.txt").write_text("mine")
    code, _, err = call("registry", "verify", "--registry", "registry")
    assert code == 4
    assert ".lock" in err
    assert "models/notes.txt" in err


def test_listing_shows_who_is_served(two, call):
    folder, ids = two
    code, out, _ = call("registry", "list", "--registry", folder)
    assert code == 0
    shown = {line.split()[0]: line.split()[1] for line in out.splitlines() if line.startswith(RECIPE)}
    assert shown == {ids["champion"]: "champion", ids["former"]: "registered"}
    code, out, _ = call("registry", "history", "fr_regressor_v1", "--registry", folder, "--json")
    assert (code, out) == (0, "")


@pytest.mark.parametrize("reason", ["", "   "])
def test_a_rollback_needs_a_reason(two, call, tmp_path, tree, reason):
    copy = shutil.copytree(two[0], tmp_path / "registry")
    before = tree(copy)
    code, _, err = call("registry", "rollback", RECIPE, "--reason", reason, "--registry", "registry")
    assert code == 2
    assert "reason" in err
    assert tree(copy) == before
