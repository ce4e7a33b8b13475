"""The whole line on generated footage: samples, corpus, training, gate, registry, tuning, prediction, pictures.

Everything in it is real: real encoders, real libvmaf, real training, the same gate. Only the footage is made up.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from vmafcast.common.errors import GateRefused, VmafcastError
from vmafcast.common.progress import Progress
from vmafcast.common.provenance import RunRecord
from vmafcast.corpus.build import build_corpus
from vmafcast.corpus.describe import describe_corpus
from vmafcast.corpus.samples.generate import generate_samples
from vmafcast.corpus.store import CorpusStore
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.media.ffmpeg import Ffmpeg
from vmafcast.models.recipe import get_recipe
from vmafcast.registry.store import Registry
from vmafcast.workflows.demo_report import DemoReport, write_report
from vmafcast.workflows.pictures import draw_curves, draw_predictions
from vmafcast.workflows.predict import EncodeFacts, predict_clip
from vmafcast.workflows.ship import ship
from vmafcast.workflows.sweep import EncoderSweep, make_sweep
from vmafcast.workflows.train import TrainRequest, train
from vmafcast.workflows.tune import Attempt, Tuned, TuneRequest, tune

RECIPE = "fr_regressor_v3"
SWEEP = (
    EncoderSweep("libx264", ("medium",), (16, 22, 28, 33, 38, 44)),
    EncoderSweep("libx265", ("fast",), (16, 22, 28, 33, 38, 44)),
    EncoderSweep("libsvtav1", ("8",), (20, 29, 38, 46, 54, 62)),
)
TUNED_ENCODER, TUNED_PRESET, TARGET = "libsvtav1", "8", 93.0


def run_demo(folder: Path, ffmpeg: Ffmpeg, progress: Progress, say: Callable[[str], None]) -> DemoReport:
    """Run the line into ``folder``; what is finished there from an earlier run is not encoded again.

    Raises
    ------
    GateRefused
        The gate did not pass; the verdict lies in the candidate folder.
    VmafcastError
        A cell of the corpus could not be made.
    """
    record = RunRecord("vmafcast demo", {"folder": str(folder)})
    record.used_ffmpeg(ffmpeg.version)
    clock = _Clock()
    say("generating sample sources")
    samples = tuple(generate_samples(folder / "samples", progress=progress))
    clock.lap("samples")
    say("building the corpus: every source with three encoders at six quality values, encoded and scored")
    store = CorpusStore(folder / "corpus")
    sweep = make_sweep([folder / "samples"], SWEEP, progress=progress)
    built = build_corpus(store, sweep, ffmpeg, processes=os.cpu_count() or 1, progress=progress)
    if built.set_aside:
        raise VmafcastError(f"{len(built.set_aside)} cells of the demo failed: {built.set_aside[0].reason}")
    clock.lap("corpus")
    say("training, one network for each held-out source group and one on everything, in one program")
    candidate = folder / "candidate"
    trained = train(TrainRequest(get_recipe(RECIPE), store.folder, candidate, licence="CC0-1.0"), progress)
    clock.lap("training")
    say("judging")
    registry = Registry.open(folder / "registry", create=True)
    shipped = ship(candidate, registry, description="trained by the demo on generated footage")
    if shipped.champion is None:
        raise GateRefused(f"the gate held the demo's model: {shipped.verdict.recommendation}")
    clock.lap("gate")
    source = samples[0]
    say(f"tuning {source.name} to VMAF {TARGET:g} with {TUNED_ENCODER}")
    output = folder / "tuned.mkv"
    request = TuneRequest(source, get_encoder(TUNED_ENCODER), TUNED_PRESET, TARGET, output, threads=1)
    *attempts, tuned = tune(request, ffmpeg)
    assert isinstance(tuned, Tuned)
    facts = EncodeFacts(TUNED_ENCODER, TUNED_PRESET, tuned.chosen.quality)
    prediction = predict_clip(source, output, registry=registry, ffmpeg=ffmpeg, recipe=RECIPE, encode=facts)
    clock.lap("tuning")
    pictures = (folder / "predicted_against_measured.svg", folder / "rate_quality.svg")
    draw_predictions(candidate, trained.reports[0], pictures[0])
    draw_curves(store, pictures[1], target=TARGET)
    clock.lap("pictures")
    report = DemoReport(
        folder=folder,
        samples=samples,
        corpus=describe_corpus(store),
        loso=trained.reports[0],
        verdict=shipped.verdict,
        champion=shipped.champion.id,
        attempts=tuple(each for each in attempts if isinstance(each, Attempt)),
        tuned=tuned,
        tuned_source=source,
        prediction=prediction,
        target=TARGET,
        settings=f"{TUNED_ENCODER} {TUNED_PRESET}",
        pictures=pictures,
        seconds=clock.laps,
    )
    record.wrote([output, *pictures])
    write_report(report, record)
    return report


class _Clock:
    """Wall seconds of each stage."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self.laps[name] = round(now - self._last, 2)
        self._last = now
