"""`--exclusion-mm` and `--jitter`: which training frames are left out for being near a held-out pose."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from ..errors import UserError
from ..recording.exclusion import Covariance, Exclusion, jitter_of_sds, jitter_of_static
from ..recording.sequence_file import read_sweep


def add_exclusion_options(parser: argparse.ArgumentParser) -> None:
    """Add both options."""
    parser.add_argument(
        "--exclusion-mm",
        type=float,
        metavar="MM",
        help="leave out training frames within this RMS pixel displacement of a held-out pose",
    )
    parser.add_argument(
        "--jitter",
        metavar="MM,DEG|FILE[:FIRST-LAST]",
        help="leave out training frames within the 95%% confidence region of a held-out pose, given "
        "the tracker's jitter: its SD in mm and degrees, or a recording (or those frames of it) "
        "of the probe at rest",
    )


def chosen_exclusion(
    arguments: argparse.Namespace, probe_frame: str = "Probe", reference_frame: str = "Reference"
) -> Exclusion | None:
    """What the options ask for; None where neither is given."""
    if arguments.exclusion_mm is None and arguments.jitter is None:
        return None
    jitter = None if arguments.jitter is None else _jitter(arguments.jitter, probe_frame, reference_frame)
    return Exclusion(arguments.exclusion_mm or 0.0, jitter)


def _jitter(text: str, probe_frame: str, reference_frame: str) -> Covariance:
    numbers = re.fullmatch(r"([-+.\deE]+),([-+.\deE]+)", text)
    if numbers:
        try:
            return jitter_of_sds(*map(float, numbers.groups()))
        except ValueError as error:
            raise UserError(f"'{text}' is no jitter.", "Give MM,DEG, for example 0.25,0.1.") from error
    stretch = re.fullmatch(r"(.+):(\d+)-(\d+)", text)
    path = Path(stretch[1] if stretch else text)
    sweep = read_sweep(path)
    track = sweep.probe_to_reference(probe_frame, reference_frame)
    chosen = track.valid.copy()
    if stretch:
        first, last = int(stretch[2]), int(stretch[3])
        if not first < last < len(sweep):
            raise UserError(f"{path} has no frames {first} to {last}; it has {len(sweep)}.", "Count from 0.")
        chosen[:first], chosen[last + 1 :] = False, False
    return jitter_of_static(track.matrices[chosen], text)
