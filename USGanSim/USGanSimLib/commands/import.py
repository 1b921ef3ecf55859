"""`import FILE.h5`: a scan of an HDF5 set with `frames` and `tforms` (TUS-REC) as a recording."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..files import write_json
from ..recording.calibration_file import calibration_json
from ..recording.sequence_file import read_header
from ..recording.tus_rec import RATE_HZ, import_tus_rec, read_calib_matrix
from .options import number


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `import`."""
    parser.add_argument("file", type=Path, help="scan with 'frames' and 'tforms' (.h5)")
    parser.add_argument("--out", type=Path, required=True, help="recording to write (.igs.mha, .igs.nrrd)")
    parser.add_argument(
        "--transforms", type=Path, metavar="FILE.h5", help="file with 'tforms', where it is another"
    )
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="CSV",
        help="the set's calib_matrix.csv; a CAL.json for 'prepare' is written beside the recording",
    )
    parser.add_argument(
        "--rate",
        type=number(0, above=True, most=10_000),
        default=RATE_HZ,
        metavar="HZ",
        help="frames a second; the set has no time stamps (default %(default)g)",
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Write the recording and, where the set's calibration is given, its CAL.json."""
    out = arguments.out
    if out.exists() and out.samefile(arguments.file):
        raise UserError(f"{out} is the file that is read.", "Choose another --out.")
    frames = import_tus_rec(arguments.file, out, arguments.transforms, arguments.calibration, arguments.rate)
    layout = read_header(out).layout
    size_px = layout.size("x"), layout.size("y")
    calibration = None
    if arguments.calibration is not None:
        calibration = out.with_name(out.name.split(".")[0] + ".calibration.json")
        write_json(
            calibration,
            calibration_json(
                read_calib_matrix(arguments.calibration), size_px, {"source": arguments.calibration.name}
            ),
        )
    return {
        "file": str(out),
        "frames": frames,
        "width_px": size_px[0],
        "height_px": size_px[1],
        "rate_hz": arguments.rate,
        "calibration": None if calibration is None else str(calibration),
    }


def show(result: dict[str, Any]) -> None:
    """Print the result for a person."""
    print(
        f"{result['file']}: {result['frames']} frames of {result['width_px']}×{result['height_px']} px, stamped "
        f"{result['rate_hz']:g} a second."
    )
    if result["calibration"]:
        print(f"{result['calibration']}: its calibration.")
