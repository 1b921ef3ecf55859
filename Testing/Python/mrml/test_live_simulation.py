"""The live simulation on real MRML: where the image stands, and what is counted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from USGanSimLib.live import PoseState  # noqa: E402
from USGanSimLib.mrml.headless.tick_cost import mrml_tick_seconds  # noqa: E402


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


def test_the_cost_of_a_tick_is_measured_on_real_ticks():
    seconds = mrml_tick_seconds(ticks=50)
    assert seconds.shape == (50,)
    assert 1e-6 < np.median(seconds) < 5e-3
