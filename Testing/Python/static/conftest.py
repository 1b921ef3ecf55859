"""Where the harness is, which loads our modules with Slicer's own Python."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest


@pytest.fixture
def harness_environment(repository) -> dict[str, str]:
    """The environment of a process that uses the harness; the test skips where it cannot run."""
    harness = Path(
        os.environ.get("SLICER_HARNESS") or repository.parent / "shared" / "tools" / "slicer_harness.py"
    )
    if not (os.environ.get("SLICER_SOURCE") and harness.is_file() and importlib.util.find_spec("PySide6")):
        pytest.skip("needs SLICER_SOURCE (a checkout of Slicer), SLICER_HARNESS (the harness) and PySide6")
    return {**os.environ, "SLICER_HARNESS": str(harness)}
