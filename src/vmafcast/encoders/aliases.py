"""The one place where the names that people use for an encoder become the name that ffmpeg uses."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType

from vmafcast.common.errors import RequestError
from vmafcast.encoders.hardware import HARDWARE
from vmafcast.encoders.software import SOFTWARE

ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "h264": "libx264",
        "h.264": "libx264",
        "x264": "libx264",
        "avc": "libx264",
        "hevc": "libx265",
        "h265": "libx265",
        "h.265": "libx265",
        "x265": "libx265",
        "av1": "libsvtav1",
        "svt-av1": "libsvtav1",
        "svt_av1": "libsvtav1",
        "svtav1": "libsvtav1",
        "svt": "libsvtav1",
        "aom": "libaom-av1",
        "libaom": "libaom-av1",
        "aom-av1": "libaom-av1",
        "aomenc": "libaom-av1",
        "vp9": "libvpx-vp9",
        "libvpx": "libvpx-vp9",
        "vpx": "libvpx-vp9",
        "vvc": "libvvenc",
        "h266": "libvvenc",
        "h.266": "libvvenc",
        "vvenc": "libvvenc",
        "rav1e": "librav1e",
    }
)
"""Lower-case alias to ffmpeg encoder name. A bare codec name means its software encoder."""

_NAMES = frozenset(encoder.name for encoder in (*SOFTWARE, *HARDWARE))


def resolve(name: str) -> str:
    """Return the ffmpeg encoder name that ``name`` stands for, whatever its case.

    Raises
    ------
    RequestError
        No encoder of the catalogue goes by that name; the message suggests those that are spelt alike.
    """
    key = name.strip().lower()
    if key in _NAMES:
        return key
    if key in ALIASES:
        return ALIASES[key]
    near = difflib.get_close_matches(key, [*sorted(_NAMES), *ALIASES], n=3, cutoff=0.6)
    suggestions = list(dict.fromkeys(ALIASES.get(match, match) for match in near))
    hint = f"did you mean {' or '.join(suggestions)}?" if suggestions else f"known: {', '.join(sorted(_NAMES))}"
    raise RequestError(f"no encoder is called {name!r}; {hint}")
