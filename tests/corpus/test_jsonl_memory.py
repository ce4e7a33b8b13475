"""How much memory an import takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(jsonl, tmp_path):
    """Twelve times the rows may take a little more memory (words of the encodes), not twelve times as much."""
    program = (
        "import resource, sys\nfrom pathlib import Path\nfrom vmafcast.corpus.importing import import_file\n"
        "import_file(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    peaks = []
    for count in (25, 300):
        path = tmp_path / f"{count}.jsonl"
        with path.open("w") as handle:
            for number in range(count):
                rows = (jsonl.row(frame % 50, src=f"clip {number}", frame_index=frame) for frame in range(1200))
                handle.writelines(json.dumps(each) + "\n" for each in rows)
        done = subprocess.run(
            [sys.executable, "-c", program, str(path), str(tmp_path / f"corpus{count}")],
            env=os.environ | {"POLARS_MAX_THREADS": "1"}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        peaks.append(int(done.stdout))
    assert peaks[1] < 2 * peaks[0], peaks
