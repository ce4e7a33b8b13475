"""The software encoders as data."""

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
        threading=Threading("-threads"),
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
