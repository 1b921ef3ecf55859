"""What the scripts of this folder share: Slicer's modules under a headless harness, and a recording that is replayed.

They run where `slicer_harness.py` is (environment variable SLICER_HARNESS, otherwise `shared/tools` beside the
repository), SLICER_SOURCE names a checkout of Slicer, and PySide6 and slicer-core are installed.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
HARNESS = Path(os.environ.get("SLICER_HARNESS") or REPOSITORY.parent / "shared" / "tools" / "slicer_harness.py")


def boot(module: str = "USGanSim"):
    """(harness, the module's Slicer widget, our widget), entered."""
    if not (os.environ.get("SLICER_SOURCE") and HARNESS.is_file()):
        raise SystemExit("Set SLICER_SOURCE to a checkout of Slicer, and SLICER_HARNESS to slicer_harness.py.")
    sys.path[:0] = [str(HARNESS.parent), str(REPOSITORY / "USGanSim")]
    import slicer_harness

    keep_booleans()
    harness = slicer_harness.boot([str(REPOSITORY)])
    loaded = harness.load_module(REPOSITORY / module / f"{module}.py")
    panel = loaded.widgetRepresentation()
    panel.enter()
    return harness, panel, getattr(harness.slicer.modules, f"{module}Widget")


def keep_booleans():
    """PySide loses references of True and False, which ends Python 3.11 after some thousand signals."""
    for value in (True, False):
        ctypes.c_ssize_t.from_address(id(value)).value += 1 << 40


def forget_connections(harness):
    """The harness keeps every function that was ever connected; let go of those that nothing is connected to any more:
    of sections whose widgets are deleted, of a reloaded panel, and of connectors between
    widgets and parameters that are not in use."""
    import shiboken6

    kept = _closed_over(_closed_over(_closed_over(harness.qt.SignalInstance.connect, "wrap_target"), "receiver"),
                        "receivers")
    for function in list(kept):
        owner = getattr(function, "__self__", None)
        widget = getattr(owner, "widget", None)
        dead = isinstance(widget, harness.qt.QObject) and not shiboken6.isValid(widget)
        reloaded = hasattr(owner, "sections") and owner is not harness.slicer.modules.USGanSimWidget
        if dead or reloaded or getattr(owner, "_callback", owner) is None:
            del kept[function]


def _closed_over(function, name):
    return dict(zip(function.__code__.co_freevars, function.__closure__, strict=True))[name].cell_contents


def memory_mb():
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


def problems_told():
    """What the harness found wrong."""
    import slicer_harness

    return [f"{event['kind']}: {event['message']}" for event in slicer_harness.report.events
            if event["kind"] in slicer_harness.Report.SERIOUS]


def leave(failed):
    """End at once: Qt, VTK and MRML are not taken down in an order that works."""
    sys.stdout.flush()
    os._exit(int(failed))


def sections(widget):
    """The sections of a panel by class name."""
    return {type(section).__name__: section for section in widget.sections}


def wait_for(harness, condition, state, seconds=120.0):
    """Let the program run until the condition holds; `state()` tells where it stands when it does not."""
    end = time.time() + seconds
    while not condition():
        if time.time() > end:
            raise SystemExit(f"Nothing happened for {seconds:g} s: {state()}")
        harness.process_events(0.02)


class Replay:
    """A recording's poses, and its images where a volume is given, in the nodes that a tracker would move."""

    def __init__(self, slicer, recording, image_to_probe=None):
        import numpy as np

        from USGanSimLib.recording.sequence_file import read_sweep

        self._slicer = slicer
        self._sweep = read_sweep(recording)
        track = self._sweep.probe_to_reference()
        self.frames = np.flatnonzero(track.valid)
        self.poses = track.matrices
        new = slicer.mrmlScene.AddNewNodeByClass
        self.reference = new("vtkMRMLLinearTransformNode", "ReferenceToRas")
        self.probe = new("vtkMRMLLinearTransformNode", "ProbeToReference")
        self.probe.SetAndObserveTransformNodeID(self.reference.GetID())
        self.image = None
        if image_to_probe is not None:
            self._images = self._sweep.frames
            place = new("vtkMRMLLinearTransformNode", "ImageToProbe")
            slicer.util.updateTransformMatrixFromArray(place, image_to_probe)
            place.SetAndObserveTransformNodeID(self.probe.GetID())
            self.image = new("vtkMRMLScalarVolumeNode", "Image_Reference")
            slicer.util.updateVolumeFromArray(self.image, np.array(self._images[:1]))
            self.image.SetAndObserveTransformNodeID(place.GetID())
            self.image.CreateDefaultDisplayNodes()
            self.image.GetDisplayNode().AutoWindowLevelOff()
            self.image.GetDisplayNode().SetWindowLevelMinMax(0, 255)

    def show(self, index):
        """Frame `index` of the valid ones, round and round."""
        frame = self.frames[index % len(self.frames)]
        if self.image is not None:
            self._slicer.util.arrayFromVolume(self.image)[:] = self._images[frame]
            self._slicer.util.arrayFromVolumeModified(self.image)
        self._slicer.util.updateTransformMatrixFromArray(self.probe, self.poses[frame])

    def run(self, harness, seconds, rate_hz=60.0, first=0):
        """Show frames at this rate for a while. The number of the frame after the last."""
        begin, index = time.perf_counter(), first
        while (gone := time.perf_counter() - begin) < seconds:
            while index - first <= gone * rate_hz:
                self.show(index)
                index += 1
                harness.process_events()
            harness.process_events()
            time.sleep(0.001)
        return index
