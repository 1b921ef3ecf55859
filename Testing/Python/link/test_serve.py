"""Simulated images for poses that come over the wire, with a renderer whose images tell the pose."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from USGanSimLib.errors import UserError
from USGanSimLib.geometry.pose_distance import PoseRange
from USGanSimLib.link import wire
from USGanSimLib.link.client import LinkClient
from USGanSimLib.link.serve import STATE_DEVICE, SimulationServer
from USGanSimLib.link.server import LinkServer

IMAGE_TO_PROBE = np.array([[0.5, 0, 0, -4], [0, 0.25, 0, 2], [0, 0, 0.5, 0], [0, 0, 0, 1.0]])


class PoseRenderer:
    """Every pixel is the x of the pose's translation, in whole millimetres; trained around the origin."""

    width_px, height_px = 8, 6
    image_to_probe = IMAGE_TO_PROBE

    pose_range = PoseRange(8, 6, IMAGE_TO_PROBE[np.newaxis], coverage_mm=100.0)

    def render(self, image_to_reference):
        return np.full((6, 8), round(image_to_reference[0, 3] + 4), np.uint8)


def moved(x_mm):
    matrix = np.eye(4)
    matrix[0, 3] = x_mm
    return matrix


@pytest.fixture
def chain(until):
    """A tracker's server, the simulation, and a client that hears its images."""

    class Chain:
        def __init__(self, renderer=None, **options):
            self.heard = []
            self.tracker = LinkServer(0)
            self.images = LinkServer(0)
            self.simulation = SimulationServer(
                renderer or PoseRenderer(), self.images, "127.0.0.1", self.tracker.port, **options
            )
            self.client = LinkClient("127.0.0.1", self.images.port, on_message=self.heard.append)
            made.append(self)
            assert until(lambda: self.tracker.counts.clients == 1 and self.images.counts.clients == 1)
            assert until(lambda: self.tracker._peers[0].header_version == 2)
            assert until(lambda: self.images._peers[0].header_version == 2)

        def of(self, device):
            return [one.message for one in list(self.heard) if one.message.device_name == device]

        def states(self):
            return list(dict.fromkeys(message.string for message in self.of(STATE_DEVICE)))

        def close(self):
            for part in (self.client, self.simulation, self.images, self.tracker):
                part.stop()

    made = []
    yield Chain
    for one in made:
        one.close()


def test_an_image_comes_back_for_a_pose_with_its_matrix_and_time_stamp(chain, until):
    link = chain(extra=("ImageToReference", "ProbeToTracker", "StylusToReference"))
    link.tracker.send(
        [
            wire.transform_message("ProbeToTracker", moved(30), 7.5),
            wire.transform_message("ReferenceToTracker", moved(10), 7.5),
        ]
    )
    assert until(lambda: link.of("Image_Reference"))
    [image] = link.of("Image_Reference")
    np.testing.assert_array_equal(image.image, np.full((1, 6, 8), 20))
    np.testing.assert_allclose(image.ijk_to_world_matrix, moved(20) @ IMAGE_TO_PROBE, atol=1e-5)
    assert (image.timestamp, image.world_coordinate_system) == (7.5, "ras")
    for name, expected in (
        ("ProbeToReference", moved(20)),
        ("ProbeToTracker", moved(30)),
        ("ImageToReference", moved(20) @ IMAGE_TO_PROBE),
    ):
        assert until(lambda name=name: link.of(name))
        np.testing.assert_allclose(link.of(name)[0].matrix, expected, atol=1e-5)
        assert link.of(name)[0].timestamp == 7.5
    assert not link.of("StylusToReference")
    assert until(lambda: "live" in link.states())


def test_the_place_of_the_trackers_own_image_is_not_taken_for_the_simulated_ones(chain, until):
    link = chain(extra=("ImageToReference",))
    link.tracker.send(
        [
            wire.transform_message("ImageToReference", moved(99), 1.0),
            wire.transform_message("ProbeToReference", moved(5), 1.0),
        ]
    )
    assert until(lambda: link.of("ImageToReference"))
    np.testing.assert_allclose(link.of("ImageToReference")[0].matrix, moved(5) @ IMAGE_TO_PROBE, atol=1e-5)


def test_the_newest_pose_wins_and_every_pose_is_accounted_for(chain, until):
    class Gated(PoseRenderer):
        gate = threading.Event()

        def render(self, image_to_reference):
            assert self.gate.wait(5.0)
            return super().render(image_to_reference)

    link = chain(Gated())
    link.tracker.send([wire.transform_message("ProbeToReference", moved(0), 0.0)])
    assert until(lambda: (link.simulation.counts.received, link.simulation.counts.waiting) == (1, 0))
    # While the first image is being made 49 poses come; the last of them is the next to be rendered.
    for i in range(1, 50):
        link.tracker.send([wire.transform_message("ProbeToReference", moved(i), float(i))])
    assert until(lambda: link.simulation.counts.received == 50)
    link.simulation._renderer.gate.set()
    assert until(lambda: len(link.of("Image_Reference")) == 2)
    assert until(lambda: link.simulation.counts.rendered == 2)
    counts = link.simulation.counts
    assert (counts.rendered, counts.superseded, counts.waiting, counts.accounted_for) == (2, 48, 0, True)
    assert [(image.timestamp, image.image[0, 0, 0]) for image in link.of("Image_Reference")] == [
        (0.0, 0),
        (49.0, 49),
    ]


def test_an_invalid_or_crooked_pose_gives_no_image_and_is_said(chain, until):
    link = chain()
    link.tracker.send([wire.transform_message("ProbeToReference", moved(1), 1.0)])
    assert until(lambda: "live" in link.states())
    link.tracker.send([wire.transform_message("ProbeToReference", np.eye(4), 2.0, status="MISSING")])
    assert until(lambda: "tracking lost: ProbeToReference is MISSING" in link.states())
    link.tracker.send([wire.transform_message("ProbeToReference", np.diag([3.0, 1, 1, 1]), 3.0)])
    assert until(lambda: any("not a rigid transform" in state for state in link.states()))
    assert len(link.of("Image_Reference")) == 1
    counts = link.simulation.counts
    assert (counts.rendered, counts.unusable) == (1, 2)
    link.tracker.send([wire.transform_message("ProbeToReference", moved(2), 4.0)])
    assert until(lambda: len(link.of("Image_Reference")) == 2)


def test_a_pose_outside_the_trained_range_is_drawn_and_marked(chain, until):
    link = chain()
    link.tracker.send([wire.transform_message("ProbeToReference", moved(150), 1.0)])
    assert until(lambda: any("outside the trained range: 150 mm" in state for state in link.states()))
    [image] = link.of("Image_Reference")
    assert "outside the trained range" in image.metadata[STATE_DEVICE]


def test_a_tracker_that_falls_silent_or_dies_is_said_and_found_again_while_clients_stay(chain, until):
    link = chain()
    assert until(lambda: any(state.startswith("no pose yet") for state in link.states()))
    link.tracker.send([wire.transform_message("ProbeToReference", moved(1), 1.0)])
    assert until(lambda: "live" in link.states())
    assert until(lambda: "pose is stale: no new one for more than 0.5 s" in link.states())
    port = link.tracker.port
    link.tracker.stop()
    assert until(
        lambda: any(
            f"lost 127.0.0.1:{port}: the server closed the connection" in state for state in link.states()
        )
    )
    link.tracker = LinkServer(port)
    assert link.tracker.wait_for_client(3.0)
    link.tracker.send([wire.transform_message("ProbeToReference", moved(5), 9.0)])
    assert until(lambda: link.of("Image_Reference")[-1].timestamp == 9.0)
    assert link.client.counts.connections == 1


def test_garbage_from_the_tracker_costs_only_itself(chain, until):
    link = chain()
    bad = wire.transform_message("ProbeToReference", np.full((4, 4), np.nan), 1.0)
    link.tracker.send([bad, wire.transform_message("ProbeToReference", moved(7), 2.0), bad])
    assert until(lambda: link.of("Image_Reference"))
    assert until(lambda: link.simulation.problems == {wire.NOT_FINITE: 2})


def test_an_error_of_the_renderer_is_raised_to_the_owner(chain, until):
    class Broken(PoseRenderer):
        def render(self, image_to_reference):
            raise UserError("The GPU is gone.")

    link = chain(Broken())
    link.tracker.send([wire.transform_message("ProbeToReference", moved(1), 1.0)])
    with pytest.raises(UserError, match="GPU is gone"):
        link.simulation.wait(3.0)


def test_a_name_that_is_no_transform_is_refused_before_anything_starts():
    with LinkServer(0) as images, pytest.raises(UserError, match="'Probe' does not name a transform"):
        SimulationServer(PoseRenderer(), images, "127.0.0.1", 1, extra=("Probe",))
