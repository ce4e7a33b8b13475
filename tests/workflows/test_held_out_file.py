"""The file of held-out predictions."""

import polars as pl
import pytest

from vmafcast.common.errors import OutputError
from vmafcast.workflows.held_out import write_held_out


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, monkeypatch):
    def refuse(*_arguments, **_options):
        raise OSError("No space left on device (os error 28)")  # as polars puts it, without an errno

    monkeypatch.setattr(pl.DataFrame, "write_parquet", refuse)
    with pytest.raises(OutputError, match=r"predictions\.parquet: No space left on device"):
        write_held_out(pl.DataFrame({"vmaf": [90.0]}), tmp_path / "predictions.parquet")
    assert list(tmp_path.iterdir()) == []


def test_what_is_written_is_read_again(tmp_path):
    table = pl.DataFrame({"vmaf": [90.0, 12.5]})
    write_held_out(table, tmp_path / "new" / "predictions.parquet")
    assert pl.read_parquet(tmp_path / "new" / "predictions.parquet").equals(table)
