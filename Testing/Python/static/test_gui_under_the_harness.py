"""Runs Testing/Python/gui in a process of its own, where the harness poses as Slicer."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_the_tests_of_the_gui_pass_under_the_harness(repository):
    harness = Path(os.environ.get("SLICER_HARNESS") or repository.parent / "shared" / "tools" / "slicer_harness.py")
    if not (os.environ.get("SLICER_SOURCE") and harness.is_file() and importlib.util.find_spec("PySide6")):
        pytest.skip("needs SLICER_SOURCE (a checkout of Slicer), SLICER_HARNESS (the harness) and PySide6")
    outcome = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(repository / "Testing/Python/gui")],
        cwd=repository, env={**os.environ, "USGANSIM_GUI_TESTS": "1", "SLICER_HARNESS": str(harness)},
        capture_output=True, text=True, timeout=500)
    assert outcome.returncode == 0, outcome.stdout[-4000:] + outcome.stderr[-4000:]


@pytest.mark.slow
def test_starts_scene_closes_and_reloads_leave_nothing(repository):
    """40 of the cycles of Testing/Harness/cycles.py, which says what is counted; 1,000 take a quarter of an hour."""
    harness = Path(os.environ.get("SLICER_HARNESS") or repository.parent / "shared" / "tools" / "slicer_harness.py")
    if not (os.environ.get("SLICER_SOURCE") and harness.is_file() and importlib.util.find_spec("PySide6")):
        pytest.skip("needs SLICER_SOURCE (a checkout of Slicer), SLICER_HARNESS (the harness) and PySide6")
    outcome = subprocess.run([sys.executable, str(repository / "Testing/Harness/cycles.py"), "--cycles", "40"],
                             env={**os.environ, "SLICER_HARNESS": str(harness)}, capture_output=True, text=True,
                             timeout=500)
    assert outcome.returncode == 0, outcome.stdout[-4000:]
