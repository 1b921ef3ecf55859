"""Recordings of simulated images: their poses made complete, and their truth as a table."""

from __future__ import annotations

import csv
import dataclasses
import itertools
from pathlib import Path

import numpy as np

from ..files import replacing_file
from ..geometry.transforms import Matrix, TransformTrack
from .sweep import TrackedSweep

IMAGE_TO_REFERENCE, IMAGE_TO_RAS = "ImageToReference", "ImageToRas"
NEAREST_TRAINED_MM, OUTSIDE_TRAINED_RANGE = "NearestTrainedPoseMm", "OutsideTrainedRange"


def with_probe(sweep: TrackedSweep, image_to_probe: Matrix) -> TrackedSweep:
    """A recording of ImageToReference with the other transforms that PLUS would record: ImageToProbe (4, 4), the same
    in all frames, and ProbeToReference."""
    images = sweep.transforms[IMAGE_TO_REFERENCE]
    constant = TransformTrack(np.repeat(image_to_probe[None], len(sweep), axis=0), np.ones(len(sweep), bool))
    return dataclasses.replace(sweep, transforms={
        **sweep.transforms, "ImageToProbe": constant,
        "ProbeToReference": images.after(TransformTrack.constant(image_to_probe).inverse())})


def write_poses(path: Path, sweep: TrackedSweep) -> None:
    """Write a table of the true poses, whole or not at all: frame, timestamp_s, valid, ImageToRas row by row (m00 …
    m33; millimetres per pixel and millimetres), and the distance to the trained poses where the recording tells it."""
    track = sweep.transforms[IMAGE_TO_RAS]
    told = [name for name in (NEAREST_TRAINED_MM, OUTSIDE_TRAINED_RANGE) if name in sweep.frame_fields]
    numbers = [f"m{row}{column}" for row, column in itertools.product(range(4), repeat=2)]
    with replacing_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["frame", "timestamp_s", "valid", *numbers, *told])
        for frame, stamp_s in enumerate(sweep.timestamps_s.tolist()):
            table.writerow([frame, repr(stamp_s), int(track.valid[frame]),
                            *(repr(number) for number in track.matrices[frame].ravel().tolist()),
                            *(sweep.frame_fields[name][frame] for name in told)])
