"""Runs one of our modules in the stand-in for Slicer: `python Testing/Harness/run.py --module USGanSim/USGanSim.py`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[2] / "USGanSim"))

from standin.command import main

if __name__ == "__main__":
    main()
