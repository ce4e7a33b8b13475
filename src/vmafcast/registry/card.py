"""Model cards: Markdown for people with a front matter for model hosts, made from facts and nothing else.

The front matter follows https://huggingface.co/docs/hub/model-cards (``model-index`` holds the evaluation). A JSON text
is valid YAML, so every value in it is written as JSON, and no text of a user can break out of its place.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from vmafcast.evaluation.verdict import Verdict
from vmafcast.registry.status import status_block, status_of

_LICENCES: Final = frozenset({
    "apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0",
    "cc-by-nc-sa-4.0", "gpl-3.0", "lgpl-3.0", "mpl-2.0",
})  # fmt: skip
"""Licence names that model hosts know; any other is given as ``other`` with its name."""

_KINDS: Final = {
    "fr": "frame regressor: measurements of one encoded frame to the teacher's score of that frame",
    "fr_ensemble": "ensemble of frame regressors: the mean of several networks, and each of them",
    "predictor": "encode predictor: measurements of a source to the score of an encode that has not been made",
}
_NOTHING: Final = "—"

Cell = str | float | int | None


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of a card.

    Attributes
    ----------
    metric
        Its short name, such as ``plcc``.
    name
        Its name in words, such as ``mean PLCC over held-out source groups``.
    value
        The figure; None where it could not be measured.
    note
        What stands beside it, such as an interval.
    """

    metric: str
    name: str
    value: float | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class CardTable:
    """A table of a card: headings and rows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What a card says of a model, whatever its kind.

    Attributes
    ----------
    name, kind
        The recipe's name, and what the model does, as in the registry's rows.
    teacher
        Whose scores it predicts.
    sha256
        Of the model file.
    summary
        What it is, in sentences.
    inputs
        What it takes and gives, a line each.
    trained_on
        What it learnt from, a line each.
    dataset, dataset_sha256
        The corpus.
    figures
        How good it is on material that it has not seen.
    groups
        The same by source group, fold or encoder; None where there is none.
    groups_title
        What stands above that table.
    limits
        What it cannot do, a line each.
    licence
        Of the data; empty where nobody said.
    reproduce
        The commands that make it again.
    """

    name: str
    kind: str
    teacher: str
    sha256: str
    summary: tuple[str, ...]
    inputs: tuple[str, ...]
    trained_on: tuple[str, ...]
    dataset: str
    dataset_sha256: str | None
    figures: tuple[Figure, ...]
    groups: CardTable | None
    groups_title: str
    limits: tuple[str, ...]
    licence: str
    reproduce: tuple[str, ...]


def model_card(
    facts: CardFacts, verdict: Verdict | None = None, *, data_card: str = "", status: str | None = None
) -> str:
    """Return the card of a model as Markdown.

    Parameters
    ----------
    facts
        What is known of it.
    verdict
        What the gate said of it; None where it was not judged.
    data_card
        The card of the corpus, which becomes a part of this one.
    status
        What the status block says; None takes it from the verdict.
    """
    parts = [
        f"# {facts.name}",
        status_block(status_of(verdict) if status is None else status),
        *facts.summary,
        _list([
            f"kind: {_KINDS.get(facts.kind, facts.kind)}",
            f"teacher: {facts.teacher}",
            f"model file: SHA-256 `{facts.sha256}`",
        ]),
        "## Inputs and outputs", _list(facts.inputs),
        "## Trained on", _list(facts.trained_on),
        "## How good it is", *_evaluation(facts),
        "## The gate", _gate(verdict),
        "## Limits", _list(facts.limits),
        "## Licence", f"Licence of the data: {facts.licence or 'not stated'}.",
        "## How to make it again", "```\n" + "\n".join(facts.reproduce) + "\n```",
    ]  # fmt: skip
    if data_card.strip():
        parts += ["## The data", _demoted(data_card)]
    return _front_matter(facts) + "\n" + "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(facts: CardFacts) -> str:
    known = facts.licence.strip().lower().replace(" ", "-")
    licence = {"license": known} if known in _LICENCES else {"license": "other" if known else "unknown"}
    if licence["license"] == "other":
        licence["license_name"] = " ".join(facts.licence.split())
    metrics = [
        {"type": figure.metric, "name": figure.name, "value": figure.value}
        for figure in facts.figures
        if figure.value is not None
    ]
    dataset = {"type": "vmafcast-corpus", "name": facts.dataset}
    if facts.dataset_sha256:
        dataset["revision"] = facts.dataset_sha256
    result = {"task": {"type": "tabular-regression", "name": f"prediction of {facts.teacher}"}, "dataset": dataset}
    fields: dict[str, object] = {
        **licence,
        "library_name": "onnx",
        "pipeline_tag": "tabular-regression",
        "tags": ["vmaf", "video-quality", "vmafcast", facts.kind],
    }
    if metrics:  # a host refuses a result without a metric
        fields["model-index"] = [{"name": facts.name, "results": [{**result, "metrics": metrics}]}]
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False, allow_nan=False)}" for key, value in fields.items()]
    return "\n".join(["---", *lines, "---", ""])


def _evaluation(facts: CardFacts) -> list[str]:
    if not facts.figures:
        return ["It was not evaluated on material that it has not seen."]
    rows = tuple((figure.name, figure.value, figure.note) for figure in facts.figures)
    parts = [_table(CardTable(("figure", "value", "note"), rows))]
    if facts.groups is not None:
        parts += [f"### {facts.groups_title}", _table(facts.groups)]
    return parts


def _gate(verdict: Verdict | None) -> str:
    if verdict is None:
        return "It was not judged."
    rows = tuple(
        (each.name, each.status, each.value, f"{each.comparison} {each.threshold:g}", each.detail)
        for each in verdict.criteria
    )
    said = f"Gate `{verdict.gate_name}`: **{verdict.verdict}** ({verdict.outcome})."
    if verdict.overrides:
        said += f" Thresholds that were not left at their defaults: {', '.join(sorted(verdict.overrides))}."
    return said + "\n\n" + _table(CardTable(("criterion", "status", "value", "bound", "in words"), rows))


def _table(table: CardTable) -> str:
    lines = [_row(table.columns), "|" + "---|" * len(table.columns)]
    return "\n".join([*lines, *(_row([_shown(cell) for cell in row]) for row in table.rows)])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


def _shown(cell: Cell) -> str:
    if cell is None:
        return _NOTHING
    if isinstance(cell, float):
        # A correlation of 0.99991 is not 1, and an RMSE of 0.13 needs no five digits.
        return f"{cell:.5f}" if math.fabs(cell) <= 1 else f"{cell:.3f}"
    return str(cell)


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {' '.join(line.split())}" for line in lines)


def _demoted(card: str) -> str:
    """Return a card as a part of another: its headings two levels down, its title gone."""
    body = re.sub(r"\A---\n.*?\n---\n", "", card.strip() + "\n", flags=re.DOTALL).strip()
    body = re.sub(r"\A# .*\n+", "", body)
    return re.sub(r"^(#{1,4}) ", r"#\1 ", body, flags=re.MULTILINE)
