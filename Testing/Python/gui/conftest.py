"""Tests of USGanSimLib/gui under the harness, which poses as Slicer: in a process of their own, because a test of the
other rings must not see it. static/test_gui_under_the_harness.py starts that process."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
import time
from pathlib import Path

import pytest

if "USGANSIM_GUI_TESTS" not in os.environ:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session", autouse=True)
def harness():
    if sys.version_info < (3, 12):
        # As in Testing/Harness/run.py: properties of PySide6 6.12 use up the references of None.
        ctypes.c_ssize_t.from_address(id(None)).value += 1 << 40
    path = Path(os.environ["SLICER_HARNESS"])
    spec = importlib.util.spec_from_file_location("slicer_harness", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["slicer_harness"] = module
    spec.loader.exec_module(module)
    return module.boot()


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
def python_slicer(tmp_path, monkeypatch):
    """A PythonSlicer on the PATH that is this Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "PythonSlicer"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return program


def pytest_unconfigure(config):
    """Qt, VTK and MRML end in an order that nobody controls: leave before the interpreter takes them apart."""
    if "USGANSIM_GUI_TESTS" in os.environ and getattr(config, "gui_exit_status", None) is not None:
        sys.stdout.flush()
        os._exit(config.gui_exit_status)


def pytest_sessionfinish(session, exitstatus):
    session.config.gui_exit_status = int(exitstatus)
