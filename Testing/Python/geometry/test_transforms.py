"""Named transforms: the graph against matrices multiplied by hand, interpolation against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from USGanSimLib.errors import UserError
from USGanSimLib.geometry.transforms import (
    TransformGraph,
    TransformTrack,
    interpolate,
    require_rigid,
    rigidity_error,
    split_transform_name,
)


def rigid(seed: int) -> NDArray[np.float64]:
    random = np.random.default_rng(seed)
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.random(random_state=seed).as_matrix()
    matrix[:3, 3] = random.normal(0, 100, 3)
    return matrix


def about_z(angle_deg: float, x_mm: float = 0.0) -> NDArray[np.float64]:
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    return np.array([[c, -s, 0, x_mm], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])


def track_of(*matrices: NDArray[np.float64], valid: list[bool] | None = None) -> TransformTrack:
    return TransformTrack(np.stack(matrices), np.array([True] * len(matrices) if valid is None else valid))


@pytest.mark.parametrize(
    ("name", "frames"),
    [
        ("ProbeToTracker", ("Probe", "Tracker")),
        ("ToolToTracker", ("Tool", "Tracker")),
        ("TorsoToTool", ("Torso", "Tool")),
        ("StylusTipToStylus", ("StylusTip", "Stylus")),
        ("ImageToRAS", ("Image", "RAS")),
    ],
)
def test_a_transform_name_splits_at_the_to_before_a_capital(name: str, frames: tuple[str, str]) -> None:
    assert split_transform_name(name) == frames


@pytest.mark.parametrize(
    "name", ["Probe", "Probetotracker", "AToBToC", "ToTracker", "ProbeTo", "", "Probeto2"]
)
def test_a_name_without_exactly_one_to_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=f"'{name}'"):
        split_transform_name(name)


def test_the_graph_chains_and_inverts_to_any_transform() -> None:
    probe_to_tracker, reference_to_tracker, image_to_probe = (
        rigid(1),
        rigid(2),
        rigid(3) @ np.diag([0.1, 0.2, 0.3, 1]),
    )
    graph = TransformGraph(
        {
            "ProbeToTracker": track_of(probe_to_tracker),
            "ReferenceToTracker": track_of(reference_to_tracker),
            "ImageToProbe": TransformTrack.constant(image_to_probe),
        }
    )
    image_to_reference = np.linalg.solve(reference_to_tracker, probe_to_tracker @ image_to_probe)
    np.testing.assert_allclose(graph.track("Image", "Reference").matrices[0], image_to_reference, atol=1e-9)
    np.testing.assert_allclose(
        graph.track("Reference", "Image").matrices[0] @ image_to_reference, np.eye(4), atol=1e-8
    )
    np.testing.assert_array_equal(graph.track("Probe", "Probe").matrices, np.eye(4)[None])
    assert graph.frames == ["Image", "Probe", "Reference", "Tracker"]
    assert graph.reachable("Image") == ["Probe", "Reference", "Tracker"]


def test_a_moment_is_valid_only_where_every_transform_on_the_way_is() -> None:
    graph = TransformGraph(
        {
            "ProbeToTracker": track_of(*[rigid(1)] * 4, valid=[True, False, True, False]),
            "ReferenceToTracker": track_of(*[rigid(2)] * 4, valid=[True, True, False, False]),
            "StylusToTracker": track_of(*[rigid(3)] * 4, valid=[False] * 4),
        }
    )
    assert graph.track("Probe", "Reference").valid.tolist() == [True, False, False, False]
    assert graph.track("Reference", "Probe").valid.tolist() == [True, False, False, False]


def test_the_numbers_of_an_invalid_moment_do_no_harm() -> None:
    nan, zero = np.full((4, 4), np.nan), np.zeros((4, 4))
    graph = TransformGraph(
        {
            "ProbeToTracker": track_of(nan, zero, rigid(1), valid=[False, False, True]),
            "ReferenceToTracker": TransformTrack.constant(np.eye(4)),
        }
    )
    for track in (graph.track("Probe", "Reference"), graph.track("Reference", "Probe")):
        assert track.valid.tolist() == [False, False, True]
        assert np.isfinite(track.matrices).all()


def test_a_transform_without_an_inverse_is_called_not_rigid_instead_of_breaking_the_graph() -> None:
    flat = np.diag([1.0, 1.0, 0.0, 1.0])
    graph = TransformGraph({"ProbeToTracker": track_of(rigid(1)), "EncoderToTracker": track_of(flat)})
    np.testing.assert_array_equal(graph.track("Probe", "Tracker").matrices[0], rigid(1))
    with pytest.raises(UserError, match="not a rigid transform in 1 of 1"):
        require_rigid(graph.track("Tracker", "Encoder"), "TrackerToEncoder")


def test_a_recorded_direction_is_used_as_it_was_measured() -> None:
    forward, backward = rigid(1), rigid(2)
    graph = TransformGraph({"AToB": track_of(forward), "BToA": track_of(backward)})
    np.testing.assert_array_equal(graph.track("A", "B").matrices[0], forward)
    np.testing.assert_array_equal(graph.track("B", "A").matrices[0], backward)


def test_the_shortest_way_is_taken() -> None:
    direct = rigid(9)
    graph = TransformGraph({"AToB": track_of(rigid(1)), "BToC": track_of(rigid(2)), "AToC": track_of(direct)})
    np.testing.assert_array_equal(graph.track("A", "C").matrices[0], direct)


def test_frames_that_are_not_connected_are_refused_with_what_can_be_reached() -> None:
    graph = TransformGraph({"ProbeToTracker": track_of(rigid(1)), "AToB": track_of(rigid(2))})
    with pytest.raises(UserError, match="no transform ProbeToB: from Probe one reaches Tracker"):
        graph.track("Probe", "B")
    with pytest.raises(UserError, match="from Image one reaches nothing"):
        graph.track("Image", "Probe")


def test_a_track_whose_lengths_disagree_is_refused() -> None:
    with pytest.raises(ValueError, match="3 validity flags"):
        TransformTrack(np.zeros((2, 4, 4)), np.ones(3, bool))


def test_rigidity_is_zero_for_a_rotation_and_known_for_a_scale() -> None:
    sheared = np.eye(4)
    sheared[0, 1] = 0.25
    assert rigidity_error(rigid(4)) < 1e-12
    np.testing.assert_allclose(rigidity_error(np.diag([1.1, 1, 1, 1.0])), 0.21)
    np.testing.assert_allclose(rigidity_error(sheared), 0.25)


@pytest.mark.parametrize("spoil", ["mirror", "nan", "infinite translation", "last row"])
def test_no_tolerance_makes_a_mirrored_or_undefined_matrix_rigid(spoil: str) -> None:
    matrix = rigid(5)
    if spoil == "mirror":
        matrix[:3, 0] *= -1
    elif spoil == "nan":
        matrix[1, 1] = np.nan
    elif spoil == "infinite translation":
        matrix[0, 3] = np.inf
    else:
        matrix[3, 3] = 2
    assert rigidity_error(matrix) == np.inf


def test_six_printed_digits_are_rigid_and_a_one_percent_scale_is_not() -> None:
    printed = np.array([[float(f"{value:.6g}") for value in row] for row in rigid(6)])
    require_rigid(track_of(printed), "ProbeToTracker")
    scaled = rigid(6)
    scaled[:3, :3] *= 1.01
    with pytest.raises(
        UserError, match="ProbeToTracker is not a rigid transform in 1 of 3 frames .first: frame 2"
    ):
        require_rigid(track_of(printed, printed, scaled), "ProbeToTracker")
    require_rigid(track_of(printed, scaled, valid=[True, False]), "ProbeToTracker")


def test_half_way_is_half_the_angle_and_half_the_distance() -> None:
    times = np.array([10.0, 11.0, 13.0])
    track = track_of(about_z(0, 0), about_z(40, 8), about_z(-20, 2))
    found = interpolate(times, track, np.array([10.25, 12.0, 12.5]))
    np.testing.assert_allclose(found.matrices, [about_z(10, 2), about_z(10, 5), about_z(-5, 3.5)], atol=1e-12)
    assert found.valid.all()


def test_on_a_sample_the_recorded_matrix_comes_back_bit_for_bit() -> None:
    printed = np.array([[float(f"{value:.6g}") for value in row] for row in rigid(7)])
    track = track_of(rigid(1), printed, rigid(2), valid=[False, True, False])
    found = interpolate(np.array([0.0, 1.0, 2.0]), track, np.array([1.0]))
    np.testing.assert_array_equal(found.matrices[0], printed)
    assert found.valid.tolist() == [True]


def test_there_is_no_pose_outside_the_samples_beside_an_invalid_one_or_across_a_gap() -> None:
    times = np.array([0.0, 1.0, 2.0, 5.0, 6.0])
    track = track_of(*[rigid(1)] * 5, valid=[True, False, True, True, True])
    at = np.array([-0.1, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 5.5, 6.0, 6.1])
    found = interpolate(times, track, at, largest_gap_s=2.0)
    assert found.valid.tolist() == [False, True, False, False, False, True, False, True, True, False]


@pytest.mark.parametrize("times", [[0.0, 1.0, 1.0], [0.0, 2.0, 1.0], [0.0, np.nan, 2.0]])
def test_time_stamps_that_do_not_increase_are_refused(times: list[float]) -> None:
    with pytest.raises(UserError, match="must increase"):
        interpolate(np.array(times), track_of(*[rigid(1)] * 3), np.array([0.5]))
