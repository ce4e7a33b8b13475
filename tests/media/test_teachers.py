"""Teachers as data, and as libvmaf gives their scores."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from vmafcast.common.errors import MediaError, RequestError
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.media.features import CANONICAL6, LITE, columns_of
from vmafcast.media.graph import EncodeSettings, Scoring
from vmafcast.media.measure import encode_and_score, score_pair
from vmafcast.media.source import probe
from vmafcast.media.teachers import (
    DEFAULT_TEACHER,
    TEACHERS,
    check_teacher,
    default_teacher,
    get_teacher,
    teacher_columns,
)

NAMES = tuple(TEACHERS)
_LONGEST_MODEL = 100_000
V1 = tuple(name for name in NAMES if name.startswith("vmaf_v1"))
SETS = (CANONICAL6, LITE)


@pytest.fixture(scope="module")
def source(make_clip):
    return probe(make_clip(width=640, height=640, frames=3, seed=5))


@pytest.fixture(scope="module")
def distorted(source, run_tool, tmp_path_factory):
    path = tmp_path_factory.mktemp("teachers") / "distorted.mkv"
    run_tool("-i", source.path, "-c:v", "libx264", "-crf", 38, "-preset", "veryfast", path)
    return probe(path)


@pytest.fixture(scope="module")
def scored(ffmpeg, source, distorted):
    """Every teacher in one pass."""
    first, *further = NAMES
    return score_pair(ffmpeg, source, distorted, Scoring(first, SETS, further_teachers=tuple(further)))


def test_names():
    for name in NAMES:
        assert check_teacher(name) == get_teacher(name).name == name
    with pytest.raises(RequestError, match=r"'vmaf_v9'; known are vmaf_v0\.6\.1"):
        check_teacher("vmaf_v9")
    assert teacher_columns(["frame", "vmaf", "vmaf_v0.6.1neg", "adm2"]) == ("vmaf_v0.6.1neg",)


def test_the_default_follows_the_resolution():
    assert default_teacher(352, 288) == default_teacher(1920, 1080) == default_teacher(1080, 1920) == DEFAULT_TEACHER
    assert default_teacher(2560, 1440) == DEFAULT_TEACHER
    assert default_teacher(3840, 2160) == default_teacher(2160, 3840) == default_teacher(4096, 1716) == "vmaf_4k_v0.6.1"


def models_in(binary):
    """The models that an executable carries, as their own files say it."""
    data = Path(binary).read_bytes()
    for begin in re.finditer(rb'\{\s*"(?:param_dict|model_dict)"', data):
        with suppress(ValueError):
            text = data[begin.start() : begin.start() + _LONGEST_MODEL].decode("latin-1")
            yield json.JSONDecoder().raw_decode(text)[0]["model_dict"]


@pytest.fixture(scope="module")
def v1_files(ffmpeg):
    models = [model for model in models_in(ffmpeg.path) if "Cambi_feature_cambi_score" in model["feature_names"]]
    if not models:
        pytest.skip("this ffmpeg does not carry its models as text")
    return models


@pytest.mark.parametrize("name", V1)
def test_range_and_view_are_what_the_models_own_file_says(v1_files, name):
    """The bundled ffmpeg carries the files as text; a view is told by ADM's options."""
    teacher = get_teacher(name)
    [model] = [
        model
        for model in v1_files
        for adm, motion in [model["feature_opts_dicts"][2:4]]
        if (adm["adm_norm_view_dist"], adm["adm_ref_display_height"])
        == (teacher.viewing_distance, teacher.display_height)
        and motion.get("motion_five_frame_window", False) == teacher.high_frame_rate
    ]
    assert tuple(model["score_clip"]) == (teacher.low, teacher.high)
    assert [key.split("_feature_")[1].removesuffix("_score") for key in model["feature_names"]] == list(
        teacher.features
    )
    assert (model["feature_opts_dicts"][2]["adm_enhn_gain_limit"] == 1) == teacher.gain_limited


@pytest.mark.parametrize("name", NAMES)
def test_one_of_many_in_a_pass_scores_as_it_does_alone_by_hand(scored, source, distorted, run_tool, tmp_path, name):
    graph = (
        f"[0:v]settb=1/25,setpts=N[d];[1:v]settb=1/25,setpts=N[r];"
        f"[d][r]libvmaf=model=version={name}:log_fmt=json:log_path=n.json"
    )
    run_tool("-i", distorted.path, "-i", source.path, "-filter_complex", graph, "-f", "null", "-", cwd=tmp_path)
    by_hand = [frame["metrics"]["vmaf"] for frame in json.loads((tmp_path / "n.json").read_text())["frames"]]
    ours = scored.columns["vmaf" if name == NAMES[0] else name]
    np.testing.assert_array_equal(ours, by_hand)
    teacher = get_teacher(name)
    assert ours.min() >= teacher.low
    assert ours.max() <= teacher.high


def test_every_teacher_is_another(scored):
    """But for motion over five frames: this clip moves more than any of them counts."""
    plain = [name for name, teacher in TEACHERS.items() if not teacher.high_frame_rate]
    means = {name: scored.columns["vmaf" if name == NAMES[0] else name].mean() for name in plain}
    assert len(set(means.values())) == len(plain) == 8, means


@pytest.mark.parametrize("teacher", [NAMES[0], "vmaf_4k_v0.6.1neg", "vmaf_v1.0.16_hfr_3d0h"])
def test_the_features_are_the_same_whoever_teaches(ffmpeg, source, distorted, scored, teacher):
    """A neg teacher computes variants of ADM and VIF for itself, one of the v1 family others still."""
    scores = score_pair(ffmpeg, source, distorted, Scoring(teacher, SETS))
    assert set(scores.columns) == {*columns_of(SETS), "vmaf"}
    for name in columns_of(SETS):
        np.testing.assert_array_equal(scores.columns[name], scored.columns[name], err_msg=name)
    np.testing.assert_array_equal(scores.vmaf, scored.columns["vmaf" if teacher == NAMES[0] else teacher])


def test_a_perfect_copy(ffmpeg, source):
    first, *further = NAMES
    scores = score_pair(ffmpeg, source, source, Scoring(first, (), further_teachers=tuple(further)))
    for name, teacher in TEACHERS.items():
        column = scores.columns["vmaf" if name == first else name]
        assert column.min() > 93, name
        assert column.max() <= teacher.high, name
    assert scores.columns["vmaf_v1.0.16_3d0h_2160"].max() > 100  # its range goes on


@pytest.mark.parametrize("loopback", [True, False])
def test_several_teachers_in_one_pass_over_encodes(ffmpeg, source, loopback):
    jobs = [EncodeSettings(get_encoder("libx264"), "ultrafast", quality) for quality in (25, 40)]
    many = Scoring(DEFAULT_TEACHER, SETS, further_teachers=("vmaf_v0.6.1neg", "vmaf_v1.0.16_3d0h"))
    together = encode_and_score(ffmpeg, source, jobs, many, loopback=loopback)
    alone = encode_and_score(ffmpeg, source, jobs, Scoring(DEFAULT_TEACHER, SETS), loopback=loopback)
    for one, other in zip(together, alone, strict=True):
        assert list(one.scores.columns) == [*other.scores.columns, "vmaf_v0.6.1neg", "vmaf_v1.0.16_3d0h"]
        for name, column in other.scores.columns.items():
            np.testing.assert_array_equal(one.scores.columns[name], column, err_msg=name)


@pytest.mark.parametrize(("name", "side"), [(V1[0], 318), ("vmaf_v1.0.16_5d0h", 538), ("vmaf_v1.0.16_3d0h_2160", 638)])
def test_a_picture_that_is_too_small_for_a_teacher_is_refused(ffmpeg, make_clip, name, side):
    """It would not see chroma, and say so nowhere: the score comes out some points wrong."""
    small = probe(make_clip(width=648, height=side, frames=1))
    for scoring in (Scoring(name, ()), Scoring(DEFAULT_TEACHER, (), further_teachers=(name,))):
        with pytest.raises(
            MediaError, match=rf"is 648x{side}, and the teacher {name} cannot .* below {side + 2} pixels"
        ):
            score_pair(ffmpeg, small, small, scoring)


@pytest.mark.parametrize("name", [name for name in V1 if "hfr" not in name])
def test_at_its_smallest_size_a_teacher_sees_chroma(ffmpeg, make_clip, run_tool, tmp_path, name):
    side = get_teacher(name).smallest_side
    clip = make_clip(width=side, height=side, frames=2, seed=7)
    noisy = "noise=c1_seed=1:c1s=30:c2_seed=2:c2s=30"  # the generated chroma alone is too plain for SpEED
    run_tool("-i", clip, "-vf", noisy, "-c:v", "ffv1", tmp_path / "source.mkv")
    source = probe(tmp_path / "source.mkv")
    for what, radius in (("same", 0), ("washed", 8)):  # nothing but chroma is blurred
        run_tool("-i", source.path, "-vf", f"boxblur=0:0:{radius}:{min(radius, 2)}", "-c:v", "ffv1",
                 tmp_path / f"{what}.mkv")  # fmt: skip
    same, washed = (
        score_pair(ffmpeg, source, probe(tmp_path / f"{what}.mkv"), Scoring(name, ())).vmaf[1]
        for what in ("same", "washed")
    )
    assert washed < same - 1
