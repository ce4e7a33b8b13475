"""Made-up sources and curves that try the machinery of predictors in seconds; what they give never passes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from vmafcast.encoders.catalogue import get_encoder
from vmafcast.media.complexity.facts import FEATURES, NAMES_BESIDE_PROBE
from vmafcast.media.complexity.sample import DEFAULT_PLAN
from vmafcast.media.probe_encode import DEFAULT_ENCODES, DEFAULT_SHORTS
from vmafcast.media.teachers import DEFAULT_TEACHER
from vmafcast.models.predictor.inputs import PROBE_DETAILS, InputLayout, geometry, probe_values
from vmafcast.models.predictor.model import Sources
from vmafcast.models.predictor.scale import from_logit
from vmafcast.workflows.predictor_rows import PredictorRows

SOURCES = 20
GROUPS = 10
QUALITIES = 6


def smoke_rows(encoders: Sequence[str]) -> PredictorRows:
    """Return rows of sources that never were: one hidden number decides a source's features and all of its curves."""
    draw = np.random.default_rng(0)
    layout = InputLayout(
        tuple(feature.name for feature in FEATURES),
        tuple(each.name for each in DEFAULT_ENCODES),
        shorts=tuple(each.name for each in DEFAULT_SHORTS),
        beside=NAMES_BESIDE_PROBE,
    )
    hardness = draw.normal(size=SOURCES)
    names = tuple(f"made_up_{number:02d}" for number in range(SOURCES))
    size = geometry(640, 360, 25.0, 50)
    slopes = draw.normal(size=len(FEATURES))
    plain = np.column_stack([np.outer(hardness, slopes) + 0.1 * draw.normal(size=(SOURCES, len(FEATURES)))])
    plain = np.column_stack([plain, np.tile(size, (SOURCES, 1))])
    rows: list[dict[str, str | int | float]] = []
    for encoder in map(get_encoder, encoders):
        scale = encoder.quality
        for quality in np.linspace(scale.minimum + 0.2 * (scale.maximum - scale.minimum), scale.maximum, QUALITIES):
            place = encoder.quality_norm(round(quality))
            for name, hard in zip(names, hardness, strict=True):
                logit = 6.0 * place - 1.0 - 0.5 * hard + 0.02 * draw.normal()
                bpp = float(np.exp(5.0 * place - 5.0 + hard + 0.02 * draw.normal()))
                rows.append({
                    "source": name, "encoder": encoder.name, "preset": encoder.default_preset,
                    "quality": round(quality), "vmaf": float(from_logit(logit)), "bpp": bpp,
                    "teacher": DEFAULT_TEACHER, "corpus": "smoke",
                })  # fmt: skip
    encodes = (*layout.probe, *layout.shorts)
    probe = [probe_values(layout, dict.fromkeys(encodes, _found(hard, draw))) for hard in hardness]
    groups = np.array([f"group_{number % GROUPS}" for number in range(SOURCES)])
    sources = Sources(
        plain, layout.plain_blocks, np.stack(probe), layout.probe_blocks, groups,
        layout.beside_probe, layout.plain_blocks_beside_probe,
    )  # fmt: skip
    return PredictorRows(
        layout=layout, names=names, sources=sources, encodes=pl.DataFrame(rows), teacher=DEFAULT_TEACHER,
        complexity_revision=0, probe_revision=0, plan=DEFAULT_PLAN, judged=np.ones(len(names), dtype=np.bool_),
    )  # fmt: skip


def _found(hard: float, draw: np.random.Generator) -> dict[str, float]:
    """Return what a probe would find of a source."""
    details = {name: hard + 0.1 * float(draw.normal()) for name in PROBE_DETAILS}
    bpp = float(np.exp(hard - 2))
    return {
        "vmaf": float(from_logit(1.0 - 0.5 * hard)), "bpp": bpp, "bpp_i": bpp * float(np.exp(1 - hard)),
        "bpp_inter": bpp, **details,
    }  # fmt: skip
