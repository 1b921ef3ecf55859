"""`simulate MODEL --poses FILE --out FILE`: a recording's poses with simulated images in place of its own.

Frames, time stamps, transforms and frame fields are the recording's. Transforms of its image frame are left out, since
they belong to its own pixels; ImageToProbe is that of the simulated pixels. Where the pose is invalid, the image is
black and marked INVALID. With --samples N every frame is there N times, numbered by the frame field SampleIndex;
sample k starts from the same noise in all frames, so each is a sweep of its own.

With --uncertainty two recordings more lie beside it, a frame a pose: NAME.spread.igs.mha, how much samples differ, and
NAME.coverage.igs.mha, how near the training frames pass (uncertainty.py tells what their grey levels stand for).
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..files import replacing_files
from ..geometry.image_geometry import ImageGeometry, corner_distance_mm
from ..geometry.transforms import Matrix, split_transform_name
from ..model.info import FIT_TOLERANCE_MM, ModelInfo, read_model_header
from ..model.ranges import SAMPLES, SEED, THREADS
from ..progress import Progress, terminal_or_silent
from ..recording.calibration_file import read_calibration
from ..recording.sequence_file import SweepWriter, read_sweep
from ..recording.sweep import TrackedSweep
from ..uncertainty import COVERAGE_STEP_MM, OUTSIDE, PIXEL_MEANINGS, SPREAD_STEP_GREY, Uncertainty
from .options import Number, whole

if TYPE_CHECKING:
    from ..ml.renderer import ModelRenderer

SAMPLE_INDEX = "SampleIndex"
SAMPLES_OF_A_SPREAD, MOST_OF_A_SPREAD = 16, 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `simulate`."""
    parser.add_argument("model", type=Path, help="model.safetensors")
    parser.add_argument(
        "--poses",
        type=Path,
        required=True,
        metavar="FILE",
        help="recording with the poses (.igs.mha, .igs.mhd, .igs.nrrd); it needs no images",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="recording to write, of the same formats"
    )
    parser.add_argument(
        "--samples",
        type=Number(SAMPLES, whole=True),
        default=1,
        metavar="N",
        help="images for each pose (default %(default)s)",
    )
    parser.add_argument(
        "--seed", type=Number(SEED, whole=True), default=0, help="fixes the noise (default %(default)s)"
    )
    parser.add_argument(
        "--frames", metavar="A:B", help="only frames A to B − 1 of the recording, counted from 0"
    )
    parser.add_argument(
        "--calibration",
        type=Path,
        help="CAL.json or PLUS XML of the recording's probe: refuse to "
        "start where the model does not fit it (default: the recording's own ImageToProbe, if any)",
    )
    parser.add_argument(
        "--uncertainty",
        type=whole(2, MOST_OF_A_SPREAD),
        nargs="?",
        const=SAMPLES_OF_A_SPREAD,
        metavar="N",
        help="also write, beside OUT.igs.mha, OUT.spread.igs.mha (SD of each pixel between N samples of the pose, "
        f"{SPREAD_STEP_GREY:g} grey levels a level; N is {SAMPLES_OF_A_SPREAD} unless given) and OUT.coverage.igs.mha "
        f"(how near the nearest training frame passes to each pixel, {COVERAGE_STEP_MM:g} mm a level, {OUTSIDE} "
        "outside the swept region)",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default %(default)s)")
    parser.add_argument(
        "--threads",
        type=Number(THREADS, whole=True),
        help="threads of the CPU to render with (default: the fastest)",
    )
    parser.add_argument(
        "--reference-frame",
        help="the recording's name for the frame that the model's poses are in (default: the model's own)",
    )
    for frame in ("Probe", "Image"):
        parser.add_argument(
            f"--{frame.lower()}-frame", default=frame, help=f"name of the coordinate frame (default {frame})"
        )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Returns the counts and the speed. Raises UserError before anything is written, and leaves no part of a file."""
    beside = {
        kind: _beside(arguments.out, kind) for kind in (PIXEL_MEANINGS if arguments.uncertainty else ())
    }
    for path in (arguments.out, *beside.values()):
        if path.exists() and path.samefile(arguments.poses):
            raise UserError(f"--out {path} is the recording itself.", "Choose another name.")
    info = read_model_header(arguments.model).info
    job = Job.open(arguments, info)
    from ..ml.devices import device_name
    from ..ml.renderer import ModelRenderer

    renderer = ModelRenderer.load(arguments.model, arguments.device, arguments.threads)
    print(info.intended_use, file=sys.stderr)
    began_s = time.perf_counter()
    uncertainty = Uncertainty(arguments.uncertainty, info) if arguments.uncertainty else None
    _write(arguments.out, job, renderer, uncertainty, terminal_or_silent())
    elapsed_s = time.perf_counter() - began_s
    images = len(job.frames) * job.samples
    return {
        "out": str(arguments.out),
        "model": str(arguments.model),
        "poses": str(arguments.poses),
        "frames": len(job.frames),
        "samples": job.samples,
        "images": images,
        "seed": job.seed,
        "invalid_poses": int((~job.valid).sum()),
        "out_of_range": int(job.outside(info).sum()),
        "width_px": renderer.width_px,
        "height_px": renderer.height_px,
        "device": device_name(renderer.device),
        "seconds": elapsed_s,
        "images_per_s": images / elapsed_s,
        **{kind: str(beside[kind]) if uncertainty else None for kind in PIXEL_MEANINGS},
        "spread_samples": arguments.uncertainty,
        "spread_mean_grey": uncertainty.spread_mean_grey if uncertainty else None,
        "outside_swept_share": uncertainty.outside_share if uncertainty else None,
    }


def show(result: dict[str, Any]) -> None:
    """Print the result for a person."""
    each = f", {result['samples']} samples each" if result["samples"] > 1 else ""
    print(
        f"{result['out']}: {result['images']} images of {result['width_px']}×{result['height_px']} px for "
        f"{result['frames']} poses{each}; {result['images_per_s']:.0f} images a second on {result['device']}."
    )
    if result["invalid_poses"]:
        print(f"{result['invalid_poses']} poses are invalid: their images are black and marked INVALID.")
    if result["out_of_range"]:
        print(f"{result['out_of_range']} poses lie outside the range that the model was trained on.")
    if result["spread"]:
        print(
            f"{result['spread']}: {result['spread_samples']} samples of a pose differ by an SD of "
            f"{result['spread_mean_grey']:.1f} grey levels on the mean of the field of view."
        )
        print(
            f"{result['coverage']}: {result['outside_swept_share']:.1%} of the field of view lie outside the swept "
            "region."
        )


@dataclass(frozen=True, eq=False)
class Job:
    """What to simulate: chosen `frames` (K,) of a recording, their ImageToReference poses (K, 4, 4) for the model's
    pixels, and which of these are valid (K,)."""

    sweep: TrackedSweep
    frames: NDArray[np.int_]
    poses: Matrix
    valid: NDArray[np.bool_]
    image_frame: str
    image_to_probe: tuple[str, Matrix]
    samples: int
    seed: int

    @classmethod
    def open(cls, arguments: argparse.Namespace, info: ModelInfo) -> Job:
        """Read the recording and check it against the model. Raises UserError for what cannot be simulated."""
        sweep = read_sweep(arguments.poses)
        frames = _chosen_frames(arguments.frames, len(sweep), sweep.name)
        name = f"{arguments.image_frame}To{arguments.probe_frame}"
        _require_fit(arguments, sweep, name, info)
        track = sweep.probe_to_reference(
            arguments.probe_frame, arguments.reference_frame or info.reference_frame
        )
        valid = np.broadcast_to(track.valid, len(sweep))[frames]
        if not valid.any():
            raise UserError(
                f"None of the {len(frames)} chosen frames of {sweep.name} has a valid pose.",
                "Choose other --frames.",
            )
        poses = np.broadcast_to(track.matrices, (len(sweep), 4, 4))[frames] @ info.geometry.image_to_probe
        return cls(
            sweep,
            frames,
            poses,
            valid,
            arguments.image_frame,
            (name, info.geometry.image_to_probe),
            arguments.samples,
            arguments.seed,
        )

    def outside(self, info: ModelInfo) -> NDArray[np.bool_]:
        """(K,) valid poses that lie outside the trained range."""
        return np.array(
            [
                ok and not info.pose_range.contains(info.pose_range.nearest(pose))
                for pose, ok in zip(self.poses, self.valid, strict=True)
            ]
        )

    def transforms(self, frame: int) -> dict[str, tuple[Matrix, bool]]:
        """Of a frame of the recording: its own but for those of its pixels, and ImageToProbe of the simulated ones."""
        own = {
            name: (track.matrices[frame], bool(track.valid[frame]))
            for name, track in self.sweep.transforms.items()
            if self.image_frame not in split_transform_name(name)
        }
        name, matrix = self.image_to_probe
        return {**own, name: (matrix, True)}

    def fields(self, frame: int, sample: int | None) -> dict[str, str | None]:
        """Other fields of a frame of the recording, with the number of the sample where it is one of several."""
        own = {
            name: values[frame]
            for name, values in self.sweep.frame_fields.items()
            if self.image_frame not in name.partition("Transform")[0].split("To")
        }
        return {**own, SAMPLE_INDEX: str(sample)} if sample is not None and self.samples > 1 else own


def _write(
    out: Path, job: Job, renderer: ModelRenderer, uncertainty: Uncertainty | None, progress: Progress
) -> None:
    header = {
        **job.sweep.header,
        "SimulatedBy": f"USGanSim {renderer.info.software_version}, recipe "
        f"{renderer.info.recipe}, seed {job.seed}",
        "IntendedUse": renderer.info.intended_use,
    }
    size_px = renderer.width_px, renderer.height_px
    renderer.resample(job.seed)
    with contextlib.ExitStack() as open_files:
        if uncertainty:
            # Three files that belong together: all of them, or none.
            out = open_files.enter_context(replacing_files(out.parent)) / out.name
        writer = open_files.enter_context(SweepWriter(out, *size_px, header))
        others = {
            kind: open_files.enter_context(
                SweepWriter(_beside(out, kind), *size_px, {**header, "PixelMeaning": words})
            )
            for kind, words in (PIXEL_MEANINGS if uncertainty else {}).items()
        }
        black = {kind: np.zeros(size_px[::-1], np.uint8) for kind in others}
        for done, frame in enumerate(job.frames, 1):
            transforms, stamp_s = job.transforms(frame), float(job.sweep.timestamps_s[frame])
            valid = bool(job.valid[done - 1])
            for sample, image in enumerate(_images(job, done - 1, renderer)):
                writer.append(image, stamp_s, transforms, valid, job.fields(frame, sample))
            found = uncertainty.images(job.poses[done - 1], renderer) if uncertainty and valid else black
            for kind, image in found.items():
                others[kind].append(image, stamp_s, transforms, valid, job.fields(frame, None))
            progress.emit("step", step=done, of=len(job.frames))


def _beside(out: Path, kind: str) -> Path:
    """`a.igs.mha` → `a.spread.igs.mha`."""
    ending = f".igs{out.suffix}" if out.name.endswith(f".igs{out.suffix}") else out.suffix
    return out.with_name(f"{out.name.removesuffix(ending)}.{kind}{ending}")


def _images(job: Job, index: int, renderer: ModelRenderer) -> Iterator[NDArray[np.uint8]]:
    """The images of one frame, one after another."""
    if not job.valid[index]:
        yield from np.zeros((job.samples, renderer.height_px, renderer.width_px), np.uint8)
    elif job.samples == 1:
        yield renderer.render(job.poses[index])
    else:
        for batch in renderer.sample_batches(job.poses[index], job.samples, job.seed):
            yield from batch


def _chosen_frames(text: str | None, count: int, name: str) -> NDArray[np.int_]:
    first, last = 0, count
    if text is not None:
        try:
            first, last = (int(number) for number in text.split(":"))
        except ValueError as error:
            raise UserError(f"--frames {text} is not two numbers.", "Write it like 0:100.") from error
    if not 0 <= first < last <= count:
        raise UserError(
            f"{name} has {count} frames, 0 to {count - 1}; --frames {first}:{last} chooses none, or others.",
            "Give the first frame and the one after the last.",
        )
    return np.arange(first, last)


def _require_fit(arguments: argparse.Namespace, sweep: TrackedSweep, name: str, info: ModelInfo) -> None:
    """Raise UserError where a calibration says that the model's image lies elsewhere than in training."""
    own = sweep.transforms.get(name)
    size_px = (sweep.width_px, sweep.height_px) if sweep.has_images else info.source_size_px
    if arguments.calibration is not None:
        calibration = read_calibration(arguments.calibration, arguments.image_frame, arguments.probe_frame)
        info.require_fit(calibration.image_to_probe, calibration.image_size_px or size_px, calibration.source)
    elif own is not None and own.valid.any():
        matrix = own.matrices[own.valid][0]
        # The recording may be a simulated one, with the model's own pixels.
        if (
            size_px == (info.geometry.width_px, info.geometry.height_px)
            and corner_distance_mm(info.geometry, ImageGeometry(*size_px, matrix)) <= FIT_TOLERANCE_MM
        ):
            return
        info.require_fit(matrix, size_px, f"{name} of {sweep.name}")
