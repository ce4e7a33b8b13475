from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from vmafcast.common.cores import core_budget, usable_cores
from vmafcast.common.errors import RequestError

bound = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no program to cores")
COUNT = "import os; print(len(os.sched_getaffinity(0)))"


def test_without_a_budget_all_that_may_be_used_is_used():
    before = usable_cores()
    with core_budget(None) as cores:
        assert cores == before == usable_cores() >= 1


@bound
def test_a_budget_binds_this_thread_and_what_it_starts_and_ends_with_the_block():
    before = os.sched_getaffinity(0)
    seen = []
    with core_budget(1) as cores:
        assert cores == usable_cores() == 1
        child = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, check=True)
        worker = threading.Thread(target=lambda: seen.append(usable_cores()))
        worker.start()
        worker.join()
    assert (child.stdout.strip(), seen) == ("1", [1])
    assert os.sched_getaffinity(0) == before


@bound
def test_a_budget_within_a_budget():
    with core_budget(1), core_budget(1), pytest.raises(RequestError, match="1 to 1"), core_budget(2):
        pass


@bound
def test_it_ends_when_the_block_fails():
    before = os.sched_getaffinity(0)
    with pytest.raises(KeyError), core_budget(1):
        raise KeyError
    assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize("cores", [0, -1, 10_000])
def test_what_is_not_to_be_had_is_refused(cores):
    with pytest.raises(RequestError, match=f"a budget of {cores} cores"), core_budget(cores):
        pass
