from __future__ import annotations

import pytest

from vmafcast.common.progress import Silent


def test_silence_takes_everything_and_says_nothing(capsys):
    for total in (None, 3.0):
        with Silent().task("working", total=total) as task:
            task.advance()
            task.advance(2.5)
            task.describe("still working")
    assert capsys.readouterr() == ("", "")


def test_silence_hides_no_error():
    with pytest.raises(ValueError, match="seen"), Silent().task("working"):
        raise ValueError("seen")
