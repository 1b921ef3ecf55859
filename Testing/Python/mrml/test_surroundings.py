"""Probe, fan and trained poses around the image: in the right place, with it, and gone without a trace."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

import vtk  # noqa: E402

from USGanSimLib.geometry.field_of_view import FieldOfView  # noqa: E402
from USGanSimLib.geometry.pose_distance import PoseRange  # noqa: E402
from USGanSimLib.mrml.headless.tick_cost import NullRenderer  # noqa: E402
from USGanSimLib.mrml.live.surroundings import Surroundings  # noqa: E402
from USGanSimLib.mrml.live.swept_region import swept_region  # noqa: E402

IMAGE_TO_PROBE = np.array([[0.5, 0, 0, -10], [0, 0.5, 0, 4], [0, 0, 1, 0], [0, 0, 0, 1]], float)
# The pixels between the middles of the corner pixels.
FIELD = FieldOfView.trapezoid((40, 30), ((0.0, 0.0), (39.0, 0.0), (39.0, 29.0), (0.0, 29.0)))


def slab(thickness_mm: float, step_mm: float) -> PoseRange:
    """Poses of a 40×30 px image pushed along its normal: they sweep a box of 20×15 mm × thickness."""
    z_mm = np.arange(0, thickness_mm + step_mm / 2, step_mm)
    poses = np.tile(IMAGE_TO_PROBE, (len(z_mm), 1, 1))
    poses[:, 2, 3] = z_mm
    return PoseRange(40, 30, poses, coverage_mm=step_mm / 2)


def world_bounds(model) -> np.ndarray:
    bounds = np.zeros(6)
    model.GetRASBounds(bounds)
    return bounds


def model(scene, name):
    return scene.GetFirstNodeByName(name)


@pytest.fixture
def shown(scene, nodes):
    place = nodes.new("ImageToReference")
    surroundings = Surroundings(scene)
    surroundings.show(NullRenderer(slab(30, 1), IMAGE_TO_PROBE), IMAGE_TO_PROBE, place, None, FIELD)
    yield surroundings, place
    surroundings.hide()


def test_the_outline_lies_on_the_image_and_moves_with_it(scene, nodes, shown):
    _, place = shown
    pose = IMAGE_TO_PROBE.copy()
    pose[:3, 3] = 100, 200, 300
    nodes.move(place, pose)
    # 40×30 pixels of 0.5 mm from the corner's centre.
    np.testing.assert_allclose(
        world_bounds(model(scene, "Fan outline")), [100, 119.5, 200, 214.5, 300, 300], atol=1e-3
    )


def test_the_probe_sits_on_the_first_row(scene, nodes, shown):
    nodes.move(shown[1], IMAGE_TO_PROBE)
    _, _, low_y, high_y, _, _ = world_bounds(model(scene, "Probe"))
    assert high_y == pytest.approx(4, abs=1e-3)
    assert low_y < 4


def test_showing_again_makes_nothing_twice_and_hiding_leaves_nothing(scene, nodes):
    place = nodes.new("ImageToReference")
    before = nodes.names()
    surroundings, renderer = Surroundings(scene), NullRenderer(slab(30, 1), IMAGE_TO_PROBE)
    counts = set()
    for _ in range(3):
        surroundings.show(renderer, IMAGE_TO_PROBE, place, None)
        counts.add(nodes.count())
    assert len(counts) == 1
    surroundings.hide()
    surroundings.hide()
    assert nodes.names() == before


def test_a_closed_scene_takes_it_away_without_an_error(scene, shown):
    scene.Clear(False)
    shown[0].hide()
    assert not shown[0].shown


def test_nothing_of_it_is_saved_or_listed(scene, shown):
    for name in ("Probe", "Fan outline", "Swept region of training", "ProbeOfSimulatedImage"):
        node = model(scene, name)
        assert (node.GetHideFromEditors(), node.GetSaveWithScene()) == (1, 0)


@pytest.mark.parametrize("step_mm", [0.5, 4.0])
def test_the_swept_region_has_the_volume_of_what_was_swept(step_mm):
    """Also where the known poses are far apart and the gaps between them are filled."""
    surface = swept_region(slab(28, step_mm), FIELD)
    mass = vtk.vtkMassProperties()
    mass.SetInputData(surface)
    # The surface goes half a cell (0.5 mm) around the pixels.
    assert mass.GetVolume() == pytest.approx(20.5 * 15.5 * 29, rel=0.15)
    np.testing.assert_allclose(surface.GetBounds(), [-10, 9.5, 4, 18.5, 0, 28], atol=1.0)


def test_poses_known_far_apart_take_no_longer():
    """The grid has as many cells, whatever the gap that is closed in it."""
    surface = swept_region(dataclasses.replace(slab(28, 4), coverage_mm=500.0), FIELD)
    assert surface.GetNumberOfPoints() < 20_000
