"""The exceptions of vmafcast; this tree is the whole of it.

Each has one meaning, carries the exit code that the command line ends with, and inherits the builtin
a caller would expect::

    VmafcastError                  exit 1   anything below
    ├── RequestError               exit 2   (ValueError)    a request that cannot be meant
    ├── MediaError                 exit 1                   a video that cannot be used as it is
    │   └── FfmpegError            exit 1   (RuntimeError)  an ffmpeg process that failed
    ├── CapabilityError            exit 1   (RuntimeError)  this ffmpeg, encoder or install cannot do it
    ├── OutputError                exit 1   (OSError)       a place that cannot be written
    ├── DataError                  exit 1   (ValueError)    a corpus, table or document that cannot be used
    ├── TargetError                exit 1                   a target that no quality value reaches
    ├── GateRefused                exit 3                   a gate whose verdict is not "pass"
    └── IntegrityError             exit 4                   bytes that differ from what was recorded
"""

from __future__ import annotations

from typing import ClassVar


class VmafcastError(Exception):
    """Base of every error that vmafcast raises on purpose.

    The message says what was wrong, with which input, and what to do about it.
    """

    exit_code: ClassVar[int] = 1


class RequestError(VmafcastError, ValueError):
    """A request that cannot be meant: an unknown name, a value out of range, a missing file."""

    exit_code = 2


class MediaError(VmafcastError):
    """A video that cannot be used as it is: unreadable, truncated, empty, without a picture."""


class FfmpegError(MediaError, RuntimeError):
    """An ffmpeg process that failed.

    Parameters
    ----------
    message
        What was being done, and with which input.
    command
        The argument list that was run.
    stderr_tail
        The last lines that the process wrote to its standard error.
    """

    def __init__(self, message: str, *, command: tuple[str, ...] = (), stderr_tail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.command = command
        self.stderr_tail = stderr_tail

    def __str__(self) -> str:
        """Return the message, then the end of ffmpeg's own words, then the command line."""
        parts = [self.message]
        if self.stderr_tail:
            parts.append("ffmpeg said: " + self.stderr_tail.strip())
        if self.command:
            parts.append("the command was: " + " ".join(self.command))
        return "\n  ".join(parts)


class CapabilityError(VmafcastError, RuntimeError):
    """Something that this ffmpeg, this encoder or this installation cannot do."""


class OutputError(VmafcastError, OSError):
    """A place that cannot be written."""


class DataError(VmafcastError, ValueError):
    """A corpus, a table or a document that cannot be used: malformed, inconsistent or too small."""


class TargetError(VmafcastError):
    """A quality target that no quality value of the encoder reaches."""


class GateRefused(VmafcastError):
    """A gate that did not pass; nothing was overwritten."""

    exit_code = 3


class IntegrityError(VmafcastError):
    """Bytes that differ from what was recorded of them."""

    exit_code = 4
