"""Augmenting footage: what is drawn stays within its bounds, does what it says, and keeps the source group."""

import csv
import dataclasses
import errno
import shutil
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmafcast.common.errors import MediaError, OutputError, RequestError
from vmafcast.common.files import sha256_file
from vmafcast.corpus.augment import SMALLEST_SIDE, Augmentation, augment_sources, draw_augmentation
from vmafcast.corpus.sources import find_sources
from vmafcast.media.filtered import write_filtered
from vmafcast.media.source import probe

WIDTH, HEIGHT, FRAMES = 192, 160, 8
PLAIN = Augmentation(
    crop=(WIDTH, HEIGHT, 0, 0), size=(WIDTH, HEIGHT), faster=False, blur=0.0, sharpen=0.0, gain=1.0, grain=0,
    grey=False, seed=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def clip(make_clip):
    return make_clip("panned.mkv", width=WIDTH, height=HEIGHT, frames=FRAMES)


@pytest.fixture(scope="module")
def source(clip):
    return probe(clip)


def manifest(folder):
    with (folder / "MANIFEST.csv").open(newline="") as handle:
        return {row["name"]: row for row in csv.DictReader(handle)}


@pytest.fixture
def made(source, ffmpeg, tmp_path, read_planes):
    """A function that does one thing to the clip and returns the planes of what comes out."""

    def make(**changed):
        path = tmp_path / "out.mkv"
        write_filtered(path, source, dataclasses.replace(PLAIN, **changed).filters(), ffmpeg)
        return read_planes(path)

    return make


@given(
    name=st.text(min_size=1, max_size=20), width=st.integers(SMALLEST_SIDE, 4096),
    height=st.integers(SMALLEST_SIDE, 2304), frames=st.integers(1, 500),
)  # fmt: skip
def test_every_draw_can_be_made_and_stays_within_its_bounds(source, name, width, height, frames):
    big = dataclasses.replace(source, width=width, height=height, frames=frames)
    drawn = draw_augmentation(name, big)
    assert drawn == draw_augmentation(name, big)
    kept_width, kept_height, left, top = drawn.crop
    assert all(value % 2 == 0 for value in (*drawn.crop, *drawn.size))
    assert 0 <= left <= width - kept_width
    assert 0 <= top <= height - kept_height
    assert min(*drawn.size, kept_width, kept_height) >= 2
    assert drawn.size[0] * drawn.size[1] < 1.1 * 102_240
    assert drawn.size[0] / kept_width < 1.6
    # Pictures are scaled alike in both directions, but for the even sizes.
    assert drawn.size[0] / drawn.size[1] == pytest.approx(kept_width / kept_height, abs=2.1 / drawn.size[1] * width)
    assert 0.35 <= drawn.gain <= 1
    assert not (drawn.blur and drawn.sharpen)
    assert not (drawn.faster and frames < 56)


def test_names_draw_differently_and_every_kind_is_drawn(source):
    long = dataclasses.replace(source, width=480, height=270, frames=60)
    drawn = [draw_augmentation(f"clip_aug{number}", long) for number in range(200)]
    assert len({each.crop for each in drawn}) > 150
    for name, plain in (("faster", False), ("blur", 0), ("sharpen", 0), ("gain", 1), ("grain", 0), ("grey", False)):
        changed = sum(getattr(each, name) != plain for each in drawn)
        assert 5 < changed < 110, name


def test_nothing_done_is_nothing_changed(made, clip, read_planes):
    for ours, theirs in zip(made(), read_planes(clip), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_cropping_keeps_that_part(made, clip, read_planes):
    ours = made(crop=(64, 48, 32, 16), size=(64, 48))
    np.testing.assert_array_equal(ours[0], read_planes(clip)[0][:, 16:64, 32:96])


def test_faster_drops_every_second_frame(made, clip, read_planes):
    np.testing.assert_array_equal(made(faster=True)[0], read_planes(clip)[0][::2])


def test_gain_darkens_luma_above_black(made, clip, read_planes):
    wanted = 16 + (np.clip(read_planes(clip)[0], 16, 235) - 16) * 0.5
    np.testing.assert_allclose(made(gain=0.5)[0], wanted, atol=1)


def test_grain_adds_noise_of_its_own_to_every_frame(made, clip, read_planes):
    noise = made(grain=8)[0] - read_planes(clip)[0]
    assert 1 < noise.std() < 12
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.1


def test_blur_takes_detail_away_and_sharpening_adds_it(made):
    def detail(luma):
        return np.abs(np.diff(luma, axis=2)).mean()

    assert detail(made(blur=1.0)[0]) < 0.8 * detail(made()[0]) < 0.8 * detail(made(sharpen=1.0)[0])


def test_grey_takes_the_colour(made):
    _, u, v = made(grey=True)
    assert (u == 128).all()
    assert (v == 128).all()


@pytest.fixture(scope="module")
def folder(make_clip, tmp_path_factory):
    """Two sources of one group, with a manifest that states a licence."""
    place = tmp_path_factory.mktemp("footage")
    for seed, name in enumerate(("walk", "walk_again")):
        make_clip(f"{name}.mkv", width=WIDTH, height=HEIGHT, frames=FRAMES, seed=seed, folder=place)
    lines = ["name,file,source_group,licence,content_tags,width"]
    lines += [f"{name},{name}.mkv,walks,CC0-1.0,people;outdoor,{WIDTH}" for name in ("walk", "walk_again")]
    (place / "MANIFEST.csv").write_text("\n".join(lines) + "\n")
    return place


def test_clips_come_with_a_manifest_that_keeps_group_and_licence(folder, ffmpeg, tmp_path):
    paths = augment_sources([folder], tmp_path / "made", ffmpeg, each=2)
    assert [path.name for path in paths] == [
        "walk_aug1.mkv", "walk_aug2.mkv", "walk_again_aug1.mkv", "walk_again_aug2.mkv",
    ]  # fmt: skip
    rows = manifest(tmp_path / "made")
    assert list(rows) == [path.stem for path in paths]
    for path in paths:
        row = rows[path.stem]
        assert (row["source_group"], row["licence"], row["content_tags"]) == ("walks", "CC0-1.0", "people;outdoor")
        assert row["augmented_from"] == path.stem.rpartition("_")[0]
        assert (row["sha256"], row["bytes"]) == (sha256_file(path), str(path.stat().st_size))
        video = probe(path)
        assert (int(row["width"]), int(row["height"])) == (video.width, video.height)
        assert (int(row["frames"]), Fraction(row["fps"])) == (video.frames, video.fps) == (FRAMES, Fraction(25))
        assert f"scale={video.width}:{video.height}:" in row["processing"]
    assert {source.group for source in find_sources([tmp_path / "made"])} == {"walks"}


def test_a_clip_is_the_same_bytes_whatever_is_made_beside_it(folder, ffmpeg, tmp_path):
    augment_sources([folder], tmp_path / "many", ffmpeg, each=2)
    augment_sources([folder / "walk_again.mkv"], tmp_path / "one", ffmpeg)
    name = "walk_again_aug1.mkv"
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "many" / name).read_bytes()


def test_lines_and_frames_are_those_asked_for(folder, ffmpeg, tmp_path):
    [path] = augment_sources([folder / "walk.mkv"], tmp_path / "made", ffmpeg, lines=200, frames=3)
    assert path.name == "walk_200p_aug1.mkv"
    video = probe(path)
    assert (video.height, video.frames) == (200, 3)
    drawn = draw_augmentation("walk_200p_aug1", probe(folder / "walk.mkv"), 200, 3)
    assert video.width / 200 == pytest.approx(drawn.crop[0] / drawn.crop[1], abs=0.02)
    assert manifest(tmp_path / "made")[path.stem]["processing"].startswith("trim=end_frame=3,crop=")


def test_frames_beyond_the_source_change_nothing(folder, ffmpeg, tmp_path):
    [whole] = augment_sources([folder / "walk.mkv"], tmp_path / "whole", ffmpeg)
    [asked] = augment_sources([folder / "walk.mkv"], tmp_path / "asked", ffmpeg, frames=FRAMES)
    assert asked.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    "wrong", [{"lines": SMALLEST_SIDE - 2}, {"lines": 201}, {"lines": 4322}, {"frames": 0}], ids=str
)
def test_what_cannot_be_made_is_refused_before_anything_is_written(folder, ffmpeg, tmp_path, wrong):
    with pytest.raises(RequestError, match="give"):
        augment_sources([folder], tmp_path / "made", ffmpeg, **wrong)
    assert not (tmp_path / "made").exists()


def test_the_sources_own_folder_is_refused_and_left_alone(folder, ffmpeg):
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(RequestError, match="elsewhere"):
        augment_sources([folder], folder, ffmpeg)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_none_of_each_is_refused(folder, ffmpeg, tmp_path):
    with pytest.raises(RequestError, match="give 1 or more"):
        augment_sources([folder], tmp_path / "made", ffmpeg, each=0)


@pytest.mark.parametrize(("width", "height"), [(SMALLEST_SIDE, SMALLEST_SIDE - 2), (SMALLEST_SIDE - 2, 400)])
def test_a_source_too_small_is_refused_before_anything_is_written(make_clip, ffmpeg, tmp_path, width, height):
    small = make_clip("small.mkv", width=width, height=height, frames=2)
    with pytest.raises(MediaError, match=rf"small\.mkv is {width}x{height}.*{SMALLEST_SIDE} pixels"):
        augment_sources([small], tmp_path / "made", ffmpeg)
    assert not (tmp_path / "made").exists()


def test_the_smallest_source_is_taken(make_clip, ffmpeg, tmp_path):
    small = make_clip("least.mkv", width=SMALLEST_SIDE, height=SMALLEST_SIDE, frames=2)
    [path] = augment_sources([small], tmp_path / "made", ffmpeg)
    assert probe(path).frames == 2


def test_hdr_is_refused(source):
    with pytest.raises(MediaError, match="HDR"):
        draw_augmentation("any", dataclasses.replace(source, transfer="pq"))


def test_a_folder_that_cannot_be_written_is_one_clear_error(folder, ffmpeg, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError, match="file"):
        augment_sources([folder], tmp_path / "file" / "made", ffmpeg)


def test_a_full_disk_is_one_clear_error_and_leaves_no_half_of_a_clip(folder, ffmpeg, tmp_path, monkeypatch):
    def full(source, target):
        target.write_bytes(source.read_bytes()[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OutputError, match=r"walk_aug1\.mkv: No space left"):
        augment_sources([folder], tmp_path / "made", ffmpeg)
    assert list((tmp_path / "made").iterdir()) == []
