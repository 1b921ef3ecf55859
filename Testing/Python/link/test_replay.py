"""Replays over loopback: what arrives is the recording, in order, in time, as PlusServer would have sent it."""

from __future__ import annotations

import time

import numpy as np
import pyigtl
import pytest
from scipy.spatial.transform import Rotation

from USGanSimLib.errors import UserError
from USGanSimLib.geometry.transforms import TransformTrack
from USGanSimLib.link import wire
from USGanSimLib.link.client import LinkClient
from USGanSimLib.link.replay import Replay, SweepMessages
from USGanSimLib.link.server import LinkServer
from USGanSimLib.recording.calibration_file import read_calibration
from USGanSimLib.recording.sequence_file import read_sweep
from USGanSimLib.recording.sweep import TrackedSweep

IMAGE_TO_PROBE = np.array([[0.2, 0, 0, -3], [0, 0.1, 0, 4], [0, 0, 0.2, 5], [0, 0, 0, 1.0]])


def poses(count, seed):
    rng = np.random.default_rng(seed)
    matrices = np.tile(np.eye(4), (count, 1, 1))
    matrices[:, :3, :3] = Rotation.random(count, random_state=rng).as_matrix()
    matrices[:, :3, 3] = rng.uniform(-200, 200, (count, 3))
    return matrices


def a_sweep(count=40, rate_hz=60.0, lost=(), invalid_images=(), first_s=12.0):
    """Frame i is filled with i; the probe's pose is invalid in the `lost` frames."""
    frames = np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None], (count, 6, 8)).copy()
    probe_valid, image_valid = np.ones(count, bool), np.ones(count, bool)
    probe_valid[list(lost)] = False
    image_valid[list(invalid_images)] = False
    return TrackedSweep(
        frames,
        first_s + np.arange(count) / rate_hz,
        {
            "ProbeToTracker": TransformTrack(poses(count, 1), probe_valid),
            "ReferenceToTracker": TransformTrack(poses(count, 2), np.ones(count, bool)),
        },
        image_valid,
        "made.igs.mha",
        {
            "FrameNumber": tuple(str(100 + i) for i in range(count)),
            "ProbeToTrackerTransformStatus": tuple(
                "OUT_OF_VIEW" if i in lost else "OK" for i in range(count)
            ),
        },
    )


@pytest.fixture
def replayed(until):
    """Replay a sweep to the end; returns all received, the statistics, and the server's counts."""

    def run(sweep, rate_hz=None, loop=False, seconds=None, **options):
        heard = []
        with LinkServer(0) as server, LinkClient("127.0.0.1", server.port, on_message=heard.append) as client:
            assert until(lambda: server.counts.clients == 1 and server._peers[0].header_version == 2)
            replay = Replay(sweep, server, rate_hz, loop, SweepMessages(sweep, **options))
            replay.start()
            replay.wait(seconds if seconds else 20.0)
            replay.stop()
            assert server.drain(3.0)
            assert until(lambda: len(heard) == server.counts.sent)
            assert client.counts.problems == {}
            return heard, replay.statistics, server.counts

    return run


def by_device(heard):
    devices = {}
    for one in heard:
        devices.setdefault(one.message.device_name, []).append(one)
    return devices


def test_a_60_hz_replay_arrives_whole_in_order_and_exact_in_float32(replayed):
    sweep = a_sweep(60, 60.0)
    heard, statistics, counts = replayed(sweep, image_to_probe=IMAGE_TO_PROBE, extra=("ProbeToReference",))
    devices = by_device(heard)
    assert set(devices) == {"ProbeToTracker", "ReferenceToTracker", "ProbeToReference", "Image_Reference"}
    probe, reference = (
        sweep.transforms["ProbeToTracker"].matrices,
        sweep.transforms["ReferenceToTracker"].matrices,
    )
    probe_to_reference = np.linalg.inv(reference) @ probe
    for name, expected in (
        ("ProbeToTracker", probe),
        ("ReferenceToTracker", reference),
        ("ProbeToReference", probe_to_reference),
    ):
        received = np.array([one.message.matrix for one in devices[name]])
        np.testing.assert_array_equal(received, expected.astype(np.float32))
    for one, stamp_s in zip(devices["Image_Reference"], sweep.timestamps_s, strict=True):
        assert abs(one.message.timestamp - stamp_s) < 1e-7
    images = [one.message for one in devices["Image_Reference"]]
    np.testing.assert_array_equal([image.image[0] for image in images], sweep.frames)
    corner = np.array([7, 5, 0, 1.0])
    for image, pose in zip(images, probe_to_reference, strict=True):
        np.testing.assert_allclose(
            image.ijk_to_world_matrix @ corner, pose @ IMAGE_TO_PROBE @ corner, atol=1e-3
        )
    assert (statistics.frames, statistics.rounds, counts.dropped) == (60, 1, 0)
    assert statistics.rate_hz == pytest.approx(60.0, rel=0.1)


def test_transforms_come_before_the_image_of_their_frame(replayed):
    heard, _, _ = replayed(a_sweep(3), image_to_probe=IMAGE_TO_PROBE)
    assert [one.message.message_type for one in heard] == ["TRANSFORM", "TRANSFORM", "IMAGE"] * 3


def test_invalid_transforms_are_not_sent_unless_asked_for(replayed):
    sweep = a_sweep(10, lost=(3, 4), invalid_images=(7,))
    devices = by_device(replayed(sweep, image_to_probe=IMAGE_TO_PROBE, extra=("ProbeToReference",))[0])
    assert {name: len(got) for name, got in devices.items()} == {
        "ProbeToTracker": 8,
        "ReferenceToTracker": 10,
        "ProbeToReference": 8,
        "Image_Reference": 9,
    }
    metadata = devices["Image_Reference"][3].message.metadata
    assert (metadata["ProbeToTrackerTransformStatus"], metadata["FrameNumber"]) == ("OUT_OF_VIEW", "103")

    devices = by_device(replayed(sweep, send_invalid=True, extra=("ProbeToReference",))[0])
    statuses = [wire.transform_status(one.message) for one in devices["ProbeToTracker"]]
    assert statuses == ["OK"] * 3 + ["OUT_OF_VIEW"] * 2 + ["OK"] * 5
    assert devices["ProbeToTracker"][3].message.metadata["TransformValid"] == "0"
    np.testing.assert_array_equal(devices["ProbeToTracker"][3].message.matrix, np.eye(4))
    assert wire.transform_status(devices["ProbeToReference"][4].message) == "INVALID"


def test_without_a_way_to_reference_the_image_is_sent_with_the_identity(replayed):
    devices = by_device(replayed(a_sweep(2))[0])
    np.testing.assert_allclose(devices["Image_Image"][0].message.ijk_to_world_matrix, np.eye(4), atol=1e-6)


def test_a_recording_of_the_tracker_alone_sends_no_image(replayed):
    sweep = a_sweep(3)
    bare = TrackedSweep(
        np.zeros((3, 0, 0), np.uint8), sweep.timestamps_s, sweep.transforms, np.zeros(3, bool)
    )
    assert set(by_device(replayed(bare, image_to_probe=IMAGE_TO_PROBE)[0])) == {
        "ProbeToTracker",
        "ReferenceToTracker",
    }


def test_in_a_loop_time_stamps_go_on_increasing_by_even_steps(replayed):
    sweep = a_sweep(8, 40.0)
    heard, statistics, _ = replayed(sweep, rate_hz=200.0, loop=True, seconds=0.3)
    stamps_s = np.array([one.message.timestamp for one in by_device(heard)["ProbeToTracker"]])
    np.testing.assert_allclose(np.diff(stamps_s), 1 / 40.0, atol=1e-6)
    assert stamps_s[0] == 12.0
    assert statistics.rounds >= 4
    assert statistics.frames == len(stamps_s)


def test_the_pace_does_not_drift_with_the_cost_of_a_frame(replayed, monkeypatch):
    costly = SweepMessages.of_frame

    def of_frame(self, index, later_s):
        time.sleep(0.004)
        return costly(self, index, later_s)

    monkeypatch.setattr(SweepMessages, "of_frame", of_frame)
    heard, statistics, _ = replayed(a_sweep(100), rate_hz=125.0)
    arrived_s = np.array([one.received_s for one in by_device(heard)["ReferenceToTracker"]])
    # 99 steps of 8 ms; waiting 8 ms after every frame would end 0.4 s late.
    assert arrived_s[-1] - arrived_s[0] == pytest.approx(99 / 125.0, abs=0.15)
    assert statistics.wanted_hz == 125.0
    assert statistics.frames == 100


def test_the_recorded_pace_is_kept_pauses_included(replayed):
    sweep = a_sweep(4)
    stamps_s = np.array([5.0, 5.1, 5.4, 5.35])  # a pause, and a stamp that goes back
    sweep = TrackedSweep(sweep.frames, stamps_s, sweep.transforms, sweep.image_valid)
    heard, _, _ = replayed(sweep)
    probe = by_device(heard)["ProbeToTracker"]
    arrived_s = np.array([one.received_s for one in probe])
    np.testing.assert_allclose(arrived_s - arrived_s[0], [0.0, 0.1, 0.4, 0.4], atol=0.09)
    np.testing.assert_allclose([one.message.timestamp for one in probe], stamps_s, atol=1e-8)


def test_a_replay_stops_at_once_and_before_it_began(listener):
    with LinkServer(0) as server:
        Replay(a_sweep(2, 0.1), server).stop()
        replay = Replay(a_sweep(2, 0.1), server)
        replay.start()
        time.sleep(0.05)
        begin_s = time.monotonic()
        replay.stop()
        assert time.monotonic() - begin_s < 0.5
        assert replay.statistics.frames == 1


@pytest.mark.parametrize(
    ("stamps_s", "rate_hz", "words"),
    [
        ([1.0, 1.0, 1.0], None, "tell no rate"),
        ([1.0, -2.0, 3.0], None, "first: -2 s in frame 1"),
        ([1.0, float("nan"), 3.0], None, "cannot carry"),
        ([1.0, 2.0, 3.0], 0.0, "0 Hz"),
        ([1.0, 2.0, 3.0], float("nan"), "nan Hz"),
    ],
)
def test_a_recording_or_rate_without_a_pace_is_refused(stamps_s, rate_hz, words):
    sweep = a_sweep(3)
    sweep = TrackedSweep(sweep.frames, np.array(stamps_s), sweep.transforms, sweep.image_valid)
    with LinkServer(0) as server, pytest.raises(UserError, match=words):
        Replay(sweep, server, rate_hz)


def test_a_transform_that_cannot_be_chained_is_refused():
    with pytest.raises(UserError, match="no transform StylusToReference"):
        SweepMessages(a_sweep(3), extra=("StylusToReference",))


def test_what_ends_a_replay_is_raised_by_wait():
    with LinkServer(0) as server:
        sweep = a_sweep(2)
        messages = SweepMessages(sweep)
        messages.of_frame = lambda index, later_s: 1 / 0
        replay = Replay(sweep, server, messages=messages)
        replay.start()
        with pytest.raises(ZeroDivisionError):
            replay.wait(3.0)


def test_a_real_recording_reaches_a_pyigtl_client_at_the_known_point(plus_data, until):
    sweep = read_sweep(plus_data / "fCal_Test_Calibration_3NWires_fCal2.0.igs.mha")
    calibration = read_calibration(plus_data / "fCal_Test_Calibration_3NWires_fCal2.0.results.xml")
    with LinkServer(0) as server:
        client = pyigtl.OpenIGTLinkClient("127.0.0.1", server.port)
        assert server.wait_for_client(3.0)
        replay = Replay(sweep, server, rate_hz=1.0, messages=SweepMessages(sweep, calibration.image_to_probe))
        replay.start()
        image = client.wait_for_message("Image_Reference", timeout=3)
        replay.stop()
        client.stop()
    # Known answer of the recording: frame 0, pixel (410, 308) → (3.716, −69.322, −3.704) mm.
    np.testing.assert_allclose(
        image.ijk_to_world_matrix @ (410, 308, 0, 1), (3.716, -69.322, -3.704, 1), atol=0.01
    )
    np.testing.assert_array_equal(image.image[0], sweep.frames[0])
    assert abs(image.timestamp - sweep.timestamps_s[0]) < 1e-6
