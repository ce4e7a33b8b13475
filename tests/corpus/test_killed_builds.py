"""``kill -9`` of ffmpeg, of the builder and of both: nothing finished is lost, and the end is the same.

The moments come from a seed. ``VMAFCAST_KILLS`` sets how many the slow test takes (50 where it is unset).
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest

from vmafcast.corpus.store import TIMINGS, CorpusStore

DRIVER = Path(__file__).with_name("build_driver.py")
VICTIMS = ("ffmpeg", "builder", "both")
SEED = 20
CELLS = 12

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")


class Build:
    """A program that builds a small corpus."""

    def __init__(self, corpus, clips):
        command = [sys.executable, str(DRIVER), str(corpus), str(clips), "2"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def runs(self):
        return self._process.poll() is None

    def kill(self):
        self._process.send_signal(signal.SIGKILL)

    def end(self):
        """What it said when it ended: planned, finished before, built, set aside; none where it was killed."""
        out, err = self._process.communicate(timeout=300)
        assert err == ""
        return [int(word) for word in out.split()]


@pytest.fixture(scope="module")
def uninterrupted(clips, tmp_path_factory):
    """A corpus that was built in one go, and how many seconds that took."""
    folder = tmp_path_factory.mktemp("uninterrupted") / "corpus"
    begun = time.monotonic()
    assert Build(folder, clips).end() == [CELLS, 0, CELLS, 0]
    return CorpusStore(folder), time.monotonic() - begun


def finished_cells(store):
    """Every finished cell with its row, read as a stranger would: a file that cannot be read fails here."""
    rows = [
        row
        for path in store.folder.glob("encodes/[!.]*.parquet")
        for row in pl.read_parquet(path, glob=False).iter_rows(named=True)
    ]
    names = Counter(row["cell"] for row in rows)
    assert set(names.values()) <= {1}, "a cell is there twice"
    frames = Counter(
        cell for path in store.folder.glob("frames/[!.]*.parquet") for cell in pl.read_parquet(path, glob=False)["cell"]
    )
    assert all(frames[row["cell"]] == row["frames"] for row in rows), "a finished cell lacks frames"
    return {row["cell"]: json.dumps(row, sort_keys=True) for row in rows}


def assert_same_corpus(store, straight):
    assert store.encodes().drop(TIMINGS).equals(straight.encodes().drop(TIMINGS))
    assert store.frames().equals(straight.frames())


def assert_nothing_is_left_over(store):
    # The costs of features are left out where what measures them was killed.
    assert {path.name for path in store.folder.iterdir()} - {"feature_costs.json"} == {"encodes", "frames"}
    assert [path.name for path in store.encode_files()] == [path.name for path in store.frame_files()]
    assert not list(store.folder.rglob(".*"))


class Killing:
    """Builds a corpus and kills what builds it, until it is whole."""

    def __init__(self, folder, clips, straight, running_in, wait_until):
        self.store, self._clips, self._straight = CorpusStore(folder), clips, straight
        self._running_in, self._wait_until = running_in, wait_until
        self._kept = {}
        self._build = None

    def kill(self, victim, seconds):
        """Kill after so many seconds of building; return whether there was something to kill, or None at the end."""
        if self._build is None:
            self._build = Build(self.store.folder, self._clips)
        deadline = time.monotonic() + seconds
        self._wait_until(lambda: time.monotonic() > deadline or not self._build.runs(), seconds + 1)
        if not self._build.runs():
            self.finish()
            return None
        hit = False
        if victim in {"builder", "both"}:
            self._build.kill()
            hit = True
        if victim in {"ffmpeg", "both"}:
            for process in self._running_in(self.store.folder):
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
                    hit = True
        if victim != "ffmpeg":
            self._build.end()
            assert self._wait_until(lambda: self._running_in(self.store.folder) == []), (
                "an encoder outlives its builder"
            )
            self._build = None
        self._look()
        return hit

    def finish(self):
        """Let it come to its end, and compare."""
        planned, _, _, aside = (self._build or Build(self.store.folder, self._clips)).end()
        self._look()
        if aside:  # one cell alone, killed at every try
            assert Build(self.store.folder, self._clips).end() == [CELLS, CELLS - aside, aside, 0]
        assert planned == CELLS == len(finished_cells(self.store))
        assert_same_corpus(self.store, self._straight)
        assert Build(self.store.folder, self._clips).end() == [CELLS, CELLS, 0, 0]  # and sweeps what is left
        assert_nothing_is_left_over(self.store)

    def _look(self):
        found = finished_cells(self.store)
        assert self._kept.items() <= found.items(), "a finished cell is lost or changed"
        self._kept = found


def kill_often(folder, clips, uninterrupted, running_in, wait_until, *, kills, seed):
    """Kill at ``kills`` moments drawn from ``seed``, each victim in turn; return how often each was hit."""
    straight, whole = uninterrupted
    moments = random.Random(seed)
    hits = Counter()
    corpora = 0
    killing = None
    while sum(hits.values()) < kills:
        if killing is None:
            corpora += 1
            killing = Killing(folder / str(corpora), clips, straight, running_in, wait_until)
        victim = VICTIMS[sum(hits.values()) % len(VICTIMS)]
        hit = killing.kill(victim, moments.uniform(0.02, 0.9) * whole)
        hits[victim] += bool(hit)
        if hit is None:
            killing = None
    if killing is not None:
        killing.finish()
    return hits


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_build_that_is_killed_goes_on_to_the_same_end(clips, uninterrupted, tmp_path, running_in, wait_until, victim):
    straight, whole = uninterrupted
    killing = Killing(tmp_path / "corpus", clips, straight, running_in, wait_until)
    killing.kill(victim, 0.6 * whole)
    killing.finish()


def test_a_build_that_is_killed_between_two_groups_keeps_the_first(clips, uninterrupted, tmp_path, wait_until):
    store = CorpusStore(tmp_path / "corpus")
    build = Build(store.folder, clips)
    assert wait_until(lambda: len(list(store.folder.glob("encodes/[!.]*"))) >= 1 or not build.runs(), 60)
    build.kill()
    build.end()
    finished = finished_cells(store)
    assert 0 < len(finished) < CELLS
    assert Build(store.folder, clips).end() == [CELLS, len(finished), CELLS - len(finished), 0]
    assert_same_corpus(store, uninterrupted[0])
    assert [path.name for path in store.files()] == [path.name for path in uninterrupted[0].files()]
    assert_nothing_is_left_over(store)


@pytest.mark.slow
def test_fifty_kills_lose_nothing(clips, uninterrupted, tmp_path, running_in, wait_until):
    kills = int(os.environ.get("VMAFCAST_KILLS", "50"))
    hits = kill_often(tmp_path, clips, uninterrupted, running_in, wait_until, kills=kills, seed=SEED)
    print(f"kills: {dict(hits)}")
    assert sum(hits.values()) == kills
    assert all(hits[victim] >= kills // len(VICTIMS) for victim in VICTIMS)


@pytest.mark.slow
def test_two_builds_of_one_corpus_at_once_do_not_harm_each_other(clips, uninterrupted, tmp_path):
    store = CorpusStore(tmp_path / "corpus")
    for build in [Build(store.folder, clips) for _ in range(2)]:
        planned, _, _, aside = build.end()
        assert (planned, aside) == (CELLS, 0)
    assert_same_corpus(store, uninterrupted[0])
    assert_nothing_is_left_over(store)
