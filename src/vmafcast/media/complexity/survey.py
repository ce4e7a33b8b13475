"""Complexity and probe of one source from one decode of its sample, or from the cache."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from vmafcast.media.complexity.cache import remembered
from vmafcast.media.complexity.document import REVISION, Complexity
from vmafcast.media.complexity.measuring import measure_complexity
from vmafcast.media.complexity.sample import DEFAULT_PLAN, Sample, SamplePlan, sampled
from vmafcast.media.ffmpeg import Ffmpeg
from vmafcast.media.probe_encode import REVISION as PROBE_REVISION
from vmafcast.media.probe_encode import Probe, ProbeSettings, run_probe
from vmafcast.media.source import Source


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known of a source before it is encoded.

    Attributes
    ----------
    complexity
        Its complexity.
    probe
        Its probe; None where none was asked for.
    cpu_seconds
        What both cost when they were made, with the one decode of the sample.
    was_cached
        Whether nothing had to be measured now.
    """

    complexity: Complexity
    probe: Probe | None
    cpu_seconds: float
    was_cached: bool


def survey(
    source: Source,
    *,
    probe_with: Ffmpeg | None = None,
    settings: ProbeSettings | None = None,
    plan: SamplePlan = DEFAULT_PLAN,
    revision: int = REVISION,
    beside_probe: bool = False,
    cache: Path | None = None,
    workdir: Path | None = None,
    on_step: Callable[[str], None] | None = None,
) -> Survey:
    """Measure the complexity of ``source`` and, where there is an ffmpeg to do it with, probe it.

    Parameters
    ----------
    source
        As probed (its facts, that is).
    probe_with
        The ffmpeg that makes the probe; None for no probe.
    settings
        Which encodes the probe is; the default is that which the shipped predictors were trained with.
    plan
        Which frames stand for the source.
    revision
        Which measures of complexity, of :data:`~vmafcast.media.complexity.document.REVISIONS`.
    beside_probe
        Whether that part of complexity is enough which is worth its cost where there is a probe.
    cache
        Where to look for what was measured before, and to put what is measured now; None for nowhere.
    workdir
        The folder to make a private working folder in; the system's temporary folder when None.
    on_step
        Called with words for what begins now, from whichever thread it begins in; not called where all is in the cache.

    Raises
    ------
    RequestError
        There is no such revision.
    MediaError, FfmpegError
        The source cannot be decoded, or the probe failed.
    CapabilityError
        The ffmpeg lacks the probe's encoder or libvmaf.
    OutputError
        A working file or the cache cannot be written.
    """
    chosen = settings or ProbeSettings()
    key: dict[str, object] = {
        "source": source.sha256, "rate": source.fps, "deinterlace": source.deinterlace,
        "runs": plan.runs, "length": plan.length,
    }  # fmt: skip
    steps: list[str] = []

    with ExitStack() as stack:
        had: Sample | None = None
        decoding = threading.Lock()

        def sample() -> Sample:
            nonlocal had
            with decoding:
                if had is None:
                    had = stack.enter_context(sampled(source, plan, workdir=workdir))
                return had

        def begin(words: str) -> None:
            steps.append(words)
            if on_step is not None:
                on_step(words)

        def complexity() -> Complexity:
            begin("measuring complexity")
            return measure_complexity(source, sample=sample(), revision=revision, beside_probe=beside_probe)

        def probe(ffmpeg: Ffmpeg) -> Probe:
            begin("encoding the probe")
            return run_probe(ffmpeg, source, settings=chosen, sample=sample(), workdir=workdir)

        def find_complexity() -> Complexity:
            decided = {**key, "revision": revision} | ({"beside_probe": True} if beside_probe else {})
            return remembered(cache, "complexity", decided, Complexity, complexity)

        def find_probe(ffmpeg: Ffmpeg) -> Probe:
            decided = {"revision": PROBE_REVISION, "settings": chosen, "ffmpeg": ffmpeg.build}
            return remembered(cache, "probe", {**key, **decided}, Probe, lambda: probe(ffmpeg))

        probed = None
        if probe_with is None:
            found = find_complexity()
        else:
            # The probe is another process: this one measures meanwhile, and an interrupt ends the probe at once.
            with ThreadPoolExecutor(1) as pool:
                measuring = pool.submit(find_complexity)
                probed = find_probe(probe_with)
                found = measuring.result()
    cost = found.sampling_cpu_seconds + found.cpu_seconds + (probed.cpu_seconds if probed else 0.0)
    return Survey(complexity=found, probe=probed, cpu_seconds=cost, was_cached=not steps)
