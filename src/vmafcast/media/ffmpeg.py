"""Which ffmpeg is used, and what it can do; found out by asking it, never by its version number."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from vmafcast.common.errors import CapabilityError, RequestError

FFMPEG_VARIABLE = "VMAFCAST_FFMPEG"
_ASK_TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Ffmpeg:
    """An ffmpeg executable and what it answered when it was asked.

    Attributes
    ----------
    path
        The executable.
    version
        What it calls itself, such as ``"n9.0.2-17-g2a571b6068"``.
    build
        The first 16 hexadecimal digits of the SHA-256 of its whole ``-version`` answer (version, compiler,
        configuration, libraries): two builds with the same version differ here.
    encoders, filters
        The names that it lists. A listed hardware encoder may still not run on this machine.
    """

    path: str
    version: str
    build: str
    encoders: frozenset[str]
    filters: frozenset[str]

    def require_filters(self, *names: str) -> None:
        """Raise CapabilityError unless this ffmpeg has every filter in ``names``."""
        missing = [name for name in names if name not in self.filters]
        if missing:
            raise CapabilityError(
                f"{self.path} (ffmpeg {self.version}) was built without {', '.join(missing)}; "
                f"use the ffmpeg that comes with vmafcast (leave out --ffmpeg and {FFMPEG_VARIABLE}) or another build"
            )

    def require_encoder(self, name: str) -> None:
        """Raise CapabilityError unless this ffmpeg lists the encoder ``name``."""
        if name not in self.encoders:
            raise CapabilityError(
                f"{self.path} (ffmpeg {self.version}) was built without the encoder {name}; "
                "choose another encoder, or give an ffmpeg that has it with --ffmpeg"
            )


def find_ffmpeg(explicit: str | None = None) -> Ffmpeg:
    """Return the ffmpeg to use: ``explicit``, else ``$VMAFCAST_FFMPEG``, else the one of imageio-ffmpeg.

    Raises
    ------
    RequestError
        There is no such executable.
    CapabilityError
        It is no ffmpeg, or cannot be run.
    """
    chosen = explicit or os.environ.get(FFMPEG_VARIABLE)
    if not chosen:
        import imageio_ffmpeg

        chosen = imageio_ffmpeg.get_ffmpeg_exe()
    path = Path(chosen)
    if os.sep not in chosen:
        import shutil

        found = shutil.which(chosen)
        if found is None:
            raise RequestError(f"there is no executable {chosen!r} on the PATH; give --ffmpeg a full path")
        path = Path(found)
    try:
        stamp = path.stat()
    except FileNotFoundError as error:
        raise RequestError(f"{chosen} does not exist; check --ffmpeg and {FFMPEG_VARIABLE}") from error
    except OSError as error:
        raise CapabilityError(
            f"cannot use {chosen} as ffmpeg: {error.strerror}; check --ffmpeg and {FFMPEG_VARIABLE}"
        ) from error
    return _ask(str(path.absolute()), stamp.st_mtime_ns, stamp.st_size)


@lru_cache(maxsize=8)
def _ask(path: str, _mtime: int, _size: int) -> Ffmpeg:
    about = _answer(path, "-version")
    match = re.match(r"ffmpeg version (\S+)", about)
    if match is None:
        raise CapabilityError(f"{path} does not answer as ffmpeg does; check --ffmpeg and {FFMPEG_VARIABLE}")
    return Ffmpeg(
        path=path,
        version=match[1],
        build=hashlib.sha256(about.encode()).hexdigest()[:16],
        encoders=frozenset(re.findall(r"^ [VAS][A-Z.]{5} ([^=\s]\S*)", _answer(path, "-encoders"), re.MULTILINE)),
        filters=frozenset(re.findall(r"^ [A-Z.]{2,3} (\S+) +\S+->\S+", _answer(path, "-filters"), re.MULTILINE)),
    )


def _answer(path: str, question: str) -> str:
    command = [path, "-hide_banner", question] if question != "-version" else [path, question]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_ASK_TIMEOUT_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise CapabilityError(f"cannot run {path}: {error}; check --ffmpeg and {FFMPEG_VARIABLE}") from error
    return done.stdout.decode(errors="replace")


@lru_cache(maxsize=8)
def supports_loopback(ffmpeg: Ffmpeg) -> bool:
    """Whether this ffmpeg can decode, in the same process, what it has just encoded (``-dec``).

    Found out by a real encode of two frames, since builds differ in more than their version. Without it,
    scoring takes the two-step path, which gives the same numbers.
    """
    command = [
        ffmpeg.path, "-hide_banner", "-nostdin", "-loglevel", "quiet",
        "-f", "lavfi", "-i", "color=c=gray:s=64x64:r=25:d=0.08",
        "-map", "0:v", "-c:v", "mpeg4", "-f", "null", "-",
        "-dec", "0:0", "-filter_complex", "[dec:0]null[out]", "-map", "[out]", "-f", "null", "-",
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_ASK_TIMEOUT_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0
