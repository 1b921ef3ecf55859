"""`calibrate detect`: proposals of the pinhead, frame by frame, as a table that can be corrected and given back."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..calibration.pinhead.detection import propose
from ..calibration.pinhead.pictures import save_proposals
from ..calibration.pinhead.points import one_point_a_frame, write_points
from ..errors import UserError
from ..evaluation.measures.points import read_points
from ..files import replacing_file
from ..recording.sequence_file import read_sweep
from .options import picture_beside, whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `calibrate detect`."""
    parser.add_argument("recording", type=Path, metavar="FILE", help="recording of the pin")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="POINTS.csv",
        help="table frame,u_px,v_px,strength; a picture of some proposals is written beside it",
    )
    parser.add_argument(
        "--click",
        action="append",
        default=[],
        metavar="FRAME,U,V",
        help="the pinhead in one frame, MF pixels; can be repeated (default: the most distinct spot)",
    )
    parser.add_argument(
        "--points",
        type=Path,
        metavar="FILE.csv",
        help="corrected points, frame,u_px,v_px: kept as they are, and tracked from",
    )
    parser.add_argument(
        "--every", type=whole(1), default=1, metavar="N", help="keep every Nth proposal (default 1)"
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Write the table; returns counts and the files' names."""
    if arguments.every < 1:
        raise UserError(f"--every {arguments.every} keeps no proposal.", "Give 1 or more.")
    panel = picture_beside(arguments.out)
    sweep = read_sweep(arguments.recording)
    if not sweep.has_images:
        raise UserError(f"{sweep.name} has no valid image.", "Give the recording of the pin.")
    clicks = dict(_click(text) for text in arguments.click)
    if arguments.points:
        clicks.update(one_point_a_frame(read_points(arguments.points), arguments.points.name))
    found = propose(sweep.frames, clicks, sweep.image_valid)
    keep = found.given | (np.arange(len(found)) % arguments.every == 0)
    with replacing_file(arguments.out) as part:
        write_points(part, found.frames[keep], found.pixels[keep], found.strengths[keep])
    save_proposals(panel, sweep.frames, found)
    return {
        "frames": len(sweep),
        "proposed": int((keep & ~found.given).sum()),
        "given": int(found.given.sum()),
        "out": str(arguments.out),
        "panel": str(panel),
    }


def show(result: dict[str, Any]) -> None:
    """Print the result for a person."""
    print(f"{result['proposed']} proposals and {result['given']} given points in {result['frames']} frames.")
    print(f"{result['out']}, {result['panel']}: look at them, and correct rows or delete them.")


def _click(text: str) -> tuple[int, NDArray[np.float64]]:
    try:
        frame, u_px, v_px = text.split(",")
        return int(frame), np.array([float(u_px), float(v_px)])
    except ValueError as error:
        raise UserError(f"'{text}' is no click.", "Give frame,u,v, for example 12,310,205.") from error
