"""`calibrate pinhead`: marked pinheads and poses → CAL.json, a picture of the residuals beside it, and a PLUS XML."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..calibration.pinhead.checks import require_marks_on_spots, require_same_side
from ..calibration.pinhead.pictures import save_pin_charts
from ..calibration.pinhead.points import (
    PinPoints,
    one_point_a_frame,
    points_of_sweep,
    points_with_poses,
    read_poses,
    read_strengths,
)
from ..calibration.pinhead.verdict import calibrate_pinhead
from ..evaluation.measures.points import read_points
from ..files import write_json
from ..model.ranges import Range
from ..recording.calibration_file import calibration_json, read_calibration, write_plus_xml
from ..recording.sequence_file import read_sweep
from .options import add_frame_options, lag_s, numbers, picture_beside, size_px


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `calibrate pinhead`."""
    parser.add_argument(
        "--points",
        type=Path,
        required=True,
        metavar="FILE.csv",
        help="table frame,u_px,v_px: the middle of the pinhead in MF pixels, frames from 0; a column "
        "strength, as 'calibrate detect' writes it, weighs the points",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--recording", type=Path, metavar="FILE", help="the tracked recording of the pin")
    source.add_argument(
        "--poses",
        type=Path,
        metavar="FILE.csv",
        help="or a table frame,m00…m33: ProbeToReference, row by row",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="CAL.json", help="the result")
    parser.add_argument(
        "--xml", type=Path, metavar="FILE.xml", help="write it as PLUS coordinate definitions too"
    )
    parser.add_argument("--size", type=size_px, metavar="WxH", help="image size in pixels, for --poses")
    parser.add_argument(
        "--mm-per-px",
        type=numbers(2, Range(0, above=True)),
        metavar="X,Y",
        help="known pixel size, held fixed",
    )
    parser.add_argument(
        "--lag-s",
        type=lag_s,
        default="0",
        help="an image stamped t shows the pose stamped t + lag: seconds, or a LAG.json (default 0)",
    )
    parser.add_argument(
        "--compare",
        type=Path,
        metavar="CAL",
        help="an earlier calibration of the same probe and "
        "tool, CAL.json or PLUS XML: tells a mirrored image, which points alone cannot",
    )
    add_frame_options(parser)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Write the files; returns CAL.json's keys and the files' names. Raises UserError before anything is written."""
    panel = picture_beside(arguments.out)
    points, size = _points(arguments)
    calibration = calibrate_pinhead(points, arguments.mm_per_px)
    result = calibration_json(calibration.fit.image_to_probe, size, calibration.as_dict())
    if arguments.compare:
        earlier = read_calibration(arguments.compare, arguments.image_frame, arguments.probe_frame)
        result["compared_mm"] = require_same_side(calibration.fit, earlier)
    save_pin_charts(panel, calibration)
    if arguments.xml:
        write_plus_xml(
            arguments.xml,
            calibration.fit.image_to_probe,
            arguments.image_frame,
            arguments.probe_frame,
            error_mm=calibration.quality.corner_error_mm,
        )
    write_json(arguments.out, result)
    return {**result, "out": str(arguments.out), "panel": str(panel)}


def show(result: dict[str, Any]) -> None:
    """Print the result for a person."""
    x_mm, y_mm = result["mm_per_px"]
    print(
        f"Calibration: {result['verdict']}. Expected error {result['corner_error_mm']:.2f} mm at image corners and "
        f"centre; {x_mm:.5f}×{y_mm:.5f} mm a pixel."
    )
    for reason in [
        *result["left_out"],
        *result["reasons"],
        *([result["advice"]] if result["advice"] else []),
    ]:
        print(f"  {reason}")
    outliers = ", ".join(map(str, result["outlier_frames"])) or "none"
    print(f"{result['n_used']} of {result['n_points']} points used; outliers: {outliers}.")
    print(
        f"Pin reproduced to {result['rms_mm']:.2f} mm RMS, points left out to {result['heldout_mm']:.2f} mm. "
        "(These say little about the error of the calibration.)"
    )
    tilts = ", ".join(f"±{tilt:.0f}°" for tilt in result["tilt_deg"])
    print(
        f"Directions {tilts} about the image's x, y, z; depths over {result['depth_range_mm']:.0f} mm; condition "
        f"{result['condition']:.0f}."
    )
    if "compared_mm" in result:
        print(f"Furthest corner from the earlier calibration: {result['compared_mm']:.2f} mm.")
    else:
        print(
            "Points of a mirrored image would fit as well: touch the marked side of the probe, or --compare."
        )
    print(f"{result['out']}, {result['panel']}")


def _points(arguments: argparse.Namespace) -> tuple[PinPoints, tuple[int, int] | None]:
    """The points with their poses, and the image size where it is known: that of the recording, or the given one."""
    table = read_points(arguments.points)
    marks = one_point_a_frame(table, arguments.points.name)
    strengths = read_strengths(arguments.points)
    if arguments.poses:
        poses = read_poses(arguments.poses)
        return points_with_poses(marks, poses, arguments.size, strengths), arguments.size
    sweep = read_sweep(arguments.recording)
    frames = (arguments.probe_frame, arguments.reference_frame)
    points = points_of_sweep(marks, sweep, arguments.lag_s, *frames, strengths)
    if sweep.has_images and len(points):
        require_marks_on_spots(points, lambda frame: sweep.frames[frame])
    return points, (sweep.width_px, sweep.height_px)
