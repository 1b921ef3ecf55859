"""`export FILE`: a recording or a training set as PNG images and a table of poses."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..geometry.transforms import split_transform_name
from ..progress import terminal_or_silent
from ..recording.dataset import MARKER as DATASET
from ..recording.dataset import open_dataset
from ..recording.exchange.handing_out import HELDOUT, POSES, TRAINING, hand_out_dataset, hand_out_recording
from ..recording.sequence_file import read_sweep


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `export`."""
    parser.add_argument(
        "file",
        type=Path,
        help="recording (.igs.mha, .igs.mhd, .igs.nrrd), or folder of a training set: its training images with their "
        "poses, and the poses of its held-out frames, for another simulator (evaluate --images)",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--force", action="store_true", help="replace --out where it is such a folder")
    parser.add_argument(
        "--transform",
        default="ProbeToReference",
        metavar="NAME",
        help="the transform of a recording's table, chained of what it has (default %(default)s)",
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Write the folder; returns what is in it."""
    out = arguments.out
    if out.exists() and not arguments.force:
        raise UserError(f"{out} exists already.", "Choose another --out, or give --force to replace it.")
    progress = terminal_or_silent()
    if (arguments.file / DATASET).is_file():
        dataset = open_dataset(arguments.file)
        count = len(dataset.train_indices)
        for done in hand_out_dataset(dataset, out):
            progress.emit("step", step=done, of=count)
        return _result(out, f"ImageTo{dataset.reference_frame}", count, len(dataset.heldout_indices))
    of, to = split_transform_name(arguments.transform)
    sweep = read_sweep(arguments.file)
    if not sweep.has_images:
        raise UserError(f"{arguments.file.name} has no images.", "Give a recording of images.")
    graph = sweep.graph()
    missing = next((frame for frame in (of, to) if frame not in graph.frames), None)
    if missing:
        raise UserError(
            f"{sweep.name} has no coordinate frame '{missing}'; it has {', '.join(graph.frames) or 'none'}.",
            "Name another --transform.",
        )
    for done in hand_out_recording(sweep, arguments.transform, graph.track(of, to), out):
        progress.emit("step", step=done, of=len(sweep))
    return _result(out, arguments.transform, len(sweep), None)


def show(result: dict[str, Any]) -> None:
    """Print the result for a person."""
    print(f"{result['folder']}: {result['images']} images.")
    for table in result["tables"]:
        print(f"{table}: {result['transform']}, in mm.")


def _result(folder: Path, transform: str, images: int, heldout: int | None) -> dict[str, Any]:
    tables = [POSES] if heldout is None else [f"{TRAINING}/{POSES}", HELDOUT]
    return {
        "folder": str(folder),
        "images": images,
        "heldout": heldout,
        "transform": transform,
        "tables": [str(folder / table) for table in tables],
    }
