"""Candidates and verdicts for the registry's tests: small real ONNX graphs with their sidecars."""

from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from vmafcast.evaluation.gates import FrScores, judge_fr_v1
from vmafcast.evaluation.thresholds import FrV1Thresholds
from vmafcast.evaluation.verdict import VerdictCorpus, verdict_of
from vmafcast.models.recipe import get_recipe
from vmafcast.models.sidecar import Sidecar, TrainingFacts, write_sidecar
from vmafcast.registry.candidate import read_candidate
from vmafcast.registry.store import Registry

FEATURES = 6


def linear_model(seed: int) -> onnx.ModelProto:
    """Return a graph that maps features [N, 6] to vmaf [N], with weights drawn from ``seed``."""
    weights = np.random.default_rng(seed).normal(size=(FEATURES, 1)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["features", "weights"], ["column"]),
            helper.make_node("Squeeze", ["column", "axes"], ["vmaf"]),
        ],
        "linear",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", FEATURES])],
        [helper.make_tensor_value_info("vmaf", TensorProto.FLOAT, ["N"])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(np.array([1]), "axes")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


def write_candidate(
    folder: Path,
    *,
    seed: int = 0,
    recipe: str = "fr_regressor_v1",
    smoke: bool = False,
    external: bool = False,
    reports: tuple[str, ...] = ("loso_seed0.json",),
) -> Path:
    folder.mkdir(parents=True)
    model = folder / "model.onnx"
    onnx.save_model(
        linear_model(seed),
        model,
        save_as_external_data=external,
        location="model.onnx.data" if external else None,
        size_threshold=0,
    )
    sidecar = Sidecar(
        id=recipe,
        onnx=model.name,
        sha256=hashlib.sha256(model.read_bytes()).hexdigest(),
        opset=17,
        input_names=("features",),
        output_names=("vmaf",),
        feature_order=get_recipe("fr_regressor_v1").feature_order,
        feature_mean=(0.0,) * FEATURES,
        feature_std=(1.0,) * FEATURES,
        feature_min=(0.0,) * FEATURES,
        feature_max=(1.0,) * FEATURES,
        codec_aware=False,
        codec_block_layout=(),
        encoder_vocab=(),
        encoder_vocab_version=None,
        trained_slots=(),
        preset_norm_range=None,
        crf_norm_range=None,
        teacher="vmaf_v0.6.1",
        output_range=(0.0, 100.0),
        training=TrainingFacts(
            recipe=get_recipe("fr_regressor_v1"),
            dataset="generated",
            corpus_sha256=None,
            rows=100,
            source_groups=5,
            source_group_names=("a", "b", "c", "d", "e"),
            seed=seed,
            loso=None,
        ),
        gate=None,
        smoke=smoke,
        licence="Apache-2.0",
        notes=f"seed {seed}",
    )
    write_sidecar(folder / "model.json", sidecar)
    for name in reports:
        (folder / name).write_text(json.dumps({"seed": 0, "mean_plcc": 0.99}))
    return folder


def judge(onnx_sha256: str | None, recipe: str, mean_plcc: float):
    thresholds = FrV1Thresholds()
    return verdict_of(
        judge_fr_v1(FrScores(mean_plcc), thresholds),
        thresholds,
        recipe=recipe,
        onnx_sha256=onnx_sha256,
        loso_dir="runs",
        per_seed={0: mean_plcc},
        corpus=VerdictCorpus(present=True),
        generated_at_utc="2026-01-01T00:00:00Z",
    )


class Workshop:
    """Makes candidates and registers and promotes them, each different from the last."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.numbers = itertools.count()

    def candidate(self, **options):
        number = next(self.numbers)
        return read_candidate(write_candidate(self.folder / f"candidate{number}", **{"seed": number, **options}))

    def verdict(self, candidate, mean_plcc=0.98):
        return judge(candidate.facts.sha256, candidate.facts.id, mean_plcc)

    def promoted(self, registry: Registry, **options) -> str:
        candidate = self.candidate(**options)
        model = registry.register(candidate)
        registry.promote(model, self.verdict(candidate))
        return model


@pytest.fixture
def workshop(tmp_path):
    return Workshop(tmp_path / "candidates")


@pytest.fixture
def registry(tmp_path):
    return Registry.open(tmp_path / "registry", create=True, clock=lambda: "2026-01-01T00:00:00Z")


@pytest.fixture
def tree():
    def hashes(folder: Path) -> dict[str, str]:
        return {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            if path.is_file()
            else "folder"
            for path in sorted(folder.rglob("*"))
        }

    return hashes


@pytest.fixture(scope="session")
def make_linear():
    return linear_model
