"""Several processes write to one registry at once."""

from __future__ import annotations

import subprocess
import sys
import threading

from vmafcast.evaluation.verdict import write_verdict
from vmafcast.registry.entry import load
from vmafcast.registry.store import Registry
from vmafcast.registry.verify import verify

WRITER = """
import sys
from pathlib import Path
from vmafcast.evaluation.verdict import read_verdict
from vmafcast.registry.candidate import read_candidate
from vmafcast.registry.store import Registry

registry = Registry.open(Path(sys.argv[1]), create=True)
for folder in map(Path, sys.argv[2:]):
    candidate = read_candidate(folder)
    registry.promote(registry.register(candidate), read_verdict(folder))
"""


def test_concurrent_writers_lose_nothing_and_corrupt_nothing(tmp_path, workshop):
    shares = []
    for _ in range(3):
        share = [workshop.candidate() for _ in range(5)]
        for candidate in share:
            write_verdict(candidate.folder, workshop.verdict(candidate))
        shares.append(share)
    folder = tmp_path / "registry"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, folder, *(c.folder for c in share)]) for share in shares]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    report = verify(folder)
    assert report.ok, report.problems
    registry = Registry.open(folder)
    assert {entry.id for entry in registry.list()} == {c.model_id for share in shares for c in share}
    events = registry.history()
    assert [event.event for event in events].count("promote") == 15
    assert registry.champion("fr_regressor_v1").id == events[-1].champion
    for share in shares:  # each writer's own order is kept
        ours = {candidate.model_id for candidate in share}
        order = [event.model for event in events if event.event == "register" and event.model in ours]
        assert order == [candidate.model_id for candidate in share]


def test_a_reader_always_sees_a_whole_champion(registry, workshop):
    workshop.promoted(registry)
    candidates = [workshop.candidate() for _ in range(8)]
    stop = threading.Event()
    seen, failures = set(), []

    def read():
        try:
            while not stop.is_set():
                seen.add(load(Registry.open(registry.folder).champion("fr_regressor_v1")).entry.id)
        except Exception as error:  # noqa: BLE001 - a thread's error must reach the test
            failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for candidate in candidates:
        registry.promote(registry.register(candidate), workshop.verdict(candidate))
    stop.set()
    reader.join()
    assert failures == []
    assert len(seen) > 1
