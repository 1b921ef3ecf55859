"""The simulated beside the real image: resampling against a ramp that is known everywhere, and the words' numbers."""

from __future__ import annotations

import numpy as np
import pytest
import vtk

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from USGanSimLib.live import LiveStatus, PoseState  # noqa: E402
from USGanSimLib.mrml.live.real_image import DifferenceVolume, relation, resampled, way_up, why_not  # noqa: E402
from USGanSimLib.mrml.output_volume import OutputVolume  # noqa: E402
from USGanSimLib.mrml.transform_chain import to_vtk, volume_to_world  # noqa: E402

SIMULATED_TO_REFERENCE = np.array([[2.0, 0, 0, 3], [0, 2.0, 0, 1], [0, 0, 2, 0], [0, 0, 0, 1]])


@pytest.fixture
def simulated(scene):
    """20×15 px of 2 mm, grey 100."""
    output = OutputVolume(scene, 20, 15)
    output.write(np.full((15, 20), 100, np.uint8), to_vtk(SIMULATED_TO_REFERENCE), LiveStatus(PoseState.GOOD))
    return output.volume


@pytest.fixture
def real(scene, nodes):
    """A ramp of one grey level a millimetre along x: 101×81 px of 0.5 mm, placed by spacing and by a transform."""
    volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Image_Reference")
    slicer.util.updateVolumeFromArray(volume, np.tile(np.arange(101) * 0.5, (81, 1))[None].astype(np.float32))
    volume.SetSpacing(0.5, 0.5, 1.0)
    place = nodes.new("ImageToReference")
    volume.SetAndObserveTransformNodeID(place.GetID())
    return volume


def test_every_simulated_pixel_meets_the_real_value_at_its_place(simulated, real):
    values, reached = resampled(real, volume_to_world(simulated), (15, 20))
    x_mm = 3 + 2 * np.arange(20)
    np.testing.assert_allclose(values, np.tile(x_mm, (15, 1)), atol=1e-4)
    assert reached.all()


def test_a_turned_real_image_is_met_in_its_own_pixels(nodes, simulated, real):
    turned = np.array([[0, 1.0, 0, 0], [1, 0, 0, 0], [0, 0, -1, 0], [0, 0, 0, 1]])
    nodes.move(real.GetParentTransformNode(), turned)
    values, reached = resampled(real, volume_to_world(simulated), (15, 20))
    y_mm = 1 + 2 * np.arange(15)
    np.testing.assert_allclose(values[reached], np.tile(y_mm[:, None], (1, 20))[reached], atol=1e-4)
    # The real image is 40 mm along x now.
    assert reached[:, :18].all()
    assert not reached[:, 19].any()
    assert relation(simulated, real).angle_deg == pytest.approx(180)


def test_the_difference_is_grey_where_equal_and_black_where_nothing_is_real(scene, nodes, simulated, real):
    difference = DifferenceVolume(scene, simulated)
    slicer.util.arrayFromVolume(real)[:] = 60
    assert difference.update(real) == pytest.approx(40)
    assert (slicer.util.arrayFromVolume(difference.node) == 128 + 20).all()
    slicer.util.arrayFromVolume(real)[:] = 100
    assert difference.update(real) == 0
    assert (slicer.util.arrayFromVolume(difference.node) == 128).all()
    nodes.move(real.GetParentTransformNode(), 500)
    assert np.isnan(difference.update(real))
    assert (slicer.util.arrayFromVolume(difference.node) == 0).all()


def test_a_plane_further_away_than_3_mm_is_not_compared(nodes, simulated, real):
    for z_mm, covered in ((-2.9, 1.0), (2.9, 1.0), (3.1, 0.0)):
        nodes.move(real.GetParentTransformNode(), [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, z_mm], [0, 0, 0, 1]])
        lies = relation(simulated, real)
        assert (lies.plane_mm, lies.covered) == pytest.approx((abs(z_mm), covered))


def test_the_difference_stands_with_the_image_and_there_is_one_of_it(scene, nodes, simulated, real):
    before = nodes.names()
    first = DifferenceVolume(scene, simulated)
    np.testing.assert_array_equal(volume_to_world(first.node), volume_to_world(simulated))
    assert DifferenceVolume(scene, simulated).node is first.node
    first.remove()
    assert nodes.names() == before


def test_the_transforms_above_an_image_are_named_upwards(nodes, real):
    parent = nodes.new("ReferenceToRas")
    real.GetParentTransformNode().SetAndObserveTransformNodeID(parent.GetID())
    assert way_up(real) == ["ImageToReference", "ReferenceToRas"]


def test_a_colour_image_is_compared_by_its_luminance(scene, simulated, real):
    coloured = scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "Image_Colour")
    colours = np.zeros((1, 81, 101, 3), np.uint8)
    colours[..., 0], colours[..., 1], colours[..., 2] = 200, 100, 50
    slicer.util.updateVolumeFromArray(coloured, colours)
    coloured.SetSpacing(0.5, 0.5, 1.0)
    coloured.SetAndObserveTransformNodeID(real.GetTransformNodeID())
    # ITU-R BT.601, as PAL and NTSC have it.
    luminance = 0.299 * 200 + 0.587 * 100 + 0.114 * 50
    assert DifferenceVolume(scene, simulated).update(coloured) == pytest.approx(luminance - 100, abs=0.01)
    assert relation(simulated, coloured).covered == 1


def test_a_volume_cannot_be_compared_before_it_has_an_image_or_where_it_has_no_plane(scene, nodes, real):
    assert why_not(real) == ""
    assert why_not(scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "Image_Next")) == (
        "Image_Next has no image yet."
    )
    bent = scene.AddNewNodeByClass("vtkMRMLTransformNode", "Warp")
    bent.SetAndObserveTransformFromParent(vtk.vtkThinPlateSplineTransform())
    real.GetParentTransformNode().SetAndObserveTransformNodeID(bent.GetID())
    assert "hangs under Warp, which is not a linear transform" in why_not(real)
