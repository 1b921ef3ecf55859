"""`prepare`: recordings and a calibration → a training set."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..geometry.image_geometry import Crop
from ..progress import terminal_or_silent
from ..recording.calibration_file import read_calibration
from ..recording.field.by_hand import FORMS
from ..recording.prepare import DEFAULT_SIZE_PX, PrepareOptions, prepare
from ..recording.prepare_look import look
from ..recording.session import inputs
from ..recording.splits import DEFAULT_BLOCKS, DEFAULT_HOLDOUT, DEFAULT_SPLIT, SPLITS, Exclusion
from ..recording.usable import REASONS
from .options import (
    add_exclusion_options,
    add_frame_options,
    chosen_exclusion,
    lag_s,
    number,
    size_px,
    whole,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `prepare`."""
    size = "x".join(map(str, DEFAULT_SIZE_PX))
    parser.add_argument(
        "recording",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="tracked recordings of one probe and imaging depth, or folders of sessions",
    )
    parser.add_argument(
        "--calibration", type=Path, help="CAL.json, or a PLUS XML with ImageToProbe (default: the session's)"
    )
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--out", type=Path, help="folder of the training set")
    wanted.add_argument(
        "--look",
        type=Path,
        metavar="PICTURE.png",
        help="write no training set; tell what would be in it, and draw crop and split",
    )
    parser.add_argument(
        "--crop",
        default="auto",
        help="auto: the ultrasound found in the frames, a margin, pixels square in mm where the image allows "
        "(default); tight: what was found and nothing more; full; or x,y,width,height in MF pixels",
    )
    parser.add_argument(
        "--field",
        metavar="SHAPE",
        help=f"where the ultrasound is, in MF pixels of the recordings, instead of what is found: {FORMS}",
    )
    parser.add_argument(
        "--size", type=size_px, default=size, help=f"width x height of the training images (default {size})"
    )
    parser.add_argument(
        "--lag-s",
        type=lag_s,
        default="0",
        help="an image stamped t shows the pose stamped t + lag: seconds, or a LAG.json (default 0)",
    )
    parser.add_argument(
        "--split",
        choices=SPLITS,
        default=DEFAULT_SPLIT,
        help=f"hold out blocks of every sweep, or whole sweeps (default {DEFAULT_SPLIT})",
    )
    parser.add_argument(
        "--holdout",
        type=number(0, below=1),
        default=DEFAULT_HOLDOUT,
        help=f"held-out share (default {DEFAULT_HOLDOUT:g})",
    )
    parser.add_argument(
        "--blocks",
        type=whole(1, 100_000),
        default=DEFAULT_BLOCKS,
        help=f"held-out blocks in a sweep, evenly spread (default {DEFAULT_BLOCKS})",
    )
    add_exclusion_options(parser)
    add_frame_options(parser)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Prepare the training set; returns counts, size, crop, lag and hash."""
    options = PrepareOptions(
        crop=_crop(arguments.crop),
        field=arguments.field,
        size_px=arguments.size,
        lag_s=arguments.lag_s,
        split=arguments.split,
        holdout=arguments.holdout,
        blocks=arguments.blocks,
        exclusion=chosen_exclusion(arguments, arguments.probe_frame, arguments.reference_frame)
        or Exclusion(),
        image_frame=arguments.image_frame,
        probe_frame=arguments.probe_frame,
        reference_frame=arguments.reference_frame,
    )
    files, calibration_path = inputs(arguments.recording, arguments.calibration)
    calibration = read_calibration(calibration_path, arguments.image_frame, arguments.probe_frame)
    if arguments.look:
        return look(files, calibration, arguments.look, options, terminal_or_silent())
    return prepare(files, calibration, arguments.out, options, terminal_or_silent())


def show(result: dict[str, Any]) -> None:
    """Print the result for a person."""
    print(
        f"{result['frames_out']} of {result['frames_in']} frames used: {result['train']} to train on, "
        f"{result['heldout']} held out ({result['split']}), {result['too_near']} too near a held-out pose."
    )
    for reason, count in result["excluded"].items():
        if count:
            print(f"  left out: {count}, where {REASONS[reason]}")
    (width_px, height_px), (x_mm, y_mm) = result["size"], result["mm_per_px"]
    found = f"; ultrasound found: {Crop(*result['found'])}" if result["found"] else ""
    source = "×".join(map(str, result["source_size"]))
    print(
        f"Images of {width_px}×{height_px} px, {x_mm:.4f}×{y_mm:.4f} mm a pixel, from the crop "
        f"{Crop(*result['crop'])} of {source} px{found}."
    )
    print(f"Field of view: {result['field']['verdict']}")
    if "picture" in result:
        for said in result["warnings"]:
            print(f"Warning: {said}")
        print(f"Lag {result['lag_s']:g} s. Nothing was written but the picture {result['picture']}.")
        return
    print(f"Lag {result['lag_s']:g} s. Hash {result['sha256'][:16]}…")
    print(f"Training set: {result['out']}")


def _crop(text: str) -> Crop | str:
    try:
        x_px, y_px, width_px, height_px = (int(number) for number in text.split(","))
    except ValueError:
        return text
    return Crop(x_px, y_px, width_px, height_px)
