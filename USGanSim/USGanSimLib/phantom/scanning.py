"""Tracked recordings of the virtual phantom and of targets, easy and hard, with their truth beside them."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files import replacing_file, write_json
from ..geometry.transforms import Matrix
from ..progress import Progress
from ..recording.sequence_file import SweepWriter
from .acoustics import Scanner
from .export import markups
from .moment import Moments
from .motion import SESSION, AimPlan, SweepPlan, aimed_path, probe_path
from .probe import Probe
from .settings import Setting, as_numbers
from .shapes import Vector
from .targets import WaterTank, target_pixels
from .tracker import misplaced, tracked

FRAME_TIME_S = 1 / 30
PAUSE_S = 2.0

Image = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class TrueSweep:
    """A sweep before the tracker reads it, N moments.

    stream         number that tells the random streams of one session's sweeps apart
    times_s        (N,) the stamps
    tracked_poses  (N, 4, 4) true ProbeToReference at the stamps
    image_poses    (N, 4, 4) true ProbeToReference that the images show, a lag later
    before_poses   (N, 4, 4) the same one frame time earlier, of which persistence keeps a share
    repeats        images in a row at one held pose, independent but for the anatomy
    """

    name: str
    stream: int
    times_s: Vector
    tracked_poses: Matrix
    image_poses: Matrix
    before_poses: Matrix
    repeats: int = 1


def plan_sweep(
    plan: SweepPlan, poses: int, setting: Setting, seed: int, start_s: float = 0.0, repeats: int = 1
) -> TrueSweep:
    """The course of one sweep of the session over `poses` poses, each held for `repeats` images, stamped from
    `start_s` on; the same seed gives the same course."""
    stream = SESSION.index(plan)

    def path(times_s: NDArray[Any]) -> Matrix:
        return probe_path(plan, times_s, np.random.default_rng([seed, stream, 1]))

    step_s = FRAME_TIME_S / setting.rate_share
    course_s = np.linspace(0, step_s * (poses - 1), poses)
    stamps_s = np.linspace(start_s, start_s + step_s * (poses * repeats - 1), poses * repeats)
    if repeats > 1:
        held = np.repeat(path(course_s), repeats, axis=0)
        return TrueSweep(plan.name, stream, stamps_s, held, held, held, repeats)
    shown_s = course_s + setting.tracker.lag_s
    return TrueSweep(plan.name, stream, stamps_s, path(course_s), path(shown_s), path(shown_s - FRAME_TIME_S))


def plan_session(
    frames: int, setting: Setting, seed: int, repeats: int = 1, plans: Sequence[SweepPlan] = SESSION
) -> list[TrueSweep]:
    """The sweeps of a session one after the other, `frames` poses in all, with a pause between them."""
    sweeps: list[TrueSweep] = []
    for number, plan in enumerate(plans):
        start_s = float(sweeps[-1].times_s[-1]) + PAUSE_S if sweeps else 0.0
        poses = frames // len(plans) + (number < frames % len(plans))
        sweeps.append(plan_sweep(plan, poses, setting, seed, start_s, repeats))
    return sweeps


def plan_target_sweep(
    plan: AimPlan, aim_mm: Vector, probe: Probe, frames: int, setting: Setting, seed: int
) -> TrueSweep:
    """The course of a scan that keeps a target in the image."""
    stream = len(SESSION)
    times_s = np.linspace(0, (frames - 1) * FRAME_TIME_S / setting.rate_share, frames)

    def path(at_s: NDArray[Any]) -> Matrix:
        return aimed_path(plan, aim_mm, probe, at_s, np.random.default_rng([seed, stream, 1]))

    shown_s = times_s + setting.tracker.lag_s
    return TrueSweep(plan.name, stream, times_s, path(times_s), path(shown_s), path(shown_s - FRAME_TIME_S))


def images(sweep: TrueSweep, scanner: Scanner, setting: Setting, seed: int) -> Iterator[Image]:
    """The images of a sweep, (H, W) uint8 each, one after the other."""
    moments = Moments(np.random.default_rng([seed, sweep.stream, 2]), setting.variability)
    noise = np.random.default_rng([seed, sweep.stream, 3])
    if sweep.repeats > 1:
        for pose in sweep.image_poses:
            yield scanner.image(pose, moments.draw(), noise)
        return
    kept, pause_s = scanner.display.persistence, FRAME_TIME_S / setting.rate_share - FRAME_TIME_S
    shown: NDArray[Any] | None = None
    for pose, before in zip(sweep.image_poses, sweep.before_poses, strict=True):
        if kept and (shown is None or pause_s):
            # In a sparse sweep the screen still shows something of the frame before, which was not recorded.
            shown = scanner.image(before, moments.after(pause_s), noise)
        image = scanner.image(pose, moments.after(FRAME_TIME_S if kept else FRAME_TIME_S + pause_s), noise)
        shown = image if shown is None else np.asarray((1 - kept) * image + kept * shown)
        yield np.rint(shown).astype(np.uint8)


def repeats(scanner: Scanner, setting: Setting, probe_to_reference: Matrix, count: int, seed: int) -> Image:
    """Independent scans of one pose (4, 4), (count, H, W): the truth about p(image | pose)."""
    moments = Moments(np.random.default_rng([seed, 7]), setting.variability)
    noise = np.random.default_rng([seed, 8])
    return np.stack([scanner.image(probe_to_reference, moments.draw(), noise) for _ in range(count)])


def write_recording(
    path: Path, sweeps: Sequence[TrueSweep], scanner: Scanner, setting: Setting, seed: int, progress: Progress
) -> None:
    """Write sweeps, one after the other, as one PLUS recording: images, ProbeToTracker and ReferenceToTracker.

    Where poses are held, the fields `Hold` and `Repeat` number the poses of a sweep and the images of each.
    """
    geometry, done, total = scanner.geometry, 0, sum(len(sweep.times_s) for sweep in sweeps)
    with SweepWriter(
        path, geometry.width_px, geometry.height_px, {"UltrasoundImageType": "BRIGHTNESS"}
    ) as writer:
        for sweep in sweeps:
            rng = np.random.default_rng([seed, sweep.stream, 4])
            poses = tracked(sweep.tracked_poses, sweep.times_s, setting.tracker, rng)
            for index, image in enumerate(images(sweep, scanner, setting, seed)):
                transforms = {
                    name: (track.matrices[index], bool(track.valid[index])) for name, track in poses.items()
                }
                writer.append(image, float(sweep.times_s[index]), transforms, True, _fields(sweep, index))
                done += 1
                progress.emit("step", step=done, of=total)


def write_truth(
    folder: Path, name: str, scanner: Scanner, setting: Setting, made_by: Mapping[str, int | str]
) -> dict[str, Path]:
    """Write what is true of the recordings NAME beside them; returns what → file:

    calibration  NAME.calibration.json     ImageToProbe as handed out, with the setting's error
    landmarks    NAME.landmarks.json       true places in Reference, mm
    markups      NAME.landmarks.mrk.json   the same for Slicer
    phantom      NAME.phantom.json         `made_by`, the setting's numbers, the probe and the true ImageToProbe
    """
    geometry = scanner.geometry
    rng = np.random.default_rng([int(made_by["seed"]), 5])
    handed_out = misplaced(
        geometry.image_to_probe, setting.calibration_error_mm, setting.calibration_error_deg, rng
    )
    landmarks = {key: value.tolist() for key, value in scanner.medium.landmarks_mm.items()}
    contents = {
        "calibration": {
            "image_to_probe": handed_out.tolist(),
            "mm_per_px": geometry.mm_per_px,
            "image_size_px": [geometry.width_px, geometry.height_px],
            "source": "virtual phantom",
        },
        "landmarks": {"frame": "Reference", "unit": "mm", "landmarks": landmarks},
        "markups": markups(landmarks),
        "phantom": {
            **made_by,
            "setting": as_numbers(setting),
            "probe": asdict(scanner.probe),
            "true_image_to_probe": geometry.image_to_probe.tolist(),
        },
    }
    endings = {"markups": "landmarks.mrk"}
    paths = {what: folder / f"{name}.{endings.get(what, what)}.json" for what in contents}
    for what, content in contents.items():
        write_json(paths[what], content)
    return paths


def write_points(path: Path, sweep: TrueSweep, tank: WaterTank, scanner: Scanner) -> int:
    """Write the true pixels of a target's points and wires, `frame,u_px,v_px,name`; returns their number."""
    count = 0
    with replacing_file(path) as part, part.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["frame", "u_px", "v_px", "name"])
        for frame, pose in enumerate(sweep.image_poses):
            shown = target_pixels(tank, pose, scanner.probe, scanner.geometry)
            writer.writerows([frame, f"{u:.3f}", f"{v:.3f}", name] for name, (u, v) in shown.items())
            count += len(shown)
    return count


def _fields(sweep: TrueSweep, index: int) -> dict[str, str]:
    if sweep.repeats == 1:
        return {"Sweep": sweep.name}
    hold, repeat = divmod(index, sweep.repeats)
    return {"Sweep": sweep.name, "Hold": str(hold), "Repeat": str(repeat)}
