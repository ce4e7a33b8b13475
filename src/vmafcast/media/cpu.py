"""What an ffmpeg process spent its CPU time on, read off its threads while it runs.

One process encodes, decodes and scores several cells, so its total says nothing of one cell. Its threads do:
ffmpeg names them after what they do (``enc0:0:libx264``, ``dec1``, ``fc2``), and Linux counts the time of each.
Where there is no ``/proc``, only the total is known.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

_NANOSECONDS = 1e-9
_NAMED_SECONDS = 0.05  # what a thread has run by when it surely has its own name


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

    A thread that ends between two samples loses what it did since the last: at a sample every twentieth of a
    second, or every hundredth of the time so far, about one per cent of a long process and several of a short one.
    What is lost shows in the whole process's time; :meth:`times` gives it back in equal shares.
    """

    def __init__(self, pid: int) -> None:
        self._tasks = f"/proc/{pid}/task"
        self._seconds: dict[int, float] = {}
        self._names: dict[int, str] = {}
        self._settled: set[int] = set()

    def sample(self) -> None:
        """Read the clocks of all threads that live now.

        A process of several cells has a hundred threads, and this runs beside it all the time: system calls without
        what ``pathlib`` puts around them, and a name is not read for ever. A thread names itself when it begins its
        work, which on a busy machine may be long after it was made: it is the time it has run that tells.
        """
        try:
            threads = os.listdir(self._tasks)  # noqa: PTH208  # see above
        except OSError:
            return
        for each in threads:
            thread = int(each)
            try:
                seconds = int(_read(f"{self._tasks}/{each}/schedstat").split()[0]) * _NANOSECONDS
                if thread not in self._settled:
                    name = _read(f"{self._tasks}/{each}/comm").decode(errors="replace").strip()
                    if seconds > _NAMED_SECONDS:
                        self._settled.add(thread)
                    self._names[thread] = name
            except (OSError, ValueError, IndexError):
                continue  # it ended while we looked
            self._seconds[thread] = seconds

    def times(self, whole: float | None = None) -> tuple[ThreadTime, ...]:
        """Return every thread seen so far, in order of creation.

        Parameters
        ----------
        whole
            CPU seconds of the ended process. What the threads were not seen to use of it is shared out among them in
            proportion to what they were. None: as it was seen.
        """
        seen = self.total()
        missed = max(whole / seen, 1.0) if whole is not None and seen > 0 else 1.0
        return tuple(
            ThreadTime(thread, self._names[thread], self._seconds[thread] * missed) for thread in sorted(self._seconds)
        )

    def total(self) -> float:
        """Return the CPU seconds of all threads seen so far together; 0 where the system does not say."""
        return sum(self._seconds.values())


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 128)
    finally:
        os.close(descriptor)


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
