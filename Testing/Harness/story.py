"""What the driving scripts share: virtual recordings, and their replay into nodes of the scene as a tracker's.

For scripts of the harness (`slicer_harness.py --script`), whose `harness` and `slicer` they hand over.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from USGanSimLib.link.client import Received
from USGanSimLib.link.wire import image_message, transform_message
from USGanSimLib.mrml.link_bridge import LinkBridge
from USGanSimLib.recording.sequence_file import read_sweep


def virtual(path: Path, *options: str) -> Path:
    """A recording of the virtual phantom, made once."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "USGanSimLib", "phantom", "--out", str(path), *options], check=True)
    return path


class Tracker:
    """Sends the frames of a recording into the scene, images and transforms, with their stamps, at `rate_hz`."""

    def __init__(self, harness: Any, scene: Any, path: Path, rate_hz: float = 40.0) -> None:
        self._harness, self._rate_hz = harness, rate_hz
        self.sweep = read_sweep(path)
        self.bridge = LinkBridge(scene, images=True)
        self.image = self.bridge.image_node("Image_Image")
        self.nodes = {name: self.bridge.node(name) for name in self.sweep.transforms}

    def send(self, frame: int) -> None:
        stamp_s = float(self.sweep.timestamps_s[frame])
        messages = [transform_message(name, track.matrices[frame], stamp_s, "OK" if track.valid[frame] else "INVALID")
                    for name, track in self.sweep.transforms.items()]
        messages.append(image_message("Image_Image", self.sweep.frames[frame], _identity(), stamp_s, {}))
        self.bridge.apply([Received(message, 0.0) for message in messages])

    def play(self, begin: int, end: int) -> None:
        """Send frames while the panel lives."""
        for frame in range(begin, end):
            due_s = time.perf_counter() + 1 / self._rate_hz
            self.send(frame)
            self._harness.process_events(max(due_s - time.perf_counter(), 0.0))


def _identity() -> Any:
    import numpy as np

    return np.eye(4)


def press(section: Any, name: str) -> None:
    """Click a button that a person could click."""
    button = getattr(section.ui, name)
    assert button.enabled, f"{name} is off: {button.toolTip}"
    button.click()


def wait_until(harness: Any, condition: Any, seconds: float = 120.0) -> None:
    """Let the panel live until a condition holds."""
    end_s = time.perf_counter() + seconds
    while not condition():
        assert time.perf_counter() < end_s, f"not after {seconds} s"
        harness.process_events(0.05)
