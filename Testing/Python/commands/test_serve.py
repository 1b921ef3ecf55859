"""`usgansim serve` between a replay and a client. The renderer stands in for a trained network; the model file's
header, which decides about fit and frames, is real."""

from __future__ import annotations

import contextlib
import json
import struct
import sys
import threading
import time
import types

import numpy as np
import pytest

from USGanSimLib.cli import main
from USGanSimLib.geometry.conditioning import CoordinateNormalisation
from USGanSimLib.geometry.image_geometry import Crop, ImageGeometry
from USGanSimLib.geometry.pose_distance import PoseRange
from USGanSimLib.link import wire
from USGanSimLib.link.client import LinkClient
from USGanSimLib.link.server import LinkServer
from USGanSimLib.model.info import METADATA_KEY, ModelInfo

GEOMETRY = ImageGeometry(8, 6, np.diag([1.0, 1.0, 1.0, 1.0]))


class Renderer:
    threads_in_words = ""
    width_px, height_px, image_to_probe = 8, 6, GEOMETRY.image_to_probe
    pose_range = PoseRange(8, 6, np.eye(4)[np.newaxis], coverage_mm=50.0)

    def render(self, image_to_reference):
        return np.full((6, 8), 9, np.uint8)


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A model file with a header and no weights, and a renderer in the place of the one with torch."""
    normalisation = CoordinateNormalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    info = ModelInfo(
        "paper",
        {},
        GEOMETRY,
        (8, 6),
        Crop(0, 0, 8, 6),
        "Reference",
        normalisation,
        Renderer.pose_range,
        training_set_sha256="0" * 64,
        seed=0,
        iterations=1,
        software_version="0",
    )
    header = json.dumps({"__metadata__": {METADATA_KEY: info.to_json()}}).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    module = types.ModuleType("USGanSimLib.ml.renderer")
    module.ModelRenderer = types.SimpleNamespace(load=lambda path, device, threads: Renderer())
    monkeypatch.setitem(sys.modules, "USGanSimLib.ml.renderer", module)
    return path


def answer(capsys, *words):
    """Exit code, the JSON result (or None), and what stands on standard error."""
    code = main(["serve", *map(str, words), "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out) if out else None, err


@contextlib.contextmanager
def poses_from(tracker):
    """Up to 500 poses, 10 ms apart, come from a server meanwhile."""
    stopping = threading.Event()

    def track():
        for i in range(500):
            tracker.send([wire.transform_message("ProbeToReference", np.eye(4), float(i))])
            if stopping.wait(0.01):
                return

    sender = threading.Thread(target=track)
    sender.start()
    try:
        yield
    finally:
        stopping.set()
        sender.join()


def test_poses_become_images_until_the_time_is_over(model, capsys):
    with LinkServer(0) as tracker, LinkServer(0) as free:
        port = free.port
        free.stop()
        with poses_from(tracker), LinkClient("127.0.0.1", port, wanted=("IMAGE",)) as client:
            code, result, err = answer(
                capsys, model, "--connect", f"127.0.0.1:{tracker.port}", "--port", port, "--seconds", 1.0
            )
            images = client.counts.received[("IMAGE", "Image_Reference")]
    assert code == 0
    assert images > 10
    poses = result["poses"]
    assert poses["received"] == poses["rendered"] + poses["superseded"] + poses["unusable"] + poses["waiting"]
    assert poses["rendered"] >= images
    assert result["latency"]["total_median_ms"] > 0
    assert "Not for clinical use." in err
    assert f"connected to 127.0.0.1:{tracker.port}" in err


def test_that_fewer_threads_render_is_said_when_it_begins_and_when_it_ends(model, capsys, monkeypatch):
    words = iter(["1 of 2 threads, the processor is busy"] * 2)
    monkeypatch.setattr(Renderer, "threads_in_words", property(lambda renderer: next(words, "")))
    _, _, err = answer(capsys, model, "--connect", "127.0.0.1:1", "--port", 0, "--seconds", 1.4)
    assert err.index("Rendering: 1 of 2 threads, the processor is busy.") < err.index(
        "Rendering: with all threads."
    )


def test_the_pose_that_is_being_rendered_when_the_time_is_over_is_in_the_account(model, capsys, monkeypatch):
    def slow(renderer, image_to_reference):
        time.sleep(0.4)
        return np.full((6, 8), 9, np.uint8)

    monkeypatch.setattr(Renderer, "render", slow)
    with LinkServer(0) as tracker, poses_from(tracker):
        code, result, _ = answer(
            capsys, model, "--connect", f"127.0.0.1:{tracker.port}", "--port", 0, "--seconds", 1.0
        )
    poses = result["poses"]
    assert code == 0
    assert poses["rendered"] >= 1
    assert poses["received"] == poses["rendered"] + poses["superseded"] + poses["unusable"] + poses["waiting"]


def test_a_tracker_that_is_not_there_is_said_and_is_no_error(model, capsys):
    code, result, err = answer(capsys, model, "--connect", "127.0.0.1:1", "--port", 0, "--seconds", 0.8)
    assert code == 0
    assert "Connection refused" in err
    assert result["state"].startswith("no pose yet")
    assert result["latency"]["rate_hz"] is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--connect", "localhost"], "'localhost' is not HOST:PORT"),
        (["--connect", "localhost:port"], "is not HOST:PORT"),
        (["--connect", "localhost:99999"], "99999 is no port"),
        (["--port", "99999"], "--port: 99999 is out"),
        (["--transform", "probe"], "'probe' does not name a transform"),
    ],
)
def test_bad_input_ends_with_2_and_one_line(model, capsys, words, said):
    code, result, err = answer(capsys, model, "--port", 0, "--seconds", 0.1, *words)
    assert (code, result) == (2, None)
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_a_calibration_that_the_model_does_not_fit_is_refused(model, tmp_path, capsys):
    calibration = tmp_path / "CAL.json"
    image_to_probe = np.eye(4)
    image_to_probe[0, 3] = 12.0
    calibration.write_text(json.dumps({"image_to_probe": image_to_probe.tolist()}))
    code, _, err = answer(capsys, model, "--port", 0, "--calibration", calibration, "--seconds", 0.1)
    assert code == 2
    assert "12.0 mm apart" in err


def test_a_file_that_is_no_model_is_refused(tmp_path, capsys):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"\x80\x04pickle")
    code, _, err = answer(capsys, path, "--port", 0)
    assert code == 2
    assert "is not a safetensors file" in err
