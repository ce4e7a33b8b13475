"""The encoder vocabularies that models were trained with, and finding an encoder in one by its name.

A vocabulary is an ordered list of slots, and a model's one-hot input follows that order. The orders differ
between versions, so a slot number means nothing without its vocabulary: matching goes by name, through the
vocabulary in the model's own sidecar. From v3 on the list is append-only; a slot never moves.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from vmafcast.common.errors import DataError
from vmafcast.encoders.aliases import ALIASES

UNKNOWN = "unknown"
"""The slot name that stands for every encoder that a vocabulary does not hold."""

_SPELLINGS: Mapping[str, str] = MappingProxyType({"x264": "libx264", "x265": "libx265"})
"""Slot spellings of v1 that are not ffmpeg encoder names, and the names they stand for. A slot that only
names a codec ("av1") has no place here: which encoder it was trained on cannot be known."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """An ordered list of encoder slots.

    Parameters
    ----------
    name
        What tells it from the others, such as ``"v2-trained"``.
    version
        Its number, as the sidecar field ``encoder_vocab_version`` gives it.
    slots
        The slot names in one-hot order, spelt as this vocabulary spells them.

    Raises
    ------
    DataError
        There is no slot, or two slots are for the same encoder.
    """

    name: str
    version: int
    slots: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse a list in which a name would have no place or two."""
        if not self.slots:
            raise DataError(f"the encoder vocabulary {self.name!r} holds no slot")
        canonical = [_SPELLINGS.get(slot, slot) for slot in self.slots]
        twice = sorted({slot for slot in canonical if canonical.count(slot) > 1})
        if twice:
            raise DataError(f"the encoder vocabulary {self.name!r} holds {', '.join(twice)} more than once")

    @property
    def width(self) -> int:
        """The width of the codec block: the slots, then preset_norm and crf_norm."""
        return len(self.slots) + 2

    @property
    def unknown_slot(self) -> int | None:
        """The position of the slot for unknown encoders, or None where there is none."""
        return self.slots.index(UNKNOWN) if UNKNOWN in self.slots else None

    def index(self, encoder_name: str) -> int | None:
        """Return the slot of an encoder, found by its name, or None where this vocabulary does not hold it.

        The vocabulary's own spelling, the ffmpeg encoder name and its aliases all find the slot; a spelling
        of the vocabulary's own goes before an alias.
        """
        return _find(_positions(self.slots), encoder_name)

    def holds(self, encoder_name: str, trained: Collection[str] | None = None) -> bool:
        """Return whether the encoder has a slot, and a trained one where ``trained`` says which those are.

        Where it has not, a model serves it as unknown and the output says so.
        """
        return self._trained_index(encoder_name, self._trained_slots(trained)) is not None

    def one_hot(
        self, names: Sequence[str] | NDArray[np.str_], trained: Collection[str] | None = None
    ) -> NDArray[np.float32]:
        """Return one row per name with 1 at the name's slot and 0 elsewhere.

        Parameters
        ----------
        names
            N encoder names.
        trained
            The names of the slots that had training rows; None when all had. A slot without training rows
            holds weights that nothing shaped, and using it shifts the score by many VMAF.

        Returns
        -------
        float32 array [N, number of slots]
            A name that is not held, or held untrained, is 1 at the unknown slot where there is one, else
            all zeros.
        """
        listed: Sequence[str] = names.tolist() if isinstance(names, np.ndarray) else names
        allowed = self._trained_slots(trained)
        distinct = list(dict.fromkeys(listed))
        rows = np.zeros((len(distinct), len(self.slots)), dtype=np.float32)
        for row, name in zip(rows, distinct, strict=True):
            position = self._trained_index(name, allowed)
            slot = self.unknown_slot if position is None else position
            if slot is not None:
                row[slot] = 1.0
        row_of = {name: number for number, name in enumerate(distinct)}
        # map and fromiter keep the pass over a million names out of the interpreter's loop
        return rows[np.fromiter(map(row_of.__getitem__, listed), dtype=np.intp, count=len(listed))]

    def unheld(
        self, names: Sequence[str] | NDArray[np.str_], trained: Collection[str] | None = None
    ) -> tuple[tuple[tuple[str, str], ...], NDArray[np.bool_]]:
        """Return each name that is served as unknown with the reason, and a mask of their rows.

        Parameters
        ----------
        names
            N encoder names; the plain word ``unknown`` asks for what it says, and is no reason for a warning.
        trained
            As in :meth:`one_hot`.

        Returns
        -------
        pairs of a name and ``was not trained with`` or ``does not hold``, and a bool array [N]
        """
        listed: Sequence[str] = names.tolist() if isinstance(names, np.ndarray) else names
        allowed = self._trained_slots(trained)
        found = [
            (name, "does not hold" if self.index(name) is None else "was not trained with")
            for name in dict.fromkeys(listed)
            if name != UNKNOWN and self._trained_index(name, allowed) is None
        ]
        if not found:
            return (), np.zeros(len(listed), dtype=np.bool_)
        served_as_unknown = {name for name, _ in found}
        mask = np.fromiter((name in served_as_unknown for name in listed), dtype=np.bool_, count=len(listed))
        return tuple(found), mask

    def _trained_slots(self, trained: Collection[str] | None) -> frozenset[int]:
        if trained is None:
            return frozenset(range(len(self.slots)))
        return frozenset(position for name in trained if (position := self.index(name)) is not None)

    def _trained_index(self, name: str, allowed: frozenset[int]) -> int | None:
        position = self.index(name)
        return position if position in allowed else None


@lru_cache(maxsize=64)
def _positions(slots: tuple[str, ...]) -> Mapping[str, int]:
    """Return every name that is an encoder's own in these slots, and its position."""
    found = {_SPELLINGS.get(slot, slot): position for position, slot in enumerate(slots)}
    found |= {slot: position for position, slot in enumerate(slots)}
    found.pop(UNKNOWN, None)
    return MappingProxyType(found)


def _find(positions: Mapping[str, int], name: str) -> int | None:
    if name in positions:
        return positions[name]
    key = name.strip().lower()
    return positions.get(key, positions.get(ALIASES.get(key, key)))


V1 = Vocabulary("v1", 1, ("x264", "x265", "libsvtav1", "libvvenc", "libvpx-vp9", UNKNOWN))
"""The codec vocabulary v1, with its own spellings of two encoders."""

V2_TRAINED = Vocabulary(
    "v2-trained",
    2,
    (
        "libx264",
        "libx265",
        "libsvtav1",
        "libvvenc",
        "libvpx-vp9",
        "h264_nvenc",
        "hevc_nvenc",
        "av1_nvenc",
        "h264_qsv",
        "hevc_qsv",
        "av1_qsv",
        UNKNOWN,
    ),
)
"""The layout that shipped v2 models were in fact trained with."""

V3 = Vocabulary(
    "v3",
    3,
    (
        "libx264",
        "libaom-av1",
        "libx265",
        "h264_nvenc",
        "hevc_nvenc",
        "av1_nvenc",
        "h264_amf",
        "hevc_amf",
        "av1_amf",
        "h264_qsv",
        "hevc_qsv",
        "av1_qsv",
        "libvvenc",
        "libsvtav1",
        "h264_videotoolbox",
        "hevc_videotoolbox",
    ),
)
"""The encoder vocabulary v3, the first that is append-only."""

V2_DOCUMENTED = Vocabulary("v2-documented", 2, V3.slots[:13])
"""The layout that v2 was documented with, which no shipped v2 model is known to use."""

V4 = Vocabulary(
    "v4",
    4,
    (
        *V3.slots,
        "libvpx-vp9",
        "librav1e",
        "h264_vaapi",
        "hevc_vaapi",
        "av1_vaapi",
        "av1_videotoolbox",
        "prores_videotoolbox",
    ),
)
"""The vocabulary of vmafcast's own models: v3, then those it lacked."""

VOCABULARIES: Mapping[str, Vocabulary] = MappingProxyType(
    {vocabulary.name: vocabulary for vocabulary in (V1, V2_TRAINED, V2_DOCUMENTED, V3, V4)}
)
"""Every vocabulary by its name."""
