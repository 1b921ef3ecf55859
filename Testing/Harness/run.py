"""Runs the harness that poses as Slicer: `python Testing/Harness/run.py --module …`, with SLICER_HARNESS its path.

Under Python before 3.12 every property that is set on a widget of PySide6 6.12 takes a reference of None away, and a
signal that is connected one of True or False; after some thousands the interpreter dies. Here they have enough for any
run.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import sys
from pathlib import Path

if sys.version_info < (3, 12):
    for constant in (None, True, False):
        ctypes.c_ssize_t.from_address(id(constant)).value += 1 << 40
beside = Path(__file__).resolve().parents[3] / "shared" / "tools" / "slicer_harness.py"
harness = os.environ.get("SLICER_HARNESS") or str(beside)
sys.argv[0] = harness
sys.path[0] = str(Path(harness).parent)
runpy.run_path(harness, run_name="__main__")
