"""What a recording, a training set or a model is, and what is odd about it: as JSON, and as lines for a person."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.distance import pdist

from ..errors import UserError
from ..geometry.sampling import evenly
from ..geometry.transforms import RIGID_TOLERANCE, TransformTrack, rigidity_error, split_transform_name
from ..model.info import MODEL_SUFFIX, read_model_header
from .dataset import MARKER, open_dataset
from .orientation import ASSUMED
from .sequence_fields import TIMESTAMP
from .sequence_file import load_sweep, read_header
from .sequence_format import SequenceHeader
from .sweep import TrackedSweep
from .tracking_quality import tracking_quality
from .usable import held_on_purpose

# All pairs of this many poses are compared; a longer recording is thinned evenly.
_MOST_POSES = 1000

# What training writes into a model, for people.
_METRICS = {
    "heldout_mean_abs_difference_grey": "one sample differs from a held-out image by {} grey levels on average",
    "heldout_rms_difference_grey": "RMS {} grey levels",
    "heldout_frames_measured": "measured on {} frames",
}


@dataclass(frozen=True)
class FrameNames:
    """What a recording calls its frames."""

    reference: str = "Reference"
    probe: str = "Probe"
    image: str = "Image"


def describe(path: Path) -> list[tuple[str, str]]:
    """What `usgansim info` prints of one file, as names and values, for a panel. Raises UserError."""
    return lines(described(path, FrameNames()))


def described(path: Path, names: FrameNames) -> dict[str, Any]:
    """The JSON of a recording, a training set's folder or a model. Raises UserError for anything else."""
    if path.suffix == MODEL_SUFFIX:
        return _model(path)
    return _training_set(path) if (path / MARKER).is_file() else _recording(path, names)


def lines(entry: dict[str, Any]) -> list[tuple[str, str]]:
    of_kind = {"model": _model_lines, "training set": _training_set_lines, "recording": _recording_lines}
    return of_kind[entry["kind"]](entry)


def _training_set(path: Path) -> dict[str, Any]:
    dataset = open_dataset(path)
    return {
        "file": str(path),
        "kind": "training set",
        "frames": len(dataset),
        "train": len(dataset.train_indices),
        "heldout": len(dataset.heldout_indices),
        "width_px": dataset.geometry.width_px,
        "height_px": dataset.geometry.height_px,
        "mm_per_px": list(dataset.geometry.mm_per_px),
        "crop": str(dataset.crop),
        "lag_s": dataset.lag_s,
        "split": dataset.split,
        "exclusion_mm": dataset.exclusion.rms_mm,
        "reference_frame": dataset.reference_frame,
        "sources": [source.name for source in dataset.sources],
        "sha256": dataset.sha256,
        "field": dataset.field.as_dict(),
    }


def _model(path: Path) -> dict[str, Any]:
    header = read_model_header(path)
    info = header.info
    return {
        "file": str(path),
        "kind": "model",
        "recipe": info.recipe,
        "width_px": info.geometry.width_px,
        "height_px": info.geometry.height_px,
        "parameters": header.parameters,
        "metrics": info.metrics,
        "mm_per_px": list(info.geometry.mm_per_px),
        "orientation": info.orientation,
        "source_size_px": list(info.source_size_px),
        "crop": str(info.crop),
        "reference_frame": info.reference_frame,
        "iterations": info.iterations,
        "seed": info.seed,
        "training_set_sha256": info.training_set_sha256,
        "software_version": info.software_version,
        "intended_use": info.intended_use,
        "field": info.field.as_dict() if info.field else None,
    }


def _recording(path: Path, names: FrameNames) -> dict[str, Any]:
    header = read_header(path)
    sweep = load_sweep(header)
    name, poses, no_pose = _poses(sweep, names)
    extent_mm, extent_deg = _extent(poses)
    duration_s = float(np.ptp(sweep.timestamps_s))
    quality = tracking_quality(name, poses, sweep.timestamps_s, held_on_purpose(sweep)) if name else None
    return {
        "file": str(path),
        "kind": "recording",
        "frames": len(sweep),
        "width_px": sweep.width_px,
        "height_px": sweep.height_px,
        "orientation": header.orientation or ASSUMED,
        "rate_hz": (len(sweep) - 1) / duration_s if duration_s > 0 else None,
        "duration_s": duration_s,
        "valid_images": int(sweep.image_valid.sum()),
        "transforms": {known: int(track.valid.sum()) for known, track in sweep.transforms.items()},
        "pose": name,
        "pose_extent_mm": extent_mm,
        "pose_extent_deg": extent_deg,
        "tracking": quality.as_dict() if quality else None,
        "tracking_in_words": quality.words if quality else "",
        "warnings": [
            *_warnings(header, sweep, names.image),
            *(quality.sentences() if quality else []),
            *no_pose,
        ],
    }


def _poses(sweep: TrackedSweep, names: FrameNames) -> tuple[str | None, TransformTrack, list[str]]:
    """The probe's poses in Reference, or else those of the first transform that moves, with the reason."""
    try:
        track = sweep.graph().track(names.probe, names.reference)
        if track.valid.any():
            return f"{names.probe}To{names.reference}", track, []
        reason = f"{names.probe}To{names.reference} is valid in no frame."
    except UserError as error:
        reason = error.message
    for name, track in sweep.transforms.items():
        if np.ptp(track.matrices[track.valid], axis=0).any() if track.valid.any() else False:
            return name, track, [reason]
    return None, TransformTrack(np.empty((0, 4, 4)), np.empty(0, bool)), [reason]


def _extent(track: TransformTrack) -> tuple[float | None, float | None]:
    """The largest distance in millimetres and the largest angle in degrees between any two valid, rigid poses."""
    rigid = track.matrices[track.valid & (rigidity_error(track.matrices) <= RIGID_TOLERANCE)]
    if len(rigid) == 0:
        return None, None
    some = rigid[evenly(len(rigid), _MOST_POSES)]
    # |R₁ − R₂| (Frobenius) = √8 · sin(angle / 2)
    chord = pdist(some[:, :3, :3].reshape(-1, 9)).max(initial=0.0)
    angle_deg = np.degrees(2 * np.arcsin(min(chord / np.sqrt(8), 1.0)))
    return float(pdist(some[:, :3, 3]).max(initial=0.0)), float(angle_deg)


def _warnings(header: SequenceHeader, sweep: TrackedSweep, image_frame: str) -> list[str]:
    count, found = len(sweep), []
    untimed = count - len(header.frame_fields[TIMESTAMP])
    steps_s = np.diff(sweep.timestamps_s)
    if header.has_pixels and not header.orientation:
        found.append(f"The file does not tell the image orientation; {ASSUMED} is assumed.")
    if untimed:
        found.append(f"{untimed} of {count} frames have no time stamp; they count as invalid.")
    if header.has_pixels and not sweep.image_valid.all():
        found.append(f"{count - int(sweep.image_valid.sum())} of {count} images are invalid.")
    if (steps_s == 0).any():
        found.append(f"{int((steps_s == 0).sum())} of {count} time stamps repeat the one before.")
    if (steps_s < 0).any():
        found.append(f"{int((steps_s < 0).sum())} of {count} time stamps are earlier than the one before.")
    for name, track in sweep.transforms.items():
        # A transform from or to pixels has a scale.
        if image_frame not in split_transform_name(name):
            found += _rigidity_warning(name, track)
    return found


def _rigidity_warning(name: str, track: TransformTrack) -> list[str]:
    bad = np.flatnonzero(track.valid & (rigidity_error(track.matrices) > RIGID_TOLERANCE))
    finite = np.isfinite(track.matrices[bad]).all()
    return (
        [
            f"{name} is {'not rigid' if finite else 'not finite or not rigid'} in {bad.size} of {len(track)} frames "
            f"(first: frame {bad[0]})."
        ]
        if bad.size
        else []
    )


def _recording_lines(entry: dict[str, Any]) -> list[tuple[str, str]]:
    frames, transforms = entry["frames"], entry["transforms"]
    rate = "" if entry["rate_hz"] is None else f", {entry['rate_hz']:.4g} frames/s"
    widest = max((len(name) for name in transforms), default=0)
    lines = [
        ("frames", f"{frames} in {entry['duration_s']:.4g} s{rate}"),
        (
            "images",
            f"{entry['width_px']}×{entry['height_px']} px, orientation {entry['orientation']}, "
            f"{entry['valid_images']} of {frames} valid",
        ),
    ]
    lines += [
        ("transforms" if not row else "", f"{name:<{widest}}  {count} of {frames} valid")
        for row, (name, count) in enumerate(transforms.items())
    ]
    if entry["pose_extent_mm"] is not None:
        lines.append(
            (
                "poses",
                f"{entry['pose']} spans {entry['pose_extent_mm']:.1f} mm, {entry['pose_extent_deg']:.1f}°",
            )
        )
        lines.append(("tracking", entry["tracking_in_words"]))
    return lines + [("warning", text) for text in entry["warnings"]]


def _training_set_lines(entry: dict[str, Any]) -> list[tuple[str, str]]:
    x_mm, y_mm = entry["mm_per_px"]
    return [
        (
            "frames",
            f"{entry['frames']}: {entry['train']} to train on, {entry['heldout']} held out ({entry['split']})",
        ),
        ("images", f"{entry['width_px']}×{entry['height_px']} px of {x_mm:.3f}×{y_mm:.3f} mm"),
        ("field", entry["field"]["verdict"]),
        ("crop", f"{entry['crop']} of {', '.join(entry['sources']) or 'unknown recordings'}"),
        ("frame", f"poses in {entry['reference_frame']}, lag {entry['lag_s']:g} s"),
        ("hash", f"{entry['sha256'][:16]}…"),
    ]


def _model_lines(entry: dict[str, Any]) -> list[tuple[str, str]]:
    x_mm, y_mm = entry["mm_per_px"]
    lines = [
        ("recipe", f"{entry['recipe']}, {entry['parameters']} parameters, {entry['iterations']} iterations"),
        (
            "images",
            f"{entry['width_px']}×{entry['height_px']} px of {x_mm:.3f}×{y_mm:.3f} mm, orientation "
            f"{entry['orientation']}",
        ),
        ("shows", f"{entry['crop']} of {entry['source_size_px'][0]}×{entry['source_size_px'][1]} px"),
        (
            "field",
            entry["field"]["verdict"] if entry["field"] else "not stored: the model is of an older version",
        ),
        ("frame", f"poses in {entry['reference_frame']}"),
        (
            "trained on",
            f"{entry['training_set_sha256'][:16]}…, seed {entry['seed']}, version "
            f"{entry['software_version']}",
        ),
    ]
    lines += [
        (
            "metrics" if not row else "",
            _METRICS.get(name, name.replace("_", " ") + " {}").format(_figure(value)),
        )
        for row, (name, value) in enumerate(entry["metrics"].items())
    ]
    return [*lines, ("use", entry["intended_use"])]


def _figure(value: Any) -> str:
    """A number with four digits; what a file has in its place, as it is."""
    return f"{value:.4g}" if isinstance(value, int | float) else repr(value)
