"""A recording played into the scene: its transforms in nodes named as PLUS names them, and its images in a volume.

The nodes behave as those of OpenIGTLinkIF do for a PlusServer that sends all transforms: an invalid one comes as the
identity with the attribute `TransformStatus` other than OK.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import slicer.util
import vtk
from numpy.typing import NDArray

from ...errors import UserError
from ...geometry.transforms import Matrix, TransformTrack
from ...model.info import ModelInfo
from ...recording.sequence_fields import INVALID, TRANSFORM_STATUS
from ...recording.sweep import TrackedSweep
from ..output_volume import show_in_fixed_grey
from ..transform_chain import STATUS_ATTRIBUTE, STATUS_OK, to_vtk

PROBE_TO_REFERENCE = "ProbeToReference"
REPLAY_ATTRIBUTE = "USGanSim.Replay"
_IMAGE_NAME, _PLACE_NAME = "RecordedUltrasound", "ImageToReference"


class RecordingReplay:
    """Frames of a recording in nodes of the scene; a Motion for a Player.

    sweep           the recording
    reference       node of the frame Reference; None is the world. ProbeToReference and the images hang under it.
    image_to_probe  (4, 4) for the recording's images; with it they are shown in a volume, without it they are not
    probe           the node ProbeToReference: recorded, or chained of what was recorded
    volume          the node with the images, or None
    Nodes of an earlier replay are used again. Raises UserError for a recording without poses of the probe.
    """

    def __init__(
        self,
        scene: Any,
        sweep: TrackedSweep,
        reference: Any | None = None,
        image_to_probe: Matrix | None = None,
    ) -> None:
        self._scene, self._sweep, self._reference = scene, sweep, reference
        self._moments_s = _moments_s(sweep)
        chained = sweep.probe_to_reference()
        self._tracks = {**sweep.transforms, PROBE_TO_REFERENCE: _of_length(chained, len(sweep))}
        self._frame = -1
        self._nodes = {name: self._node("vtkMRMLLinearTransformNode", name) for name in self._tracks}
        self.probe = self._nodes[PROBE_TO_REFERENCE]
        self._hang(self.probe, reference)
        self._image_to_probe = image_to_probe
        self.volume: Any | None = None
        self._place: Any | None = None
        if image_to_probe is not None and sweep.has_images:
            self.volume, self._place = self._new_volume()
        self._remove_others()

    @property
    def duration_s(self) -> float:
        return float(self._moments_s[-1])

    @property
    def frame(self) -> int:
        """The frame that is shown, −1 before the first."""
        return self._frame

    def show(self, at_s: float) -> None:
        """Show the frame of a moment, seconds from the first frame; nothing where it is there already."""
        frame = max(int(np.searchsorted(self._moments_s, at_s, side="right")) - 1, 0)
        if frame == self._frame or self.probe.GetScene() is None:
            return
        self._frame = frame
        # The image first: who waits for the probe's pose finds the real image of this moment.
        if self.volume is not None:
            self._show_image(self.volume, frame)
        for name in [*(other for other in self._tracks if other != PROBE_TO_REFERENCE), PROBE_TO_REFERENCE]:
            self._show_transform(name, frame)

    def close(self) -> None:
        """Take the nodes out of the scene."""
        for node in (
            self.volume,
            self.volume and self.volume.GetDisplayNode(),
            self._place,
            *self._nodes.values(),
        ):
            if node is not None and node.GetScene() is not None:
                self._scene.RemoveNode(node)

    def _show_transform(self, name: str, frame: int) -> None:
        node, track = self._nodes[name], self._tracks[name]
        valid = bool(track.valid[frame])
        told = self._sweep.frame_fields.get(name + TRANSFORM_STATUS)
        modifying = node.StartModify()
        node.SetMatrixTransformToParent(to_vtk(track.matrices[frame] if valid else np.eye(4)))
        node.SetAttribute(STATUS_ATTRIBUTE, STATUS_OK if valid else (told and told[frame]) or INVALID)
        # A pose that repeats the one before is a new one too.
        node.InvokeCustomModifiedEvent(slicer.vtkMRMLTransformableNode.TransformModifiedEvent)
        node.EndModify(modifying)

    def _show_image(self, volume: Any, frame: int) -> None:
        track = self._tracks[PROBE_TO_REFERENCE]
        if not (self._sweep.image_valid[frame] and track.valid[frame]):
            return
        modifying = volume.StartModify()
        slicer.util.arrayFromVolume(volume)[0] = self._sweep.frames[frame]
        volume.GetParentTransformNode().SetMatrixTransformToParent(
            to_vtk(track.matrices[frame] @ self._image_to_probe)
        )
        slicer.util.arrayFromVolumeModified(volume)
        volume.EndModify(modifying)

    def _new_volume(self) -> tuple[Any, Any]:
        """The volume of the images, and the transform node that places it."""
        volume, place = (
            self._node("vtkMRMLScalarVolumeNode", _IMAGE_NAME),
            self._node("vtkMRMLLinearTransformNode", _PLACE_NAME),
        )
        self._hang(place, self._reference)
        self._hang(volume, place)
        black = np.zeros((1, self._sweep.height_px, self._sweep.width_px), np.uint8)
        slicer.util.updateVolumeFromArray(volume, black)
        volume.SetIJKToRASMatrix(vtk.vtkMatrix4x4())
        volume.SetDescription(f"Images of the recording {self._sweep.name}.")
        show_in_fixed_grey(volume)
        return volume, place

    def _node(self, kind: str, name: str) -> Any:
        """A node of this name that a replay has made, or a new one."""
        role = f"{name} {kind}"
        node = next(
            (one for one in _replay_nodes(self._scene) if one.GetAttribute(REPLAY_ATTRIBUTE) == role), None
        )
        if node is None:
            node = self._scene.AddNewNodeByClass(kind, name)
            node.SetAttribute(REPLAY_ATTRIBUTE, role)
        return node

    def _remove_others(self) -> None:
        """Take out what another recording had and this one has not."""
        own = [*self._nodes.values(), self.volume, self._place]
        for node in _replay_nodes(self._scene):
            if node not in own:
                self._scene.RemoveNode(node)

    def _hang(self, node: Any, parent: Any | None) -> None:
        node.SetAndObserveTransformNodeID(parent.GetID() if parent is not None else None)


def image_to_probe_of(sweep: TrackedSweep, info: ModelInfo | None) -> Matrix | None:
    """ImageToProbe (4, 4) of a recording's images: its own, else that of a model made of images of the same size."""
    own = sweep.transforms.get("ImageToProbe")
    if own is not None and own.valid.any():
        matrix: Matrix = own.matrices[own.valid][0]
        return matrix
    if info is not None and info.source_size_px == (sweep.width_px, sweep.height_px):
        return info.source_image_to_probe
    return None


def _replay_nodes(scene: Any) -> list[Any]:
    nodes = scene.GetNodesByClass("vtkMRMLTransformableNode")
    nodes.UnRegister(None)
    found = [nodes.GetItemAsObject(number) for number in range(nodes.GetNumberOfItems())]
    return [node for node in found if node.GetAttribute(REPLAY_ATTRIBUTE)]


def _moments_s(sweep: TrackedSweep) -> NDArray[np.float64]:
    """(N,) seconds from the first frame at which the frames are due. Raises UserError where no time passes."""
    # A stamp that goes back is due with the one before it.
    moments_s: NDArray[np.float64] = np.maximum.accumulate(sweep.timestamps_s) - sweep.timestamps_s[0]
    if len(sweep) > 1 and moments_s[-1] == 0:
        raise UserError(
            f"The time stamps of {sweep.name} do not increase, so they tell no rate.", "Record it again."
        )
    return moments_s


def _of_length(track: TransformTrack, count: int) -> TransformTrack:
    return (
        track
        if len(track) == count
        else TransformTrack(np.repeat(track.matrices, count, axis=0), np.repeat(track.valid, count))
    )
