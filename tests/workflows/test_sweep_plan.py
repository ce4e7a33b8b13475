"""From names to a sweep; what cannot be meant is refused before anything runs."""

from __future__ import annotations

import pytest

from vmafcast.common.errors import MediaError, RequestError
from vmafcast.corpus.plan import default_qualities
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.workflows.sweep import EncoderSweep, expand, make_sweep


def test_every_combination_once_and_in_order():
    settings = expand(EncoderSweep("x264", ("fast", "slow"), (20, 30)), threads=2)
    assert [(each.encoder.name, each.preset, each.quality, each.threads) for each in settings] == [
        ("libx264", "fast", 20, 2),
        ("libx264", "fast", 30, 2),
        ("libx264", "slow", 20, 2),
        ("libx264", "slow", 30, 2),
    ]


@pytest.mark.parametrize("name", ["libx264", "libsvtav1", "libvvenc", "hevc_videotoolbox"])
def test_what_is_left_out_is_the_encoder_s_own(name):
    encoder = get_encoder(name)
    settings = expand(EncoderSweep(name), threads=1)
    assert {each.preset for each in settings} == {encoder.default_preset}
    assert tuple(each.quality for each in settings) == default_qualities(encoder)


def test_sources_have_the_names_and_groups_of_the_manifest(clips):
    sweep = make_sweep([clips], [EncoderSweep("libx264")])
    assert [(each.name, each.group) for each in sweep.sources] == [
        ("alpha", "meadow"),
        ("beta", "river"),
        ("gamma", "river"),
    ]
    assert {each.video.frames for each in sweep.sources} == {9}


@pytest.mark.parametrize(
    ("sweep", "options", "word"),
    [
        (EncoderSweep("libx624"), {}, "libx264"),
        (EncoderSweep("libx264", ("10",)), {}, "ultrafast"),
        (EncoderSweep("libx264", (), (52,)), {}, "0 to 51"),
        (EncoderSweep("libx264"), {"teachers": ("vmaf",)}, "vmaf_v0.6.1"),
        (EncoderSweep("libx264"), {"feature_sets": ("canonical7",)}, "canonical6"),
    ],
)
def test_what_cannot_be_meant_is_refused(clips, sweep, options, word):
    with pytest.raises(RequestError, match=word):
        make_sweep([clips], [sweep], **options)


def test_a_source_that_is_no_video_is_named(tmp_path):
    (tmp_path / "letter.mkv").write_text("Dear Sir or Madam")
    with pytest.raises(MediaError, match=r"letter.mkv"):
        make_sweep([tmp_path], [EncoderSweep("libx264")])
