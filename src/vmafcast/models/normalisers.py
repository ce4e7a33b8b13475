"""Where an encode's settings stand in [0, 1], in the sense in which a model was trained.

Our models take the place on the encoder's own scales (:mod:`vmafcast.encoders.codec_block`). Others were trained with
the bare quality value divided by 63, with its place between the lowest and the highest of their corpus, or with a
preset that was 0.5 whatever it was. What a model was trained with decides; another norm is a wrong input.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from vmafcast.common.errors import DataError
from vmafcast.encoders.catalogue import get_encoder

Kind = Literal["own-scale", "linear", "constant"]

WIDEST_CRF = 63.0
"""The upper end of the widest CRF scale, by which published models divide the quality of every encoder."""

MIDDLE_PRESET = 0.5
"""What published models have for the preset where their corpus held only one."""

_QUALITY_WORDS = r"(?:crf|cq|qp|q|quality)"
_DIVIDED = re.compile(rf"^\s*{_QUALITY_WORDS}\s*/\s*(\d+(?:\.\d+)?)\s*$", re.IGNORECASE)
_CONSTANT = re.compile(r"^\s*(?:constant|const|fixed)?\s*[:=]?\s*(\d*\.?\d+)\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Normaliser:
    """One setting's way into [0, 1].

    Attributes
    ----------
    kind
        ``own-scale``: the place on the encoder's own scale, 0 fastest or worst. ``linear``: the bare value between
        ``low`` (0) and ``high`` (1), held within. ``constant``: ``low``, whatever the value.
    low, high
        As above; of no meaning for ``own-scale``.
    """

    kind: Kind
    low: float = 0.0
    high: float = 1.0

    def describe(self) -> str:
        """Return it in words."""
        if self.kind == "linear":
            return f"the value from {self.low:g} (0) to {self.high:g} (1)"
        return f"constant {self.low:g}" if self.kind == "constant" else "the place on the encoder's own scale"


OWN = Normaliser("own-scale")


@dataclass(frozen=True, slots=True)
class Normalisers:
    """How a model takes preset and quality, and what had to be assumed of that."""

    preset: Normaliser = OWN
    quality: Normaliser = OWN
    assumptions: tuple[str, ...] = ()

    def norms(self, encoder: str, preset: str | None, quality: float) -> tuple[float, float]:
        """Return ``preset_norm`` and ``crf_norm`` of an encode.

        Parameters
        ----------
        encoder
            Its encoder; looked up only where a setting is taken on the encoder's own scale.
        preset
            Its preset; None is the encoder's default.
        quality
            The encoder's own knob value.

        Raises
        ------
        RequestError
            No such encoder, preset or quality, where these are looked up.
        """
        if self.preset.kind == "constant":
            preset_norm = self.preset.low
        else:
            known = get_encoder(encoder)
            preset_norm = known.preset_norm(preset or known.default_preset)
        if self.quality.kind == "own-scale":
            return preset_norm, get_encoder(encoder).quality.norm(quality)
        place = (quality - self.quality.low) / (self.quality.high - self.quality.low)
        return preset_norm, min(max(place, 0.0), 1.0)

    def beyond(self, quality: float) -> bool:
        """Return whether a quality lies outside of what a linear normaliser spans, so that it is held at its end."""
        return self.quality.kind == "linear" and not self.quality.low <= quality <= self.quality.high


def stated_normalisers(sidecar: Mapping[str, Any], shown_as: str) -> Normalisers:
    """Return the normalisers that a foreign sidecar states, and say what is assumed where it states none.

    Read are ``corpus.cq_min`` with ``corpus.cq_max``; ``crf_max``; and, at the top or below ``normalisers`` (or
    ``normalizers``), ``crf_norm`` and ``preset_norm`` as a number or as words such as ``crf/63`` or ``constant 0.5``.

    Parameters
    ----------
    sidecar
        The document.
    shown_as
        What to call the model in an error or an assumption.

    Raises
    ------
    DataError
        What it states has no meaning.
    """
    block = sidecar.get("normalisers") or sidecar.get("normalizers") or {}
    stated = {**sidecar, **(block if isinstance(block, Mapping) else {})}
    assumptions = []
    quality = _quality(stated, sidecar.get("corpus"), shown_as)
    if quality is None:
        quality = Normaliser("linear", 0.0, WIDEST_CRF)
        assumptions.append(f"{shown_as} does not say how it takes the quality value; crf/{WIDEST_CRF:g} is assumed")
    preset = _preset(stated, shown_as)
    if preset is None:
        preset = Normaliser("constant", MIDDLE_PRESET)
        assumptions.append(f"{shown_as} does not say how it takes the preset; the constant {MIDDLE_PRESET} is assumed")
    return Normalisers(preset, quality, tuple(assumptions))


def _quality(stated: Mapping[str, Any], corpus: object, shown_as: str) -> Normaliser | None:
    said = stated.get("crf_norm", stated.get("cq_norm"))
    if isinstance(said, str):
        if match := _DIVIDED.match(said):
            return _linear(0.0, float(match[1]), shown_as)
        if _is_own(said):
            return OWN
    if isinstance(corpus, Mapping) and corpus.get("cq_min") is not None and corpus.get("cq_max") is not None:
        return _linear(_number(corpus["cq_min"], shown_as), _number(corpus["cq_max"], shown_as), shown_as)
    if isinstance(said, str):
        raise DataError(f"{shown_as} takes the quality as {said!r}, which is not known here; state crf/63, for example")
    highest = stated.get("crf_max")
    return None if highest is None else _linear(0.0, _number(highest, shown_as), shown_as)


def _preset(stated: Mapping[str, Any], shown_as: str) -> Normaliser | None:
    said = stated.get("preset_norm", stated.get("preset_constant"))
    if said is None:
        return None
    if isinstance(said, str):
        if _is_own(said):
            return OWN
        match = _CONSTANT.match(said)
        if match is None:
            raise DataError(f"{shown_as} takes the preset as {said!r}, which is not known here; state a constant")
        said = match[1]
    value = _number(float(said) if isinstance(said, str) else said, shown_as)
    if not 0 <= value <= 1:
        raise DataError(f"{shown_as} takes the preset as {value:g}, which is outside of 0 to 1")
    return Normaliser("constant", value, value)


def _is_own(said: str) -> bool:
    return said.strip().lower() in {"own-scale", "own scale", "encoder scale"}


def _linear(low: float, high: float, shown_as: str) -> Normaliser:
    if not low < high:
        raise DataError(f"{shown_as} takes the quality between {low:g} and {high:g}, which is no range")
    return Normaliser("linear", low, high)


def _number(value: object, shown_as: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(f"{shown_as} states {value!r} where a number belongs")
    return float(value)
