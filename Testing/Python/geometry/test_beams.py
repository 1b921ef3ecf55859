"""Beams: coordinates and points are inverse to each other, and the grid begins and ends on the field's border."""

from __future__ import annotations

import numpy as np
import pytest

from USGanSimLib.geometry.along_beams import AlongBeams
from USGanSimLib.geometry.beams import Beams
from USGanSimLib.geometry.field_of_view import FieldOfView
from USGanSimLib.geometry.image_geometry import Crop

FAN = FieldOfView.fan((80, 60), (39.5, -10.0), (16.0, 66.0), (-35.0, 35.0))
OBLONG = FieldOfView.fan((80, 60), (39.5, -10.0), (16.0, 66.0), (-35.0, 35.0), aspect=1.25)
TRAPEZOID = FieldOfView.trapezoid((80, 60), ((20.0, 2.0), (60.0, 2.0), (78.0, 56.0), (2.0, 56.0)))
LINEAR = FieldOfView.rectangle((80, 60), Crop(10, 5, 50, 40))
WHOLE = FieldOfView.whole((80, 60))
FIELDS = pytest.mark.parametrize(
    "field", [FAN, OBLONG, TRAPEZOID, LINEAR, WHOLE], ids=lambda field: field.shape
)


@FIELDS
def test_points_have_the_coordinates_that_they_were_made_of(field: FieldOfView) -> None:
    beams = Beams(field)
    across, down = beams.coordinates()
    u, v = beams.points(across, down)
    rows, columns = np.indices(across.shape)
    assert np.allclose(u, columns)
    assert np.allclose(v, rows)


@FIELDS
def test_pixels_between_the_first_and_the_last_of_both_are_the_fields_own(field: FieldOfView) -> None:
    across, down = Beams(field).coordinates()
    between = (np.minimum(across, down) >= 0) & (np.maximum(across, down) <= 1)
    assert np.array_equal(field.mask(), between)


@FIELDS
def test_the_corners_of_the_grid_are_those_of_the_field(field: FieldOfView) -> None:
    u, v = Beams(field).grid(7, 9)
    assert u.shape == (7, 9)
    corners = [(u[row, column], v[row, column]) for row, column in ((0, 0), (0, -1), (-1, -1), (-1, 0))]
    assert np.allclose(corners, field.corners_px)


def test_a_line_of_a_fans_grid_goes_through_the_apex() -> None:
    u, v = Beams(OBLONG).grid(11, 5)
    slopes = (u - 39.5) / (v + 10.0)
    assert np.allclose(slopes, slopes[:1])


def test_sizes_are_lengths_along_and_across_the_beams() -> None:
    assert Beams(FAN).size_px == pytest.approx((50.0, 66.0 * np.deg2rad(70.0)))
    assert Beams(TRAPEZOID).size_px == pytest.approx((54.0, 76.0))
    assert Beams(LINEAR).size_px == pytest.approx((40.0, 50.0))


def test_lengths_in_millimetres_are_those_of_the_pixels_own_size() -> None:
    down = np.array([0.0, 0.5, 1.0])
    # Arcs of 70° at radii of 16, 41 and 66 px of 0.4 mm; the sides of a trapezoid and of a rectangle.
    assert Beams(OBLONG).depth_mm((0.4, 0.5)) == pytest.approx(20.0)
    assert Beams(OBLONG).width_mm(down, (0.4, 0.5)) == pytest.approx(
        np.deg2rad(70.0) * np.array([6.4, 16.4, 26.4])
    )
    assert Beams(TRAPEZOID).depth_mm((0.4, 0.5)) == pytest.approx(27.0)
    assert Beams(TRAPEZOID).width_mm(down, (0.4, 0.5)) == pytest.approx([16.0, 23.2, 30.4])
    assert Beams(LINEAR).width_mm(down, (0.4, 0.5)) == pytest.approx([20.0, 20.0, 20.0])


@FIELDS
def test_images_resampled_along_beams_show_what_lies_at_the_middles_of_the_cells(field: FieldOfView) -> None:
    """Bilinear sampling keeps a linear ramp; a whole image's cells next to its border lie beyond the last pixels."""
    v, u = np.mgrid[:60, :80]
    ramps = np.stack([2 * u + v, 3 * v]).astype(np.uint8)
    along = AlongBeams(field, 40, 30)
    u_there, v_there = Beams(field).points(*np.meshgrid(along.across, along.down, indexing="ij"))
    inside = (u_there >= 0) & (u_there <= 79) & (v_there >= 0) & (v_there <= 59)
    assert inside.mean() > 0.9
    found = along.resampled(ramps)
    assert found.shape == (2, 40, 30)
    assert np.allclose(found[0][inside], (2 * u_there + v_there)[inside])
    assert np.allclose(found[1][inside], 3 * v_there[inside])
    assert along.across[[0, -1]].tolist() == [1 / 80, 79 / 80]
