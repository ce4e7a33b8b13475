"""The sidecar of a model that others trained: read leniently, turned into what it takes to serve the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from vmafcast.common.documents import ForeignDocument
from vmafcast.common.errors import DataError, RequestError
from vmafcast.encoders.vocabulary import VOCABULARIES, Vocabulary
from vmafcast.models.normalisers import Normalisers, stated_normalisers

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")]

_PREFIX = "integer_"
"""libvmaf's for the fixed-point extractors; our tables name a feature without it."""

_QUALITY_COLUMNS = ("crf_norm", "cq_norm", "quality_norm")


class ForeignMember(ForeignDocument):
    """A network of an ensemble."""

    onnx: str
    sha256: Sha256


class ForeignFile(ForeignDocument):
    """A file beside the model, and the SHA-256 of its bytes."""

    path: str
    sha256: Sha256


class ForeignSidecar(ForeignDocument):
    """What is read of a sidecar or an ensemble's manifest; all else in it is kept unread."""

    id: str = ""
    kind: str = "fr"
    onnx: str | None = None
    sha256: Sha256 | None = None
    members: tuple[ForeignMember, ...] = ()
    external_data: tuple[ForeignFile, ...] = ()
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    feature_order: Annotated[tuple[str, ...], Field(min_length=1)]
    feature_mean: tuple[float, ...] | None = None
    feature_std: tuple[float, ...] | None = None
    codec_block_layout: tuple[str, ...] | str | None = None
    encoder_vocab: tuple[str, ...] | None = None
    encoder_vocab_version: int | str | None = None
    codec_vocab: tuple[str, ...] | None = None
    codec_vocab_version: int | str | None = None
    trained_slots: tuple[str, ...] | None = None
    teacher: str | None = None
    smoke: bool = False


@dataclass(frozen=True, slots=True)
class CodecInput:
    """The second input of a model.

    Attributes
    ----------
    vocabulary
        The slots of its one-hot.
    trained
        Those that had training rows; None where nobody said, and all are taken for trained.
    columns
        What each column is: a slot's name, ``preset_norm`` or ``crf_norm``.
    """

    vocabulary: Vocabulary
    trained: tuple[str, ...] | None
    columns: tuple[str, ...]


def read_foreign_sidecar(path: Path) -> ForeignSidecar:
    """Read the sidecar or manifest at ``path``.

    Raises
    ------
    RequestError
        It cannot be read.
    DataError
        It is no sidecar, or its scaler does not fit its features.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RequestError(
            f"cannot read {path}: {error.strerror}; a model needs its sidecar beside it, under its own name with .json"
        ) from error
    return parse_foreign_sidecar(content, str(path))


def parse_foreign_sidecar(content: bytes, shown_as: str) -> ForeignSidecar:
    """Return the sidecar in ``content``; raises :class:`DataError` as :func:`read_foreign_sidecar` does."""
    try:
        found = ForeignSidecar.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise DataError(f"{shown_as} is not a sidecar that can be served: {where}: {first['msg']}") from error
    width = len(found.feature_order)
    scaler = (found.feature_mean, found.feature_std)
    if (scaler[0] is None) != (scaler[1] is None) or any(each is not None and len(each) != width for each in scaler):
        raise DataError(f"{shown_as}: feature_mean and feature_std must have a value for each of the {width} features")
    if wrong := [n for n, std in zip(found.feature_order, found.feature_std or (), strict=False) if not std > 0]:
        raise DataError(
            f"{shown_as}: feature_std of {', '.join(wrong)} is not above 0, so nothing can be divided by it"
        )
    return found


def plain_features(sidecar: ForeignSidecar) -> tuple[str, ...]:
    """Return the features in the model's order, under the names that we measure them by."""
    return tuple(name.removeprefix(_PREFIX) for name in sidecar.feature_order)


def codec_input(sidecar: ForeignSidecar, width: int, shown_as: str) -> tuple[CodecInput, tuple[str, ...]]:
    """Return what the codec input of a model is made of, and what had to be assumed.

    Parameters
    ----------
    sidecar
        The model's.
    width
        How many columns the graph's second input has.
    shown_as
        What to call the model.

    Raises
    ------
    DataError
        The sidecar's vocabulary does not fit the graph, or neither says what the columns are.
    """
    assumptions = []
    slots = sidecar.encoder_vocab if sidecar.encoder_vocab is not None else sidecar.codec_vocab
    version = sidecar.encoder_vocab_version if sidecar.encoder_vocab is not None else sidecar.codec_vocab_version
    if slots is None:
        vocabulary = _known_vocabulary(width, shown_as)
        assumptions.append(
            f"{shown_as} does not name its encoder slots; the vocabulary {vocabulary.name} is assumed, which has the "
            f"width {width} of its codec input"
        )
    else:
        number = version if isinstance(version, int) else 0
        vocabulary = Vocabulary(f"v{version}", number, slots)
    columns = _columns(sidecar.codec_block_layout, vocabulary, width, shown_as)
    return CodecInput(vocabulary, sidecar.trained_slots, columns), tuple(assumptions)


def normalisers_of(sidecar: ForeignSidecar, codec: CodecInput, shown_as: str) -> Normalisers:
    """Return how the model takes the settings; what its input does not hold needs no assumption."""
    found = stated_normalisers(sidecar.model_dump(), shown_as)
    wanted = [word for word, column in (("quality", "crf_norm"), ("preset", "preset_norm")) if column in codec.columns]
    needed = tuple(each for each in found.assumptions if any(f"takes the {word}" in each for word in wanted))
    return Normalisers(found.preset, found.quality, needed)


def _known_vocabulary(width: int, shown_as: str) -> Vocabulary:
    fitting = [each for each in VOCABULARIES.values() if each.width == width]
    if len(fitting) != 1:
        raise DataError(
            f"{shown_as} does not name its encoder slots, and no vocabulary has the width {width}; add them"
        )
    return fitting[0]


def _columns(
    layout: tuple[str, ...] | str | None, vocabulary: Vocabulary, width: int, shown_as: str
) -> tuple[str, ...]:
    slots = vocabulary.slots
    if isinstance(layout, tuple) and len(layout) == width:
        return _named_columns(layout, slots, shown_as)
    if width == len(slots):
        return slots
    if width == len(slots) + 2:
        return (*slots, "preset_norm", "crf_norm")
    raise DataError(
        f"the codec input of {shown_as} has {width} columns, and its sidecar names {len(slots)} encoder slots; these "
        "do not belong together"
    )


def _named_columns(layout: Sequence[str], slots: Sequence[str], shown_as: str) -> tuple[str, ...]:
    columns = []
    for name in layout:
        bare = name[name.find("[") + 1 : -1] if name.endswith("]") and "[" in name else name
        if bare in slots or bare == "preset_norm":
            columns.append(bare)
        elif bare in _QUALITY_COLUMNS:
            columns.append("crf_norm")
        else:
            raise DataError(f"{shown_as} has a codec column {name!r}, which is neither an encoder slot nor a setting")
    if missing := [slot for slot in slots if slot not in columns]:
        raise DataError(f"the codec columns of {shown_as} lack its encoder slots {', '.join(missing)}")
    return tuple(columns)
