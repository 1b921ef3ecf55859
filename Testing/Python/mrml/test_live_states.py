"""What the live simulation says of its image: live, stale, lost, outside the trained range, stopped."""

from __future__ import annotations

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from USGanSimLib.live import PoseState  # noqa: E402
from USGanSimLib.mrml.live.live_simulation import LiveSimulation  # noqa: E402

POSE_EVENT = slicer.vtkMRMLTransformableNode.TransformModifiedEvent


def state_of(live: LiveSimulation) -> tuple[PoseState, str]:
    """As the object says it, and as the volume does; the two must agree."""
    assert live.volume.GetAttribute("USGanSim.State") == live.status.state.name
    assert live.volume.GetAttribute("USGanSim.Status") == str(live.status)
    return live.status.state, live.status.detail


def test_before_the_first_pose_nothing_is_simulated(probe, renderer, simulate, pixels):
    live = simulate(probe)
    assert not live.tick()
    assert state_of(live) == (PoseState.NO_POSE, "")
    assert not pixels(live).any()
    assert renderer.poses == []


def test_a_pose_that_grows_old_is_dimmed_once_and_restored_by_the_next(nodes, probe, clock, simulate, pixels):
    live = simulate(probe)
    nodes.move(probe, 100)
    live.tick()
    clock.now_s += 0.4
    live.tick()
    assert state_of(live) == (PoseState.GOOD, "")
    clock.now_s += 0.2
    for _ in range(3):
        live.tick()
        assert state_of(live)[0] is PoseState.STALE
        assert (pixels(live) == 50).all()
    # A probe that is held still sends the same pose again.
    nodes.receive(probe, 100)
    assert live.tick()
    assert state_of(live)[0] is PoseState.GOOD
    assert (pixels(live) == 100).all()


def test_an_image_that_is_lost_and_then_stale_is_dimmed_once(nodes, probe, clock, simulate, pixels):
    live = simulate(probe)
    nodes.receive(probe, 100)
    live.tick()
    nodes.receive(probe, 0, "MISSING")
    live.tick()
    clock.now_s += 1
    live.tick()
    assert state_of(live)[0] is PoseState.STALE
    assert (pixels(live) == 50).all()


def test_a_stale_image_changes_the_volume_once(nodes, probe, clock, simulate):
    live = simulate(probe)
    nodes.move(probe, 100)
    live.tick()
    events = []
    live.volume.AddObserver("ModifiedEvent", lambda *_: events.append(1))
    clock.now_s += 1
    for _ in range(5):
        live.tick()
    assert len(events) == 1


def test_lost_tracking_is_dimmed_told_and_counted(nodes, probe, renderer, simulate, pixels):
    live = simulate(probe)
    nodes.receive(probe, 100)
    live.tick()
    nodes.receive(probe, 0, "OUT_OF_VIEW")
    assert not live.tick()
    assert state_of(live) == (PoseState.INVALID, "ProbeToReference has status OUT_OF_VIEW")
    assert (pixels(live) == 50).all()
    assert len(renderer.poses) == 1
    nodes.receive(probe, 60, "OK")
    live.tick()
    assert state_of(live)[0] is PoseState.GOOD
    assert (pixels(live) == 60).all()
    counts = live.counts
    assert (counts.received, counts.rendered, counts.unusable) == (3, 2, 1)


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (np.diag([1, 1, np.nan, 1]), "not finite"),
        (np.diag([2.0, 2, 2, 1]), "not a rigid transform"),
        (np.zeros((4, 4)), "not a rigid transform"),
    ],
)
def test_a_matrix_that_is_no_pose_is_told_and_raises_nothing(nodes, probe, simulate, capfd, matrix, words):
    live = simulate(probe)
    nodes.move(probe, 100)
    live.tick()
    nodes.move(probe, matrix)
    assert not live.tick()
    state, detail = state_of(live)
    assert state is PoseState.INVALID
    assert words in detail
    # VTK prints what an observer raises instead of passing it on.
    assert "Traceback" not in capfd.readouterr().err


def test_outside_the_trained_range_is_drawn_in_full_and_told(nodes, probe, renderer, simulate, pixels):
    live = simulate(probe)
    object.__setattr__(renderer.pose_range, "coverage_mm", 20.0)
    nodes.move(probe, 90)
    assert live.tick()
    assert state_of(live) == (PoseState.OUT_OF_RANGE, "90 mm and 0° from the nearest trained pose")
    assert (pixels(live) == 90).all()


def test_without_a_model_poses_are_counted_and_the_old_image_is_dimmed(nodes, probe, simulate, pixels):
    live = simulate(probe)
    nodes.move(probe, 100)
    live.tick()
    live.set_renderer(None)
    nodes.move(probe, 50)
    assert not live.tick()
    assert state_of(live)[0] is PoseState.NO_MODEL
    assert (pixels(live) == 50).all()
    assert live.counts.unusable == 1


def test_a_simulation_that_began_without_a_model_starts_with_one(nodes, probe, renderer, simulate, pixels):
    live = simulate(probe, renderer=None)
    nodes.move(probe, 100)
    live.tick()
    assert live.status.state is PoseState.NO_MODEL
    assert live.volume is None
    live.set_renderer(renderer)
    assert live.tick()
    assert (pixels(live) == 100).all()


def test_a_model_of_another_image_size_keeps_the_volume_node(nodes, probe, new_renderer, simulate, pixels):
    live = simulate(probe)
    nodes.move(probe, 10)
    live.tick()
    volume = live.volume
    live.set_renderer(new_renderer(8, 20))
    assert live.tick()
    assert live.volume is volume
    assert pixels(live).shape == (20, 8)
    assert (pixels(live) == 10).all()


def test_what_the_renderer_raises_comes_out_of_the_tick_with_its_pose_counted(
    nodes, probe, renderer, simulate
):
    live = simulate(probe)

    def fail(_pose):
        raise MemoryError("no room for the image")

    renderer.render = fail
    nodes.move(probe, 10)
    with pytest.raises(MemoryError):
        live.tick()
    assert live.counts.unusable == 1
    assert live.counts.accounted_for


def test_a_transform_moved_by_hand_is_drawn_at_once_and_never_grows_old(
    nodes, probe, clock, simulate, pixels
):
    nodes.move(probe, 70)
    live = simulate(probe, stale_after_s=None)
    assert live.tick()
    assert (pixels(live) == 70).all()
    clock.now_s += 3600
    live.tick()
    assert state_of(live)[0] is PoseState.GOOD
    nodes.move(probe, 71)
    clock.now_s += 3600
    live.tick()
    assert (pixels(live) == 71).all()


def test_a_stopped_image_does_not_pass_for_a_live_one(nodes, probe, simulate, pixels):
    live = simulate(probe)
    nodes.move(probe, 100)
    live.tick()
    live.stop()
    assert state_of(live)[0] is PoseState.STOPPED
    assert (pixels(live) == 50).all()


def test_a_removed_probe_is_told_and_another_can_be_followed(scene, nodes, probe, simulate, pixels):
    live = simulate(probe)
    nodes.move(probe, 100)
    live.tick()
    scene.RemoveNode(probe)
    assert not live.tick()
    assert state_of(live) == (PoseState.NO_POSE, "ProbeToReference was removed")
    assert (pixels(live) == 50).all()
    assert not probe.HasObserver(POSE_EVENT)
    other = nodes.new("StylusToReference")
    live.set_probe(other)
    nodes.move(other, 30)
    assert live.tick()
    assert (pixels(live) == 30).all()
