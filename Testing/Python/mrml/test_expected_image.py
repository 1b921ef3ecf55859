"""A real image in the scene against what a renderer expects at the pose of the simulated one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from USGanSimLib.geometry.pose_distance import PoseRange  # noqa: E402
from USGanSimLib.mrml.live.expected_image import SAMPLES, looking, place_of  # noqa: E402
from USGanSimLib.mrml.live.simulation import Setup, Simulation  # noqa: E402

IMAGE_TO_PROBE = np.diag([1.5, 1.5, 1, 1])
WORLD = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(70, 70, 70)), 3.5)
WORLD = 120 + 50 * WORLD / WORLD.std()


class WorldRenderer:
    """Cuts the world where it is asked to."""

    width_px, height_px, image_to_probe = 40, 32, IMAGE_TO_PROBE
    pose_range = PoseRange(40, 32, IMAGE_TO_PROBE[None], coverage_mm=500.0)

    def render(self, pose):
        v, u = np.mgrid[:32, :40]
        places = pose[:3, :2] @ np.stack([u.ravel(), v.ravel()]) + pose[:3, 3:]
        grey = ndimage.map_coordinates(WORLD, places / 2, order=1, mode="mirror")
        return np.clip(grey, 0, 255).astype(np.uint8).reshape(32, 40)

    def sample(self, pose, n):
        assert n == SAMPLES
        return np.repeat(self.render(pose)[None], n, axis=0)


@pytest.fixture
def simulation(scene, nodes, probe, clock):
    simulation = Simulation(scene, clock)
    simulation.start(WorldRenderer(), Setup(probe))
    nodes.receive(probe, 50)
    simulation.tick()
    yield simulation
    simulation.forget()


@pytest.fixture
def real(scene, simulation):
    """The image of the world at the simulated pose, in a volume of its own that hangs under the same transform."""
    volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Image_Reference")
    image = WorldRenderer().render(simulation.image_to_reference)
    slicer.util.updateVolumeFromArray(volume, image[None])
    volume.SetAndObserveTransformNodeID(simulation.live.image_to_reference.GetID())
    return volume


def test_the_same_image_agrees_at_its_pose_and_less_aside_of_it(simulation, real):
    place = place_of(simulation)
    steps = looking(simulation, real, place)
    assert sum(1 for _step in steps) == 7
    assert place.seen == 1
    assert place.agreement == pytest.approx(1, abs=1e-3)
    here, *aside = place._numbers[0]
    assert max(aside) < here - 0.005


def test_the_same_place_again_and_a_real_image_that_is_elsewhere_are_not_looked_at(
    simulation, real, nodes, scene
):
    place = place_of(simulation)
    for _time in range(2):
        for _step in looking(simulation, real, place):
            pass
    assert place.seen == 1
    far = place_of(simulation)
    real.SetAndObserveTransformNodeID(None)
    assert list(looking(simulation, real, far)) == []
    assert far.seen == 0


def test_before_the_first_image_there_is_nothing_to_look_at(scene, probe, clock, real):
    waiting = Simulation(scene, clock)
    waiting.start(WorldRenderer(), Setup(probe, name="other"))
    assert list(looking(waiting, real, place_of(waiting))) == []
    waiting.forget()
