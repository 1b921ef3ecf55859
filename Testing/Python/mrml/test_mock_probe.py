"""A probe moved by hand, and what plays it along a path."""

from __future__ import annotations

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from USGanSimLib.geometry.image_frame import Offset  # noqa: E402
from USGanSimLib.geometry.pose_distance import PoseRange  # noqa: E402
from USGanSimLib.geometry.trained_sweep import trained_sweep  # noqa: E402
from USGanSimLib.mrml.live.mock_probe import MockProbe, mock_node  # noqa: E402
from USGanSimLib.mrml.live.playing import Player, SweepMotion  # noqa: E402

WIDTH_PX, HEIGHT_PX = 16, 12
IMAGE_TO_PROBE = np.array([[0.0, 0.5, 0, -4], [0.4, 0, 0, 7], [0, 0, 1, 2], [0, 0, 0, 1]])


@pytest.fixture
def pose_range():
    poses = np.tile(IMAGE_TO_PROBE, (5, 1, 1))
    poses[:, 2, 3] += np.arange(5) * 10
    return PoseRange(WIDTH_PX, HEIGHT_PX, poses, coverage_mm=1.0)


@pytest.fixture
def mock(scene, pose_range):
    return MockProbe.of_scene(scene, pose_range, IMAGE_TO_PROBE, None)


def test_it_begins_at_a_trained_pose_and_its_transform_is_the_probes(mock, pose_range):
    probe_to_reference = slicer.util.arrayFromTransformMatrix(mock.node)
    np.testing.assert_allclose(probe_to_reference @ IMAGE_TO_PROBE, pose_range.poses[0], atol=1e-12)
    assert mock.node.GetName() == "ProbeToReference"


def test_the_live_simulation_sees_the_image_where_the_mock_probe_puts_it(
    scene, simulate, renderer, nodes, mock, pose_range
):
    reference = nodes.new("ReferenceToRas")
    nodes.move(reference, 7)
    mock = MockProbe.of_scene(scene, pose_range, IMAGE_TO_PROBE, reference)
    live = simulate(mock.node, reference, stale_after_s=None)
    mock.put(pose_range.poses[3])
    assert live.tick()
    np.testing.assert_allclose(renderer.poses[-1], pose_range.poses[3], atol=1e-12)


def test_sliders_move_it_along_the_images_axes(mock, pose_range):
    mock.move(Offset(across_mm=4))
    # Four millimetres along rows of 0.4 mm a pixel are ten pixels.
    np.testing.assert_allclose(mock.pose @ [0, 0, 0, 1], pose_range.poses[0] @ [10, 0, 0, 1], atol=1e-12)
    assert mock.offset.across_mm == pytest.approx(4)


def test_a_drag_is_read_as_an_offset_and_reset_goes_to_the_nearest_trained_pose(mock, nodes, pose_range):
    moved = slicer.util.arrayFromTransformMatrix(mock.node)
    moved[2, 3] += 23
    nodes.move(mock.node, moved)
    # The normal of the image is −z here: rows run along y, columns along x.
    assert mock.offset.out_mm == pytest.approx(-23)
    mock.reset()
    np.testing.assert_allclose(mock.pose, pose_range.poses[2], atol=1e-12)
    assert mock.offset == pytest.approx(Offset())


def test_offsets_can_be_counted_anew_without_a_move(mock, pose_range):
    mock.put(pose_range.poses[3])
    mock.rebase()
    assert mock.offset == pytest.approx(Offset())
    np.testing.assert_allclose(mock.pose, pose_range.poses[3], atol=1e-12)


def test_the_scenes_mock_probe_is_found_again_and_stays_where_it_is(scene, mock, pose_range):
    mock.put(pose_range.poses[4])
    again = MockProbe.of_scene(scene, pose_range, IMAGE_TO_PROBE, None)
    assert again.node is mock.node is mock_node(scene)
    np.testing.assert_allclose(again.pose, pose_range.poses[4], atol=1e-12)
    assert again.offset == pytest.approx(Offset())


def test_the_handle_turns_it_about_its_face_and_never_scales_it(mock):
    mock.show_handle(True)
    display = mock.node.GetDisplayNode()
    assert display.GetEditorVisibility()
    assert display.GetEditorVisibility3D()
    assert display.GetEditorSliceIntersectionVisibility()
    assert not display.GetEditorScalingEnabled()
    np.testing.assert_allclose(mock.node.GetCenterOfTransformation(), (IMAGE_TO_PROBE @ [7.5, 0, 0, 1])[:3])
    mock.show_handle(False)
    assert not display.GetEditorVisibility()


class Recorded:
    """A motion that writes down where it was brought to."""

    duration_s = 10.0

    def __init__(self) -> None:
        self.seen: list[float] = []

    def show(self, at_s: float) -> None:
        self.seen.append(at_s)


def test_a_player_keeps_to_the_clock_at_its_speed(clock):
    player = Player(motion := Recorded(), speed=2.0, clock=clock)
    player.play()
    for _ in range(3):
        clock.now_s += 1.5
        player.tick()
    assert motion.seen == [0, 3, 6, 9]
    player.pause()
    clock.now_s += 100
    player.tick()
    assert motion.seen[-1] == 9
    player.play()
    clock.now_s += 0.25
    player.tick()
    assert motion.seen[-1] == 9.5


def test_at_the_end_a_player_stops_or_begins_again(clock):
    player = Player(motion := Recorded(), loop=False, clock=clock)
    player.seek(9)
    player.play()
    clock.now_s += 3
    player.tick()
    assert (motion.seen[-1], player.playing) == (10, False)
    player.play()
    assert motion.seen[-1] == 0
    player.loop = True
    clock.now_s += 23
    player.tick()
    assert (motion.seen[-1], player.playing) == (3, True)


def test_a_sweep_moves_the_mock_probe_along_its_path(mock, pose_range, clock):
    path = trained_sweep(pose_range)
    player = Player(SweepMotion(mock, path), clock=clock)
    player.play()
    clock.now_s += path.duration_s / 3
    player.tick()
    np.testing.assert_allclose(mock.pose, path.at(path.duration_s / 3), atol=1e-9)
