"""`demo`: a recording over OpenIGTLink into MRML transforms, simulated live, measured, and drawn.

Without a recording a sample scan of the virtual phantom is simulated with the model that is shipped, and a short report
compares that with the baselines. A recording without a model gets one that is trained for two minutes. With --train
everything is made from nothing (demonstration/journey.py).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from .. import sample_data
from ..errors import UserError
from ..model.info import INTENDED_USE
from ..progress import Progress, Terminal
from ..recording.calibration_file import Calibration
from ..recording.prepare import PrepareOptions
from .demonstration.journey import journey, prepared, reported, show_journey
from .demonstration.live import DemoModel, Recording, in_sentences, run_live_demo
from .options import add_frame_options, number, whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `demo`."""
    parser.add_argument(
        "--recording",
        type=Path,
        help="tracked recording (.igs.mha, .igs.mhd, .igs.nrrd); without it the virtual phantom is scanned",
    )
    parser.add_argument("--calibration", type=Path, help="CAL.json, or a PLUS XML with ImageToProbe")
    parser.add_argument(
        "--model",
        type=Path,
        help="model.safetensors; without it the one that is shipped, or with "
        "--recording one that is trained for two minutes",
    )
    parser.add_argument(
        "--train",
        action="store_true",
        help="the whole journey instead: record the phantom and a "
        "pinhead, calibrate, prepare, train, evaluate, simulate live (about 12 minutes on two cores)",
    )
    parser.add_argument(
        "--minutes",
        type=number(0, above=True),
        default=7.0,
        help="of the training of --train (default %(default)g)",
    )
    parser.add_argument(
        "--seconds", type=number(0, above=True), default=15.0, help="how long live (default %(default)g)"
    )
    parser.add_argument(
        "--rate",
        type=number(0, above=True, most=1000),
        default=60.0,
        metavar="HZ",
        help="poses a second (default %(default)g)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("usgansim-demo"),
        metavar="FOLDER",
        help="folder for panel.png and all that is made (default %(default)s)",
    )
    parser.add_argument(
        "--iterations",
        type=whole(1),
        default=1000,
        help="at most, of the two minutes' training (default %(default)s)",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default auto)")
    add_frame_options(parser)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Returns what was measured and where the pictures are."""
    if arguments.recording is not None and arguments.calibration is None:
        raise UserError("The demo has no calibration.", "Give --calibration FILE (CAL.json or PLUS XML).")
    if not 1 <= arguments.seconds <= 3600:
        raise UserError(f"A demo of {arguments.seconds:g} s cannot be run.", "Give --seconds from 1 to 3600.")
    progress = Terminal() if sys.stderr.isatty() else Lines()
    if arguments.train:
        return journey(arguments, progress)
    if arguments.recording is None:
        return _with_the_sample(arguments, progress)
    return run_live_demo(
        arguments,
        lambda calibration, recording: _model(arguments, calibration, recording, progress),
        progress,
    )


def show(result: dict[str, Any]) -> None:
    """Print the result for a person."""
    if "journey" in result:
        show_journey(result)
    print(*in_sentences(result), sep="\n")
    print(
        f"Picture: {result['panel']}" + (f" (without 3-D view: {result['no_3d']})" if result["no_3d"] else "")
    )
    if "report" in result:
        print(f"Report: {result['report']}")
    print(INTENDED_USE)


class Lines:
    """Progress in a log: the small steps of long work are left out."""

    def __init__(self) -> None:
        self._terminal = Terminal()

    def emit(self, event: str, **fields: Any) -> None:
        if event != "step":
            self._terminal.emit(event, **fields)


def _with_the_sample(arguments: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """Live on the sample scan, then the short report: the model beside the baselines on a fifth of its frames."""
    shipped = arguments.model is None
    model_path = sample_data.sample_model_path() if shipped else arguments.model
    progress.emit("phantom", because="no --recording was given", frames=sample_data.FRAMES)
    scan = sample_data.sample_scan(arguments.out, progress, sample_data.FRAMES)
    arguments.recording, arguments.calibration = scan.recording, scan.calibration

    def sample_model(calibration: Calibration, recording: Recording) -> DemoModel:
        # No frame of this scan was trained on by the model that is shipped; of another that is not known.
        return _loaded(
            arguments,
            model_path,
            calibration,
            recording,
            frozenset(recording.frames.tolist()) if shipped else None,
        )

    result = run_live_demo(arguments, sample_model, progress)
    dataset = prepared(arguments.out / "dataset", [scan.recording], scan.calibration)
    return result | reported(arguments.out / "report", dataset, model_path, scan.landmarks, arguments.device)


def _model(
    arguments: argparse.Namespace, calibration: Calibration, recording: Recording, progress: Progress
) -> DemoModel:
    """The model given, or one trained for two minutes."""
    if arguments.model is not None:
        return _loaded(arguments, arguments.model, calibration, recording, None)
    from ..ml.renderer import ModelRenderer
    from ..ml.training.quick_model import QUICK_MINUTES, train_quick_model

    progress.emit("training", because="no --model was given", minutes=QUICK_MINUTES)
    options = PrepareOptions(
        image_frame=arguments.image_frame,
        probe_frame=arguments.probe_frame,
        reference_frame=arguments.reference_frame,
    )
    arguments.out.mkdir(parents=True, exist_ok=True)
    quick = train_quick_model(
        arguments.recording,
        calibration,
        arguments.out / "model.safetensors",
        options,
        arguments.iterations,
        progress,
    )
    return DemoModel(ModelRenderer.load(quick.path, arguments.device), str(quick), quick.heldout_frames)


def _loaded(
    arguments: argparse.Namespace,
    path: Path,
    calibration: Calibration,
    recording: Recording,
    heldout: frozenset[int] | None,
) -> DemoModel:
    """A model of a file, which has to fit the recording's probe."""
    from ..ml.renderer import ModelRenderer

    renderer = ModelRenderer.load(path, arguments.device)
    renderer.info.require_fit(
        calibration.image_to_probe, (recording.sweep.width_px, recording.sweep.height_px), calibration.source
    )
    return DemoModel(
        renderer, f"{path.name} ({renderer.info.recipe}, {renderer.info.iterations} iterations)", heldout
    )
