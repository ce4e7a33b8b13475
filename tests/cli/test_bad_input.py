"""Bad input gets one clear line and the right exit code, and leaves nothing behind."""

import re
import signal
import subprocess
import sys
import time

import av
import pytest

TUNE = ("--encoder", "libx264", "--target", "80")


def refused(outcome, code, *words):
    assert outcome.code == code, outcome.err
    assert "Traceback" not in outcome.err
    first = outcome.err.strip().splitlines()[-1 if code == 2 and "Usage" in outcome.err else 0]
    assert all(word in first for word in words), outcome.err
    return outcome


@pytest.fixture
def text_file(tmp_path):
    path = tmp_path / "letter.mp4"
    path.write_text("this is no video\n" * 100)
    return path


@pytest.mark.parametrize(
    "command",
    [
        "complexity GONE",
        "corpus build GONE --encoder libx264 --out out",
        "corpus card GONE --out out.md",
        "corpus card CORPUS --out out.md --manifest GONE",
        "corpus compact GONE --out out",
        "corpus complexity GONE --sources CLIPS",
        "corpus complexity CORPUS --sources GONE",
        "corpus describe GONE",
        "corpus export GONE --out out.jsonl",
        "corpus import GONE --out out",
        "corpus import CLIPS/MANIFEST.csv --source-groups GONE --out out",
        "corpus merge CORPUS GONE --out out",
        "corpus verify GONE",
        "corpus verify CORPUS --rebuild 1 --sources GONE",
        "coverage GONE",
        "encoders --ffmpeg GONE",
        "encoders --ffmpeg ./GONE",
        "ensemble fr_regressor_v3 --corpus GONE",
        "evaluate GONE",
        "evaluate fr_regressor_v3 --corpus GONE",
        "forecast GONE --encoder libx264",
        "forecast CLIP --encoder libx264 --registry GONE",
        "gate GONE",
        "predict CLIP GONE",
        "predict GONE CLIP",
        "predict CLIP CLIP --model GONE",
        "predict CLIP CLIP --registry GONE",
        "predict --features GONE",
        "registry card fr_regressor_v3 --registry REGISTRY --data-card GONE",
        "registry card fr_regressor_v3 --registry GONE",
        "registry diff a b --registry GONE",
        "registry history --registry GONE",
        "registry list --registry GONE",
        "registry revoke a --reason x --registry GONE",
        "registry rollback a --reason x --registry GONE",
        "registry show a --registry GONE",
        "registry verify --registry GONE",
        "ship GONE",
        "train fr_regressor_v3 --corpus GONE",
        "train fr_regressor_v3 --table GONE",
        "train-predictors --root GONE",
        "tune CLIP --encoder libx264 --target 80 --out out.mkv --ffmpeg ./GONE",
        "tune GONE --encoder libx264 --target 80 --out out.mkv",
    ],
)
def test_a_path_that_was_named_and_is_not_there(served, call, tmp_path, command):
    """One rule for every command: it is a mistake in the request, told before anything is made."""
    places = {
        "GONE": "gone", "CLIP": served.clips / "alpha.mkv", "CLIPS": served.clips, "CORPUS": served.corpus,
        "REGISTRY": served.registry,
    }  # fmt: skip
    for name in ("CLIPS", "CLIP", "CORPUS", "REGISTRY", "GONE"):
        command = re.sub(rf"\b{name}\b", str(places[name]), command)
    outcome = call(*command.split())
    assert (outcome.code, outcome.out) == (2, "")
    assert re.search(r"^error: .*\bgone\b", outcome.err.splitlines()[-1])
    assert list(tmp_path.iterdir()) == []


def test_a_text_file_named_mp4(vmafcast, text_file, tmp_path):
    refused(vmafcast("tune", text_file, *TUNE, "--out", "out.mkv"), 1, "letter.mp4", "not a video")
    assert [path.name for path in tmp_path.iterdir()] == ["letter.mp4"]


def test_a_truncated_video(vmafcast, clip, tmp_path):
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    refused(vmafcast("tune", cut, *TUNE, "--out", "out.mkv"), 1, "cut.mkv", "cut short")
    assert [path.name for path in tmp_path.iterdir()] == ["cut.mkv"]


def test_audio_only(vmafcast, tmp_path):
    path = tmp_path / "sound.mka"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame(format="s16", layout="mono", samples=800)
        frame.planes[0].update(bytes(frame.planes[0].buffer_size))
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    refused(vmafcast("tune", path, *TUNE, "--out", "out.mkv"), 1, "sound.mka", "no video stream")


def test_an_unknown_encoder_gets_a_suggestion(vmafcast, clip):
    refused(vmafcast("tune", clip, "--encoder", "libx624", "--target", "80", "--out", "o.mkv"), 2, "libx624", "libx264")


def test_an_encoder_that_does_not_work_here(vmafcast, clip, tmp_path):
    outcome = vmafcast("tune", clip, "--encoder", "h264_videotoolbox", "--target", "80", "--out", "o.mkv")
    if sys.platform == "darwin":
        pytest.skip("VideoToolbox may work here")
    refused(outcome, 1, "h264_videotoolbox", "does not work here")
    assert not (tmp_path / "o.mkv").exists()


def test_a_quality_out_of_range(vmafcast, clip, tmp_path):
    arguments = ("corpus", "build", clip, "--encoder", "libx264", "--quality", "23,99", "--out", "corpus")
    refused(vmafcast(*arguments), 2, "99", "libx264")
    assert not (tmp_path / "corpus").exists()


def test_an_unknown_preset(vmafcast, clip):
    refused(vmafcast("tune", clip, *TUNE, "--preset", "medum", "--out", "o.mkv"), 2, "medum", "medium")


@pytest.mark.parametrize("target", ["0", "101", "nan"])
def test_a_target_that_is_no_vmaf(vmafcast, clip, target):
    arguments = ("tune", clip, "--encoder", "libx264", "--target", target, "--out", "o.mkv")
    refused(vmafcast(*arguments), 2, "target")


def test_an_output_that_cannot_be_written(vmafcast, clip, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    refused(vmafcast("tune", clip, *TUNE, "--out", blocked / "out.mkv"), 1, "cannot write")
    assert blocked.read_text() == "in the way"


def test_an_output_without_a_container(vmafcast, clip):
    refused(vmafcast("tune", clip, *TUNE, "--out", "video.xyz"), 2, "video.xyz", ".mkv")


def test_the_source_is_never_its_own_output(vmafcast, clip):
    before = clip.read_bytes()
    refused(vmafcast("tune", clip, *TUNE, "--out", clip), 2, "the source itself")
    assert clip.read_bytes() == before


def test_an_unreachable_target_leaves_the_best_effort_and_says_why(vmafcast, clip, tmp_path):
    arguments = ("tune", clip, "--encoder", "libx264", "--preset", "ultrafast", "--target", "100", "--out", "o.mkv")
    outcome = vmafcast(*arguments, "--json")
    assert outcome.code == 1
    done, error = outcome.lines[-2:]
    assert (done["type"], done["outcome"]) == ("done", "unreachable")
    assert error["type"] == "error"
    assert "reaches VMAF 100" in error["message"]
    assert (tmp_path / "o.mkv").stat().st_size > 0


def test_an_ffmpeg_that_is_none(vmafcast, clip):
    refused(vmafcast("tune", clip, *TUNE, "--out", "o.mkv", "--ffmpeg", "/bin/true"), 1, "/bin/true")


def test_an_ffmpeg_without_libvmaf(vmafcast, clip, tmp_path, ffmpeg_without_libvmaf):
    outcome = vmafcast("tune", clip, *TUNE, "--out", "o.mkv", "--ffmpeg", ffmpeg_without_libvmaf)
    refused(outcome, 1, "built without libvmaf")
    assert not (tmp_path / "o.mkv").exists()


def test_no_registry(vmafcast, clip):
    refused(vmafcast("predict", clip, clip, "--registry", "empty"), 2, "empty", "no registry")


def test_no_corpus(vmafcast, tmp_path):
    refused(vmafcast("corpus", "describe", tmp_path), 1, "holds no corpus")


def test_with_json_an_error_is_a_line_of_its_own(vmafcast, tmp_path):
    outcome = vmafcast("corpus", "describe", tmp_path, "--json")
    [line] = outcome.lines
    assert line["type"] == "error"
    assert line["exit_code"] == outcome.code == 1


def test_ctrl_c_ends_at_once_and_leaves_nothing_half_written(clip, tmp_path, running, start):
    process = start("tune", clip, "--encoder", "libaom-av1", "--preset", "0", "--target", "95", "--out", "slow.mkv")
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
    assert not running()


def test_ctrl_c_ends_what_a_build_runs_and_not_only_what_it_would_run_next(clip, tmp_path, running, start):
    """Polars' own handler of the signal must not keep it from a build that waits for a cell."""
    arguments = ("corpus", "build", clip, "--encoder", "libaom-av1", "--preset", "0", "--out", "corpus")
    process = start(*arguments, made="vmafcast-work-*/c6.packets")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in err
    assert not list(tmp_path.glob("corpus/encodes/*")), "the cells were waited for"
    assert not running()


def test_training_without_its_extra_names_the_extra(tmp_path):
    code = (
        "import sys; sys.modules['jax'] = None; sys.argv = ['vmafcast', 'train', 'fr_regressor_v3', '--corpus', 'c']; "
        "from vmafcast.cli.main import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "vmafcast[train]" in done.stderr
    assert "Traceback" not in done.stderr
