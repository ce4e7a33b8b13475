"""``vmafcast tune``: the file is what it is said to be, by a measurement that shares nothing with vmafcast."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import av
import pytest

BY_HAND = {
    "libx264": ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "{quality}", "-threads", "1"),
    "libsvtav1": ("-c:v", "libsvtav1", "-preset", "10", "-crf", "{quality}", "-svtav1-params", "lp=1:film-grain=0"),
}
SLOW = ("--encoder", "libaom-av1", "--preset", "0", "--target", "95")


@pytest.fixture
def pooled(raw_scores, clip):
    return lambda video: raw_scores(clip, video)["pooled_metrics"]["vmaf"]["mean"]


@pytest.mark.parametrize("encoder", BY_HAND)
@pytest.mark.parametrize(("target", "container"), [(75, "mp4"), (92.5, "mkv")])
def test_the_file_meets_the_target_and_the_next_worse_value_does_not(
    vmafcast, built, clip, pooled, run_tool, tmp_path, encoder, target, container
):
    arguments = ("--encoder", encoder, "--preset", built.presets[encoder], "--threads", "1", "--target", target)
    outcome = vmafcast("tune", clip, *arguments, "--out", f"out.{container}", "--json")
    assert outcome.code == 0, outcome.err
    *attempts, done = outcome.lines
    chosen, worse = done["chosen"], done["next_worse"]
    assert done["outcome"] == "met"
    assert chosen in [{key: value for key, value in line.items() if key != "type"} for line in attempts]
    assert done["attempts"] == len(attempts) == len({line["quality"] for line in attempts})
    assert worse["quality"] == chosen["quality"] + 1
    assert all(line["meets"] == (line["vmaf"] >= target) for line in attempts)

    measured = pooled(tmp_path / f"out.{container}")
    assert measured >= target
    assert measured == pytest.approx(chosen["vmaf"], abs=1e-4)
    beyond = tmp_path / "beyond.mkv"
    words = [word.format(quality=worse["quality"]) for word in BY_HAND[encoder]]
    run_tool("-i", clip, *words, "-pix_fmt", "yuv420p", "-fps_mode", "passthrough", beyond)
    failing = pooled(beyond)
    assert failing < target
    assert failing == pytest.approx(worse["vmaf"], abs=1e-4)


@pytest.mark.parametrize("container", ["mkv", "mp4", "mov"])
def test_the_file_holds_the_frames_and_the_bytes_that_were_reported(vmafcast, built, clip, tmp_path, container):
    arguments = ("--encoder", "libx264", "--preset", "ultrafast", "--threads", "1", "--target", "60")
    outcome = vmafcast("tune", clip, *arguments, "--out", f"a folder/out.{container}", "--json")
    chosen = outcome.done["chosen"]
    with av.open(str(tmp_path / "a folder" / f"out.{container}")) as opened:
        packets = [packet.size for packet in opened.demux(video=0) if packet.size]
        assert opened.streams.video[0].codec_context.name == "h264"
    assert len(packets) == built.frames
    assert sum(packets) == pytest.approx(
        chosen["bytes"], abs=64
    )  # a container may take parameter sets out of the stream
    assert chosen["kbps"] == pytest.approx(chosen["bytes"] * 8 / 1000 / (built.frames / built.fps))
    assert [path.name for path in (tmp_path / "a folder").iterdir()] == [f"out.{container}"]


def test_an_easy_target_ends_at_the_end_of_the_scale(vmafcast, clip):
    arguments = ("--encoder", "libx264", "--preset", "ultrafast", "--target", "1")
    outcome = vmafcast("tune", clip, *arguments, "--out", "out.mkv", "--json")
    assert outcome.code == 0
    assert (outcome.done["outcome"], outcome.done["next_worse"]) == ("met-at-the-end", None)
    assert outcome.done["chosen"]["quality"] == 51


def test_people_are_told_the_same(vmafcast, clip):
    arguments = ("--encoder", "libx264", "--preset", "ultrafast", "--threads", "1", "--target", "80", "--out", "o.mkv")
    people = vmafcast("tune", clip, *arguments)
    script = vmafcast("tune", clip, *arguments, "--json").done
    last = people.out.strip().splitlines()[-1]
    assert last.startswith(
        f"o.mkv: quality {script['chosen']['quality']}, VMAF {script['chosen']['vmaf']:.2f} measured"
    )
    assert f"quality {script['next_worse']['quality']} has {script['next_worse']['vmaf']:.2f}, below the target" in last


def test_an_earlier_file_is_replaced_as_a_whole(vmafcast, clip, tmp_path):
    (tmp_path / "o.mkv").write_bytes(b"an earlier file")
    arguments = ("--encoder", "libx264", "--preset", "ultrafast", "--target", "80")
    assert vmafcast("tune", clip, *arguments, "--out", "o.mkv").code == 0
    assert (tmp_path / "o.mkv").stat().st_size > 1000


def test_attempts_are_told_as_they_are_made(clip, tmp_path):
    arguments = [
        "tune",
        clip,
        "--encoder",
        "libx265",
        "--preset",
        "slow",
        "--target",
        "90",
        "--out",
        "o.mkv",
        "--json",
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "vmafcast.cli.main", *map(str, arguments)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        first = json.loads(process.stdout.readline())
        assert process.poll() is None
        assert not (tmp_path / "o.mkv").exists()
        rest = [json.loads(line) for line in process.stdout]
    assert (first["type"], first["number"]) == ("attempt", 1)
    assert [line["number"] for line in rest[:-1]] == list(range(2, len(rest) + 1))
    assert rest[-1]["type"] == "done"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_leaves_what_was_there(start, clip, tmp_path, running, name):
    if signal.getsignal(getattr(signal, name)) == signal.SIG_IGN:
        pytest.skip(f"{name} is ignored here, as nohup does it, and what these tests start ignores it too")
    (tmp_path / "o.mkv").write_bytes(b"an earlier file")
    process = start("tune", clip, *SLOW, "--out", "o.mkv")
    process.send_signal(getattr(signal, name))
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in err
    assert "Traceback" not in err
    assert not running()
    assert [path.name for path in tmp_path.iterdir()] == ["o.mkv"]
    assert (tmp_path / "o.mkv").read_bytes() == b"an earlier file"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_kill_leaves_no_encoder_and_no_file_and_the_next_run_sweeps(start, vmafcast, clip, tmp_path, running):
    process = start("tune", clip, *SLOW, "--out", "o.mkv")
    process.kill()
    process.wait(timeout=10)
    deadline = time.monotonic() + 10
    while running() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not running()
    assert not (tmp_path / "o.mkv").exists()
    arguments = ("--encoder", "libx264", "--preset", "ultrafast", "--target", "80")
    assert vmafcast("tune", clip, *arguments, "--out", "o.mkv").code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["o.mkv"]


def test_a_missing_source_is_missing_whatever_is_at_the_output(vmafcast, tmp_path):
    (tmp_path / "o.mkv").write_bytes(b"an earlier file")
    outcome = vmafcast("tune", "gone.mkv", "--encoder", "libx264", "--target", "80", "--out", "o.mkv")
    assert outcome.code == 2
    assert "gone.mkv does not exist" in outcome.err
    assert (tmp_path / "o.mkv").read_bytes() == b"an earlier file"
