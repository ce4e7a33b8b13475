"""Teachers: the metric models whose scores are predicted, as data.

What stands here is what each model's own file says (its clip, its features and their options, the viewing distance and
display that they are set to); all of them are built into libvmaf, which is asked for one by its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from vmafcast.common.errors import RequestError

_V0 = ("adm2", "motion2", "vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3")
_V1 = ("cambi", "speed_chroma_uv", "adm3", "motion3")

_HD_DISPLAY, _UHD_DISPLAY = 1080, 2160
_TALLEST_FOR_HD = 1440
"""Shorter side in pixels up to which the default teacher is the one of an HD display: nearer to it than to UHD."""


@dataclass(frozen=True, slots=True)
class Teacher:
    """A metric model.

    Attributes
    ----------
    name
        As libvmaf knows it and the command line takes it.
    low, high
        The range that the model clips its score to; 100 is a perfect copy, but for a model that goes on to 110.
    viewing_distance
        That it stands for, in heights of the picture.
    display_height
        Lines of the display that it stands for. A smaller picture is scored at its own size, as if that were the
        display's: the score is then of a smaller picture seen from so many times its own height.
    features
        Which of libvmaf's features it is made of, by their plain names. The v1 family computes them with options of its
        own, so its inputs are not the columns of the same name of a feature set.
    smallest_side
        Shorter side in pixels that a picture must have. Below it, libvmaf finds SpEED's covariance singular, takes 0
        for the distortion of chroma without an error, and the score comes out some points wrong.
    gain_limited
        The model does not reward a picture that is sharper than its source (libvmaf: no enhancement gain).
    high_frame_rate
        The model averages motion over five frames, for footage of about 50 frames a second and more.
    """

    name: str
    low: float
    high: float
    viewing_distance: float
    display_height: int
    features: tuple[str, ...]
    smallest_side: int = 16
    gain_limited: bool = False
    high_frame_rate: bool = False

    def describe(self) -> str:
        """Return the facts in a line, such as ``vmaf_v0.6.1: 0 to 100, seen from 3 heights of a 1080-line display``."""
        return (
            f"{self.name}: {self.low:g} to {self.high:g}, seen from {self.viewing_distance:g} heights of a "
            f"{self.display_height}-line display"
        )


def _v1(view: str, distance: float, display: int, high: float, smallest_side: int) -> tuple[Teacher, Teacher]:
    plain, fast = (
        Teacher(
            f"vmaf_v1.0.16_{kind}{view}", 0.0, high, distance, display, _V1, smallest_side,
            gain_limited=True, high_frame_rate=bool(kind),
        )
        for kind in ("", "hfr_")
    )  # fmt: skip
    return plain, fast


DEFAULT_TEACHER = "vmaf_v0.6.1"
_DEFAULT_UHD_TEACHER = "vmaf_4k_v0.6.1"

TEACHERS: Mapping[str, Teacher] = MappingProxyType({
    each.name: each
    for each in (
        Teacher(DEFAULT_TEACHER, 0.0, 100.0, 3.0, _HD_DISPLAY, _V0),
        Teacher("vmaf_v0.6.1neg", 0.0, 100.0, 3.0, _HD_DISPLAY, _V0, gain_limited=True),
        Teacher(_DEFAULT_UHD_TEACHER, 0.0, 100.0, 1.5, _UHD_DISPLAY, _V0),
        Teacher("vmaf_4k_v0.6.1neg", 0.0, 100.0, 1.5, _UHD_DISPLAY, _V0, gain_limited=True),
        *_v1("3d0h", 3.0, _HD_DISPLAY, 100.0, 320),
        *_v1("5d0h", 5.0, _HD_DISPLAY, 100.0, 540),
        *_v1("1d5h_2160", 1.5, _UHD_DISPLAY, 100.0, 320),
        *_v1("3d0h_2160", 3.0, _UHD_DISPLAY, 110.0, 640),
    )
})  # fmt: skip
"""The metric models that can be predicted, by name."""


def get_teacher(name: str) -> Teacher:
    """Return the teacher called ``name``.

    Raises
    ------
    RequestError
        There is none.
    """
    if name not in TEACHERS:
        raise RequestError(f"unknown teacher {name!r}; known are {', '.join(TEACHERS)}")
    return TEACHERS[name]


def check_teacher(name: str) -> str:
    """Return ``name`` if it is a known teacher, else raise RequestError."""
    return get_teacher(name).name


def default_teacher(width: int, height: int) -> str:
    """Return the teacher of a picture of so many pixels where none is named.

    ``vmaf_v0.6.1`` where the shorter side has at most 1440 pixels, ``vmaf_4k_v0.6.1`` above.
    """
    return DEFAULT_TEACHER if min(width, height) <= _TALLEST_FOR_HD else _DEFAULT_UHD_TEACHER


def teacher_columns(names: Iterable[str]) -> tuple[str, ...]:
    """Return those of ``names`` that are teachers, in their order: the columns of a corpus's further teachers."""
    return tuple(name for name in names if name in TEACHERS)
