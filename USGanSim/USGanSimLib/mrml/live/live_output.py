"""The volume that a live simulation writes into, whatever model is in use."""

from __future__ import annotations

from typing import Any

import numpy as np
import vtk
from numpy.typing import NDArray

from ...geometry.transforms import Matrix
from ...live import LiveStatus, Renderer
from ..output_volume import OutputVolume
from ..transform_chain import to_vtk


class LiveOutput:
    """One volume, from the first model on; a model of another image size goes on in it.

    volume          scalar volume node to write into; None makes one, called `name`
    image_to_probe  (4, 4) where the renderer's pixels are on this probe; None: as trained
    """

    def __init__(self, scene: Any, volume: Any | None, name: str, image_to_probe: Matrix | None) -> None:
        self._scene, self._wanted, self._name = scene, volume, name
        self._calibrated = image_to_probe
        self._image_to_probe = vtk.vtkMatrix4x4()
        self._written: OutputVolume | None = None

    @property
    def volume(self) -> Any | None:
        """The volume node while it is in the scene, once a model has been there."""
        volume = self._written.volume if self._written else None
        return volume if volume is not None and volume.GetScene() is not None else None

    @property
    def place(self) -> Any | None:
        """The transform node that the volume hangs under."""
        return self._written.place if self._written else None

    def fit(self, renderer: Renderer, reference: Any | None) -> None:
        """Make the volume fit a renderer, and hang it under the reference."""
        own = renderer.image_to_probe
        self._image_to_probe = to_vtk(own if self._calibrated is None else self._calibrated)
        width_px, height_px = renderer.width_px, renderer.height_px
        if self._written is None or not self._written.fits(width_px, height_px):
            kept = self._written.volume if self._written is not None else self._wanted
            in_scene = kept is not None and kept.GetScene() is not None
            self._written = OutputVolume(
                self._scene, width_px, height_px, kept if in_scene else None, self._name
            )
        self._written.hang_under(reference)

    def image_to_reference(self, probe_to_reference: Any) -> Any:
        """The image's pose (vtkMatrix4x4) on a probe that is there."""
        pose = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Multiply4x4(probe_to_reference, self._image_to_probe, pose)
        return pose

    def write(self, image: NDArray[np.uint8], image_to_reference: Any, status: LiveStatus) -> None:
        """Show an image at its pose; see OutputVolume."""
        assert self._written is not None  # fit() comes first
        self._written.write(image, image_to_reference, status)

    def mark(self, status: LiveStatus) -> None:
        """Tell a state without a new image."""
        if self._written is not None and self._written.intact:
            self._written.mark(status)

    def let_go_of_removed(self) -> bool:
        """Whether the volume has left the scene, or has other pixels; it is let go then."""
        if self._written is None or self._written.intact:
            return False
        self._written = None
        return True

    def remove(self) -> None:
        """Take the volume out of the scene."""
        if self._written is not None:
            self._written.remove()
            self._written = None
