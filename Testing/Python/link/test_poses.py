"""Poses made of transforms of one moment, and of no other."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from USGanSimLib.link import wire
from USGanSimLib.link.client import Received
from USGanSimLib.link.poses import PoseReader


def rigid(seed):
    rng = np.random.default_rng(seed)
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.random(random_state=rng).as_matrix()
    matrix[:3, 3] = rng.uniform(-100, 100, 3)
    return matrix


@pytest.fixture
def send():
    """Give a reader a TRANSFORM; returns the pose it makes, or None."""
    reader = PoseReader()

    def give(name, stamp_s, matrix=None, status="OK", connection=1):
        message = wire.transform_message(name, rigid(0) if matrix is None else matrix, stamp_s, status)
        return reader.add(Received(message, 100.0 + stamp_s, connection))

    give.reader = reader
    return give


def test_probe_to_reference_is_taken_as_it_comes(send):
    pose = send("ProbeToReference", 1.0, rigid(3))
    np.testing.assert_allclose(pose.probe_to_reference, rigid(3), atol=1e-5)
    assert (pose.problem, pose.timestamp_s, pose.received_s) == ("", 1.0, 101.0)


def test_it_is_chained_of_two_tracker_transforms_with_one_time_stamp(send):
    assert send("ProbeToTracker", 1.0, rigid(1)) is None
    assert "ProbeToReference cannot be made of ProbeToTracker" in send.reader.missing
    pose = send("ReferenceToTracker", 1.0, rigid(2))
    np.testing.assert_allclose(pose.probe_to_reference, np.linalg.inv(rigid(2)) @ rigid(1), atol=1e-4)
    assert set(pose.transforms) == {"ProbeToTracker", "ReferenceToTracker"}
    assert send.reader.missing == ""


def test_the_probe_of_one_moment_is_never_combined_with_the_reference_of_another(send):
    send("ProbeToTracker", 1.0)
    assert send("ReferenceToTracker", 1.0) is not None
    assert send("ProbeToTracker", 2.0) is None
    assert send("ProbeToTracker", 3.0) is None  # the reference of 2.0 was invalid and did not come
    assert send.reader.missing == "ReferenceToTracker has stopped coming"
    assert send("ReferenceToTracker", 3.0).timestamp_s == 3.0


def test_transforms_whose_stamps_are_never_equal_are_combined_as_they_come(send):
    assert send("ProbeToTracker", 1.0) is None
    assert send("ReferenceToTracker", 1.001) is not None
    assert send("ProbeToTracker", 1.02) is not None
    assert send("ProbeToTracker", 1.04) is not None


def test_a_transform_that_is_not_ok_makes_a_pose_with_a_problem(send):
    send("ProbeToTracker", 1.0)
    pose = send("ReferenceToTracker", 1.0, status="OUT_OF_VIEW")
    assert pose.problem == "ReferenceToTracker is OUT_OF_VIEW"
    assert "ReferenceToTracker" not in pose.transforms


def test_a_transform_that_is_not_rigid_makes_a_pose_with_a_problem(send):
    for matrix in (np.diag([2.0, 2, 2, 1]), np.diag([0.0, 0, 0, 1]), np.diag([1.0, 1, -1, 1])):
        assert "ProbeToReference is not a rigid transform" in send("ProbeToReference", 1.0, matrix).problem


def test_a_new_connection_begins_with_nothing(send):
    send("ProbeToTracker", 1.0)
    assert send("ReferenceToTracker", 1.0, connection=2) is None
    assert send("ProbeToTracker", 1.0, connection=2) is not None


def test_other_messages_are_passed_over(send):
    assert send("Thermometer", 1.0) is None
    assert send.reader.add(Received(wire.string_message("ProbeToReference", "no matrix", 1.0), 0.0)) is None
    assert "no transform" in send.reader.missing
