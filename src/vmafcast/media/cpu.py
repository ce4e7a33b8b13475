"""What an ffmpeg process spent its CPU time on, read off its threads while it runs.

One process encodes, decodes and scores several cells, so its total says nothing of one cell. Its threads do:
ffmpeg names them after what they do (``enc0:0:libx264``, ``dec1``, ``fc2``), and Linux counts the time of each.
Where there is no ``/proc``, only the total is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_NANOSECONDS = 1e-9


@dataclass(frozen=True, slots=True)
class CellCpu:
    """CPU seconds of one cell. None where the system does not say."""

    encode: float | None
    decode: float | None
    score: float | None


@dataclass(frozen=True, slots=True)
class ThreadTime:
    """CPU seconds of one thread, with its name and id (ids grow in order of creation)."""

    thread: int
    name: str
    seconds: float


class ThreadClock:
    """Keeps the last seen CPU time of every thread that a process has had.

    A thread that ends between two samples loses what it did since the last; at a sample every tenth of a
    second that is below one per cent of a cell.
    """

    def __init__(self, pid: int) -> None:
        self._tasks = Path(f"/proc/{pid}/task")
        self._times: dict[int, ThreadTime] = {}

    def sample(self) -> None:
        """Read the clocks of all threads that live now."""
        try:
            threads = list(self._tasks.iterdir())
        except OSError:
            return
        for folder in threads:
            try:
                name = (folder / "comm").read_text().strip()
                seconds = int((folder / "schedstat").read_text().split()[0]) * _NANOSECONDS
            except (OSError, ValueError, IndexError):
                continue  # it ended while we looked
            self._times[int(folder.name)] = ThreadTime(int(folder.name), name, seconds)

    def times(self) -> tuple[ThreadTime, ...]:
        """Return every thread seen so far, in order of creation."""
        return tuple(self._times[thread] for thread in sorted(self._times))


def attribute(times: Iterable[ThreadTime], cells: int) -> tuple[CellCpu, ...]:
    """Divide a process's thread times among its cells.

    Parameters
    ----------
    times
        What :meth:`ThreadClock.times` returned; empty where the system does not say.
    cells
        How many cells the process ran.

    Returns
    -------
    tuple of CellCpu
        One per cell. ffmpeg numbers what it starts: filter graph 0 prepares the source, graph ``i + 1`` feeds the
        encoder of cell ``i`` (and starts its pool of threads, which inherit the name), graph ``cells + i + 1``
        scores it. Threads that an encoder names itself (SVT-AV1 does) are shared among the cells in proportion to
        the rest of their encoding.
    """
    named: dict[str, float] = {}
    unclaimed = 0.0
    for time in times:
        role = _role(time.name)
        if role is None:
            unclaimed += time.seconds
        else:
            named[role] = named.get(role, 0.0) + time.seconds
    if not named:
        return (CellCpu(None, None, None),) * cells
    own = [named.get(f"enc{cell}", 0.0) + named.get(f"fc{cell + 1}", 0.0) for cell in range(cells)]
    whole = sum(own)
    return tuple(
        CellCpu(
            encode=own[cell] + unclaimed * (own[cell] / whole if whole else 1 / cells),
            decode=named.get(f"dec{cell}", 0.0),
            score=named.get(f"fc{cells + cell + 1}", 0.0),
        )
        for cell in range(cells)
    )


def _role(name: str) -> str | None:
    """Return what a thread does, as ``enc0``, ``dec0``, ``fc0`` or ``other``; None for one that an encoder named."""
    match = re.match(r"(enc\d+):|(fc\d+|dec\d+)$", name)
    if match:
        return match[1] or match[2]
    if re.match(r"(av:|dmx|mux|dec|ff)", name):
        return "other"
    return None
