"""`phantom`: tracked recordings of the virtual phantom or a target, with calibration and true landmarks beside them."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..model.ranges import SEED
from ..phantom.acoustics import Scanner
from ..phantom.body import fetal_body
from ..phantom.export import write_volumes
from ..phantom.motion import PIN_SCAN, SESSION, WIRE_SCAN
from ..phantom.probe import PROBES, Probe
from ..phantom.scanning import (
    TrueSweep,
    plan_session,
    plan_target_sweep,
    write_points,
    write_recording,
    write_truth,
)
from ..phantom.settings import DISPLAYS, RANGES, SETTINGS, Setting, adjusted, in_water
from ..phantom.targets import WaterTank, pin_body, wire_body
from ..progress import terminal_or_silent
from ..recording.session import enter_recordings
from .options import Number, number, size_px, whole

LEAST_SIZE_PX, MOST_SIZE_PX = 16, 4000
FULL_SIZE_PX = 320  # from this width on, beams are sampled finely
TARGETS = {"pinhead": (pin_body, PIN_SCAN), "wires": (wire_body, WIRE_SCAN)}

# Nine hours at 30 Hz; their poses alone fit into memory.
MOST_FRAMES = 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `phantom`."""
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="recording to write (.igs.mha), or with --session a folder for one recording a sweep",
    )
    parser.add_argument(
        "--frames",
        type=whole(1, MOST_FRAMES),
        default=400,
        help="images in all, or poses with --repeats (default 400)",
    )
    parser.add_argument(
        "--seed",
        type=Number(SEED, whole=True),
        default=0,
        help="of motion, noise and what varies (default 0)",
    )
    parser.add_argument(
        "--subject", type=whole(0), default=0, help="which fetus; 0 is the standard one (default 0)"
    )
    parser.add_argument(
        "--size", type=size_px, default="160x120", help="width x height of the images (default 160x120)"
    )
    parser.add_argument(
        "--target",
        choices=["fetus", *TARGETS],
        default="fetus",
        help="pinhead and wires lie in water, their true pixels in NAME.points.csv (default fetus)",
    )
    parser.add_argument(
        "--sweep",
        choices=[*(plan.name for plan in SESSION), "all"],
        default="all",
        help="region of the fetus to scan (default all)",
    )
    parser.add_argument("--session", action="store_true", help="write a folder with one recording a sweep")
    parser.add_argument(
        "--repeats",
        type=whole(1, MOST_FRAMES),
        default=1,
        metavar="N",
        help="hold each pose for N independent images (fields Hold and Repeat)",
    )
    parser.add_argument(
        "--volumes", action="store_true", help="also write the anatomy as label map and CT-like volume"
    )
    parser.add_argument("--probe", choices=list(PROBES), default="curvilinear", help="default curvilinear")
    parser.add_argument(
        "--setting",
        choices=list(SETTINGS),
        default="plain",
        help="hard: pressure, motion, a calibration error, sparse sweeps, a processed display",
    )
    parser.add_argument("--display", choices=list(DISPLAYS), help="the setting's display by another")
    parser.add_argument(
        "--lag-s",
        type=number(-1, most=1),
        help="the image stamped t shows the pose stamped t + lag (default 0)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        dest="changes",
        help=f"change one number of the setting; may be given several times. NAME: {', '.join(RANGES)}",
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Render the recordings; returns their paths, frame counts and rate."""
    _check(arguments)
    setting = _setting(arguments)
    width_px, height_px = arguments.size
    if not LEAST_SIZE_PX <= min(width_px, height_px) <= max(width_px, height_px) <= MOST_SIZE_PX:
        raise UserError(
            f"Images of {width_px}×{height_px} px cannot be made.",
            f"Give {LEAST_SIZE_PX} to {MOST_SIZE_PX} px each way.",
        )
    probe = PROBES[arguments.probe](fine=width_px >= FULL_SIZE_PX)
    sweeps, medium = (
        _target_sweep(arguments, probe, setting)
        if arguments.target in TARGETS
        else (_fetal_sweeps(arguments, setting), fetal_body(arguments.subject))
    )
    scanner = Scanner(medium, probe, probe.image_geometry(width_px, height_px), setting.display)
    folder, name = (
        (arguments.out if arguments.session else arguments.out.parent),
        arguments.out.name.split(".")[0],
    )
    files = {arguments.out: sweeps}
    if arguments.session:
        folder.mkdir(parents=True, exist_ok=True)
        files = {folder / f"{name}_{sweep.name}.igs.mha": [sweep] for sweep in sweeps}
    began, cpu_began = time.perf_counter(), time.process_time()
    for path, chosen in files.items():
        write_recording(path, chosen, scanner, setting, arguments.seed, terminal_or_silent())
    count = sum(len(sweep.times_s) for sweep in sweeps)
    rate_hz, cpu_ms = count / (time.perf_counter() - began), 1000 * (time.process_time() - cpu_began) / count
    made_by = {key: getattr(arguments, key) for key in ("target", "subject", "seed")}
    result = {
        "recordings": [str(path) for path in files],
        "frames": count,
        "frames_per_s": rate_hz,
        "cpu_ms_per_frame": cpu_ms,
        "width_px": width_px,
        "height_px": height_px,
        "setting": arguments.setting,
        **made_by,
    }
    result |= {what: str(path) for what, path in write_truth(folder, name, scanner, setting, made_by).items()}
    if arguments.session:
        enter_recordings(
            folder,
            {f"{name}_{sweep.name}": len(sweep.times_s) for sweep in sweeps},
            Path(result["calibration"]).name,
        )
    if isinstance(medium, WaterTank):
        result["points"] = str(folder / f"{name}.points.csv")
        result["n_points"] = write_points(Path(result["points"]), sweeps[0], medium, scanner)
    elif arguments.volumes:
        result["volumes"] = [str(path) for path in write_volumes(folder, name, medium)]
    return result


def show(result: dict[str, Any]) -> None:
    """Print the result for a person."""
    print(
        f"{result['frames']} images of {result['width_px']}×{result['height_px']} px, {result['target']}, subject "
        f"{result['subject']}, {result['setting']} setting, seed {result['seed']}: "
        f"{result['frames_per_s']:.0f} a second, {result['cpu_ms_per_frame']:.0f} ms of one core each."
    )
    others = (
        result[key] for key in ("calibration", "landmarks", "markups", "phantom", "points") if key in result
    )
    for path in [*result["recordings"], *others, *result.get("volumes", [])]:
        print(f"  {path}")


def _check(arguments: argparse.Namespace) -> None:
    if arguments.target in TARGETS and (
        arguments.session or arguments.volumes or arguments.repeats > 1 or arguments.sweep != "all"
    ):
        raise UserError("--session, --sweep, --repeats and --volumes are for the fetus.", "Leave them out.")


def _setting(arguments: argparse.Namespace) -> Setting:
    setting = SETTINGS[arguments.setting]
    if arguments.display:
        setting = replace(setting, display=DISPLAYS[arguments.display])
    if arguments.target in TARGETS:
        setting = in_water(setting)
    changes = {} if arguments.lag_s is None else {"lag_s": arguments.lag_s}
    for words in arguments.changes:
        name, _, number = words.partition("=")
        try:
            changes[name] = float(number)
        except ValueError as error:
            raise UserError(
                f"--set {words} is no number.", "Give NAME=NUMBER, for example pressure_mm=3."
            ) from error
    return adjusted(setting, changes)


def _fetal_sweeps(arguments: argparse.Namespace, setting: Setting) -> list[TrueSweep]:
    plans = [plan for plan in SESSION if arguments.sweep in ("all", plan.name)]
    _require_frames(arguments.frames, 2 * len(plans))
    return plan_session(arguments.frames, setting, arguments.seed, arguments.repeats, plans)


def _target_sweep(
    arguments: argparse.Namespace, probe: Probe, setting: Setting
) -> tuple[list[TrueSweep], WaterTank]:
    _require_frames(arguments.frames, 2)
    make, plan = TARGETS[arguments.target]
    tank = make()
    sweep = plan_target_sweep(plan, tank.middle_mm, probe, arguments.frames, setting, arguments.seed)
    return [sweep], tank


def _require_frames(frames: int, fewest: int) -> None:
    if frames < fewest:
        raise UserError(f"{frames} frames are too few.", f"Ask for at least {fewest} with --frames.")
