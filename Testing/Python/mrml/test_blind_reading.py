"""A picture in the scene and the point on it: known pixels come back."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

import slicer.util  # noqa: E402, F811
import vtk  # noqa: E402

from USGanSimLib.errors import UserError  # noqa: E402
from USGanSimLib.mrml.scene import headless_scene  # noqa: E402
from USGanSimLib.mrml.training.blind_reading import BlindReading  # noqa: E402

MM_PER_PX = (0.5, 0.25)


@pytest.fixture
def png(tmp_path):
    def write(picture):
        Image.fromarray(picture).save(tmp_path / "0001.png")
        return tmp_path / "0001.png"

    return write


@pytest.fixture
def reading():
    with headless_scene() as scene:
        yield BlindReading(scene)


def test_a_point_on_a_bright_pixel_is_read_as_that_pixel(reading, png):
    picture = np.zeros((30, 40), np.uint8)
    picture[7, 12] = 255
    reading.show(png(picture), MM_PER_PX)
    # Where MRML itself has the bright voxel.
    ijk_to_ras = vtk.vtkMatrix4x4()
    reading.volume.GetIJKToRASMatrix(ijk_to_ras)
    k, v, u = np.argwhere(slicer.util.arrayFromVolume(reading.volume) == 255)[0]
    place = ijk_to_ras.MultiplyPoint([float(u), float(v), float(k), 1.0])[:3]
    reading.marks.AddControlPoint(*place)
    assert reading.place_px() == pytest.approx((12.0, 7.0))


def test_a_picture_stands_as_on_a_screen_left_is_left_and_down_is_down(reading, png):
    """In an axial view the left of the screen is the right of the patient (+R), the top is anterior (+A)."""
    reading.show(png(np.zeros((30, 40), np.uint8)), MM_PER_PX)
    matrix = vtk.vtkMatrix4x4()
    reading.volume.GetIJKToRASMatrix(matrix)
    ras = [
        np.array(matrix.MultiplyPoint([*map(float, place), 0.0, 1.0])) for place in ((0, 0), (1, 0), (0, 1))
    ]
    assert (ras[1] - ras[0])[0] == -MM_PER_PX[0]
    assert (ras[2] - ras[0])[1] == -MM_PER_PX[1]


def test_the_next_picture_has_no_point_yet(reading, png):
    reading.show(png(np.zeros((30, 40), np.uint8)), MM_PER_PX)
    reading.marks.AddControlPoint(-3.0, -2.0, 0.0)
    reading.show(png(np.full((20, 20), 9, np.uint8)), MM_PER_PX)
    assert reading.place_px() is None
    assert slicer.util.arrayFromVolume(reading.volume).shape == (1, 20, 20)


def test_nothing_stays_in_the_scene(png):
    with headless_scene() as scene:
        reading = BlindReading(scene)
        reading.show(png(np.zeros((3, 4), np.uint8)), MM_PER_PX)
        reading.remove()
        for kind in ("Volume", "Markups", "Display"):
            left = [scene.GetNthNode(k).GetClassName() for k in range(scene.GetNumberOfNodes())]
            assert [name for name in left if kind in name] == []


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ((-5.0, -2.0, 55.0), "The point is 55.0 mm off the plane of the picture."),
        ((-5.0, -2.0, -0.6), "The point is 0.6 mm off the plane of the picture."),
        ((-21.0, -2.0, 0.0), r"at pixel \(42, 8\), beside the picture of 40×30"),
        ((1.0, -2.0, 0.0), "beside the picture"),
    ],
)
def test_a_point_that_is_not_on_the_picture_is_refused_with_its_distance(reading, png, place, words):
    reading.show(png(np.zeros((30, 40), np.uint8)), MM_PER_PX)
    reading.marks.AddControlPoint(*place)
    with pytest.raises(UserError, match=words):
        reading.place_px()
