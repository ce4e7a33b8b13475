"""Where a result came from: the ``run_provenance`` block that every report carries."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field

from vmafcast.common.documents import Document
from vmafcast.common.files import sha256_file

_PACKAGES = (
    "numpy",
    "polars",
    "pydantic",
    "onnxruntime",
    "onnx",
    "jax",
    "jaxlib",
    "optax",
    "scipy",
    "scikit-learn",
    "av",
    "imageio-ffmpeg",
)


class FileFact(Document):
    """One file that a run read or wrote: its path as it was given, its SHA-256 and its size in bytes."""

    path: str
    sha256: str
    bytes: int

    @classmethod
    def of(cls, path: Path, shown_as: str | None = None) -> FileFact:
        """Hash the file at ``path``; ``shown_as`` is the path to record when it is not ``path`` itself."""
        return cls(path=shown_as or str(path), sha256=sha256_file(path), bytes=path.stat().st_size)


class RunProvenance(Document):
    """How a report came about. Times are UTC; the host is described by facts without names."""

    model_config = ConfigDict(serialize_by_alias=True)

    form: str = Field(default="vmafcast/run-provenance/1", alias="schema")
    entrypoint: str
    argv: list[str]
    args: dict[str, Any]
    inputs: list[FileFact]
    outputs: list[FileFact]
    code_version: str
    packages: dict[str, str]
    ffmpeg: str | None
    started_utc: str
    ended_utc: str
    host: dict[str, str | int]


class RunRecord:
    """Collects what a run reads and writes; :meth:`finish` turns it into a :class:`RunProvenance`.

    Parameters
    ----------
    entrypoint
        The name of the command or function, such as ``"vmafcast train"``.
    args
        Its effective arguments, as JSON values.
    """

    def __init__(self, entrypoint: str, args: Mapping[str, Any]) -> None:
        self._entrypoint = entrypoint
        self._args = dict(args)
        self._started = utc_now()
        self._ffmpeg: str | None = None
        self._inputs: list[FileFact] = []
        self._outputs: list[FileFact] = []

    def read(self, paths: Sequence[Path]) -> None:
        """Record input files."""
        self._inputs.extend(FileFact.of(path) for path in paths)

    def wrote(self, paths: Sequence[Path]) -> None:
        """Record output files."""
        self._outputs.extend(FileFact.of(path) for path in paths)

    def used_ffmpeg(self, version: str) -> None:
        """Record which ffmpeg build did the work."""
        self._ffmpeg = version

    def finish(self) -> RunProvenance:
        """Return the block, ended now."""
        return RunProvenance(
            entrypoint=self._entrypoint,
            argv=sys.argv[1:],
            args=self._args,
            inputs=self._inputs,
            outputs=self._outputs,
            code_version=code_version(),
            packages=package_versions(),
            ffmpeg=self._ffmpeg,
            started_utc=self._started,
            ended_utc=utc_now(),
            host=host_facts(),
        )


def utc_now() -> str:
    """Return the present moment as ``2026-01-31T12:34:56Z``."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def code_version() -> str:
    """Return the version of vmafcast that is running."""
    return metadata.version("vmafcast")


def package_versions() -> dict[str, str]:
    """Return the installed versions of the packages that decide a result's numbers."""
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def host_facts() -> dict[str, str | int]:
    """Return facts of the machine that may matter for a result, none of which names it or its user."""
    return {"system": platform.system(), "machine": platform.machine(), "cpus": os.cpu_count() or 1}
