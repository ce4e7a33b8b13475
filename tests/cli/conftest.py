"""Fixtures of the command line's tests: the command run as a user runs it, and one tiny line from clips to a champion.

The line is real throughout and built by the commands themselves: three generated clips of three source groups, two fast
encoders at three quality values, the product recipe, the product gate.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl
import pytest

from vmafcast.cli.main import main
from vmafcast.media.ffmpeg import find_ffmpeg
from vmafcast.models.recipe import get_recipe
from vmafcast.workflows.train import TrainRequest, train

COMMAND = (sys.executable, "-m", "vmafcast.cli.main")
RECIPE = "fr_regressor_v3"
GROUPS = {"alpha": "meadow", "beta": "river", "gamma": "tower"}
QUALITIES = {"libx264": (20, 32, 44), "libsvtav1": (25, 45, 62)}
PRESETS = {"libx264": "ultrafast", "libsvtav1": "10"}
FRAMES, FPS = 16, 25
STRIDE = 2  # clips this short have too few frames to learn from every eighth alone
SENTINEL = "quartermaine"
"""The name of a user and of a home that must never be written down."""


@dataclass
class Outcome:
    code: int
    out: str
    err: str

    def __iter__(self):
        return iter((self.code, self.out, self.err))

    @property
    def lines(self):
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def done(self):
        [line] = [line for line in self.lines if line["type"] == "done"]
        return line


def run_vmafcast(cwd, *arguments, env=None, timeout=120):
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def run_in():
    """Run ``vmafcast ARGUMENTS`` in a given folder."""
    return run_vmafcast


@pytest.fixture
def vmafcast(tmp_path):
    """Run ``vmafcast ARGUMENTS`` in an empty folder; what it returns has the exit code and both outputs."""

    def run(*arguments, **options):
        return run_vmafcast(tmp_path, *arguments, **options)

    return run


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """Run the command in this process, for tests that run it often: its exit code, and both outputs."""

    def run(*arguments):
        capsys.readouterr()
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["vmafcast", *map(str, arguments)])
        handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
        try:
            main()
            code = 0
        except SystemExit as leaving:
            code = leaving.code
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Outcome(code, said.out, said.err)

    return run


@pytest.fixture
def on_terminal(tmp_path):
    """Run a command on a terminal of a given width; ``out`` is what it showed there."""

    def run(*arguments, columns=80, env=None, streams=("stdout", "stderr")):
        master, slave = pty.openpty()
        given = {name: slave if name in streams else subprocess.PIPE for name in ("stdout", "stderr")}
        environment = (env or os.environ) | {"COLUMNS": str(columns), "LINES": "50", "TERM": "xterm-256color"}
        process = subprocess.Popen([*COMMAND, *map(str, arguments)], cwd=tmp_path, env=environment, **given)
        os.close(slave)
        shown = b""
        while True:
            try:
                part = os.read(master, 65536)
            except OSError:  # Linux says so when the last writer has gone
                break
            if not part:
                break
            shown += part
        os.close(master)
        out, err = (part.decode() if part is not None else None for part in process.communicate(timeout=60))
        terminal = shown.decode().replace("\r\n", "\n")
        return Outcome(
            process.returncode,
            terminal if out is None else out,
            terminal if err is None and out is not None else err or "",
        )

    return run


@pytest.fixture(scope="session")
def clip(make_clip):
    return make_clip("texture.mkv", frames=FRAMES)


@pytest.fixture
def ffmpeg_without_libvmaf(tmp_path_factory):
    """Return a wrapper of the real ffmpeg that hides libvmaf when asked for its filters."""
    real = find_ffmpeg().path
    path = tmp_path_factory.mktemp("bin") / "ffmpeg"
    path.write_text(
        f'#!/bin/sh\ncase "$*" in *-filters*) "{real}" "$@" | grep -v libvmaf;; *) exec "{real}" "$@";; esac\n'
    )
    path.chmod(0o755)
    return path


def build_arguments(out="corpus"):
    arguments = ["corpus", "build", "clips"]
    for name, values in QUALITIES.items():
        arguments += ["--encoder", name, "--preset", f"{name}={PRESETS[name]}"]
        arguments += ["--quality", f"{name}={','.join(map(str, values))}"]
    return [*arguments, "--out", str(out), "--json"]


@dataclass(frozen=True)
class Line:
    """A folder with everything in it, what the commands said, and what they were asked for."""

    folder: Path
    said: dict[str, Outcome]
    groups: ClassVar = GROUPS
    qualities: ClassVar = QUALITIES
    presets: ClassVar = PRESETS
    cells: ClassVar = len(GROUPS) * sum(map(len, QUALITIES.values()))
    frames: ClassVar = FRAMES
    fps: ClassVar = FPS
    sentinel: ClassVar = SENTINEL
    build_arguments: ClassVar = staticmethod(build_arguments)

    @property
    def clips(self) -> Path:
        return self.folder / "clips"

    @property
    def corpus(self) -> Path:
        return self.folder / "corpus"

    @property
    def candidate(self) -> Path:
        return self.folder / "candidate"

    @property
    def registry(self) -> Path:
        return self.folder / "registry"


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """A folder that all workers of a parallel run have in common, and a way to do a thing once for them all."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if os.environ.get("PYTEST_XDIST_WORKER") else root

    def once(name: str, do: Callable[[Path], Outcome | None]) -> Outcome | None:
        note = root / f"line-{name}.json"
        with (root / "line.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not note.exists():
                outcome = do(root / "line")
                note.write_text(json.dumps(outcome and list(outcome)))
        said = json.loads(note.read_text())
        return said and Outcome(*said)

    return root / "line", once


@pytest.fixture(scope="session")
def built(make_clip, shared):
    """The tiny corpus."""

    def build(folder):
        (folder / "clips").mkdir(parents=True)
        for seed, name in enumerate(GROUPS):
            make_clip(f"{name}.mkv", width=96, height=64, frames=FRAMES, seed=seed, folder=folder / "clips")
        rows = [f"{name}.mkv,{name},{group}\n" for name, group in GROUPS.items()]
        (folder / "clips" / "MANIFEST.csv").write_text("file,name,source_group\n" + "".join(rows))
        return run_vmafcast(folder, *build_arguments())

    folder, once = shared
    said = once("build", build)
    assert said.code == 0, said.err
    return Line(folder, {"build": said})


@pytest.fixture(scope="session")
def trained(built, shared):
    """The same with a candidate of the product recipe, trained by a user whose name must not be written down."""
    env = os.environ | {"USER": SENTINEL, "LOGNAME": SENTINEL, "HOME": f"/nowhere/{SENTINEL}"}
    arguments = ("train", RECIPE, "--corpus", "corpus", "--out", "candidate", "--frame-stride", STRIDE, "--json")
    said = shared[1]("train", lambda folder: run_vmafcast(folder, *arguments, env=env, timeout=600))
    assert said.code == 0, said.err
    return Line(built.folder, built.said | {"train": said})


@pytest.fixture(scope="session")
def served(trained, shared):
    """The same with a registry whose champion it is. Not to be changed: see ``registry``."""
    arguments = ("ship", "candidate", "--registry", "registry", "--json")
    said = shared[1]("ship", lambda folder: run_vmafcast(folder, *arguments))
    assert said.code == 0, said.err
    return Line(trained.folder, trained.said | {"ship": said})


@pytest.fixture
def registry(served, tmp_path):
    """A copy of the registry that a test may change."""
    return Path(shutil.copytree(served.registry, tmp_path / "registry"))


@pytest.fixture(scope="session")
def train_here(built, shared) -> Callable[..., Path]:
    """A function that trains the recipe on the tiny corpus through the library; each training is done once."""

    def run(name: str, *, seed: int = 0, smoke: bool = False, **changes: object) -> Path:
        recipe = get_recipe(RECIPE).model_copy(update={"frame_stride": STRIDE} | changes)
        output = built.folder.parent / "candidates" / name
        request = TrainRequest(recipe, built.corpus, output, seeds=(seed,), smoke=smoke)
        shared[1](f"candidate-{name}", lambda _: train(request) and None)
        return output

    return run


@pytest.fixture(scope="session")
def weak(train_here):
    """A candidate that has learnt for one epoch, and that no gate should let through."""
    return train_here("weak", epochs=1, frame_stride=8)


@pytest.fixture(scope="session")
def better(train_here):
    """A candidate that has learnt from every frame, and is better than the champion on every source."""
    return train_here("better", frame_stride=1)


@pytest.fixture(scope="session")
def worse(train_here):
    """A candidate that passes every fixed bound, and is much worse than the champion on a source."""
    return train_here("worse", frame_stride=8)


@pytest.fixture(scope="session")
def predictions(tmp_path_factory):
    """Held-out predictions of 25 source groups, whose members agree more than they are right."""
    rng = np.random.default_rng(0)
    rows = []
    for group in range(25):
        shift = rng.normal(0, 3)
        for encoder in ("libx264", "libsvtav1"):
            for quality in (20, 40):
                measured = rng.uniform(30, 90) + rng.normal(0, 1, 5)
                said = measured + shift + rng.normal(0, 0.3, (3, 5))
                rows.append(
                    pl.DataFrame({
                        "source": f"clip{group}", "source_group": f"group{group}", "encoder": encoder,
                        "preset": "medium", "quality": quality, "preset_norm": 0.5, "crf_norm": quality / 63,
                        "cell": f"{group}-{encoder}-{quality}", "frame_index": range(5), "vmaf": measured,
                        **{f"seed{number}": said[number] for number in range(3)},
                        **{f"untold_seed{number}": said[number] + 5 for number in range(3)},
                    })
                )  # fmt: skip
    folder = tmp_path_factory.mktemp("candidate")
    (folder / "held_out").mkdir()
    pl.concat(rows).write_parquet(folder / "held_out" / "predictions.parquet")
    return folder


@pytest.fixture(scope="session")
def raw_scores(tmp_path_factory):
    """A function that scores a pair with one plain ffmpeg command: libvmaf's log, aligned by frame index."""
    executable = find_ffmpeg().path

    def run(source: Path, distorted: Path) -> dict:
        log = tmp_path_factory.mktemp("raw") / "log.json"
        timeline = f"settb=1/{FPS},setpts=N,format=yuv420p"
        graph = f"[0:v]{timeline}[d];[1:v]{timeline}[r];[d][r]libvmaf=log_fmt=json:log_path=log.json"
        command = [executable, "-v", "error", "-nostdin", "-r", f"{FPS}", "-i", f"file:{distorted}"]
        command += ["-r", f"{FPS}", "-i", f"file:{source}", "-lavfi", graph, "-f", "null", "-"]
        subprocess.run(command, cwd=log.parent, check=True, timeout=60)
        return json.loads(log.read_text())

    return run


def tree_of(folder: Path) -> dict[str, str]:
    """Return the hash of every file below ``folder``, by its relative path."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def tree() -> Callable[[Path], dict[str, str]]:
    return tree_of


def processes_in(folder: Path) -> list[str]:
    """Return the processes whose working folder is below ``folder``."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(folder):
                found.append(process.name)
        except OSError:
            continue  # it ended, or is not ours
    return found


@pytest.fixture
def start(tmp_path):
    """Start a command in an empty folder and wait until an ffmpeg works for it; it ends with the test.

    ``made`` says which file under the folder shows that it does.
    """
    started = []

    def run(*arguments, timeout=60, made="vmafcast-work-*/*"):
        process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        deadline = time.monotonic() + timeout
        while not any(tmp_path.rglob(made)) and time.monotonic() < deadline:
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def running(tmp_path):
    """A function that returns the processes that work in the test's folder, other than those given."""

    def find(*, but=()):
        return [pid for pid in processes_in(tmp_path) if int(pid) not in but]

    return find
