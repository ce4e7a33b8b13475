"""What is known before encoding, against one encode: the forecast of a 10 s clip beside one x265 medium encode of it.

What a forecast costs is the survey, of a probe and of what is looked at beside it of complexity, and then asking a
packaged predictor, every byte of it verified. The limit holds for all together; complexity by itself, all of it, is
measured as well.

The clip is 240 frames of 640x360 at 24 frames a second. With a FOLDER of clips, real footage: frames of as many as it
takes, those at 640x360 first, scaled where they have another size; without one, the generated samples. It is kept as
x264 CRF 12 with a key frame every two seconds, as footage is that was delivered to be encoded.

The baseline is one encode by libx265 at preset medium and its default CRF, nothing scored: with one thread, as every
encode of a corpus and of a tuning is made unless asked otherwise, and with as many as it chooses itself. CPU seconds
are compared with the cheaper of the two; wall time with both. Everything is measured in one run, alternating, and the
figures are medians; two rounds before them are not counted.

``--cores 1`` keeps all of it to one core, where runs differ less and the share is smaller: the probe is a process of
many threads, and takes more CPU seconds on several cores. What is judged is a run on all of them.

How dear an x265 encode is depends on the scene, and much of a probe is the same for all. ``--scenes N`` measures
besides what single scenes cost: N sources spread over the folder, each of them a clip of its own as long as the other,
played forwards and backwards as often as it takes.

    python -m benchmarks.forecast_cost [FOLDER] [--cores N] [--repeats N] [--scenes N] [--out bench/forecast_cost.json]

FOLDER defaults to $VMAFCAST_CLIPS. What is cached is not used.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

from vmafcast.common.files import write_text
from vmafcast.common.provenance import code_version, host_facts
from vmafcast.corpus.samples.generate import generate_samples
from vmafcast.corpus.sources import find_sources
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.media import graph
from vmafcast.media.complexity.survey import survey
from vmafcast.media.ffmpeg import Ffmpeg, find_ffmpeg, supports_loopback
from vmafcast.media.graph import EncodeSettings
from vmafcast.media.process import run_ffmpeg
from vmafcast.media.source import Source, input_url, probe
from vmafcast.registry import journal
from vmafcast.registry.store import Registry
from vmafcast.workflows.forecast import load_predictor, source_facts, survey_for
from vmafcast.workflows.serving import packaged_folder

WIDTH, HEIGHT, FPS, FRAMES = 640, 360, 24, 240
KEY_EVERY = 2 * FPS
LIMIT = 0.25
"""What a forecast may cost of one encode, with all that it needs."""

WARM_UP = 2
"""Rounds that are not counted: memory that a virtual machine had given back to its host costs more to have again."""

SCENE_ROUNDS = 2
"""Rounds of a single scene, after one that is not counted: scenes differ by far more than rounds do."""

FORECAST = "libx265"
"""Whose encodes are forecast, with as large a predictor as there is: two presets."""


_COUNTED = f"settb=1/{FPS},setpts=N"
_FIT = f"{_COUNTED},scale={WIDTH}:{HEIGHT}:flags=bicubic,format=yuv420p,setsar=1"


def main() -> None:
    """Measure, print the shares, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", nargs="?", type=Path, default=os.environ.get("VMAFCAST_CLIPS"))
    parser.add_argument("--cores", type=int, default=0, help="how many to run on; 0 for all")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--scenes", type=int, default=0, help="how many single scenes to measure besides")
    parser.add_argument("--out", type=Path, default=Path("bench/forecast_cost.json"))
    chosen = parser.parse_args()
    cores = _run_on(chosen.cores)
    ffmpeg = find_ffmpeg()
    supports_loopback(ffmpeg)  # asked once in the life of a program: no part of a source's cost
    load_predictor(Registry.open(packaged_folder()), FORECAST)  # nor is importing what runs it
    with tempfile.TemporaryDirectory() as made:
        work = Path(made)
        folder = Path(chosen.folder) if chosen.folder else work / "samples"
        if not chosen.folder:
            generate_samples(folder)
        clip, used = ten_seconds(ffmpeg, folder, work)
        rows = [_measure(ffmpeg, clip, work) for _ in range(WARM_UP + chosen.repeats)][WARM_UP:]
        scenes = _scenes(ffmpeg, folder, work, chosen.scenes) if chosen.scenes else {}
    middle = _medians(rows)
    encode_cpu = _encode_cpu(middle)
    all_cpu = middle["survey_cpu_s"] + middle["forecast_cpu_s"]
    shares = {
        "complexity_cpu": middle["complexity_cpu_s"] / encode_cpu,
        "survey_cpu": middle["survey_cpu_s"] / encode_cpu,
        "all_cpu": all_cpu / encode_cpu,
        "all_cpu_of_one_thread": all_cpu / middle["x265_one_thread_cpu_s"],
        "all_cpu_of_own_threads": all_cpu / middle["x265_own_threads_cpu_s"],
        "survey_wall_of_one_thread": middle["survey_wall_s"] / middle["x265_one_thread_wall_s"],
        "survey_wall_of_own_threads": middle["survey_wall_s"] / middle["x265_own_threads_wall_s"],
    }
    figures = {
        "baseline": "one libx265 medium encode", "limit": LIMIT, "cores": cores, "shares": shares,
        "medians": middle, "rows": rows, "scenes": scenes,
        "clip": {"width": WIDTH, "height": HEIGHT, "fps": FPS, "frames": FRAMES, "sources": used},
        "ffmpeg": ffmpeg.version, "code_version": code_version(), "host": host_facts(),
    }  # fmt: skip
    write_text(chosen.out, json.dumps(figures, indent=2) + "\n")
    print(
        f"one x265 medium encode of {FRAMES} frames, cores: {cores}: {encode_cpu:.2f} CPU s, "
        f"{middle['x265_one_thread_wall_s']:.2f} s with one thread, "
        f"{middle['x265_own_threads_wall_s']:.2f} s with its own choice\n"
        f"complexity: {middle['complexity_cpu_s']:.2f} CPU s ({shares['complexity_cpu']:.1%}), measured at "
        f"{middle['frames_per_second']:.0f} frames a second of one core\n"
        f"complexity and probe: {middle['survey_cpu_s']:.2f} CPU s ({shares['survey_cpu']:.1%}), "
        f"{middle['survey_wall_s']:.2f} s ({shares['survey_wall_of_one_thread']:.1%} and "
        f"{shares['survey_wall_of_own_threads']:.1%})\n"
        f"and the forecast: {middle['forecast_cpu_s']:.3f} CPU s; all together {shares['all_cpu']:.1%} "
        f"({shares['all_cpu_of_one_thread']:.1%} of x265 with one thread, {shares['all_cpu_of_own_threads']:.1%} "
        "with its own choice)"
    )
    if scenes:
        found = sorted(scenes.values())
        print(
            f"{len(found)} single scenes: {found[0]:.1%} to {found[-1]:.1%}, in the middle "
            f"{statistics.median(found):.1%}; below {LIMIT:.0%}: {sum(share < LIMIT for share in found)}"
        )
    sys.exit(0 if shares["all_cpu"] < LIMIT and shares["survey_wall_of_one_thread"] < LIMIT else 1)


def _run_on(cores: int) -> int:
    """Keep this process and all that it starts to so many cores, 0 for all; return how many those are."""
    if not hasattr(os, "sched_setaffinity"):
        return os.cpu_count() or 1  # no Linux: nothing can be asked for
    if cores:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-cores:])
    return len(os.sched_getaffinity(0))


def ten_seconds(ffmpeg: Ffmpeg, folder: Path, work: Path) -> tuple[Source, list[str]]:
    """Make the clip from the sources in ``folder``; return it, and the names of those it is made of."""
    sources = [probe(each.path) for each in find_sources([folder])]
    sources.sort(key=lambda source: ((source.width, source.height) != (WIDTH, HEIGHT), source.path.name))
    # Past those of the clip's own size, spread over the list: its beginning is alphabetical, and no choice.
    own = [source for source in sources if (source.width, source.height) == (WIDTH, HEIGHT)]
    others = sources[len(own) :]
    taken: list[Source] = []
    for source in own + others[:: max(1, len(others) // 5)]:
        if sum(each.frames for each in taken) < FRAMES:
            taken.append(source)
    while sum(each.frames for each in taken) < FRAMES:
        taken += taken[: len(sources)]
    parts = [f"[{i}:V:0]{_FIT}[v{i}]" for i in range(len(taken))]
    joined = "".join(f"[v{i}]" for i in range(len(taken)))
    filters = f"{';'.join(parts)};{joined}concat=n={len(taken)},{_COUNTED}[v]"
    return _made(ffmpeg, taken, filters, work), list(dict.fromkeys(source.path.stem for source in taken))


def one_scene(ffmpeg: Ffmpeg, source: Source, work: Path) -> Source:
    """Make a clip as long of one source, forwards and backwards as often as it takes."""
    once = 2 * source.frames
    there_and_back = f"split[a][b];[b]reverse,{_COUNTED}[r];[a][r]concat=n=2,{_COUNTED}"
    again = f"loop=loop={FRAMES // once}:size={once}:start=0,{_COUNTED}"
    return _made(ffmpeg, [source], f"[0:V:0]{_FIT},{there_and_back},{again}[v]", work)


def _made(ffmpeg: Ffmpeg, sources: list[Source], filters: str, work: Path) -> Source:
    inputs = [part for source in sources for part in ("-r", str(FPS), "-i", input_url(source.path))]
    run_ffmpeg(
        ffmpeg,
        [*inputs, "-filter_complex", filters, "-map", "[v]", "-frames:v", str(FRAMES), "-c:v", "libx264",
         "-crf", "12", "-g", str(KEY_EVERY), "-r", str(FPS), "clip.mkv"],
        folder=work, doing="making the clip",
    )  # fmt: skip
    clip = probe(work / "clip.mkv")
    if (clip.frames, clip.fps) != (FRAMES, Fraction(FPS)):
        raise RuntimeError(f"the clip has {clip.frames} frames at {clip.fps} a second, not {FRAMES} at {FPS}")
    return clip


def _scenes(ffmpeg: Ffmpeg, folder: Path, work: Path, count: int) -> dict[str, float]:
    """Return what a forecast of each of so many single scenes costs of its x265 encode, in CPU time."""
    sources = [probe(each.path) for each in find_sources([folder])]
    shares = {}
    for source in sources[:: max(1, len(sources) // count)][:count]:
        clip = one_scene(ffmpeg, source, work)
        middle = _medians([_measure(ffmpeg, clip, work) for _ in range(1 + SCENE_ROUNDS)][1:])
        shares[source.path.stem] = (middle["survey_cpu_s"] + middle["forecast_cpu_s"]) / _encode_cpu(middle)
        print(f"{source.path.stem}: {shares[source.path.stem]:.1%} of {_encode_cpu(middle):.2f} CPU s", flush=True)
    return shares


def _medians(rows: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(row[key] for row in rows) for key in rows[0]}


def _encode_cpu(middle: dict[str, float]) -> float:
    return min(middle["x265_one_thread_cpu_s"], middle["x265_own_threads_cpu_s"])


def _measure(ffmpeg: Ffmpeg, clip: Source, work: Path) -> dict[str, float]:
    x265 = get_encoder("libx265")
    encoded = [
        run_ffmpeg(
            ffmpeg,
            graph.encode_only(clip, EncodeSettings(x265, "medium", x265.quality.default, threads=threads), "out.mkv"),
            folder=work,
            doing="the baseline",
        )
        for threads in (1, 0)
    ]
    begun = time.perf_counter()
    alone = survey(clip)
    middle = time.perf_counter()
    both = survey_for(load_predictor(Registry.open(packaged_folder()), FORECAST).sidecar, clip, probe_with=ffmpeg)
    ended = time.perf_counter()
    journal.scan.cache_clear()  # a program that forecasts once has not read the registry before
    spent = time.process_time()
    load_predictor(Registry.open(packaged_folder()), FORECAST).forecast(source_facts(both))
    spent = time.process_time() - spent
    return {
        "x265_one_thread_cpu_s": encoded[0].cpu_seconds,
        "x265_one_thread_wall_s": encoded[0].wall_seconds,
        "x265_own_threads_cpu_s": encoded[1].cpu_seconds,
        "x265_own_threads_wall_s": encoded[1].wall_seconds,
        "complexity_cpu_s": alone.cpu_seconds,
        "complexity_wall_s": middle - begun,
        "survey_cpu_s": both.cpu_seconds,
        "survey_wall_s": ended - middle,
        "forecast_cpu_s": spent,
        "frames_per_second": alone.complexity.frames_per_second,
    }


if __name__ == "__main__":
    main()
