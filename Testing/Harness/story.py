"""What the driving scripts share: virtual recordings, and their replay into nodes of the scene as a tracker's.

For scripts of the harness (`slicer_harness.py --script`), whose `harness` and `slicer` they hand over.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from USGanSimLib.link.client import Received
from USGanSimLib.link.wire import image_message, transform_message
from USGanSimLib.mrml.link_bridge import LinkBridge
from USGanSimLib.recording.sequence_file import read_sweep

BUSY_MS: dict[str, float] = {}  # button → how long a click took at most


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
        messages.append(image_message("Image_Image", self.sweep.frames[frame], np.eye(4), stamp_s, {}))
        self.bridge.apply([Received(message, 0.0) for message in messages])

    def play(self, begin: int, end: int) -> None:
        """Send frames while the panel lives."""
        for frame in range(begin, end):
            due_s = time.perf_counter() + 1 / self._rate_hz
            self.send(frame)
            self._harness.process_events(max(due_s - time.perf_counter(), 0.0))


def python_slicer(folder: Path) -> None:
    """Put a PythonSlicer on the PATH that is this Python, as Slicer's launcher does with its own."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "PythonSlicer"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"


def press(section: Any, name: str) -> None:
    """Click a button that a person could click, and note how long the panel was busy with it."""
    button = getattr(section.ui, name)
    assert button.enabled, f"{name} is off: {button.toolTip}"
    began_s = time.perf_counter()
    button.click()
    BUSY_MS[name] = max(BUSY_MS.get(name, 0.0), 1000 * (time.perf_counter() - began_s))


def only(section: Any, *names: str) -> None:
    """Open these groups of a section and close its others, for a picture."""
    for name, widget in vars(section.ui).items():
        if widget.className().endswith("ctkCollapsibleButton"):
            widget.collapsed = name not in names


def picture(harness: Any, panel: Any, path: Path, height: int = 800, width: int = 1280, views: bool = True) -> None:
    """The panel, with the views beside it, as a PNG of 128 colours, small enough for a repository; `width` 856 leaves
    the views out that stand on the right."""
    from PIL import Image

    if views:
        harness.screenshot_app(panel, str(path), 1280, height)
    else:
        harness.screenshot_panel(panel, str(path))
    with Image.open(path) as file:
        shot = file.convert("RGB")
    # Below the last line there is nothing to see.
    rows = np.flatnonzero(np.ptp(np.asarray(shot), axis=1).any(axis=1))
    shot = shot.crop((0, 0, min(shot.width, width), min(shot.height, int(rows[-1]) + 12)))
    shot.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)


def wait_until(harness: Any, condition: Any, seconds: float = 120.0) -> None:
    """Let the panel live until a condition holds."""
    end_s = time.perf_counter() + seconds
    while not condition():
        assert time.perf_counter() < end_s, f"not after {seconds} s"
        harness.process_events(0.05)
