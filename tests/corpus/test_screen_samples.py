"""Sample screens: they rest, jump and scroll by whole pixels, as footage does not."""

import csv
from itertools import pairwise

import av
import numpy as np
import pytest

from vmafcast.corpus.samples import CATALOGUE, SCREENS, generate_samples
from vmafcast.corpus.samples.fields import generator


@pytest.fixture(scope="module")
def pictures():
    """The painted pictures of every screen, by name, as arrays [frames, height, width, 3]."""
    found = {}
    for sample in SCREENS:
        rng = generator(*sample.group.encode())
        found[sample.name] = np.stack(list(sample.scene(rng, *sample.rendered, sample.frames)))
    return found


def still(frames):
    """The share of neighbouring frames that are the same."""
    return np.mean([np.array_equal(one, other) for one, other in pairwise(frames)])


def shifted(frames, at, down=0, right=0):
    """Whether all but the edge of a frame is the one before it, moved by whole pixels."""
    height, width = frames.shape[1:3]
    return np.array_equal(
        frames[at][: height - down, : width - right], frames[at - 1][down:, right:]
    )  # fmt: skip


def test_screens_are_groups_of_their_own():
    groups = {sample.group for sample in SCREENS}
    assert len(groups) == len(SCREENS) >= 5
    assert not groups & {sample.group for sample in CATALOGUE}


def test_every_screen_has_its_size_and_length_and_moves(pictures):
    for sample in SCREENS:
        frames = pictures[sample.name]
        assert frames.shape == (sample.frames, *sample.rendered[::-1], 3)
        assert frames.min() >= 0
        assert np.isfinite(frames).all()
        assert frames.std() > 0.05, f"{sample.name} is flat"
        assert not np.array_equal(frames[0], frames[-1]), f"{sample.name} never moves"


def test_code_scrolls_evenly_and_then_rests_but_for_its_cursor(pictures):
    frames = pictures["code_scroll"]
    assert all(shifted(frames, at, down=3) for at in range(1, 29))
    rest = frames[32:]
    changing = np.abs(np.diff(rest, axis=0)).max(axis=(0, 3)) > 0
    assert 0 < changing.sum() < 100


def test_the_log_jumps_by_a_line_and_rests_between(pictures):
    frames = pictures["log_tail"]
    assert 0.4 < still(frames) < 0.8
    moves = [at for at in range(1, len(frames)) if not np.array_equal(frames[at], frames[at - 1])]
    body = frames[:, : frames.shape[1] - 13]
    assert all(shifted(body, at, down=13) for at in moves)


def test_the_slide_rests_moves_once_and_rests(pictures):
    frames = pictures["slide_push"]
    moves = [at for at in range(1, len(frames)) if not np.array_equal(frames[at], frames[at - 1])]
    assert moves == list(range(moves[0], moves[-1] + 1))
    assert moves[0] > 15
    assert moves[-1] < len(frames) - 10


def test_the_table_pans_right_and_then_down(pictures):
    # Where the mark never is.
    frames = pictures["table_pan"][:, 170:]
    assert shifted(frames, 5, right=6)
    assert shifted(frames, len(frames) - 3, down=4)


def test_the_feed_slows_down(pictures):
    frames = pictures["feed_fling"]
    change = np.abs(np.diff(frames[:, :, :, 0], axis=0)).mean(axis=(1, 2))
    assert change[:8].mean() > 2 * change[-8:].mean()


def test_the_files_are_written_with_their_manifest(tmp_path):
    [path] = generate_samples(tmp_path, catalogue=SCREENS[2:3])
    with (tmp_path / "MANIFEST.csv").open(newline="") as handle:
        [row] = csv.DictReader(handle)
    assert (row["name"], row["source_group"]) == ("slide_push", "slide_push")
    with av.open(str(path)) as container:
        assert sum(1 for _ in container.decode(video=0)) == SCREENS[2].frames
