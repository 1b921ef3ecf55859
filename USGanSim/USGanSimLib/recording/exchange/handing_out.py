"""A recording or a training set as images and a table of poses, which `import` and other programs read."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from ...files import replacing_folder, write_json
from ...geometry.transforms import Matrix, TransformTrack
from ..dataset import Dataset
from ..sweep import Frames, TrackedSweep

# What a folder of ours holds; any other one is left alone.
MARKER = "export.json"
POSES, TRAINING, HELDOUT = "poses.csv", "training", "heldout.csv"
_HEADING = [
    "file",
    "frame",
    "time_s",
    "valid",
    *(f"m{row}{column}" for row in range(4) for column in range(4)),
]
_LENGTHS = ("m03", "m13", "m23")


def image_name(frame: int) -> str:
    """The file of a frame's image."""
    return f"{frame:06d}.png"


def hand_out_recording(sweep: TrackedSweep, name: str, track: TransformTrack, folder: Path) -> Iterator[int]:
    """Write a recording's images, turned to MF, and its transform `name` into a folder, whole or not at all; yields the
    number of frames that are written. Raises UserError for a folder that is not ours."""
    with replacing_folder(folder, MARKER) as part:
        rows = []
        for frame in range(len(sweep)):
            _save(sweep.frames[frame], part / image_name(frame))
            valid = bool(track.valid[frame] and sweep.image_valid[frame])
            rows.append(_row(frame, float(sweep.timestamps_s[frame]), valid, track.matrices[frame]))
            yield frame + 1
        _write_table(part / POSES, rows)
        write_json(
            part / MARKER,
            {"kind": "recording", "source": sweep.name, "transform": name, "frames": len(sweep)},
        )


def hand_out_dataset(dataset: Dataset, folder: Path) -> Iterator[int]:
    """Write what another simulator needs to be compared: training images with their poses in `training`, and the poses
    of the held-out ones in heldout.csv, which name the images that are to be made. All matrices are ImageToReference,
    pixels (u, v, 0, 1) to mm. Yields the number of images that are written."""
    with replacing_folder(folder, MARKER) as part:
        (part / TRAINING).mkdir()
        for done, frame in enumerate(dataset.train_indices, 1):
            _save(dataset.read_images([frame])[0], part / TRAINING / image_name(int(frame)))
            yield done
        for table, frames in (
            (part / TRAINING / POSES, dataset.train_indices),
            (part / HELDOUT, dataset.heldout_indices),
        ):
            _write_table(
                table,
                [_row(int(k), float(dataset.timestamps_s[k]), True, dataset.poses[k]) for k in frames],
            )
        facts = {
            "kind": "training set",
            "transform": f"ImageTo{dataset.reference_frame}",
            "frames": len(dataset.train_indices),
            "heldout": len(dataset.heldout_indices),
            "size_px": [dataset.geometry.width_px, dataset.geometry.height_px],
            "dataset_sha256": dataset.sha256,
        }
        write_json(part / MARKER, facts)


def _row(frame: int, time_s: float, valid: bool, pose: Matrix) -> list[str]:
    return [
        image_name(frame),
        str(frame),
        repr(time_s),
        str(int(valid)),
        *(repr(float(v)) for v in pose.ravel()),
    ]


def _write_table(path: Path, rows: Iterable[list[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([f"{name}_mm" if name in _LENGTHS else name for name in _HEADING])
        writer.writerows(rows)


def _save(image: Frames, path: Path) -> None:
    Image.fromarray(np.ascontiguousarray(image)).save(path, format="PNG")
