"""`compress FILE`: a recording as one compressed file, read back and compared before anything else happens."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..progress import terminal_or_silent
from ..recording.pixels import release_pages
from ..recording.sequence_file import FORMATS, load_sweep, read_header, read_sweep, writing_sweep
from ..recording.sweep import TrackedSweep

_FRAMES_AT_ONCE = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `compress`."""
    parser.add_argument("file", type=Path, help="recording (.igs.mhd, .igs.mha, .igs.nrrd)")
    parser.add_argument("--out", type=Path, help="file to write (default: the same name with .igs.mha)")
    parser.add_argument(
        "--remove", action="store_true", help="delete the original once its copy was read back and is equal"
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Write, read back, compare; returns the sizes."""
    source = arguments.file
    out = arguments.out or source.with_suffix(".mha")
    header = read_header(source)
    originals = sorted({header.path, header.data_path})
    if out.exists():
        raise UserError(f"{out} exists already.", "Choose another --out: a recording is never overwritten.")
    if out.suffix not in FORMATS:
        raise UserError(f"{out.name} is not the name of a recording.", "Let it end in .igs.mha or .igs.nrrd.")
    sweep = load_sweep(header)
    before = sum(path.stat().st_size for path in originals)
    _write(out, sweep)
    if not _same(sweep, read_sweep(out)):
        out.unlink()
        raise UserError(
            f"The copy of {source.name} reads differently; the original was kept.", "Check the disk."
        )
    if arguments.remove:
        for path in originals:
            path.unlink()
    after = out.stat().st_size
    return {
        "file": str(out),
        "frames": len(sweep),
        "bytes_before": before,
        "bytes": after,
        "removed": [str(path) for path in originals] if arguments.remove else [],
    }


def show(result: dict[str, Any]) -> None:
    """Print the result for a person."""
    after, before = result["bytes"], result["bytes_before"]
    print(
        f"{result['file']}: {result['frames']} frames, {after / 1e6:.1f} MB of {before / 1e6:.1f} MB "
        f"({after / before:.0%})."
    )
    for path in result["removed"]:
        print(f"Removed {path}.")


def _write(out: Path, sweep: TrackedSweep) -> None:
    progress = terminal_or_silent()
    for written in writing_sweep(out, sweep):
        if written % _FRAMES_AT_ONCE == 0:
            release_pages(sweep.frames)
            progress.emit("step", step=written, of=len(sweep))


def _same(first: TrackedSweep, second: TrackedSweep) -> bool:
    same = (
        first.frame_fields == second.frame_fields
        and first.transforms.keys() == second.transforms.keys()
        and np.array_equal(first.timestamps_s, second.timestamps_s)
        and np.array_equal(first.image_valid, second.image_valid)
        and all(
            np.array_equal(track.valid, second.transforms[name].valid)
            and np.array_equal(track.matrices, second.transforms[name].matrices, equal_nan=True)
            for name, track in first.transforms.items()
        )
    )
    for begin in range(0, len(first), _FRAMES_AT_ONCE):
        some = slice(begin, begin + _FRAMES_AT_ONCE)
        same = same and np.array_equal(first.frames[some], second.frames[some])
        release_pages(first.frames)
        release_pages(second.frames)
    return same
