"""What the MRML tests share: a scene, a clock that is set by hand, and a renderer that can be read back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

import vtk  # noqa: E402

from USGanSimLib.geometry.pose_distance import PoseRange  # noqa: E402
from USGanSimLib.mrml.live.live_simulation import LiveSimulation  # noqa: E402
from USGanSimLib.mrml.scene import headless_scene  # noqa: E402

IMAGE_TO_PROBE = np.array([[0.0, 0.5, 0, -4], [0.4, 0, 0, 7], [0, 0, 1, 2], [0, 0, 0, 1]], float)


class Clock:
    """A clock that only moves when told to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class StampRenderer:
    """Fills the image with the pose's x in mm, so that pixels tell which pose they were made for."""

    def __init__(self, width_px: int = 16, height_px: int = 12) -> None:
        self.width_px, self.height_px = width_px, height_px
        self.image_to_probe = IMAGE_TO_PROBE
        self.pose_range = PoseRange(width_px, height_px, IMAGE_TO_PROBE[None], coverage_mm=300.0)
        self.poses: list[np.ndarray] = []

    def render(self, image_to_reference: np.ndarray) -> np.ndarray:
        self.poses.append(image_to_reference.copy())
        x_mm = image_to_reference[0, 3] - IMAGE_TO_PROBE[0, 3]
        return np.full((self.height_px, self.width_px), round(x_mm), np.uint8)


class Nodes:
    """Makes and moves transform nodes, as a hand, a tracker or OpenIGTLinkIF would."""

    def __init__(self, scene: Any) -> None:
        self._scene = scene

    def new(self, name: str, parent: Any | None = None) -> Any:
        node = self._scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", name)
        if parent is not None:
            node.SetAndObserveTransformNodeID(parent.GetID())
        return node

    def move(self, node: Any, matrix: Any) -> None:
        """By a matrix, or by a number of mm along x."""
        if np.isscalar(matrix):
            matrix = np.array([[1, 0, 0, matrix], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], float)
        vtk_matrix = vtk.vtkMatrix4x4()
        vtk_matrix.DeepCopy(np.ravel(matrix).astype(float).tolist())
        node.SetMatrixTransformToParent(vtk_matrix)

    def receive(self, node: Any, matrix: Any, status: str = "OK") -> None:
        """In the order of vtkMRMLIGTLConnectorNode::ProcessIncomingDeviceModifiedEvent."""
        modifying = node.StartModify()
        self.move(node, matrix)
        node.Modified()
        node.SetAttribute("TransformStatus", status)
        node.EndModify(modifying)

    def names(self) -> list[str]:
        return sorted(
            f"{node.GetClassName()} {node.GetName()}"
            for node in map(self._scene.GetNthNode, range(self._scene.GetNumberOfNodes()))
        )

    def count(self) -> int:
        return int(self._scene.GetNumberOfNodes())


@pytest.fixture
def scene() -> Iterator[Any]:
    with headless_scene() as scene:
        yield scene


@pytest.fixture
def nodes(scene: Any) -> Nodes:
    return Nodes(scene)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def renderer() -> StampRenderer:
    return StampRenderer()


@pytest.fixture
def new_renderer() -> type[StampRenderer]:
    return StampRenderer


@pytest.fixture
def probe(nodes: Nodes) -> Any:
    return nodes.new("ProbeToReference")


@pytest.fixture
def simulate(scene: Any, renderer: StampRenderer, clock: Clock) -> Iterator[Callable[..., LiveSimulation]]:
    """Start a live simulation of a probe; all are closed in the end."""
    begun = []

    def start(probe: Any, reference: Any | None = None, **options: Any) -> LiveSimulation:
        live = LiveSimulation(
            scene, options.pop("renderer", renderer), probe, reference, clock=clock, **options
        )
        begun.append(live)
        live.start()
        return live

    yield start
    for live in begun:
        live.close()


@pytest.fixture
def pixels() -> Callable[[LiveSimulation], np.ndarray]:
    def read(live: LiveSimulation) -> np.ndarray:
        return slicer.util.arrayFromVolume(live.volume)[0]

    return read


@pytest.fixture
def image_to_world() -> Callable[[Any], np.ndarray]:
    """(4, 4) from a volume's voxels to the world, as MRML places it."""

    def read(volume: Any) -> np.ndarray:
        ijk, world = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
        volume.GetIJKToRASMatrix(ijk)
        if volume.GetParentTransformNode() is not None:
            volume.GetParentTransformNode().GetMatrixTransformToWorld(world)
        vtk.vtkMatrix4x4.Multiply4x4(world, ijk, ijk)
        return slicer.util.arrayFromVTKMatrix(ijk)

    return read
