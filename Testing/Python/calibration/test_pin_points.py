"""Points and poses read from tables and recordings: what goes together, and what is refused with its number."""

from __future__ import annotations

import numpy as np
import pytest

from USGanSimLib.calibration.pinhead.points import (
    PinPoints,
    one_point_a_frame,
    points_of_sweep,
    points_with_poses,
    read_poses,
    read_strengths,
    write_points,
    write_poses,
)
from USGanSimLib.errors import UserError
from USGanSimLib.evaluation.measures.points import read_points
from USGanSimLib.geometry.transforms import TransformTrack
from USGanSimLib.recording.sweep import TrackedSweep

HEADER = "frame," + ",".join(f"m{row}{column}" for row in range(4) for column in range(4))


def row(frame: int, matrix: np.ndarray) -> str:
    return f"{frame}," + ",".join(str(number) for number in matrix.ravel())


def shifted(x_mm: float) -> np.ndarray:
    matrix = np.eye(4)
    matrix[0, 3] = x_mm
    return matrix


@pytest.fixture
def sweep() -> TrackedSweep:
    """Ten frames at 10 Hz of a probe moving at 20 mm/s along x; frame 4 has no pose, frame 6 no image."""
    poses = np.array([shifted(2.0 * frame) for frame in range(10)])
    valid = np.arange(10) != 4
    return TrackedSweep(
        np.zeros((10, 30, 40), np.uint8),
        np.arange(10) / 10,
        {"ProbeToReference": TransformTrack(poses, valid)},
        np.arange(10) != 6,
        "pin.igs.mha",
    )


def test_points_are_paired_with_the_poses_of_their_frames(sweep):
    points = points_of_sweep({1: np.array([3.0, 4]), 7: np.array([5.0, 6])}, sweep)
    assert points.frames.tolist() == [1, 7]
    assert points.probe_to_reference[:, 0, 3].tolist() == [2, 14]
    assert points.left_out == ()


def test_a_lag_moves_the_poses_in_time(sweep):
    points = points_of_sweep({1: np.array([3.0, 4]), 7: np.array([5.0, 6])}, sweep, lag_s=0.05)
    assert points.probe_to_reference[:, 0, 3] == pytest.approx([3, 15])


def test_points_without_image_or_pose_are_left_out_and_counted(sweep):
    points = points_of_sweep({frame: np.array([3.0, 4]) for frame in (1, 4, 6, 7)}, sweep)
    assert points.frames.tolist() == [1, 7]
    assert points.left_out == ("2 of 4 points are in frames without a valid image or pose",)
    with pytest.raises(
        UserError, match="None of 1 points is in a frame of pin.igs.mha with a valid image and pose"
    ):
        points_of_sweep({4: np.array([3.0, 4])}, sweep)


def test_a_frame_that_the_recording_lacks_is_told(sweep):
    with pytest.raises(UserError, match=r"Frame 10 is not in pin.igs.mha, whose last is 9 \(2 of 3 points\)"):
        points_of_sweep({frame: np.array([3.0, 4]) for frame in (1, 10, 11)}, sweep)


def test_a_point_outside_the_image_is_told_and_swapped_columns_recognised():
    poses = np.tile(np.eye(4), (2, 1, 1))
    with pytest.raises(
        UserError,
        match=r"frame 8, \(20, 35\) px, is outside the image of 40×30 px \(1 of 2 points\).*"
        "the columns are swapped",
    ):
        PinPoints(np.array([7, 8]), np.array([[10.0, 10], [20, 35]]), poses, 40, 30)
    with pytest.raises(UserError, match=r"frame 7, \(-1, 10\) px, is outside.*Check that the columns"):
        PinPoints(np.array([7, 8]), np.array([[-1.0, 10], [20, 29]]), poses, 40, 30)


def test_two_points_in_a_frame_are_refused():
    with pytest.raises(
        UserError, match=r"p.csv has 1 frames with more than one point \(first: frame 3 with 2\)"
    ):
        one_point_a_frame({1: np.zeros((1, 2)), 3: np.zeros((2, 2))}, "p.csv")


def test_poses_are_read_row_by_row(tmp_path):
    path = tmp_path / "poses.csv"
    path.write_text("\n".join([HEADER, row(3, shifted(7)), row(9, shifted(8))]))
    poses = read_poses(path)
    assert list(poses) == [3, 9]
    assert np.array_equal(poses[9], shifted(8))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["frame,m00", "1,1"], "poses.csv has no column m01, m02"),
        ([HEADER], "holds no pose"),
        ([HEADER, "1" * 200_000], "it is no table of text"),
        ([HEADER, "1,2,3"], "line 2, is no frame number and 16 numbers"),
        ([HEADER, row(1, shifted(1)), row(1, shifted(2))], "frame 1 twice .line 3"),
        (
            [HEADER, row(1, shifted(1).T), row(2, shifted(2).T)],
            "column by column: the translation of 2 of 2 stands in m30",
        ),
    ],
)
def test_other_tables_of_poses_are_refused_with_the_line(tmp_path, lines, said):
    path = tmp_path / "poses.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(UserError, match=said):
        read_poses(path)


def test_poses_that_are_no_rigid_transforms_are_refused():
    with pytest.raises(UserError, match="ProbeToReference is not a rigid transform in 2 of 2 frames"):
        points_with_poses(
            {1: np.array([3.0, 4]), 2: np.array([3.0, 4])}, {1: 2 * np.eye(4), 2: 2 * np.eye(4)}, None
        )


def test_points_without_a_pose_are_counted():
    poses = {1: np.eye(4), 2: np.eye(4)}
    points = points_with_poses(
        {1: np.array([3.0, 4]), 2: np.array([30.0, 20.5]), 5: np.zeros(2)}, poses, None
    )
    assert points.left_out == ("1 of 3 points have no pose",)
    assert (points.width_px, points.height_px) == (31, 22)
    with pytest.raises(UserError, match=r"None of 1 points has a pose \(poses are of frames 1 to 2\)"):
        points_with_poses({5: np.zeros(2)}, poses, None)


def test_a_table_of_proposals_comes_back_as_it_was_written(tmp_path):
    path = tmp_path / "points.csv"
    write_points(path, np.array([2, 5]), np.array([[1.25, 2.5], [3, 4]]), np.array([40.0, 0.0]))
    assert {frame: places.tolist() for frame, places in read_points(path).items()} == {
        2: [[1.25, 2.5]],
        5: [[3, 4]],
    }
    assert read_strengths(path) == {2: 40.0, 5: 0.0}
    path.write_text("frame,u_px,v_px\n1,2,3\n")
    assert read_strengths(path) == {}


def test_a_table_of_poses_comes_back_to_the_last_digit(tmp_path):
    turned = shifted(1 / 3)
    turned[:3, :3] = [[0.6, -0.8, 0], [0.8, 0.6, 0], [0, 0, 1]]
    write_poses(tmp_path / "poses.csv", {4: turned, 9: shifted(-2e-17)})
    poses = read_poses(tmp_path / "poses.csv")
    assert list(poses) == [4, 9]
    np.testing.assert_array_equal(poses[4], turned)
    np.testing.assert_array_equal(poses[9], shifted(-2e-17))


def test_brightness_comes_with_the_points_that_have_a_pose():
    marks, strengths = {1: np.array([3.0, 4]), 2: np.array([5.0, 6]), 5: np.zeros(2)}, {1: 40.0, 2: 60.0}
    points = points_with_poses(marks, {1: np.eye(4), 2: np.eye(4)}, None, strengths)
    assert points.strengths.tolist() == [40, 60]
    assert points_with_poses(marks, {1: np.eye(4), 5: np.eye(4)}, None, strengths).strengths is None
