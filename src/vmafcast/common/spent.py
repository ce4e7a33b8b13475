"""What a piece of work takes of the machine: CPU seconds of this program and of all that it ran, and wall time."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spent:
    """What was spent.

    Attributes
    ----------
    cpu_seconds
        User and system time of this program and of the processes that it ran and that have ended.
    wall_seconds
        How long it took.
    """

    cpu_seconds: float
    wall_seconds: float

    def busy(self, cores: int) -> float:
        """Return which share of ``cores`` cores was at work on it, 0 for none; 0 where it took no time."""
        return self.cpu_seconds / (self.wall_seconds * cores) if self.wall_seconds > 0 else 0.0


class SpentMeter:
    """Measures from its making on."""

    def __init__(self) -> None:
        self._cpu, self._begun = _cpu_seconds(), time.perf_counter()

    def read(self) -> Spent:
        """Return what has been spent so far."""
        return Spent(_cpu_seconds() - self._cpu, time.perf_counter() - self._begun)


def _cpu_seconds() -> float:
    now = os.times()
    return now.user + now.system + now.children_user + now.children_system
