"""What a panel drives: noise, a held pose, samples, and a probe's own calibration."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from USGanSimLib.errors import UserError  # noqa: E402
from USGanSimLib.geometry.conditioning import CoordinateNormalisation  # noqa: E402
from USGanSimLib.geometry.image_geometry import Crop, ImageGeometry  # noqa: E402
from USGanSimLib.geometry.pose_distance import PoseRange  # noqa: E402
from USGanSimLib.live import PoseState, Variation  # noqa: E402
from USGanSimLib.model.info import ModelInfo  # noqa: E402
from USGanSimLib.mrml.live.sample_strip import side_by_side, strip_volume  # noqa: E402
from USGanSimLib.mrml.live.simulation import Setup, Simulation, calibrated  # noqa: E402
from USGanSimLib.recording.calibration_file import write_plus_xml  # noqa: E402

FULL = np.array([[0.1, 0, 0, -20], [0, 0.1, 0, 5], [0, 0, 0.1, 0], [0, 0, 0, 1]])


class Noisy:
    """A renderer whose grey is its noise, counted up by `resample` and `drift`."""

    width_px, height_px = 16, 12
    image_to_probe = np.diag([0.5, 0.5, 1.0, 1.0])
    pose_range = PoseRange(16, 12, np.diag([0.5, 0.5, 1.0, 1.0])[None], coverage_mm=5.0)

    def __init__(self):
        self.noise, self.steps = 10, []

    def render(self, image_to_reference):
        return np.full((12, 16), self.noise, np.uint8)

    def sample(self, image_to_reference, n):
        return np.arange(n, dtype=np.uint8)[:, None, None] * np.ones((12, 16), np.uint8)

    def resample(self):
        self.noise += 1

    def drift(self, step):
        self.steps.append(step)


@pytest.fixture
def noisy():
    return Noisy()


@pytest.fixture
def simulation(scene, clock, probe, noisy):
    simulation = Simulation(scene, clock)
    simulation.start(noisy, Setup(probe, name="heart"))
    yield simulation
    simulation.stop()


def grey(simulation) -> int:
    return int(slicer.util.arrayFromVolume(simulation.live.volume)[0, 0, 0])


def test_the_volume_is_named_after_the_model(simulation):
    assert simulation.live.volume.GetName() == "heart"


def test_fixed_noise_stays_and_a_new_sample_is_drawn_once(simulation, nodes, probe, noisy):
    nodes.move(probe, 1)
    simulation.tick()
    assert grey(simulation) == 10
    simulation.new_sample()
    assert simulation.tick()
    assert grey(simulation) == 11
    assert not simulation.tick()


def test_resampled_noise_is_another_at_each_tick_while_the_probe_stands(simulation, nodes, probe):
    simulation.variation = Variation.RESAMPLED
    nodes.move(probe, 1)
    greys = []
    for _ in range(3):
        simulation.tick()
        greys.append(grey(simulation))
    assert greys == [11, 12, 13]
    assert simulation.live.counts.refreshed == 2


def test_drift_goes_by_the_time_since_the_last_tick(simulation, nodes, probe, clock, noisy):
    simulation.variation, simulation.half_life_s = Variation.DRIFTING, 2.0
    nodes.move(probe, 1)
    for elapsed_s in (2.0, 1.0):
        clock.now_s += elapsed_s
        simulation.tick()
    # Correlations 0.5 and √0.5.
    assert noisy.steps == pytest.approx([np.sqrt(1 - 0.25), np.sqrt(1 - 0.5)])


def test_a_frozen_pose_stays_while_the_probe_moves_and_is_left_for_the_newest_one(simulation, nodes, probe):
    nodes.move(probe, 5)
    simulation.tick()
    simulation.live.freeze(True)
    nodes.move(probe, 30)
    nodes.move(probe, 40)
    assert simulation.tick()
    assert simulation.live.status.state is PoseState.FROZEN
    assert simulation.image_to_reference[0, 3] == 5
    assert not simulation.tick()
    simulation.new_sample()
    simulation.tick()
    assert (grey(simulation), simulation.image_to_reference[0, 3]) == (11, 5)
    simulation.live.freeze(False)
    simulation.tick()
    assert simulation.image_to_reference[0, 3] == 40
    assert simulation.live.status.state is PoseState.OUT_OF_RANGE
    assert simulation.live.counts.accounted_for


def test_without_an_image_nothing_is_held_and_no_samples_are_drawn(simulation):
    simulation.live.freeze(True)
    assert not simulation.live.frozen
    with pytest.raises(UserError, match="no simulated image yet"):
        simulation.samples(4)


def test_the_distance_to_the_nearest_trained_pose_is_told_inside_the_range_too(simulation, nodes, probe):
    assert simulation.nearest is None
    nodes.move(probe, 3)
    simulation.tick()
    assert (simulation.nearest.centre_mm, simulation.nearest.angle_deg) == pytest.approx((3, 0))


def test_samples_stand_in_rows_with_gaps(simulation, nodes, probe):
    nodes.move(probe, 3)
    simulation.tick()
    sheet = side_by_side(simulation.samples(6))
    assert sheet.shape == (2 * 12 + 2, 3 * 16 + 2 * 2)
    assert [int(sheet[row, column]) for row in (0, 14) for column in (0, 18, 36)] == [0, 1, 2, 3, 4, 5]
    assert (sheet[12:14] == 0).all()


def test_a_second_strip_goes_into_the_same_volume(scene, nodes):
    first = strip_volume(scene, np.zeros((5, 7), np.uint8), (0.5, 0.4), "Samples of heart")
    count = nodes.count()
    second = strip_volume(scene, np.ones((9, 8), np.uint8), (0.5, 0.4), "Samples of liver")
    assert second is first
    assert nodes.count() == count
    assert (first.GetName(), first.GetImageData().GetDimensions()) == ("Samples of liver", (8, 9, 1))


# A probe's own calibration


@pytest.fixture
def info():
    crop = Crop(100, 50, 640, 480)
    geometry = ImageGeometry(820, 616, FULL).resized(crop, 160, 120)
    normalisation = CoordinateNormalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    return ModelInfo(
        "paper",
        {},
        geometry,
        (820, 616),
        crop,
        "Reference",
        normalisation,
        PoseRange(160, 120, np.eye(4)[None], 1.0),
        "0",
        0,
        1,
        "0",
    )


def test_a_calibration_within_the_tolerance_moves_the_image_by_as_much(info, nodes, tmp_path):
    moved = FULL.copy()
    moved[1, 3] += 1.5
    node = nodes.new("ImageToProbe")
    nodes.move(node, moved)
    write_plus_xml(tmp_path / "probe.xml", moved)
    for matrix in (calibrated(info, None, node), calibrated(info, tmp_path / "probe.xml", None)):
        np.testing.assert_allclose(matrix - info.geometry.image_to_probe, moved - FULL, atol=1e-12)
    assert calibrated(info, None, None) is None


def test_one_that_puts_the_image_elsewhere_is_refused_with_the_distance(info, nodes):
    moved = FULL.copy()
    moved[0, 3] += 7
    node = nodes.new("ImageToProbe")
    nodes.move(node, moved)
    with pytest.raises(UserError, match=r"ImageToProbe are 7\.0 mm apart at a corner \(2 mm"):
        calibrated(info, None, node)


def test_the_image_stands_where_the_probes_own_calibration_puts_it(
    scene, clock, nodes, probe, noisy, image_to_world
):
    own = noisy.image_to_probe.copy()
    own[2, 3] = 1.25
    simulation = Simulation(scene, clock)
    simulation.start(noisy, dataclasses.replace(Setup(probe), image_to_probe=own))
    nodes.move(probe, 10)
    simulation.tick()
    np.testing.assert_allclose(image_to_world(simulation.live.volume)[:3, 3], (10, 0, 1.25))
    simulation.stop()
