"""The live simulation on real MRML: where the image stands, what is counted, what is told, and what is left behind."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from USGanSimLib.live import PoseState  # noqa: E402
from USGanSimLib.mrml.headless.tick_cost import mrml_tick_seconds  # noqa: E402
from USGanSimLib.mrml.live.live_simulation import LiveSimulation  # noqa: E402

POSE_EVENT = slicer.vtkMRMLTransformableNode.TransformModifiedEvent


def turned(seed: int) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", (10 * seed, 20, -5 * seed), degrees=True).as_matrix()
    matrix[:3, 3] = (20, 3 * seed, -seed)
    return matrix


# Where the image stands


def test_the_image_stands_where_a_real_one_would(scene, nodes, renderer, simulate, image_to_world):
    reference = nodes.new("ReferenceToRas")
    nodes.move(reference, turned(1))
    probe = nodes.new("ProbeToReference", reference)
    live = simulate(probe, reference)
    nodes.move(probe, turned(2))
    assert live.tick()
    expected = turned(1) @ turned(2) @ renderer.image_to_probe
    np.testing.assert_allclose(image_to_world(live.volume), expected, atol=1e-12)
    # The model is asked for ImageToReference, whatever ReferenceToRas is.
    np.testing.assert_allclose(renderer.poses[-1], turned(2) @ renderer.image_to_probe, atol=1e-12)


def test_a_tracker_beside_the_reference_gives_the_same_pose(nodes, renderer, simulate, image_to_world):
    reference, probe = nodes.new("ReferenceToTracker"), nodes.new("ProbeToTracker")
    nodes.move(reference, turned(3))
    live = simulate(probe, reference)
    nodes.move(probe, turned(4))
    live.tick()
    np.testing.assert_allclose(
        renderer.poses[-1], np.linalg.inv(turned(3)) @ turned(4) @ renderer.image_to_probe, atol=1e-12
    )
    np.testing.assert_allclose(image_to_world(live.volume), turned(4) @ renderer.image_to_probe, atol=1e-12)


def test_the_image_stays_where_it_was_simulated_until_the_next_one(nodes, probe, simulate, image_to_world):
    live = simulate(probe)
    nodes.move(probe, 10)
    live.tick()
    before = image_to_world(live.volume)
    nodes.move(probe, 30)
    assert (image_to_world(live.volume) == before).all()
    live.tick()
    assert image_to_world(live.volume)[0, 3] == pytest.approx(before[0, 3] + 20)


def test_whoever_watches_sees_pixels_and_place_of_the_same_pose(nodes, probe, renderer, simulate, pixels):
    live = simulate(probe)
    seen = []

    def compare(_caller, _event):
        x_mm = (
            slicer.util.arrayFromTransformMatrix(live.image_to_reference)[0, 3]
            - renderer.image_to_probe[0, 3]
        )
        seen.append((int(pixels(live)[0, 0]), round(x_mm)))

    for node in (live.volume, live.image_to_reference):
        node.AddObserver("AnyEvent", compare)
    for x_mm in range(1, 21):
        nodes.move(probe, x_mm)
        live.tick()
    assert len(seen) >= 40
    assert all(grey == x_mm for grey, x_mm in seen)


def test_one_image_is_one_modified_of_the_volume_even_where_its_state_changes(
    nodes, probe, renderer, simulate
):
    live = simulate(probe)
    object.__setattr__(renderer.pose_range, "coverage_mm", 5.0)
    nodes.move(probe, 5)
    live.tick()
    events = []
    live.volume.AddObserver("ModifiedEvent", lambda *_: events.append(1))
    for x_mm in range(6, 16):
        nodes.move(probe, x_mm)
        live.tick()
    assert live.status.state is PoseState.OUT_OF_RANGE
    assert len(events) == 10


# What is counted


def test_only_the_newest_of_many_poses_is_rendered(nodes, probe, renderer, simulate, pixels):
    live = simulate(probe)
    for x_mm in (11, 12, 13, 14):
        nodes.move(probe, x_mm)
    assert live.tick()
    assert not live.tick()
    assert (pixels(live) == 14).all()
    assert len(renderer.poses) == 1
    counts = live.counts
    assert (counts.received, counts.rendered, counts.superseded, counts.waiting) == (4, 1, 3, 0)


def test_a_message_of_openigtlinkif_is_one_pose(nodes, probe, simulate):
    live = simulate(probe)
    nodes.receive(probe, 3)
    nodes.receive(probe, 3)
    assert live.counts.received == 2


def test_a_parent_that_moves_is_a_new_pose(nodes, renderer, simulate):
    parent = nodes.new("TrackerToReference")
    probe = nodes.new("ProbeToTracker", parent)
    live = simulate(probe)
    nodes.move(parent, turned(2))
    assert live.tick()
    assert live.counts.rendered == 1
    np.testing.assert_allclose(renderer.poses[-1], turned(2) @ renderer.image_to_probe, atol=1e-12)


def test_a_reference_that_moves_alone_moves_the_image_without_counting_as_a_pose(nodes, renderer, simulate):
    reference, probe = nodes.new("ReferenceToTracker"), nodes.new("ProbeToTracker")
    live = simulate(probe, reference)
    nodes.move(probe, 20)
    live.tick()
    nodes.move(reference, 5)
    assert live.tick()
    assert renderer.poses[-1][0, 3] == pytest.approx(15 + renderer.image_to_probe[0, 3])
    assert (live.counts.received, live.counts.rendered, live.counts.refreshed) == (1, 1, 1)


def test_refresh_renders_again_at_the_same_pose(nodes, probe, renderer, simulate):
    live = simulate(probe)
    nodes.move(probe, 8)
    live.tick()
    live.refresh()
    assert live.tick()
    assert not live.tick()
    assert (renderer.poses[0] == renderer.poses[1]).all()
    assert live.counts.refreshed == 1
    assert live.counts.accounted_for


def test_latency_counts_from_the_change_of_the_transform(nodes, probe, clock, renderer, simulate):
    live = simulate(probe)
    plain = renderer.render

    def slow(pose):
        clock.now_s += 0.020
        return plain(pose)

    renderer.render = slow
    nodes.move(probe, 1)
    clock.now_s += 0.007
    live.tick()
    assert live.latency.pose_age.median_ms == pytest.approx(7)
    assert live.latency.render.median_ms == pytest.approx(20)
    assert live.latency.total.median_ms == pytest.approx(27)


# What is told


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


# What is left behind


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


def test_the_cost_of_a_tick_is_measured_on_real_ticks():
    seconds = mrml_tick_seconds(ticks=50)
    assert seconds.shape == (50,)
    assert 1e-6 < np.median(seconds) < 5e-3
