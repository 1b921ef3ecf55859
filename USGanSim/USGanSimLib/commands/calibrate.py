"""`calibrate`: where the image lies in the probe's frame, how images lag behind poses, and finding the pinhead."""

from __future__ import annotations

import argparse
from typing import Any

from . import calibrate_detect, calibrate_pinhead, calibrate_temporal

_WHAT = {
    "pinhead": (calibrate_pinhead, "ImageToProbe from a fixed pinhead seen from many directions"),
    "temporal": (calibrate_temporal, "the lag between images and poses"),
    "detect": (calibrate_detect, "propose where the pinhead is in every image, to be corrected by hand"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The three calibrations and their options."""
    calibrations = parser.add_subparsers(dest="calibration_kind", metavar="WHAT", required=True)
    for name, (module, purpose) in _WHAT.items():
        sub = calibrations.add_parser(
            name,
            help=purpose,
            description=f"{purpose[0].upper()}{purpose[1:]}. For research; not for clinical use.",
        )
        module.add_arguments(sub)
        # The parser of `calibrate` has the same option with its default; here it only says yes.
        sub.add_argument(
            "--json",
            action="store_true",
            default=argparse.SUPPRESS,
            help="print the result as JSON on standard output",
        )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run the chosen one; its result says which in `kind`."""
    return {"kind": arguments.calibration_kind, **_WHAT[arguments.calibration_kind][0].run(arguments)}


def show(result: dict[str, Any]) -> None:
    """Print the result for a person."""
    _WHAT[result["kind"]][0].show(result)
