from __future__ import annotations

import subprocess
import sys
import time

import pytest

from vmafcast.common.spent import Spent, SpentMeter

WORK = "import time\nwhile time.process_time() < {seconds}: pass"


def test_time_of_this_program_and_of_those_it_ran_counts():
    meter = SpentMeter()
    begun = time.process_time()
    while time.process_time() - begun < 0.2:
        pass
    alone = meter.read()
    subprocess.run([sys.executable, "-c", WORK.format(seconds=0.5)], check=True)
    both = meter.read()
    assert alone.cpu_seconds >= 0.15
    assert both.cpu_seconds >= alone.cpu_seconds + 0.4
    assert both.wall_seconds > alone.wall_seconds


def test_sleeping_takes_wall_time_alone():
    meter = SpentMeter()
    time.sleep(0.2)
    found = meter.read()
    assert found.wall_seconds >= 0.2
    assert found.cpu_seconds < 0.1


@pytest.mark.parametrize(
    ("cpu", "wall", "cores", "busy"), [(4.0, 2.0, 2, 1.0), (1.0, 2.0, 2, 0.25), (0.0, 0.0, 2, 0.0)]
)
def test_busy_is_the_share_of_all_cores(cpu, wall, cores, busy):
    assert Spent(cpu, wall).busy(cores) == busy
