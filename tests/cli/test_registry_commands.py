"""``vmafcast registry``: every byte is watched, and nothing is served from bytes that changed."""

from __future__ import annotations

import json
import re
import shlex
import shutil

import pytest
import yaml

from vmafcast.registry.store import Registry
from vmafcast.workflows.ship import ship

RECIPE = "fr_regressor_v3"
MODEL_FILES = ("model.onnx", "model.json", "loso_seed0.json", "verdict.json", "README.md")
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
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    assert len(files) >= len(FILES)
    assert f"{len(files)} files and 4 events hold" in out


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


# ---- revoke, show, diff, card


@pytest.fixture
def copy(two, tmp_path):
    """A copy of the registry that a test may change, and the ids."""
    return shutil.copytree(two[0], tmp_path / "registry"), two[1]


def served_by(call):
    code, out, err = call("registry", "list", "--json", "--registry", "registry")
    assert code == 0, err
    return {line["id"]: line["status"] for line in map(json.loads, out.splitlines())}


def test_a_revoked_champion_is_not_served_and_the_one_before_it_is(copy, call, clip):
    _, ids = copy
    outcome = call("registry", "revoke", ids["champion"], "--reason", "misreads film", "--json")
    assert outcome.code == 0, outcome.err
    [line] = outcome.lines
    assert line == {"type": "revoked", "recipe": RECIPE, "model": ids["champion"], "champion": ids["former"]}
    assert served_by(call) == {ids["champion"]: "revoked", ids["former"]: "champion"}
    [predicted] = call("predict", clip, clip, "--registry", "registry", "--json").lines
    assert predicted["model"] == ids["former"]
    last = call("registry", "history", "--registry", "registry", "--json").lines[-1]
    assert (last["event"], last["reason"], last["champion"]) == ("revoke", "misreads film", ids["former"])
    assert call("registry", "verify", "--registry", "registry").code == 0


@pytest.mark.parametrize("name", [RECIPE, "champion"])
def test_a_recipe_means_its_champion_wherever_a_model_is_asked_for(copy, call, name):
    _, ids = copy
    model = ids.get(name, name)
    shown = call("registry", "show", model, "--json").lines[-1]
    assert shown["row"]["id"] == ids["champion"]
    assert call("registry", "card", model).out == call("registry", "card", ids["champion"]).out
    differ = call("registry", "diff", model, ids["former"], "--json").lines[-1]
    assert (differ["a"], differ["b"]) == (ids["champion"], ids["former"])
    back = call("registry", "rollback", model, "--reason", "try", "--json").lines[-1]
    assert back == {"type": "champion", "recipe": RECIPE, "model": ids["former"]}
    assert served_by(call)[ids["former"]] == "champion"


def test_a_recipe_that_is_revoked_loses_its_champion_and_says_which(copy, call):
    _, ids = copy
    [line] = call("registry", "revoke", RECIPE, "--reason", "misreads film", "--json").lines
    assert line == {"type": "revoked", "recipe": RECIPE, "model": ids["champion"], "champion": ids["former"]}
    assert ids["former"] in call("registry", "revoke", RECIPE, "--reason", "this too").out
    nothing = call("registry", "revoke", RECIPE, "--reason", "and this")
    assert nothing.code == 2
    assert f"no champion is called '{RECIPE}'" in nothing.err


def test_what_is_not_served_is_not_rolled_back(copy, call, tree):
    folder, ids = copy
    before = tree(folder)
    outcome = call("registry", "rollback", ids["former"], "--reason", "try")
    assert outcome.code == 2
    assert f"{ids['former']} is not served" in outcome.err
    assert ids["champion"] in outcome.err
    assert tree(folder) == before


def test_a_former_champion_that_was_revoked_is_passed_over(copy, call, clip):
    _, ids = copy
    assert call("registry", "revoke", ids["former"], "--reason", "old").code == 0
    assert served_by(call)[ids["champion"]] == "champion"
    outcome = call("registry", "revoke", ids["champion"], "--reason", "new")
    assert outcome.code == 0
    assert "nothing is served now" in outcome.out
    outcome = call("predict", clip, clip, "--registry", "registry")
    assert outcome.code == 2
    assert "no champion is served" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("nothing-0123", "--reason", "x"), "nothing-0123"),
        (("champion", "--reason", " "), "no reason"),
        (("champion",), "--reason"),
    ],
)
def test_what_cannot_be_revoked_changes_nothing(copy, call, tree, arguments, word):
    folder, ids = copy
    before = tree(folder)
    model, *rest = arguments
    code, _, err = call("registry", "revoke", ids.get(model, model), *rest)
    assert code == 2
    assert word in err
    assert tree(folder) == before


def test_revoking_twice_is_refused(copy, call):
    _, ids = copy
    assert call("registry", "revoke", ids["former"], "--reason", "old").code == 0
    code, _, err = call("registry", "revoke", ids["former"], "--reason", "again")
    assert code == 2
    assert "was revoked before: old" in err


def test_showing_a_model_verifies_it(two, changed, call):
    folder, ids = two
    outcome = call("registry", "show", RECIPE, "--registry", folder, "--json")
    assert outcome.code == 0, outcome.err
    [line] = outcome.lines
    assert line["row"]["id"] == ids["champion"]
    assert line["revoked"] is None
    there = {path.name for path in (folder / "models" / ids["champion"]).iterdir()}
    assert {path.rsplit("/", 1)[1] for path in line["files"]} == there >= set(MODEL_FILES)
    assert [event["event"] for event in line["events"]] == ["register", "promote"]
    assert {"mean_plcc", "mean_rmse"} <= {figure["name"] for figure in line["figures"]}
    people = call("registry", "show", ids["champion"], "--registry", folder)
    assert ids["champion"] in people.out
    changed("champion/loso_seed0.json")
    assert call("registry", "show", RECIPE, "--registry", "registry").code == 4
    assert call("registry", "show", "nothing", "--registry", folder).code == 2


def test_a_diff_names_what_differs_and_nothing_else(two, call):
    folder, ids = two
    outcome = call("registry", "diff", ids["former"], RECIPE, "--registry", folder, "--json")
    assert outcome.code == 0, outcome.err
    [line] = outcome.lines
    assert (line["a"], line["b"]) == (ids["former"], ids["champion"])
    sidecars = [
        json.loads((folder / "models" / ids[role] / "model.json").read_text()) for role in ("former", "champion")
    ]
    figures = {figure["name"]: figure for figure in line["figures"]}
    means = [sidecar["training"]["loso"]["mean_rmse"] for sidecar in sidecars]
    assert (figures["mean_rmse"]["a"], figures["mean_rmse"]["b"]) == tuple(means)
    assert figures["mean_rmse"]["difference"] == pytest.approx(means[1] - means[0])
    assert {"meadow rmse", "river plcc", "tower srocc"} <= set(figures)
    differing = {value["key"]: (value["a"], value["b"]) for value in line["sidecar"]}
    assert differing["training.recipe.frame_stride"] == (2, 1)
    assert differing["sha256"] == (sidecars[0]["sha256"], sidecars[1]["sha256"])
    assert "feature_order" not in differing
    assert "training.recipe.hidden" not in differing
    assert {value["key"] for value in line["files"]} >= set(MODEL_FILES)
    assert "training.recipe.frame_stride" in call("registry", "diff", *ids.values(), "--registry", folder).out


def test_a_model_does_not_differ_from_itself(two, call):
    folder, _ = two
    [line] = call("registry", "diff", RECIPE, RECIPE, "--registry", folder, "--json").lines
    assert (line["sidecar"], line["files"]) == ([], [])
    assert {figure["difference"] for figure in line["figures"]} == {0}


def test_the_card_that_was_shipped_is_the_card_and_its_status_is_today_s(copy, call, tmp_path):
    folder, ids = copy
    shipped = (folder / "models" / ids["champion"] / "README.md").read_text()
    assert "Status: Production (gate cleared)" in shipped
    assert yaml.safe_load(shipped.split("---\n")[1])["model-index"][0]["name"] == RECIPE
    assert "| meadow |" in shipped
    assert call("registry", "card", RECIPE).out == shipped
    [line] = call("registry", "card", ids["former"], "--out", "card.md", "--json").lines
    written = (tmp_path / "card.md").read_text()
    assert (line["card"], line["output"]) == (written, "card.md")
    assert "Status: Retired" in written
    call("registry", "revoke", ids["champion"], "--reason", "misreads film")
    revoked = call("registry", "card", ids["champion"]).out
    assert revoked == shipped.replace("Production (gate cleared)", "Revoked (misreads film)")
    assert (folder / "models" / ids["champion"] / "README.md").read_text() == shipped


def test_a_card_can_be_made_anew_with_a_data_card(copy, call, tmp_path):
    (tmp_path / "data.md").write_text("# Data\n\n## Known gaps\n- none of it is film\n")
    made = call("registry", "card", RECIPE, "--data-card", "data.md").out
    assert "### Known gaps\n- none of it is film" in made
    assert "Status: Production (gate cleared)" in made
    assert call("registry", "card", RECIPE, "--data-card", "absent.md").code == 2


def test_a_changed_card_is_noticed(changed, call):
    changed("champion/README.md")
    assert call("registry", "card", RECIPE).code == 4


def strange_folder(tmp_path):
    """A folder that is called as a registry is, and holds something else."""
    (tmp_path / "registry").mkdir()
    (tmp_path / "registry" / "index.html").write_text("packages\n")
    return tmp_path / "registry"


@pytest.mark.parametrize("command", [("list",), ("show", RECIPE), ("history",), ("diff", RECIPE, RECIPE)])
def test_a_folder_of_something_else_is_named_with_a_command_that_shows_the_packaged_champions(call, tmp_path, command):
    folder = strange_folder(tmp_path)
    code, out, err = call("registry", *command)
    assert (code, out) == (2, "")
    assert f"{folder} is no registry: it holds no events.jsonl; name another with --registry" in err
    [remedy] = re.findall("`vmafcast (.*?)`", err)
    code, out, _ = call(*shlex.split(remedy), "--json")
    assert code == 0
    served = {line["recipe"] for line in map(json.loads, out.splitlines()) if line["status"] == "champion"}
    assert RECIPE in served


@pytest.mark.parametrize("command", [("verify",), ("rollback", RECIPE, "--reason", "it is bad")])
def test_what_verifies_or_writes_names_a_folder_of_something_else_too(call, tmp_path, command):
    folder = strange_folder(tmp_path)
    code, _, err = call("registry", *command)
    assert code == 2
    assert f"{folder} is no registry: it holds n" in err
    assert "name another with --registry" in err
    assert [path.name for path in folder.iterdir()] == ["index.html"]
