"""Which registry answers, and the champions that come in the wheel."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import vmafcast
from vmafcast.common.errors import DataError, IntegrityError, RequestError
from vmafcast.common.feature_names import CANONICAL6
from vmafcast.evaluation.gates import FrScores, judge_fr_v1
from vmafcast.evaluation.thresholds import FrV1Thresholds
from vmafcast.evaluation.verdict import VerdictCorpus, verdict_of
from vmafcast.models.recipe import get_recipe
from vmafcast.registry.candidate import read_candidate
from vmafcast.registry.store import Registry
from vmafcast.registry.verify import verify
from vmafcast.workflows import serving
from vmafcast.workflows.serving import PACKAGED, load_champion, load_served, own_registry, serving_registry
from vmafcast.workflows.train import TrainRequest, train

ROOT = Path(__file__).parents[2]
RECIPE = "fr_regressor_v1"


@pytest.fixture(scope="session")
def made_registry(store, tiny, tmp_path_factory):
    """A registry with a champion that learnt next to nothing, promoted under a verdict on other scores."""
    folder = tmp_path_factory.mktemp("made")
    changes = {"epochs": 2, "hidden": 4, "depth": 1, "frame_stride": 2}
    recipe = get_recipe(RECIPE).model_copy(update=changes)
    train(TrainRequest(recipe, store.folder, folder / "candidate"))
    candidate = read_candidate(folder / "candidate")
    registry = Registry.open(folder / "registry", create=True)
    verdict = verdict_of(
        judge_fr_v1(FrScores(0.99)), FrV1Thresholds(), recipe=RECIPE, onnx_sha256=candidate.facts.sha256,
        loso_dir="runs", per_seed={0: 0.99}, corpus=VerdictCorpus(present=True),
    )  # fmt: skip
    registry.promote(registry.register(candidate), verdict)
    return registry.folder


@pytest.fixture
def packaged(made_registry, tmp_path, monkeypatch):
    """The same in the place of the packaged champions, read-only, and an empty present folder."""
    place = shutil.copytree(made_registry, tmp_path / "site" / "shipped")
    (place / ".lock").unlink(missing_ok=True)
    monkeypatch.setattr(serving, "packaged_folder", lambda: place)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return place


def test_the_packaged_champions_answer_where_the_user_has_no_registry(packaged, tree):
    before = tree(packaged)
    packaged.chmod(0o555)
    try:
        found = serving_registry()
        assert found.name == PACKAGED
        assert any("champions of vmafcast itself answer" in notice for notice in found.notices)
        name, model = load_champion(found.registry, RECIPE)
        assert name.startswith(RECIPE)
        assert model.predict(np.full((3, 6), 0.5)).vmaf.shape == (3,)
        assert verify(packaged).ok
    finally:
        packaged.chmod(0o755)
    assert tree(packaged) == before
    assert not (packaged / ".lock").exists()


def test_a_registry_of_the_user_s_own_wins(packaged, made_registry, tmp_path):
    shutil.copytree(made_registry, tmp_path / "elsewhere")
    asked = serving_registry(tmp_path / "elsewhere")
    assert (asked.name, asked.notices) == (str(tmp_path / "elsewhere"), ())
    shutil.copytree(made_registry, "registry")
    assert serving_registry().name == "registry"


def test_what_the_user_s_registry_lacks_comes_from_the_package_and_that_is_said(packaged):
    Registry.open(Path("registry"), create=True)
    found = serving_registry(None, RECIPE)
    assert (found.name, found.registry.folder) == (PACKAGED, packaged)
    [notice] = found.notices
    assert notice == f"./registry has no champion of {RECIPE}: that of vmafcast itself answers"
    name, _, origin = load_served(None, RECIPE)
    assert (name.startswith(RECIPE), origin.name) == (True, PACKAGED)


def test_what_nobody_has_is_missed_in_the_user_s_registry(packaged):
    Registry.open(Path("registry"), create=True)
    assert serving_registry(None, "fr_regressor_v9").name == "registry"
    with pytest.raises(RequestError, match="no champion is served for 'fr_regressor_v9' in registry"):
        load_served(None, "fr_regressor_v9")


def test_what_the_user_s_registry_serves_is_not_taken_from_the_package(packaged, made_registry):
    shutil.copytree(made_registry, "registry")
    assert serving_registry(None, RECIPE).name == "registry"


def test_a_registry_that_was_named_is_taken_at_its_word(packaged):
    Registry.open(Path("registry"), create=True)
    assert serving_registry(Path("registry"), RECIPE).name == "registry"
    with pytest.raises(RequestError, match="no champion is served for"):
        load_served(Path("registry"), RECIPE)


def test_a_history_that_does_not_hold_is_not_passed_over(packaged):
    Registry.open(Path("registry"), create=True)
    Path("registry/events.jsonl").write_text("{}\n")
    with pytest.raises(IntegrityError):
        serving_registry(None, RECIPE)


@pytest.fixture
def foreign(packaged, made_registry):
    """A registry of somebody else's in ``./registry``; a function that lists the one model there under a name."""
    [model] = (made_registry / "models").iterdir()
    Path("registry").mkdir()
    for name in ("model.onnx", "model.json"):
        shutil.copy(model / name, Path("registry", name))
    sha = hashlib.sha256((model / "model.onnx").read_bytes()).hexdigest()

    def list_as(name):
        row = {"id": name, "onnx": "model.onnx", "sha256": sha}
        Path("registry/registry.json").write_text(json.dumps({"schema_version": 1, "models": [row]}))

    list_as("theirs")
    return list_as


def test_what_a_foreign_registry_lacks_comes_from_the_package_and_that_is_said(foreign):
    for found in (serving_registry(None, RECIPE), load_served(None, RECIPE)[2]):
        assert found.name == PACKAGED
        assert found.notices == (f"./registry has no champion of {RECIPE}: that of vmafcast itself answers",)
    assert load_served(None, RECIPE)[0].startswith(RECIPE)


def test_what_a_foreign_registry_lists_is_its_own_to_serve(foreign):
    for name in ("theirs", RECIPE):
        foreign(name)
        served, model, origin = load_served(None, name)
        assert (served, origin) == (name, None)
        assert model.predict(np.full((3, 6), 0.5)).vmaf.shape == (3,)


@pytest.mark.parametrize(("folder", "wanted"), [(Path("registry"), RECIPE), (None, "fr_regressor_v9")])
def test_a_foreign_registry_that_was_named_or_lacks_what_nobody_has_says_what_it_lists(foreign, folder, wanted):
    with pytest.raises(RequestError, match=f"without a servable model '{wanted}'; it lists theirs"):
        load_served(folder, wanted)


def test_a_foreign_registry_that_cannot_be_read_is_not_passed_over(foreign):
    Path("registry/registry.json").write_text("{")
    for serve in (serving_registry, load_served):
        with pytest.raises(DataError, match="lists no models"):
            serve(None, RECIPE)


def test_a_folder_that_was_asked_for_is_never_replaced_by_the_packaged_one(packaged):
    with pytest.raises(RequestError, match="is no registry"):
        serving_registry(Path("absent"))
    Path("registry").mkdir()
    with pytest.raises(RequestError, match="registry is no registry"):
        serving_registry()


def test_without_packaged_champions_there_is_no_registry(packaged):
    shutil.rmtree(packaged)
    with pytest.raises(RequestError, match="registry is no registry") as caught:
        serving_registry()
    assert str(caught.value).endswith("name another with --registry")


def test_every_packaged_byte_is_verified(packaged):
    [folder] = (packaged / "models").iterdir()
    for name in ("model.onnx", "model.json", "verdict.json", "loso_seed0.json"):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
        with pytest.raises(IntegrityError, match=name):
            load_champion(serving_registry().registry, RECIPE)
        (folder / name).write_bytes(content)
    events = (packaged / "events.jsonl").read_bytes()
    (packaged / "events.jsonl").write_bytes(events[:-1])
    with pytest.raises(IntegrityError, match="lost its line end"):
        serving_registry()


def test_what_is_packaged_holds():
    """Whatever the package holds: verified, no smoke model, every champion with its card."""
    folder = serving.packaged_folder()
    assert folder == Path(vmafcast.__file__).parent / "shipped"
    if not folder.exists():
        pytest.skip("no champions are packaged yet")
    report = verify(folder)
    assert report.ok, report.problems
    for entry in Registry.open(folder).list():
        assert not entry.row.smoke
        assert entry.row.status != "champion" or any(path.endswith("README.md") for path in entry.files)


@pytest.fixture(scope="session")
def installed(made_registry, tmp_path_factory):
    """The wheel of this tree with champions packaged, unpacked as an installer does, and a Python that sees it."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE", "Makefile", "CHANGELOG.md"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__", "shipped"))
    shutil.copytree(made_registry, folder / "src" / "vmafcast" / "shipped", ignore=shutil.ignore_patterns(".lock"))
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    subprocess.run(build, cwd=folder, check=True, capture_output=True)
    [wheel] = (folder / "dist").glob("*.whl")
    site = folder / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    venv.create(folder / "env", system_site_packages=False, with_pip=False, symlinks=True)
    return wheel, site, folder / "env" / "bin" / "python"


def test_the_wheel_holds_every_byte_of_the_champions(installed, made_registry):
    wheel, _, _ = installed
    with zipfile.ZipFile(wheel) as archive:
        packed = {
            name.split("shipped/", 1)[1]: archive.read(name) for name in archive.namelist() if "/shipped/" in name
        }
    wanted = {
        path.relative_to(made_registry).as_posix(): path.read_bytes()
        for path in made_registry.rglob("*")
        if path.is_file() and path.name != ".lock"
    }
    assert packed == wanted


def test_an_installed_wheel_predicts_out_of_the_box(installed, tmp_path):
    _, site, python = installed
    rng = np.random.default_rng(0)
    pl.DataFrame({name: rng.uniform(size=5) for name in CANONICAL6}).write_parquet(tmp_path / "table.parquet")
    packages = Path(np.__file__).parents[1]  # what pip would install beside it
    code = f"import sys; sys.path[:0] = [{str(site)!r}, {str(packages)!r}]; from vmafcast.cli.main import main; main()"
    arguments = ["predict", "--features", "table.parquet", "--recipe", RECIPE, "--json"]
    done = subprocess.run(
        [python, "-I", "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    line = json.loads(done.stdout.splitlines()[-1])
    assert (line["origin"], line["rows"]) == (PACKAGED, 5)
    assert "champions of vmafcast itself answer" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["table.parquet"]
    done = subprocess.run(
        [python, "-I", "-c", code, "registry", "verify"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_what_is_trained_goes_into_a_registry_of_ones_own(tmp_path, monkeypatch):
    mine = Registry.open(tmp_path / "mine", create=True)
    assert own_registry(mine) == tmp_path / "mine"
    shutil.copytree(mine.folder, tmp_path / "packaged")
    monkeypatch.setattr(serving, "packaged_folder", lambda: tmp_path / "packaged")
    assert own_registry(Registry.open(tmp_path / "packaged")) == Path("registry")
