"""How far from its told pose a real image fits best, before and after a reference was moved by 5 mm.

    python Testing/Measurements/moved_reference.py [--frames 72]

On the sample scan of the virtual phantom, with the shipped model, as the panel looks at it: the mean of 2 samples, the
latest 10 images together. Prints JSON: for each move (mm along the axes of Reference) the least, the median and the
largest distance in mm, and the share of the windows of 10 images that are beyond the usual range.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from USGanSimLib.geometry.agreement import RECENT, USUAL_MM, BestPlace, agreement, places_aside
from USGanSimLib.geometry.image_geometry import ImageGeometry
from USGanSimLib.geometry.sampling import evenly
from USGanSimLib.ml.renderer import ModelRenderer
from USGanSimLib.mrml.live.expected_image import SAMPLES
from USGanSimLib.progress import Silent
from USGanSimLib.recording.sequence_file import read_sweep
from USGanSimLib.sample_data import sample_model_path, sample_scan

MOVES_MM = ((0, 0, 0), (5, 0, 0), (0, 5, 0), (0, 0, 5))


def distances_mm(renderer, sweep, frames, move_mm):
    """Of every window of RECENT frames in turn."""
    moved, tracked = np.eye(4), sweep.probe_to_reference().matrices
    moved[:3, 3] = move_mm
    place = BestPlace(ImageGeometry(renderer.width_px, renderer.height_px, renderer.image_to_probe))
    pixel_mm = float(np.linalg.norm(renderer.image_to_probe[:3, 0]))
    found = []
    for frame in frames:
        real = sweep.frames[frame].astype(np.float32)
        told = moved @ tracked[frame] @ renderer.image_to_probe
        numbers = [
            agreement(
                real,
                renderer.sample(pose, SAMPLES).mean(axis=0, dtype=np.float32),
                np.ones(real.shape, bool),
                pixel_mm,
            )
            for pose in places_aside(told)
        ]
        place.add(np.array(numbers), told)
        if place.seen == RECENT:
            found.append(place.away_mm)
    return np.array(found)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=72)
    arguments = parser.parse_args()
    renderer = ModelRenderer.load(sample_model_path())
    with tempfile.TemporaryDirectory() as folder:
        sweep = read_sweep(sample_scan(Path(folder), Silent()).recording)
    frames = evenly(len(sweep), arguments.frames)
    rows = []
    for move_mm in MOVES_MM:
        found = distances_mm(renderer, sweep, frames, move_mm)
        least, median, largest = np.percentile(found, [0, 50, 100]).round(2).tolist()
        rows.append(
            {
                "moved_mm": move_mm,
                "windows": len(found),
                "least_mm": least,
                "median_mm": median,
                "largest_mm": largest,
                "beyond_usual_share": round(float((found > USUAL_MM).mean()), 3),
            }
        )
    print(json.dumps({"usual_mm": USUAL_MM, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
