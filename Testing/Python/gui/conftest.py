"""Tests of USGanSimLib/gui under the harness, which poses as Slicer: in a process of their own, because a test of the
other rings must not see it. static/test_gui_under_the_harness.py starts that process."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

HARNESS_SCRIPTS = Path(__file__).resolve().parents[2] / "Harness"

if "USGANSIM_GUI_TESTS" not in os.environ:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session", autouse=True)
def harness():
    sys.path[:0] = [str(Path(os.environ["SLICER_HARNESS"]).parent), str(HARNESS_SCRIPTS)]
    import harness_common
    import slicer_harness

    harness_common.keep_constants()
    return slicer_harness.boot()


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


def pytest_unconfigure(config):
    """Qt, VTK and MRML end in an order that nobody controls: leave before the interpreter takes them apart."""
    if "USGANSIM_GUI_TESTS" in os.environ and getattr(config, "gui_exit_status", None) is not None:
        sys.stdout.flush()
        os._exit(config.gui_exit_status)


def pytest_sessionfinish(session, exitstatus):
    session.config.gui_exit_status = int(exitstatus)
