"""`vmafcast --help` answers at once, because nothing heavy is imported before a command runs."""

import subprocess
import sys

import pytest

HEAVY = {"numpy", "polars", "jax", "onnx", "onnxruntime", "av", "scipy", "pydantic", "jinja2", "rich", "imageio_ffmpeg"}

REPORT = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); "
RUN = "sys.argv = ['vmafcast', *{arguments!r}]; from vmafcast.cli.main import main; main()"

COMMANDS = [
    [],
    ["complexity"],
    ["corpus"],
    ["demo"],
    ["encoders"],
    ["predict"],
    ["registry"],
    ["ship"],
    ["train"],
    ["tune"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command) or "vmafcast")
def test_help_imports_nothing_heavy(command):
    code = REPORT + RUN.format(arguments=[*command, "--help"])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Usage:" in done.stdout
    loaded = {name.split(".")[0] for name in done.stderr.split()}
    assert "click" in loaded
    assert not loaded & HEAVY
