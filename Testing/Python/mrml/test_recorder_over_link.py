"""From a recording over OpenIGTLink and MRML to a recording: the same frames, with the same poses."""

from __future__ import annotations

import time

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from USGanSimLib.geometry.transforms import TransformTrack  # noqa: E402
from USGanSimLib.link.client import LinkClient  # noqa: E402
from USGanSimLib.link.replay import Replay, SweepMessages  # noqa: E402
from USGanSimLib.link.server import LinkServer  # noqa: E402
from USGanSimLib.mrml.headless.link_bridge import EveryMessage, LinkBridge  # noqa: E402
from USGanSimLib.mrml.recorder.recorder import Recorder  # noqa: E402
from USGanSimLib.recording.sequence_file import read_sweep  # noqa: E402
from USGanSimLib.recording.sweep import TrackedSweep  # noqa: E402


def test_a_replayed_recording_is_recorded_frame_by_frame(scene, tmp_path):
    count = 150
    numbers = np.arange(count)
    random = np.random.default_rng(5)
    matrices = random.normal(size=(2, count, 4, 4))
    matrices[:, :, 3] = 0, 0, 0, 1
    original = TrackedSweep(
        random.integers(0, 256, (count, 48, 64), np.uint8),
        3000 + numbers / 60 + random.uniform(0, 1e-3, count),
        {
            "ProbeToTracker": TransformTrack(matrices[0], numbers % 11 > 2),
            "ReferenceToTracker": TransformTrack(matrices[1], numbers % 13 > 0),
        },
        np.ones(count, bool),
    )
    every = EveryMessage()
    with LinkServer(0) as server, LinkClient("127.0.0.1", server.port, on_message=every.keep) as client:
        assert server.wait_for_client(3.0)
        assert client.wait_connected(3.0)
        time.sleep(0.1)  # the server learns by the client's first message that it takes metadata
        bridge = LinkBridge(scene, images=True)
        recorder = Recorder(
            bridge.image_node("Image_Image"), {name: bridge.node(name) for name in original.transforms}
        )
        recorder.start(tmp_path / "again.igs.mhd")
        replay = Replay(original, server, rate_hz=120, messages=SweepMessages(original))
        replay.start()
        end_s = time.monotonic() + 20
        while recorder.feedback().offered < count and time.monotonic() < end_s:
            bridge.apply(every.take())
            time.sleep(0.002)
        assert replay.wait(1.0)
    again = read_sweep(recorder.stop())
    assert np.array_equal(again.frames, original.frames)
    np.testing.assert_allclose(again.timestamps_s, original.timestamps_s, atol=1e-6)
    for name, track in original.transforms.items():
        assert np.array_equal(again.transforms[name].valid, track.valid)
        np.testing.assert_allclose(
            again.transforms[name].matrices[track.valid], track.matrices[track.valid], rtol=1e-6
        )
    assert every.dropped == 0
    assert recorder.feedback().warnings == ()
