"""A ship that is killed, fails or is refused leaves registry, champion and files bit-identical."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from vmafcast.common.errors import OutputError, VmafcastError
from vmafcast.models.recipe import get_recipe
from vmafcast.registry.store import Registry
from vmafcast.workflows.ship import ship
from vmafcast.workflows.train import TrainRequest, train

DRIVER = Path(__file__).with_name("ship_fault_driver.py")
RAISED, FINISHED = 3, 4
RECIPE = "fr_regressor_v1"


@pytest.fixture(scope="session")
def passing(store, tmp_path_factory):
    """Two candidates that pass the gate of the codec-blind recipe."""
    folder = tmp_path_factory.mktemp("passing")
    recipe = get_recipe(RECIPE).model_copy(update={"hidden": 16, "epochs": 60, "batch_size": 16, "frame_stride": 1})
    for seed in (0, 1):
        train(TrainRequest(recipe, store.folder, folder / f"c{seed}", seeds=(seed,)))
    return folder


@pytest.fixture
def champion(passing, tmp_path):
    """A registry whose champion is the first of them."""
    first = shutil.copytree(passing / "c0", tmp_path / "first")
    shipped = ship(first, Registry(tmp_path / "registry"))
    assert shipped.champion is not None, shipped.verdict.recommendation
    return shipped.champion


def drive(registry, candidate, work, kind):
    done = subprocess.run(
        [sys.executable, DRIVER, registry, candidate, work, kind, RECIPE],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "leaked" not in done.stderr, done.stderr
    return json.loads(done.stdout)


def test_killed_at_any_file_operation(passing, champion, tmp_path):
    results = drive(tmp_path / "registry", passing / "c1", tmp_path / "work", "kill")
    assert len(results) >= 20  # else the faults did not reach the operation
    served = [result["champion"] == champion.id for result in results]
    # One moment: the old champion up to it, the new one from it on.
    assert served == sorted(served, reverse=True)
    assert set(served) == {True, False}
    for result, is_old in zip(results, served, strict=True):
        assert result["code"] == -signal.SIGKILL
        assert result["ok"]
        assert result["events"] == (2 if is_old else 4)  # never a model that was registered and not promoted
        assert result["mended"] == is_old


def test_failing_at_any_file_operation(passing, champion, tmp_path):
    results = drive(tmp_path / "registry", passing / "c1", tmp_path / "work", "error")
    raised = [result for result in results if result["code"] == RAISED]
    assert len(raised) >= 15
    for result in results:
        assert result["code"] in (RAISED, FINISHED)
        assert result["ok"]
        if result["code"] == RAISED:
            assert result["same"]
            assert result["champion"] == champion.id


def test_a_first_ship_that_fails_leaves_no_registry_that_was_not_there(passing, tmp_path):
    results = drive(tmp_path / "nowhere", passing / "c1", tmp_path / "work", "error")
    raised = [result for result in results if result["code"] == RAISED]
    assert len(raised) >= 15
    for result in raised:
        assert result["champion"] is None
        assert result.get("events", 0) == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes wherever it likes")
def test_an_unwritable_registry_is_left_as_it_is(passing, champion, tmp_path, tree):
    registry = tmp_path / "registry"
    candidate = shutil.copytree(passing / "c1", tmp_path / "second")
    before = tree(registry)
    (registry / "models").chmod(0o500)
    try:
        with pytest.raises(OutputError):
            ship(candidate, Registry(registry))
    finally:
        (registry / "models").chmod(0o700)
    assert tree(registry) == before
    assert Registry.open(registry).champion(RECIPE).id == champion.id


def test_a_candidate_that_the_gate_refuses_changes_nothing_but_its_own_report(
    passing, champion, train_into, tmp_path, tree
):
    worse = get_recipe(RECIPE).model_copy(update={"hidden": 4, "depth": 1, "epochs": 1, "frame_stride": 2})
    candidate = train_into(tmp_path / "worse", recipe=worse).folder
    registry, files = tree(tmp_path / "registry"), tree(candidate)
    shipped = ship(candidate, Registry(tmp_path / "registry"))
    assert not shipped.verdict.promotes
    assert shipped.champion is None
    assert tree(tmp_path / "registry") == registry
    after = tree(candidate)
    assert {name: after[name] for name in files} == files
    assert set(after) - set(files) <= {"HOLD.json", "README.md"}


def test_a_candidate_that_was_tampered_with_changes_nothing_at_all(passing, champion, tmp_path, tree):
    candidate = shutil.copytree(passing / "c1", tmp_path / "second")
    model = candidate / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"\x00")
    registry, files = tree(tmp_path / "registry"), tree(candidate)
    with pytest.raises(VmafcastError):
        ship(candidate, Registry(tmp_path / "registry"))
    assert tree(tmp_path / "registry") == registry
    assert tree(candidate) == files
