"""The data card of a corpus: what it holds, where it came from, under which licences, and what it lacks."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from vmafcast.common.errors import RequestError
from vmafcast.corpus.describe import CorpusSummary, describe_corpus
from vmafcast.corpus.store import CorpusStore

Facts = Mapping[str, Mapping[str, str]]


def read_source_facts(manifests: Sequence[Path]) -> dict[str, dict[str, str]]:
    """Return what manifests say of each source, by name; columns that a manifest lacks are simply missing.

    Raises
    ------
    RequestError
        A manifest cannot be read or has no column ``name``.
    """
    facts: dict[str, dict[str, str]] = {}
    for path in manifests:
        try:
            with path.open(newline="", encoding="utf-8") as handle:
                rows = list(csv.DictReader(handle))
        except OSError as error:
            raise RequestError(f"cannot read {path}: {error.strerror}") from error
        if rows and "name" not in rows[0]:
            raise RequestError(f"{path} has no column name, so nothing in it can be told apart")
        facts |= {row["name"]: row for row in rows}
    return facts


def corpus_card(store: CorpusStore, title: str, facts: Facts) -> str:
    """Return the card of a corpus as Markdown.

    Parameters
    ----------
    store
        The corpus.
    title
        Its heading.
    facts
        What is known of each source beside its measurements: ``licence``, ``origin_repo``, ``content_tags``.
    """
    summary = describe_corpus(store)
    table = store.encodes()
    parts = [
        f"# {title}",
        _overview(summary),
        "## Encoders",
        _encoders(summary),
        "## Sources",
        "Licences and origins are as the manifest of the footage states them; the footage itself is not part of this.",
        _sources(table, facts),
        "## Known gaps",
        "\n".join(f"- {gap}" for gap in _gaps(summary, table, facts)),
    ]
    return "\n\n".join(parts) + "\n"


def _overview(summary: CorpusSummary) -> str:
    versions = "; ".join(f"{name} {', '.join(found)}" for name, found in sorted(summary.encoder_versions.items()))
    further = ""
    if summary.further_teachers:
        further = f"- beside it: {', '.join(summary.further_teachers)}, in columns of these names\n"
    costs = ", ".join(f"{name} {seconds:.3g}" for name, seconds in summary.feature_cost_seconds.items())
    return (
        f"{summary.cells:,} encodes of {summary.sources} sources in {summary.source_groups} source groups, "
        f"{summary.frames:,} frames scored.\n\n"
        f"- teacher: {', '.join(summary.teachers)}, mean over frames\n"
        f"{further}"
        f"{''.join(f'  - {each.describe()}{chr(10)}' for each in summary.teacher_facts)}"
        f"- ffmpeg: {', '.join(summary.ffmpeg_versions)}\n"
        f"- encoder builds: {versions}\n"
        "- encoder threads: 1; every encode is constant quality without a bitrate cap"
        f"{f'{chr(10)}- CPU seconds an encode of each feature set by itself: {costs}' if costs else ''}"
    )


def _encoders(summary: CorpusSummary) -> str:
    head = (
        "| encoder | preset | quality values | encodes | VMAF, lowest | median | highest |\n"
        "|---|---|---|---|---|---|---|"
    )
    rows = [
        f"| {e.encoder} | {e.preset} | {' '.join(map(str, e.qualities))} | {e.cells} | {e.vmaf_min:.1f} | "
        f"{e.vmaf_median:.1f} | {e.vmaf_max:.1f} |"
        for e in summary.encoders
    ]
    return "\n".join([head, *rows])


def _sources(table: pl.DataFrame, facts: Facts) -> str:
    rows = table.unique("source").sort("source_group", "source")
    lines = [
        "| source | group | size | fps | frames | content | licence | origin |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows.iter_rows(named=True):
        known = facts.get(row["source"], {})
        content = known.get("content_tags", "").replace(";", ", ")
        lines.append(
            f"| {row['source']} | {row['source_group']} | {row['width']}x{row['height']} | {row['fps']:.4g} | "
            f"{row['frames']} | {content} | {known.get('licence', 'not stated')} | {known.get('origin_repo', '')} |"
        )
    return "\n".join(lines)


def _gaps(summary: CorpusSummary, table: pl.DataFrame, facts: Facts) -> list[str]:
    tall = int(table.select(pl.col("height").max()).item())
    longest = float(table.select((pl.col("frames") / pl.col("fps")).max()).item())
    unknown = sorted(set(table["source"].unique()) - set(facts))
    gaps = [
        f"no source is taller than {tall} lines or longer than {longest:.1f} s",
        "no hardware encoder" if not any("_" in e.encoder for e in summary.encoders) else "",
        "8-bit sources only" if int(table.select(pl.col("bit_depth").max()).item()) <= 8 else "",
        "" if summary.complete else "not every source has every encoder, preset and quality value",
        f"nothing is known of the origin of {', '.join(unknown)}" if unknown else "",
    ]
    return [gap for gap in gaps if gap]
