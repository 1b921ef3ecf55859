"""What the scripts of this folder share: Slicer's modules under a headless harness, what a person presses, recordings
that are replayed as a tracker sends them, pictures, and what is left afterwards.

They run where `slicer_harness.py` is (environment variable SLICER_HARNESS, otherwise `shared/tools` beside the
repository), SLICER_SOURCE names a checkout of Slicer, and PySide6 and slicer-core are installed. Most are programs and
`boot` a module; those that run.py runs are handed `harness`, `slicer`, `widget` and `panel` by the harness.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
HARNESS = Path(
    os.environ.get("SLICER_HARNESS") or REPOSITORY.parent / "shared" / "tools" / "slicer_harness.py"
)
BUSY_MS = {}  # button → how long a click took at most


# The harness


def keep_constants():
    """Give None, True and False references for any run. Under Python before 3.12 every property that is set on a widget
    of PySide6 6.12 takes one of None away, and a signal that is connected one of True or False; after some thousands
    the interpreter dies."""
    if sys.version_info < (3, 12):
        for constant in (None, True, False):
            ctypes.c_ssize_t.from_address(id(constant)).value += 1 << 40


def boot(module="USGanSim"):
    """(harness, the module's Slicer widget, our widget), entered."""
    if not (os.environ.get("SLICER_SOURCE") and HARNESS.is_file()):
        raise SystemExit(
            "Set SLICER_SOURCE to a checkout of Slicer, and SLICER_HARNESS to slicer_harness.py."
        )
    sys.path[:0] = [str(HARNESS.parent), str(REPOSITORY / "USGanSim")]
    import slicer_harness

    keep_constants()
    harness = slicer_harness.boot([str(REPOSITORY)])
    panel = harness.load_module(REPOSITORY / module / f"{module}.py").widgetRepresentation()
    panel.enter()
    return harness, panel, getattr(harness.slicer.modules, f"{module}Widget")


def problems_told():
    """What the harness found wrong."""
    import slicer_harness

    return [
        f"{event['kind']}: {event['message']}"
        for event in slicer_harness.report.events
        if event["kind"] in slicer_harness.Report.SERIOUS
    ]


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
        harness.screenshot_app(panel, str(path), 1280, height)
    else:
        harness.screenshot_panel(panel, str(path))
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
    # Outside of exec() nothing else does what deleteLater() asked for.
    qt.QCoreApplication.sendPostedEvents(None, qt.QEvent.DeferredDelete)
    harness.process_events(0.05)
    forget_connections(harness)
    forget_single_shots(harness)
    for _ in range(3):
        gc.collect()
    alive = gc.get_objects()
    timers = [thing for thing in alive if isinstance(thing, qt.QTimer) and shiboken6.isValid(thing)]
    names = [type(thing).__name__ for thing in alive]
    return {
        "nodes": slicer.mrmlScene.GetNumberOfNodes(),
        "scene_observers": str(slicer.mrmlScene).count("vtkObserver ("),
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


def forget_connections(harness):
    """The harness keeps every function that was ever connected; let go of those that nothing is connected to any more:
    of a module and a library that were reloaded, of sections and windows whose widgets are deleted, and of connectors
    between widgets and parameters that are not in use."""
    import shiboken6

    kept = _closed_over(
        _closed_over(_closed_over(harness.qt.SignalInstance.connect, "wrap_target"), "receiver"), "receivers"
    )
    for function in list(kept):
        held = [cell.cell_contents for cell in getattr(function, "__closure__", None) or ()]
        owner = getattr(function, "__self__", held[0] if held else None)
        widgets = [getattr(owner, name, None) for name in ("widget", "window")]
        dead = any(
            isinstance(widget, harness.qt.QObject) and not shiboken6.isValid(widget) for widget in widgets
        )
        unused = owner is not None and getattr(owner, "_callback", owner) is None
        if dead or unused or _of_an_earlier_load(function):
            del kept[function]


def forget_single_shots(harness):
    """The harness keeps the timers and slots of QTimer.singleShot() that have fired, too."""
    import shiboken6

    qt = harness.qt
    for thing in gc.get_objects():
        if (
            isinstance(thing, qt.QTimer)
            and shiboken6.isValid(thing)
            and thing.parent() is None
            and thing.isSingleShot()
            and not thing.isActive()
        ):
            shiboken6.delete(thing)


def _of_an_earlier_load(function):
    owner, names = getattr(function, "__self__", None), getattr(function, "__globals__", None)
    if names is None:
        names = getattr(getattr(function, "__func__", None), "__globals__", {})
    return _replaced(names.get("__name__", ""), lambda module: vars(module) is names) or _replaced(
        type(owner).__module__, lambda module: getattr(module, type(owner).__name__, None) is type(owner)
    )


def _replaced(name, is_of):
    return name.startswith("USGan") and not (name in sys.modules and is_of(sys.modules[name]))


def _closed_over(function, name):
    return dict(zip(function.__code__.co_freevars, function.__closure__, strict=True))[name].cell_contents
