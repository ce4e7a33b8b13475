"""Synthetic rows with the shape of a real corpus, and one small training that several tests look at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vmafcast.common.feature_names import CANONICAL6
from vmafcast.models.export import describe_export, export_onnx
from vmafcast.models.recipe import Recipe
from vmafcast.models.rows import Rows
from vmafcast.models.sidecar import Sidecar, TrainingFacts, sidecar_path, write_sidecar
from vmafcast.models.trained import Member, TrainedMembers
from vmafcast.models.training import train_members

MakeRows = Callable[..., Rows]

ENCODERS = ("libx264", "libx265", "libsvtav1")
OFFSETS = {"libx264": 0.0, "libx265": 8.0, "libsvtav1": -8.0}


def smooth(features: np.ndarray) -> np.ndarray:
    """A smooth function of six features in [0, 1] with values in about [10, 90]."""
    a, b, c, d, e, f = features.T
    return 15 + 30 * a + 20 * b * c + 10 * np.sqrt(d + 0.1) + 10 * np.sin(2 * e) * f


@pytest.fixture(scope="session")
def make_rows() -> MakeRows:
    def build(
        groups: int = 6, frames: int = 24, seed: int = 0, offset: float = 0.0, encoders: tuple[str, ...] = ENCODERS
    ) -> Rows:
        rng = np.random.default_rng(seed)
        features, group, encoder, crf, preset = [], [], [], [], []
        for number in range(groups):
            for name in encoders:
                for place in (0.2, 0.5, 0.8):
                    features.append(np.clip(rng.uniform(0, 1, (frames, 6)), 0, 1))
                    group += [f"clip{number}"] * frames
                    encoder += [name] * frames
                    crf += [place] * frames
                    preset += [0.25 if number % 2 else 0.75] * frames
        table = np.concatenate(features)
        target = smooth(table) + offset * np.array([OFFSETS.get(name, 0.0) for name in encoder])
        return Rows(
            features=table,
            feature_names=CANONICAL6,
            target=np.clip(target, 0, 100),
            groups=group,
            encoders=encoder,
            preset_norm=preset,
            crf_norm=crf,
            sources=group,
        )

    return build


@pytest.fixture(scope="session")
def tiny() -> Recipe:
    return Recipe(
        name="tiny",
        feature_order=CANONICAL6,
        teacher="vmaf_v0.6.1",
        vocabulary="v4",
        hidden=16,
        depth=2,
        learning_rate=0.01,
        epochs=40,
        batch_size=64,
        frame_stride=2,
        unknown_share=0.15,
        unset_share=0.1,
    )


@pytest.fixture(scope="session")
def rows(make_rows: MakeRows) -> Rows:
    """Rows whose target depends on the encoder."""
    return make_rows(offset=1.0)


@pytest.fixture(scope="session")
def trained(tiny: Recipe, rows: Rows) -> TrainedMembers:
    """A codec-aware network and its blind twin, trained on every group but the last."""
    train = rows.groups != "clip5"
    return train_members(tiny, rows, [Member(train, 0, True), Member(train, 0, False)])


@pytest.fixture
def exported(tmp_path: Path, trained: TrainedMembers) -> tuple[Path, Sidecar]:
    """The codec-aware network as files."""
    return write_model(tmp_path, trained, 0)


def write_model(folder: Path, trained: TrainedMembers, member: int) -> tuple[Path, Sidecar]:
    path = folder / f"model{member}.onnx"
    sha256 = export_onnx(trained, member, path)
    facts = TrainingFacts(
        recipe=trained.recipe,
        dataset="synthetic",
        corpus_sha256=None,
        rows=trained.rows_learnt[member],
        source_groups=1,
        source_group_names=("clip0",),
        seed=trained.members[member].seed,
        loso=None,
    )
    sidecar = describe_export(trained, member, path, sha256, facts, licence="Apache-2.0")
    write_sidecar(sidecar_path(path), sidecar)
    return path, sidecar


@pytest.fixture
def write(tmp_path: Path) -> Callable[[TrainedMembers, int], tuple[Path, Sidecar]]:
    return lambda trained, member: write_model(tmp_path, trained, member)
