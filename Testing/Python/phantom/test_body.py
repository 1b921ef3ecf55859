"""The anatomy: solids against closed forms, landmarks in the tissue they name, what moves, and the exported volumes."""

from __future__ import annotations

import gzip
import itertools
import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from USGanSimLib.phantom import anatomy
from USGanSimLib.phantom.body import fetal_body
from USGanSimLib.phantom.export import ct_like, markups, write_volumes
from USGanSimLib.phantom.moment import Moment
from USGanSimLib.phantom.shapes import Capsule, Ellipsoid
from USGanSimLib.phantom.tissues import LABELS, TISSUES

COARSE_MM = 1.4
SUBJECTS = (0, 2, 5)
TISSUE_OF = {
    "four-chamber crux": "falx",
    "stomach centre": "stomach",
    "cord insertion": "umbilical cord",
    "mid-line echo": "falx",
    "cavum septi pellucidi": "cavum septi pellucidi",
    "nasal tip": "fetal soft tissue",
}


def label_at(body, *places):
    return body.labels_at(np.array(places, np.float32).T)


def around(place, radius_mm):
    """Many points in a ball."""
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((400, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return place + directions * radius_mm * rng.random((400, 1)) ** (1 / 3)


@pytest.fixture(scope="module", params=SUBJECTS)
def any_subject(request):
    return fetal_body(request.param, COARSE_MM)


@pytest.fixture(scope="module")
def standard():
    return fetal_body(0, COARSE_MM)


def test_an_ellipsoid_holds_the_points_that_its_equation_holds():
    turn = Rotation.from_euler("xyz", (20, -35, 70), degrees=True)
    solid = Ellipsoid((3.0, -2.0, 5.0), (4.0, 2.0, 1.0), turn)
    points = np.random.default_rng(1).uniform(-8, 8, (3, 4000)).astype(np.float32)
    own = turn.inv().apply(points.T - np.array([3, -2, 5]))
    expected = (own[:, 0] / 4) ** 2 + (own[:, 1] / 2) ** 2 + own[:, 2] ** 2 < 1
    assert expected.sum() > 20
    assert (solid.inside(points) == expected).mean() > 0.999
    lower, upper = solid.box()
    surface = turn.apply(np.diag([4.0, 2.0, 1.0])) + np.array([3, -2, 5])
    assert (surface >= lower).all()
    assert (surface <= upper).all()


def test_a_capsule_holds_what_is_near_its_axis():
    solid = Capsule(np.array([0.0, 0, 0]), np.array([10.0, 0, 0]), 2.0)
    points = [[5, 1.9, 0], [5, 2.1, 0], [-1.9, 0, 0], [-2.1, 0, 0], [11.3, 1.3, 0], [11.5, 1.5, 0]]
    assert solid.inside(np.array(points, np.float32).T).tolist() == [True, False, True, False, True, False]


def test_a_subject_has_its_own_coordinates_and_a_way_back():
    points = np.random.default_rng(2).uniform(-100, 100, (50, 3))
    for number in SUBJECTS[1:]:
        subject = anatomy.subject(number)
        there = subject.from_standard(points)
        assert np.abs(there - points).max() > 1
        np.testing.assert_allclose(subject.to_standard(there.T.astype(np.float32)).T, points, atol=1e-3)


def test_every_landmark_lies_in_the_tissue_that_it_names(any_subject):
    for name, place in any_subject.landmarks_mm.items():
        found = np.bincount(label_at(any_subject, *around(place, 1.2)), minlength=len(TISSUES))
        assert found[LABELS[TISSUE_OF[name]]] > 0.12 * found.sum(), (name, found)


def test_the_tip_of_the_nose_is_where_the_face_ends(any_subject):
    tip = any_subject.landmarks_mm["nasal tip"]
    ahead = label_at(any_subject, *(tip - np.array([0, step, 0]) for step in (3.0, 3.5, 4.0)))
    behind = label_at(any_subject, *(tip + np.array([0, step, 0]) for step in (1.5, 2.0, 3.0)))
    assert (ahead == LABELS["amniotic fluid"]).all()
    assert (behind != LABELS["amniotic fluid"]).all()


def test_the_wall_has_its_layers_from_the_skin_down(standard):
    below = label_at(standard, *([0, depth, 0] for depth in np.arange(-6, 30, 0.5)))
    layers = [TISSUES[label].name for label, _ in itertools.groupby(below)]
    assert layers[:4] == ["gel", "skin", "fat", "muscle"]
    assert layers[-2:] == ["uterine wall", "amniotic fluid"]


def test_another_seed_is_another_subject_and_the_same_seed_the_same_bits(standard):
    again = fetal_body.__wrapped__(0, COARSE_MM)
    other = fetal_body(1, COARSE_MM)
    np.testing.assert_array_equal(again.labels, standard.labels)
    assert (other.labels != standard.labels).mean() > 0.02
    for name, place in standard.landmarks_mm.items():
        np.testing.assert_array_equal(again.landmarks_mm[name], place)
        assert np.linalg.norm(other.landmarks_mm[name] - place) > 0.5


def test_outside_the_grid_is_maternal_tissue(standard):
    assert set(label_at(standard, [500, 0, 0], [0, 60, -1000], [0, 9000, 0])) == {LABELS["maternal tissue"]}


def test_fetal_motion_moves_the_fetus_and_not_the_wall(standard):
    places = np.array([standard.landmarks_mm["stomach centre"], [0, 5, 0], [80, 79, -10]], np.float32).T
    moved = places - standard.at_rest(places, Moment(motion_mm=np.array([2.0, 0, -1])))
    np.testing.assert_allclose(moved[:, 0], [2, 0, -1], atol=0.01)
    np.testing.assert_array_equal(moved[:, 1:], 0)


def test_a_beat_widens_the_heart_about_its_middle(standard):
    x, y, z = standard.heart_mm
    places = np.array([[x, y, z], [x + 5, y, z]], np.float32).T
    rest = standard.at_rest(places, Moment(beat=0.1))
    np.testing.assert_allclose(rest[:, 0], places[:, 0], atol=1e-4)
    # What now stands 5 mm from the middle stood 0.1 · exp(−(5 / 13)²) nearer.
    np.testing.assert_allclose(places[0, 1] - rest[0, 1], 5 * 0.1 * np.exp(-((5 / 13) ** 2)), rtol=1e-3)


def test_bone_is_white_and_fat_is_dark_in_the_ct(standard):
    values = ct_like(standard)
    assert np.median(values[standard.labels == LABELS["brain"]]) == pytest.approx(30, abs=5)
    assert np.median(values[standard.labels == LABELS["fat"]]) < -50
    assert np.median(values[standard.labels == LABELS["skull"]]) > 200
    assert values[standard.labels == LABELS["amniotic fluid"]].std() == pytest.approx(12, rel=0.2)


def test_the_volumes_hold_the_landmarks_in_reference_coordinates(standard, tmp_path):
    """Read as the NRRD specification says, without our own reader."""
    labels, ct = write_volumes(tmp_path, "fetus", standard)
    for path, dtype in ((labels, np.uint8), (ct, "<i2")):
        head, _, pixels = path.read_bytes().partition(b"\n\n")
        field = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
        voxels = np.frombuffer(gzip.decompress(pixels), dtype).reshape(
            [int(n) for n in field["sizes"].split()][::-1]
        )
        assert field["space"] == "right-anterior-superior"
        origin = np.array([float(n) for n in field["space origin"].strip("()").split(",")])
        x, y, z = np.rint((standard.landmarks_mm["stomach centre"] - origin) / COARSE_MM).astype(int)
        if path == labels:
            assert voxels[z, y, x] == LABELS["stomach"]
            assert f"Segment{LABELS['stomach']}:=stomach" in head.decode()
        else:
            assert abs(int(voxels[z, y, x]) - 8) < 60


def test_slicer_reads_the_volumes_and_the_markups(standard, tmp_path):
    slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
    vtk = pytest.importorskip("vtk")
    labels, _ = write_volumes(tmp_path, "fetus", standard)
    node, storage = slicer.vtkMRMLScalarVolumeNode(), slicer.vtkMRMLNRRDStorageNode()
    storage.SetFileName(str(labels))
    assert storage.ReadData(node)
    matrix = vtk.vtkMatrix4x4()
    node.GetRASToIJKMatrix(matrix)
    to_ijk = np.array([[matrix.GetElement(i, j) for j in range(4)] for i in range(4)])
    i, j, k = np.rint((to_ijk @ [*standard.landmarks_mm["stomach centre"], 1])[:3]).astype(int)
    assert node.GetImageData().GetScalarComponentAsDouble(i, j, k, 0) == LABELS["stomach"]

    path = tmp_path / "fetus.mrk.json"
    path.write_text(
        json.dumps(markups({name: place.tolist() for name, place in standard.landmarks_mm.items()}))
    )
    points, json_storage = slicer.vtkMRMLMarkupsFiducialNode(), slicer.vtkMRMLMarkupsJsonStorageNode()
    json_storage.SetFileName(str(path))
    assert json_storage.ReadData(points)
    assert points.GetNumberOfControlPoints() == 6
    for index, (name, place) in enumerate(standard.landmarks_mm.items()):
        assert points.GetNthControlPointLabel(index) == name
        np.testing.assert_allclose(points.GetNthControlPointPosition(index), place, atol=1e-6)
