"""Runs Testing/Python/gui in a process of its own, in the stand-in for Slicer."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_the_tests_of_the_gui_pass_under_the_harness(repository, harness_environment):
    outcome = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            str(repository / "Testing/Python/gui"),
        ],
        cwd=repository,
        env={**harness_environment, "USGANSIM_GUI_TESTS": "1"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert outcome.returncode == 0, outcome.stdout[-4000:] + outcome.stderr[-4000:]


@pytest.mark.slow
def test_starts_scene_closes_and_reloads_leave_nothing(repository, harness_environment):
    """40 of the cycles of Testing/Harness/cycles.py, which says what is counted; 1,000 take a quarter of an hour."""
    outcome = subprocess.run(
        [sys.executable, str(repository / "Testing/Harness/cycles.py"), "--cycles", "40"],
        env=harness_environment,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert outcome.returncode == 0, outcome.stdout[-4000:]
