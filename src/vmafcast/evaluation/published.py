"""Published figures to be held against: data of the package, each with the scope it was measured in."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

from vmafcast.common.documents import Document

_FILE: Final = "published.json"
_REFERENCE: Final = "_reference"


class PublishedFigures(Document):
    """What somebody published of a recipe; what they did not state is None.

    Attributes
    ----------
    recipe, label
        Of which recipe, and which publication.
    scope
        What it was measured on. It was never our rows: a comparison shows the order of magnitude, no more.
    rows, source_groups
        How much that was.
    mean_plcc, std_plcc, mean_srocc, in_sample_plcc
        Correlations in [-1, 1].
    mean_rmse
        In VMAF points.
    """

    recipe: str
    label: str
    scope: str
    rows: int | None = None
    source_groups: int | None = None
    mean_plcc: float | None = None
    std_plcc: float | None = None
    mean_srocc: float | None = None
    mean_rmse: float | None = None
    in_sample_plcc: float | None = None


class _Published(Document):
    note: str
    figures: tuple[PublishedFigures, ...]


def published_figures(recipe: str) -> tuple[PublishedFigures, ...]:
    """Return what was published of ``recipe`` or of the one that it is the reference form of, the latest last."""
    name = recipe.removesuffix(_REFERENCE)
    return tuple(figures for figures in _published().figures if figures.recipe == name)


@cache
def _published() -> _Published:
    content = files("vmafcast.evaluation").joinpath(_FILE).read_bytes()
    return _Published.model_validate_json(content)
