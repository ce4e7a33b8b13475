"""What a verification of a corpus finds."""

from __future__ import annotations

from typing import Literal

import polars as pl

from vmafcast.common.documents import Document

Check = Literal[
    "unreadable",  # a file that is no table, or lacks a column
    "manifest",  # files, hashes or counts that are not what corpus.json says
    "duplicate",  # a cell or a frame that is there twice
    "missing",  # encodes without frames, frames without an encode, or fewer frames than were measured
    "pooled",  # pooled scores or sizes that are not what the frames give
    "impossible",  # a value that cannot have been measured
    "settings",  # an encoder, preset or quality that there is not
    "bitrate",  # a bitrate that size, frame rate and frames do not give
    "teachers",  # scores of more than one teacher
    "groups",  # one material in two source groups, or one name for two contents
    "surveys",  # what was measured of the sources, that differs from the encodes or was not measured alike
    "curve",  # VMAF that falls where quality rises
    "rebuilt",  # a cell that has other numbers when it is made again
    "unstated",  # what an imported corpus does not say
]


class Finding(Document):
    """One thing that was found.

    Parameters
    ----------
    kind
        ``problem``: the corpus should not be used like this. ``note``: worth knowing, and it happens.
    check
        Which check found it.
    where
        A file relative to the corpus, a cell, a source, or what else it is about.
    detail
        A sentence.
    """

    kind: Literal["problem", "note"]
    check: Check
    where: str
    detail: str


class CorpusReport(Document):
    """What was verified, and what was found: ``frames`` were read, of ``frames_encoded`` that the encodes have."""

    schema_version: Literal[1] = 1
    folder: str
    files: int
    cells: int
    frames: int
    frames_encoded: int
    findings: tuple[Finding, ...]

    @property
    def problems(self) -> tuple[Finding, ...]:
        """What is wrong."""
        return tuple(finding for finding in self.findings if finding.kind == "problem")

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong; notes do not count."""
        return not self.problems


def problem(check: Check, where: str, detail: str) -> Finding:
    """Return a finding that something is wrong."""
    return Finding(kind="problem", check=check, where=where, detail=detail)


def note(check: Check, where: str, detail: str) -> Finding:
    """Return a finding that something is worth knowing."""
    return Finding(kind="note", check=check, where=where, detail=detail)


_ONE_MATERIAL = (
    ("source", "source_group", "source groups"),
    ("source_sha256", "source_group", "source groups"),
    ("source", "source_sha256", "contents (SHA-256)"),
)


def torn_sources(encodes: pl.DataFrame) -> list[Finding]:
    """Return a problem for each source, or content, that is in two groups, and for each name of two contents.

    Such a split leaks: the same material would be trained on and held out.
    """
    found = []
    for column, value, what in _ONE_MATERIAL:
        pairs = encodes.select(column, value).drop_nulls().unique().sort(column, value)
        several = pairs.group_by(column, maintain_order=True).agg(value).filter(pl.col(value).list.len() > 1)
        for name, values in several.iter_rows():
            found.append(problem("groups", name, f"{column} {name} has {len(values)} {what}: {', '.join(values)}"))
    return found


def same_settings(encodes: pl.DataFrame) -> int:
    """Return how many (source, encoder, preset, quality) are there under more than one cell identity."""
    names = [name for name in ("source", "encoder", "preset", "quality", "distorted") if name in encodes.columns]
    stated = encodes.filter(pl.col("quality").is_not_null())
    return stated.group_by(names).agg(pl.col("cell").n_unique()).filter(pl.col("cell") > 1).height
