"""`info FILE…`: what is in a recording or a model, and what is odd about it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..model.info import MODEL_SUFFIX
from ..recording.describe import FrameNames, described, lines


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help=f"recording (.igs.mha, .igs.mhd, .igs.nrrd), training set (its folder) or model ({MODEL_SUFFIX})",
    )
    parser.add_argument(
        "--reference-frame", default="Reference", help="frame of the poses (default %(default)s)"
    )
    parser.add_argument("--probe-frame", default="Probe", help="frame of the probe (default %(default)s)")
    parser.add_argument("--image-frame", default="Image", help="frame of the pixels (default %(default)s)")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """One file's description, or `{"files": [...]}` of several."""
    names = FrameNames(arguments.reference_frame, arguments.probe_frame, arguments.image_frame)
    results = [described(path, names) for path in arguments.files]
    return results[0] if len(results) == 1 else {"files": results}


def show(result: dict[str, Any]) -> None:
    for entry in result.get("files", [result]):
        print(f"{entry['file']}: {entry['kind']}")
        for name, text in lines(entry):
            print(f"  {name:<12}{text}")
