"""A tiny real corpus, built through the library, and recipes small enough to train in a blink."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from vmafcast.corpus.build import build_corpus
from vmafcast.corpus.store import CorpusStore
from vmafcast.models.recipe import Recipe, get_recipe
from vmafcast.registry.store import Registry
from vmafcast.workflows.ensemble import Ensembled, EnsembleRequest, ensemble
from vmafcast.workflows.surveys import survey_corpus
from vmafcast.workflows.sweep import EncoderSweep, make_sweep
from vmafcast.workflows.train import Trained, TrainRequest, train

FRAMES = 9
GROUPS = {"alpha": "meadow", "beta": "river", "gamma": "river"}
SWEEP = (EncoderSweep("libx264", ("ultrafast",), (20, 32, 44)), EncoderSweep("libsvtav1", ("10",), (25, 45, 62)))


@pytest.fixture(scope="session")
def clips(make_clip, tmp_path_factory):
    """A folder of three clips in two source groups, with a manifest."""
    folder = tmp_path_factory.mktemp("clips")
    for seed, name in enumerate(GROUPS):
        make_clip(f"{name}.mkv", width=96, height=64, frames=FRAMES, seed=seed, folder=folder)
    rows = [f"{name}.mkv,{name},{group}\n" for name, group in GROUPS.items()]
    (folder / "MANIFEST.csv").write_text("file,name,source_group\n" + "".join(rows))
    return folder


@pytest.fixture(scope="session")
def store(clips, ffmpeg, tmp_path_factory):
    """Its corpus."""
    corpus = CorpusStore(tmp_path_factory.mktemp("corpus") / "corpus")
    report = build_corpus(corpus, make_sweep([clips], SWEEP), ffmpeg, processes=2)
    assert report.built == 18
    return corpus


@pytest.fixture(scope="session")
def surveyed(store, clips, ffmpeg, tmp_path_factory):
    """A copy of it whose sources were surveyed. Not to be changed."""
    folder = tmp_path_factory.mktemp("surveyed")
    copy = CorpusStore(shutil.copytree(store.folder, folder / "corpus"))
    survey_corpus(copy.folder, [clips], ffmpeg, cache=folder / "cache")
    return copy


@pytest.fixture(scope="session")
def tiny() -> Recipe:
    """The codec-aware recipe, made so small that it learns next to nothing."""
    changes = {"epochs": 2, "hidden": 4, "depth": 1, "frame_stride": 2}
    return get_recipe("fr_regressor_v3").model_copy(update=changes)


@pytest.fixture
def train_into(store, tiny) -> Callable[..., Trained]:
    """A function that trains the tiny recipe into a folder."""

    def run(output: Path, *, seeds: tuple[int, ...] = (0,), recipe: Recipe = tiny, **options) -> Trained:
        progress = options.pop("progress", None)
        return train(TrainRequest(recipe, store.folder, output, seeds=seeds, **options), progress)

    return run


@pytest.fixture
def tree() -> Callable[[Path], dict[str, str]]:
    """A function that returns the hash of every file below a folder, by its relative path."""

    def read(folder: Path) -> dict[str, str]:
        return {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    return read


@pytest.fixture(scope="session")
def run_ensemble(store, tiny) -> Callable[..., Ensembled]:
    """A function that makes an ensemble of the tiny recipe, which passes a gate that is as good as open."""
    lenient = {"mean_plcc": -1.0, "per_seed_plcc": -1.0, "plcc_spread": 2.0}

    def run(output: Path, *, registry: Registry | None = None, **options) -> Ensembled:
        defaults = {"seeds": (0, 3, 1), "thresholds": lenient, "corpus": store.folder, "recipe": tiny}
        progress = options.pop("progress", None)
        return ensemble(EnsembleRequest(output=output, **(defaults | options)), progress, registry=registry)

    return run


@pytest.fixture(scope="session")
def ensembled(run_ensemble, tmp_path_factory) -> Ensembled:
    """A passing ensemble of three seeds, in ``candidate``, with its registry beside it. Not to be changed."""
    folder = tmp_path_factory.mktemp("ensemble")
    return run_ensemble(folder / "candidate", registry=Registry(folder / "registry"), score="absolute")
