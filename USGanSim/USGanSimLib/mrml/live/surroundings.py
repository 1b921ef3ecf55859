"""What Show puts around the live image in 3-D: the probe and the fan's outline, which move with the image, and the
poses of training with the region that they swept."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import slicer.util
from numpy.typing import NDArray

from ...geometry.field_of_view import FieldOfView
from ...geometry.transforms import Matrix
from ...live import Renderer
from ...recording.field.find import find_field
from ..scene import add_unlisted
from .scenery import OUTLINE_COLOR, TRAINED_COLOR, Scenery, lines
from .swept_region import swept_region

# Images of so many trained poses tell where the field of view of an older model is; the first ones are spread best.
FIELD_IMAGES = 16
_SWEPT_OPACITY = 0.14
_TICK_MM = 8.0


class Surroundings:
    """`show` puts everything into the scene, `hide` takes it out; both may be called at any time.

    Nothing of it is saved with the scene or listed among a person's nodes.
    """

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self._moving: Scenery | None = None
        self._standing: Scenery | None = None
        self._probe_frame: Any | None = None

    @property
    def shown(self) -> bool:
        return self._moving is not None

    def show(
        self,
        renderer: Renderer,
        image_to_probe: Matrix,
        image_frame: Any,
        reference: Any | None,
        field: FieldOfView | None = None,
    ) -> None:
        """Around the image whose pixels are the frame of the transform node `image_frame`, and around `reference`.

        `image_to_probe` (4, 4) is that of the image, `field` where the ultrasound is in it; None: it is looked for in
        some images. Anything shown before goes.
        """
        self.hide()
        field = field or find_field(
            renderer.render(pose) for pose in renderer.pose_range.poses[:FIELD_IMAGES]
        )
        # Probe millimetres seen from the image, so that the image's own transform carries the probe along.
        self._probe_frame = add_unlisted(
            self._scene, slicer.vtkMRMLLinearTransformNode(), "ProbeOfSimulatedImage"
        )
        slicer.util.updateTransformMatrixFromArray(self._probe_frame, np.linalg.inv(image_to_probe))
        self._probe_frame.SetAndObserveTransformNodeID(image_frame.GetID())
        self._moving = Scenery(self._scene, self._probe_frame)
        self._moving.add_probe(
            image_to_probe, renderer.width_px, renderer.height_px, field.face_px, outline=False
        )
        chain = _points(field.outline_px, image_to_probe)
        self._moving.add("Fan outline", lines([list(chain)]), OUTLINE_COLOR, line_px=2.5)
        self._standing = Scenery(self._scene, reference)
        self._standing.add_trained_poses(renderer.pose_range, outlines=0, tick_mm=_TICK_MM)
        region = swept_region(renderer.pose_range, field)
        self._standing.add("Swept region of training", region, TRAINED_COLOR, _SWEPT_OPACITY)

    def hide(self) -> None:
        """Take everything out of the scene, where it still is."""
        for scenery in (self._moving, self._standing):
            if scenery is not None:
                scenery.close()
        if self._probe_frame is not None and self._probe_frame.GetScene() is not None:
            self._scene.RemoveNode(self._probe_frame)
        self._moving = self._standing = self._probe_frame = None


def _points(pixels: NDArray[np.float64], image_to_probe: Matrix) -> NDArray[np.float64]:
    """(K, 2) pixels → (K, 3) probe millimetres."""
    homogeneous = np.column_stack([pixels, np.zeros(len(pixels)), np.ones(len(pixels))])
    placed: NDArray[np.float64] = (homogeneous @ image_to_probe.T)[:, :3]
    return placed
