"""A corpus on the disk whose sources never were: what predictors learn from, small and quick."""

import numpy as np
import polars as pl

from vmafcast.corpus.surveyed import write_surveys
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.media.complexity.document import REVISION
from vmafcast.media.complexity.facts import FEATURES
from vmafcast.media.complexity.sample import DEFAULT_PLAN
from vmafcast.media.probe_encode import DEFAULT_ENCODES, DEFAULT_SHORTS
from vmafcast.media.probe_encode import REVISION as PROBE_REVISION
from vmafcast.models.predictor.inputs import PROBE_DETAILS
from vmafcast.models.predictor.scale import from_logit

TEACHER = "vmaf_v0.6.1"
QUALITIES = {"libx264": (18, 24, 30, 36, 42, 48), "libx265": (18, 26, 34, 42, 50), "libsvtav1": (20, 35, 50, 60)}


def write_corpus(folder, *, groups=10, hopeless=(), few=(), seed=0):
    """Write a corpus of two sources in each group; one hidden number decides a source's features and its curves.

    Encoders in ``hopeless`` have curves that nothing foretells; those in ``few`` were run on three groups alone.
    """
    draw = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    surveys, rows = [], []
    slopes = draw.uniform(0.5, 1.5, len(FEATURES))
    for number in range(2 * groups):
        name, group, hard = f"source_{number:02d}", f"group_{number % groups:02d}", float(draw.uniform(-1, 1))
        facts = {
            "source": name, "source_group": group, "source_sha256": f"{number:064x}", "width": 640, "height": 360,
            "fps": 25.0, "frames": 50, "bit_depth": 8,
        }  # fmt: skip
        features = {each.name: float(np.exp(slope * hard)) for each, slope in zip(FEATURES, slopes, strict=True)}
        probe = {}
        for encode in (*DEFAULT_ENCODES, *DEFAULT_SHORTS):
            probe[f"{encode.name}_bpp"] = float(np.exp(hard - 2.0))
            probe[f"{encode.name}_bpp_i"] = 4.0 * float(np.exp(0.5 * hard - 2.0))
            probe[f"{encode.name}_bpp_inter"] = float(np.exp(hard - 2.0))
        for encode in DEFAULT_ENCODES:
            probe[f"{encode.name}_vmaf"] = float(from_logit(0.6 - 0.3 * hard))
            probe |= {f"{encode.name}_{detail}": float(hard + 0.05 * draw.normal()) for detail in PROBE_DETAILS}
        surveys.append({
            **facts, "complexity_revision": REVISION, "probe_revision": PROBE_REVISION,
            "sample_runs": DEFAULT_PLAN.runs, "sample_length": DEFAULT_PLAN.length, "sampled_frames": 32,
            "teacher": TEACHER, "complexity_cpu_s": 0.1, "probe_cpu_s": 1.0, **features, **probe,
        })  # fmt: skip
        for encoder, qualities in QUALITIES.items():
            if encoder in few and number % groups >= 3:
                continue
            scale, presets = get_encoder(encoder), ("veryfast", "medium") if encoder == "libx264" else (None,)
            for preset in presets:
                named = preset or scale.default_preset
                wild = 0.5 * float(draw.normal()) if encoder in hopeless else 0.0
                for quality in qualities:
                    place = scale.quality_norm(quality)
                    gain = 0.1 * (named == "medium") + wild + 0.004 * float(draw.normal())
                    bits = float(np.exp(5.0 * place - 5.0 + hard + 0.02 * draw.normal())) * 640 * 360 * 50
                    rows.append({
                        **facts, "cell": f"{encoder}-{named}-{quality}-{name}", "encoder": encoder, "preset": named,
                        "quality": quality, "bytes": round(bits / 8), "teacher": TEACHER,
                        "vmaf": float(from_logit(3.0 * place - 0.8 - 0.3 * hard + gain)),
                    })  # fmt: skip
    pl.DataFrame(rows).write_parquet(folder / "encodes.parquet")
    pl.DataFrame({"cell": [rows[0]["cell"]], "frame": [0]}).write_parquet(folder / "frames.parquet")
    write_surveys(folder, surveys)
    return folder
