"""Tracked recordings of the virtual phantom: sweeps and whole sessions, easy and hard, with their truth beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..files import write_json
from ..geometry.transforms import Matrix
from ..progress import Progress
from ..recording.sequence_file import SweepWriter
from .acoustics import Display, Scanner
from .body import fetal_body
from .export import markups
from .moment import Moments, Variability
from .motion import SESSION, SweepPlan, probe_path
from .probe import Probe, curvilinear
from .shapes import Vector
from .tracker import Tracker, misplaced, tracked

FRAME_RATE_HZ = 30.0
FULL_SIZE_PX = 320  # from this width on, beams are sampled finely


@dataclass(frozen=True)
class Setting:
    """All that makes a recording easy or hard.

    calibration_error_mm, _deg   error of the ImageToProbe that is handed out, not of the true one
    persistence                  share of the previous image that stays in the next
    rate_share                   share of the frames kept (below 1: a sparse sweep)
    """

    variability: Variability = field(default_factory=Variability)
    tracker: Tracker = field(default_factory=Tracker)
    display: Display = field(default_factory=Display)
    calibration_error_mm: float = 0.0
    calibration_error_deg: float = 0.0
    persistence: float = 0.0
    rate_share: float = 1.0


PLAIN = Setting()
HARD = Setting(
    Variability(gain_db=3.0, tgc_db_per_cm=0.25, pressure_mm=3.0, motion_mm=1.2, contact_loss_rate=1.7),
    Tracker(jitter_mm=0.25, jitter_deg=0.12, lost_share=0.03),
    Display(compounding=3, tone=0.8), calibration_error_mm=1.5, calibration_error_deg=1.0, persistence=0.3,
    rate_share=0.3)
SETTINGS = {"plain": PLAIN, "hard": HARD}


@dataclass(frozen=True, eq=False)
class TrueSweep:
    """A sweep before the tracker reads it, N moments.

    times_s        (N,) the stamps
    tracked_poses  (N, 4, 4) true ProbeToReference at the stamps
    image_poses    (N, 4, 4) true ProbeToReference that the images show, a lag later
    """

    plan: SweepPlan
    times_s: Vector
    tracked_poses: Matrix
    image_poses: Matrix


def plan_sweep(plan: SweepPlan, frames: int, setting: Setting, seed: int, start_s: float = 0.0) -> TrueSweep:
    """The course of one sweep of `frames` images, stamped from `start_s` on; the same seed gives the same course."""
    course_s = np.arange(frames) / (FRAME_RATE_HZ * setting.rate_share)

    def path(times_s: Vector) -> Matrix:
        return probe_path(plan, times_s, np.random.default_rng([seed, SESSION.index(plan), 1]))

    return TrueSweep(plan, start_s + course_s, path(course_s), path(course_s + setting.tracker.lag_s))


def images(sweep: TrueSweep, scanner: Scanner, setting: Setting, seed: int) -> Iterator[NDArray[np.uint8]]:
    """The images of a sweep, (H, W) uint8 each, one after the other."""
    index = SESSION.index(sweep.plan)
    moments = Moments(np.random.default_rng([seed, index, 2]), setting.variability)
    noise = np.random.default_rng([seed, index, 3])
    step_s = 1 / (FRAME_RATE_HZ * setting.rate_share)
    shown: NDArray[np.float32] | None = None
    for pose in sweep.image_poses:
        image = scanner.image(pose, moments.after(step_s), noise).astype(np.float32)
        shown = image if shown is None else (1 - setting.persistence) * image + setting.persistence * shown
        yield np.rint(shown).astype(np.uint8)


def make_scanner(subject: int, width_px: int, height_px: int, setting: Setting, probe: Probe | None = None) -> Scanner:
    """A scanner of subject number `subject`; beams are sampled finely for large images."""
    probe = probe or curvilinear(fine=width_px >= FULL_SIZE_PX)
    return Scanner(fetal_body(subject), probe, probe.image_geometry(width_px, height_px), setting.display)


def write_recording(path: Path, sweeps: Sequence[TrueSweep], scanner: Scanner, setting: Setting, seed: int,
                    progress: Progress) -> None:
    """Write sweeps, one after the other, as one PLUS recording: images, ProbeToTracker and ReferenceToTracker."""
    geometry, done, total = scanner.geometry, 0, sum(len(sweep.times_s) for sweep in sweeps)
    with SweepWriter(path, geometry.width_px, geometry.height_px, {"UltrasoundImageType": "BRIGHTNESS"}) as writer:
        for sweep in sweeps:
            rng = np.random.default_rng([seed, SESSION.index(sweep.plan), 4])
            poses = tracked(sweep.tracked_poses, sweep.times_s, setting.tracker, rng)
            for index, image in enumerate(images(sweep, scanner, setting, seed)):
                transforms = {name: (track.matrices[index], bool(track.valid[index])) for name, track in poses.items()}
                writer.append(image, float(sweep.times_s[index]), transforms, True, {"Sweep": sweep.plan.name})
                done += 1
                progress.emit("step", step=done, of=total)


def write_truth(folder: Path, name: str, scanner: Scanner, setting: Setting, seed: int) -> None:
    """Write NAME.calibration.json (as handed out, with the setting's error), NAME.landmarks.json (true places in
    Reference, mm) and NAME.landmarks.mrk.json (the same for Slicer)."""
    matrix = misplaced(scanner.geometry.image_to_probe, setting.calibration_error_mm, setting.calibration_error_deg,
                       np.random.default_rng([seed, 5]))
    write_json(folder / f"{name}.calibration.json", {
        "image_to_probe": matrix.tolist(), "mm_per_px": scanner.geometry.mm_per_px,
        "image_size_px": [scanner.geometry.width_px, scanner.geometry.height_px],
        "source": "virtual phantom", "error_mm": setting.calibration_error_mm, "error_deg": setting.calibration_error_deg})
    landmarks = {key: value.tolist() for key, value in scanner.body.landmarks_mm.items()}
    write_json(folder / f"{name}.landmarks.json", {"frame": "Reference", "unit": "mm", "landmarks": landmarks})
    write_json(folder / f"{name}.landmarks.mrk.json", markups(landmarks))
