"""What the scripts of this folder share: our modules in the stand-in for Slicer, what a person presses, recordings that
are replayed as a tracker sends them, pictures, and what is left afterwards.

SLICER_SOURCE names a checkout of Slicer, and PySide6 and slicer-core are installed (`make gui` makes an environment in
.venv-gui). Most are programs and `boot` a module; those that run.py runs are handed `harness` (the stand-in), `slicer`,
`widget` and `panel`.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import standin
from standin.observers import count_observers
from standin.pictures import four_views, panel_beside_views, panel_picture

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(1, str(REPOSITORY / "USGanSim"))
BUSY_MS = {}  # button → how long a click took at most


# The stand-in


def boot(module="USGanSim"):
    """(stand-in, the module's Slicer widget, our widget), entered."""
    harness = standin.boot()
    panel = harness.load_module(REPOSITORY / module / f"{module}.py").widgetRepresentation()
    panel.enter()
    return harness, panel, getattr(harness.slicer.modules, f"{module}Widget")


def problems_told():
    """What went wrong, of which nobody was told but the stand-in."""
    return standin.problems.problems.serious()


def leave(failed):
    """End at once: Qt, VTK and MRML are not taken down in an order that works."""
    sys.stdout.flush()
    os._exit(int(failed))


# What a person does


def sections(widget):
    """The sections of a panel by class name."""
    return {type(section).__name__: section for section in widget.sections}


def press(section, name):
    """Click a button that a person could click, and note how long the panel was busy with it."""
    button = getattr(section.ui, name)
    assert button.enabled, f"{name} is off: {button.toolTip}"
    began_s = time.perf_counter()
    button.click()
    BUSY_MS[name] = max(BUSY_MS.get(name, 0.0), 1000 * (time.perf_counter() - began_s))


def only(section, *names):
    """Open these groups of a section and close its others, for a picture."""
    for name, widget in vars(section.ui).items():
        if widget.className().endswith("ctkCollapsibleButton"):
            widget.collapsed = name not in names


def wait_until(harness, condition, seconds=120.0, state=None):
    """Let the panel live until the condition holds; `state()` tells where it stands when it does not."""
    end_s = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end_s:
            raise TimeoutError(f"Nothing happened for {seconds:g} s. {state() if state else ''}")
        harness.process_events(0.02)


# Recordings, processes


def virtual(path, *options):
    """A recording of the virtual phantom, made once."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [sys.executable, "-m", "USGanSimLib", "phantom", "--out", str(path), *options], check=True
        )
    return path


def python_slicer(folder):
    """Put a PythonSlicer on the PATH that is this Python, as Slicer's launcher does with its own."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "PythonSlicer"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"


class Tracker:
    """Sends the frames of a recording into the scene, transforms and (with `images`) images, with their stamps, at
    `rate_hz`. With `combined` ProbeToReference takes the place of the tools' transforms."""

    def __init__(self, harness, path, rate_hz=40.0, images=True, combined=False):
        from USGanSimLib.mrml.headless.link_bridge import LinkBridge
        from USGanSimLib.recording.sequence_file import read_sweep

        self._harness, self._rate_hz = harness, rate_hz
        self.sweep = read_sweep(path)
        self._tracks = (
            {"ProbeToReference": self.sweep.probe_to_reference()} if combined else self.sweep.transforms
        )
        self.bridge = LinkBridge(harness.slicer.mrmlScene, images=images)
        self.image = self.bridge.image_node("Image_Image") if images else None
        self.nodes = {name: self.bridge.node(name) for name in self._tracks}

    def send(self, frame):
        """Frame `frame`; after the last one the first again."""
        import numpy as np

        from USGanSimLib.link.client import Received
        from USGanSimLib.link.wire import image_message, transform_message

        frame %= len(self.sweep)
        stamp_s = float(self.sweep.timestamps_s[frame])
        messages = [
            transform_message(name, track.matrices[frame], stamp_s, "OK" if track.valid[frame] else "INVALID")
            for name, track in self._tracks.items()
        ]
        if self.image is not None:
            messages.append(image_message("Image_Image", self.sweep.frames[frame], np.eye(4), stamp_s, {}))
        self.bridge.apply([Received(message, 0.0) for message in messages])

    def play(self, begin, end):
        """Send frames while the panel lives. The number of the frame after the last."""
        for frame in range(begin, end):
            due_s = time.perf_counter() + 1 / self._rate_hz
            self.send(frame)
            self._harness.process_events(max(due_s - time.perf_counter(), 0.0))
        return end


# Pictures


def picture(harness, panel, path, height=800, width=1280, views=True):
    """The panel, with the views beside it, as a PNG; `width` 856 leaves the views out that stand on the right."""
    if views:
        places = four_views(1280 - 430, height)
        panel_beside_views(harness, panel, path, places, (1280, height), labels=True)
    else:
        panel_picture(harness, panel, path)
    save_small(path, width, 128)


def save_small(path, width=None, colours=256):
    """Make a PNG small enough for a repository: a palette without dithering, which keeps greys grey. Below its last
    line and right of `width` pixels nothing is kept."""
    import numpy as np
    from PIL import Image

    with Image.open(path) as file:
        shot = file.convert("RGB")
    rows = np.flatnonzero(np.ptp(np.asarray(shot), axis=1).any(axis=1))
    shot = shot.crop((0, 0, min(shot.width, width or shot.width), min(shot.height, int(rows[-1]) + 12)))
    shot.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)


# What is left


def memory_mb():
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


def children():
    """Numbers of the child processes."""
    found = []
    for task in Path("/proc/self/task").glob("*/children"):
        found += task.read_text(encoding="utf-8").split()
    return found


def left(harness, kinds=()):
    """What there is of everything that must not grow, and of objects of the classes with these names."""
    import shiboken6

    slicer, qt = harness.slicer, harness.qt
    harness.process_events(0.05)
    for _ in range(3):
        gc.collect()
    alive = gc.get_objects()
    timers = [thing for thing in alive if isinstance(thing, qt.QTimer) and shiboken6.isValid(thing)]
    names = [type(thing).__name__ for thing in alive]
    return {
        "nodes": slicer.mrmlScene.GetNumberOfNodes(),
        "scene_observers": count_observers(slicer.mrmlScene),
        "timers": len(timers),
        "running_timers": sum(timer.isActive() for timer in timers),
        "windows": len(qt.QApplication.topLevelWidgets()),
        "processes": len(children()),
        **{kind: names.count(kind) for kind in kinds},
        "memory_mb": memory_mb(),
    }


def growth(before, after, most_mb=None, twice=()):
    """What grew from one `left` to another, in words; memory only where it may grow by no more than `most_mb`. After
    reloads there may be `twice` as many of the classes of a panel: the one that was reloaded last is still there."""
    counted = sorted(before.keys() - {"memory_mb"})
    grown = [name for name in counted if after[name] > before[name] + max(1, before[name]) * (name in twice)]
    if most_mb is not None and after["memory_mb"] > before["memory_mb"] + most_mb:
        grown.append("memory_mb")
    return [f"{name} grew from {before[name]} to {after[name]}" for name in grown]


def judge_cycles(phases, most_mb, twice):
    """Print what was left after the phases (warm-up, cycles, reloads) of a cycle script, and what grew; then end."""
    before, after, reloaded = (
        {name: phase[name] for name in phase if name not in ("phase", "cycles")} for phase in phases
    )
    problems = growth(before, after, most_mb)
    problems += [f"after reloads {words}" for words in growth(after, reloaded, twice=twice)]
    problems += problems_told()
    print(json.dumps({"phases": phases, "problems": problems}, indent=1))
    leave(bool(problems))
