"""How numbers of things are written in sentences for people."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """Return ``count`` with its noun in the number that goes with it: ``1 seed``, ``12,000 encodes``."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{count:,} {noun if count == 1 else plural}"


def frames_kept(kept: int, encoded: int) -> str:
    """Return how many frames a corpus holds, and of how many that were encoded, where it was thinned out."""
    return counted(kept, "frame") if kept == encoded else f"{kept:,} of {counted(encoded, 'frame')} kept"
