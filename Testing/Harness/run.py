"""Runs the harness that poses as Slicer: `python Testing/Harness/run.py --module …`, with SLICER_HARNESS its path."""

from __future__ import annotations

import runpy
import sys

from harness_common import HARNESS, keep_constants

keep_constants()
sys.argv[0] = str(HARNESS)
sys.path[0] = str(HARNESS.parent)
runpy.run_path(str(HARNESS), run_name="__main__")
