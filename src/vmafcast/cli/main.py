"""The command ``vmafcast``: finds the subcommand, runs it, and turns errors into one clear line and an exit code.

Nothing heavy is imported before a subcommand runs: ``vmafcast --help`` must answer at once.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Mapping
from importlib import import_module
from types import FrameType, MappingProxyType

import click

from vmafcast.cli.console import say, write_json_line
from vmafcast.common.errors import CapabilityError, FfmpegError, RequestError, VmafcastError

INTERRUPTED = 130

_TRAINING = frozenset({"jax", "jaxlib", "onnx", "optax", "scipy", "sklearn", "threadpoolctl"})
"""The packages of the extra `train`, without which everything but training works."""

_COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType({
    "complexity": ("vmafcast.cli.complexity:complexity", "Show what a source is like before it is encoded."),
    "corpus": ("vmafcast.cli.corpus:corpus", "Build and describe corpora of encodes with their VMAF."),
    "coverage": ("vmafcast.cli.coverage:coverage", "Say how often intervals hold on held-out material, and how wide."),
    "demo": ("vmafcast.cli.demo:demo", "Run the whole line on generated footage, in minutes."),
    "encoders": ("vmafcast.cli.encoders:encoders", "Show every encoder: known, built in, works here."),
    "ensemble": ("vmafcast.cli.ensemble:ensemble", "Train several seeds, judge them, export them as one model."),
    "gate": ("vmafcast.cli.ensemble:gate", "Judge the scores of several seeds, whoever trained them."),
    "evaluate": ("vmafcast.cli.evaluate:evaluate", "Score a recipe on held-out material, beside plain baselines."),
    "forecast": ("vmafcast.cli.forecast:forecast", "Predict VMAF and bitrate of encodes that were not made."),
    "predict": ("vmafcast.cli.predict:predict", "Predict the VMAF of a distorted video with the champion."),
    "registry": ("vmafcast.cli.registry:registry", "List, verify and roll back models."),
    "ship": ("vmafcast.cli.train:ship", "Judge a trained model and promote it if the gate passes."),
    "train": ("vmafcast.cli.train:train", "Train a recipe on a corpus, with leave-one-source-out scores."),
    "train-predictors": (
        "vmafcast.cli.train_predictors:train_predictors", "Train a predictor for every encoder, gate by gate.",
    ),
    "tune": ("vmafcast.cli.tune:tune", "Find the cheapest quality value that meets a VMAF target."),
})  # fmt: skip


class _LazyGroup(click.Group):
    """A group that knows its commands by name and imports one only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in _COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="vmafcast", message="%(prog)s %(version)s")
def cli() -> None:
    """Predict VMAF: from cheap measurements, and before anything is encoded.

    Exit codes: 0 ok, 1 failed, 2 usage, 3 refused by a gate, 4 integrity, 130 interrupted.
    """


def main() -> None:
    """Run the command line; the entry point of the package."""
    # SIGHUP: the terminal was closed; where nohup said to ignore it, it stays ignored.
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _interrupt)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name of a file, or a terminal, need not be UTF-8
            stream.reconfigure(errors="backslashreplace")
    try:
        cli.main(standalone_mode=False)
    except VmafcastError as error:
        _say(error)
        sys.exit(error.exit_code)
    except click.exceptions.Exit as leaving:
        sys.exit(leaving.exit_code)
    except click.ClickException as error:
        if "--json" in sys.argv:
            _json_error(error.format_message(), error.exit_code)
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        say("interrupted; what was finished is kept")
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone; there is nobody to tell
        sys.exit(1)
    except Exception as error:  # whatever was not foreseen: said in a line, in full where asked for
        known = _explained(error)
        if known is None and os.environ.get("VMAFCAST_TRACEBACK"):
            raise
        bug = f"{type(error).__name__}: {error}; this is a bug: set VMAFCAST_TRACEBACK=1 and report it"
        said = known or VmafcastError(bug)
        _say(said)
        sys.exit(said.exit_code)


def _explained(error: Exception) -> VmafcastError | None:
    """Return the error of ours that one of Python's stands for, None where it is a mistake of ours."""
    if isinstance(error, ModuleNotFoundError) and error.name in _TRAINING:
        return CapabilityError(
            f"this needs {error.name}; install vmafcast with its extra: pip install 'vmafcast[train]'"
        )
    if isinstance(error, UnicodeEncodeError):  # a name that came to us as bytes, and is to be written into a document
        return RequestError(f"{error.object!r} is not valid UTF-8 and cannot be recorded; rename it")
    return None


def _say(error: VmafcastError) -> None:
    if "--json" in sys.argv:
        _json_error(error.message if isinstance(error, FfmpegError) else str(error), error.exit_code)
    say(f"error: {error}")


def _json_error(message: str, exit_code: int) -> None:
    write_json_line({"type": "error", "message": message, "exit_code": exit_code})


def _interrupt(signum: int, frame: FrameType | None) -> None:
    """Treat a request to terminate as Ctrl-C, so that children end and temporaries go."""
    del signum, frame
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
