"""The encoders that vmafcast knows, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from vmafcast.encoders.aliases import resolve
from vmafcast.encoders.encoder import Codec, Encoder, QualityScale, Threading
from vmafcast.encoders.hardware import HARDWARE
from vmafcast.encoders.software import SOFTWARE

__all__ = ["ENCODERS", "SOFTWARE_ENCODERS", "Codec", "Encoder", "QualityScale", "Threading", "get_encoder"]

ENCODERS: Mapping[str, Encoder] = MappingProxyType({encoder.name: encoder for encoder in (*SOFTWARE, *HARDWARE)})
"""Every encoder by its ffmpeg name. Being here says nothing of whether a machine can run it."""

SOFTWARE_ENCODERS: tuple[str, ...] = tuple(encoder.name for encoder in SOFTWARE)
"""The names of the encoders that run on any processor."""


def get_encoder(name: str) -> Encoder:
    """Return the encoder that ``name``, an ffmpeg name or an alias, stands for.

    Raises
    ------
    RequestError
        There is no such encoder.
    """
    return ENCODERS[resolve(name)]
