"""A page of sections, each with a sentence, a table and perhaps a picture: one HTML file that needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from vmafcast.common.errors import CapabilityError

if TYPE_CHECKING:
    from jinja2 import Template

Value = str | int | float | None


@dataclass(frozen=True, slots=True)
class Section:
    """One section of a page.

    Attributes
    ----------
    title, text
        Its heading and its sentence; markup in them is shown, not obeyed.
    columns, rows
        Its table. Numbers are set to the right, None is a dash.
    picture
        An SVG document to put below the table, or nothing.
    """

    title: str
    text: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Value]]
    picture: str = ""


def page_html(title: str, sections: Sequence[Section]) -> str:
    """Return an HTML document with ``sections`` in their order.

    Raises
    ------
    CapabilityError
        The extra ``report`` is not installed.
    """
    return _template().render(title=title, sections=sections)


def shown(value: Value) -> str:
    """Return a table's value as a person reads it: four decimals below one, else two."""
    if value is None:
        return "—"
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 1 else f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else value


@lru_cache(maxsize=1)
def _template() -> Template:
    try:
        import jinja2
    except ImportError as error:
        raise CapabilityError("pages need jinja2; install vmafcast with the extra `report`") from error
    loader = jinja2.PackageLoader("vmafcast.reports", "templates")
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["shown"] = shown
    return environment.get_template("page.html.j2")
