"""Poses out of MRML transform nodes, against plain matrix products and PLUS's known answers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

import vtk  # noqa: E402

from USGanSimLib.geometry.transforms import RIGID_TOLERANCE, rigidity_error  # noqa: E402
from USGanSimLib.mrml.transform_chain import PoseProblem, between, from_vtk, rigidity_problem, to_vtk  # noqa: E402
from USGanSimLib.recording.calibration_file import read_calibration  # noqa: E402
from USGanSimLib.recording.sequence_file import read_sweep  # noqa: E402


def rigid(seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.random(random_state=random).as_matrix()
    matrix[:3, 3] = random.uniform(-50, 50, 3)
    return matrix


def test_the_pose_in_the_world_passes_through_every_parent(nodes):
    ras = nodes.new("ReferenceToRas")
    tracker = nodes.new("TrackerToReference", ras)
    probe = nodes.new("ProbeToTracker", tracker)
    for node, seed in ((ras, 1), (tracker, 2), (probe, 3)):
        nodes.move(node, rigid(seed))
    np.testing.assert_allclose(from_vtk(between(probe, None)), rigid(1) @ rigid(2) @ rigid(3), atol=1e-12)
    np.testing.assert_allclose(from_vtk(between(probe, ras)), rigid(2) @ rigid(3), atol=1e-12)


def test_probe_and_reference_may_hang_beside_each_other(nodes):
    probe, reference = nodes.new("ProbeToTracker"), nodes.new("ReferenceToTracker")
    nodes.move(probe, rigid(4))
    nodes.move(reference, rigid(5))
    np.testing.assert_allclose(
        from_vtk(between(probe, reference)), np.linalg.inv(rigid(5)) @ rigid(4), atol=1e-12
    )


def test_the_wire_phantom_gives_its_known_answer_through_mrml(nodes, plus_data):
    sweep = read_sweep(plus_data / "fCal_Test_Calibration_3NWires_fCal2.0.igs.mha")
    calibration = read_calibration(plus_data / "fCal_Test_Calibration_3NWires_fCal2.0.results.xml")
    probe, reference = nodes.new("ProbeToTracker"), nodes.new("ReferenceToTracker")
    nodes.move(probe, sweep.transforms["ProbeToTracker"].matrices[0])
    nodes.move(reference, sweep.transforms["ReferenceToTracker"].matrices[0])
    point = from_vtk(between(probe, reference)) @ calibration.image_to_probe @ (410, 308, 0, 1)
    np.testing.assert_allclose(point[:3], (3.716, -69.322, -3.704), atol=0.01)


@pytest.mark.parametrize("status", ["INVALID", "MISSING", "OUT_OF_VIEW", ""])
def test_any_other_status_than_ok_on_the_way_is_a_problem(nodes, status):
    reference = nodes.new("ReferenceToTracker")
    parent = nodes.new("MarkerToTracker")
    probe = nodes.new("ProbeToMarker", parent)
    between(probe, reference)
    for node in (reference, parent, probe):
        node.SetAttribute("TransformStatus", status)
        with pytest.raises(PoseProblem, match=f"{node.GetName()} has status {status}"):
            between(probe, reference)
        node.SetAttribute("TransformStatus", "OK")
    between(probe, reference)


def test_the_status_of_a_common_parent_does_not_matter(nodes):
    ras = nodes.new("TrackerToRas")
    probe, reference = nodes.new("ProbeToTracker", ras), nodes.new("ReferenceToTracker", ras)
    ras.SetAttribute("TransformStatus", "MISSING")
    between(probe, reference)
    with pytest.raises(PoseProblem, match="TrackerToRas"):
        between(probe, None)


def test_a_warping_parent_is_named(scene, nodes):
    warp = scene.AddNewNodeByClass("vtkMRMLTransformNode", "Warp")
    warp.SetAndObserveTransformToParent(vtk.vtkThinPlateSplineTransform())
    probe = nodes.new("ProbeToReference", warp)
    with pytest.raises(PoseProblem, match="Warp is not a linear transform"):
        between(probe, None)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m * [[np.nan if i == j == 3 else 1 for j in range(4)] for i in range(4)], "not finite"),
        (lambda m: m @ np.diag([1.01, 1.01, 1.01, 1]), "off by 0.0201"),
        (lambda m: m @ np.diag([1, 1, -1, 1]), "mirrored"),
        (lambda m: np.zeros((4, 4)), "not a rigid transform"),
    ],
)
def test_a_matrix_that_is_no_pose_is_refused_with_its_reason(nodes, change, words):
    probe = nodes.new("ProbeToReference")
    nodes.move(probe, change(rigid(6)))
    with pytest.raises(PoseProblem, match=words):
        between(probe, None)


def test_plain_numbers_and_arrays_agree_on_what_is_rigid():
    random = np.random.default_rng(7)
    verdicts = []
    for seed in range(400):
        matrix = rigid(seed)
        matrix[:3, :3] += random.normal(0, random.choice([0, 1e-4, 1.5e-3, 0.1]), (3, 3))
        matrix[3, random.integers(4)] += random.choice([0, 0, 0, 0.1])
        matrix[random.integers(3), random.integers(4)] *= random.choice([1, 1, 1, np.nan])
        matrix[:, 0] *= random.choice([1, 1, 1, -1])
        is_rigid = bool(rigidity_error(matrix) <= RIGID_TOLERANCE)
        assert (rigidity_problem(tuple(matrix.ravel())) == "") == is_rigid
        verdicts.append(is_rigid)
    assert 50 < sum(verdicts) < 350


def test_matrices_keep_every_number_on_the_way_to_vtk_and_back():
    matrix = np.random.default_rng(8).normal(size=(4, 4))
    assert (from_vtk(to_vtk(matrix)) == matrix).all()
    assert to_vtk(matrix).GetElement(1, 2) == matrix[1, 2]
