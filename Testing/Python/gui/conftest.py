"""Tests of USGanSimLib/gui in a stand-in for desktop Slicer (Testing/Harness/standin): in a process of their own,
because a test of the other rings must not see it. `make gui` and static/test_gui_under_the_harness.py start it."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from USGanSimLib.geometry.conditioning import CoordinateNormalisation
from USGanSimLib.geometry.image_geometry import Crop, ImageGeometry
from USGanSimLib.geometry.pose_distance import PoseRange
from USGanSimLib.live import PoseState
from USGanSimLib.model.info import METADATA_KEY, ModelInfo

HARNESS_SCRIPTS = Path(__file__).resolve().parents[2] / "Harness"

IMAGE_TO_PROBE = np.diag([0.5, 0.5, 1, 1])

if "USGANSIM_GUI_TESTS" not in os.environ:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session", autouse=True)
def harness():
    sys.path.insert(0, str(HARNESS_SCRIPTS))
    import standin

    return standin.boot()


@pytest.fixture(autouse=True)
def nothing_goes_wrong_unseen(harness, request):
    """An exception in a slot, a timer or an observer fails the test in which it was raised; Qt and VTK go on after it.
    So does an error of VTK, a signal that does not exist, and an error that a panel caught and logged, but for tests
    of a file that says PROVOKES_ERRORS."""
    harness.problems.take()
    harness.dialogs.forget()
    yield
    expected = ["error"] if getattr(request.module, "PROVOKES_ERRORS", False) else []
    assert harness.problems.take(*expected) == []


@pytest.fixture(scope="module")
def panel(harness, repository):
    """The panel of USGanSim, entered."""
    panel = harness.load_module(repository / "USGanSim" / "USGanSim.py").widgetRepresentation().self()
    panel.parent.enter()
    yield panel
    panel.parent.exit()
    panel.cleanup()


@pytest.fixture(scope="module")
def training_module(harness, repository):
    sys.path.append(str(repository / "USGanTraining"))
    return harness.load_module(str(repository / "USGanTraining" / "USGanTraining.py"))


@pytest.fixture
def training_panel(training_module, harness, monkeypatch):
    """The widget of USGanTraining, shown."""
    monkeypatch.setattr("USGanSimLib.gui.training.train.dependencies.ensure_torch", lambda: None)
    harness.slicer.mrmlScene.Clear()
    representation = training_module.widgetRepresentation()
    representation.enter()
    yield harness.slicer.util.getModuleWidget("USGanTraining")
    representation.exit()
    harness.slicer.mrmlScene.Clear()


@pytest.fixture
def tab(training_panel):
    """A tab of USGanTraining by the name of its class."""
    return lambda name: next(one for one in training_panel.sections if type(one).__name__ == name)


@pytest.fixture
def until(harness):
    """Let Qt's events run until a condition holds."""

    def wait(condition, seconds=30.0):
        end_s = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end_s, f"not after {seconds} s"
            harness.process_events(0.02)

    return wait


@pytest.fixture
def python_slicer(harness, tmp_path, monkeypatch):
    """A PythonSlicer on the PATH that is this Python."""
    import harness_common

    monkeypatch.setenv("PATH", os.environ["PATH"])
    harness_common.python_slicer(tmp_path / "bin")


class Noisy:
    """Grey 100 and its noise on top, which `resample` counts up."""

    width_px, height_px, image_to_probe = 32, 24, IMAGE_TO_PROBE
    pose_range = PoseRange(32, 24, IMAGE_TO_PROBE[None], coverage_mm=50.0)

    def __init__(self):
        self.noise = 0

    def render(self, image_to_reference):
        return np.full((24, 32), 100 + self.noise, np.uint8)

    def sample(self, image_to_reference, n):
        return np.full((n, 24, 32), 90, np.uint8)

    def resample(self):
        self.noise += 1

    def drift(self, step):
        self.noise += 1


@pytest.fixture
def noisy():
    """A renderer that needs no torch."""
    return Noisy


@pytest.fixture
def model(tmp_path):
    info = ModelInfo(
        "noisy",
        {},
        ImageGeometry(32, 24, IMAGE_TO_PROBE),
        (32, 24),
        Crop(0, 0, 32, 24),
        "Reference",
        CoordinateNormalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
        Noisy.pose_range,
        "ab" * 32,
        1,
        1,
        "0",
    )
    path = tmp_path / "heart.safetensors"
    save_file({"a": np.zeros(1, np.float32)}, path, {METADATA_KEY: info.to_json()})
    return path


@pytest.fixture
def parts(harness, panel):
    """The sections by name, in an empty scene; closed in the end."""
    harness.slicer.mrmlScene.Clear(False)
    panel.logic._loadRenderer = lambda path: Noisy()
    panel.logic._renderers.clear()
    yield {type(section).__name__.removesuffix("Section"): section for section in panel.sections}
    harness.slicer.mrmlScene.Clear(False)


@pytest.fixture
def tracked(harness):
    """ProbeToReference under ReferenceToRas."""
    scene = harness.slicer.mrmlScene
    reference = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "ReferenceToRas")
    probe = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "ProbeToReference")
    probe.SetAndObserveTransformNodeID(reference.GetID())
    return probe


@pytest.fixture
def live(panel, parts, model, tracked, move, until):
    """A running simulation with its first image."""
    panel.parent.exit()
    panel.parent.enter()
    parts["Inputs"].ui.modelPathEdit.currentPath = str(model)
    parts["Live"].ui.startButton.click()
    until(lambda: panel.logic.simulation.live.running)
    move(tracked, 5)
    until(lambda: panel.logic.simulation.live.status.state is PoseState.GOOD)
    return parts


@pytest.fixture
def move(harness):
    """Puts a transform node to (x, 0, 0)."""

    def to(node, x_mm):
        matrix = np.eye(4)
        matrix[0, 3] = x_mm
        harness.slicer.util.updateTransformMatrixFromArray(node, matrix)

    return to


@pytest.fixture
def real(harness, tracked):
    """The real image where the simulated one is, 20 grey levels darker."""
    slicer = harness.slicer
    place = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "ImageToProbe")
    slicer.util.updateTransformMatrixFromArray(place, IMAGE_TO_PROBE)
    place.SetAndObserveTransformNodeID(tracked.GetID())
    real = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Image_Reference")
    slicer.util.updateVolumeFromArray(real, np.full((1, 24, 32), 80, np.uint8))
    real.SetAndObserveTransformNodeID(place.GetID())
    return real


def pytest_unconfigure(config):
    """Qt, VTK and MRML end in an order that nobody controls: leave before the interpreter takes them apart."""
    if "USGANSIM_GUI_TESTS" in os.environ and getattr(config, "gui_exit_status", None) is not None:
        sys.stdout.flush()
        os._exit(config.gui_exit_status)


def pytest_sessionfinish(session, exitstatus):
    session.config.gui_exit_status = int(exitstatus)
