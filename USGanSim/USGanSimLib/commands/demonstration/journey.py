"""`demo --train`: the whole journey on the virtual phantom, from recordings of fetus and pinhead to a live simulation.

What a lab does with a probe and a phantom, each step with the command that does it, at a size that a laptop can do in
a quarter of an hour. How good a model can be is not shown by so short a training.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UserError
from ...geometry.image_geometry import ImageGeometry, corner_distance_mm
from ...model.recipes import choose_recipe
from ...model.settings import TrainSettings
from ...progress import Progress
from ...sample_data import sample_observer_path
from .live import DemoModel, Recording, run_live_demo

SCAN_FRAMES, SCAN_SEED = 2400, 1
LIVE_FRAMES, LIVE_SEED = 600, 2
PIN_FRAMES, PIN_SEED = 600, 3
# Fewer frames of a longer recording: neighbouring ones of 30 a second add little. A pinhead has to be followed.
SCAN_RATE_SHARE, PIN_RATE_SHARE = 0.3, 0.15
RECIPE = "beams"  # It shows anatomy and speckle after minutes of two slow cores.
# The average generator must forget its beginning within so short a run.
EMA_DECAY = 0.99


def journey(arguments: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """Record, calibrate, prepare, train, evaluate, simulate live; returns the live figures, where everything is, and
    what each step took. Raises UserError where files stand in the way."""
    if arguments.recording is not None or arguments.model is not None:
        raise UserError("--train records and trains by itself.", "Leave --recording and --model out.")
    # Told now, not after the recording.
    settings = TrainSettings(
        choose_recipe(RECIPE), ema_decay=EMA_DECAY, device=arguments.device, minutes=arguments.minutes
    )
    out, took = arguments.out, _Took()
    run = out / "run"
    if run.exists():
        raise UserError(
            f"{run} is there from an earlier journey.", "Choose another --out, or delete the folder."
        )
    out.mkdir(parents=True, exist_ok=True)

    scan, pin, later = (out / f"{name}.igs.mha" for name in ("scan", "pin", "later"))
    made = step(
        "phantom",
        "--out",
        scan,
        "--frames",
        str(SCAN_FRAMES),
        "--seed",
        str(SCAN_SEED),
        "--set",
        f"rate_share={SCAN_RATE_SHARE}",
    )
    step(
        "phantom",
        "--target",
        "pinhead",
        "--out",
        pin,
        "--frames",
        str(PIN_FRAMES),
        "--seed",
        str(PIN_SEED),
        "--set",
        f"rate_share={PIN_RATE_SHARE}",
    )
    step("phantom", "--out", later, "--frames", str(LIVE_FRAMES), "--seed", str(LIVE_SEED))
    took.note("record")

    points, calibration = out / "pin_points.csv", out / "calibration.json"
    step("calibrate detect", pin, "--out", points)
    found = step("calibrate pinhead", "--points", points, "--recording", pin, "--out", calibration)
    true_mm = _from_the_truth_mm(found, Path(made["phantom"]))
    _tell(f"The calibration found is {true_mm:.2f} mm from the true one at the furthest corner.")
    took.note("calibrate")

    dataset = prepared(out / "dataset", [scan], calibration)
    took.note("prepare")
    trained = _train(dataset, run, settings, progress)
    took.note("train")
    report = reported(
        out / "report", dataset, Path(trained["model"]), Path(made["landmarks"]), arguments.device
    )
    took.note("evaluate")

    # Live at the poses of another scan, none of whose frames was trained on.
    arguments.recording, arguments.calibration = later, calibration
    live = run_live_demo(
        arguments, lambda _, recording: _model(Path(trained["model"]), recording, arguments.device), progress
    )
    took.note("live")
    return {**live, **report, "journey": took.seconds, "calibration_error_mm": true_mm, "training": trained}


def show_journey(result: dict[str, Any]) -> None:
    """Print what the steps took."""
    seconds = result["journey"]
    steps = ", ".join(f"{name} {duration:.0f}" for name, duration in seconds.items())
    print(
        f"\nThe journey took {sum(seconds.values()) / 60:.1f} minutes; seconds: {steps}. Calibration "
        f"{result['calibration_error_mm']:.2f} mm from the truth; {result['training']['step']} iterations."
    )


class _Took:
    """What each step took, by the clock on the wall."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since_s = time.monotonic()

    def note(self, name: str) -> None:
        now_s = time.monotonic()
        self.seconds[name], self._since_s = now_s - self._since_s, now_s


def _train(dataset: Path, run: Path, settings: TrainSettings, progress: Progress) -> dict[str, Any]:
    from ...ml.training.trainer import train
    from ...recording.dataset import open_dataset

    _tell(
        f"\n$ usgansim train {dataset} --out {run} --recipe {RECIPE} --ema-decay {EMA_DECAY} "
        f"--minutes {settings.minutes:g}"
    )
    result = train(open_dataset(dataset), run, settings, progress)
    _tell(f"Trained for {result['step']} iterations: {result['model']}; panels in {run / 'samples'}.")
    return result


def _model(path: Path, recording: Recording, device: str) -> DemoModel:
    from ...ml.renderer import ModelRenderer

    renderer = ModelRenderer.load(path, device)
    words = f"{renderer.info.recipe}, {renderer.info.iterations} iterations"
    return DemoModel(renderer, words, frozenset(recording.frames.tolist()))


def _from_the_truth_mm(found: dict[str, Any], phantom: Path) -> float:
    """How far the furthest image corner is from where the phantom's own ImageToProbe puts it."""
    truth = np.array(json.loads(phantom.read_text(encoding="utf-8"))["true_image_to_probe"])
    width_px, height_px = found["image_size_px"]
    return corner_distance_mm(
        *(
            ImageGeometry(width_px, height_px, np.asarray(matrix))
            for matrix in (found["image_to_probe"], truth)
        )
    )


def _tell(words: str) -> None:
    print(words, file=sys.stderr)


def step(words: str, *values: str | Path) -> dict[str, Any]:
    """Run `words` (the command and its first words) and `values` as `usgansim WORDS VALUES` would; tells the line and
    what the command prints for a person, and returns its result."""
    name, *first = words.split()
    if name == "calibrate":
        name, first = f"calibrate_{first[0]}", first[1:]
    given = [*first, *map(str, values)]
    print(f"\n$ usgansim {shlex.join([*words.split(), *map(str, values)])}", file=sys.stderr)
    command = importlib.import_module(f"..{name}", __package__)
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    with contextlib.redirect_stdout(sys.stderr):
        result: dict[str, Any] = command.run(parser.parse_args(given))
        command.show(result)
    return result


def prepared(folder: Path, recordings: Sequence[Path], calibration: Path) -> Path:
    """A training set of recordings in `folder`."""
    step("prepare", *recordings, "--calibration", calibration, "--exclusion-mm", "2", "--out", folder)
    return folder


def reported(folder: Path, dataset: Path, model: Path, landmarks: Path, device: str) -> dict[str, Any]:
    """The short report of a model beside the baselines in `folder`, as what to add to the demo's result."""
    made = step(
        "evaluate",
        model,
        "--dataset",
        dataset,
        "--observer",
        sample_observer_path(),
        "--landmarks",
        landmarks,
        "--curve",
        "",
        "--mean-of",
        "0",
        "--device",
        device,
        "--out",
        folder,
    )
    return {"report": made["report"], "rows": made["rows"]}
