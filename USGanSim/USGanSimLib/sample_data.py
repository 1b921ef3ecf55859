"""What is there without data of one's own: the model and the landmark observer that are shipped, and a scan of the
virtual phantom to try them on.

The model was trained on other scans of the same fetus, so every frame of the sample scan is new to it; the observer on
other fetuses. Their cards are the Markdown files beside them. All is made up: not for clinical use.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from . import __version__
from .errors import UserError
from .phantom.acoustics import Scanner
from .phantom.body import fetal_body
from .phantom.probe import PROBES
from .phantom.scanning import plan_session, write_recording, write_truth
from .phantom.settings import PLAIN, adjusted
from .progress import Progress

MODEL_NAME = "virtual_phantom.safetensors"
OBSERVER_NAME = "landmark_observer.safetensors"
# Fifteen images a second, and a course of the hand that passes over all six landmarks, in held-out stretches too.
FRAMES, RATE_SHARE = 1000, 0.5
WIDTH_PX, HEIGHT_PX = 160, 120
# The shipped model's scans have other seeds, from 1 on.
SEED = 168
SUBJECT = 0
PROBE = "curvilinear"
_NAME = "sample"


@dataclass(frozen=True)
class SampleScan:
    """A tracked recording (its four sweeps one after the other), its calibration, and the phantom's true landmarks as
    `evaluate` and as Slicer read them."""

    recording: Path
    calibration: Path
    landmarks: Path
    markups: Path


def sample_model_path() -> Path:
    """The model that is shipped. Raises UserError where this installation has none."""
    return _shipped(MODEL_NAME)


def sample_observer_path() -> Path:
    """The landmark observer that is shipped, for `evaluate`. Raises UserError where this installation has none."""
    return _shipped(OBSERVER_NAME)


def sample_scan(folder: Path, progress: Progress, frames: int = FRAMES) -> SampleScan:
    """The sample scan in `folder`, rendered there (some seconds, no network) unless it is there already."""
    scan = SampleScan(
        folder / f"{_NAME}.igs.mha",
        *(folder / f"{_NAME}.{ending}.json" for ending in ("calibration", "landmarks", "landmarks.mrk")),
    )
    made_by: dict[str, int | str] = {
        "target": "fetus",
        "subject": SUBJECT,
        "seed": SEED,
        "frames": frames,
        "software_version": __version__,
    }
    if not _is_there(folder / f"{_NAME}.phantom.json", scan, made_by):
        folder.mkdir(parents=True, exist_ok=True)
        probe, setting = PROBES[PROBE](fine=False), adjusted(PLAIN, {"rate_share": RATE_SHARE})
        scanner = Scanner(
            fetal_body(SUBJECT), probe, probe.image_geometry(WIDTH_PX, HEIGHT_PX), setting.display
        )
        write_recording(scan.recording, plan_session(frames, setting, SEED), scanner, setting, SEED, progress)
        # After the recording: that it is there tells that the recording is whole.
        write_truth(folder, _NAME, scanner, setting, made_by)
    return scan


def _shipped(name: str) -> Path:
    # Beside the library in the source tree and in Slicer; where pip puts it otherwise.
    folders = [
        Path(__file__).resolve().parents[1] / "Resources" / "Models",
        Path(sys.prefix) / "share" / "usgansim" / "models",
    ]
    found = next((folder / name for folder in folders if (folder / name).is_file()), None)
    if found is None:
        raise UserError(
            f"{name} is not installed: it is neither in {folders[0]} nor in {folders[1]}.",
            "Give a file of your own, or install again.",
        )
    return found


def _is_there(note: Path, scan: SampleScan, made_by: dict[str, int | str]) -> bool:
    """Whether all files are there, and `note` says that they are those that would be made."""
    try:
        said = json.loads(note.read_text(encoding="utf-8"))
        return all(said[name] == value for name, value in made_by.items()) and all(
            path.is_file() for path in (scan.recording, scan.calibration, scan.landmarks, scan.markups)
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False
