from __future__ import annotations

import os
import sys
import threading
import time
from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmafcast.encoders.catalogue import get_encoder
from vmafcast.media.cpu import CellCpu, ThreadClock, ThreadTime, attribute
from vmafcast.media.features import CANONICAL6
from vmafcast.media.graph import EncodeSettings, Scoring, one_process
from vmafcast.media.process import run_ffmpeg
from vmafcast.media.source import probe

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def threads(*named):
    return tuple(ThreadTime(number, name, seconds) for number, (name, seconds) in enumerate(named, start=100))


def test_every_thread_goes_to_its_cell():
    times = threads(
        ("ffmpeg-linux-x8", 0.5),
        ("dmx0:matroska", 0.1),
        ("dec0:0:ffv1", 0.7),
        ("fc0", 2.0),
        ("enc0:0:libx264", 10.0),
        ("enc1:0:libx265", 20.0),
        ("fc1", 1.0),
        ("fc1", 4.0),
        ("fc2", 2.0),
        ("dec0", 0.25),
        ("dec1", 0.75),
        ("fc3", 3.0),
        ("fc4", 5.0),
        ("fc4", 0.5),
        ("mux0:matroska", 0.1),
    )
    assert attribute(times, 2) == (CellCpu(15.0, 0.25, 3.0), CellCpu(22.0, 0.75, 5.5))


def test_threads_with_names_of_an_encoders_own_are_shared_by_what_the_rest_took():
    times = threads(("enc0:0:libsvtav1", 1.0), ("enc1:0:libsvtav1", 3.0), ("svt-md", 6.0), ("svt-cdef", 2.0))
    assert attribute(times, 2) == (CellCpu(3.0, 0.0, 0.0), CellCpu(9.0, 0.0, 0.0))


def test_where_the_rest_took_nothing_they_are_shared_evenly():
    assert attribute(threads(("enc0:0:x", 0.0), ("svt", 4.0)), 2) == (CellCpu(2.0, 0.0, 0.0),) * 2


@linux
def test_what_was_missed_of_a_process_is_shared_out_among_its_threads():
    clock = ThreadClock(os.getpid())
    clock.sample()
    seen = clock.times()
    whole = clock.times(2 * clock.total())
    assert [each.seconds for each in whole] == pytest.approx([2 * each.seconds for each in seen])
    assert clock.times(clock.total() / 2) == seen  # the clocks' grain: never less than what was seen


def test_ten_and_more_cells_are_told_apart():
    times = threads(*((f"enc{cell}:0:libx264", float(cell)) for cell in range(12)))
    assert [cell.encode for cell in attribute(times, 12)] == list(map(float, range(12)))


def test_where_the_system_says_nothing_nothing_is_made_up():
    assert attribute((), 3) == (CellCpu(None, None, None),) * 3
    assert attribute(threads(("python", 0.1)), 1) == (CellCpu(None, None, None),)


NAMES = st.sampled_from(
    [
        "enc0:0:libx264",
        "enc1:0:x",
        "fc0",
        "fc1",
        "fc2",
        "fc3",
        "fc4",
        "dec0",
        "dec1",
        "dec0:0:h264",
        "svt-x",
        "dmx0",
        "av:x",
    ]
)


@given(st.lists(st.tuples(NAMES, st.floats(0, 1e4)), max_size=30))
def test_no_second_is_counted_twice_or_lost(named):
    cells = attribute(threads(*named), 2)
    if cells[0].encode is None:
        return
    shared = ("fc0", "dec0:0:h264", "dmx0", "av:x")
    expected = sum(seconds for name, seconds in named if name not in shared)
    assert sum(sum(astuple(cell)) for cell in cells) == pytest.approx(expected, abs=1e-6)
    assert all(part >= 0 for cell in cells for part in astuple(cell))


@linux
def test_the_clock_sees_the_threads_of_a_process_and_keeps_those_that_ended():
    clock = ThreadClock(os.getpid())
    stop = threading.Event()

    def work():
        while not stop.is_set():
            sum(range(1000))

    worker = threading.Thread(target=work)
    worker.start()
    number = worker.native_id
    begun = time.monotonic()
    while time.monotonic() - begun < 0.5:
        time.sleep(0.05)
        clock.sample()
    stop.set()
    worker.join()
    clock.sample()
    times = {each.thread: each for each in clock.times()}
    assert 0 < times[number].seconds < 2
    assert [each.thread for each in clock.times()] == sorted(times)


def test_the_clock_of_a_process_that_is_not_there_is_silent():
    clock = ThreadClock(2**31 - 5)
    clock.sample()
    assert clock.times() == ()


@linux
def test_cells_of_a_real_run_add_up_to_most_of_the_process(ffmpeg, make_clip, tmp_path):
    source = probe(make_clip(width=352, height=288, frames=120))
    jobs = [
        EncodeSettings(get_encoder("libx264"), "veryslow", 23),
        EncodeSettings(get_encoder("libx264"), "ultrafast", 23),
        EncodeSettings(get_encoder("libsvtav1"), "10", 40),
    ]
    arguments = one_process(source, jobs, Scoring("vmaf_v0.6.1", (CANONICAL6,)), ["a.mkv", "b.mkv", "c.mkv"])
    done = run_ffmpeg(ffmpeg, arguments, folder=tmp_path, doing="testing")
    slow, fast, _ = cells = attribute(done.threads, 3)
    attributed = sum(sum(astuple(cell)) for cell in cells)
    assert 0.5 * done.cpu_seconds < attributed <= 1.05 * done.cpu_seconds
    assert slow.encode > 2 * fast.encode
    assert all(cell.score > 0 for cell in cells)
    assert max(cell.score for cell in cells) < 3 * min(cell.score for cell in cells)
