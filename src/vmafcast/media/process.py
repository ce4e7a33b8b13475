"""Running ffmpeg: an argument list, a private folder, progress, a time-out on no progress, and a clean end.

The process gets a group of its own, which is ended as a whole on an interrupt, and a wish to die with its
parent, so that a killed builder leaves no encoder running.
"""

from __future__ import annotations

import functools
import os
import resource
import select
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from vmafcast.common.errors import CapabilityError, FfmpegError
from vmafcast.media.cpu import ThreadClock, ThreadTime
from vmafcast.media.ffmpeg import Ffmpeg

STALL_SECONDS = 120.0
"""How long ffmpeg may make no progress before it is ended: slow encoders fill their lookahead first."""

_BUSY_CORES = 0.03
_BUSY_PATIENCE = 10.0
"""``-progress`` tells of the first output alone. When that one is finished, or fills its lookahead, the others may
still be at work: a process that uses more than this share of a core is given so many times as long."""

_POLL_SECONDS = 0.05
_FINE_POLL_SECONDS, _FINE_SECONDS = 0.01, 0.5  # at first, or what a tiny clip takes would never be seen
_COARSE_POLL_SECONDS = 0.25
_POLL_SHARE = 0.01  # of the time so far: looking at a hundred threads costs, and a long run need not be seen so finely
_LONGEST_POLL_SECONDS = 1.0
_TAIL_LINES = 6
_GRACE_SECONDS = 2.0

_LARGE_PIECES = ("glibc.malloc.top_pad=67108864", "glibc.malloc.trim_threshold=4294967296")
"""Each of dozens of threads has a heap, which else grows by some pages at a time. What it may grow into costs nothing
until it is used. Large buffers come out of it as well, and one may have been used before by the same thread."""

_running: set[subprocess.Popen[bytes]] = set()
_running_lock = threading.Lock()

_TRAMPOLINE = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL: importing their names costs 5 ms at every start
if os.getppid() != int(sys.argv[1]):
    os.kill(os.getpid(), 9)  # the parent went before it could be watched
if not os.read(0, 1):
    sys.exit(1)  # the parent was interrupted before it could look after anything
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
os.execv(sys.argv[2], sys.argv[2:])
"""
_SHELL_TRAMPOLINE = 'test "$PPID" = "$0" || kill -9 "$$"; read -r _ || exit 1; exec "$@" </dev/null'
"""The same for a shell that ``setpriv`` has asked to die with its parent already."""
_SETPRIV = ("setpriv", "--pdeathsig", "KILL")
_IS_LINUX = sys.platform == "linux"


@dataclass(frozen=True, slots=True)
class Finished:
    """An ffmpeg process that ended well.

    Attributes
    ----------
    cpu_seconds
        User and system time of the whole process.
    wall_seconds
        How long it ran.
    threads
        CPU time by thread, where the system says.
    """

    cpu_seconds: float
    wall_seconds: float
    threads: tuple[ThreadTime, ...]


def run_ffmpeg(
    ffmpeg: Ffmpeg,
    arguments: Sequence[str],
    *,
    folder: Path,
    doing: str,
    on_frame: Callable[[int], None] | None = None,
    stall_seconds: float = STALL_SECONDS,
    by_thread: bool = True,
    clear_memory: bool = True,
) -> Finished:
    """Run ffmpeg to its end.

    Parameters
    ----------
    ffmpeg
        Which one.
    arguments
        Everything after the executable and the global options that are set here.
    folder
        The working folder; relative names in the arguments are in it.
    doing
        What is being done and with which input, for the error message.
    on_frame
        Called with the number of frames that the first output has got so far, from ``-progress``.
    stall_seconds
        End it when neither the frame count nor the output's time moves for so long and it uses no CPU time either; ten
        times as long where it does. This holds until the process is gone, not only while its first output grows.
    by_thread
        Whether its threads are looked at so often that their times are worth something: that costs about 2 % of a
        short run.
    clear_memory
        Whether x264 is given memory that holds nothing, without which its encodes may differ from run to run. It costs
        4 to 14 % of a process that encodes with x264. Where it is not, memory is taken from the system in large pieces,
        which spares a process of a second 4 %.

    Raises
    ------
    FfmpegError
        It failed, or made no progress; carries the command line and the end of what it said.
    CapabilityError
        It could not be started.
    Exception
        Whatever ``on_frame`` raised; the process was ended.
    """
    command = (
        ffmpeg.path, "-hide_banner", "-nostdin", "-y", "-nostats", "-loglevel", "level+warning",
        "-stats_period", "0.25", "-progress", "pipe:1", *arguments,
    )  # fmt: skip
    begun = time.monotonic()
    if not os.access(ffmpeg.path, os.X_OK):  # what stands before the command would start even so
        raise CapabilityError(f"cannot start {ffmpeg.path}: it is no executable file")
    gate, opener = os.pipe()
    try:
        process = subprocess.Popen(
            (*_dying_with_parent(), *command),
            cwd=folder,
            stdin=gate if _IS_LINUX else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            restore_signals=False,  # SIGXFSZ stays ignored, so that ffmpeg can tell of a full disk
            env=os.environ | _environment(arguments, clear_memory=clear_memory),
        )
    except BaseException as error:
        os.close(opener)
        if isinstance(error, OSError):
            raise CapabilityError(f"cannot start {ffmpeg.path}: {error.strerror}") from error
        raise
    finally:
        os.close(gate)
    assert process.stdout is not None
    assert process.stderr is not None
    with _running_lock:
        _running.add(process)
    clock = ThreadClock(process.pid)
    pulse = _Pulse(on_frame)
    tail = _Tail()
    readers = [
        threading.Thread(target=pulse.read, args=(process.stdout,), daemon=True),
        threading.Thread(target=tail.read, args=(process.stderr,), daemon=True),
    ]
    try:
        for reader in readers:
            reader.start()
        with suppress(BrokenPipeError):  # it was ended already, or this system starts it at once
            os.write(opener, b"\n")  # from here on an interrupt ends it
        status, usage = _wait(
            process, clock, pulse, stall_seconds, _FINE_POLL_SECONDS if by_thread else _COARSE_POLL_SECONDS
        )
    except BaseException:
        _end_group(process)
        raise
    finally:
        os.close(opener)
        with _running_lock:
            _running.discard(process)
        for reader in readers:
            if reader.ident is not None:
                reader.join(timeout=_GRACE_SECONDS)
        process.stdout.close()
        process.stderr.close()
    if pulse.error is not None:  # raised by the last call, when the process had ended
        raise pulse.error
    if status is None:
        raise FfmpegError(
            f"{doing}: ffmpeg made no progress for {stall_seconds:g} s and was ended",
            command=command, stderr_tail=tail.text(),
        )  # fmt: skip
    if status != 0:
        how = f"was ended by signal {-status}" if status < 0 else f"failed with exit code {status}"
        raise FfmpegError(f"{doing}: ffmpeg {how}", command=command, stderr_tail=tail.text())
    whole = usage.ru_utime + usage.ru_stime
    return Finished(cpu_seconds=whole, wall_seconds=time.monotonic() - begun, threads=clock.times(whole))


def _environment(arguments: Sequence[str], *, clear_memory: bool) -> dict[str, str]:
    """Return what ffmpeg's environment must say: SVT-AV1's banner off, which heeds no log level; errors only.

    x264 (core 165) reads memory that it has not written: of 42 clips at CRF 41, 31 came out otherwise when that held
    another byte, and a process that encodes several cells hands on what one of them freed. glibc is told to fill what
    it gives out with zeros (the complement of 255), which is what a young process finds there anyway.
    """
    said = {"SVT_LOG": "1"}
    if not clear_memory:
        callers = os.environ.get("GLIBC_TUNABLES")  # the last word on each is theirs
        said["GLIBC_TUNABLES"] = ":".join(filter(None, (*_LARGE_PIECES, callers)))
    elif "libx264" in arguments:
        said["MALLOC_PERTURB_"] = "255"
    return said


def end_all() -> None:
    """End every ffmpeg that this program runs now; whoever waits for one gets an FfmpegError."""
    with _running_lock:
        processes = list(_running)
    for process in processes:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _wait(
    process: subprocess.Popen[bytes], clock: ThreadClock, pulse: _Pulse, stall_seconds: float, shortest_poll: float
) -> tuple[int | None, resource.struct_rusage]:
    """Wait for the end; return the exit status (None: it stalled and was ended) and what the process used."""
    begun = time.monotonic()
    stall = _Stall(pulse, clock)
    with _end_of(process.pid) as ends_within:
        while True:
            clock.sample()
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                process.returncode = os.waitstatus_to_exitcode(status)
                return process.returncode, usage
            if pulse.error is not None:
                raise pulse.error
            if stall.found(stall_seconds):
                _end_group(process)
                return None, usage
            past = time.monotonic() - begun
            shortest = max(shortest_poll, _POLL_SECONDS if past > _FINE_SECONDS else _FINE_POLL_SECONDS)
            ends_within(min(max(shortest, _POLL_SHARE * past), _LONGEST_POLL_SECONDS))


@contextmanager
def _end_of(pid: int) -> Iterator[Callable[[float], object]]:
    """Give a function that waits for so many seconds, or less where the system tells of the end of a process."""
    try:
        watched = os.pidfd_open(pid)
    except (AttributeError, OSError):  # no Linux, or an old one
        yield time.sleep
        return
    try:
        poll = select.poll()
        poll.register(watched, select.POLLIN)
        yield lambda seconds: poll.poll(seconds * 1000)
    finally:
        os.close(watched)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End the process and whatever it started: politely, then not.

    The second signal comes whether the process has ended or not: one that it started may be deaf to the first.
    """
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, sign)
        deadline = time.monotonic() + _GRACE_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)


def _dying_with_parent() -> tuple[str, ...]:
    """Return what to put before a command so that Linux kills it when the thread that started it is gone.

    It does not begin before a line can be read from its standard input, nor at all where that is closed without; the
    command itself has nothing to read.

    Another small program asks for it and then becomes the command. Doing the same between fork and exec would need a
    real fork, which is not safe in a program with threads.
    """
    if not _IS_LINUX:
        return ()
    if _has_setpriv():  # it and a shell take 2 ms, a Python 9
        return (*_SETPRIV, "sh", "-c", _SHELL_TRAMPOLINE, str(os.getpid()))
    return (sys.executable, "-I", "-S", "-c", _TRAMPOLINE, str(os.getpid()))


@functools.cache
def _has_setpriv() -> bool:
    """Whether there is a ``setpriv`` (util-linux) that can ask for this: busybox's cannot."""
    try:
        tried = subprocess.run((*_SETPRIV, "sh", "-c", "exit 0"), capture_output=True, check=False)
    except OSError:
        return False
    return tried.returncode == 0


class _Pulse:
    """Reads ffmpeg's ``-progress`` stream and remembers when it last moved.

    Attributes
    ----------
    moved
        When, by the monotonic clock in seconds.
    error
        What ``on_frame`` raised, for the thread that waits. The stream is read on even so: ffmpeg would stop at a full
        pipe.
    """

    def __init__(self, on_frame: Callable[[int], None] | None) -> None:
        self._on_frame = on_frame
        self._last: dict[str, str] = {}
        self.moved = time.monotonic()
        self.error: BaseException | None = None

    def read(self, stream: IO[bytes]) -> None:
        with suppress(ValueError, OSError):
            for raw in stream:
                key, _, value = raw.decode(errors="replace").strip().partition("=")
                if key in {"frame", "out_time_us", "total_size"} and self._last.get(key) != value:
                    self._last[key] = value
                    self.moved = time.monotonic()
                    if key == "frame" and value.isdigit():
                        self._tell(int(value))

    def _tell(self, frame: int) -> None:
        if self._on_frame is None or self.error is not None:
            return
        try:
            self._on_frame(frame)
        except BaseException as error:  # noqa: BLE001  # it is raised again where somebody can catch it
            self.error = error


class _Stall:
    """Tells a process that hangs from one that is at work on what ``-progress`` does not tell of."""

    def __init__(self, pulse: _Pulse, clock: ThreadClock) -> None:
        self._pulse = pulse
        self._clock = clock
        self._moved = pulse.moved
        self._cpu = 0.0  # seconds used when it last moved

    def found(self, limit: float) -> bool:
        """Whether nothing has moved for ``limit`` seconds, nor has CPU time been used in them."""
        if self._pulse.moved != self._moved:
            self._moved, self._cpu = self._pulse.moved, self._clock.total()
        silent = time.monotonic() - self._moved
        if silent <= limit:
            return False
        return silent > _BUSY_PATIENCE * limit or self._clock.total() - self._cpu < _BUSY_CORES * silent


class _Tail:
    """Reads ffmpeg's log and remembers its last errors, or failing those its last lines."""

    def __init__(self) -> None:
        self._errors: deque[str] = deque(maxlen=_TAIL_LINES)
        self._lines: deque[str] = deque(maxlen=_TAIL_LINES)

    def read(self, stream: IO[bytes]) -> None:
        with suppress(ValueError, OSError):
            for raw in stream:
                line = raw.decode(errors="replace").rstrip()
                if "[error]" in line or "[fatal]" in line or "rror" in line:
                    self._errors.append(line)
                elif line:
                    self._lines.append(line)

    def text(self) -> str:
        return "\n    ".join(self._errors or self._lines)
