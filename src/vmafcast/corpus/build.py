"""Building a corpus: several ffmpeg processes at once, each finished group kept at once, poison set aside.

Workers are threads that wait for ffmpeg; they need no coordination, since a group's name is its content and its
files appear whole. A group that fails is tried again cell by cell, so that one cell that cannot be encoded does
not take its neighbours with it.
"""

from __future__ import annotations

import shutil
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import NoReturn

from vmafcast.common.errors import FfmpegError, MediaError, OutputError, VmafcastError
from vmafcast.common.progress import Progress, Silent
from vmafcast.common.spent import Spent, SpentMeter
from vmafcast.common.waiting import first_settled
from vmafcast.corpus.estimate import BuildPlan, SweepEstimate, estimate, plan_build
from vmafcast.corpus.feature_costs import note_feature_costs
from vmafcast.corpus.plan import Cell, CellGroup, Sweep
from vmafcast.corpus.store import CorpusStore
from vmafcast.media.availability import Availability, require_encoder
from vmafcast.media.ffmpeg import Ffmpeg
from vmafcast.media.graph import EncodeSettings, Scoring
from vmafcast.media.measure import encode_and_score
from vmafcast.media.process import STALL_SECONDS, end_all

DEFAULT_TRIES = 2
_FULL_DISK = ("No space left on device", "Disk quota exceeded", "File too large")
_BY_LUCK = ("Cannot initialize a standalone decoder", "made 0 packets of")
"""How an encoder fails that gives out nothing at the end of a clip which its lookahead holds whole, and the next time
does not: ffmpeg's libvvenc with threads of its own (see :mod:`vmafcast.encoders.software`; with one it has none)."""

_TRIES_BY_LUCK = 10  # for each try of other failures
_SPARE_BYTES = 1 << 16  # what the logs and lists beside the encodes of a short clip take


@dataclass(frozen=True, slots=True)
class SetAside:
    """A cell that failed every try, and why."""

    cell: Cell
    reason: str


@dataclass(slots=True)
class BuildReport:
    """What a build did.

    Attributes
    ----------
    planned, already_finished, built
        Numbers of cells.
    set_aside
        The cells that failed every try.
    cpu_seconds
        What the new cells cost: encoding, decoding and scoring; what the system does not say counts as nothing.
    spent
        What the whole build took of the machine: what stands above ``cpu_seconds`` is the decoding of sources,
        starting, Python, and whatever was tried in vain.
    """

    planned: int
    already_finished: int
    built: int = 0
    set_aside: list[SetAside] = field(default_factory=list)
    cpu_seconds: float = 0.0
    spent: Spent = field(default_factory=lambda: Spent(0.0, 0.0))


def check_encoders(ffmpeg: Ffmpeg, settings: Iterable[EncodeSettings]) -> dict[str, Availability]:
    """Return the availability of every encoder of ``settings``; CapabilityError for one that does not work here."""
    encoders = {each.encoder.name: each.encoder for each in settings}
    return {name: require_encoder(ffmpeg, encoder) for name, encoder in encoders.items()}


def dry_run(store: CorpusStore, sweep: Sweep, ffmpeg: Ffmpeg, *, processes: int, cores: int) -> SweepEstimate:
    """Return what :func:`build_corpus` would run, and what that is expected to take; nothing is written.

    Raises
    ------
    CapabilityError
        An encoder does not work here.
    """
    plan = plan_build(store, sweep, ffmpeg, check_encoders(ffmpeg, sweep.settings))
    return estimate(plan, processes=processes, cores=cores)


def build_corpus(
    store: CorpusStore,
    sweep: Sweep,
    ffmpeg: Ffmpeg,
    *,
    processes: int,
    tries: int = DEFAULT_TRIES,
    stall_seconds: float = STALL_SECONDS,
    progress: Progress | None = None,
) -> BuildReport:
    """Run what a sweep has not finished yet.

    Parameters
    ----------
    store
        Where it goes; what is finished there is not run again.
    sweep
        What is to be there in the end.
    ffmpeg
        What runs it.
    processes
        How many ffmpeg processes run at once.
    tries
        How often a single cell is tried before it is set aside.
    stall_seconds
        The time-out of one process on no progress.
    progress
        Where it shows.

    Returns
    -------
    BuildReport
        With the cells that were set aside; everything else is done.

    Raises
    ------
    CapabilityError
        An encoder does not work here; nothing was run.
    OutputError
        The corpus cannot be written (a full disk, say). What is finished is kept, and the same call goes on from it.
    """
    meter = SpentMeter()
    availabilities = check_encoders(ffmpeg, sweep.settings)
    store.prepare()
    plan = plan_build(store, sweep, ffmpeg, availabilities)
    note_feature_costs(
        store, (group.source.video for group in plan.groups), ffmpeg, sweep.scoring.feature_sets,
        processes=processes, stall_seconds=stall_seconds, progress=progress,
    )  # fmt: skip
    report = run_plan(
        store, plan, sweep.scoring, ffmpeg, availabilities,
        processes=processes, tries=tries, stall_seconds=stall_seconds, progress=progress,
    )  # fmt: skip
    report.spent = meter.read()
    return report


def run_plan(
    store: CorpusStore,
    plan: BuildPlan,
    scoring: Scoring,
    ffmpeg: Ffmpeg,
    availabilities: Mapping[str, Availability],
    *,
    processes: int,
    tries: int = DEFAULT_TRIES,
    stall_seconds: float = STALL_SECONDS,
    progress: Progress | None = None,
) -> BuildReport:
    """Run the groups of a plan into a store that is prepared; see :func:`build_corpus`."""
    report = BuildReport(planned=len(plan.cells), already_finished=plan.already_finished)
    shown = progress or Silent()

    def run(group: CellGroup) -> float:
        encodes = encode_and_score(
            ffmpeg, group.source.video, [cell.settings for cell in group.cells], scoring,
            workdir=store.folder, stall_seconds=stall_seconds,
        )  # fmt: skip
        store.write_group(group, encodes, scoring, ffmpeg, availabilities[group.cells[0].settings.encoder.name])
        return sum(sum(filter(None, (e.cpu.encode, e.cpu.decode, e.cpu.score))) for e in encodes)

    def is_full(error: MediaError, group: CellGroup) -> bool:
        """Whether the disk is why: ffmpeg says so, or a log that was cut short does not, and there is no room."""
        if any(words in str(error) for words in _FULL_DISK):
            return True
        return shutil.disk_usage(store.folder).free < plan.model.group(group).bytes + _SPARE_BYTES

    with (
        shown.task("encoding and scoring", total=sum(cost.seconds for cost in plan.costs.values())) as task,
        # Whatever interrupts this ends every ffmpeg.
        closing(_run_all(plan.groups, run, processes, tries, is_full)) as outcomes,
    ):
        for group, outcome in outcomes:
            task.advance(whole.seconds if (whole := plan.costs.get(group.key)) else plan.model.group(group).seconds)
            task.describe(group.label())
            if isinstance(outcome, VmafcastError):
                report.set_aside.extend(SetAside(cell, str(outcome)) for cell in group.cells)
            else:
                report.built += len(group.cells)
                report.cpu_seconds += outcome
    return report


def _run_all(
    groups: Iterable[CellGroup],
    run: Callable[[CellGroup], float],
    processes: int,
    tries: int,
    is_full: Callable[[MediaError, CellGroup], bool],
) -> Generator[tuple[CellGroup, float | VmafcastError], None, None]:
    """Run every group, ``processes`` at a time, and yield each with its CPU seconds or its last error."""
    failures: Counter[str] = Counter()
    waiting = deque(groups)
    running: dict[Future[float], CellGroup] = {}
    with ThreadPoolExecutor(max_workers=processes) as pool:
        try:
            while waiting or running:
                while waiting and len(running) < processes:
                    group = waiting.popleft()
                    running[pool.submit(run, group)] = group
                for future in first_settled(running):
                    group = running.pop(future)
                    error = future.exception()
                    if error is None:
                        yield group, future.result()
                    elif not isinstance(error, MediaError) or is_full(error, group):
                        _give_up(error)
                    elif len(group.cells) > 1:
                        waiting.extend(CellGroup((cell,)) for cell in group.cells)
                    else:
                        failures[group.key] += 1
                        by_luck = any(words in str(error) for words in _BY_LUCK)
                        if failures[group.key] < tries * (_TRIES_BY_LUCK if by_luck else 1):
                            waiting.append(group)
                        else:
                            yield group, error
        except BaseException:
            waiting.clear()
            end_all()  # what runs on would keep the pool, and the terminal, waiting
            raise


def _give_up(error: BaseException) -> NoReturn:
    """Raise an error that no other cell would escape either."""
    if isinstance(error, MediaError):
        said = error.message if isinstance(error, FfmpegError) else str(error)
        reason = next((words for words in _FULL_DISK if words in str(error)), "hardly any space is left")
        message = f"the disk is full ({reason}); free some space and run the same command again ({said})"
        raise OutputError(message) from error
    raise error
