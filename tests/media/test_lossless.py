from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vmafcast.common.errors import OutputError, RequestError
from vmafcast.media.lossless import write_lossless


def make_frames(width, height, count, seed=0):
    rng = np.random.default_rng(seed)
    chroma = ((height + 1) // 2, (width + 1) // 2)
    return [
        tuple(rng.integers(16, 236, shape, dtype=np.uint8) for shape in ((height, width), chroma, chroma))
        for _ in range(count)
    ]


def read_frames(path):
    """Decode with PyAV and cut off the padding that libavutil leaves behind each row."""
    with av.open(f"file:{path}") as container:
        return [
            tuple(
                np.frombuffer(memoryview(plane), np.uint8)
                .reshape(-1, plane.line_size)[: plane.height, : plane.width]
                .copy()
                for plane in frame.planes
            )
            for frame in container.decode(video=0)
        ]


@settings(max_examples=25, deadline=None)
@given(width=st.integers(1, 70), height=st.integers(1, 50), count=st.integers(1, 4), seed=st.integers(0, 2**32 - 1))
def test_every_sample_comes_back_at_any_size(tmp_path_factory, width, height, count, seed):
    path = tmp_path_factory.mktemp("lossless") / "clip.mkv"
    frames = make_frames(width, height, count, seed)
    write_lossless(path, iter(frames), width=width, height=height, fps=Fraction(25))
    decoded = read_frames(path)
    assert len(decoded) == count
    for written, read in zip(frames, decoded, strict=True):
        for a, b in zip(written, read, strict=True):
            np.testing.assert_array_equal(a, b)


def test_the_stream_says_what_it_is(tmp_path):
    path = tmp_path / "clip.mkv"
    write_lossless(path, make_frames(48, 32, 6), width=48, height=32, fps=Fraction(30000, 1001))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.name, context.pix_fmt, context.width, context.height) == ("ffv1", "yuv420p", 48, 32)
        assert stream.average_rate == Fraction(30000, 1001)
        # Limited range and BT.709 are tagged, so that no reader has to guess.
        assert int(context.color_range) == 1
        assert int(context.colorspace) == int(context.color_primaries) == int(context.color_trc) == 1
        times = [frame.pts * frame.time_base for frame in container.decode(stream)]
    assert times == sorted(set(times))
    assert times[0] == 0
    assert float(times[-1]) == pytest.approx(5 * 1001 / 30000, abs=0.001)


_WRITE_IN_ANOTHER_PROCESS = """
import sys, numpy as np
from fractions import Fraction
from pathlib import Path
from vmafcast.media.lossless import write_lossless
rng = np.random.default_rng(3)
frames = [tuple(rng.integers(16, 236, s, dtype=np.uint8) for s in ((90, 64), (45, 32), (45, 32))) for _ in range(5)]
write_lossless(Path(sys.argv[1]), frames, width=64, height=90, fps=Fraction(24))
"""


def test_bytes_do_not_depend_on_run_process_name_or_time(tmp_path):
    hashes = set()
    for name in ("a.mkv", "another.mkv"):
        path = tmp_path / name
        write_lossless(path, make_frames(64, 90, 5, seed=3), width=64, height=90, fps=Fraction(24))
        hashes.add(hashlib.sha256(path.read_bytes()).hexdigest())
    path = tmp_path / "foreign.mkv"
    subprocess.run(
        [sys.executable, "-c", _WRITE_IN_ANOTHER_PROCESS, str(path)],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    hashes.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(hashes) == 1


def test_one_changed_sample_changes_the_bytes(tmp_path):
    frames = make_frames(32, 32, 2)
    write_lossless(tmp_path / "a.mkv", frames, width=32, height=32, fps=Fraction(24))
    frames[1][2][3, 3] ^= 1
    write_lossless(tmp_path / "b.mkv", frames, width=32, height=32, fps=Fraction(24))
    assert (tmp_path / "a.mkv").read_bytes() != (tmp_path / "b.mkv").read_bytes()


@pytest.mark.parametrize("name", ["concat:a|b.mkv", "-y.mkv", "100%d.mkv", "it's here.mkv"])
def test_names_that_ffmpeg_reads_otherwise_are_only_names(tmp_path, name):
    write_lossless(tmp_path / name, make_frames(16, 16, 2), width=16, height=16, fps=Fraction(25))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert len(read_frames(tmp_path / name)) == 2


def test_a_relative_name_that_begins_with_a_dash(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_lossless(Path("-i.mkv"), make_frames(16, 16, 1), width=16, height=16, fps=Fraction(25))
    assert [path.name for path in tmp_path.iterdir()] == ["-i.mkv"]


def test_a_failure_half_way_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "clip.mkv"
    path.write_bytes(b"what was there")

    def failing():
        yield from make_frames(32, 32, 3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_lossless(path, failing(), width=32, height=32, fps=Fraction(25))
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"what was there"


@pytest.mark.parametrize(
    ("plane", "replacement", "said"),
    [
        (0, np.zeros((32, 31), np.uint8), "plane Y of frame 1"),
        (1, np.zeros((32, 32), np.uint8), "plane U of frame 1"),
        (2, np.zeros((16, 16), np.uint16), "uint16"),
    ],
)
def test_a_wrong_plane_is_named_and_nothing_is_written(tmp_path, plane, replacement, said):
    frames = [list(frame) for frame in make_frames(32, 32, 2)]
    frames[1][plane] = replacement
    with pytest.raises(RequestError, match=said):
        write_lossless(tmp_path / "clip.mkv", frames, width=32, height=32, fps=Fraction(25))
    assert list(tmp_path.iterdir()) == []


def test_no_frame_is_no_video(tmp_path):
    with pytest.raises(RequestError, match="no frame"):
        write_lossless(tmp_path / "clip.mkv", [], width=32, height=32, fps=Fraction(25))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("width", "height", "fps"), [(0, 2, 25), (2, 0, 25), (2, 2, 0), (2, 2, -1)])
def test_impossible_sizes_and_rates_are_refused(tmp_path, width, height, fps):
    with pytest.raises(RequestError, match="positive"):
        write_lossless(tmp_path / "clip.mkv", [], width=width, height=height, fps=Fraction(fps))
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write"):
        write_lossless(tmp_path / "file" / "clip.mkv", make_frames(16, 16, 1), width=16, height=16, fps=Fraction(25))
    with pytest.raises(OutputError, match="cannot write"):
        write_lossless(tmp_path, make_frames(16, 16, 1), width=16, height=16, fps=Fraction(25))


_WRITE_ON_A_FULL_DISK = """
import resource, sys, numpy as np
from fractions import Fraction
from pathlib import Path
from vmafcast.common.errors import OutputError
from vmafcast.media.lossless import write_lossless
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
rng = np.random.default_rng(3)
noise = (tuple(rng.integers(0, 256, s, dtype=np.uint8) for s in ((90, 64), (45, 32), (45, 32))) for _ in range(50))
try:
    write_lossless(Path(sys.argv[1]), noise, width=64, height=90, fps=Fraction(24))
except OutputError as error:
    print(error)
"""


def test_a_disk_that_fills_up_is_reported_and_nothing_stays(tmp_path):
    path = tmp_path / "clip.mkv"
    done = subprocess.run(
        [sys.executable, "-c", _WRITE_ON_A_FULL_DISK, str(path)], check=True, capture_output=True, text=True
    )
    assert f"cannot write {path}" in done.stdout
    assert list(tmp_path.iterdir()) == []
