"""``vmafcast predict``: the champion's score beside the teacher's, both checked against tools that are not vmafcast."""

from __future__ import annotations

import json
import shutil

import numpy as np
import onnxruntime
import pytest

LOGGED = ("integer_adm2", *(f"integer_vif_scale{scale}" for scale in range(4)), "integer_motion2")


@pytest.fixture(scope="session")
def distorted(served, run_tool, tmp_path_factory):
    """One clip of the line, encoded by hand: a Matroska source as an MP4, whose timestamps differ."""
    path = tmp_path_factory.mktemp("distorted") / "alpha.mp4"
    source = served.clips / "alpha.mkv"
    run_tool("-i", source, "-c:v", "libx264", "-preset", "ultrafast", "-crf", "30", "-threads", "1", path)
    return path


@pytest.fixture
def predict(served, distorted, call):
    def run(*arguments):
        return call("predict", served.clips / "alpha.mkv", distorted, "--registry", served.registry, *arguments)

    return run


@pytest.fixture(scope="session")
def by_hand(served, distorted, raw_scores):
    """The teacher's scores from a plain ffmpeg, and a function that runs the champion's graph on its log."""
    frames = [frame["metrics"] for frame in raw_scores(served.clips / "alpha.mkv", distorted)["frames"]]
    features = np.array([[frame[name] for name in LOGGED] for frame in frames], dtype=np.float32)
    [folder] = (served.registry / "models").iterdir()
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    vocabulary = json.loads((folder / "model.json").read_text())["encoder_vocab"]

    def score(slot=None, preset_norm=0.0, crf_norm=0.0):
        row = [float(name == slot) for name in vocabulary] + [preset_norm, crf_norm]
        block = np.tile(np.array(row, dtype=np.float32), (len(frames), 1))
        return session.run(["vmaf"], {"features": features, "codec_block": block})[0]

    return np.array([frame["vmaf"] for frame in frames]), score


def test_a_known_encode_is_scored_as_one(predict, served, by_hand):
    outcome = predict("--encoder", "h264", "--preset", "ultrafast", "--quality", "30", "--json")
    assert outcome.code == 0, outcome.err
    [clip] = outcome.lines
    measured, score = by_hand
    assert clip["measured"] == pytest.approx(measured.mean(), abs=1e-4)
    assert clip["predicted"] == pytest.approx(score("libx264", 0.0, 1 - 30 / 51).mean(), abs=1e-3)
    assert abs(clip["predicted"] - clip["measured"]) < 5
    assert (clip["frames"], clip["teacher"]) == (served.frames, "vmaf_v0.6.1")
    assert clip["model"] == served.said["ship"].lines[1]["model"]
    assert not [each for each in clip["warnings"] if "encoder" in each]


def test_the_frames_are_those_of_the_clip(predict, served, by_hand):
    outcome = predict("--frames", "--json")
    *frames, clip = outcome.lines
    measured, score = by_hand
    assert [line["frame"] for line in frames] == list(range(served.frames))
    assert [line["measured"] for line in frames] == pytest.approx(measured.tolist(), abs=1e-4)
    assert [line["predicted"] for line in frames] == pytest.approx(score().tolist(), abs=1e-3)
    assert clip["predicted"] == pytest.approx(np.mean([line["predicted"] for line in frames]), abs=1e-9)


def test_an_encode_that_nobody_told_of_needs_no_warning(predict, by_hand):
    [clip] = predict("--json").lines
    _, score = by_hand
    assert clip["predicted"] == pytest.approx(score().mean(), abs=1e-3)
    assert not [each for each in clip["warnings"] if "encoder" in each]


@pytest.mark.parametrize(
    ("encoder", "preset", "quality", "norms", "why"),
    [
        ("libvpx-vp9", "2", 40, (3 / 5, 1 - 40 / 63), "does not hold"),
        ("librav1e", "6", 100, (4 / 10, 1 - 100 / 255), "does not hold"),
        ("hevc", "medium", 28, (5 / 9, 1 - 28 / 51), "was not trained with"),
    ],
)
def test_an_encoder_that_the_model_does_not_know_is_scored_as_unknown(
    predict, by_hand, encoder, preset, quality, norms, why
):
    outcome = predict("--encoder", encoder, "--preset", preset, "--quality", quality, "--json")
    assert outcome.code == 0, outcome.err
    [clip] = outcome.lines
    [warning] = [each for each in clip["warnings"] if "unknown encoder" in each]
    assert why in warning
    assert warning in outcome.err
    _, score = by_hand
    assert clip["predicted"] == pytest.approx(score(None, *norms).mean(), abs=1e-3)


def test_the_default_preset_is_the_encoder_s(predict):
    stated, left_out = (predict("--encoder", "libx264", *more, "--quality", "30", "--json").lines[0]["predicted"]
                        for more in (("--preset", "medium"), ()))  # fmt: skip
    assert stated == left_out


def test_people_get_a_table(predict, by_hand):
    outcome = predict("--encoder", "libx264", "--preset", "ultrafast", "--quality", "30")
    assert outcome.code == 0
    measured, score = by_hand
    shown = {line.split()[0]: line.split()[-1] for line in outcome.out.splitlines() if line.strip()}
    assert float(shown["measured,"]) == pytest.approx(measured.mean(), abs=0.006)
    assert float(shown["predicted"]) == pytest.approx(score("libx264", 0.0, 1 - 30 / 51).mean(), abs=0.006)
    assert float(shown["difference"]) == pytest.approx(float(shown["predicted"]) - float(shown["measured,"]), abs=0.011)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--encoder", "libx264"), "--quality"),
        (("--quality", "30"), "--encoder"),
        (("--preset", "medium"), "--encoder"),
        (("--encoder", "libx264", "--quality", "52"), "0 to 51"),
        (("--encoder", "libx264", "--quality", "30", "--preset", "8"), "ultrafast"),
        (("--encoder", "x624", "--quality", "30"), "libx264"),
        (("--recipe", "fr_regressor_lite"), "recipes served: fr_regressor_v3"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(predict, arguments, word):
    outcome = predict(*arguments, "--json")
    assert outcome.code == 2
    [line] = outcome.lines
    assert (line["type"], line["exit_code"]) == ("error", 2)
    assert word in line["message"]


def test_two_videos_of_different_length_are_refused(served, make_clip, vmafcast):
    shorter = make_clip("shorter.mkv", width=96, height=64, frames=served.frames - 1)
    outcome = vmafcast("predict", served.clips / "alpha.mkv", shorter, "--registry", served.registry)
    assert outcome.code == 1
    assert outcome.out == ""
    assert f"has {served.frames - 1} frames" in outcome.err
    assert f"has {served.frames};" in outcome.err


def test_another_size_is_scaled_to_the_reference(served, make_clip, vmafcast):
    small = make_clip("small.mkv", width=48, height=32, frames=served.frames)
    outcome = vmafcast("predict", served.clips / "alpha.mkv", small, "--registry", served.registry, "--json")
    assert outcome.code == 0
    assert 0 <= outcome.lines[0]["predicted"] <= 100


def test_nothing_is_left_behind(predict, tmp_path):
    assert predict("--json").code == 0
    assert list(tmp_path.iterdir()) == []


def test_the_registry_may_come_from_the_environment(served, distorted, vmafcast, tmp_path, monkeypatch):
    shutil.copytree(served.registry, tmp_path / "elsewhere")
    monkeypatch.setenv("VMAFCAST_REGISTRY", "elsewhere")
    assert vmafcast("predict", served.clips / "alpha.mkv", distorted, "--json").code == 0


def test_what_the_registry_lacks_comes_from_the_package(registry, served, distorted, call, tmp_path):
    """The folder that ``call`` works in holds a registry of the product recipe alone."""
    videos = ("predict", served.clips / "alpha.mkv", distorted, "--json")
    own = call(*videos)
    assert (own.lines[-1]["origin"], own.err) == ("registry", "")
    other = call(*videos, "--recipe", "fr_regressor_v1")
    assert (other.code, other.lines[-1]["origin"]) == (0, "packaged")
    assert "./registry has no champion of fr_regressor_v1: that of vmafcast itself answers" in other.err
    sure = call(*videos, "--confidence", "0.9")
    assert (sure.code, sure.lines[-1]["origin"]) == (0, "packaged")
    assert sure.lines[-1]["model"].startswith("fr_regressor_v3_ensemble-")
    named = call(*videos, "--recipe", "fr_regressor_v1", "--registry", registry)
    assert named.code == 2
    assert "no champion is served for 'fr_regressor_v1'" in named.err
