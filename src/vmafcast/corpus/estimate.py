"""What a build would do, and what that would take, before anything runs."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vmafcast.corpus.costs import CostModel, GroupCost, cost_by_group
from vmafcast.corpus.plan import Cell, CellGroup, Sweep, group_cells, plan_cells
from vmafcast.corpus.store import CorpusStore
from vmafcast.media.availability import Availability
from vmafcast.media.ffmpeg import Ffmpeg
from vmafcast.media.graph import Scoring

_BUSY = 0.95
"""The share of their time that cores work while there is work: the rest goes into starting and ending processes."""


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """What a build runs.

    Attributes
    ----------
    cells
        All that is to be there in the end.
    finished
        The identities of all cells that the corpus has.
    groups
        What runs, one process each, the longest first.
    costs
        What each group is expected to cost, by its key.
    model
        What estimated that.
    """

    cells: tuple[Cell, ...]
    finished: frozenset[str]
    groups: tuple[CellGroup, ...]
    costs: Mapping[str, GroupCost]
    model: CostModel

    @property
    def already_finished(self) -> int:
        """How many of the cells are there."""
        return sum(cell.identity in self.finished for cell in self.cells)


@dataclass(frozen=True, slots=True)
class EncoderEstimate:
    """What is left to do with one encoder and preset.

    Attributes
    ----------
    cells, groups
        Numbers of cells, and of processes.
    cpu_seconds
        Expected.
    measured
        Whether this preset's own cost is known; else that of the encoder's other presets stands in, or of all encoders.
    """

    encoder: str
    preset: str
    cells: int
    groups: int
    cpu_seconds: float
    measured: bool


@dataclass(frozen=True, slots=True)
class SweepEstimate:
    """What is left of a sweep, and what it is expected to take.

    Attributes
    ----------
    planned, already_finished, groups
        Numbers of cells, and of processes to run.
    cpu_seconds, wall_seconds
        Of all that is left; the wall with ``processes`` at a time on ``cores``.
    low, high
        What ``cpu_seconds`` is to be multiplied with for the 5th and the 95th percentile of what sweeps of unseen
        sources took, on the machine and under the load that the table was measured with.
    refined_by
        How many finished cells of the corpus told how fast this machine is, and how hard its sources.
    corpus_bytes
        What the corpus will take more on the disk.
    working_bytes
        What the encodes of the processes that run at once take besides, at most.
    scoring_measured
        Whether the cost of this teacher with these feature sets is known; else the nearest that is stands in.
    """

    planned: int
    already_finished: int
    groups: int
    cpu_seconds: float
    wall_seconds: float
    low: float
    high: float
    refined_by: int
    corpus_bytes: int
    working_bytes: int
    processes: int
    cores: int
    scoring_measured: bool
    encoders: tuple[EncoderEstimate, ...]


def plan_build(
    store: CorpusStore, sweep: Sweep, ffmpeg: Ffmpeg, availabilities: Mapping[str, Availability]
) -> BuildPlan:
    """Return what a build of ``sweep`` would run; nothing is written.

    Raises
    ------
    DataError
        A file of the corpus cannot be read.
    """
    return plan_of(store, plan_cells(sweep, ffmpeg, availabilities), sweep.scoring)


def plan_of(store: CorpusStore, cells: Sequence[Cell], scoring: Scoring) -> BuildPlan:
    """Return the plan of any cells, measured in one way."""
    finished = frozenset(store.finished())
    model = CostModel(scoring, store.encodes() if finished else None)
    groups = group_cells(cells, finished, lambda group: model.group(group).seconds)
    return BuildPlan(tuple(cells), finished, tuple(groups), cost_by_group(groups, model), model)


def estimate(plan: BuildPlan, *, processes: int, cores: int) -> SweepEstimate:
    """Return what is left of a plan, and what it takes with ``processes`` at a time on ``cores`` cores."""
    table = plan.model.table
    costs = [plan.costs[group.key] for group in plan.groups]
    frames = sum(group.source.video.frames * len(group.cells) for group in plan.groups)
    left = sum(len(group.cells) for group in plan.groups)
    largest = heapq.nlargest(processes, (cost.bytes for cost in costs))
    return SweepEstimate(
        planned=len(plan.cells),
        already_finished=plan.already_finished,
        groups=len(plan.groups),
        cpu_seconds=sum(cost.seconds for cost in costs),
        wall_seconds=wall_seconds(costs, processes=processes, cores=cores),
        low=1 / table.sweep_error.high,
        high=1 / table.sweep_error.low,
        refined_by=plan.model.refined_by,
        corpus_bytes=round(frames * table.frame_bytes + left * table.cell_bytes),
        working_bytes=round(sum(largest)),
        processes=processes,
        cores=cores,
        scoring_measured=plan.model.scoring_is_measured,
        encoders=_by_encoder(plan),
    )


def wall_seconds(costs: Sequence[GroupCost], *, processes: int, cores: int) -> float:
    """Return how long groups take in their order, each begun as soon as one of ``processes`` is free.

    A process has its share of the cores, and is never done before its slowest encode, which is one thread.
    """
    free = [0.0] * processes
    share = max(cores / processes, 1.0)
    slowdown = max(processes / cores, 1.0)  # more processes than cores take turns
    for cost in costs:
        begun = heapq.heappop(free)
        heapq.heappush(free, begun + max(cost.seconds / share, cost.slowest) * slowdown / _BUSY)
    return max(free)


def _by_encoder(plan: BuildPlan) -> tuple[EncoderEstimate, ...]:
    together: dict[tuple[str, str], list[CellGroup]] = {}
    for group in plan.groups:
        settings = group.cells[0].settings
        together.setdefault((settings.encoder.name, settings.preset), []).append(group)
    return tuple(
        EncoderEstimate(
            encoder=encoder,
            preset=preset,
            cells=sum(len(group.cells) for group in groups),
            groups=len(groups),
            cpu_seconds=sum(plan.costs[group.key].seconds for group in groups),
            measured=plan.model.is_measured(groups[0].cells[0].settings),
        )
        for (encoder, preset), groups in sorted(together.items())
    )
