"""What an encoder is: a quality scale with a direction, ordered presets, and its ffmpeg arguments."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

from vmafcast.common.errors import RequestError

Codec = Literal["h264", "hevc", "av1", "vp9", "vvc", "prores"]


@dataclass(frozen=True, slots=True)
class QualityScale:
    """The quality knob of one encoder, in the encoder's own integer unit.

    The range holds only values that mean what they say: where an encoder reads 0 as "choose yourself"
    (libsvtav1, NVENC, QSV, VAAPI), it begins at 1.

    Parameters
    ----------
    flags
        The ffmpeg options that each take the value, such as ``("-crf",)`` or ``("-qp_i", "-qp_p")``.
    minimum, maximum
        Both ends of the full scale, inclusive.
    default
        The value to begin with when none is asked for.
    higher_is_better
        True where a larger value means a better picture (VideoToolbox), False for CRF, CQ and QP.
    """

    flags: tuple[str, ...]
    minimum: int
    maximum: int
    default: int
    higher_is_better: bool

    def contains(self, value: int) -> bool:
        """Return whether ``value`` lies on the scale, both ends included."""
        return self.minimum <= value <= self.maximum

    def norm(self, value: float) -> float:
        """Return the place of ``value`` on the encoder's full scale: 0 = worst, 1 = best.

        Linear between both ends and corrected for direction, so that all encoders order the same way.
        It depends on the encoder alone, never on a corpus.

        Raises
        ------
        RequestError
            ``value`` lies outside the scale, or is no number.
        """
        if not self.minimum <= value <= self.maximum:
            raise RequestError(f"quality {value} lies outside the scale; choose {self.describe()}")
        rising = (value - self.minimum) / (self.maximum - self.minimum)
        return rising if self.higher_is_better else 1.0 - rising

    def better(self, value: int, steps: int = 1) -> int | None:
        """Return the value ``steps`` towards better quality, or None beyond the end of the scale."""
        moved = value + steps if self.higher_is_better else value - steps
        return moved if self.contains(moved) else None

    def worse(self, value: int, steps: int = 1) -> int | None:
        """Return the value ``steps`` towards worse quality, or None beyond the end of the scale."""
        return self.better(value, -steps)

    def from_worst_to_best(self) -> range:
        """Return every value of the scale, the worst quality first."""
        if self.higher_is_better:
            return range(self.minimum, self.maximum + 1)
        return range(self.maximum, self.minimum - 1, -1)

    def nearest(self, value: float) -> int:
        """Return the value of the scale that lies nearest to ``value``."""
        return min(max(round(value), self.minimum), self.maximum)

    def describe(self) -> str:
        """Return the range in words, such as ``0 to 51 (0 is best)``."""
        best = self.maximum if self.higher_is_better else self.minimum
        return f"{self.minimum} to {self.maximum} ({best} is best)"


@dataclass(frozen=True, slots=True)
class Threading:
    """How an encoder is told its thread count.

    Parameters
    ----------
    flag
        The ffmpeg option that carries it.
    counted
        Its value for a count above 0, with ``{threads}`` in the count's place.
    always
        What the same option carries whatever the count; empty for nothing.
    alone
        Its value for one thread, where that is told in another way than more; empty: as ``counted``.
    """

    flag: str
    counted: str = "{threads}"
    always: str = ""
    alone: str = ""

    def arguments(self, threads: int) -> tuple[str, ...]:
        """Return the ffmpeg arguments for ``threads``, where 0 leaves the count to the encoder."""
        counted = (self.alone if threads == 1 else "") or self.counted
        told = counted.format(threads=threads) if threads else ""
        value = ":".join(part for part in (told, self.always) if part)
        return (self.flag, value) if value else ()


@dataclass(frozen=True, slots=True)
class Encoder:
    """One ffmpeg encoder as data.

    Parameters
    ----------
    name
        The ffmpeg encoder name, such as ``"libsvtav1"``.
    codec
        The format it writes.
    quality
        Its quality knob.
    presets
        Its presets, ordered from the fastest to the slowest.
    default_preset
        The preset to use when none is asked for.
    preset_flag
        The ffmpeg option that takes the preset, or None where there is no such option.
    bit_depths
        The bit depths per sample that it accepts.
    mode
        The ffmpeg arguments that select constant quality without a bitrate cap.
    threading
        How it is told its thread count, or None where hardware decides.
    """

    name: str
    codec: Codec
    quality: QualityScale
    presets: tuple[str, ...]
    default_preset: str
    preset_flag: str | None
    bit_depths: tuple[int, ...]
    mode: tuple[str, ...] = ()
    threading: Threading | None = None

    @property
    def is_hardware(self) -> bool:
        """Whether the encoder needs a device, so that only a real one-frame encode tells if it can run."""
        return self.threading is None

    def check_preset(self, preset: str) -> None:
        """Raise unless ``preset`` is one of the encoder's presets.

        Raises
        ------
        RequestError
            The preset is unknown; the message lists those there are and names the nearest.
        """
        if preset in self.presets:
            return
        near = _nearest_preset(preset, self.presets)
        hint = f" (did you mean {near!r}?)" if near else ""
        raise RequestError(
            f"{self.name} has no preset {preset!r}{hint}; choose one of, fastest first: {', '.join(self.presets)}"
        )

    def check_quality(self, quality: int) -> None:
        """Raise unless ``quality`` lies on the encoder's quality scale.

        Raises
        ------
        RequestError
            The value lies outside; the message gives the range and the nearest value within it.
        """
        if not self.quality.contains(quality):
            raise RequestError(
                f"{self.name} takes a quality of {self.quality.describe()}, not {quality}; "
                f"did you mean {self.quality.nearest(quality)}?"
            )

    def preset_norm(self, preset: str) -> float:
        """Return the place of ``preset`` among the encoder's presets: 0 = fastest, 1 = slowest.

        It is the ordinal over (number of presets - 1), and 0.5 for an encoder with a single preset.

        Raises
        ------
        RequestError
            The preset is unknown.
        """
        self.check_preset(preset)
        if len(self.presets) == 1:
            return 0.5
        return self.presets.index(preset) / (len(self.presets) - 1)

    def quality_norm(self, quality: int) -> float:
        """Return the place of ``quality`` on the full scale, 0 = worst and 1 = best.

        Raises
        ------
        RequestError
            The value lies outside the scale; the message names the encoder.
        """
        self.check_quality(quality)
        return self.quality.norm(quality)

    def arguments(self, *, quality: int, preset: str, threads: int) -> tuple[str, ...]:
        """Return the ffmpeg output arguments of a constant-quality encode, ``-c:v NAME`` included.

        Parameters
        ----------
        quality
            A value on the encoder's quality scale.
        preset
            One of the encoder's presets.
        threads
            The thread count; 0 leaves it to the encoder. Hardware encoders pay no heed to it.

        Raises
        ------
        RequestError
            The quality, the preset or the thread count cannot be meant.
        """
        self.check_quality(quality)
        self.check_preset(preset)
        if threads < 0:
            raise RequestError(f"{self.name} cannot use {threads} threads; give 1 or more, or 0 for its own choice")
        chosen = (self.preset_flag, preset) if self.preset_flag else ()
        knobs = tuple(part for flag in self.quality.flags for part in (flag, str(quality)))
        counted = self.threading.arguments(threads) if self.threading else ()
        return ("-c:v", self.name, *chosen, *self.mode, *knobs, *counted)


def _nearest_preset(preset: str, presets: tuple[str, ...]) -> str | None:
    """Return the nearest number where presets are numbers, else the name that is spelt most alike."""
    if all(known.isdecimal() for known in presets):
        try:
            wanted = int(preset)
        except ValueError:
            return None
        return min(presets, key=lambda known: abs(int(known) - wanted))
    near = difflib.get_close_matches(preset.lower(), presets, n=1)
    return near[0] if near else None
