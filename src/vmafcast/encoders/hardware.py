"""The hardware encoders as data, one maker after another.

Being listed says nothing of whether a machine can run one: only a real one-frame encode tells. The options
and ranges are those that ffmpeg states for each encoder.

NVENC
    ``-rc vbr -cq Q -b:v 0`` is constant quality: ffmpeg's default bitrate would cap it. Quality 0 means
    "automatic", so the scale begins at 1; AV1's ends at 63.
QSV
    ``-global_quality Q`` without a bitrate selects intelligent constant quality, which ffmpeg clips to 1..51.
AMF
    Constant quantiser, one option per frame type. H.264 takes ``-qp_b`` as well, or else its B-frames would
    keep the driver's quantiser; HEVC knows none, and AV1 none in older ffmpegs.
VAAPI
    Constant quantiser, 0 meaning "not given". AV1 has no ``-qp`` and takes its 8-bit quantiser index by
    ``-global_quality``. What ``-compression_level`` does is up to the driver, so there are no presets.
VideoToolbox
    ``-q:v`` rises with quality and has no presets. ProRes has no quality knob: its data rate is set by the
    profile, so the scale is the four 4:2:2 profiles from Proxy (0) by LT (1) and 422 (2) to HQ (3). The 4444
    profiles are another chroma format and no further steps of the same scale. ffmpeg's source knows no
    ``av1_videotoolbox`` yet; the vocabulary has its slot, and the same knob is assumed.
"""

from __future__ import annotations

from vmafcast.encoders.encoder import Codec, Encoder, QualityScale

_QSV_PRESETS = ("veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")


def _nvenc(codec: Codec, maximum: int, default: int, bit_depths: tuple[int, ...]) -> Encoder:
    return Encoder(
        name=f"{codec}_nvenc",
        codec=codec,
        quality=QualityScale(("-cq",), 1, maximum, default, higher_is_better=False),
        presets=("p1", "p2", "p3", "p4", "p5", "p6", "p7"),
        default_preset="p4",
        preset_flag="-preset",
        bit_depths=bit_depths,
        mode=("-rc", "vbr", "-b:v", "0"),
    )


def _qsv(codec: Codec, default: int, bit_depths: tuple[int, ...]) -> Encoder:
    return Encoder(
        name=f"{codec}_qsv",
        codec=codec,
        quality=QualityScale(("-global_quality",), 1, 51, default, higher_is_better=False),
        presets=_QSV_PRESETS,
        default_preset="medium",
        preset_flag="-preset",
        bit_depths=bit_depths,
    )


def _amf(codec: Codec, flags: tuple[str, ...], maximum: int, default: int, bit_depths: tuple[int, ...]) -> Encoder:
    return Encoder(
        name=f"{codec}_amf",
        codec=codec,
        quality=QualityScale(flags, 0, maximum, default, higher_is_better=False),
        presets=("speed", "balanced", "quality"),
        default_preset="balanced",
        preset_flag="-quality",
        bit_depths=bit_depths,
        mode=("-rc", "cqp"),
    )


def _vaapi(codec: Codec, flag: str, maximum: int, default: int, bit_depths: tuple[int, ...]) -> Encoder:
    return Encoder(
        name=f"{codec}_vaapi",
        codec=codec,
        quality=QualityScale((flag,), 1, maximum, default, higher_is_better=False),
        presets=("default",),
        default_preset="default",
        preset_flag=None,
        bit_depths=bit_depths,
        mode=("-rc_mode", "CQP"),
    )


def _videotoolbox(codec: Codec, quality: QualityScale, bit_depths: tuple[int, ...]) -> Encoder:
    return Encoder(
        name=f"{codec}_videotoolbox",
        codec=codec,
        quality=quality,
        presets=("default",),
        default_preset="default",
        preset_flag=None,
        bit_depths=bit_depths,
    )


_VIDEOTOOLBOX_QUALITY = QualityScale(("-q:v",), 1, 100, 60, higher_is_better=True)

HARDWARE: tuple[Encoder, ...] = (
    _nvenc("h264", 51, 23, (8,)),
    _nvenc("hevc", 51, 28, (8, 10)),
    _nvenc("av1", 63, 32, (8, 10)),
    _qsv("h264", 23, (8,)),
    _qsv("hevc", 26, (8, 10)),
    _qsv("av1", 28, (8, 10)),
    _amf("h264", ("-qp_i", "-qp_p", "-qp_b"), 51, 23, (8,)),
    _amf("hevc", ("-qp_i", "-qp_p"), 51, 26, (8, 10)),
    _amf("av1", ("-qp_i", "-qp_p"), 255, 110, (8, 10)),
    _vaapi("h264", "-qp", 51, 23, (8,)),
    _vaapi("hevc", "-qp", 51, 26, (8, 10)),
    _vaapi("av1", "-global_quality", 255, 110, (8, 10)),
    _videotoolbox("h264", _VIDEOTOOLBOX_QUALITY, (8,)),
    _videotoolbox("hevc", _VIDEOTOOLBOX_QUALITY, (8, 10)),
    _videotoolbox("av1", _VIDEOTOOLBOX_QUALITY, (8, 10)),
    _videotoolbox("prores", QualityScale(("-profile:v",), 0, 3, 2, higher_is_better=True), (10,)),
)
