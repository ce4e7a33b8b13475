"""The rooms stand in a line, and a room knows only those before it."""

import ast
from pathlib import Path

import pytest

import vmafcast

PACKAGE = Path(vmafcast.__file__).parent

LINE = (
    "common",
    "encoders",
    "media",
    "corpus",
    "models",
    "evaluation",
    "registry",
    "tuning",
    "reports",
    "workflows",
    "cli",
)

MUST_NOT_KNOW = {
    "media": {"corpus"},
    "models": {"corpus", "media"},
    "evaluation": {"corpus", "media"},
    "registry": {"corpus", "media"},
    "tuning": {"corpus", "media", "models", "evaluation", "registry"},
    "reports": {"encoders", "media", "corpus", "models", "evaluation", "registry", "tuning"},
}
"""What lies before a room in the line and is none of its business all the same."""

OPENS_VIDEO = {"av", "imageio_ffmpeg"}
"""Packages that start ffmpeg or open a video: only `media` may use them."""


MODULES = [
    pytest.param(path.relative_to(PACKAGE).parts[0], path, id=path.relative_to(PACKAGE).as_posix())
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.parent != PACKAGE
]


def imported(path):
    """Return every module name that a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively, which hides the room"
            assert node.module != "vmafcast", f"{path} imports from the package itself, which hides the room"
            names.add(node.module)
    return names


def test_every_room_is_in_the_line():
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert rooms == set(LINE)


@pytest.mark.parametrize(("room", "path"), MODULES)
def test_a_room_imports_only_rooms_before_it(room, path):
    known = set(LINE[: LINE.index(room) + 1]) - MUST_NOT_KNOW.get(room, set())
    rooms = {name.split(".")[1] for name in imported(path) if name.startswith("vmafcast.")}
    assert rooms <= known


@pytest.mark.parametrize(("room", "path"), MODULES)
def test_only_media_opens_videos(room, path):
    packages = {name.split(".")[0] for name in imported(path)}
    assert room == "media" or not packages & OPENS_VIDEO


@pytest.mark.parametrize(("room", "path"), MODULES)
def test_only_media_starts_processes(room, path):
    assert room == "media" or "subprocess" not in imported(path)


def test_the_command_line_holds_no_arithmetic():
    """A command reads arguments and renders results: numpy or polars in it would be logic."""
    for path in (PACKAGE / "cli").glob("*.py"):
        assert not {name.split(".")[0] for name in imported(path)} & {"numpy", "polars", "scipy", "jax", "onnxruntime"}
