"""`import`: a folder of images, a DICOM cine or an HDF5 scan, with its poses, as a recording."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..files import write_json
from ..geometry.transforms import Matrix
from ..model.ranges import Range
from ..recording.calibration_file import calibration_json
from ..recording.exchange.bringing import ORIGINS, BringOptions, Images, bring
from ..recording.exchange.dicom_cine import read_cine
from ..recording.exchange.image_folder import FORMATS, frames, image_files
from ..recording.exchange.matching import WAYS
from ..recording.exchange.pose_table import ANGLES, MM_OF, PoseWords, read_pose_table
from ..recording.exchange.tus_rec import RATE_HZ, import_tus_rec, read_calib_matrix
from ..recording.sequence_file import read_header
from .options import number, numbers

_HDF5 = (".h5", ".hdf5")
_EULER = [order for word in ("xyz", "xzy", "yxz", "yzx", "zxy", "zyx") for order in (word, word.upper())]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `import`."""
    parser.add_argument(
        "file",
        type=Path,
        help=f"folder of images ({', '.join(sorted(FORMATS))}), DICOM cine, or scan with 'frames' and 'tforms' (.h5)",
    )
    parser.add_argument("--out", type=Path, required=True, help="recording to write (.igs.mha, .igs.nrrd)")
    parser.add_argument("--force", action="store_true", help="replace --out where it exists")
    parser.add_argument(
        "--rate",
        type=number(0, above=True, most=10_000),
        metavar="HZ",
        help=f"images a second, where nothing else tells their times (HDF5: default {RATE_HZ:g})",
    )
    _add_table_options(parser.add_argument_group("images with a table of poses"))
    scans = parser.add_argument_group("HDF5 scans")
    scans.add_argument(
        "--transforms", type=Path, metavar="FILE.h5", help="file with 'tforms', where it is another"
    )
    scans.add_argument(
        "--calibration",
        type=Path,
        metavar="CSV",
        help="the set's calib_matrix.csv; a CAL.json for 'prepare' is written beside the recording",
    )


def _add_table_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--poses",
        type=Path,
        metavar="TABLE",
        help="poses: .csv, .tsv, .txt or .json, a row for each image or moment",
    )
    group.add_argument(
        "--transform",
        metavar="NAME",
        help="what the poses are: ProbeToReference, ReferenceToProbe, ProbeToTracker …; ImageToReference where they "
        "place the image itself (then a CAL.json for 'prepare' is written beside the recording)",
    )
    group.add_argument(
        "--unit", choices=tuple(MM_OF), help="of lengths, where the table's columns do not say it"
    )
    group.add_argument(
        "--angles", choices=ANGLES, help="of Euler's angles, where the table's columns do not say it"
    )
    group.add_argument(
        "--euler",
        choices=_EULER,
        metavar="ORDER",
        help="of Euler's angles: xyz … about fixed axes one after another, XYZ … about the turned ones",
    )
    group.add_argument(
        "--match",
        choices=WAYS,
        help="image and row by name, frame number (from 0), time or order (default: the first that both sides allow)",
    )
    group.add_argument(
        "--tolerance-s",
        type=number(0),
        default=0.02,
        metavar="S",
        help="between the times of an image and its pose (default %(default)g)",
    )
    group.add_argument(
        "--start-s",
        type=number(),
        default=0.0,
        metavar="S",
        help="the first image's time on the table's clock (default %(default)g)",
    )
    group.add_argument(
        "--orientation",
        choices=("MF", "MN", "UF", "UN"),
        default="MF",
        help="of the images: x grows to the Marked or Unmarked side, y Far from or Near to the probe (default "
        "%(default)s)",
    )
    group.add_argument(
        "--mm-per-px",
        type=numbers(2, Range(0, above=True)),
        metavar="X,Y",
        help="size of a pixel, for --transform ImageToReference in millimetres (a DICOM file may tell it)",
    )
    group.add_argument(
        "--origin",
        choices=ORIGINS,
        default="corner",
        help="of the image in such poses: its first pixel, its middle, or the middle of its first row (default "
        "%(default)s)",
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Write the recording and, where ImageToProbe is known, its CAL.json."""
    source, out = arguments.file, arguments.out
    if not source.exists():
        raise UserError(
            f"{source} cannot be read: there is no such file.",
            "Give a folder of images, a DICOM file or an HDF5 scan.",
        )
    if out.exists() and out.samefile(source):
        raise UserError(f"{out} is the file that is read.", "Choose another --out.")
    if out.exists() and not arguments.force:
        raise UserError(f"{out} exists already.", "Choose another --out, or give --force to replace it.")
    return _scan(arguments) if source.suffix.lower() in _HDF5 else _images(arguments)


def show(result: dict[str, Any]) -> None:
    """Print the result for a person."""
    print(f"{result['file']}: {result['frames']} frames of {result['width_px']}×{result['height_px']} px.")
    if result["matched_by"] is not None:
        print(f"{result['with_pose']} of them have a pose, matched by {result['matched_by']}.")
    if result["mm_per_px"] is not None:
        x_mm, y_mm = result["mm_per_px"]
        print(f"The file tells {x_mm:.4g}×{y_mm:.4g} mm per pixel.")
    if result["calibration"]:
        print(f"{result['calibration']}: its calibration.")


def _scan(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.poses is not None or arguments.transform is not None:
        raise UserError("An HDF5 scan has its poses in it.", "Leave out --poses and --transform.")
    out, rate_hz = arguments.out, arguments.rate or RATE_HZ
    count = import_tus_rec(arguments.file, out, arguments.transforms, arguments.calibration, rate_hz)
    layout = read_header(out).layout
    size_px = layout.size("x"), layout.size("y")
    matrix = None if arguments.calibration is None else read_calib_matrix(arguments.calibration)
    source = None if matrix is None else arguments.calibration.name
    written = _write_calibration(out, matrix, size_px, source)
    return {**_result(out, count, count, size_px, calibration=written), "rate_hz": rate_hz}


def _images(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.poses is None or arguments.transform is None:
        raise UserError(
            "Images need a table of poses, and what these are cannot be told from numbers.",
            "Give --poses TABLE and --transform NAME, for example ProbeToReference.",
        )
    images, mm_per_px = _source(arguments.file)
    table = read_pose_table(arguments.poses, PoseWords(arguments.unit, arguments.angles, arguments.euler))
    options = BringOptions(
        arguments.transform,
        arguments.orientation,
        arguments.match,
        arguments.tolerance_s,
        arguments.rate,
        arguments.start_s,
        arguments.mm_per_px,
        arguments.origin,
    )
    done = bring(images, table, arguments.out, options)
    calibration = _write_calibration(arguments.out, done.image_to_probe, done.size_px, arguments.poses.name)
    return _result(
        arguments.out, done.frames, done.with_pose, done.size_px, done.matched_by, mm_per_px, calibration
    )


def _source(path: Path) -> tuple[Images, tuple[float, float] | None]:
    """The images, and the mm per pixel that their file tells."""
    if path.is_dir():
        files = image_files(path)
        return Images(frames(files), len(files), [file.name for file in files]), None
    cine = read_cine(path)
    return Images(cine.frames, len(cine.frames), None, cine.times_s), cine.mm_per_px


def _write_calibration(
    out: Path, matrix: Matrix | None, size_px: tuple[int, int], source: str | None
) -> Path | None:
    """CAL.json beside the recording, where there is one."""
    if matrix is None:
        return None
    path = out.with_name(out.name.split(".")[0] + ".calibration.json")
    write_json(path, calibration_json(matrix, size_px, {"source": source}))
    return path


def _result(
    out: Path,
    count: int,
    with_pose: int,
    size_px: tuple[int, int],
    matched_by: str | None = None,
    mm_per_px: tuple[float, float] | None = None,
    calibration: Path | None = None,
) -> dict[str, Any]:
    return {
        "file": str(out),
        "frames": count,
        "with_pose": with_pose,
        "matched_by": matched_by,
        "width_px": size_px[0],
        "height_px": size_px[1],
        "rate_hz": None,
        "mm_per_px": None if mm_per_px is None else list(mm_per_px),
        "calibration": None if calibration is None else str(calibration),
    }
