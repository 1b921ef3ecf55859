"""The volume node that shows the simulated image, and the transform node that puts it where it was simulated."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import slicer.util
import vtk
from numpy.typing import NDArray

from ..live import LiveStatus
from ..model.info import INTENDED_USE
from ..recording.sequence_fields import INVALID, OK

STATUS_ATTRIBUTE = "USGanSim.Status"
STATE_ATTRIBUTE = "USGanSim.State"
IMAGE_STATUS_ATTRIBUTE = "ImageStatus"
_PLACE_ROLE = "USGanSim.ImageToReference"


class OutputVolume:
    """A volume of one slice under its own transform node `ImageToReference`, which hangs under `parent`.

    The volume has an identity IJKToRAS, so that its voxels are pixels of the Image frame. Pixels and ImageToReference
    change together: the image stands where it was simulated, also while the probe has already moved on.

    An image that is not live is shown at half its brightness, so that it never passes for one. The volume carries the
    state as attribute `USGanSim.State` (name of a PoseState) and the words for a person as `USGanSim.Status`.
    """

    def __init__(
        self,
        scene: Any,
        width_px: int,
        height_px: int,
        volume: Any | None = None,
        name: str = "SimulatedUltrasound",
    ) -> None:
        """Write into `volume` (vtkMRMLScalarVolumeNode), or into a new one of that name."""
        self._scene = scene
        self.volume = volume or scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
        self.volume.SetDescription(f"Simulated ultrasound image. {INTENDED_USE}")
        self.place = self.volume.GetNodeReference(_PLACE_ROLE) or self._new_place()
        self._dimmed = True
        slicer.util.updateVolumeFromArray(self.volume, np.zeros((1, height_px, width_px), np.uint8))
        self.volume.SetIJKToRASMatrix(vtk.vtkMatrix4x4())
        self._pixels = slicer.util.arrayFromVolume(self.volume)[0]
        self._image = self.volume.GetImageData()
        self._scalars = self._image.GetPointData().GetScalars()
        self._announced: LiveStatus | None = None
        show_in_fixed_grey(self.volume)

    def _new_place(self) -> Any:
        place = self._scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "ImageToReference")
        self.volume.SetNodeReferenceID(_PLACE_ROLE, place.GetID())
        self.volume.SetAndObserveTransformNodeID(place.GetID())
        return place

    @property
    def intact(self) -> bool:
        """Whether the nodes are still in the scene and the volume still has the pixels made here."""
        return (
            self.volume.GetScene() is not None
            and self.place.GetScene() is not None
            and self.volume.GetImageData() is self._image
        )

    def fits(self, width_px: int, height_px: int) -> bool:
        """Whether the nodes are there and have this image size."""
        return self.intact and self._pixels.shape == (height_px, width_px)

    def hang_under(self, reference: Any | None) -> None:
        """Put the image into the frame of a transform node; None is the world."""
        self.place.SetAndObserveTransformNodeID(reference.GetID() if reference is not None else None)

    def write(self, image: NDArray[np.uint8], image_to_reference: Any, status: LiveStatus) -> None:
        """Show (height_px, width_px) uint8 at its pose (vtkMatrix4x4). Observers see new pixels at the new place."""
        self._pixels[:] = image
        self._dimmed = False
        modifying = self.volume.StartModify()
        self.place.SetMatrixTransformToParent(image_to_reference)
        self._announce(status)
        self._pixels_changed()
        self.volume.EndModify(modifying)

    def mark(self, status: LiveStatus) -> None:
        """Tell the state without a new image; one that is not live is dimmed, once."""
        modifying = self.volume.StartModify()
        self._announce(status)
        if not status.state.is_live and not self._dimmed:
            # The way back to full brightness is always a new image.
            self._pixels >>= 1
            self._dimmed = True
            self._pixels_changed()
        self.volume.EndModify(modifying)

    def remove(self) -> None:
        """Take the volume, its display node and its transform out of the scene."""
        # The volume first: a slice view that shows it would give it a new display node.
        for node in (self.volume, self.volume.GetDisplayNode(), self.place):
            if node is not None and node.GetScene() is not None:
                self._scene.RemoveNode(node)

    def _announce(self, status: LiveStatus) -> None:
        if status is self._announced:
            return
        self._announced = status
        self.volume.SetAttribute(STATE_ATTRIBUTE, status.state.name)
        self.volume.SetAttribute(STATUS_ATTRIBUTE, str(status))
        # What a recorder asks: a dimmed image is no image of the probe's pose.
        self.volume.SetAttribute(IMAGE_STATUS_ATTRIBUTE, OK if status.state.is_live else INVALID)

    def _pixels_changed(self) -> None:
        self._scalars.Modified()
        self.volume.Modified()


def show_in_fixed_grey(volume: Any) -> None:
    """Show a volume of 8 bits as it is, whatever its contents."""
    # Automatic window and level would brighten a dimmed image again, and cost a histogram an image.
    volume.CreateDefaultDisplayNodes()
    display = volume.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(0, 255)
