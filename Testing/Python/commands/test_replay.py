"""`usgansim replay` as a person runs it: from a file, over loopback, to the end or to Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from USGanSimLib.cli import main
from USGanSimLib.geometry.transforms import TransformTrack
from USGanSimLib.link.client import LinkClient
from USGanSimLib.link.server import LinkServer
from USGanSimLib.recording.sequence_file import write_sweep
from USGanSimLib.recording.sweep import TrackedSweep


@pytest.fixture
def recording(tmp_path):
    """Ten frames at 50 Hz; the probe moves by one millimetre a frame."""
    poses = np.tile(np.eye(4), (10, 1, 1))
    poses[:, 0, 3] = np.arange(10)
    track = TransformTrack(poses, np.ones(10, bool))
    sweep = TrackedSweep(
        np.zeros((10, 6, 8), np.uint8), 3.0 + np.arange(10) / 50, {"ProbeToTracker": track}, np.ones(10, bool)
    )
    path = tmp_path / "moved.igs.mha"
    write_sweep(path, sweep)
    return path


def answer(capsys, *words):
    """Exit code, the JSON result (or None), and what stands on standard error."""
    code = main(["replay", *map(str, words), "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out) if out else None, err


def test_a_recording_is_played_once_at_its_own_rate(recording, capsys):
    code, result, err = answer(capsys, recording, "--port", 0)
    assert code == 0
    assert (result["frames"], result["rounds"], result["clients"]) == (10, 1, 0)
    assert result["devices"] == ["ProbeToTracker", "Image_Image"]
    assert result["rate_hz"] == pytest.approx(50, rel=0.1)
    assert result["wanted_hz"] == pytest.approx(50)
    assert f"127.0.0.1:{result['port']}" in err


def test_it_prints_for_a_person(recording, capsys):
    assert main(["replay", str(recording), "--port", "0", "--rate", "500"]) == 0
    out = capsys.readouterr().out
    assert "10 frames in 0.02 s." in out
    assert "500.00 asked for" in out


def test_the_first_client_is_waited_for_when_asked(recording, capsys):
    with LinkServer(0) as free:
        port = free.port
    heard = []
    late = threading.Timer(0.3, lambda: heard.append(LinkClient("127.0.0.1", port)))
    late.start()
    code, result, _ = answer(capsys, recording, "--port", port, "--wait-client", "--rate", 200)
    late.join()
    with heard[0] as client:
        end = time.monotonic() + 3.0
        while client.connected and time.monotonic() < end:  # it is still reading what was sent
            time.sleep(0.01)
        assert code == 0
        assert (result["clients"], result["sent"]) == (1, 20)
        assert client.counts.received[("TRANSFORM", "ProbeToTracker")] == 10


def test_ctrl_c_ends_a_loop_with_130_and_the_counts(recording):
    command = [
        sys.executable,
        "-m",
        "USGanSimLib",
        "replay",
        str(recording),
        "--port",
        "0",
        "--loop",
        "--json",
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as child:
        try:
            port = int(re.search(r"127\.0\.0\.1:(\d+)", child.stderr.readline())[1])
            with LinkClient("127.0.0.1", port) as client:
                assert client.wait(5.0)
                child.send_signal(signal.SIGINT)
                out, err = child.communicate(timeout=10)
        finally:
            child.kill()  # a failure must not leave the loop running, and this test waiting for it
    assert child.returncode == 130
    result = json.loads(out)
    assert result["clients"] == 1
    assert result["sent"] > 0
    assert err.strip().endswith("interrupted.")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--rate", "-5"], "--rate: -5 is out"),
        (["--transform", "ProbeToReference"], "no transform ProbeToReference"),
        (["--transform", "probe"], "'probe' does not name a transform"),
        (["--port", "70000"], "--port: 70000 is out"),
        (["--host", "192.0.2.1"], "192.0.2.1"),
        (["--calibration", "missing.json"], "missing.json"),
    ],
)
def test_bad_input_ends_with_2_and_one_line(recording, capsys, words, said):
    code, result, err = answer(capsys, recording, "--port", 0, *words)
    assert (code, result) == (2, None)
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_a_port_in_use_is_named(recording, capsys):
    with LinkServer(0) as server:
        code, _, err = answer(capsys, recording, "--port", server.port)
    assert code == 2
    assert f"Port {server.port} on 127.0.0.1 is in use. Choose another --port" in err


def test_a_missing_file_is_named(tmp_path, capsys):
    code, _, err = answer(capsys, tmp_path / "nothing.igs.mha", "--port", 0)
    assert code == 2
    assert "nothing.igs.mha" in err


def test_a_calibration_puts_the_images_in_reference(plus_data, capsys):
    code, result, _ = answer(
        capsys,
        plus_data / "SpinePhantomFreehand.igs.mha",
        "--port",
        0,
        "--rate",
        500,
        "--calibration",
        plus_data / "PlusDeviceSet_SpinePhantomFreehandReconstructionOnly.xml",
        "--transform",
        "ProbeToReference",
    )
    assert code == 0
    assert {"ProbeToReference", "Image_Reference"} <= set(result["devices"])
