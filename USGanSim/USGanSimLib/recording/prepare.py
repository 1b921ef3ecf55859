"""Recordings → training set: usable frames, poses at the images' true times, field of view, crop, size, split."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..geometry.field_of_view import FieldOfView
from ..geometry.image_geometry import Crop, ImageGeometry, corner_distance_mm
from ..geometry.transforms import Matrix
from ..progress import Progress, Silent
from .calibration_file import Calibration
from .cropping import Resizer, grown_to_aspect
from .dataset import Source, write_dataset
from .field.by_hand import field_by_hand
from .field.find import MOST_FRAMES, Found, find, spread_frames
from .pixels import release_pages
from .sequence_file import load_sweep, read_header
from .splits import DEFAULT_BLOCKS, DEFAULT_HOLDOUT, DEFAULT_SPLIT, Exclusion, held_out
from .sweep import Frames, TrackedSweep
from .usable import REASONS, UsableFrames, held_poses, sweep_parts, usable_frames

DEFAULT_SIZE_PX = (160, 120)
LEAST_SIZE_PX = 8
CROPS = ("auto", "tight", "full")
# Recordings that carry an ImageToProbe of their own must agree on it to this much at the image's corners.
GEOMETRY_TOLERANCE_MM = 0.5
_RELEASE_EVERY = 32


@dataclass(frozen=True)
class PrepareOptions:
    """What to make of recordings.

    crop      "auto" (the ultrasound's bounding box with a margin, grown so that pixels are square in millimetres
              where the image allows), "tight" (the bounding box itself), "full", or a rectangle in MF pixels
    field     where the ultrasound is, as field/by_hand.py reads it; None: it is looked for
    size_px   width and height of the training images
    lag_s     an image stamped t shows the pose stamped t + lag_s
    split, holdout, blocks    see splits.held_out
    exclusion                 which training frames are left out for being near a held-out pose
    """

    crop: Crop | str = "auto"
    field: str | None = None
    size_px: tuple[int, int] = DEFAULT_SIZE_PX
    lag_s: float = 0.0
    split: str = DEFAULT_SPLIT
    holdout: float = DEFAULT_HOLDOUT
    blocks: int = DEFAULT_BLOCKS
    exclusion: Exclusion = dataclasses.field(default_factory=Exclusion)
    image_frame: str = "Image"
    probe_frame: str = "Probe"
    reference_frame: str = "Reference"

    def __post_init__(self) -> None:
        if isinstance(self.crop, str) and self.crop not in CROPS:
            raise UserError(
                f"'{self.crop}' is no crop.", f"Give {', '.join(CROPS)}, or x,y,width,height in pixels."
            )
        if min(self.size_px) < LEAST_SIZE_PX:
            raise UserError(
                f"A size of {self.size_px[0]}×{self.size_px[1]} px is too small; "
                f"{LEAST_SIZE_PX}×{LEAST_SIZE_PX} is the least.",
                "Give --size 160x120, say.",
            )
        if not np.isfinite(self.lag_s):
            raise UserError(
                f"The lag is {self.lag_s} s.", "Give seconds, or the LAG.json of 'calibrate temporal'."
            )


@dataclass(frozen=True, eq=False)
class Plan:
    """What is to be made of sweeps: their usable frames, and for these, one after another, the poses (N, 4, 4) of the
    image as it will be stored, the held pose that each shows, the sweep of its recording that it is from, whether it is
    held out, and whether it is too near."""

    options: PrepareOptions
    usable: Sequence[UsableFrames]
    poses: Matrix
    hold: NDArray[np.int_]
    sweep_part: NDArray[np.int_]
    heldout: NDArray[np.bool_]
    too_near: NDArray[np.bool_]
    geometry: ImageGeometry
    source_size_px: tuple[int, int]
    crop: Crop
    found: Found
    sources: tuple[Source, ...]

    @property
    def field(self) -> FieldOfView:
        """Where the ultrasound is in the images as they will be stored."""
        return self.found.field.resized(self.crop, self.geometry.width_px, self.geometry.height_px)

    def summary(self) -> dict[str, Any]:
        """Counts, sizes and crop, as JSON."""
        return {
            "frames_in": sum(source.frames_in for source in self.sources),
            "frames_out": len(self.poses),
            "excluded": {
                reason: sum(source.excluded[reason] for source in self.sources) for reason in REASONS
            },
            "train": int((~self.heldout & ~self.too_near).sum()),
            "heldout": int(self.heldout.sum()),
            "split": self.options.split,
            "too_near": int(self.too_near.sum()),
            "exclusion": self.options.exclusion.as_dict(),
            "held_poses": len(np.unique(self.hold[self.hold >= 0])),
            "size": [self.geometry.width_px, self.geometry.height_px],
            "source_size": list(self.source_size_px),
            "crop": list(dataclasses.astuple(self.crop)),
            "found": list(dataclasses.astuple(self.found.area)) if self.found.area else None,
            "field": self.found.field.as_dict(),
            "mm_per_px": list(self.geometry.mm_per_px),
            "lag_s": self.options.lag_s,
            "reference_frame": self.options.reference_frame,
            "sources": [dataclasses.asdict(source) for source in self.sources],
        }


def prepare(
    files: Sequence[Path],
    calibration: Calibration,
    out: Path,
    options: PrepareOptions | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Make the training set `out` of recordings with one calibration; returns what it holds, as JSON.

    Raises UserError for recordings that do not belong together or have no usable frame, a calibration of another
    image size, a crop outside the image, time stamps that cannot be interpolated, and a full disk; `out` is then as
    it was before.
    """
    headers = [read_header(path) for path in files]
    sweeps = [load_sweep(header) for header in headers]
    # Before tens of gigabytes are read for their hashes.
    _require_together(sweeps, calibration, options or PrepareOptions())
    hashes = [_sha256(header.path, header.data_path) for header in headers]
    return prepare_sweeps(sweeps, hashes, calibration, out, options, progress)


def prepare_sweeps(
    sweeps: Sequence[TrackedSweep],
    hashes: Sequence[str],
    calibration: Calibration,
    out: Path,
    options: PrepareOptions | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """`prepare` for sweeps that are open already; `hashes` are kept as those of their files."""
    options, progress = options or PrepareOptions(), progress or Silent()
    plan = plan_sweeps(sweeps, hashes, calibration, options, progress)
    geometry, usable = plan.geometry, plan.usable
    dataset = write_dataset(
        out,
        _resized(sweeps, usable, Resizer(plan.crop, *options.size_px), progress),
        plan.poses,
        geometry,
        heldout=plan.heldout,
        sweep_index=np.repeat(np.arange(len(sweeps)), [len(kept.frames) for kept in usable]),
        timestamps_s=np.concatenate([s.timestamps_s[k.frames] for s, k in zip(sweeps, usable, strict=True)]),
        source_frame=np.concatenate([kept.frames for kept in usable]),
        source_size_px=plan.source_size_px,
        crop=plan.crop,
        field=plan.field,
        lag_s=options.lag_s,
        reference_frame=options.reference_frame,
        split=options.split,
        exclusion=options.exclusion,
        hold=plan.hold,
        sweep_part=plan.sweep_part,
        sources=plan.sources,
    )
    return {**plan.summary(), "sha256": dataset.sha256, "out": str(out)}


def plan_sweeps(
    sweeps: Sequence[TrackedSweep],
    hashes: Sequence[str],
    calibration: Calibration,
    options: PrepareOptions,
    progress: Progress,
) -> Plan:
    """All that `prepare_sweeps` decides before it writes. Raises UserError as that does."""
    source = _require_together(sweeps, calibration, options)
    usable = [
        usable_frames(sweep, options.lag_s, options.probe_frame, options.reference_frame) for sweep in sweeps
    ]
    _require_some(sweeps, usable)
    hold, first = held_poses(sweeps, usable)
    parts = [sweep_parts(sweep)[kept.frames] for sweep, kept in zip(sweeps, usable, strict=True)]
    lengths = [int(length) for part in parts for length in np.bincount(part) if length]
    # A held pose stays whole: all its frames are on the side of its first.
    heldout = held_out(options.split, lengths, options.holdout, options.blocks)[first]
    progress.emit("crop", crop=str(options.crop))
    found = found_field(sweeps, options, source)
    crop = choose_crop(found, options, source)
    geometry = source.resized(crop, *options.size_px)
    poses = np.concatenate([kept.probe_to_reference for kept in usable]) @ geometry.image_to_probe
    sources = tuple(
        Source(sweep.name, digest, len(sweep), len(kept.frames), kept.excluded)
        for sweep, digest, kept in zip(sweeps, hashes, usable, strict=True)
    )
    return Plan(
        options,
        usable,
        poses,
        hold,
        np.concatenate(parts),
        heldout,
        options.exclusion.of(poses, heldout, geometry),
        geometry,
        (source.width_px, source.height_px),
        crop,
        found,
        sources,
    )


def found_field(sweeps: Sequence[TrackedSweep], options: PrepareOptions, source: ImageGeometry) -> Found:
    """Where the ultrasound is in the recordings' images: as it was given by hand, or looked for in all of them."""
    x_mm, y_mm = source.mm_per_px
    if options.field is None:
        return find(_some_frames(sweeps), y_mm / x_mm)
    given = field_by_hand(options.field, (source.width_px, source.height_px), y_mm / x_mm)
    return Found(given, given.box_px)


def _some_frames(sweeps: Sequence[TrackedSweep]) -> Iterator[Frames]:
    """Valid frames, evenly spread over each sweep; of many sweeps fewer of each."""
    for sweep in sweeps:
        valid = np.flatnonzero(sweep.image_valid)
        for frame in spread_frames(sweep.frames, valid, max(MOST_FRAMES // len(sweeps), 2)):
            yield frame
            release_pages(sweep.frames)


def choose_crop(found: Found, options: PrepareOptions, source: ImageGeometry) -> Crop:
    """The crop that is asked for. Raises UserError where it goes by the ultrasound and none was found."""
    if isinstance(options.crop, Crop):
        return options.crop
    if options.crop == "full":
        return Crop(0, 0, source.width_px, source.height_px)
    if found.area is None:
        raise UserError(
            "The frames show nothing: no pixel changes or differs from the background.",
            "Check the recording, or give the crop as --crop x,y,width,height.",
        )
    if options.crop == "tight":
        return found.area
    size_px = (source.width_px, source.height_px)
    return grown_to_aspect(found.area, size_px, source.mm_per_px, options.size_px)


def _resized(
    sweeps: Sequence[TrackedSweep], usable: Sequence[UsableFrames], resizer: Resizer, progress: Progress
) -> Iterator[Frames]:
    total, done = sum(len(kept.frames) for kept in usable), 0
    for sweep, kept in zip(sweeps, usable, strict=True):
        for index in kept.frames:
            yield resizer(sweep.frames[index])
            done += 1
            if done % _RELEASE_EVERY == 0 or done == total:
                release_pages(sweep.frames)
                progress.emit("step", step=done, of=total)


def _require_together(
    sweeps: Sequence[TrackedSweep], calibration: Calibration, options: PrepareOptions
) -> ImageGeometry:
    """Raises UserError for recordings that do not make one training set; returns the geometry of their images."""
    _require_one_size(sweeps)
    _require_different(sweeps)
    _require_one_geometry(sweeps, f"{options.image_frame}To{options.probe_frame}")
    return calibration.geometry(sweeps[0].width_px, sweeps[0].height_px, sweeps[0].name)


def _require_one_size(sweeps: Sequence[TrackedSweep]) -> None:
    if not sweeps:
        raise UserError("No recording was given.", "Name at least one file.")
    for sweep in sweeps:
        if not sweep.has_images:
            raise UserError(
                f"{sweep.name} has no valid image: {len(sweep)} frames of "
                f"{sweep.width_px}×{sweep.height_px} px.",
                "Give a recording with images.",
            )
        if sweep.frames.shape[1:] != sweeps[0].frames.shape[1:]:
            raise UserError(
                f"{sweep.name} has images of {sweep.width_px}×{sweep.height_px} px, {sweeps[0].name} of "
                f"{sweeps[0].width_px}×{sweeps[0].height_px} px; they do not go into one training set.",
                "Prepare them apart.",
            )


def _require_different(sweeps: Sequence[TrackedSweep]) -> None:
    # The same frames twice would be on both sides of a split. The file may differ: another format, say.
    for first, second in itertools.combinations(sweeps, 2):
        if np.array_equal(first.timestamps_s, second.timestamps_s) and np.array_equal(
            first.frames[0], second.frames[0]
        ):
            raise UserError(
                f"{first.name} and {second.name} are the same recording: equal time stamps, equal first "
                "image.",
                "Give every recording once.",
            )


def _require_one_geometry(sweeps: Sequence[TrackedSweep], name: str) -> None:
    # The calibration replaces a recording's own ImageToProbe, but two that differ (another depth, say) have two.
    own = [(sweep, track.matrices[track.valid]) for sweep in sweeps if (track := sweep.transforms.get(name))]
    known = [(sweep, matrices) for sweep, matrices in own if len(matrices)]
    for sweep, matrices in known:
        first = ImageGeometry(sweep.width_px, sweep.height_px, known[0][1][0])
        apart_mm = max(
            corner_distance_mm(first, dataclasses.replace(first, image_to_probe=matrix))
            for matrix in np.unique(matrices, axis=0)
        )
        if apart_mm > GEOMETRY_TOLERANCE_MM:
            raise UserError(
                f"{name} of {sweep.name} is {apart_mm:.1f} mm at a corner from that of {known[0][0].name} "
                f"({GEOMETRY_TOLERANCE_MM:g} mm are allowed): one calibration cannot serve both.",
                "Prepare recordings of one imaging depth and one probe mount.",
            )


def _require_some(sweeps: Sequence[TrackedSweep], usable: Sequence[UsableFrames]) -> None:
    if any(len(kept.frames) for kept in usable):
        return
    counts = {words: sum(kept.excluded[reason] for kept in usable) for reason, words in REASONS.items()}
    reasons = ", ".join(f"in {count} {words}" for words, count in counts.items() if count)
    raise UserError(
        f"None of {sum(map(len, sweeps))} frames can be used: {reasons}.", "Check the tracking and the lag."
    )


def _sha256(*paths: Path) -> str:
    digest = hashlib.sha256()
    for path in dict.fromkeys(paths):
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
