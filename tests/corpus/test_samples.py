from __future__ import annotations

import csv
import dataclasses
import hashlib
import os
import subprocess
import sys
from contextlib import contextmanager
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vmafcast.common.errors import OutputError
from vmafcast.corpus.samples import CATALOGUE, Sample, generate_samples

COLUMNS = "name,file,sha256,bytes,width,height,fps,frames,source_group,content_tags,licence".split(",")  # noqa: SIM905 - as the file has it
BRIEF = tuple(dataclasses.replace(sample, frames=5) for sample in CATALOGUE)
QUICK = tuple(sample for sample in BRIEF if sample.group in {"presenter", "cartoon_walk"})


def read_manifest(folder):
    with (folder / "MANIFEST.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


def neighbour_correlation(luma):
    """Correlation of horizontal neighbours: near 1 in pictures, near 0 in noise."""
    return np.corrcoef(luma[:, :, 1:].ravel(), luma[:, :, :-1].ravel())[0, 1]


@pytest.fixture(scope="module")
def brief(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples") / "made" / "on the way"
    paths = generate_samples(folder, catalogue=BRIEF)
    return folder, paths


def test_there_are_enough_groups_and_one_has_two_sizes():
    groups = {sample.group for sample in CATALOGUE}
    assert len(groups) >= 12
    assert len({sample.name for sample in CATALOGUE}) == len(CATALOGUE)
    shapes = {group: {sample.shape for sample in CATALOGUE if sample.group == group} for group in groups}
    assert max(len(found) for found in shapes.values()) == 2
    for sample in CATALOGUE:
        assert 48 <= sample.frames <= 60
        assert all(side % 2 == 0 for side in (*sample.shape, *sample.rendered))
    assert len({sample.fps for sample in CATALOGUE}) >= 4


def test_the_manifest_agrees_with_the_files(brief):
    folder, paths = brief
    rows = read_manifest(folder)
    assert list(rows[0]) == COLUMNS
    assert [folder / row["file"] for row in rows] == paths
    assert {path.name for path in folder.iterdir()} == {path.name for path in paths} | {"MANIFEST.csv"}
    for row, sample in zip(rows, BRIEF, strict=True):
        data = (folder / row["file"]).read_bytes()
        assert (row["name"], row["source_group"]) == (sample.name, sample.group)
        assert row["sha256"] == hashlib.sha256(data).hexdigest()
        assert int(row["bytes"]) == len(data)
        assert row["content_tags"].split(";") == list(sample.tags)
        assert row["licence"]
        with av.open(str(folder / row["file"])) as container:
            stream = container.streams.video[0]
            assert (stream.width, stream.height) == (int(row["width"]), int(row["height"]))
            assert stream.average_rate == Fraction(row["fps"])
            assert sum(1 for _ in container.decode(stream)) == int(row["frames"]) == 5


def test_every_clip_behaves_like_footage(brief, read_planes):
    _, paths = brief
    for path in paths:
        luma, *chroma = read_planes(path)
        assert luma.min() >= 16
        assert luma.max() <= 235, path.name
        assert all(plane.min() >= 16 and plane.max() <= 240 for plane in chroma)
        assert any(plane.std() > 1 for plane in chroma), f"{path.name} is grey"
        assert luma.std() > 12, f"{path.name} is flat"
        assert 0.55 < neighbour_correlation(luma) < 0.9995, path.name
        change = np.abs(np.diff(luma, axis=0)).mean()
        # A page may rest; nothing else does, and nothing flickers as noise would.
        assert change < 45, path.name
        assert change > 0.15 or path.stem == "page_scroll", path.name


def test_clips_differ_in_detail_and_in_motion(brief, read_planes):
    _, paths = brief
    lumas = [read_planes(path)[0] for path in paths]
    detail = [np.abs(np.diff(luma, axis=2)).mean() for luma in lumas]
    motion = [np.abs(np.diff(luma, axis=0)).mean() for luma in lumas]
    brightness = [luma.mean() for luma in lumas]
    assert max(detail) > 5 * min(detail)
    assert sorted(motion)[-2] > 8 * sorted(motion)[1]
    assert min(brightness) < 50
    assert max(brightness) > 180


def test_clips_of_one_group_show_the_same_material(brief, read_planes):
    from vmafcast.corpus.samples.camera import shrink

    folder, _ = brief
    by_size = sorted((s for s in BRIEF if s.group == "two_rooms"), key=lambda s: s.shape, reverse=True)
    large, small = (read_planes(folder / f"{sample.name}.mkv")[0] for sample in by_size)
    reduced = shrink(large[0][..., None], *small[0].shape)[..., 0]
    assert np.corrcoef(reduced.ravel(), small[0].ravel())[0, 1] > 0.98
    other = read_planes(folder / "foliage.mkv")[0]
    unrelated = shrink(other[0][..., None], *small[0].shape)[..., 0]
    assert abs(np.corrcoef(unrelated.ravel(), small[0].ravel())[0, 1]) < 0.5


_GENERATE_ELSEWHERE = """
import dataclasses, sys
from pathlib import Path
from vmafcast.corpus.samples import CATALOGUE, generate_samples
wanted = {"presenter", "cartoon_walk"}
brief = [dataclasses.replace(sample, frames=5) for sample in CATALOGUE if sample.group in wanted]
generate_samples(Path(sys.argv[1]), catalogue=brief)
"""


def test_another_process_writes_the_same_bytes(brief, tmp_path):
    folder, _ = brief
    environment = {**os.environ, "PYTHONHASHSEED": "11", "OMP_NUM_THREADS": "1", "TZ": "Asia/Tokyo"}
    subprocess.run([sys.executable, "-c", _GENERATE_ELSEWHERE, str(tmp_path)], check=True, env=environment)
    for sample in QUICK:
        name = f"{sample.name}.mkv"
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_writing_again_changes_nothing(tmp_path):
    first = [path.read_bytes() for path in generate_samples(tmp_path, catalogue=QUICK)]
    manifest = (tmp_path / "MANIFEST.csv").read_bytes()
    assert [path.read_bytes() for path in generate_samples(tmp_path, catalogue=QUICK)] == first
    assert (tmp_path / "MANIFEST.csv").read_bytes() == manifest


def test_a_place_that_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write"):
        generate_samples(tmp_path / "file", catalogue=QUICK)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_interruption_leaves_whole_clips_and_no_manifest(tmp_path, read_planes):
    def interrupted(rng, width, height, frames):
        yield np.zeros((height, width, 3), np.float32)
        raise KeyboardInterrupt

    broken = Sample("broken", interrupted, (32, 32), Fraction(25), 5, ("none",))
    with pytest.raises(KeyboardInterrupt):
        generate_samples(tmp_path, catalogue=[QUICK[0], broken])
    assert [path.name for path in tmp_path.iterdir()] == [f"{QUICK[0].name}.mkv"]
    assert len(read_planes(tmp_path / f"{QUICK[0].name}.mkv")[0]) == 5


def test_progress_hears_of_every_frame(tmp_path):
    class Recorder:
        done, total, words = 0.0, None, ()

        @contextmanager
        def task(self, description, total=None):  # noqa: ARG002 - the protocol's signature
            self.total = total
            yield self

        def advance(self, amount=1.0):
            self.done += amount

        def describe(self, text):
            self.words = (*self.words, text)

    recorder = Recorder()
    generate_samples(tmp_path, progress=recorder, catalogue=QUICK)
    assert recorder.done == recorder.total == 5 * len(QUICK)
    assert all(sample.name in word for sample, word in zip(QUICK, recorder.words, strict=True))


@pytest.mark.slow
def test_the_whole_catalogue_at_full_length(tmp_path, read_planes):
    paths = generate_samples(tmp_path)
    assert len(paths) == len(CATALOGUE) == len(read_manifest(tmp_path))
    lumas = {path.stem: read_planes(path)[0] for path in paths}
    for sample in CATALOGUE:
        assert len(lumas[sample.name]) == sample.frames
    # The cut is the largest step between two frames, and the fade ends in black.
    steps = np.abs(np.diff(lumas["two_rooms"], axis=0)).mean(axis=(1, 2))
    assert steps.max() > 5 * np.median(steps)
    assert lumas["two_rooms"][-1].mean() < 20
    # The page moves by whole pixels: some later frame holds rows of the first, exactly.
    page = lumas["page_scroll"]
    moved = next(k for k in range(1, 200) if np.array_equal(page[20][:60, :280], page[0][k : k + 60, :280]))
    assert moved > 20
    again = hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
    assert hashlib.sha256(b"".join(p.read_bytes() for p in generate_samples(tmp_path))).hexdigest() == again


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), exponent=st.sampled_from([0.5, 1.0, 1.5]))
def test_a_spectral_field_has_the_spectrum_it_was_asked_for(seed, exponent):
    from vmafcast.corpus.samples.fields import generator, spectral_field

    field = spectral_field(generator(seed), 128, 128, exponent=exponent).astype(np.float64)
    assert field.mean() == pytest.approx(0, abs=1e-4)
    assert field.std() == pytest.approx(1, abs=1e-4)
    amplitude = np.abs(np.fft.rfft2(field))
    radius = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.rfftfreq(128)[None])
    inside = (radius > 0.02) & (radius < 0.45)
    slope = np.polyfit(np.log(radius[inside]), np.log(amplitude[inside]), 1)[0]
    assert slope == pytest.approx(-exponent, abs=0.08)


def test_stretch_makes_structures_longer_than_high():
    from vmafcast.corpus.samples.fields import generator, spectral_field

    field = spectral_field(generator(1), 128, 128, exponent=1.2, stretch=4)
    assert np.abs(np.diff(field, axis=1)).mean() < 0.6 * np.abs(np.diff(field, axis=0)).mean()


def test_a_flowing_field_moves_and_keeps_its_statistics():
    from vmafcast.corpus.samples.fields import FlowingField, generator, spectral_field

    field = FlowingField(generator(5), 64, 64, exponent=1.2, dispersion=1.5)
    np.testing.assert_array_equal(field.at(0), spectral_field(generator(5), 64, 64, exponent=1.2))
    similar = [np.corrcoef(field.at(0).ravel(), field.at(t).ravel())[0, 1] for t in (0, 1, 4)]
    assert similar[0] > similar[1] > similar[2]
    assert field.at(40).std() == pytest.approx(1, abs=0.1)


@given(seed=st.integers(0, 999), frames=st.integers(2, 80), amplitude=st.floats(0.1, 20))
def test_a_path_stays_in_its_bounds(seed, frames, amplitude):
    from vmafcast.corpus.samples.fields import generator, path

    way = path(generator(seed), frames, amplitude=amplitude)
    assert way.shape == (frames,)
    assert np.abs(way).max() == pytest.approx(amplitude)


def test_ramps_and_steps():
    from vmafcast.corpus.samples.fields import colourise, ease

    assert ease(np.array([-1.0, 0.0, 0.5, 1.0, 2.0]), 0, 1).tolist() == [0, 0, 0.5, 1, 1]
    stops = [(0.0, (0.0, 0.2, 0.4)), (1.0, (1.0, 0.6, 0.4))]
    ramp = colourise(np.array([[-1.0, 0.5, 9.0]]), stops)
    np.testing.assert_allclose(ramp[0], [(0, 0.2, 0.4), (0.5, 0.4, 0.4), (1, 0.6, 0.4)], atol=1e-6)


def smooth_texture(seed=3, channels=3):
    from vmafcast.corpus.samples.fields import generator, spectral_field

    rng = generator(seed)
    return np.stack([spectral_field(rng, 48, 64, exponent=1.8) for _ in range(channels)], axis=-1)


def test_a_view_by_whole_pixels_is_a_roll():
    from vmafcast.corpus.samples.camera import handheld, view, warp

    texture = smooth_texture()
    expected = np.roll(texture, (-7, 5), axis=(0, 1))[:20, :30]
    np.testing.assert_array_equal(view(texture, top=7, left=-5, height=20, width=30), expected)
    np.testing.assert_allclose(handheld(texture, top=7, left=-5, height=20, width=30, roll=0.0), expected, atol=1e-6)
    rows, columns = np.mgrid[7:27, -5:25]
    np.testing.assert_allclose(warp(texture, rows, columns), expected, atol=1e-6)


def test_resampling_agrees_with_itself_and_is_periodic():
    from vmafcast.corpus.samples.camera import view

    texture = smooth_texture()
    half = view(texture, top=0, left=0.5, height=48, width=64)
    back = view(half, top=0, left=-0.5, height=48, width=64)
    assert np.abs(back - texture).mean() < 0.04 * texture.std()
    np.testing.assert_allclose(
        view(texture, top=48.25, left=64.75, height=10, width=10),
        view(texture, top=0.25, left=0.75, height=10, width=10),
        atol=1e-5,
    )
    np.testing.assert_allclose(
        view(texture, top=3.5, left=2.25, height=9, width=9, scale=1.0 + 1e-12),
        view(texture, top=3.5, left=2.25, height=9, width=9),
        atol=1e-4,
    )


def test_a_roll_turns_the_picture_about_its_centre():
    from vmafcast.corpus.samples.camera import handheld, view, warp

    texture, roll = smooth_texture(), 0.08
    turned = handheld(texture, top=0, left=0, height=48, width=64, roll=roll)
    rows, columns = np.mgrid[0:48, 0:64]
    y, x = rows - 24, columns - 32
    candidates = [
        warp(
            texture,
            24 + y * np.cos(a) - x * np.sin(a),
            32 + x * np.cos(a) + y * np.sin(a),
        )
        for a in (roll, -roll)
    ]
    inner = (slice(6, -6), slice(6, -6))
    apart = min(np.abs(turned - candidate)[inner].mean() for candidate in candidates)
    still = np.abs(turned - view(texture, top=0, left=0, height=48, width=64))[inner].mean()
    assert apart < 0.25 * still


@given(height=st.integers(1, 48), width=st.integers(1, 64))
def test_shrinking_keeps_the_mean(height, width):
    from vmafcast.corpus.samples.camera import shrink

    texture = smooth_texture().astype(np.float64)
    small = shrink(texture, height, width)
    assert small.shape == (height, width, 3)
    np.testing.assert_allclose(small.mean(axis=(0, 1)), texture.mean(axis=(0, 1)), atol=1e-4)


def test_smear_softens_along_rows_only_and_keeps_flat_areas_flat():
    from vmafcast.corpus.samples.camera import smear, soften

    flat = np.full((8, 20, 3), 0.4, np.float32)
    np.testing.assert_allclose(smear(flat, 5.5), flat, atol=1e-6)
    np.testing.assert_allclose(soften(flat, 0.2), flat, atol=1e-6)
    texture = smooth_texture()
    assert smear(texture, 1.0) is texture
    blurred = smear(texture, 9.0)
    assert np.abs(np.diff(blurred, axis=1)).mean() < 0.6 * np.abs(np.diff(texture, axis=1)).mean()
    point = np.zeros((3, 21, 1), np.float32)
    point[1, 10] = 1
    np.testing.assert_allclose(smear(point, 5)[1, :, 0], np.where(np.abs(np.arange(21) - 10) <= 2, 0.2, 0), atol=1e-6)


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        # BT.709 limited range at 8 bits; the 100 % bars of Rec. ITU-R BT.709 rounded to integers.
        ((0, 0, 0), (16, 128, 128)),
        ((1, 1, 1), (235, 128, 128)),
        ((1, 0, 0), (63, 102, 240)),
        ((0, 1, 0), (173, 42, 26)),
        ((0, 0, 1), (32, 240, 118)),
        ((2, -1, 0), (63, 102, 240)),
    ],
)
def test_colours_become_the_standards_code_values(colour, expected):
    from vmafcast.corpus.samples.camera import to_yuv420

    planes = to_yuv420(np.full((4, 6, 3), colour, np.float32))
    assert [plane.shape for plane in planes] == [(4, 6), (2, 3), (2, 3)]
    assert tuple(int(plane[0, 0]) for plane in planes) == expected
    assert all((plane == plane[0, 0]).all() for plane in planes)


def test_exposure_adds_as_much_noise_as_asked_and_fresh_each_time():
    from vmafcast.corpus.samples.camera import expose
    from vmafcast.corpus.samples.fields import generator

    grey, rng = np.full((120, 160, 3), 0.5, np.float32), generator(2)
    first, second = expose(grey, rng, noise=0.01), expose(grey, rng, noise=0.01)
    luma = (first - grey) @ np.array([0.2126, 0.7152, 0.0722])
    assert luma.std() == pytest.approx(0.01, rel=0.1)
    assert abs(np.corrcoef((first - grey).ravel(), (second - grey).ravel())[0, 1]) < 0.03
    assert (grey == 0.5).all()
    grainy = expose(grey, rng, noise=0.0, grain=0.03)[..., 0]
    assert grainy.std() == pytest.approx(0.03, rel=0.15)
    assert np.corrcoef(grainy[:, 1:].ravel(), grainy[:, :-1].ravel())[0, 1] > 0.3


def test_shapes_cover_their_areas_and_nothing_outside_the_picture():
    from vmafcast.corpus.samples.paint import capsule, ellipse, polygon, rectangle

    def area(paint, *arguments, **options):
        canvas = np.zeros((60, 80, 3), np.float32)
        paint(canvas, *arguments, (1, 1, 1), **options)
        return canvas[..., 0].sum()

    assert area(ellipse, 40.3, 30.7, (12, 12)) == pytest.approx(np.pi * 144, rel=0.01)
    assert area(ellipse, 40, 30, (20, 10)) == pytest.approx(np.pi * 200, rel=0.03)
    assert area(rectangle, 9.5, 9.5, 29.5, 19.5) == pytest.approx(200, rel=0.01)
    assert area(polygon, [(10, 10), (50, 10), (10, 40)]) == pytest.approx(600, rel=0.03)
    assert area(capsule, (20, 30), (60, 30), 5) == pytest.approx(400 + np.pi * 25, rel=0.02)
    assert area(ellipse, 40, 30, (12, 12), opacity=0.5) == pytest.approx(np.pi * 72, rel=0.01)
    assert area(ellipse, 300, 300, (12, 12)) == 0
    assert area(ellipse, 0, 30, (12, 12)) == pytest.approx(np.pi * 72, rel=0.1)


def test_layers_hold_premultiplied_alpha():
    from vmafcast.corpus.samples.camera import over
    from vmafcast.corpus.samples.paint import ellipse

    layer = np.zeros((20, 20, 4), np.float32)
    ellipse(layer, 10, 10, (6, 6), (0.2, 0.4, 0.8))
    np.testing.assert_allclose(layer[..., :3], layer[..., 3:] * np.array((0.2, 0.4, 0.8)), atol=1e-6)
    assert layer[..., 3].max() == 1
    assert layer[0, 0, 3] == 0
    back = np.full((20, 20, 3), 0.5, np.float32)
    laid = over(layer, back)
    np.testing.assert_allclose(laid[10, 10], (0.2, 0.4, 0.8), atol=1e-6)
    np.testing.assert_array_equal(laid[0, 0], back[0, 0])


def test_dead_leaves_cover_the_picture_and_can_leave_gaps():
    from vmafcast.corpus.samples.fields import generator
    from vmafcast.corpus.samples.leaves import Leaves, dead_leaves

    look = Leaves(((0.2, 0.5, 0.3), (0.7, 0.6, 0.2)), radius=(3, 20), count=400)
    picture = dead_leaves(generator(4), 80, 100, look)
    assert picture.shape == (80, 100, 3)
    np.testing.assert_array_equal(picture, dead_leaves(generator(4), 80, 100, look))
    # Periodic: the seam is no harder than any other pair of neighbours.
    seam = np.abs(picture[:, 0] - picture[:, -1]).mean()
    assert seam < 2 * np.abs(np.diff(picture, axis=1)).mean()
    sparse = dead_leaves(generator(4), 80, 100, dataclasses.replace(look, count=20), alpha=True)
    assert 0.05 < sparse[..., 3].mean() < 0.9
    balls = dead_leaves(generator(4), 80, 100, dataclasses.replace(look, ball=True))
    assert not np.array_equal(balls, picture)


def test_every_letter_of_the_pages_has_a_shape_of_its_own():
    from vmafcast.corpus.samples.lettering import glyph

    shapes = {letter: glyph(letter, 2.0, 1.2) for letter in "abcdefghijklmnopqrstuvwxyz0123456789.,:-=()_"}
    assert all(shape.max() > 0.9 for shape in shapes.values())
    assert len({shape.tobytes() for shape in shapes.values()}) == len(shapes)
    assert glyph(" ", 2.0, 1.2).max() == 0


def test_a_line_of_text_fits_and_advances():
    from vmafcast.corpus.samples.fields import generator
    from vmafcast.corpus.samples.lettering import line, write

    text = line(generator(8), 30)
    assert 0 < len(text) <= 30
    page = np.ones((20, 300, 3), np.float32)
    end = write(page, text, 4, 4, 1.25, (0, 0, 0))
    inked = np.flatnonzero((page[..., 0] < 0.5).any(axis=0))
    assert 4 <= inked[0] <= 9
    assert end - 12 <= inked[-1] <= end
