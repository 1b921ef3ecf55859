"""What live simulations leave behind: nodes, observers, objects; and what happens where nodes are taken from them."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from USGanSimLib.live import PoseState  # noqa: E402
from USGanSimLib.mrml.live.live_simulation import LiveSimulation  # noqa: E402

POSE_EVENT = slicer.vtkMRMLTransformableNode.TransformModifiedEvent


def test_200_simulations_leave_no_node_no_observer_and_no_object(scene, nodes, probe, renderer, simulate):
    LiveSimulation(scene, renderer, probe).close()
    before = nodes.count()
    for cycle in range(200):
        live = LiveSimulation(scene, renderer, probe)
        live.start()
        nodes.move(probe, cycle % 100)
        assert live.tick()
        assert live.counts.received == 1
        live.close()
    assert nodes.count() == before
    assert not probe.HasObserver(POSE_EVENT)
    gone = weakref.ref(live)
    del live
    gc.collect()
    assert gone() is None


def test_200_starts_and_stops_keep_one_volume_and_one_observer(nodes, probe, simulate):
    live = simulate(probe)
    before, volume = nodes.count(), live.volume
    for _ in range(200):
        live.stop()
        assert not probe.HasObserver(POSE_EVENT)
        live.start()
    assert nodes.count() == before
    assert live.volume is volume
    nodes.move(probe, 1)
    assert live.counts.received == 1


def test_other_observers_of_the_probe_are_left_alone(nodes, probe, simulate):
    heard = []
    probe.AddObserver(POSE_EVENT, lambda *_: heard.append(1))
    live = simulate(probe)
    live.stop()
    nodes.move(probe, 1)
    assert heard == [1]


def test_a_given_volume_is_written_into_and_found_again(
    scene, nodes, probe, renderer, simulate, pixels, image_to_world
):
    volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Mine")
    volume.SetSpacing(2, 3, 4)
    live = simulate(probe, volume=volume)
    nodes.move(probe, 42)
    live.tick()
    np.testing.assert_allclose(image_to_world(volume), renderer.poses[-1], atol=1e-12)
    assert live.volume is volume
    assert (pixels(live) == 42).all()
    live.stop()
    before = nodes.count()
    again = simulate(probe, volume=volume)
    assert nodes.count() == before
    assert again.image_to_reference is live.image_to_reference


def test_a_closed_scene_ends_the_simulation_and_its_observers(scene, nodes, probe, simulate):
    live = simulate(probe)
    nodes.move(probe, 1)
    live.tick()
    scene.Clear(False)
    assert not live.tick()
    assert not live.running
    assert not probe.HasObserver(POSE_EVENT)
    live.set_probe(nodes.new("ProbeToReference"))
    live.start()
    assert not live.tick()
    assert live.status.state is PoseState.NO_POSE


def test_a_removed_volume_ends_the_simulation(scene, nodes, probe, simulate):
    live = simulate(probe)
    nodes.move(probe, 1)
    scene.RemoveNode(live.volume)
    assert not live.tick()
    assert not live.running
    live.start()
    nodes.move(probe, 2)
    assert live.tick()
    assert live.volume.GetScene() is scene
