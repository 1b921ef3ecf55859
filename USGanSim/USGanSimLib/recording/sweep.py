"""A tracked sweep: images, time stamps and named transforms of one continuous recording, checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..geometry.transforms import TransformGraph, TransformTrack, require_rigid

Frames = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class TrackedSweep:
    """One recording in memory, or mapped from disk.

    frames        (N, H, W) uint8, MF orientation; possibly a read-only memory map. A tracking-only recording has
                  H = W = 0.
    timestamps_s  (N,) seconds, the filtered clock of the recording.
    transforms    name `AToB` → TransformTrack of N moments, as recorded; frames without the field are invalid.
    image_valid   (N,) bool; an invalid image still occupies its pixels.
    name          what to call the recording in messages, usually the file name.
    frame_fields  name → N strings or None: other per-frame fields, kept for writing (UnfilteredTimestamp, FrameNumber).
    header        other header fields, kept for writing.
    """

    frames: Frames
    timestamps_s: NDArray[np.float64]
    transforms: Mapping[str, TransformTrack]
    image_valid: NDArray[np.bool_]
    name: str = "recording"
    frame_fields: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)
    header: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = len(self.timestamps_s)
        if self.frames.ndim != 3 or self.frames.dtype != np.uint8:
            raise ValueError(f"frames must be (N, H, W) uint8, not {self.frames.shape} {self.frames.dtype}")
        lengths = {
            "frames": len(self.frames),
            "image_valid": len(self.image_valid),
            **{name: len(track) for name, track in self.transforms.items()},
            **{name: len(values) for name, values in self.frame_fields.items()},
        }
        wrong = {name: length for name, length in lengths.items() if length != count}
        if wrong:
            raise ValueError(f"{count} time stamps do not go with {wrong}")

    def __len__(self) -> int:
        return len(self.timestamps_s)

    @property
    def width_px(self) -> int:
        return int(self.frames.shape[2])

    @property
    def height_px(self) -> int:
        return int(self.frames.shape[1])

    @property
    def has_images(self) -> bool:
        """Whether there is at least one valid image with pixels."""
        return self.frames[0].size > 0 and bool(self.image_valid.any()) if len(self) else False

    def graph(
        self,
        image_to_probe: NDArray[np.float64] | None = None,
        image_frame: str = "Image",
        probe_frame: str = "Probe",
    ) -> TransformGraph:
        """The recording's transforms, with a calibration's ImageToProbe in place of the recording's own."""
        transforms = dict(self.transforms)
        if image_to_probe is not None:
            transforms[f"{image_frame}To{probe_frame}"] = TransformTrack.constant(image_to_probe)
        return TransformGraph(transforms)

    def probe_to_reference(
        self, probe_frame: str = "Probe", reference_frame: str = "Reference"
    ) -> TransformTrack:
        """(N,) rigid poses of the probe, valid where every transform on the way is.

        Raises UserError where the frames are not connected, where no frame is valid, or where a valid pose is no
        rigid transform (a stage's encoder values, say).
        """
        graph = self.graph()
        for name in (probe_frame, reference_frame):
            if name not in graph.frames:
                known = ", ".join(graph.frames) or "none"
                raise UserError(
                    f"{self.name} has no coordinate frame '{name}'; it has {known}.",
                    "Name the frames with --probe-frame and --reference-frame.",
                )
        track = graph.track(probe_frame, reference_frame)
        name = f"{probe_frame}To{reference_frame} of {self.name}"
        if not track.valid.any():
            raise UserError(
                f"{name} is valid in none of {len(self)} frames.",
                "Check that probe and reference were in the tracker's view.",
            )
        require_rigid(track, name)
        return track
