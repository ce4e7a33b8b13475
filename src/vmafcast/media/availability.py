"""What an encoder can do on this machine, told by a real encode of one frame.

ffmpeg lists hardware encoders that the machine cannot run, so a list tells nothing. The same encode tells which
build of the encoder it is, since most sign their log or their bitstream.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from vmafcast.common.errors import CapabilityError
from vmafcast.encoders.encoder import Encoder
from vmafcast.media.ffmpeg import Ffmpeg
from vmafcast.media.graph import CONTAINER, pixel_format
from vmafcast.media.workdir import private_workdir

_TIMEOUT_SECONDS = 60

_SIGNATURES: Mapping[str, str] = MappingProxyType({
    "libx264": r"x264 - (core \d+(?: r\d+)?(?: [0-9a-f]{7})?)",
    "libx265": r"x265 \(build \d+\) - ([\w.+-]+)",
    "libsvtav1": r"SVT-AV1 Encoder Lib (\S+)",
    "libaom-av1": r"\[libaom-av1 @ \S+\] (?:\[\w+\] )?(v[\w.-]+)",
    "libvpx-vp9": r"\[libvpx-vp9 @ \S+\] (?:\[\w+\] )?(v[\w.-]+)",
    "libvvenc": r"libvvenc version: (\S+)",
})  # fmt: skip
"""Where each encoder states its build: in its log, or in the bitstream that it wrote."""

_REASON = re.compile(r"(?i)cannot load|no such|not found|failed|error|unsupported|not supported|invalid|unable")


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether an encoder works here.

    Attributes
    ----------
    encoder
        Its ffmpeg name.
    built_in
        This ffmpeg lists it.
    works
        It encoded one frame on this machine.
    version
        The build as the encoder states it; where it states none, that of ffmpeg; empty where it does not work.
    reason
        Why it does not work, in ffmpeg's words where it said any; empty where it does.
    """

    encoder: str
    built_in: bool
    works: bool
    version: str
    reason: str


@lru_cache(maxsize=64)
def check_encoder(ffmpeg: Ffmpeg, encoder: Encoder) -> Availability:
    """Encode one frame with ``encoder`` at its defaults and tell what came of it."""
    if encoder.name not in ffmpeg.encoders:
        reason = f"this ffmpeg ({ffmpeg.version}) was built without it"
        return Availability(encoder.name, built_in=False, works=False, version="", reason=reason)
    with private_workdir() as folder:
        command = [
            ffmpeg.path, "-hide_banner", "-nostdin", "-y", "-loglevel", "verbose",
            "-f", "lavfi", "-i", f"color=c=gray:s=256x256:r=25:d=0.04,format={pixel_format(min(encoder.bit_depths))}",
            *encoder.arguments(quality=encoder.quality.default, preset=encoder.default_preset, threads=1),
            "-frames:v", "1", "-f", CONTAINER, "frame.mkv",
        ]  # fmt: skip
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TIMEOUT_SECONDS,
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as error:
            return Availability(encoder.name, built_in=True, works=False, version="", reason=str(error))
        log = done.stderr.decode(errors="replace")
        written = folder / "frame.mkv"
        if done.returncode != 0 or not written.is_file() or written.stat().st_size == 0:
            return Availability(encoder.name, built_in=True, works=False, version="", reason=_why(log))
        version = _signature(encoder.name, log, written) or f"ffmpeg {ffmpeg.version}"
    return Availability(encoder.name, built_in=True, works=True, version=version, reason="")


def require_encoder(ffmpeg: Ffmpeg, encoder: Encoder) -> Availability:
    """Return the availability of an encoder that works here.

    Raises
    ------
    CapabilityError
        It does not; the message says why.
    """
    found = check_encoder(ffmpeg, encoder)
    if not found.works:
        raise CapabilityError(f"the encoder {encoder.name} does not work here: {found.reason}; choose another encoder")
    return found


def _signature(name: str, log: str, written: Path) -> str | None:
    pattern = _SIGNATURES.get(name)
    if pattern is None:
        return None
    match = re.search(pattern, log + written.read_bytes().decode("latin-1"))
    return match[1] if match else None


def _why(log: str) -> str:
    lines = [re.sub(r"^\[[^]]*\] (\[\w+\] )?", "", line).strip() for line in log.splitlines() if _REASON.search(line)]
    return lines[0] if lines else "a one-frame encode failed without a word"
