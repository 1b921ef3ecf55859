"""The command line: finds the command, prints its result, and turns errors into one line and an exit code.

Exit codes: 0 success, 2 bad input (one clear line on standard error), 70 a mistake of this program (one line too; with
USGANSIM_DEBUG=1 its traceback), 130 interrupted with Ctrl-C.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from . import __version__
from .errors import UserError
from .watched import end_with_input, watched

# Name → what it does; the command itself is commands/<name>.py, imported only when it runs.
COMMANDS = {
    "info": "print what is in a recording or a model",
    "phantom": "render a tracked recording of the virtual phantom, with its true landmarks",
    "calibrate": "calibrate a probe with a pinhead, or the lag between images and poses",
    "coverage": "draw what recordings have swept, and tell which landmarks were seen too little",
    "recover": "make recordings readable whose program was killed",
    "compress": "make a recording one compressed file",
    "import": "make a recording of images or a DICOM cine with a table of poses, or of an HDF5 scan (TUS-REC)",
    "export": "write a recording or a training set as PNG images and a table of poses",
    "prepare": "make a training set of recordings",
    "train": "train a model on a training set",
    "simulate": "simulate the images of a recording's poses",
    "volume": "write what a model has learned, or the frames of a training set, as a volume",
    "train-observer": "train the landmark observer of 'evaluate' on virtual subjects",
    "evaluate": "compare models with baselines on held-out frames",
    "crossval": "cross-validate baselines and a recipe, near poses left out of training",
    "study": "make and score blind studies of real and simulated images",
    "replay": "play a recording over OpenIGTLink as PlusServer would",
    "serve": "send simulated images for the tracker poses of an OpenIGTLink server",
    "bench": "measure latency and rate of the live path",
    "demo": "run the whole live path on a recording and make a picture of it",
}

LONGEST_LINE = 1000


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    words = list(sys.argv[1:] if words is None else words)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # Not every terminal or pipe has a σ.
    try:
        arguments = _parser(words).parse_args(words)
    except _NotUnderstood as refusal:
        _say(str(refusal))
        return 2
    command: ModuleType = arguments.command_module
    if watched():
        end_with_input()
    try:
        result: dict[str, Any] = command.run(arguments)
        if arguments.json:
            from .files import strict_json

            print(strict_json(result))
        else:
            command.show(result)
    except KeyboardInterrupt:
        _say(f"usgansim {arguments.command}: interrupted.")
        return 130
    except Exception as error:
        words_for_it = _in_words(error)
        if words_for_it is None:
            return _own_mistake(arguments.command, error)
        _say(f"usgansim {arguments.command}: {words_for_it}")
        return 2
    return 0


def _in_words(error: Exception) -> str | None:
    """What to say of an error that is no mistake of the program: bad input, files, too little memory. Else None."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror or error}."
    # PyTorch has an error of its own for the memory of a GPU, and for the CPU's only words.
    if (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or "DefaultCPUAllocator" in str(error)
    ):
        return "This takes more memory than there is. Ask for less, or for smaller images."
    return None


def _own_mistake(command: str, error: Exception) -> int:
    """Tell of an error that nobody expected, with its place in this program; the exit code."""
    if os.environ.get("USGANSIM_DEBUG"):
        raise error
    *_, last = traceback.extract_tb(error.__traceback__)
    place = f"{Path(last.filename).name}:{last.lineno}"
    _say(
        f"usgansim {command}: a mistake of this program, {type(error).__name__} at {place}: {error}. Please report it; "
        "USGANSIM_DEBUG=1 shows where it comes from."
    )
    return 70


def _say(text: str) -> None:
    """One line on standard error; what a file or a word brings of other lines and of control characters is escaped."""
    shown = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
    print(shown if len(shown) <= LONGEST_LINE else f"{shown[:LONGEST_LINE]}…", file=sys.stderr)


def _path(text: str) -> Path:
    """The type of an option that is a path: pathlib alone takes no word for the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("an empty word is no path")
    return Path(text)


class _NotUnderstood(Exception):  # noqa: N818 - what the words say, no fault of the program
    """Words that a parser refuses, and why."""


class _Parser(argparse.ArgumentParser):
    """A parser that refuses in one line, as the commands do."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.register("type", Path, _path)

    def error(self, message: str) -> NoReturn:
        raise _NotUnderstood(f"{self.prog}: {message.rstrip('.')}. See '{self.prog} --help'.")


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="usgansim",
        description="Simulated freehand ultrasound. Not for clinical use.",
        epilog="'usgansim COMMAND --help' tells the options of a command.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    chosen = next((word for word in words if not word.startswith("-")), None)
    for name, purpose in COMMANDS.items():
        sub = commands.add_parser(name, help=purpose, description=purpose[0].upper() + purpose[1:] + ".")
        # Only the chosen command is imported, so that --help and bad words answer at once.
        if name == chosen:
            module = importlib.import_module(f".commands.{name.replace('-', '_')}", __package__)
            module.add_arguments(sub)
            sub.add_argument(
                "--json", action="store_true", help="print the result as JSON on standard output"
            )
            sub.set_defaults(command_module=module)
            importlib.import_module(".commands.options", __package__).tell_ranges(sub)
    return parser
