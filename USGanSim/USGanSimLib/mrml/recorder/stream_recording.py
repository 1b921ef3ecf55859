"""The simulated stream as a recording: images with the poses that they were simulated at, and snapshots.

recording = StreamRecording(scene, live.volume, image_to_probe)
recording.start(folder, "simulated")
while …: recording.feedback()
for share in recording.finishing(as_file=True, as_sequence=True): …
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import slicer.util
import vtk
from PIL import Image

from ...errors import UserError
from ...files import replacing_file, write_json
from ...geometry.transforms import Matrix
from ...model.info import INTENDED_USE
from ...recording.live_file import COMPRESSED, FINISHED, PIXELS, UNFINISHED
from ...recording.sequence_file import read_sweep, writing_sweep
from ...recording.simulated import IMAGE_TO_REFERENCE, with_probe
from ..output_volume import STATE_ATTRIBUTE, STATUS_ATTRIBUTE, show_in_fixed_grey
from ..sequence_bridge import exporting_sweep
from .feedback import Feedback
from .recorder import Recorder

_ENDINGS = (COMPRESSED, FINISHED, PIXELS, UNFINISHED, ".png", ".json")


@dataclass(frozen=True)
class Recorded:
    """What came of a recording: its frames, its file and its browser, where they were wanted."""

    frames: int
    path: Path | None
    browser: Any | None


class StreamRecording:
    """Records the live volume with ImageToReference, and ReferenceToRas where the reference hangs in the world.

    image_to_probe  (4, 4) of the simulated pixels
    While it runs, NAME.igs.mhd grows in the folder and can be recovered; in the end it becomes NAME.igs.mha, or goes.
    """

    def __init__(self, scene: Any, volume: Any, image_to_probe: Matrix) -> None:
        self._scene, self._image_to_probe = scene, image_to_probe
        place = volume.GetParentTransformNode()
        transforms = {IMAGE_TO_REFERENCE: place}
        reference = place.GetParentTransformNode()
        if reference is not None and reference.GetParentTransformNode() is None:
            transforms["ReferenceToRas"] = reference
        self._recorder = Recorder(volume, transforms)
        self.name = ""

    def start(self, folder: Path, name: str) -> None:
        """Record from the next image on. A name that is taken gets a number. Raises UserError where that cannot be."""
        self.name = free_name(folder, name)
        self._recorder.start(folder / f"{self.name}{FINISHED}", {"IntendedUse": INTENDED_USE})

    def feedback(self) -> Feedback:
        """How it goes."""
        return self._recorder.feedback()

    def stop(self) -> Path:
        """End the recording; NAME.igs.mhd can be read. Raises UserError where nothing was recorded."""
        return self._recorder.stop()

    def abandon(self) -> None:
        """End the recording without a word; what there is stays as NAME.igs.mhd."""
        self._recorder.abandon()

    def finishing(self, raw: Path, as_file: bool, as_sequence: bool) -> Generator[float, None, Recorded]:
        """Make the file and the sequence of what `stop` returned: yields the share that is done, returns what came of
        it. Where it is left off or fails, NAME.igs.mhd stays."""
        sweep = with_probe(read_sweep(raw), self._image_to_probe)
        frames, path, browser, jobs = len(sweep), None, None, as_file + as_sequence
        if as_sequence:
            steps = exporting_sweep(self._scene, sweep, self.name)
            while browser is None:
                try:
                    yield next(steps) / jobs
                except StopIteration as end:
                    browser = end.value
        if as_file:
            path = raw.with_name(self.name + COMPRESSED)
            for written in writing_sweep(path, sweep):
                yield (as_sequence + written / frames) / jobs
        del sweep
        for ending in (FINISHED, PIXELS):
            raw.with_name(self.name + ending).unlink(missing_ok=True)
        return Recorded(frames, path, browser)


def require_file_name(name: str) -> None:
    """Raises UserError for what cannot be the name of a file, on any system."""
    if not name.strip() or any(sign in name for sign in '/\\:*?"<>|'):
        raise UserError(f"'{name}' is no file name.", "Use letters, digits, - and _.")


def free_name(folder: Path, name: str) -> str:
    """The name, or with a number where files of that name exist. Raises UserError for no name and for no folder."""
    require_file_name(name)
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}.", "Make it, or choose another.")
    number, free = 1, name
    while any((folder / (free + ending)).exists() for ending in _ENDINGS):
        number += 1
        free = f"{name}_{number}"
    return free


def take_snapshot(scene: Any, volume: Any, name: str) -> Any:
    """A copy of the live image that stays where it is: a volume of its own under a transform of its own."""
    place = volume.GetParentTransformNode()
    kept = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", f"{name} {IMAGE_TO_REFERENCE}")
    matrix = vtk.vtkMatrix4x4()
    place.GetMatrixTransformToParent(matrix)
    kept.SetMatrixTransformToParent(matrix)
    reference = place.GetParentTransformNode()
    kept.SetAndObserveTransformNodeID(reference.GetID() if reference is not None else None)
    copy = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    slicer.util.updateVolumeFromArray(copy, slicer.util.arrayFromVolume(volume).copy())
    copy.SetIJKToRASMatrix(vtk.vtkMatrix4x4())
    copy.SetAndObserveTransformNodeID(kept.GetID())
    copy.SetDescription(volume.GetDescription())
    for attribute in (STATE_ATTRIBUTE, STATUS_ATTRIBUTE):
        copy.SetAttribute(attribute, volume.GetAttribute(attribute))
    show_in_fixed_grey(copy)
    return copy


def save_snapshot(folder: Path, snapshot: Any, model: str) -> Path:
    """Write NAME.png (the pixels, MF) and NAME.json (pose and state) of a snapshot, and return the picture's path.

    Both files are there or none. Raises UserError where they cannot be written.
    """
    name = free_name(folder, snapshot.GetName())
    place = snapshot.GetParentTransformNode()
    picture = folder / f"{name}.png"
    with replacing_file(picture) as part:
        Image.fromarray(slicer.util.arrayFromVolume(snapshot)[0]).save(part, "PNG")
        write_json(
            folder / f"{name}.json",
            {
                "image": picture.name,
                "orientation": "MF",
                "model": model,
                "state": snapshot.GetAttribute(STATE_ATTRIBUTE),
                "status": snapshot.GetAttribute(STATUS_ATTRIBUTE),
                "image_to_reference": _rows(slicer.util.arrayFromTransformMatrix(place)),
                "image_to_ras": _rows(slicer.util.arrayFromTransformMatrix(place, toWorld=True)),
                "taken": datetime.now(timezone.utc).isoformat(timespec="seconds"),
                "intended_use": INTENDED_USE,
            },
        )
    return picture


def _rows(matrix: Matrix) -> list[list[float]]:
    return [[float(number) for number in row] for row in np.asarray(matrix)]
