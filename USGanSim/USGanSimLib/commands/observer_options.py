"""Options of `evaluate` and `crossval` for what looks at images as a person would (evaluation/observer/observed.py)."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_observer_options(parser: argparse.ArgumentParser) -> None:
    """`--observer`, `--landmarks` and `--classifier`."""
    parser.add_argument(
        "--observer",
        type=Path,
        help="landmark observer, the file that 'train-observer' wrote; adds "
        "the landmark table, the distribution table and the observer's floor",
    )
    parser.add_argument(
        "--landmarks",
        type=Path,
        help="true landmarks in Reference for --observer: "
        "NAME.landmarks.json of 'phantom', or a Slicer point list (.mrk.json)",
    )
    parser.add_argument(
        "--classifier",
        action="store_true",
        help="also train a small network to tell every row from real images (a minute each)",
    )
