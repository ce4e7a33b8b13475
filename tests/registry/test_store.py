"""What a registry takes in, serves and hands out."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import onnxruntime
import pytest

from vmafcast.common.errors import DataError, GateRefused, IntegrityError, OutputError, RequestError
from vmafcast.registry.entry import load, require_intact
from vmafcast.registry.store import Registry
from vmafcast.registry.verify import verify

RECIPE = "fr_regressor_v1"


def rendering(registry):
    return json.loads((registry.folder / "registry.json").read_text())


def test_a_new_registry_is_empty_and_whole(registry):
    assert registry.list() == ()
    assert registry.history() == ()
    assert verify(registry.folder).ok
    assert rendering(registry)["models"] == []


def test_opening_without_create_needs_a_registry(tmp_path):
    with pytest.raises(RequestError, match="no registry"):
        Registry.open(tmp_path / "absent")
    (tmp_path / "folder").mkdir()
    with pytest.raises(RequestError, match="no registry"):
        Registry.open(tmp_path / "folder")
    assert list((tmp_path / "folder").iterdir()) == []


def test_create_opens_what_is_there(registry, workshop):
    model = workshop.promoted(registry)
    assert Registry.open(registry.folder, create=True).champion(RECIPE).id == model


def test_create_refuses_a_folder_that_holds_something_else(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RequestError, match=r"notes\.txt"):
        Registry.open(tmp_path, create=True)


def test_create_refuses_a_foreign_registry(tmp_path):
    (tmp_path / "registry.json").write_text('{"models": []}')
    with pytest.raises(RequestError, match=r"registry\.json"):
        Registry.open(tmp_path, create=True)
    assert (tmp_path / "registry.json").read_text() == '{"models": []}'


def test_create_finishes_what_was_begun(registry):
    (registry.folder / "events.jsonl").unlink()
    assert Registry.open(registry.folder, create=True).list() == ()
    assert verify(registry.folder).ok


def test_a_registered_model_is_listed_but_not_served(registry, workshop):
    candidate = workshop.candidate()
    model = registry.register(candidate, description="first try")
    assert re.fullmatch(r"fr_regressor_v1-[0-9a-f]{12}", model)
    (entry,) = registry.list()
    assert (entry.id, entry.row.status, entry.row.description) == (model, "registered", "first try")
    assert entry.row.sha256 == candidate.facts.sha256
    assert (entry.row.kind, entry.row.opset, entry.row.license) == ("fr", 17, "Apache-2.0")
    assert entry.onnx_path.read_bytes() == candidate.files["model.onnx"]
    assert entry.sidecar_path.read_bytes() == candidate.files["model.json"]
    with pytest.raises(RequestError, match="no champion"):
        registry.champion(RECIPE)
    assert verify(registry.folder).ok


def test_reports_travel_with_the_model(registry, workshop):
    model = registry.register(workshop.candidate(reports=("loso_seed0.json", "loso_seed1.json")))
    names = {path.split("/")[-1] for path in registry.entry(model).files}
    assert names == {"model.onnx", "model.json", "loso_seed0.json", "loso_seed1.json"}


def test_the_same_bytes_have_the_same_id_and_are_registered_once(registry, workshop, tree):
    candidate = workshop.candidate(seed=5)
    model = registry.register(candidate)
    before = tree(registry.folder)
    assert registry.register(workshop.candidate(seed=5)) == model
    assert tree(registry.folder) == before


def test_the_sidecar_is_part_of_the_id(registry, workshop):
    assert registry.register(workshop.candidate(seed=5)) != registry.register(workshop.candidate(seed=5, smoke=True))


def test_promotion_makes_a_champion_under_its_verdict(registry, workshop):
    candidate = workshop.candidate()
    model = registry.register(candidate)
    entry = registry.promote(model, workshop.verdict(candidate))
    assert entry == registry.champion(RECIPE)
    assert (entry.id, entry.row.status) == (model, "champion")
    kept = json.loads((registry.folder / f"models/{model}/verdict.json").read_text())
    assert kept["verdict"] == "PROMOTE"
    assert rendering(registry)["champions"] == {RECIPE: model}
    assert registry.history()[-1].reason == workshop.verdict(candidate).recommendation
    assert verify(registry.folder).ok


def test_promoting_the_champion_again_changes_nothing(registry, workshop, tree):
    candidate = workshop.candidate()
    model = registry.register(candidate)
    registry.promote(model, workshop.verdict(candidate))
    before = tree(registry.folder)
    assert registry.promote(model, workshop.verdict(candidate, 0.97)).id == model
    assert tree(registry.folder) == before


def test_recipes_have_champions_of_their_own(registry, workshop):
    first = workshop.promoted(registry)
    second = workshop.promoted(registry, recipe="fr_regressor_lite")
    assert registry.champion(RECIPE).id == first
    assert registry.champion("fr_regressor_lite").id == second
    assert [event.model for event in registry.history("fr_regressor_lite")] == [second, second]
    with pytest.raises(RequestError, match="fr_regressor_lite, fr_regressor_v1"):
        registry.champion("fr_regressor_v9")


def refusals(workshop, candidate):
    good = workshop.verdict(candidate)
    return {
        "hold": workshop.verdict(candidate, 0.94),
        "other model": good.model_copy(update={"onnx_sha256": "0" * 64}),
        "no model": good.model_copy(update={"onnx_sha256": None}),
        "other recipe": good.model_copy(update={"recipe": "fr_regressor_v3"}),
    }


@pytest.mark.parametrize("case", ["hold", "other model", "no model", "other recipe"])
def test_only_a_verdict_on_this_very_model_promotes(registry, workshop, tree, case):
    champion = workshop.promoted(registry)
    candidate = workshop.candidate()
    model = registry.register(candidate)
    before = tree(registry.folder)
    with pytest.raises(GateRefused, match=model):
        registry.promote(model, refusals(workshop, candidate)[case])
    assert tree(registry.folder) == before
    assert registry.champion(RECIPE).id == champion


def test_a_verdict_that_contradicts_itself_promotes_nothing(registry, workshop, tree):
    candidate = workshop.candidate()
    model = registry.register(candidate)
    before = tree(registry.folder)
    forged = workshop.verdict(candidate, 0.5).model_copy(update={"verdict": "PROMOTE"})
    with pytest.raises(DataError, match="not valid"):
        registry.promote(model, forged)
    assert tree(registry.folder) == before


def test_a_smoke_model_is_never_champion(registry, workshop, tree):
    candidate = workshop.candidate(smoke=True)
    model = registry.register(candidate)
    before = tree(registry.folder)
    with pytest.raises(GateRefused, match="smoke"):
        registry.promote(model, workshop.verdict(candidate))
    assert tree(registry.folder) == before
    assert registry.entry(model).row.smoke


def test_an_unknown_model_is_named(registry, workshop):
    with pytest.raises(RequestError, match="fr_regressor_v1-000000000000"):
        registry.promote("fr_regressor_v1-000000000000", workshop.verdict(workshop.candidate()))
    with pytest.raises(RequestError, match="absent"):
        registry.entry("absent")
    with pytest.raises(RequestError, match="absent"):
        registry.revoke("absent", "gone")


def test_a_model_is_found_by_its_id_and_by_the_recipe_that_it_is_champion_of(registry, workshop):
    model = registry.register(workshop.candidate())
    assert registry.find(model).id == model
    assert not registry.serves(RECIPE)
    with pytest.raises(RequestError, match=f"no model and no champion is called '{RECIPE}'"):
        registry.find(RECIPE)
    champion = workshop.promoted(registry)
    assert registry.serves(RECIPE)
    assert (registry.find(RECIPE).id, registry.find(model).id) == (champion, model)


def test_a_damaged_model_is_not_promoted(registry, workshop, tree):
    candidate = workshop.candidate()
    model = registry.register(candidate)
    (registry.folder / f"models/{model}/model.onnx").write_bytes(b"other")
    before = tree(registry.folder)
    with pytest.raises(IntegrityError, match=r"model\.onnx"):
        registry.promote(model, workshop.verdict(candidate))
    assert tree(registry.folder) == before


def test_text_that_is_no_utf8_is_refused(registry, workshop):
    with pytest.raises(RequestError, match="description"):
        registry.register(workshop.candidate(), description="\udcff")
    model = workshop.promoted(registry)
    with pytest.raises(RequestError, match="reason"):
        registry.revoke(model, "\udcff")


def test_loaded_bytes_predict_and_are_those_that_were_registered(registry, workshop):
    candidate = workshop.candidate()
    model = registry.register(candidate)
    registry.promote(model, workshop.verdict(candidate))
    loaded = load(registry.champion(RECIPE))
    assert loaded.onnx == candidate.files["model.onnx"]
    assert loaded.sidecar_document().id == RECIPE
    session = onnxruntime.InferenceSession(loaded.onnx, providers=["CPUExecutionProvider"])
    (scores,) = session.run(None, {"features": np.zeros((3, 6), np.float32)})
    assert scores.shape == (3,)


def test_external_data_is_hashed_and_loaded_with_the_model(registry, workshop):
    candidate = workshop.candidate(external=True)
    model = registry.register(candidate)
    (data,) = registry.entry(model).row.external_data
    assert data.path.endswith("/model.onnx.data")
    assert load(registry.entry(model)).external_data == {"model.onnx.data": candidate.files["model.onnx.data"]}
    path = registry.folder / data.path
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match=r"model\.onnx\.data"):
        load(registry.entry(model))


def test_weights_in_another_file_are_part_of_the_id(workshop, tmp_path):
    candidate = workshop.candidate(external=True)
    changed = {**candidate.files, "model.onnx.data": b"other weights"}
    assert type(candidate)(**{**vars(candidate), "files": changed}).model_id != candidate.model_id


@pytest.mark.parametrize("name", ["model.onnx", "model.json", "loso_seed0.json", "verdict.json"])
@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_nothing_is_loaded_from_a_damaged_model(registry, workshop, name, damage):
    model = workshop.promoted(registry)
    path = registry.folder / f"models/{model}/{name}"
    if damage == "changed":
        path.write_bytes(path.read_bytes() + b" ")
    else:
        path.unlink()
    with pytest.raises(IntegrityError, match=re.escape(name)):
        require_intact(registry.champion(RECIPE))
    with pytest.raises(IntegrityError, match=re.escape(name)):
        load(registry.champion(RECIPE))


def test_readers_write_nothing_and_can_read_where_nothing_can_be_written(registry, workshop, tree, tmp_path):
    model = workshop.promoted(registry)
    copy = tmp_path / "copy"
    shutil.copytree(registry.folder, copy)
    (copy / ".lock").unlink()
    before = tree(copy)
    opened = Registry.open(copy)
    load(opened.champion(RECIPE))
    assert opened.entry(model).id == model
    assert verify(copy).ok
    assert tree(copy) == before


def test_a_writer_waits_for_the_lock_only_so_long(registry, workshop):
    candidate = workshop.candidate()
    impatient = Registry.open(registry.folder, lock_timeout_s=0.1)
    from vmafcast.registry.lock import exclusive

    with exclusive(registry.folder, 1.0), pytest.raises(OutputError, match="another process"):
        impatient.register(candidate)
    impatient.register(candidate)


def test_a_file_in_the_way_is_not_overwritten(registry, workshop):
    candidate = workshop.candidate()
    place = registry.folder / "models" / candidate.model_id
    place.mkdir()
    (place / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="in the way"):
        registry.register(candidate)
    assert (place / "mine.txt").read_text() == "mine"


def test_what_cannot_be_known_to_be_a_leftover_is_never_removed(registry, workshop):
    model = workshop.promoted(registry)
    mine = [
        registry.folder / "README.md",
        registry.folder / "models" / "notes.txt",
        registry.folder / "models" / model / "card.md",
        registry.folder / "models" / "fr_regressor_v1-000000000000" / "model.onnx",
    ]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    assert registry.tidy() == ()
    registry.register(workshop.candidate())
    assert all(path.read_text() == "mine" for path in mine)
    assert {problem.path for problem in verify(registry.folder).problems} == {
        path.relative_to(registry.folder).as_posix() for path in mine
    }


def test_an_altered_rendering_stops_writers_and_removing_it_mends_it(registry, workshop, tree):
    workshop.promoted(registry)
    path = registry.folder / "registry.json"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"smoke": false', b'"smoke": true'))
    with pytest.raises(IntegrityError, match=r"registry\.json"):
        registry.register(workshop.candidate())
    path.unlink()
    assert registry.tidy() == ("rendered registry.json anew",)
    assert path.read_bytes() == whole


def test_events_cut_off_the_end_are_noticed(registry, workshop):
    workshop.promoted(registry)
    path = registry.folder / "events.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    assert not verify(registry.folder).ok
    with pytest.raises(IntegrityError, match=r"registry\.json"):
        registry.tidy()


def test_the_same_operations_give_the_same_bytes(tmp_path, workshop, tree):
    candidates = [workshop.candidate(), workshop.candidate(recipe="fr_regressor_lite")]
    trees = []
    for name in ("one", "two"):
        registry = Registry.open(tmp_path / name, create=True, clock=lambda: "2026-01-01T00:00:00Z")
        for candidate in candidates:
            registry.promote(registry.register(candidate), workshop.verdict(candidate))
        trees.append(tree(registry.folder))
    assert trees[0] == trees[1]


def test_shipping_registers_and_promotes_in_one_step(registry, workshop):
    candidate = workshop.candidate()
    entry = registry.ship(candidate, workshop.verdict(candidate), description="first")
    assert entry == registry.champion(entry.row.recipe)
    assert [event.event for event in registry.history()] == ["register", "promote"]
    assert entry.row.description == "first"
    kept = [path for path in entry.files if path.rpartition("/")[2].startswith("verdict")]
    assert len(kept) == 1
    assert verify(registry.folder).ok
    # The same again changes nothing.
    before = (registry.folder / "events.jsonl").read_bytes()
    assert registry.ship(candidate, workshop.verdict(candidate)) == entry
    assert (registry.folder / "events.jsonl").read_bytes() == before


def test_shipping_what_was_registered_before_promotes_it(registry, workshop):
    candidate = workshop.candidate()
    registry.register(candidate)
    entry = registry.ship(candidate, workshop.verdict(candidate))
    assert entry.row.status == "champion"
    assert [event.event for event in registry.history()] == ["register", "promote"]


def test_shipping_under_another_model_s_verdict_registers_nothing(registry, workshop, tree):
    one, other = workshop.candidate(), workshop.candidate()
    before = tree(registry.folder)
    with pytest.raises(GateRefused, match="judge it anew"):
        registry.ship(one, workshop.verdict(other))
    assert tree(registry.folder) == before
