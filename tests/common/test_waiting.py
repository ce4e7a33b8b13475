from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from vmafcast.common.waiting import first_settled


def test_what_is_done_or_has_failed_is_returned_and_what_runs_is_not():
    held = threading.Event()
    with ThreadPoolExecutor(3) as pool:
        slow, failing, quick = pool.submit(held.wait), pool.submit(int, "x"), pool.submit(int, "7")
        try:
            seen = set()
            while len(seen) < 2:
                seen |= first_settled({slow, failing, quick} - seen)
        finally:
            held.set()
    assert seen == {failing, quick}
    assert quick.result() == 7
    assert isinstance(failing.exception(), ValueError)
