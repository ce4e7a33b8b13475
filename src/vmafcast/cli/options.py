"""Options that several commands share, and the reading of scoped values such as ``libx264=medium,fast``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from vmafcast.common.errors import RequestError
from vmafcast.encoders.catalogue import get_encoder

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def json_option(command: CommandT) -> CommandT:
    """Add ``--json``."""
    return click.option(
        "--json", "as_json", is_flag=True, help="JSON lines on standard output, and nothing else there."
    )(command)


def ffmpeg_option(command: CommandT) -> CommandT:
    """Add ``--ffmpeg``."""
    return click.option(
        "--ffmpeg", "ffmpeg_path", metavar="PATH", help="Another ffmpeg than the bundled one ($VMAFCAST_FFMPEG)."
    )(command)


def registry_option(command: CommandT) -> CommandT:
    """Add ``--registry``."""
    return click.option(
        "--registry", "registry_folder", type=click.Path(path_type=Path), default=Path("registry"), show_default=True,
        envvar="VMAFCAST_REGISTRY", metavar="DIR", help="The model registry ($VMAFCAST_REGISTRY).",
    )(command)  # fmt: skip


def serving_option(command: CommandT) -> CommandT:
    """Add ``--registry`` to a command that only reads: without one, the champions of vmafcast itself are there."""
    return click.option(
        "--registry", "registry_folder", type=click.Path(path_type=Path), envvar="VMAFCAST_REGISTRY", metavar="DIR",
        help="The model registry ($VMAFCAST_REGISTRY) [default: ./registry, else the packaged one].",
    )(command)  # fmt: skip


def scoped_values(option: str, values: Sequence[str], encoder: str, encoders: Sequence[str]) -> tuple[str, ...]:
    """Return the values that an option gives for one encoder.

    Each value is a comma-separated list, either for all encoders (``medium,fast``) or for one
    (``libx264=medium,fast``); what is said for one encoder takes the place of what is said for all.

    Raises
    ------
    RequestError
        A value names an encoder that is not among ``encoders``, or is empty.
    """
    for_all: list[str] = []
    for_one: list[str] = []
    for value in values:
        name, equals, listed = value.rpartition("=")
        items = [item.strip() for item in listed.split(",") if item.strip()]
        if not items:
            raise RequestError(f"{option} {value!r} holds no value; write a list such as 23,28 or libx264=23,28")
        if not equals:
            for_all += items
        elif get_encoder(name).name not in encoders:
            raise RequestError(f"{option} {value!r} is for {name}, which is not among --encoder {', '.join(encoders)}")
        elif get_encoder(name).name == encoder:
            for_one += items
    return tuple(dict.fromkeys(for_one or for_all))


def whole_numbers(option: str, values: Sequence[str]) -> tuple[int, ...]:
    """Return ``values`` as integers; RequestError for one that is none."""
    try:
        return tuple(int(value) for value in values)
    except ValueError as error:
        raise RequestError(f"{option} takes whole numbers of the encoder's own scale ({error})") from error
