"""OpenIGTLink into MRML as OpenIGTLinkIF does it, and a whole live run over loopback."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

import vtk  # noqa: E402

from USGanSimLib.errors import UserError  # noqa: E402
from USGanSimLib.geometry.transforms import TransformTrack  # noqa: E402
from USGanSimLib.link.client import LinkClient, Received  # noqa: E402
from USGanSimLib.link.replay import Replay, SweepMessages  # noqa: E402
from USGanSimLib.link.server import LinkServer  # noqa: E402
from USGanSimLib.link.wire import image_message, string_message, transform_message  # noqa: E402
from USGanSimLib.mrml.headless import live_run  # noqa: E402
from USGanSimLib.mrml.headless.link_bridge import EveryMessage, LinkBridge  # noqa: E402
from USGanSimLib.mrml.transform_chain import STATUS_ATTRIBUTE  # noqa: E402
from USGanSimLib.recording.sweep import TrackedSweep  # noqa: E402


def a_matrix(seed: int) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.random(random_state=np.random.default_rng(seed)).as_matrix()
    matrix[:3, 3] = (seed, 2 * seed, -seed)
    return matrix


def test_a_transform_becomes_a_linear_node_of_its_name_with_its_status(scene):
    bridge = LinkBridge(scene)
    bridge.apply([Received(transform_message("ProbeToReference", a_matrix(3), 12.5), 7.0)])
    node = scene.GetFirstNodeByName("ProbeToReference")
    assert node.IsA("vtkMRMLLinearTransformNode")
    np.testing.assert_allclose(slicer.util.arrayFromTransformMatrix(node), a_matrix(3), atol=1e-6)
    assert node.GetAttribute(STATUS_ATTRIBUTE) == "OK"
    assert (
        node.GetAttribute("TransformValid") is None
    )  # OpenIGTLinkIF copies entries with Status in their name alone
    assert bridge.received_s == {"ProbeToReference": 7.0}


def test_an_invalid_transform_carries_its_status_into_the_scene(scene):
    bridge = LinkBridge(scene)
    bridge.apply([Received(transform_message("ProbeToTracker", np.eye(4), 1.0, "OUT_OF_VIEW"), 0.0)])
    assert bridge.node("ProbeToTracker").GetAttribute(STATUS_ATTRIBUTE) == "OUT_OF_VIEW"


def test_a_node_that_is_there_is_used_and_changed_once_a_message(scene, nodes):
    probe = nodes.new("ProbeToReference")
    heard = []
    probe.AddObserver(
        slicer.vtkMRMLTransformableNode.TransformModifiedEvent,
        lambda *_: heard.append(probe.GetAttribute(STATUS_ATTRIBUTE)),
    )
    bridge = LinkBridge(scene)
    before = nodes.count()
    statuses = ["OK", "MISSING", "OK", "OUT_OF_VIEW", "OK"]
    for seed, status in enumerate(statuses):
        bridge.apply([Received(transform_message("ProbeToReference", a_matrix(seed), 1.0, status), 0.0)])
    # One event a message, and whoever hears it finds the status that belongs to the matrix.
    assert heard == statuses
    assert nodes.count() == before


def test_every_message_is_counted(scene):
    bridge = LinkBridge(scene)
    bridge.apply(
        [
            Received(transform_message("ProbeToReference", a_matrix(1), 1.0), 0.0, superseded=4),
            Received(transform_message("StylusToReference", a_matrix(2), 1.0), 0.0),
            Received(string_message("Note", "hello", 1.0), 0.0, superseded=2),
        ]
    )
    assert bridge.applied == {"ProbeToReference": 1, "StylusToReference": 1}
    assert bridge.superseded == {"ProbeToReference": 4, "StylusToReference": 0}
    assert bridge.ignored == {"STRING": 3}


def test_an_image_is_ignored_unless_asked_for(scene):
    bridge = LinkBridge(scene)
    bridge.apply(
        [Received(image_message("Image_Reference", np.zeros((4, 6), np.uint8), np.eye(4), 1.0), 0.0)]
    )
    assert bridge.ignored == {"IMAGE": 1}
    assert scene.GetFirstNodeByName("Image_Reference") is None


def test_an_image_becomes_one_change_of_a_volume_with_pixels_place_stamp_and_status(scene):
    bridge = LinkBridge(scene, images=True)
    node = bridge.image_node("Image_Reference")
    heard = []
    node.AddObserver(
        slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent,
        lambda *_: heard.append(
            (
                node.GetAttribute("Timestamp"),
                node.GetAttribute("ImageStatus"),
                slicer.util.arrayFromVolume(node).copy(),
            )
        ),
    )
    random = np.random.default_rng(2)
    # The last image has another size.
    for number, size in enumerate([(4, 6), (4, 6), (5, 3)], start=1):
        pixels = random.integers(0, 256, size, np.uint8)
        message = image_message(
            "Image_Reference", pixels, a_matrix(number), number + 0.25, {"ImageStatus": "OK"}
        )
        heard.clear()
        events = []
        tag = node.AddObserver("ModifiedEvent", lambda *_, events=events: events.append(1))
        bridge.apply([Received(message, 0.0)])
        node.RemoveObserver(tag)
        assert len(events) == 1
        assert np.array_equal(slicer.util.arrayFromVolume(node)[0], pixels)
        assert all(
            one[:2] == (str(number + 0.25), "OK") and np.array_equal(one[2][0], pixels) for one in heard
        )
        np.testing.assert_allclose(
            slicer.util.arrayFromVTKMatrix(ijk_to_ras(node)), a_matrix(number), atol=1e-6
        )
    assert bridge.applied == {"Image_Reference": 3}


def test_every_message_of_a_client_is_kept_in_order_up_to_the_room_there_is():
    every = EveryMessage(most_bytes=100)
    images = [
        image_message("Image", np.zeros((6, 8), np.uint8), np.eye(4), float(number)) for number in range(4)
    ]
    for image in images:
        every.keep(Received(image, 0.0))
    every.keep(Received(transform_message("ProbeToReference", np.eye(4), 9.0), 0.0))
    assert [one.message.timestamp for one in every.take()] == [0.0, 1.0, 9.0]
    assert every.dropped == 2
    every.keep(Received(images[3], 0.0))
    assert len(every.take()) == 1


def test_a_removed_node_is_made_again(scene):
    bridge = LinkBridge(scene)
    first = bridge.node("ProbeToReference")
    scene.RemoveNode(first)
    bridge.apply([Received(transform_message("ProbeToReference", a_matrix(1), 1.0), 0.0)])
    assert scene.GetFirstNodeByName("ProbeToReference") is bridge.node("ProbeToReference")
    assert bridge.node("ProbeToReference") is not first


def ijk_to_ras(volume):
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return matrix


# A whole run over loopback

FRAMES = 90


def a_sweep(lost: range = range(0)) -> TrackedSweep:
    """A probe that moves 1 mm a frame along x."""
    matrices = np.tile(np.eye(4), (FRAMES, 1, 1))
    matrices[:, 0, 3] = np.arange(FRAMES)
    valid = np.ones(FRAMES, bool)
    valid[list(lost)] = False
    return TrackedSweep(
        np.zeros((FRAMES, 4, 4), np.uint8),
        np.arange(FRAMES) / 60.0,
        {"ProbeToReference": TransformTrack(matrices, valid)},
        np.ones(FRAMES, bool),
    )


def run_over_loopback(scene, renderer, sweep, seconds=2.0, snapshots=3):
    with LinkServer(0, header_version=2) as server, LinkClient("127.0.0.1", server.port) as client:
        assert server.wait_for_client(3.0)
        replay = Replay(sweep, server, rate_hz=60, messages=SweepMessages(sweep, send_invalid=True))
        replay.start()
        told = []
        run = live_run.run_live(
            scene,
            client,
            renderer,
            "ProbeToReference",
            seconds,
            snapshots,
            lambda gone_s, live: told.append(round(gone_s)),
        )
        assert replay.wait(1.0)
        return run, told


def test_at_60_hz_every_pose_of_a_replay_is_accounted_for(scene, renderer):
    run, told = run_over_loopback(scene, renderer, a_sweep())
    assert run.received == FRAMES
    assert run.accounted_for
    assert run.counts.rendered + run.counts.superseded + run.superseded_in_link == FRAMES
    assert run.counts.rendered == len(renderer.poses) == run.pose_to_volume.count
    assert told == [1, 2]
    # The replay ends after 1.5 s, so the last half second is stale.
    assert set(run.states) >= {"GOOD"}
    assert 0 < run.pose_to_volume.median_ms <= run.pose_to_volume.p95_ms


def test_a_slow_renderer_supersedes_poses_and_loses_none(scene, renderer):
    plain = renderer.render
    renderer.render = lambda pose: (time.sleep(0.05), plain(pose))[1]
    run, _ = run_over_loopback(scene, renderer, a_sweep())
    assert run.received == FRAMES
    assert run.accounted_for
    assert run.counts.rendered < FRAMES / 2
    assert run.pose_to_volume.median_ms > 50


def test_a_pose_that_still_waits_at_the_end_is_in_the_account(scene, renderer):
    plain = renderer.render
    renderer.render = lambda pose: (time.sleep(0.1), plain(pose))[1]
    run, _ = run_over_loopback(scene, renderer, a_sweep(), seconds=0.8)
    assert run.waiting_in_link == 1
    assert run.accounted_for


def test_lost_tracking_within_a_replay_is_neither_rendered_nor_lost(scene, renderer):
    run, _ = run_over_loopback(scene, renderer, a_sweep(lost=range(30, 60)))
    assert run.received == FRAMES
    assert run.accounted_for
    assert run.states["INVALID"] > 0
    assert run.counts.unusable + run.superseded_in_link + run.counts.superseded >= 30
    # Invalid transforms travel as the identity, which would be x = 0.
    assert not any(30 <= round(pose[0, 3] - renderer.image_to_probe[0, 3]) < 60 for pose in renderer.poses)
    assert sum(pose[0, 3] == renderer.image_to_probe[0, 3] for pose in renderer.poses) <= 1


def test_snapshots_hold_the_image_with_the_pose_it_was_made_for(scene, renderer):
    run, _ = run_over_loopback(scene, renderer, a_sweep(), seconds=1.2)
    assert len(run.snapshots) == 3
    for snapshot in run.snapshots:
        x_mm = snapshot.image_to_reference[0, 3] - renderer.image_to_probe[0, 3]
        assert (snapshot.image == round(x_mm)).all()
    times_s = [snapshot.at_s for snapshot in run.snapshots]
    np.testing.assert_allclose(times_s, (0.2, 0.6, 1.0), atol=0.15)


def test_a_server_without_the_transform_is_told(scene, renderer, monkeypatch):
    monkeypatch.setattr(live_run, "FIRST_POSE_WITHIN_S", 0.2)
    with (
        LinkServer(0) as server,
        LinkClient("127.0.0.1", server.port) as client,
        pytest.raises(UserError, match=r"No NeedleToReference came within 0.2 s \(connected to 127.0.0.1"),
    ):
        server.wait_for_client(3.0)
        client.wait_connected(3.0)
        live_run.run_live(scene, client, renderer, "NeedleToReference", 1.0, 0, lambda *_: None)
