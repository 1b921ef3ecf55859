"""How near known planes pass, against closed forms and against a search over all points of all planes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from USGanSimLib.geometry.swept import swept_distance_mm

HEIGHT_PX, WIDTH_PX = 30, 40
WHOLE = np.ones((HEIGHT_PX, WIDTH_PX), bool)


def at(z_mm: float = 0.0, x_mm: float = 0.0, about_x_deg: float = 0.0) -> np.ndarray:
    """A pose of pixels of 0.5 × 0.8 mm, turned about its first row and then moved."""
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("x", about_x_deg, degrees=True).as_matrix() @ np.diag([0.5, 0.8, 1.0])
    pose[:3, 3] = x_mm, 0, z_mm
    return pose


def test_between_two_planes_the_nearer_one_counts() -> None:
    known = np.stack([at(0), at(10)])
    for z_mm, expected_mm in ((3.0, 3.0), (8.0, 2.0), (-4.0, 4.0), (10.0, 0.0)):
        assert np.allclose(swept_distance_mm(at(z_mm), known, WHOLE), expected_mm)


def test_from_a_tilted_plane_the_distance_grows_with_its_sine() -> None:
    """Turned by 20° about its own first row: v pixels of 0.8 mm down that lie v · 0.8 · sin 20° off the plane."""
    found = swept_distance_mm(at(about_x_deg=20), at()[None], WHOLE)
    expected = 0.8 * np.arange(HEIGHT_PX) * np.sin(np.radians(20))
    assert np.allclose(found, expected[:, None])


def test_beside_all_planes_it_is_infinite() -> None:
    # 8 mm to the right are 16 pixels of 40: the last 16 columns lie beyond the known image.
    found = swept_distance_mm(at(2.0, x_mm=8.0), at()[None], WHOLE)
    assert np.allclose(found[:, :24], 2.0)
    assert np.isinf(found[:, 24:]).all()


def test_a_plane_counts_within_its_field_of_view_alone() -> None:
    area = np.zeros((HEIGHT_PX, WIDTH_PX), bool)
    area[:, 5:12] = True
    found = swept_distance_mm(at(1.5), np.stack([at(0), at(0, x_mm=2.0), at(9)]), area)
    # The second plane's field begins 2 mm, four pixels, further right.
    assert np.allclose(found[:, 5:16], 1.5)
    assert np.isinf(found[:, :5]).all()
    assert np.isinf(found[:, 16:]).all()


@pytest.mark.parametrize("seed", range(3))
def test_random_planes_agree_with_a_search_over_all_of_their_points(seed) -> None:
    random = np.random.default_rng(seed)
    known = np.tile(np.eye(4), (12, 1, 1))
    known[:, :3, :3] = Rotation.from_rotvec(random.normal(0, 0.4, (12, 3))).as_matrix() * [0.5, 0.8, 1.0]
    known[:, :3, 3] = random.uniform(-6, 6, (12, 3))
    found = swept_distance_mm(at(), known, WHOLE)
    v, u = np.mgrid[:HEIGHT_PX, :WIDTH_PX]
    pixels = np.stack([u, v, np.zeros_like(u), np.ones_like(u)]).reshape(4, -1)
    places = (at() @ pixels)[:3].T
    # Pixels of every plane four times as fine, a little beyond its border: the least distance to a point is at most
    # that at right angles, where its foot lies inside, and half a fine pixel's diagonal more.
    fine_v, fine_u = np.mgrid[-0.5 : HEIGHT_PX - 0.5 : 0.25, -0.5 : WIDTH_PX - 0.5 : 0.25]
    fine = np.stack([fine_u, fine_v, np.zeros_like(fine_u), np.ones_like(fine_u)]).reshape(4, -1)
    points = np.concatenate([(plane @ fine)[:3].T for plane in known])
    nearest_mm = cKDTree(points).query(places)[0].reshape(HEIGHT_PX, WIDTH_PX)
    seen = np.isfinite(found)
    assert seen.mean() > 0.3
    assert (found[seen] >= nearest_mm[seen] - 0.13).all()
    # Where the nearest point of all lies well inside its plane, it is the foot.
    assert (np.abs(found - nearest_mm)[seen] < 0.13).mean() > 0.8
