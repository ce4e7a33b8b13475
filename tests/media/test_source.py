from __future__ import annotations

import hashlib
import os
from fractions import Fraction
from pathlib import Path

import pytest

from vmafcast.common.errors import MediaError, RequestError
from vmafcast.media.source import Source, input_url, probe

# ---------------------------------------------------------------------------------------------- what can be used


@pytest.fixture(scope="module")
def clip(make_clip):
    return make_clip(frames=30)


@pytest.fixture(scope="module")
def coded(clip, run_tool, tmp_path_factory):
    """The same frames as H.264 with B frames, in every order that a container may be written in."""
    folder = tmp_path_factory.mktemp("coded")
    encode = ("-c:v", "libx264", "-preset", "veryfast", "-g", "10", "-bf", "2", "-threads", "1")
    run_tool("-i", clip, *encode, folder / "end.mp4")
    run_tool("-i", folder / "end.mp4", "-c", "copy", "-movflags", "+faststart", folder / "front.mp4")
    run_tool("-i", folder / "end.mp4", "-c", "copy", folder / "clip.mkv")
    return folder


def test_every_fact_of_a_clip(clip):
    source = probe(clip)
    assert source == Source(
        path=clip.absolute(),
        sha256=hashlib.sha256(clip.read_bytes()).hexdigest(),
        width=128,
        height=96,
        fps=Fraction(25),
        frames=30,
        pixel_format="yuv420p",
        bit_depth=8,
        full_range=False,
        codec="ffv1",
        encoder_tag="",
    )
    assert source.duration == pytest.approx(1.2)


def test_the_encoder_tag_is_what_the_stream_says(coded):
    assert "libx264" in probe(coded / "clip.mkv").encoder_tag


def test_a_fractional_rate_stays_a_fraction(make_clip):
    assert probe(make_clip(fps=Fraction(30000, 1001))).fps == Fraction(30000, 1001)


def test_one_frame_is_a_video(make_clip):
    source = probe(make_clip(frames=1))
    assert source.frames == 1
    assert source.duration == pytest.approx(0.04)


@pytest.mark.parametrize(("width", "height"), [(97, 65), (98, 65), (97, 66)])
def test_odd_sizes_lose_their_last_row_or_column(make_clip, width, height):
    source = probe(make_clip(width=width, height=height, frames=2))
    assert (source.width, source.height) == (width, height)
    assert (source.even_width, source.even_height) == (width // 2 * 2, height // 2 * 2)


@pytest.mark.parametrize(
    ("pixel_format", "depth"), [("yuv420p10le", 10), ("yuv422p", 8), ("yuv444p12le", 12), ("gray", 8)]
)
def test_the_depth_is_that_of_the_decoded_frames(clip, run_tool, tmp_path, pixel_format, depth):
    run_tool("-i", clip, "-frames:v", 2, "-pix_fmt", pixel_format, "-c:v", "ffv1", tmp_path / "clip.mkv")
    source = probe(tmp_path / "clip.mkv")
    assert (source.pixel_format, source.bit_depth) == (pixel_format, depth)


@pytest.mark.parametrize(
    ("tags", "full"), [(("-color_range", "pc"), True), (("-color_range", "tv"), False), ((), False)]
)
def test_the_range_is_told_from_its_tag(clip, run_tool, tmp_path, tags, full):
    untagged = ("-vf", f"setparams=range={'pc' if full else 'tv'}") if tags else ()
    run_tool("-i", clip, "-frames:v", 2, *untagged, "-c:v", "libx264", *tags, tmp_path / "clip.mp4")
    assert probe(tmp_path / "clip.mp4").full_range is full


def test_motion_jpeg_is_full_range(clip, run_tool, tmp_path):
    run_tool("-i", clip, "-frames:v", 2, "-pix_fmt", "yuvj420p", "-c:v", "mjpeg", tmp_path / "clip.avi")
    assert probe(tmp_path / "clip.avi").full_range


@pytest.mark.parametrize("name", ["clip.mp4", "clip.ts", "clip.flv", "clip.264", "clip.mov", "clip.nut"])
def test_frames_are_counted_in_every_container(coded, run_tool, tmp_path, name):
    run_tool("-i", coded / "end.mp4", "-c", "copy", tmp_path / name)
    source = probe(tmp_path / name)
    assert (source.frames, source.fps, source.codec) == (30, 25, "h264")


def test_frames_are_counted_in_a_fragmented_mp4(coded, run_tool, tmp_path):
    run_tool("-i", coded / "end.mp4", "-c", "copy", "-movflags", "+frag_keyframe+empty_moov", tmp_path / "clip.mp4")
    assert probe(tmp_path / "clip.mp4").frames == 30


def test_frames_that_an_edit_list_hides_are_not_counted(coded, run_tool, tmp_path):
    run_tool("-ss", "0.6", "-i", coded / "end.mp4", "-c", "copy", tmp_path / "clip.mp4")
    source = probe(tmp_path / "clip.mp4")
    assert source.frames < 30
    run_tool("-i", tmp_path / "clip.mp4", "-fps_mode", "passthrough", "-c:v", "rawvideo", tmp_path / "decoded.nut")
    assert source.frames == probe(tmp_path / "decoded.nut").frames


def test_vp8_frames_that_are_never_shown_are_not_counted(clip, run_tool, tmp_path):
    run_tool("-i", clip, "-c:v", "libvpx", "-auto-alt-ref", 1, "-lag-in-frames", 16, tmp_path / "clip.webm")
    assert probe(tmp_path / "clip.webm").frames == 30


@pytest.mark.parametrize("degrees", [90, -90])
def test_a_quarter_turn_swaps_the_sides_as_ffmpeg_does(coded, run_tool, tmp_path, degrees):
    run_tool("-display_rotation", degrees, "-i", coded / "end.mp4", "-c", "copy", tmp_path / "clip.mp4")
    source = probe(tmp_path / "clip.mp4")
    assert (source.width, source.height) == (96, 128)


def test_a_half_turn_keeps_the_sides(coded, run_tool, tmp_path):
    run_tool("-display_rotation", 180, "-i", coded / "end.mp4", "-c", "copy", tmp_path / "clip.mp4")
    assert (probe(tmp_path / "clip.mp4").width, probe(tmp_path / "clip.mp4").height) == (128, 96)


def test_a_cover_picture_is_not_the_video(coded, run_tool, tmp_path):
    run_tool("-i", coded / "end.mp4", "-frames:v", 1, tmp_path / "cover.png")
    run_tool(
        "-i", tmp_path / "cover.png", "-i", coded / "end.mp4", "-map", 0, "-map", 1, "-c", "copy",
        "-disposition:v:0", "attached_pic", tmp_path / "clip.mp4",
    )  # fmt: skip
    source = probe(tmp_path / "clip.mp4")
    assert (source.codec, source.frames) == ("h264", 30)


NAMES = [
    "-i.mkv",
    "-y",
    "concat:a|b.mkv",
    "a:b.mkv",
    "100%d.mkv",
    "%03d.mkv",
    'it\'s a "clip".mkv',
    "with spaces .mkv",
    "semi;colon,comma[0].mkv",
    "back\\slash.mkv",
    "new\nline.mkv",
    "http:example.mkv",
    "file:clip.mkv",
    "ünï🎬.mkv",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_only_a_name(clip, tmp_path, monkeypatch, name):
    (tmp_path / name).write_bytes(clip.read_bytes())
    assert probe(tmp_path / name).frames == 30
    monkeypatch.chdir(tmp_path)
    assert probe(Path(name)).path == tmp_path / name


def test_an_input_url_can_never_be_read_as_an_option_or_another_protocol():
    assert input_url(Path("/a/-y")) == "file:/a/-y"
    assert input_url(Path("-y")).startswith("file:/")


def test_a_link_to_a_clip_is_the_clip(clip, tmp_path):
    (tmp_path / "link.mkv").symlink_to(clip)
    assert probe(tmp_path / "link.mkv").sha256 == probe(clip).sha256


# ------------------------------------------------------------------------------------------- what cannot be used


@pytest.mark.parametrize("name", ["absent.mkv", "concat:a.mkv|b.mkv", "http://localhost/clip.mkv", "pipe:0", "-"])
def test_what_is_no_file_is_refused_before_ffmpeg_sees_it(tmp_path, monkeypatch, clip, name):
    monkeypatch.chdir(tmp_path)
    for each in ("a.mkv", "b.mkv"):
        (tmp_path / each).write_bytes(clip.read_bytes())
    with pytest.raises(RequestError, match="does not exist") as caught:
        probe(Path(name))
    assert str(Path(name)) in str(caught.value)


def test_a_folder_is_refused_as_one(tmp_path):
    with pytest.raises(RequestError, match="is a folder"):
        probe(tmp_path)


@pytest.mark.parametrize("content", [b"", b"just words\n" * 100, b"\x00" * 5000, b"\x1aE\xdf\xa3" + b"\x00" * 500])
def test_a_file_that_is_no_video(tmp_path, content):
    path = tmp_path / "notes.mp4"
    path.write_bytes(content)
    with pytest.raises(MediaError, match=r"notes\.mp4 is not a video"):
        probe(path)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
@pytest.mark.parametrize("name", ["end.mp4", "front.mp4", "clip.mkv"])
def test_a_file_that_was_cut_is_refused(coded, tmp_path, name, share):
    whole = (coded / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(MediaError, match=r"cut short|not a video that can be read|cannot be read to its end") as caught:
        probe(tmp_path / name)
    assert name in str(caught.value)


def test_an_mp4_that_lost_only_its_last_frames_is_refused(coded, tmp_path):
    """Its index says how many frames it has; nine tenths of them are not all."""
    whole = (coded / "front.mp4").read_bytes()
    (tmp_path / "clip.mp4").write_bytes(whole[:-200])
    with pytest.raises(MediaError, match="cut short"):
        probe(tmp_path / "clip.mp4")


def test_a_lossless_clip_that_was_cut_is_refused(clip, tmp_path):
    (tmp_path / "clip.mkv").write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    with pytest.raises(MediaError, match="cut short"):
        probe(tmp_path / "clip.mkv")


def test_a_duration_tag_that_is_none_is_passed_over(coded, tmp_path):
    damaged = (coded / "clip.mkv").read_bytes().replace(b"00:00:01.200000000", b"about a second    ")
    assert b"about a second" in damaged
    (tmp_path / "clip.mkv").write_bytes(damaged)
    assert probe(tmp_path / "clip.mkv").frames == 30


@pytest.mark.parametrize("name", ["late.mkv", "late.mp4", "late.ts"])
def test_a_video_that_begins_late_is_whole(coded, run_tool, tmp_path, name):
    """Matroska states the end on its own timeline, not the length."""
    run_tool("-i", coded / "clip.mkv", "-c", "copy", "-output_ts_offset", "7.013", tmp_path / name)
    assert probe(tmp_path / name).frames == 30


def test_a_duration_that_was_copied_from_elsewhere_is_passed_over(clip, run_tool, tmp_path):
    """ffmpeg copies the tags of the longer clip that these frames are from."""
    run_tool("-i", clip, "-frames:v", 3, "-c:v", "rawvideo", tmp_path / "clip.nut")
    assert probe(tmp_path / "clip.nut").frames == 3


@pytest.mark.parametrize("name", ["sound.m4a", "sound.mkv", "sound.mp4"])
def test_sound_alone(run_tool, tmp_path, name):
    run_tool("-f", "lavfi", "-i", "sine=d=0.5", "-c:a", "aac", tmp_path / name)
    with pytest.raises(MediaError, match="has no video stream"):
        probe(tmp_path / name)


def test_sound_with_a_cover_picture_has_no_video(clip, run_tool, tmp_path):
    run_tool("-i", clip, "-frames:v", 1, tmp_path / "cover.png")
    run_tool(
        "-f", "lavfi", "-i", "sine=d=0.5", "-i", tmp_path / "cover.png", "-map", 0, "-map", 1, "-c:a", "aac",
        "-c:v", "copy", "-disposition:v:0", "attached_pic", tmp_path / "song.m4a",
    )  # fmt: skip
    with pytest.raises(MediaError, match="has no video stream"):
        probe(tmp_path / "song.m4a")


@pytest.mark.parametrize("name", ["none.mkv", "none.mp4", "none.y4m", "none.nut"])
def test_a_video_without_frames(clip, run_tool, tmp_path, name):
    run_tool(
        "-i",
        clip,
        "-vf",
        "select=0",
        "-c:v",
        "rawvideo" if name.endswith(("y4m", "nut")) else "libx264",
        tmp_path / name,
    )
    with pytest.raises(MediaError, match=r"no video frames|not a video|no video stream"):
        probe(tmp_path / name)


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
def test_interlaced_material_is_refused_with_the_way_out(clip, run_tool, tmp_path, codec):
    interlaced = ("-x264-params", "interlaced=1") if codec == "libx264" else ("-flags", "+ildct+ilme")
    run_tool("-i", clip, "-vf", "interlace", "-c:v", codec, *interlaced, tmp_path / "clip.mp4")
    with pytest.raises(MediaError, match=r"interlaced.*bwdif"):
        probe(tmp_path / "clip.mp4")


PLAYLISTS = {
    "list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.2,\n{clip}\n#EXT-X-ENDLIST\n",
    "list.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.2,\n{clip}\n#EXT-X-ENDLIST\n",
    "list.ffconcat": "ffconcat version 1.0\nfile '{clip}'\n",
    "list.mkv": "ffconcat version 1.0\nfile '{clip}'\n",
    "list.mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period/></MPD>',
    "list.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 33\n",
}


@pytest.mark.parametrize("name", PLAYLISTS)
def test_a_playlist_that_would_open_other_files_is_refused(coded, tmp_path, name):
    target = tmp_path / "clip.ts"
    target.write_bytes((coded / "clip.mkv").read_bytes())
    (tmp_path / name).write_text(PLAYLISTS[name].format(clip=target.name))
    with pytest.raises(MediaError, match=name):
        probe(tmp_path / name)


def test_a_still_picture_is_refused(clip, run_tool, tmp_path):
    run_tool("-i", clip, "-frames:v", 1, tmp_path / "still.png")
    with pytest.raises(MediaError, match=r"still\.png"):
        probe(tmp_path / "still.png")


def test_damage_in_the_first_frame_is_reported(coded, tmp_path):
    whole = bytearray((coded / "front.mp4").read_bytes())
    start = whole.index(b"mdat") + 4
    whole[start : start + 3000] = os.urandom(1) * 3000
    (tmp_path / "clip.mp4").write_bytes(whole)
    with pytest.raises(MediaError, match=r"clip\.mp4"):
        probe(tmp_path / "clip.mp4")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(clip, tmp_path):
    path = tmp_path / "clip.mkv"
    path.write_bytes(clip.read_bytes())
    path.chmod(0)
    with pytest.raises(MediaError, match="Permission denied"):
        probe(path)


@pytest.mark.clips
def test_every_real_clip_is_as_its_manifest_says(clips_folder):
    import csv

    with (clips_folder / "MANIFEST.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert rows
    for row in rows:
        source = probe(clips_folder / row["file"])
        said = (row["sha256"], int(row["width"]), int(row["height"]), Fraction(row["fps"]), int(row["frames"]))
        assert (source.sha256, source.width, source.height, source.fps, source.frames) == said, row["file"]
