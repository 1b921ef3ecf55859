"""The recorder for minutes at 640×480 and 60 frames a second: nothing lost, nothing mispaired, bounded memory.

    USGANSIM_RECORDER_MINUTES=10 pytest -m slow Testing/Python/mrml/test_recorder_endurance.py -s

takes 1.2 GB of disk a minute, prints the counts, the memory every 30 s and the cost of an image on the scene's thread.
Without the variable it runs for a quarter of a minute.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from USGanSimLib.link.client import Received  # noqa: E402
from USGanSimLib.link.wire import image_message, transform_message  # noqa: E402
from USGanSimLib.mrml.headless.link_bridge import LinkBridge  # noqa: E402
from USGanSimLib.mrml.recorder.recorder import Recorder  # noqa: E402
from USGanSimLib.recording.pixels import release_pages  # noqa: E402
from USGanSimLib.recording.sequence_file import read_sweep  # noqa: E402

WIDTH, HEIGHT, RATE_HZ = 640, 480, 60
MEMORY_EVERY_S = 30


def resident_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")


def send(bridge, number: int, image: np.ndarray) -> None:
    """A frame as PLUS sends it; its number stands in the pixels and in both poses."""
    image[0, :3] = number >> 16, number >> 8 & 255, number & 255
    pose = np.eye(4)
    pose[0, 3] = number
    stamp_s = 1000 + number / RATE_HZ
    bridge.apply(
        [
            Received(transform_message(name, pose, stamp_s), 0.0)
            for name in ("ProbeToTracker", "ReferenceToTracker")
        ]
    )
    bridge.apply([Received(image_message("Image_Image", image, np.eye(4), stamp_s), 0.0)])


def record(scene, path: Path, frames: int) -> tuple[Recorder, list[float], np.ndarray]:
    """The recorder at the end, the memory every 30 s, and the seconds that each image's observer took."""
    bridge = LinkBridge(scene, images=True)
    recorder = Recorder(
        bridge.image_node("Image_Image"),
        {name: bridge.node(name) for name in ("ProbeToTracker", "ReferenceToTracker")},
    )
    observe, costs_s = recorder._on_image, np.zeros(frames)
    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH), np.uint8)
    number = 0

    def timed(caller, event) -> None:
        began_s = time.perf_counter()
        observe(caller, event)
        costs_s[number] += time.perf_counter() - began_s

    recorder._on_image = timed
    recorder.start(path)
    memory_mb, begin_s = [], time.perf_counter()
    for number in range(frames):
        time.sleep(max(begin_s + number / RATE_HZ - time.perf_counter(), 0.0))
        send(bridge, number, image)
        # A second first, for what is made once.
        if number >= RATE_HZ and (number - RATE_HZ) % (MEMORY_EVERY_S * RATE_HZ) == 0:
            memory_mb.append(resident_mb())
            recorder.feedback()
    memory_mb.append(resident_mb())
    return recorder, memory_mb, costs_s


def wrong_frames(path: Path, frames: int) -> int:
    """How many frames are not the one that was sent at this place, in pixels, stamp or a pose."""
    sweep = read_sweep(path)
    numbers = np.arange(len(sweep))
    seen = np.empty(len(sweep), int)
    for number in numbers:
        first = sweep.frames[number, 0, :3].astype(int)
        seen[number] = first @ (65536, 256, 1)
        if number % 500 == 0:
            release_pages(sweep.frames)
    wrong = (seen != numbers) | (np.abs(sweep.timestamps_s - 1000 - numbers / RATE_HZ) > 1e-6)
    for track in sweep.transforms.values():
        wrong |= ~track.valid | (track.matrices[:, 0, 3] != numbers)
    return int(wrong.sum()) + abs(frames - len(sweep))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="reads the resident memory from /proc")
def test_minutes_at_60_hz_lose_and_mispair_nothing_in_bounded_memory(scene, tmp_path):
    frames = int(float(os.environ.get("USGANSIM_RECORDER_MINUTES", "0.25")) * 60 * RATE_HZ)
    needed = frames * WIDTH * HEIGHT * 1.1
    if shutil.disk_usage(tmp_path).free < 2 * needed:
        pytest.skip(f"needs {needed / 1e9:.1f} GB of disk, and as much left free")
    try:
        recorder, memory_mb, costs_s = record(scene, tmp_path / "x.igs.mhd", frames)
        began_s = time.perf_counter()
        path = recorder.stop()
        stop_s, feedback = time.perf_counter() - began_s, recorder.feedback()
        wrong = wrong_frames(path, frames)
        print(
            json.dumps(
                {
                    "offered": feedback.offered,
                    "kept": feedback.counts.written,
                    "dropped": feedback.counts.dropped,
                    "wrong": wrong,
                    "memory_mb": [round(one) for one in memory_mb],
                    "stop_s": round(stop_s, 2),
                    "observer_ms": {
                        "median": round(float(np.median(costs_s)) * 1e3, 3),
                        "p99": round(float(np.percentile(costs_s, 99)) * 1e3, 3),
                        "most": round(float(costs_s.max()) * 1e3, 1),
                    },
                }
            )
        )
    finally:
        shutil.rmtree(tmp_path)
    assert feedback.offered == feedback.counts.written == frames
    assert (feedback.refused, feedback.counts.dropped, wrong) == (0, 0, 0)
    assert max(memory_mb) - memory_mb[0] <= 200
    assert stop_s < 10
