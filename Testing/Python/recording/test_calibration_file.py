"""Calibrations read from hand-written files: which matrix, which image size, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from USGanSimLib.errors import UserError
from USGanSimLib.recording.calibration_file import read_calibration

# 0.1 × 0.2 mm pixels, x along probe −y, y along probe x: right-handed with z.
GOOD = np.array([[0, 0.2, 0, 5], [-0.1, 0, 0, 6], [0, 0, 0.15, 7], [0, 0, 0, 1.0]])


@pytest.fixture
def cal_json(tmp_path):
    def write(**values):
        path = tmp_path / "CAL.json"
        path.write_text(json.dumps(values))
        return path

    return write


@pytest.fixture
def plus_xml(tmp_path):
    def write(*transforms, more=""):
        lines = "".join(
            f'<Transform From="{source}" To="{target}" Matrix="{" ".join(map(str, np.ravel(matrix)))}"/>'
            for source, target, matrix in transforms
        )
        path = tmp_path / "device_set.xml"
        path.write_text(
            f"<PlusConfiguration><CoordinateDefinitions>{lines}</CoordinateDefinitions>{more}"
            "</PlusConfiguration>"
        )
        return path

    return write


def changed(row: int, column: int, value: float) -> np.ndarray:
    matrix = GOOD.copy()
    matrix[row, column] = value
    return matrix


def test_cal_json_is_read(cal_json):
    calibration = read_calibration(
        cal_json(image_to_probe=GOOD.tolist(), image_size_px=[640, 480], verdict="good")
    )
    assert np.array_equal(calibration.image_to_probe, GOOD)
    assert calibration.image_size_px == (640, 480)
    assert calibration.source == "CAL.json"


def test_the_transform_of_a_plus_file_is_read_row_by_row(plus_xml):
    calibration = read_calibration(plus_xml(("Phantom", "Reference", np.eye(4)), ("Image", "Probe", GOOD)))
    assert np.array_equal(calibration.image_to_probe, GOOD)
    assert calibration.image_size_px is None


def test_several_transforms_are_chained_from_image_to_probe(plus_xml):
    to_pixels = np.diag([1.0, 1, 1, 1])
    to_pixels[:2, 3] = -410, 5
    to_origin = np.diag([0.08, 0.07, 0.075, 1])
    probe_to_origin = np.array([[0, 1, 0, 3], [-1, 0, 0, 2], [0, 0, 1, 1], [0, 0, 0, 1.0]])
    calibration = read_calibration(
        plus_xml(
            ("Image", "OriginPixel", to_pixels),
            ("OriginPixel", "Origin", to_origin),
            ("Probe", "Origin", probe_to_origin),
        )
    )
    assert np.allclose(
        calibration.image_to_probe, np.linalg.inv(probe_to_origin) @ to_origin @ to_pixels, atol=1e-12
    )


def test_other_frames_can_be_asked_for(plus_xml):
    path = plus_xml(("Image", "Probe", np.eye(4)), ("Video", "Transducer", GOOD))
    assert np.array_equal(read_calibration(path, "Video", "Transducer").image_to_probe, GOOD)


def test_the_image_size_is_that_of_the_frames_in_the_results(plus_xml):
    more = '<TrackedFrame FrameSize="820 616"/><TrackedFrame FrameSize="820 616 1"/>'
    with pytest.raises(UserError, match="frames of 2 sizes"):
        read_calibration(plus_xml(("Image", "Probe", GOOD), more=more.replace("616 1", "617")))
    calibration = read_calibration(
        plus_xml(("Image", "Probe", GOOD), more='<TrackedFrame FrameSize="820 616"/>')
    )
    assert calibration.image_size_px == (820, 616)
    assert calibration.geometry(820, 616, "the recording").mm_per_px == pytest.approx((0.1, 0.2))
    with pytest.raises(
        UserError, match="device_set.xml calibrates images of 820×616 px, sweep.mha has 640×480 px"
    ):
        calibration.geometry(640, 480, "sweep.mha")


def test_a_calibration_of_no_known_size_serves_any(cal_json):
    geometry = read_calibration(cal_json(image_to_probe=GOOD.tolist())).geometry(12, 34, "x")
    assert (geometry.width_px, geometry.height_px) == (12, 34)


def test_a_third_column_of_zeros_becomes_the_normal_of_the_image(cal_json):
    flat = GOOD.copy()
    flat[:3, 2] = 0
    completed = read_calibration(cal_json(image_to_probe=flat.tolist())).image_to_probe
    assert np.allclose(completed, GOOD)


def test_a_third_column_that_is_oblique_is_left_alone(cal_json):
    oblique = changed(0, 2, 0.4)
    assert np.array_equal(read_calibration(cal_json(image_to_probe=oblique.tolist())).image_to_probe, oblique)


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        (changed(0, 3, np.nan), "not finite"),
        (changed(1, 0, np.inf), "not finite"),
        (changed(3, 0, 0.5), "last row 0.5 0 0 1 in place of 0 0 0 1"),
        (GOOD.T, "last row 5 6 7 1"),
        (changed(1, 0, 0), "pixels of 0×0.2 mm"),
        (changed(2, 2, -0.15), "left-handed .determinant -0.003"),
        (GOOD[:, [1, 0, 2, 3]], "left-handed"),
        (changed(0, 0, 0.1), "image axes 45° apart"),
        (changed(0, 0, 100), "image axes 0° apart"),
        (GOOD[:3], "12 numbers, where a matrix has 16"),
    ],
)
def test_a_matrix_that_places_no_image_is_refused_with_the_number(cal_json, plus_xml, matrix, said):
    for path in (cal_json(image_to_probe=matrix.tolist()), plus_xml(("Image", "Probe", matrix))):
        with pytest.raises(UserError, match=said):
            read_calibration(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "neither JSON nor XML"),
        ("{", "neither JSON nor XML"),
        ("[1, 2]", "no 'image_to_probe'"),
        ("{}", "no 'image_to_probe'"),
        ('{"image_to_probe": [["a"]]}', "no matrix of numbers"),
        ('{"image_to_probe": [[1, 2], [3]]}', "no matrix of numbers"),
        ('{"image_to_probe": null}', "no matrix of numbers|1 numbers"),
        ("<Plus><Transform", "no complete XML"),
        ('<?xml version="1.0" encoding="utf-7"?><P/>', "no complete XML"),
        ('<?xml version="1.0" encoding="x-nowhere"?><P/>', "no complete XML"),
        ('<?xml version="1.0" encoding="idna"?><P/>', "no complete XML"),
        ("<Plus/>", "no transform ImageToProbe, nor any other"),
        (
            '<P><Transform From="Image" To="Probe" Matrix="1 0 zero"/></P>',
            "ImageToProbe of x.xml is no matrix of numbers",
        ),
        (
            '<P><Transform From="Stylus" To="Tip" Matrix="1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1"/></P>',
            "no transform ImageToProbe; it has StylusToTip",
        ),
    ],
)
def test_another_kind_of_file_is_refused_with_what_it_lacks(tmp_path, content, said):
    path = tmp_path / "x.xml"
    path.write_text(content)
    with pytest.raises(UserError, match=said):
        read_calibration(path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_obstacle(plus_xml, encoding):
    path = plus_xml(("Image", "Probe", GOOD))
    path.write_text(path.read_text(), encoding=encoding)
    assert np.array_equal(read_calibration(path).image_to_probe, GOOD)


def test_two_different_transforms_of_one_name_are_refused(plus_xml):
    with pytest.raises(UserError, match="two different transforms ImageToProbe"):
        read_calibration(plus_xml(("Image", "Probe", GOOD), ("Image", "Probe", changed(0, 3, 9))))


@pytest.mark.parametrize("size", [[640], "big", 5, [640, None], [640, float("inf")]])
def test_an_image_size_of_other_than_two_numbers_is_refused(cal_json, size):
    with pytest.raises(UserError, match="image size"):
        read_calibration(cal_json(image_to_probe=GOOD.tolist(), image_size_px=size))


def test_a_missing_calibration_is_told(tmp_path):
    with pytest.raises(UserError, match="CAL.json cannot be read: No such file"):
        read_calibration(tmp_path / "CAL.json")
