"""From a file to numbers: the same from every container, finite for every picture, remembered by content."""

import json
import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from pydantic import ValidationError

from vmafcast.common.documents import read_document, to_json
from vmafcast.common.errors import RequestError
from vmafcast.media.complexity import FEATURES, Complexity, SamplePlan, measure_complexity, measuring, motion, sampled
from vmafcast.media.complexity.cache import default_cache
from vmafcast.media.complexity.coding import coded_measures
from vmafcast.media.complexity.document import REVISIONS
from vmafcast.media.complexity.facts import CODED, NAMES, NAMES_BESIDE_PROBE
from vmafcast.media.complexity.measuring import CODED_EVERY
from vmafcast.media.complexity.survey import survey
from vmafcast.media.lossless import write_lossless
from vmafcast.media.source import probe

PLAN = SamplePlan(2, 6)


def measured(path, plan=PLAN):
    return measure_complexity(probe(path), plan=plan)


def flat(path, frames, *, luma=16, width=64, height=48):
    chroma = np.full((height // 2, width // 2), 128, np.uint8)
    pictures = [(np.full((height, width), level, np.uint8), chroma, chroma) for level in np.broadcast_to(luma, frames)]
    write_lossless(path, pictures, width=width, height=height, fps=Fraction(25))
    return path


def test_names_are_unique_and_every_feature_is_described():
    assert len(set(NAMES)) == len(NAMES)
    for feature in FEATURES:
        assert feature.meaning
        assert (feature.floor > 0) == (feature.scale == "log")


def test_containers_and_time_bases_do_not_matter(make_clip, run_tool, tmp_path):
    clip = make_clip(frames=40, width=96, height=64)
    first = tmp_path / "first.mkv"
    run_tool("-i", clip, "-c:v", "libx264", "-crf", "10", "-g", "15", "-bf", "2", first)
    run_tool("-i", first, "-c", "copy", tmp_path / "a.mp4")
    run_tool("-i", first, "-c", "copy", "-video_track_timescale", "12345", tmp_path / "b.mp4")
    run_tool("-i", first, "-c", "copy", tmp_path / "a.ts")
    run_tool("-r", "50", "-i", first, "-c:v", "ffv1", tmp_path / "twice_as_fast.mkv")
    expected = measured(first)
    for name in ("a.mp4", "b.mp4", "a.ts", "twice_as_fast.mkv"):
        found = measured(tmp_path / name)
        assert found.features == expected.features, name
        assert found.sampled_runs == expected.sampled_runs


def test_the_same_call_gives_the_same_numbers_in_another_process_and_with_other_threads(make_clip):
    clip = make_clip(width=640, height=360, frames=3)
    code = (
        "import json, sys; from pathlib import Path; from vmafcast.media.source import probe;"
        "from vmafcast.media.complexity import measure_complexity;"
        "print(json.dumps(measure_complexity(probe(Path(sys.argv[1]))).features))"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", code, str(clip)],
            env={**os.environ, "OPENBLAS_NUM_THREADS": threads}, capture_output=True, text=True, check=True,
        ).stdout
        for threads in ("1", "4")
    ]  # fmt: skip
    assert json.loads(said[0]) == json.loads(said[1]) == measured(clip, SamplePlan(2, 16)).features


@pytest.mark.parametrize("luma", [0, 16, 128, 255])
def test_flat_pictures_have_no_activity_and_no_nan(tmp_path, luma):
    found = measured(flat(tmp_path / "flat.mkv", 8, luma=luma))
    assert np.isfinite(found.vector()).all()
    assert np.isfinite(found.scaled()).all()
    still = {"luma_mean": luma, "flat_share": 1, "static_share": 1, "dark_share": float(luma < 48)}
    still |= {f"kept_{step}": 1 for step in (8, 16, 32, 64)}
    still |= {f"coded_{what}_{step}": 1 for what in ("detail", "fine", "coarse") for step in (40, 100)}
    for name, value in found.features.items():
        if not name.startswith("bits_intra"):
            assert value == pytest.approx(still.get(name, 0), abs=1e-3), name


@pytest.mark.parametrize(("width", "height"), [(2, 2), (3, 5), (17, 9), (33, 31), (130, 66)])
def test_any_size_and_one_frame(make_clip, width, height):
    for frames in (1, 2):
        found = measured(make_clip(f"{width}x{height}_{frames}.mkv", width=width, height=height, frames=frames))
        assert np.isfinite(found.scaled()).all()
        assert (found.width, found.height) == (width - width % 2, height - height % 2)
    alone = measured(make_clip(f"{width}x{height}_1.mkv", width=width, height=height, frames=1))
    for name in ("ti", "ti_max", "dct_gradient", "mc_residual", "motion", "bits_inter_8", "cut_share", "static_share"):
        assert alone.features[name] == 0.0


def test_ten_bits_are_measured_in_the_units_of_eight(make_clip, run_tool, tmp_path):
    clip, deep = make_clip(), tmp_path / "deep.mkv"
    run_tool("-i", clip, "-vf", "format=yuv420p10le", "-c:v", "ffv1", deep)
    eight, ten = measured(clip), measured(deep)
    assert (eight.bit_depth, ten.bit_depth) == (8, 10)
    for name in NAMES:
        assert ten.features[name] == pytest.approx(eight.features[name], rel=0.01, abs=0.01), name


def test_huge_pictures_are_reduced_as_stated(make_clip):
    small = make_clip("small.mkv", width=960, height=540, frames=1)
    source = probe(small)
    with sampled(source) as sample:
        [(_, planes)] = sample.planes()
        doubled = tuple(plane.repeat(4, axis=0).repeat(4, axis=1) for plane in planes)
    large = small.with_name("large.mkv")
    write_lossless(large, [doubled], width=3840, height=2160, fps=Fraction(25))
    found, plain = measured(large), measured(small)
    assert (plain.reduction, found.reduction) == (1, 2)
    # Once halved, the enlarged picture has 1920x1080: the light is that of the small one, and the detail is coarser.
    assert found.features["luma_mean"] == pytest.approx(plain.features["luma_mean"], abs=0.01)
    assert found.features["luma_std"] == pytest.approx(plain.features["luma_std"], rel=1e-3)
    assert found.features["energy_high"] < plain.features["energy_high"]


def test_a_cut_is_told_from_motion(landscape, tmp_path):
    chroma = np.full((48, 64), 128, np.uint8)
    wide, other = (np.clip(landscape(96, 208, seed=seed), 16, 235).astype(np.uint8) for seed in (3, 4))

    def cuts(name, cut_at):
        scene = [(other if frame >= cut_at else wide)[:, 4 * frame : 4 * frame + 128] for frame in range(20)]
        write_lossless(tmp_path / name, [(y, chroma, chroma) for y in scene], width=128, height=96, fps=Fraction(25))
        return measured(tmp_path / name, SamplePlan(1, 20)).features["cut_share"]

    assert cuts("none.mkv", 20) == 0
    assert cuts("one.mkv", 17) == 1 / 2  # of the pairs 0-1 and 16-17


def test_louder_noise_motion_and_texture_are_seen(landscape, tmp_path):
    rng = np.random.default_rng(0)
    base = landscape(96, 128) - 128.0
    chroma = np.full((48, 64), 128, np.uint8)

    def clip(name, *, contrast=0.5, grain=0.0, pan=0):
        pictures = []
        for frame in range(8):
            luma = 128 + contrast * np.roll(base, pan * frame, axis=1) + grain * rng.normal(size=base.shape)
            pictures.append((np.clip(luma, 16, 235).astype(np.uint8), chroma, chroma))
        path = tmp_path / name
        write_lossless(path, pictures, width=128, height=96, fps=Fraction(25))
        return measured(path).features

    plain = clip("plain.mkv")
    rough, grainy, moving = clip("rough.mkv", contrast=1.0), clip("grainy.mkv", grain=6), clip("moving.mkv", pan=3)
    assert all(rough[name] > 1.5 * plain[name] for name in ("si", "dct_energy", "luma_std", "bits_intra_16"))
    assert grainy["ti"] > 4 > plain["ti"] == 0
    assert moving["motion"] == pytest.approx(100 * 3 / 128, rel=0.2)
    assert moving["mc_gain"] > 0.7
    assert moving["bits_inter_16"] < moving["bits_intra_16"] / 2
    assert plain["static_share"] == 1
    assert moving["static_share"] == 0


def test_the_document_is_read_back_as_it_was(make_clip, tmp_path):
    found = measured(make_clip())
    path = tmp_path / "complexity.json"
    path.write_text(to_json(found))
    assert read_document(path, Complexity) == found
    assert found.sampled_frames == 12
    assert found.frames_per_second > 0
    with pytest.raises(ValidationError, match="not those of this version"):
        Complexity.model_validate({**found.model_dump(), "features": {"luma_mean": 1.0}})
    with pytest.raises(ValidationError, match="finite"):
        Complexity.model_validate({**found.model_dump(), "features": {**found.features, "si": float("nan")}})


def test_what_was_measured_is_remembered_by_content(make_clip, tmp_path):
    clip, cache = make_clip(), tmp_path / "cache"
    steps = []
    first = survey(probe(clip), plan=PLAN, cache=cache, on_step=steps.append)
    assert steps == ["measuring complexity"]
    assert not first.was_cached
    copy = tmp_path / "copy of it.mkv"
    copy.write_bytes(clip.read_bytes())
    again = survey(probe(copy), plan=PLAN, cache=cache, on_step=steps.append)
    assert again.was_cached
    assert again.complexity == first.complexity
    assert len(steps) == 1
    other = survey(probe(make_clip("other.mkv", seed=9)), plan=PLAN, cache=cache)
    assert not other.was_cached
    assert other.complexity.features != first.complexity.features
    assert not survey(probe(clip), plan=SamplePlan(1, 4), cache=cache).was_cached
    assert not [path for path in cache.rglob("*") if path.is_file() and path.suffix != ".json"]


def test_a_former_revision_codes_twice_as_many_pairs(make_clip):
    """Of 20 frames it codes 4 from 0 and 12 from 8, the present one 4 from 0 alone; nothing else differs."""
    clip = probe(make_clip(frames=20))
    with sampled(clip, SamplePlan(1, 20)) as sample:
        pyramids = [motion.pyramid(planes[0].astype(np.float32)) for _, planes in sample.planes()]
    pairs = [coded_measures(pyramids[b][-1], motion.estimate(pyramids[b], pyramids[a])) for a, b in ((0, 4), (8, 12))]
    former, present = (measure_complexity(clip, plan=SamplePlan(1, 20), revision=each).features for each in REVISIONS)
    assert {name for name in NAMES if former[name] != present[name]} == set(CODED)
    for name in CODED:
        assert present[name] == pytest.approx(pairs[0][name], rel=1e-6)
        assert former[name] == pytest.approx((pairs[0][name] + pairs[1][name]) / 2, rel=1e-6)


def test_what_is_looked_at_beside_a_probe_has_the_numbers_that_it_has_among_all(make_clip, monkeypatch):
    clip = probe(make_clip(frames=20))
    whole = measure_complexity(clip, plan=SamplePlan(1, 20))
    with monkeypatch.context() as patched:  # what is left out is not looked for
        patched.delattr(measuring, "_measure_motion")
        part = measure_complexity(clip, plan=SamplePlan(1, 20), beside_probe=True)
    assert tuple(part.features) == NAMES_BESIDE_PROBE
    assert part.features == {name: whole.features[name] for name in NAMES_BESIDE_PROBE}
    scaled = dict(zip(NAMES, whole.scaled(), strict=True))
    assert part.scaled().tolist() == [scaled[name] for name in NAMES_BESIDE_PROBE]
    with pytest.raises(ValidationError, match="not those of this version"):
        Complexity.model_validate(part.model_dump() | {"features": {"si": 1.0}})


def test_all_and_what_is_looked_at_beside_a_probe_are_remembered_apart(make_clip, tmp_path):
    clip, cache = probe(make_clip()), tmp_path / "cache"
    found = [survey(clip, plan=PLAN, beside_probe=each, cache=cache) for each in (False, True, False, True)]
    assert [len(each.complexity.features) for each in found[:2]] == [len(NAMES), len(NAMES_BESIDE_PROBE)]
    assert [each.was_cached for each in found] == [False, False, True, True]


def test_a_revision_that_is_not_known_is_refused(make_clip):
    assert tuple(CODED_EVERY) == REVISIONS
    with pytest.raises(RequestError, match="revision 1 cannot be measured; this version has 2 and 3"):
        measure_complexity(probe(make_clip()), revision=1)


def test_revisions_are_remembered_apart(make_clip, tmp_path):
    clip, cache = probe(make_clip()), tmp_path / "cache"
    found = [survey(clip, plan=PLAN, revision=each, cache=cache) for each in (*REVISIONS, *REVISIONS)]
    assert [each.complexity.revision for each in found] == [*REVISIONS, *REVISIONS]
    assert [each.was_cached for each in found] == [False, False, True, True]


@pytest.mark.parametrize("damage", [b"", b"{", b'{"schema_version": 1}', b"\xff\xfe"])
def test_a_damaged_memory_is_replaced(make_clip, tmp_path, damage):
    cache = tmp_path / "cache"
    first = survey(probe(make_clip()), plan=PLAN, cache=cache)
    [kept] = cache.rglob("*.json")
    whole = kept.read_bytes()
    kept.write_bytes(damage)
    again = survey(probe(make_clip()), plan=PLAN, cache=cache)
    assert not again.was_cached
    assert again.complexity.features == first.complexity.features
    assert json.loads(kept.read_bytes())["features"] == json.loads(whole)["features"]


def test_the_cache_lies_where_the_xdg_says(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "vmafcast"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for ignored in ("", "relative/place"):
        monkeypatch.setenv("XDG_CACHE_HOME", ignored)
        assert default_cache() == tmp_path / "home" / ".cache" / "vmafcast"
