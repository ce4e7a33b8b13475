"""The software encoders as data.

What the numbers rest on (tried with ffmpeg 9.0 as imageio-ffmpeg ships it; two runs gave identical bytes for
every encoder, preset and end of scale):

libx264
    Its output depends on the thread count, which is therefore part of a cell's identity. Quality 0 is
    lossless for 8-bit pictures.
libx265
    ``pools=1`` is one worker thread. ``pools=none`` is one thread too, but turns off wavefronts and thereby
    changes the picture. With ``frame-threads=1`` the picture is the same whatever the pool; left to itself,
    x265 takes its frame threads, and with them its output, from the machine's cores. ffmpeg's own
    ``-threads`` sets frame threads only.
libsvtav1
    ``lp`` is a level of parallelism from 1 to 6 rather than a thread count (1 is truly one busy thread; the
    bytes are the same at every level). Quality begins at 1: ffmpeg takes ``-crf 0`` for "not given" and
    encodes at 35. SVT-AV1 4.2 encodes presets 12 and 13 as 11; older ones tell them apart. Grain synthesis
    is off, because a grain that the decoder invents has no place in a full-reference score.
libaom-av1
    ``-usage good`` encodes presets 7 and 8 as 6. One thread and several differ in bytes. ``-b:v 0`` lifts the
    bitrate cap.
libvpx-vp9
    ``-deadline good`` knows no preset beyond 5. Row threading stays off, since it changes the bytes with the
    thread count. ``-b:v 0`` lifts the bitrate cap.
libvvenc
    ``-qpa 1``, its own default, is stated so that no ffmpeg's default decides: it is what people encode with,
    although perceptual quantisation trades measured fidelity for looks. It takes 10-bit pictures alone. At a
    QP below about 14 a noisy picture can outgrow vvenc's output buffer, and the encode then fails. One thread
    is told as ``threads=0``: then vvenc works in its caller's thread. With threads of its own, ffmpeg may ask
    for the first packet of a clip that the lookahead holds whole before there is one, and takes the silence for
    the end: 36 of 36 encodes of 47 frames were lost so on a busy core, and none with ``threads=0``.
librav1e
    The bytes are the same whatever the thread count.
"""

from __future__ import annotations

from vmafcast.encoders.encoder import Encoder, QualityScale, Threading

_X26X_PRESETS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
    "placebo",
)


def _falling(fastest: int) -> tuple[str, ...]:
    """Return the numbers from ``fastest`` down to 0 as preset names: 0 is the slowest."""
    return tuple(str(number) for number in range(fastest, -1, -1))


SOFTWARE: tuple[Encoder, ...] = (
    Encoder(
        name="libx264",
        codec="h264",
        quality=QualityScale(("-crf",), 0, 51, 23, higher_is_better=False),
        presets=_X26X_PRESETS,
        default_preset="medium",
        preset_flag="-preset",
        bit_depths=(8, 10),
        threading=Threading("-threads"),
    ),
    Encoder(
        name="libx265",
        codec="hevc",
        quality=QualityScale(("-crf",), 0, 51, 28, higher_is_better=False),
        presets=_X26X_PRESETS,
        default_preset="medium",
        preset_flag="-preset",
        bit_depths=(8, 10, 12),
        threading=Threading("-x265-params", "pools={threads}:frame-threads=1", "log-level=error"),
    ),
    Encoder(
        name="libsvtav1",
        codec="av1",
        quality=QualityScale(("-crf",), 1, 63, 35, higher_is_better=False),
        presets=_falling(13),
        default_preset="8",
        preset_flag="-preset",
        bit_depths=(8, 10),
        threading=Threading("-svtav1-params", "lp={threads}", "film-grain=0"),
    ),
    Encoder(
        name="libaom-av1",
        codec="av1",
        quality=QualityScale(("-crf",), 0, 63, 32, higher_is_better=False),
        presets=_falling(8),
        default_preset="4",
        preset_flag="-cpu-used",
        bit_depths=(8, 10, 12),
        mode=("-usage", "good", "-b:v", "0"),
        threading=Threading("-threads"),
    ),
    Encoder(
        name="libvpx-vp9",
        codec="vp9",
        quality=QualityScale(("-crf",), 0, 63, 32, higher_is_better=False),
        presets=_falling(5),
        default_preset="2",
        preset_flag="-cpu-used",
        bit_depths=(8, 10, 12),
        mode=("-deadline", "good", "-b:v", "0"),
        threading=Threading("-threads"),
    ),
    Encoder(
        name="libvvenc",
        codec="vvc",
        quality=QualityScale(("-qp",), 0, 63, 32, higher_is_better=False),
        presets=("faster", "fast", "medium", "slow", "slower"),
        default_preset="medium",
        preset_flag="-preset",
        bit_depths=(10,),
        mode=("-qpa", "1"),
        threading=Threading("-vvenc-params", "threads={threads}", alone="threads=0"),
    ),
    Encoder(
        name="librav1e",
        codec="av1",
        quality=QualityScale(("-qp",), 0, 255, 100, higher_is_better=False),
        presets=_falling(10),
        default_preset="6",
        preset_flag="-speed",
        bit_depths=(8, 10, 12),
        threading=Threading("-threads"),
    ),
)
