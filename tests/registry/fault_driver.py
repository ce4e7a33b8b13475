"""Run one registry operation many times, each time with a fault at the next file operation; print what became
of it as JSON. A program of its own, because it forks and its audit hooks cannot be taken off again.

usage: fault_driver.py TEMPLATE CANDIDATE WORK OPERATION FAULT

OPERATION is register, promote, ship, rollback or revoke. FAULT is ``kill`` (SIGKILL at the operation), ``line`` (at
every line of the code under test) or ``error`` (the operation fails with "no space left on device").
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import signal
import sys
from pathlib import Path

from vmafcast.common import files as common_files
from vmafcast.common.errors import VmafcastError
from vmafcast.evaluation.verdict import read_verdict
from vmafcast.registry import journal, store, transaction
from vmafcast.registry.candidate import read_candidate
from vmafcast.registry.entry import require_intact
from vmafcast.registry.store import Registry
from vmafcast.registry.verify import verify

RECIPE = "fr_regressor_v1"
FILE_EVENTS = {
    "open",
    "os.rename",
    "os.mkdir",
    "os.remove",
    "os.rmdir",
    "os.truncate",
    "os.scandir",
    "fcntl.flock",
    "shutil.rmtree",
}
# The code that writes; reading the events back line by line has nothing to interrupt.
CODE = {module.__file__ for module in (store, transaction, common_files)}
APPENDING = (journal.__file__, "append_events")
RAISED, NOT_REACHED, SWALLOWED, LEAKED = 3, 4, 5, 6


def operate(folder: Path, candidate_folder: Path, operation: str) -> None:
    registry = Registry.open(folder, clock=lambda: "2026-01-02T00:00:00Z")
    if operation == "rollback":
        registry.rollback(RECIPE, "worse")
    elif operation == "revoke":
        registry.revoke(registry.champion(RECIPE).id, "worse")
    elif operation == "register":
        registry.register(read_candidate(candidate_folder))
    elif operation == "ship":
        registry.ship(read_candidate(candidate_folder), read_verdict(candidate_folder))
    else:
        candidate = read_candidate(candidate_folder)
        registry.promote(candidate.model_id, read_verdict(candidate_folder))


class Fault:
    """Strikes at the n-th chance, once."""

    def __init__(self, fault: str, number: int) -> None:
        self.fault, self.remaining, self.struck, self.where = fault, number, False, ""

    def chance(self, where: str) -> None:
        if self.struck:
            return
        self.remaining -= 1
        if self.remaining == 0:
            self.struck, self.where = True, where
            if self.fault != "error":
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), where)


def arm(fault: Fault, folder: Path) -> None:
    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event not in FILE_EVENTS:
            return
        named = arguments[0]
        inside = isinstance(named, int) or str(folder) in os.fspath(named)
        if inside:
            fault.chance(f"{event} {named}")

    real_fsync = os.fsync

    def fsync(descriptor: int) -> None:
        fault.chance("os.fsync")
        real_fsync(descriptor)

    def trace(frame, event, _):
        code = frame.f_code
        if code.co_filename not in CODE and (code.co_filename, code.co_name) != APPENDING:
            return None
        if event == "line":
            fault.chance(f"{frame.f_code.co_filename}:{frame.f_lineno}")
        return trace

    if fault.fault == "line":
        sys.settrace(trace)
    else:
        os.fsync = fsync
        sys.addaudithook(hook)


def child(folder: Path, candidate_folder: Path, operation: str, fault: Fault) -> int:
    arm(fault, folder)
    try:
        operate(folder, candidate_folder, operation)
    except VmafcastError:
        return RAISED
    except BaseException as error:  # noqa: BLE001 - the parent process reports whatever it is
        print(f"leaked at {fault.where}: {error!r}", file=sys.stderr)
        return LEAKED
    return SWALLOWED if fault.struck else NOT_REACHED


def tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else "folder"
        for path in sorted(folder.rglob("*"))
    }


def champion(folder: Path) -> str | None:
    with contextlib.suppress(VmafcastError):
        entry = Registry.open(folder).champion(RECIPE)
        require_intact(entry)
        return entry.id
    return None


def main() -> None:
    template, candidate, work = (Path(argument) for argument in sys.argv[1:4])
    operation, kind = sys.argv[4:6]
    done = work / "done"
    shutil.copytree(template, done)
    operate(done, candidate, operation)
    ends = {"before": tree(template), "after": tree(done)}
    known: dict[str, dict[str, object]] = {}
    results = []

    def end(folder: Path) -> str:
        found = tree(folder)
        return next((name for name, wanted in ends.items() if found == wanted), "between")

    def facts(folder: Path, left: str) -> dict[str, object]:
        # What is bit-identical to a tree that was examined before need not be examined again.
        if left not in known or left == "between":
            report = verify(folder)
            kinds = sorted({problem.kind for problem in report.problems})
            known[left] = {"champion": champion(folder), "kinds": kinds, "ok": report.ok}
        return known[left]

    for number in range(1, 100_000):
        folder = work / f"run{number}"
        shutil.copytree(template, folder)
        pid = os.fork()
        if pid == 0:
            os._exit(child(folder, candidate, operation, Fault(kind, number)))
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        if code == NOT_REACHED:
            break
        left = end(folder)
        result = {"number": number, "code": code, "left": left, "mended": left, **facts(folder, left)}
        if left == "between":
            Registry.open(folder).tidy()
            result["mended"] = end(folder)
            result["ok"] = verify(folder).ok
        results.append(result)
        shutil.rmtree(folder)
    print(json.dumps({"old": champion(template), "new": champion(done), "results": results}))


if __name__ == "__main__":
    main()
