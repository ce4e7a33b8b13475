"""What differs between two registered models: their figures, their sidecars and their files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vmafcast.common.documents import Document
from vmafcast.common.errors import DataError
from vmafcast.registry.entry import Entry, require_intact

JsonValue = Any


class FigureDiff(Document):
    """A figure of two models; ``difference`` is b minus a, null where either lacks it."""

    name: str
    a: float | None
    b: float | None
    difference: float | None


class ValueDiff(Document):
    """A key of the sidecars with another value in each; null also stands for a key that one has not."""

    key: str
    a: JsonValue
    b: JsonValue


class ModelDiff(Document):
    """Two models side by side.

    Attributes
    ----------
    a, b
        Their ids.
    figures
        Every figure that either states of held-out material: means of the sidecar, then by source group.
    sidecar
        Every key of the sidecars, with its way there joined by dots, whose values differ; figures left out.
    files
        The SHA-256 of every file that differs or that only one has.
    """

    a: str
    b: str
    figures: tuple[FigureDiff, ...]
    sidecar: tuple[ValueDiff, ...]
    files: tuple[ValueDiff, ...]


def diff(a: Entry, b: Entry) -> ModelDiff:
    """Compare two registered models, every byte of them verified.

    Raises
    ------
    IntegrityError
        A file is not what was registered.
    DataError
        A sidecar is no JSON object.
    """
    contents = [{Path(path).name: data for path, data in require_intact(entry).items()} for entry in (a, b)]
    sidecars = [
        _object(content[Path(entry.row.sidecar).name], entry) for entry, content in zip((a, b), contents, strict=True)
    ]
    figures = [dict(_figures(sidecar, content)) for sidecar, content in zip(sidecars, contents, strict=True)]
    flat = [{key: value for key, value in _flat(sidecar) if not _is_figure(key)} for sidecar in sidecars]
    files = [{Path(path).name: sha for path, sha in entry.files.items()} for entry in (a, b)]
    return ModelDiff(
        a=a.id,
        b=b.id,
        figures=tuple(_figure(name, figures[0].get(name), figures[1].get(name)) for name in _keys(*figures)),
        sidecar=_differing(*flat),
        files=_differing(*files),
    )


def _object(content: bytes, entry: Entry) -> dict[str, JsonValue]:
    try:
        found = json.loads(content)
    except ValueError as error:
        raise DataError(f"{entry.sidecar_path} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise DataError(f"{entry.sidecar_path} is no JSON object")
    return found


def _flat(value: JsonValue, key: str = "") -> Iterator[tuple[str, JsonValue]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}" if key else str(name))
    else:
        yield key, value


def _is_figure(key: str) -> bool:
    return key.startswith(("training.loso.", "eval."))


def figures_of(sidecar: dict[str, JsonValue]) -> Iterator[tuple[str, float]]:
    """Yield the figures that a sidecar states of held-out material, by name."""
    for key, value in _flat(sidecar):
        if _is_figure(key) and isinstance(value, int | float) and not isinstance(value, bool):
            yield key.split(".", 1)[1].removeprefix("loso."), float(value)


def _figures(sidecar: dict[str, JsonValue], content: Mapping[str, bytes]) -> Iterator[tuple[str, float]]:
    yield from figures_of(sidecar)
    training = sidecar.get("training")
    seed = training.get("seed") if isinstance(training, dict) else None
    report = content.get(f"loso_seed{seed}.json")
    folds = json.loads(report).get("folds", []) if report is not None else []
    for fold in folds:
        for metric in ("plcc", "srocc", "rmse"):
            if isinstance(fold.get(metric), int | float):
                yield f"{fold.get('held_out')} {metric}", float(fold[metric])


def _figure(name: str, a: float | None, b: float | None) -> FigureDiff:
    return FigureDiff(name=name, a=a, b=b, difference=None if a is None or b is None else b - a)


def _differing(a: Mapping[str, JsonValue], b: Mapping[str, JsonValue]) -> tuple[ValueDiff, ...]:
    return tuple(ValueDiff(key=key, a=a.get(key), b=b.get(key)) for key in _keys(a, b) if a.get(key) != b.get(key))


def _keys(a: Mapping[str, JsonValue], b: Mapping[str, JsonValue]) -> list[str]:
    return list(dict.fromkeys([*a, *b]))
