"""What the MRML tests share: a scene, a clock that is set by hand, and a renderer that can be read back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

import vtk  # noqa: E402

from USGanSimLib.geometry.pose_distance import PoseRange  # noqa: E402
from USGanSimLib.link.client import Received  # noqa: E402
from USGanSimLib.link.wire import image_message, transform_message  # noqa: E402
from USGanSimLib.mrml.headless.link_bridge import LinkBridge  # noqa: E402
from USGanSimLib.mrml.live.live_simulation import LiveSimulation  # noqa: E402
from USGanSimLib.mrml.recorder.recorder import Recorder  # noqa: E402
from USGanSimLib.mrml.scene import headless_scene  # noqa: E402
from USGanSimLib.recording.sweep import TrackedSweep  # noqa: E402

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


# What a recorder is sent, and what it wrote

WIDTH, HEIGHT = 12, 8
START_1970_S = 1_700_000_000.0


def a_pose(number: int) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, 3] = number, -number, 2 * number
    return pose


def _an_image(number: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """Carries its number in its first two pixels."""
    image = np.full((height, width), 7, np.uint8)
    image[0, :2] = divmod(number, 256)
    return image


def _numbers_of(sweep: TrackedSweep) -> list[int]:
    first = sweep.frames[:, 0, :2].astype(int)
    return (first[:, 0] * 256 + first[:, 1]).tolist()


def _posed(sweep: TrackedSweep, name: str = "ProbeToTracker") -> list[int]:
    """The numbers that the poses carry, None where a pose is invalid."""
    track = sweep.transforms[name]
    return [
        round(matrix[0, 3]) if valid else None
        for matrix, valid in zip(track.matrices, track.valid, strict=True)
    ]


class Source:
    """Sends images and poses into the scene as OpenIGTLink does; `clock` is in its hand."""

    def __init__(self, scene, clock) -> None:
        self.bridge, self.clock = LinkBridge(scene, images=True), clock
        self.image, self.probe = self.bridge.image_node("Image_Image"), self.bridge.node("ProbeToTracker")

    def send_pose(self, number: int, status: str = "OK", stamp_s: float | None = None) -> None:
        self._send(transform_message("ProbeToTracker", a_pose(number), self.stamp_s(number, stamp_s), status))

    def send_image(self, number: int, stamp_s: float | None = None, image=None, **metadata: str) -> None:
        image = _an_image(number) if image is None else image
        self._send(image_message("Image_Image", image, np.eye(4), self.stamp_s(number, stamp_s), metadata))

    def stamp_s(self, number: int, stamp_s: float | None = None) -> float:
        return 50 + number / 60 if stamp_s is None else stamp_s

    def step(self) -> None:
        self.clock.now_s += 1 / 60

    def _send(self, message) -> None:
        self.bridge.apply([Received(message, 0.0)])


class Unstamped(Source):
    """As an OpenIGTLinkIF that keeps no time stamp."""

    def _send(self, message) -> None:
        node = self.image if message.message_type == "IMAGE" else self.probe
        heard = node.StartModify()
        super()._send(message)
        node.RemoveAttribute("Timestamp")
        node.EndModify(heard)


@pytest.fixture
def source(scene, clock):
    return Source(scene, clock)


@pytest.fixture
def unstamped(scene, clock):
    return Unstamped(scene, clock)


@pytest.fixture
def record(tmp_path, clock):
    """Start a recorder; all are stopped in the end."""
    begun = []

    def start(source, **more):
        transforms = {"ProbeToTracker": source.probe, **more.pop("transforms", {})}
        recorder = Recorder(
            source.image, transforms, clock=clock, wall=lambda: START_1970_S + clock(), **more
        )
        begun.append(recorder)
        recorder.start(tmp_path / "x.igs.mhd")
        return recorder

    yield start
    for recorder in begun:
        recorder.abandon()


@pytest.fixture
def an_image() -> Callable[..., np.ndarray]:
    return _an_image


@pytest.fixture
def numbers_of() -> Callable[[TrackedSweep], list[int]]:
    return _numbers_of


@pytest.fixture
def posed() -> Callable[..., list[int | None]]:
    return _posed
