"""`phantom`: tracked recordings of the virtual phantom, with their calibration and true landmarks beside them."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..phantom.export import ct_like, write_volume
from ..phantom.motion import SESSION
from ..phantom.scanning import SETTINGS, make_scanner, plan_sweep, write_recording, write_truth
from ..progress import terminal_or_silent
from .options import size_px

PAUSE_S = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `phantom`."""
    names = [plan.name for plan in SESSION]
    parser.add_argument("--out", type=Path, required=True,
                        help="recording to write (.igs.mha), or with --session a folder for one recording a sweep")
    parser.add_argument("--frames", type=int, default=400, help="images in all (default 400)")
    parser.add_argument("--seed", type=int, default=0, help="of motion, noise and what varies (default 0)")
    parser.add_argument("--subject", type=int, default=0, help="which fetus; 0 is the standard one (default 0)")
    parser.add_argument("--size", default="160x120", help="width x height of the images (default 160x120)")
    parser.add_argument("--sweep", choices=[*names, "all"], default="all", help="region to scan (default all)")
    parser.add_argument("--setting", choices=list(SETTINGS), default="plain",
                        help="hard: pressure, motion, a calibration error, sparse sweeps, a processed display")
    parser.add_argument("--session", action="store_true", help="write a folder with one recording a sweep")
    parser.add_argument("--volumes", action="store_true", help="also write the anatomy as label map and CT-like volume")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Render the recordings; returns their paths, frame counts and rate."""
    plans = [plan for plan in SESSION if arguments.sweep in ("all", plan.name)]
    if arguments.frames < 2 * len(plans):
        raise UserError(f"{arguments.frames} frames are too few for {len(plans)} sweeps.",
                        f"Ask for at least {2 * len(plans)} with --frames.")
    setting = SETTINGS[arguments.setting]
    width_px, height_px = size_px(arguments.size)
    scanner = make_scanner(arguments.subject, width_px, height_px, setting)
    sweeps, start_s = [], 0.0
    for number, plan in enumerate(plans):
        count = arguments.frames // len(plans) + (number < arguments.frames % len(plans))
        sweeps.append(plan_sweep(plan, count, setting, arguments.seed, start_s))
        start_s = float(sweeps[-1].times_s[-1]) + PAUSE_S
    folder = arguments.out if arguments.session else arguments.out.parent
    name = arguments.out.name.split(".")[0]
    if arguments.session:
        folder.mkdir(parents=True, exist_ok=True)
        files = {folder / f"{name}_{sweep.plan.name}.igs.mha": [sweep] for sweep in sweeps}
    else:
        files = {arguments.out: sweeps}
    began = time.perf_counter()
    for path, chosen in files.items():
        write_recording(path, chosen, scanner, setting, arguments.seed, terminal_or_silent())
    rate_hz = arguments.frames / (time.perf_counter() - began)
    write_truth(folder, name, scanner, setting, arguments.seed)
    if arguments.volumes:
        body = scanner.body
        write_volume(folder / f"{name}.labels.nrrd", body.labels, body.lower_mm, body.voxel_mm)
        write_volume(folder / f"{name}.ct.nrrd", ct_like(body), body.lower_mm, body.voxel_mm)
    return {"recordings": [str(path) for path in files], "calibration": str(folder / f"{name}.calibration.json"),
            "landmarks": str(folder / f"{name}.landmarks.json"), "frames": arguments.frames, "frames_per_s": rate_hz,
            "width_px": width_px, "height_px": height_px, "setting": arguments.setting, "seed": arguments.seed,
            "subject": arguments.subject}


def show(result: dict[str, Any]) -> None:
    """Print the result for a person."""
    print(f"{result['frames']} images of {result['width_px']}×{result['height_px']} px of subject {result['subject']} "
          f"({result['setting']} setting, seed {result['seed']}), {result['frames_per_s']:.0f} a second.")
    for path in [*result["recordings"], result["calibration"], result["landmarks"]]:
        print(f"  {path}")
