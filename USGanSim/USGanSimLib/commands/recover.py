"""`recover FOLDER|FILE…`: recordings whose program was killed, made readable up to their last frame."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..recording.live_file import recover
from ..recording.session import recover_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `recover`."""
    parser.add_argument(
        "paths",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="folder of a session, or unfinished recording (.igs.recording, with its .igs.raw beside it)",
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Finish the recordings in place; returns the file and the frames of each."""
    found = [
        one
        for path in arguments.paths
        for one in (recover_folder(path) if path.is_dir() else [recover(path)])
    ]
    return {
        "recovered": [
            {"file": str(one.path), "frames": one.frames, "cut_bytes": one.cut_bytes} for one in found
        ]
    }


def show(result: dict[str, Any]) -> None:
    """Print the result for a person."""
    for one in result["recovered"]:
        cut = f"; an incomplete last one was cut off ({one['cut_bytes']} bytes)" if one["cut_bytes"] else ""
        print(f"{one['file']}: {one['frames']} frames{cut}.")
