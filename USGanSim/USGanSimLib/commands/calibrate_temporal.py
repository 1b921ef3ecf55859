"""`calibrate temporal`: the lag between images and tracker → LAG.json, and the curve of misfit against lag."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..calibration.lag.content import Content, scale_interval
from ..calibration.lag.estimate import DEFAULT_MAX_LAG_S, LagTarget, estimate_lag
from ..calibration.lag.floor import floor_line
from ..calibration.lag.pictures import save_lag_chart
from ..calibration.lag.targets import Floor, Pin, Wires
from ..calibration.lag.wires import follow, wire_spots
from ..calibration.pinhead.points import one_point_a_frame
from ..calibration.timing import Tracking
from ..errors import UserError
from ..evaluation.measures.points import read_points
from ..files import write_json
from ..recording.calibration_file import read_calibration
from ..recording.sequence_file import read_sweep
from ..recording.sweep import TrackedSweep
from .options import add_frame_options, number, picture_beside

TARGETS = ("bottom", "pin", "wires", "content")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `calibrate temporal`."""
    parser.add_argument(
        "--recording", type=Path, metavar="FILE", help="tracked recording with images and poses"
    )
    parser.add_argument("--video", type=Path, metavar="FILE", help="or the images in one recording …")
    parser.add_argument(
        "--tracker", type=Path, metavar="FILE", help="… and the poses, of the same clock, in another"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="LAG.json", help="the result")
    parser.add_argument(
        "--target",
        choices=TARGETS,
        help="what the images show: the flat bottom of a bath (default), a pinhead (default with one "
        "point a frame), wires (default with several), or any content, followed from image to "
        "image, which gives the scale of the image as well",
    )
    parser.add_argument(
        "--points",
        type=Path,
        metavar="FILE",
        help="table frame,u_px,v_px of the pinhead or the wires, or a PLUS calibration result",
    )
    parser.add_argument(
        "--calibration", type=Path, metavar="CAL", help="CAL.json or PLUS XML, for wires and content"
    )
    parser.add_argument(
        "--max-lag-s",
        type=number(0, above=True, most=60),
        default=DEFAULT_MAX_LAG_S,
        help="lags are tried from minus to plus this (default %(default)s)",
    )
    add_frame_options(parser)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Write LAG.json and its picture; returns LAG.json's keys. Raises UserError before anything is written."""
    panel = picture_beside(arguments.out)
    video, tracker = _recordings(arguments)
    tracking = Tracking(
        tracker.timestamps_s,
        tracker.probe_to_reference(arguments.probe_frame, arguments.reference_frame),
        tracker.name,
    )
    target = _target(arguments, video, tracking)
    estimate = estimate_lag(target, video.timestamps_s, tracking, video.name, arguments.max_lag_s)
    result = {
        "lag_s": estimate.lag_s,
        "ci_s": list(estimate.ci_s),
        "method": estimate.method,
        "frames": estimate.frames,
        "misfit": estimate.misfit,
        "misfit_at_zero_lag": estimate.misfit_at_zero,
        "unit": estimate.unit,
        "lags_s": estimate.lags_s.round(6).tolist(),
        "misfits": estimate.misfits.tolist(),
    }
    if isinstance(target, Floor):
        target.require_explained(estimate.misfit)
    if isinstance(target, Content):
        scale, low, high = scale_interval(target, video.timestamps_s, tracking, estimate.lag_s)
        result.update(scale=scale, scale_ci=[low, high])
    save_lag_chart(panel, estimate)
    write_json(arguments.out, result)
    return {**result, "out": str(arguments.out), "panel": str(panel)}


def show(result: dict[str, Any]) -> None:
    """Print the result for a person."""
    low, high = result["ci_s"]
    print(
        f"Lag {result['lag_s']:+.4f} s (95 %: {low:+.4f} to {high:+.4f} s) by {result['method']}, "
        f"{result['frames']} images: an image stamped t shows the pose stamped t {result['lag_s']:+.3f} s."
    )
    print(
        f"Misfit {result['misfit']:.3g} {result['unit']}, without lag {result['misfit_at_zero_lag']:.3g} "
        f"{result['unit']}."
    )
    if "scale" in result:
        low, high = result["scale_ci"]
        print(
            f"A pixel is {result['scale']:.4f} times as large as in the calibration (95 %: {low:.4f} to {high:.4f})."
        )
    print(f"{result['out']}, {result['panel']}")


def _recordings(arguments: argparse.Namespace) -> tuple[TrackedSweep, TrackedSweep]:
    """The recording with the images and the one with the poses."""
    if bool(arguments.recording) == bool(arguments.video and arguments.tracker) or (
        arguments.recording and (arguments.video or arguments.tracker)
    ):
        raise UserError(
            "Images and poses come from --recording, or from --video and --tracker.", "Give one or the other."
        )
    video = read_sweep(arguments.recording or arguments.video)
    if not video.has_images:
        raise UserError(f"{video.name} has no valid image.", "Give the recording with the images.")
    return video, video if arguments.recording else read_sweep(arguments.tracker)


def _target(arguments: argparse.Namespace, video: TrackedSweep, tracking: Tracking) -> LagTarget:
    points = read_points(arguments.points) if arguments.points else None
    if points and max(points) >= len(video):
        raise UserError(
            f"Frame {max(points)} of {arguments.points.name} is not in {video.name}, whose last is "
            f"{len(video) - 1}.",
            "Frames are counted from 0.",
        )
    several = points is not None and max(map(len, points.values())) > 1
    target = arguments.target or ("bottom" if points is None else "wires" if several else "pin")
    if target == "bottom":
        return Floor.seen(floor_line(video.frames), video.image_valid, video.name)
    if target == "pin":
        if points is None:
            raise UserError(
                "The pinhead is not marked.", "Give --points, for example from 'calibrate detect'."
            )
        return Pin.marked(
            one_point_a_frame(points, arguments.points.name),
            video.timestamps_s,
            tracking,
            (video.width_px, video.height_px),
        )
    if not arguments.calibration:
        raise UserError(f"The target {target} needs the calibration of the image.", "Give --calibration.")
    calibration = read_calibration(arguments.calibration, arguments.image_frame, arguments.probe_frame)
    geometry = calibration.geometry(video.width_px, video.height_px, video.name)
    if target == "content":
        return Content.followed(video.frames, video.image_valid, geometry, video.name)
    return Wires.followed(follow(points or wire_spots(video.frames)), geometry.image_to_probe)
