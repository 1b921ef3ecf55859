"""`coverage FILE…`: what the images of recordings have passed through, and which landmarks were seen too little."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..evaluation.measures.landmarks import read_landmarks
from ..recording.calibration_file import read_calibration
from ..recording.coverage import (
    coverage,
    coverage_picture,
    image_poses,
    landmark_views,
    save_coverage_picture,
)
from ..recording.sequence_file import read_sweep
from ..recording.session import inputs
from .options import add_frame_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `coverage`."""
    parser.add_argument(
        "recordings", nargs="+", type=Path, metavar="FILE", help="recordings, or folders of sessions"
    )
    parser.add_argument(
        "--calibration", type=Path, metavar="CAL", help="CAL.json or PLUS XML (default: that of the session)"
    )
    parser.add_argument(
        "--landmarks",
        type=Path,
        metavar="FILE",
        help="NAME.landmarks.json or a Slicer point list, in Reference coordinates",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="PICTURE.png",
        help="three views of the swept volume, and the directions of the beams",
    )
    add_frame_options(parser)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Draw the picture; returns the swept volume and how each landmark was seen."""
    files, calibration_path = inputs(arguments.recordings, arguments.calibration)
    calibration = read_calibration(calibration_path, arguments.image_frame, arguments.probe_frame)
    sweeps = [read_sweep(path) for path in files]
    sizes = {(sweep.width_px, sweep.height_px) for sweep in sweeps}
    if len(sizes) > 1:
        raise UserError(f"The recordings have images of {len(sizes)} sizes.", "Give recordings of one size.")
    for sweep in sweeps:
        calibration.geometry(sweep.width_px, sweep.height_px, sweep.name)
    poses = np.concatenate(
        [
            image_poses(
                sweep.transforms,
                calibration.image_to_probe,
                arguments.image_frame,
                arguments.probe_frame,
                arguments.reference_frame,
            )
            for sweep in sweeps
        ]
    )
    if not len(poses):
        raise UserError(
            "No frame has a valid pose.", "Check that probe and reference were in the tracker's view."
        )
    size = sizes.pop()
    landmarks = read_landmarks(arguments.landmarks) if arguments.landmarks else {}
    views = landmark_views(poses, *size, landmarks)
    covered = coverage(poses, *size)
    save_coverage_picture(arguments.out, coverage_picture(covered, landmarks, views))
    return {
        "poses": len(poses),
        "swept_ml": covered.swept_ml,
        "landmarks": [asdict(view) for view in views],
        "out": str(arguments.out),
    }


def show(result: dict[str, Any]) -> None:
    """Print the result for a person."""
    print(f"{result['poses']} poses swept {result['swept_ml']:.0f} ml.")
    thin = [view for view in result["landmarks"] if view["advice"]]
    for view in thin:
        print(f"  {view['name']}: {view['advice']}")
    if result["landmarks"]:
        print(
            f"{len(result['landmarks']) - len(thin)} of {len(result['landmarks'])} landmarks were seen enough."
        )
    print(result["out"])
