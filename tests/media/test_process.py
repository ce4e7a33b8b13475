from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from vmafcast.common.errors import CapabilityError, FfmpegError, MediaError
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.media.features import CANONICAL6, LITE
from vmafcast.media.ffmpeg import Ffmpeg, find_ffmpeg, supports_loopback
from vmafcast.media.graph import EncodeSettings, Scoring, encode_only
from vmafcast.media.measure import encode_and_score
from vmafcast.media.process import _dying_with_parent, _has_setpriv, end_all, run_ffmpeg
from vmafcast.media.source import probe

ENDLESS = ("-f", "lavfi", "-re", "-i", "testsrc2=s=64x64:r=25", "-f", "null", "-")


def stand_in(folder, body, name="ffmpeg"):
    """An executable that takes ffmpeg's place: a shell script."""
    path = folder / name
    path.write_text("#!/bin/sh\n" + body)
    path.chmod(0o755)
    return Ffmpeg(path=str(path), version="none", build="none", encoders=frozenset(), filters=frozenset())


def exists(pid):
    """Whether a process runs; one that ended and was not yet waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def pid_in(path):
    assert wait_until(lambda: path.is_file() and path.read_text().strip())
    return int(path.read_text())


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")


def test_a_run_that_ends_well(ffmpeg, tmp_path):
    seen: list[int] = []
    source = ("-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=1")
    done = run_ffmpeg(ffmpeg, [*source, "out.nut"], folder=tmp_path, doing="testing", on_frame=seen.append)
    assert (tmp_path / "out.nut").stat().st_size > 0
    assert done.cpu_seconds > 0
    assert done.wall_seconds > 0
    assert seen[-1] == 25


def test_a_failure_carries_the_command_and_the_end_of_what_ffmpeg_said(ffmpeg, tmp_path):
    with pytest.raises(FfmpegError) as caught:
        run_ffmpeg(ffmpeg, ["-i", "file:absent.mkv", "-f", "null", "-"], folder=tmp_path, doing="reading a clip")
    error = caught.value
    assert isinstance(error, MediaError)
    assert isinstance(error, RuntimeError)
    assert error.message.startswith("reading a clip: ffmpeg failed with exit code")
    assert error.command[0] == ffmpeg.path
    assert error.command[-5:] == ("-i", "file:absent.mkv", "-f", "null", "-")
    assert "No such file" in error.stderr_tail
    for part in (error.message, "No such file", "-i file:absent.mkv"):
        assert part in str(error)


def test_errors_are_kept_when_warnings_follow_them(tmp_path):
    body = "echo '[error] the cause' >&2\nfor i in $(seq 200); do echo \"[warning] noise $i\" >&2; done\nexit 3\n"
    with pytest.raises(FfmpegError, match="exit code 3") as caught:
        run_ffmpeg(stand_in(tmp_path, body), [], folder=tmp_path, doing="testing")
    assert caught.value.stderr_tail == "[error] the cause"


def test_the_tail_is_short_and_bytes_that_are_no_text_do_no_harm(tmp_path):
    body = "for i in $(seq 500); do printf 'line %d \\377\\n' $i >&2; done\nexit 1\n"
    with pytest.raises(FfmpegError) as caught:
        run_ffmpeg(stand_in(tmp_path, body), [], folder=tmp_path, doing="testing")
    lines = caught.value.stderr_tail.splitlines()
    assert len(lines) < 10
    assert "line 500" in lines[-1]


def test_a_signal_is_named(tmp_path):
    with pytest.raises(FfmpegError, match="was ended by signal 11"):
        run_ffmpeg(stand_in(tmp_path, "kill -SEGV $$\n"), [], folder=tmp_path, doing="testing")


@pytest.mark.parametrize("body", [None, "not a program\n"])
def test_what_cannot_be_started(tmp_path, body):
    missing = Ffmpeg(str(tmp_path / "absent"), "none", "none", frozenset(), frozenset())
    if body is not None:
        Path(missing.path).write_text(body)
    with pytest.raises(CapabilityError, match="cannot start"):
        run_ffmpeg(missing, [], folder=tmp_path, doing="testing")


def test_much_output_does_not_block(tmp_path):
    body = "for i in $(seq 3000); do echo frame=$i; echo 'a warning of some length ..............' >&2; done\n"
    seen: list[int] = []
    run_ffmpeg(stand_in(tmp_path, body), [], folder=tmp_path, doing="testing", on_frame=seen.append)
    assert seen == list(range(1, 3001))


# ------------------------------------------------------------------------------------------------------ time-outs


@pytest.mark.parametrize("body", ["exec sleep 600\n", "while :; do echo frame=7; sleep 0.1; done\n"])
def test_no_progress_is_ended(tmp_path, body):
    begun = time.monotonic()
    with pytest.raises(FfmpegError, match=r"no progress for 0\.7 s") as caught:
        run_ffmpeg(stand_in(tmp_path, body), ["-i", "x"], folder=tmp_path, doing="testing", stall_seconds=0.7)
    assert 0.7 <= time.monotonic() - begun < 10
    assert caught.value.command[-1] == "x"


@pytest.mark.parametrize(
    "body",
    [
        "echo frame=3; echo total_size=9; echo progress=end; exec sleep 600\n",
        "echo frame=3; echo progress=end; exec >&-; exec sleep 600\n",
    ],
)
def test_a_stall_after_the_first_output_is_finished_is_ended_too(tmp_path, body):
    seen: list[int] = []
    with pytest.raises(FfmpegError, match=r"no progress for 0\.7 s"):
        run_ffmpeg(stand_in(tmp_path, body), [], folder=tmp_path, doing="testing", on_frame=seen.append,
                   stall_seconds=0.7)  # fmt: skip
    assert seen == [3]


@linux
def test_work_on_what_the_progress_does_not_tell_of_is_no_stall(tmp_path):
    """The first output is finished, and the others are still being scored."""
    body = "echo frame=3\nend=$(($(date +%s) + 6))\nwhile [ $(date +%s) -lt $end ]; do i=0; "
    body += "while [ $i -lt 50000 ]; do i=$((i + 1)); done; done\n"
    done = run_ffmpeg(stand_in(tmp_path, body), [], folder=tmp_path, doing="testing", stall_seconds=1.5)
    assert done.wall_seconds > 3


@linux
def test_but_not_for_ever(tmp_path):
    begun = time.monotonic()
    with pytest.raises(FfmpegError, match="no progress"):
        run_ffmpeg(stand_in(tmp_path, "while :; do :; done\n"), [], folder=tmp_path, doing="testing",
                   stall_seconds=0.2)  # fmt: skip
    assert 1.9 < time.monotonic() - begun < 15


@pytest.mark.parametrize("body", ["echo frame=1; exec sleep 600\n", "echo frame=1\n"])
def test_an_error_of_who_listens_ends_the_process_and_is_raised(tmp_path, body):
    def listen(_frame):
        raise ZeroDivisionError("in the caller")

    begun = time.monotonic()
    with pytest.raises(ZeroDivisionError, match="in the caller"):
        run_ffmpeg(stand_in(tmp_path, body), [], folder=tmp_path, doing="testing", on_frame=listen)
    assert time.monotonic() - begun < 10


def test_an_error_of_who_listens_does_not_stop_the_reading(tmp_path):
    """ffmpeg would wait for ever at a pipe that is full."""
    calls: list[int] = []

    def listen(frame):
        calls.append(frame)
        raise KeyError(frame)

    body = "trap '' TERM\nfor i in $(seq 30000); do echo frame=$i; done\necho end > wrote\n"
    with pytest.raises(KeyError):
        run_ffmpeg(stand_in(tmp_path, body), [], folder=tmp_path, doing="testing", on_frame=listen)
    assert calls == [1]


def test_slow_progress_is_progress(tmp_path):
    body = "for i in 1 2 3 4 5 6; do echo frame=$i; sleep 0.5; done\n"
    done = run_ffmpeg(stand_in(tmp_path, body), [], folder=tmp_path, doing="testing", stall_seconds=2)
    assert done.wall_seconds > 2.5


@linux
@pytest.mark.parametrize("deaf", ["", "trap '' TERM\n"])
def test_a_time_out_ends_the_whole_group(tmp_path, deaf):
    """A wrapper script that is ended must not leave the real ffmpeg behind, not even one that is deaf."""
    body = f"({deaf}echo $$ > parent; sh -c 'echo $$ > child; while :; do sleep 0.1; done') &\nwait\n"
    with pytest.raises(FfmpegError, match="no progress"):
        run_ffmpeg(stand_in(tmp_path, body), [], folder=tmp_path, doing="testing", stall_seconds=1)
    assert wait_until(lambda: not exists(pid_in(tmp_path / "child")), 5)


# ------------------------------------------------------------------------------------------------- clean endings

_RUN = """
import sys
from pathlib import Path
from vmafcast.media.ffmpeg import Ffmpeg
from vmafcast.media.process import run_ffmpeg
folder = Path(sys.argv[1])
ffmpeg = Ffmpeg(sys.argv[2], "none", "none", frozenset(), frozenset())
try:
    run_ffmpeg(ffmpeg, sys.argv[3:], folder=folder, doing="testing")
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.fixture(params=["setpriv", "python"])
def start(request, tmp_path, monkeypatch):
    """Either way to have ffmpeg die with its parent; for the second a ``setpriv`` that knows no ``--pdeathsig``."""
    if request.param == "python":
        folder = tmp_path / "path"
        folder.mkdir()
        stand_in(folder, "exit 1\n", "setpriv")
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    _has_setpriv.cache_clear()
    if request.param == "setpriv" and not _has_setpriv():
        pytest.skip("this system has no setpriv of util-linux")
    yield request.param
    _has_setpriv.cache_clear()


def start_runner(folder, ffmpeg, *arguments):
    command = [sys.executable, "-c", _RUN, str(folder), ffmpeg.path, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@linux
@pytest.mark.parametrize("deaf", ["", "trap '' TERM\n"])
def test_an_interrupt_ends_the_whole_group(start, tmp_path, deaf):
    script = stand_in(tmp_path, f"(trap '' INT\n{deaf}sh -c 'echo $$ > child; while :; do sleep 0.1; done') &\nwait\n")
    runner = start_runner(tmp_path, script)
    child = pid_in(tmp_path / "child")
    assert exists(child)
    runner.send_signal(signal.SIGINT)
    out, err = runner.communicate(timeout=20)
    assert (out.strip(), err, runner.returncode) == ("interrupted", "", 0)
    assert wait_until(lambda: not exists(child), 5)


@linux
def test_nothing_begins_that_nobody_looks_after(start, tmp_path):
    """An interrupt may come after the process is there and before anybody is ready to end it."""
    script = stand_in(tmp_path, "touch began\nexec sleep 600\n")
    code = _RUN.replace("try:", "import threading\n"
        "def interrupted(self):\n    raise KeyboardInterrupt\nthreading.Thread.start = interrupted\ntry:")  # fmt: skip
    command = [sys.executable, "-c", code, str(tmp_path), script.path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.strip(), done.stderr, done.returncode) == ("interrupted", "", 0)
    time.sleep(0.5)
    assert not (tmp_path / "began").exists()


@linux
def test_nothing_begins_whose_parent_went_before_it_could_be_watched(start, tmp_path):
    other = ["1" if each == str(os.getpid()) else each for each in _dying_with_parent()]
    done = subprocess.run([*other, "/bin/sh", "-c", f"touch {tmp_path}/began"], input=b"\n", timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "began").exists()


@linux
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
def test_ffmpeg_dies_with_its_parent(start, ffmpeg, tmp_path, sign):
    script = stand_in(tmp_path, f'echo $$ > {tmp_path}/child\nexec {ffmpeg.path} "$@"\n')
    runner = start_runner(tmp_path, script, *ENDLESS)
    child = pid_in(tmp_path / "child")
    assert wait_until(lambda: "ffmpeg" in Path(f"/proc/{child}/cmdline").read_text())
    runner.send_signal(sign)
    runner.communicate(timeout=20)
    assert wait_until(lambda: not exists(child), 5)


@linux
def test_ending_all_gives_every_waiter_an_error(ffmpeg, tmp_path):
    errors: list[FfmpegError] = []

    def wait_for_one(started):
        with pytest.raises(FfmpegError, match="signal 9") as caught:
            run_ffmpeg(ffmpeg, ENDLESS, folder=tmp_path, doing="testing", on_frame=lambda _: started.set())
        errors.append(caught.value)

    begun = [threading.Event() for _ in range(2)]
    waiters = [threading.Thread(target=wait_for_one, args=(started,), daemon=True) for started in begun]
    for waiter, started in zip(waiters, begun, strict=True):
        waiter.start()
        assert started.wait(60)
    end_all()
    for waiter in waiters:
        waiter.join(20)
    assert len(errors) == 2
    end_all()  # nothing runs: nothing happens


@linux
def test_ffmpeg_finds_what_it_was_given_and_nothing_to_read(start, tmp_path):
    script = stand_in(tmp_path, 'read line && exit 5\nfor each in "$@"; do echo "$each"; done > given\n')
    run_ffmpeg(script, ["a b", "$PPID", "", "'c'"], folder=tmp_path, doing="testing")
    assert (tmp_path / "given").read_text().splitlines()[-4:] == ["a b", "$PPID", "", "'c'"]


@linux
def test_writing_to_a_full_disk_is_an_error_of_ffmpeg_and_not_its_end(start, tmp_path):
    """What Python ignores, so that a write fails and does not kill, is ignored by what it starts."""
    script = stand_in(tmp_path, "grep SigIgn /proc/$$/status > ignored\n")
    run_ffmpeg(script, [], folder=tmp_path, doing="testing")
    ignored = int((tmp_path / "ignored").read_text().split()[1], 16)
    assert all(ignored >> (sign - 1) & 1 for sign in (signal.SIGPIPE, signal.SIGXFSZ))


def test_ffmpeg_reads_nothing_from_the_terminal(tmp_path):
    run_ffmpeg(stand_in(tmp_path, "read line && exit 5\nexit 0\n"), [], folder=tmp_path, doing="testing")


# ---------------------------------------------------------------------------------------- an ffmpeg that can do less


@pytest.fixture
def clip(make_clip):
    return probe(make_clip(frames=6))


def wrapper(ffmpeg, folder, body):
    path = folder / "ffmpeg-wrapper"
    path.write_text(f'#!/bin/sh\nreal={ffmpeg.path}\n{body}exec "$real" "$@"\n')
    path.chmod(0o755)
    return find_ffmpeg(str(path))


def test_an_ffmpeg_without_libvmaf_is_refused_before_it_runs(ffmpeg, clip, tmp_path):
    lacking = wrapper(ffmpeg, tmp_path, 'case "$*" in *-filters*) "$real" "$@" | grep -v libvmaf; exit;; esac\n')
    assert "ssim" in lacking.filters
    scoring = Scoring("vmaf_v0.6.1", (LITE,))
    with pytest.raises(CapabilityError, match="was built without libvmaf") as caught:
        encode_and_score(lacking, clip, [EncodeSettings(get_encoder("libx264"), "medium", 23)], scoring)
    assert lacking.path in str(caught.value)


def test_an_ffmpeg_without_xpsnr_can_still_measure_the_canonical_six(ffmpeg, clip, tmp_path):
    lacking = wrapper(ffmpeg, tmp_path, 'case "$*" in *-filters*) "$real" "$@" | grep -v xpsnr; exit;; esac\n')
    job = EncodeSettings(get_encoder("libx264"), "ultrafast", 23)
    with pytest.raises(CapabilityError, match="xpsnr"):
        encode_and_score(lacking, clip, [job], Scoring("vmaf_v0.6.1", (LITE,)))
    [cell] = encode_and_score(lacking, clip, [job], Scoring("vmaf_v0.6.1", (CANONICAL6,)))
    assert cell.scores.frames == 6


def test_an_ffmpeg_without_loopback_takes_two_steps_to_the_same_numbers(ffmpeg, clip, tmp_path):
    older = wrapper(
        ffmpeg, tmp_path, 'for a; do [ "$a" = -dec ] && { echo "Unrecognized option" >&2; exit 8; }; done\n'
    )
    assert supports_loopback(ffmpeg)
    assert not supports_loopback(older)
    jobs = [EncodeSettings(get_encoder("libx264"), "ultrafast", quality) for quality in (25, 45)]
    scoring = Scoring("vmaf_v0.6.1", (CANONICAL6, LITE))
    with pytest.raises(FfmpegError, match="Unrecognized option"):
        encode_and_score(older, clip, jobs, scoring, loopback=True)
    for one, other in zip(
        encode_and_score(ffmpeg, clip, jobs, scoring), encode_and_score(older, clip, jobs, scoring), strict=True
    ):
        assert one.bytes == other.bytes
        for name, column in one.scores.columns.items():
            assert column.tolist() == other.scores.columns[name].tolist(), name


def test_a_hung_ffmpeg_ends_a_measurement_and_leaves_nothing(ffmpeg, clip, tmp_path):
    hung = wrapper(ffmpeg, tmp_path, 'case "$*" in *clip.mkv*) exec sleep 600;; esac\n')
    work = tmp_path / "work"
    work.mkdir()
    with pytest.raises(FfmpegError, match=r"encoding clip\.mkv with libx264 medium 23: ffmpeg made no progress"):
        encode_and_score(hung, clip, [EncodeSettings(get_encoder("libx264"), "medium", 23)],
                         Scoring("vmaf_v0.6.1", ()), workdir=work, stall_seconds=0.5)  # fmt: skip
    assert list(work.iterdir()) == []


def test_the_environment_of_the_caller_is_passed_on(tmp_path, monkeypatch):
    monkeypatch.setenv("A_USERS_SETTING", "kept")
    run_ffmpeg(stand_in(tmp_path, 'echo "$A_USERS_SETTING" > seen\n'), [], folder=tmp_path, doing="testing")
    assert (tmp_path / "seen").read_text() == "kept\n"
    assert "SVT_LOG" not in os.environ


def test_memory_comes_in_large_pieces_where_it_is_not_cleared_beside_what_the_caller_asks_of_glibc(
    tmp_path, monkeypatch
):
    seen = 'echo "$GLIBC_TUNABLES $MALLOC_PERTURB_" > seen\n'
    said = []
    for before, clear in ((None, True), (None, False), ("glibc.malloc.arena_max=1", False)):
        monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
        if before:
            monkeypatch.setenv("GLIBC_TUNABLES", before)
        run_ffmpeg(stand_in(tmp_path, seen), ["-c:v", "libx264"], folder=tmp_path, doing="testing", clear_memory=clear)
        said.append((tmp_path / "seen").read_text().split())
    pieces = "glibc.malloc.top_pad=67108864:glibc.malloc.trim_threshold=4294967296"
    assert said == [["255"], [pieces], [f"{pieces}:glibc.malloc.arena_max=1"]]


# --------------------------------------------------------------------------------------------- the same bytes again


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc is told what to fill memory with")
def test_what_lies_in_memory_does_not_reach_an_encode_by_x264(ffmpeg, make_clip, tmp_path, monkeypatch):
    """x264 reads what it has not written; with other bytes there most encodes come out otherwise."""
    source = probe(make_clip(width=192, height=108, frames=50, seed=1))
    job = EncodeSettings(get_encoder("libx264"), "veryfast", 41)
    packets = []
    for filling in ("170", "85", None):
        if filling is None:
            monkeypatch.delenv("MALLOC_PERTURB_")
        else:
            monkeypatch.setenv("MALLOC_PERTURB_", filling)
        folder = tmp_path / f"filled_{filling}"
        folder.mkdir()
        run_ffmpeg(ffmpeg, encode_only(source, job, "c0.mkv"), folder=folder, doing="an encode")
        packets.append((folder / "c0.packets").read_text())
    assert packets[0] == packets[1] == packets[2]
