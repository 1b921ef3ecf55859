"""The simulated image beside a real one: how they lie to each other, in words, and their difference as a volume."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer.util
from numpy.typing import NDArray
from scipy import ndimage

from ...errors import UserError
from ...geometry.pose_distance import angle_deg
from ...geometry.transforms import Matrix
from ..output_volume import show_in_fixed_grey
from ..scene import marked_volume
from ..transform_chain import ancestry, volume_to_world

DIFFERENCE_ATTRIBUTE = "USGanSim.Difference"
# A plane further away shows other anatomy, and is not compared.
MOST_APART_MM = 3.0
_EQUAL = 128
# Luminance of red, green and blue (ITU-R BT.601). What follows them, an alpha channel, is not looked at.
_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)


class View(enum.Enum):
    """How the two are looked at."""

    SIDE_BY_SIDE = "side by side"
    BLEND = "blend"
    DIFFERENCE = "difference"


@dataclass(frozen=True)
class Relation:
    """How a real image lies to the simulated one: distance of the simulated image's centre from the real plane, angle
    between the images, and the share of the simulated pixels that the real image covers."""

    plane_mm: float
    angle_deg: float
    covered: float


class DifferenceVolume:
    """Simulated − real in the pixels of the simulated image: mid-grey (128) where equal, 2 grey levels a step, black
    where the real image does not reach. `update` after each image; `remove` takes the node out of the scene."""

    def __init__(self, scene: Any, simulated: Any) -> None:
        self._scene = scene
        self.node = marked_volume(scene, DIFFERENCE_ATTRIBUTE) or scene.AddNewNodeByClass(
            "vtkMRMLScalarVolumeNode", "SimulatedMinusReal"
        )
        self.node.SetAttribute(DIFFERENCE_ATTRIBUTE, "simulated - real")
        self.node.SetSaveWithScene(False)
        self.node.SetAndObserveTransformNodeID(simulated.GetTransformNodeID())
        self._simulated = simulated
        slicer.util.updateVolumeFromArray(
            self.node, np.zeros(slicer.util.arrayFromVolume(simulated).shape, np.uint8)
        )
        show_in_fixed_grey(self.node)

    def update(self, real: Any) -> float:
        """Compare with the real image as they are now. The mean absolute difference in grey levels; NaN where the real
        image does not reach."""
        simulated = slicer.util.arrayFromVolume(self._simulated)[0].astype(np.float32)
        values, reached = resampled(real, volume_to_world(self._simulated), simulated.shape)
        difference = simulated - values
        shown = np.where(reached, np.clip(_EQUAL + difference / 2, 1, 255), 0)
        slicer.util.arrayFromVolume(self.node)[0] = shown.round()
        slicer.util.arrayFromVolumeModified(self.node)
        return float(np.abs(difference[reached]).mean()) if reached.any() else float("nan")

    def remove(self) -> None:
        """Take the volume and its display node out of the scene."""
        for node in (self.node, self.node.GetDisplayNode()):
            if node is not None and node.GetScene() is not None:
                self._scene.RemoveNode(node)


def resampled(
    real: Any, simulated_to_world: Matrix, shape: tuple[int, ...]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The real volume's values (linear) at the pixels of a simulated image of shape (H, W), and where it reaches them.

    A volume of one slice reaches MOST_APART_MM to either side.
    """
    voxels = grey(real)
    from_pixels = np.linalg.inv(volume_to_world(real)) @ simulated_to_world
    rows, columns = np.indices(shape)
    i, j, k = (
        from_pixels[axis, 0] * columns + from_pixels[axis, 1] * rows + from_pixels[axis, 3]
        for axis in range(3)
    )
    depth_mm = np.linalg.norm(volume_to_world(real)[:3, 2])
    last = np.array(voxels.shape) - 1
    beyond = np.maximum(-k, k - last[0]) * depth_mm
    reached = (
        (beyond <= (MOST_APART_MM if last[0] == 0 else 0))
        & (i >= -0.5)
        & (i <= last[2] + 0.5)
        & (j >= -0.5)
        & (j <= last[1] + 0.5)
    )
    places = np.stack([np.clip(k, 0, last[0]), j, i])
    values: NDArray[np.float32] = ndimage.map_coordinates(voxels, places, order=1, mode="nearest")
    return values, reached


def grey(volume: Any) -> NDArray[np.float32]:
    """(K, J, I) grey levels of a volume; a colour image's are its luminance."""
    voxels: NDArray[np.float32] = slicer.util.arrayFromVolume(volume).astype(np.float32)
    if voxels.ndim == 3:
        return voxels
    luminance: NDArray[np.float32] = voxels[..., :3] @ _LUMINANCE if voxels.shape[-1] >= 3 else voxels[..., 0]
    return luminance


def why_not(real: Any) -> str:
    """Why a volume cannot be compared now, or nothing."""
    if real.GetImageData() is None or 0 in real.GetImageData().GetDimensions():
        return f"{real.GetName()} has no image yet."
    try:
        volume_to_world(real)
    except UserError as error:
        return str(error)
    return ""


def relation(simulated: Any, real: Any) -> Relation:
    """How the real image lies to the simulated one, in the world."""
    pose, other = volume_to_world(simulated), volume_to_world(real)
    width_px, height_px, _ = simulated.GetImageData().GetDimensions()
    centre = pose @ ((width_px - 1) / 2, (height_px - 1) / 2, 0, 1)
    normal = np.cross(other[:3, 0], other[:3, 1])
    plane_mm = abs(float((centre - other[:, 3])[:3] @ normal / np.linalg.norm(normal)))
    _values, reached = resampled(real, pose, (height_px, width_px))
    return Relation(plane_mm, angle_deg(pose, other), float(reached.mean()))


def way_up(volume: Any) -> list[str]:
    """The names of the transforms that a volume hangs under, the nearest first."""
    return [node.GetName() for node in ancestry(volume.GetParentTransformNode())]
