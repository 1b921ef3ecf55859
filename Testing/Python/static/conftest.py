"""What the stand-in for Slicer (Testing/Harness/standin) needs."""

from __future__ import annotations

import importlib.util
import os

import pytest


@pytest.fixture
def harness_environment(repository) -> dict[str, str]:
    """The environment of a process that uses the stand-in for Slicer; the test skips where it cannot run."""
    if not (os.environ.get("SLICER_SOURCE") and importlib.util.find_spec("PySide6")):
        pytest.skip("needs SLICER_SOURCE (a checkout of Slicer) and PySide6: make gui SLICER_SOURCE=…")
    paths = [str(repository / "USGanSim"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
