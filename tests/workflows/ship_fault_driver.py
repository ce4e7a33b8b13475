"""Ship one candidate many times, each time with a fault at the next file operation; print what became of it as JSON.

A program of its own, because it forks and its audit hooks cannot be taken off again.

usage: ship_fault_driver.py REGISTRY CANDIDATE WORK FAULT

FAULT is ``kill`` (SIGKILL at the operation) or ``error`` (the operation fails with "no space left on device").
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

from vmafcast.common.errors import VmafcastError
from vmafcast.registry.entry import require_intact
from vmafcast.registry.store import Registry
from vmafcast.registry.verify import verify
from vmafcast.workflows.ship import ship

FILE_EVENTS = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate", "fcntl.flock", "shutil.rmtree"}
RAISED, FINISHED, NOT_REACHED, LEAKED = 3, 4, 5, 6


def arm(kind: str, number: int, place: Path) -> list[bool]:
    """Strike at the ``number``-th operation below ``place``; return a list that holds True once it has struck."""
    left, struck = [number], []

    def chance(where: str) -> None:
        left[0] -= 1
        if left[0] == 0:
            struck.append(True)
            if kind == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), where)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in FILE_EVENTS and (isinstance(arguments[0], int) or str(place) in os.fspath(arguments[0])):
            chance(f"{event} {arguments[0]}")

    real_fsync = os.fsync

    def fsync(descriptor: int) -> None:
        chance("os.fsync")
        real_fsync(descriptor)

    os.fsync = fsync
    sys.addaudithook(hook)
    return struck


def child(place: Path, kind: str, number: int) -> int:
    struck = arm(kind, number, place)
    try:
        ship(place / "candidate", Registry(place / "registry"))
    except VmafcastError:
        return RAISED
    except BaseException as error:  # noqa: BLE001 - the parent process reports whatever it is
        print(f"leaked: {error!r}", file=sys.stderr)
        return LEAKED
    return FINISHED if struck else NOT_REACHED


def tree(folder: Path) -> dict[str, str]:
    """Every file but the gate's own report, by its hash."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).as_posix() not in REPORTS
    }


REPORTS = {"candidate/PROMOTE.json", "candidate/HOLD.json", "candidate/README.md"}


def champion(folder: Path, recipe: str) -> str | None:
    with contextlib.suppress(VmafcastError):
        entry = Registry.open(folder).champion(recipe)
        require_intact(entry)
        return entry.id
    return None


def main() -> None:
    registry, candidate, work = (Path(argument) for argument in sys.argv[1:4])
    kind, recipe = sys.argv[4:6]
    results = []
    for number in range(1, 10_000):
        place = work / f"run{number}"
        place.mkdir(parents=True)
        if registry.exists():
            shutil.copytree(registry, place / "registry")
        shutil.copytree(candidate, place / "candidate")
        before = tree(place)
        pid = os.fork()
        if pid == 0:
            os._exit(child(place, kind, number))
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if code == NOT_REACHED:
            break
        here = place / "registry"
        result = {"code": code, "same": tree(place) == before, "champion": champion(here, recipe)}
        if (here / "events.jsonl").exists():
            Registry.open(here).tidy()
            # What an atomic write of the candidate's own report left unfinished is swept by the next such write.
            stale = {name for name in tree(place) if "/.vmafcast-" in name and name.startswith("candidate/")}
            result["mended"] = {name: sha for name, sha in tree(place).items() if name not in stale} == before
            result["ok"] = verify(here).ok
            result["events"] = len(Registry.open(here).history())
        results.append(result)
        shutil.rmtree(place)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
