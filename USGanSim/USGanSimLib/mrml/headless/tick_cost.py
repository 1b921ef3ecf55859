"""What MRML costs: the time of one live tick whose renderer costs nothing."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from ...geometry.pose_distance import PoseRange
from ...geometry.transforms import Matrix
from ..live.live_simulation import LiveSimulation
from ..scene import headless_scene
from ..transform_chain import to_vtk


class NullRenderer:
    """Gives the same grey image for every pose, at once, whatever the noise."""

    def __init__(self, pose_range: PoseRange, image_to_probe: Matrix) -> None:
        self.width_px, self.height_px = pose_range.width_px, pose_range.height_px
        self.image_to_probe = image_to_probe
        self.pose_range = pose_range
        self._image = np.full((self.height_px, self.width_px), 128, np.uint8)

    def render(self, image_to_reference: Matrix) -> NDArray[np.uint8]:
        return self._image

    def resample(self) -> None: ...

    def drift(self, step: float) -> None: ...

    def sample(self, image_to_reference: Matrix, n: int) -> NDArray[np.uint8]:
        return np.stack([self._image] * n)


def mrml_tick_seconds(ticks: int = 2000, width_px: int = 160, height_px: int = 120) -> NDArray[np.float64]:
    """(ticks,) seconds of `LiveSimulation.tick` with a new pose each time, the renderer left out.

    That is: the pose through a parent transform with all its checks, the distance to 256 trained poses, the pixels in
    place, the image's transform, and one Modified. The first 100 ticks are not counted.
    """
    rng = np.random.default_rng(0)
    image_to_probe = np.diag([0.3, 0.3, 1.0, 1.0])
    poses = np.tile(image_to_probe, (256, 1, 1))
    poses[:, :3, 3] = rng.uniform(-30, 30, (256, 3))
    matrices = [to_vtk(pose @ np.linalg.inv(image_to_probe)) for pose in poses]
    renderer = NullRenderer(PoseRange.of_training_poses(poses, width_px, height_px), image_to_probe)
    with headless_scene() as scene:
        reference = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "ReferenceToRas")
        probe = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "ProbeToReference")
        probe.SetAndObserveTransformNodeID(reference.GetID())
        live = LiveSimulation(scene, renderer, probe, reference)
        live.start()
        seconds = np.empty(ticks + 100)
        for index in range(len(seconds)):
            probe.SetMatrixTransformToParent(matrices[index % len(matrices)])
            began = time.perf_counter()
            live.tick()
            seconds[index] = time.perf_counter() - began
        live.close()
    return seconds[100:]
