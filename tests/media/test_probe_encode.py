"""The probe against the same encode made and scored by hand."""

from dataclasses import replace

import numpy as np
import pytest

from vmafcast.common.documents import read_document, to_json
from vmafcast.common.errors import RequestError
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.media import measure
from vmafcast.media.complexity import SamplePlan, sampled
from vmafcast.media.complexity.survey import survey
from vmafcast.media.features import CANONICAL6
from vmafcast.media.graph import EncodeSettings, Scoring
from vmafcast.media.measure import encode_and_score
from vmafcast.media.probe_encode import SCORED_EVERY, Probe, ProbeEncode, ProbeSettings, ShortProbeEncode, run_probe
from vmafcast.media.source import probe
from vmafcast.media.teachers import DEFAULT_TEACHER

X264 = ProbeEncode("libx264", "ultrafast", 30)
SHORT = ShortProbeEncode("libx264", "ultrafast", 38, 10)
SETTINGS = ProbeSettings((X264, ProbeEncode("libx264", "veryfast", 24)), (SHORT,))


@pytest.fixture(scope="module")
def source(make_clip):
    return probe(make_clip("probed.mkv", width=160, height=96, frames=40))


def test_a_probe_of_the_whole_source_is_a_plain_encode_of_it(ffmpeg, source):
    """Sampling, rewriting and forced key frames change nothing where the sample is all there is."""
    found = run_probe(ffmpeg, source, settings=SETTINGS, plan=SamplePlan(1, 40))
    assert found.sampled_runs == ((0, 39),)
    for point, encode in zip(found.points, SETTINGS.encodes, strict=True):
        job = EncodeSettings(get_encoder(encode.encoder), encode.preset, encode.quality)
        [plain] = encode_and_score(ffmpeg, source, [job], Scoring(DEFAULT_TEACHER, (CANONICAL6,)))
        assert (point.encoder, point.preset, point.quality) == (encode.encoder, encode.preset, encode.quality)
        scored = plain.scores.vmaf[::SCORED_EVERY]
        assert point.vmaf == scored.mean()
        assert point.adm2 == plain.scores.columns["adm2"][::SCORED_EVERY].mean()
        assert point.motion2 == plain.scores.columns["motion2"][::SCORED_EVERY].mean()
        assert point.vmaf_p5 == np.percentile(scored, 5)
        assert point.vmaf_harmonic_mean == pytest.approx(1 / np.mean(1 / (scored + 1)) - 1)
        assert point.expected_bpp(40) == pytest.approx(8 * plain.bytes / (40 * 160 * 96))


def test_a_short_encode_is_a_plain_encode_of_the_first_frames_spread_over_the_sample(
    ffmpeg, source, run_tool, tmp_path
):
    found = run_probe(ffmpeg, source, settings=SETTINGS, plan=SamplePlan(1, 40))
    first = tmp_path / "first.mkv"
    run_tool("-i", source.path, "-frames:v", "10", "-c:v", "ffv1", first)
    jobs = [EncodeSettings(get_encoder("libx264"), "ultrafast", quality) for quality in (38, 30)]
    [cut] = encode_and_score(ffmpeg, probe(first), jobs[:1], Scoring(DEFAULT_TEACHER, (CANONICAL6,)))
    [whole] = encode_and_score(ffmpeg, source, jobs[1:], Scoring(DEFAULT_TEACHER, (CANONICAL6,)))
    cut_bits, whole_bits = (8 * each.packets.bytes / (160 * 96) for each in (cut, whole))
    [point] = found.shorts
    assert (point.encoder, point.preset, point.quality, point.first) == ("libx264", "ultrafast", 38, 10)
    assert point.bpp_i == pytest.approx(cut_bits[0])
    assert point.bpp_inter == pytest.approx(cut_bits[1:].mean() * whole_bits[1:].mean() / whole_bits[1:10].mean())
    assert point.expected_bpp(40) == pytest.approx((point.bpp_i + 39 * point.bpp_inter) / 40)
    assert SHORT.name == "libx264_ultrafast_38_first10"


def test_short_encodes_change_nothing_of_the_others(ffmpeg, source):
    plan = SamplePlan(2, 12)
    without = run_probe(ffmpeg, source, settings=ProbeSettings((X264,), ()), plan=plan)
    assert without.shorts == ()
    assert run_probe(ffmpeg, source, settings=ProbeSettings((X264,), (SHORT,)), plan=plan).points == without.points


def test_a_probe_in_two_steps_finds_the_same(ffmpeg, source, monkeypatch):
    one = run_probe(ffmpeg, source, settings=SETTINGS, plan=SamplePlan(1, 12))
    monkeypatch.setattr(measure, "supports_loopback", lambda _: False)
    two = run_probe(ffmpeg, source, settings=SETTINGS, plan=SamplePlan(1, 12))
    assert (two.points, two.shorts) == (one.points, one.shorts)


@pytest.mark.parametrize("short", [ShortProbeEncode("libsvtav1", "12", 40, 8), replace(SHORT, frames=0)])
def test_a_short_encode_without_a_whole_one_or_a_frame_is_refused(short):
    with pytest.raises(RequestError, match=f"the probe {short.name} needs a whole encode by"):
        ProbeSettings((X264,), (short,))
    with pytest.raises(RequestError, match="each of them once"):
        ProbeSettings((X264,), (SHORT, SHORT))


def test_undivided_blocks_cost_bits_and_are_libx264s_alone(ffmpeg, source):
    whole = ProbeEncode("libx264", "veryfast", 24)
    undivided = replace(whole, undivided=True)
    short = ShortProbeEncode("libx264", "veryfast", 34, 10, undivided=True)
    found = run_probe(ffmpeg, source, settings=ProbeSettings((whole, undivided), (short,)), plan=SamplePlan(1, 40))
    plain, other = found.points
    assert other.bpp_inter > plain.bpp_inter
    assert (plain.name, other.name) == ("libx264_veryfast_24", "libx264_veryfast_24_undivided")
    assert found.shorts[0].name == short.name == "libx264_veryfast_34_undivided_first10"
    job = EncodeSettings(get_encoder("libx264"), "veryfast", 24, extra=("-x264-params", "partitions=none"))
    [by_hand] = encode_and_score(ffmpeg, source, [job], Scoring(DEFAULT_TEACHER, (CANONICAL6,)))
    assert other.vmaf == by_hand.scores.vmaf[::SCORED_EVERY].mean()
    for make in (ProbeEncode, ShortProbeEncode):
        with pytest.raises(RequestError, match="only libx264's can"):
            make("libsvtav1", "12", 35, *([8] if make is ShortProbeEncode else []), undivided=True)


def test_a_short_encode_is_spread_by_a_whole_one_that_is_made_alike():
    divided, undivided = (ProbeEncode("libx264", "veryfast", 24, undivided=each) for each in (False, True))
    short = ShortProbeEncode("libx264", "veryfast", 34, 10, undivided=True)
    assert ProbeSettings((divided, undivided), (short,)).whole_of(short) == 1
    with pytest.raises(RequestError, match="that is made alike"):
        ProbeSettings((divided,), (short,))


def test_a_short_encode_is_spread_by_the_whole_one_that_it_names(ffmpeg, source):
    upper, lower = (ProbeEncode("libx264", "veryfast", quality) for quality in (20, 34))
    alike = ShortProbeEncode("libx264", "veryfast", 38, 10)
    named, settings = replace(alike, scaled_by=34), ProbeSettings((upper, lower), (alike, replace(alike, scaled_by=34)))
    assert [settings.whole_of(short) for short in settings.shorts] == [0, 1]
    by_upper, by_lower = run_probe(ffmpeg, source, settings=settings, plan=SamplePlan(1, 40)).shorts
    only = run_probe(ffmpeg, source, settings=ProbeSettings((lower,), (alike,)), plan=SamplePlan(1, 40)).shorts[0]
    assert by_lower.name == named.name == "libx264_veryfast_38_first10_by34"
    assert by_lower.bpp_inter == only.bpp_inter != by_upper.bpp_inter
    assert by_lower.bpp_i == by_upper.bpp_i
    with pytest.raises(RequestError, match="needs a whole encode by libx264 veryfast at 30, and a frame"):
        ProbeSettings((upper, lower), (replace(alike, scaled_by=30),))


def test_what_is_scored_from_a_later_frame_has_its_motion(ffmpeg, source):
    later = ProbeEncode("libx264", "ultrafast", 30, scored_from=1)
    found = run_probe(ffmpeg, source, settings=ProbeSettings((X264, later), ()), plan=SamplePlan(1, 40))
    job = EncodeSettings(get_encoder("libx264"), "ultrafast", 30)
    [plain] = encode_and_score(ffmpeg, source, [job], Scoring(DEFAULT_TEACHER, (CANONICAL6,)))
    for point, encode in zip(found.points, (X264, later), strict=True):
        assert (point.name, point.scored_from) == (encode.name, encode.scored_from)
        for name in ("vmaf", "motion2", "vif_scale0"):
            assert getattr(point, name) == plain.scores.columns[name][encode.scored_from :: SCORED_EVERY].mean()


def test_every_run_begins_with_a_key_frame_of_its_own(ffmpeg, source):
    encodes = (ProbeEncode("libx264", "veryfast", 30), ProbeEncode("libsvtav1", "12", 45))
    pixels = 160 * 96
    one = run_probe(ffmpeg, source, settings=ProbeSettings(encodes, ()), plan=SamplePlan(1, 6))
    for runs in (2, 3):
        found = run_probe(ffmpeg, source, settings=ProbeSettings(encodes, ()), plan=SamplePlan(runs, 6))
        assert len(found.sampled_runs) == runs
        for point, alone in zip(found.points, one.points, strict=True):
            # As many bytes in key frames as there are runs: were there one only, their mean would be of it alone.
            assert point.bpp_i * pixels / 8 == pytest.approx(alone.bpp_i * pixels / 8, rel=0.25)
            assert point.bpp_inter < point.bpp_i


def test_a_source_of_one_frame_has_no_other_frames(ffmpeg, make_clip):
    found = run_probe(ffmpeg, probe(make_clip("one.mkv", frames=1)), settings=SETTINGS)
    for point in found.points:
        assert (point.bpp_inter, point.bpp_p, point.bpp_b, point.b_share) == (None, None, None, 0.0)
        assert point.expected_bpp(1) == point.expected_bpp(500) == point.bpp_i
    assert (found.shorts[0].bpp_inter, found.shorts[0].expected_bpp(500)) == (None, found.shorts[0].bpp_i)


def test_the_expected_size_counts_a_key_frame_every_250(ffmpeg, source):
    point = run_probe(ffmpeg, source, settings=ProbeSettings((X264,), ()), plan=SamplePlan(1, 8)).points[0]
    assert point.expected_bpp(1) == point.bpp_i
    assert point.expected_bpp(250) == pytest.approx((point.bpp_i + 249 * point.bpp_inter) / 250)
    assert point.expected_bpp(251) == pytest.approx((2 * point.bpp_i + 249 * point.bpp_inter) / 251)


@pytest.mark.parametrize("form", ["yuv420p10le", "yuv422p", "yuv444p"])
def test_other_formats_and_odd_sizes_are_probed(ffmpeg, make_clip, run_tool, tmp_path, form):
    path = tmp_path / "odd.mkv"
    clip = make_clip("odd.mkv", width=129, height=97, frames=6)
    run_tool("-i", clip, "-vf", f"format={form}", "-c:v", "ffv1", path)
    found = run_probe(ffmpeg, probe(path), settings=ProbeSettings((X264,), ()))
    plain = run_probe(ffmpeg, probe(clip), settings=ProbeSettings((X264,), ()))
    assert found.points[0].vmaf == pytest.approx(plain.points[0].vmaf, abs=2)


def test_what_it_costs_is_told(ffmpeg, source):
    with sampled(source, SamplePlan(2, 8)) as sample:
        found = run_probe(ffmpeg, source, settings=ProbeSettings((X264,), ()), sample=sample)
    assert found.cpu_seconds > 0
    assert found.wall_seconds > 0
    assert found.sampling_cpu_seconds == sample.cpu_seconds > 0


def test_a_survey_decodes_once_and_remembers_both(ffmpeg, source, tmp_path):
    plan, cache, steps = SamplePlan(2, 5), tmp_path / "cache", []
    alone = survey(source, plan=plan, cache=cache, on_step=steps.append)
    assert alone.probe is None
    first = survey(source, probe_with=ffmpeg, settings=SETTINGS, plan=plan, cache=cache, on_step=steps.append)
    assert steps == ["measuring complexity", "encoding the probe"]
    assert not first.was_cached
    again = survey(source, probe_with=ffmpeg, settings=SETTINGS, plan=plan, cache=cache, on_step=steps.append)
    assert again.was_cached
    assert again.probe == first.probe
    assert again.complexity == first.complexity == alone.complexity
    assert again.cpu_seconds == first.cpu_seconds > alone.cpu_seconds
    for change in ({"settings": ProbeSettings((X264,), ())}, {"probe_with": replace(ffmpeg, build="another")}):
        asked = {"probe_with": ffmpeg, "settings": SETTINGS, **change}
        assert not survey(source, plan=plan, cache=cache, **asked).was_cached


def test_a_probe_repeats_itself(ffmpeg, source):
    settings = ProbeSettings((X264, ProbeEncode("libsvtav1", "12", 50)), (SHORT,))
    one, two = (run_probe(ffmpeg, source, settings=settings, plan=SamplePlan(2, 6)) for _ in range(2))
    assert (one.points, one.shorts) == (two.points, two.shorts)


def test_the_document_is_read_back_as_it_was(ffmpeg, source, tmp_path):
    found = run_probe(ffmpeg, source, settings=ProbeSettings((X264,), ()), plan=SamplePlan(1, 3))
    path = tmp_path / "probe.json"
    path.write_text(to_json(found))
    assert read_document(path, Probe) == found
    assert X264.name == "libx264_ultrafast_30"


@pytest.mark.parametrize("encodes", [(), (X264, X264)])
def test_a_probe_of_nothing_or_of_the_same_twice_is_refused(encodes):
    with pytest.raises(RequestError, match="each of them once"):
        ProbeSettings(encodes, ())
