"""Pictures out of MRML: which side is where, how many millimetres, and nothing left in the scene."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from USGanSimLib.geometry.pose_distance import PoseRange  # noqa: E402
from USGanSimLib.live import LiveStatus, PoseState  # noqa: E402
from USGanSimLib.mrml import display  # noqa: E402
from USGanSimLib.mrml.display import SliceView, ThreeDView, view_axes  # noqa: E402
from USGanSimLib.mrml.headless.live_picture import SCAN_PX, VIEW_PX, RealFrame, draw_live_picture  # noqa: E402
from USGanSimLib.mrml.headless.live_run import Snapshot  # noqa: E402
from USGanSimLib.mrml.live.scenery import MARK_COLOR, Scenery, image_corners  # noqa: E402
from USGanSimLib.mrml.output_volume import OutputVolume  # noqa: E402
from USGanSimLib.mrml.transform_chain import to_vtk  # noqa: E402

GOOD = LiveStatus(PoseState.GOOD)


def a_pose(mm_per_px: tuple[float, float] = (0.5, 0.5)) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("xyz", (25, -40, 70), degrees=True).as_matrix() * (*mm_per_px, 1)
    pose[:3, 3] = (30, -20, 10)
    return pose


@pytest.fixture
def picture(scene):
    """The slice view's picture of an image at a pose."""

    def take(image: np.ndarray, pose: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
        output = OutputVolume(scene, image.shape[1], image.shape[0])
        output.write(image, to_vtk(pose), GOOD)
        view = SliceView(scene)
        view.aim(pose, (image.shape[1], image.shape[0]), size_px)
        taken = view.picture(output.volume)[..., 0].copy()
        output.remove()
        view.close()
        return taken

    return take


def test_the_marked_side_is_right_and_depth_goes_down(picture):
    image = np.zeros((60, 80), np.uint8)
    image[5:15, 60:75] = 200  # near the transducer, on the marked side: high u, low v
    seen = picture(image, a_pose(), (160, 120))
    rows, columns = np.nonzero(seen > 100)
    assert (rows.mean(), columns.mean()) == pytest.approx((2 * 9.5 + 0.5, 2 * 67 + 0.5), abs=1.5)


def test_pixels_keep_their_grey_and_their_shape_in_millimetres(picture):
    image = np.full((40, 40), 90, np.uint8)
    image[10:30, 10:30] = 180
    # 40 px of 0.5 mm by 40 px of 0.25 mm: twice as wide as deep.
    seen = picture(image, a_pose((0.5, 0.25)), (160, 80))
    assert set(np.unique(seen[5:-5, 5:-5])) >= {90, 180}
    rows, columns = np.nonzero(seen == 180)
    assert (np.ptp(columns) + 1) / (np.ptp(rows) + 1) == pytest.approx(2, abs=0.15)


def test_the_view_is_a_turned_frame_that_looks_at_the_image():
    axes = view_axes(a_pose((0.4, 0.3)))
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-12)
    assert np.linalg.det(axes) == pytest.approx(1)
    np.testing.assert_allclose(axes[:, 0] * 0.4, a_pose((0.4, 0.3))[:3, 0], atol=1e-12)


def test_a_dimmed_image_is_seen_dimmed(scene):
    output = OutputVolume(scene, 16, 12)
    output.write(np.full((12, 16), 200, np.uint8), to_vtk(a_pose()), GOOD)
    view = SliceView(scene)
    view.aim(a_pose(), (16, 12), (64, 48))
    assert np.median(view.picture(output.volume)) == 200
    output.mark(LiveStatus(PoseState.STALE))
    assert np.median(view.picture(output.volume)) == 100


def test_pictures_leave_nothing_in_the_scene(scene, nodes, picture):
    before = nodes.count()
    for _ in range(3):
        picture(np.zeros((12, 16), np.uint8), a_pose(), (64, 48))
    assert nodes.count() == before


def test_a_machine_without_opengl_is_found_out_without_a_crash(monkeypatch, tmp_path):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nkill -SEGV $$\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    assert display.opengl_problem() == "this machine draws no OpenGL"


@pytest.fixture(scope="module")
def opengl():
    problem = display.opengl_problem()
    if problem:
        pytest.skip(problem)


def is_colored(picture: np.ndarray, color: tuple[float, float, float]) -> np.ndarray:
    """Where a picture has the hue of a color, lit or shaded."""
    values = picture.astype(float)
    strong = values.max(axis=-1) > 60
    hue = values / np.maximum(values.max(axis=-1, keepdims=True), 1)
    return strong & (np.abs(hue - np.array(color) / max(color)).max(axis=-1) < 0.12)


def test_the_probe_shows_its_mark_on_the_same_side_as_the_slice_view(scene, nodes, opengl):
    pose = a_pose()
    scenery = Scenery(scene)
    scenery.add_probe(pose, 80, 60)
    view = ThreeDView(scene, (200, 160))
    view.aim(view_axes(pose))
    picture = view.picture()
    middle_column, _ = view.place_of(image_corners(pose, 80, 60).mean(axis=0))
    rows, columns = np.nonzero(is_colored(picture, MARK_COLOR))
    assert len(columns) > 5
    assert columns.mean() > middle_column + 5
    first_row = np.mean([view.place_of(corner)[1] for corner in image_corners(pose, 80, 60)[:2]])
    assert rows.mean() < first_row
    view.close()
    scenery.close()


def test_the_box_goes_around_all_images_on_whole_centimetres(scene):
    points = np.array([[-12.0, 3, 18], [7, 44, 21]])
    scenery = Scenery(scene)
    low, size = scenery.add_box(points)
    assert low.tolist() == [-20, 0, 10]
    assert size.tolist() == [30, 50, 20]
    scenery.close()


@pytest.mark.parametrize("with_3d", [True, False])
def test_the_panel_shows_every_pair_and_leaves_the_scene_as_it_was(scene, nodes, request, with_3d):
    if with_3d:
        request.getfixturevalue("opengl")
    pose = a_pose()
    trained = PoseRange.of_training_poses(np.stack([pose, a_pose((0.5, 0.49))]), 80, 60)
    real = RealFrame(np.full((60, 80), 210, np.uint8), pose, "frame 3")
    simulated = Snapshot(1.0, np.full((60, 80), 120, np.uint8), pose, GOOD)
    if with_3d:
        # The first 3-D view brings nodes of the application, one of each for good.
        ThreeDView(scene, (20, 20)).close()
        slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    before = nodes.names()
    panel = np.asarray(
        draw_live_picture(scene, [(real, simulated)] * 2, trained, "title", ["words"], with_3d)
    )
    assert nodes.names() == before
    pairs_px = 2 * (SCAN_PX[0] + 44 + 12) + 12
    for grey in (210, 120):
        shown_px = (panel[:, :pairs_px] == grey).all(axis=-1).sum()
        assert shown_px == pytest.approx(2 * SCAN_PX[0] * SCAN_PX[1], rel=0.05)
    assert panel.shape[1] == max(pairs_px + (VIEW_PX[0] + 12 if with_3d else 0), 760)
