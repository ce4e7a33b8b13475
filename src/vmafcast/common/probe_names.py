"""What a probe's encodes are called in the columns of tables and models: by all that decides their numbers."""

from __future__ import annotations

from typing import Final, Protocol

SHORT_MARK: Final = "_first"


class Encode(Protocol):
    """What a name is made of: see :class:`vmafcast.media.probe_encode.ProbeEncode`."""

    @property
    def encoder(self) -> str: ...  # noqa: D102
    @property
    def preset(self) -> str: ...  # noqa: D102
    @property
    def quality(self) -> int: ...  # noqa: D102
    @property
    def undivided(self) -> bool: ...  # noqa: D102


def encode_name(encode: Encode, scored_from: int = 0) -> str:
    """Return the name of an encode that is scored from a frame on, such as ``libx264_veryfast_18_undivided_from1``."""
    return _made(encode) + (f"_from{scored_from}" if scored_from else "")


def short_name(encode: Encode, frames: int, scaled_by: int | None = None) -> str:
    """Return the name of one that has so many frames, such as ``libx264_veryfast_40_undivided_first16_by31``."""
    return f"{_made(encode)}{SHORT_MARK}{frames}" + (f"_by{scaled_by}" if scaled_by is not None else "")


def _made(encode: Encode) -> str:
    return f"{encode.encoder}_{encode.preset}_{encode.quality}" + ("_undivided" if encode.undivided else "")
