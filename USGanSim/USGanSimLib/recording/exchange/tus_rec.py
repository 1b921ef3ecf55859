"""Freehand sets in HDF5, as the public TUS-REC challenge lays them out (github-pages.ucl.ac.uk/tus-rec-challenge).

Each scan is one file with `frames` (N, H, W) uint8 and `tforms` (N, 4, 4), tracker tool to optical camera; later sets
have the two in files of their own. There are no time stamps (20 frames/s) and no validity. The calibration is a
`calib_matrix.csv`: a headed block of pixel to mm, and one of mm of the image to the tool.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UserError
from ...geometry.transforms import Matrix, TransformTrack, require_rigid
from ..sequence_file import SweepWriter

FRAMES, TRANSFORMS = "frames", "tforms"
RATE_HZ = 20.0
_ROWS_OF_MATRIX = 4


def import_tus_rec(
    path: Path,
    out: Path,
    transforms_path: Path | None = None,
    calibration: Path | None = None,
    rate_hz: float = RATE_HZ,
    probe_frame: str = "Probe",
    reference_frame: str = "Reference",
) -> int:
    """Write a scan as a recording, image by image, and return its number of frames.

    transforms_path  the file with `tforms`, where it is not the one with `frames`
    calibration      `calib_matrix.csv`; its ImageToProbe is recorded with every frame then
    The camera's space is called Reference. Raises UserError for a file that is no such set, and without h5py.
    """
    if rate_hz <= 0:
        raise UserError(
            f"A rate of {rate_hz:g} Hz gives no time stamps.", "Give the frames a second of the set."
        )
    with ExitStack() as opened:
        images = _dataset(opened, path, FRAMES)
        poses = _poses(opened, transforms_path or path, f"{probe_frame}To{reference_frame}")
        if images.ndim != 3 or images.dtype != np.uint8 or 0 in images.shape:
            raise UserError(
                f"{path.name} has '{FRAMES}' of shape {images.shape} and type {images.dtype}.",
                "Read are (N, H, W) images of 8 bits.",
            )
        if len(poses) != len(images):
            raise UserError(
                f"{path.name} has {len(images)} frames, {(transforms_path or path).name} has {len(poses)} "
                "transforms.",
                "The two must be of the same scan.",
            )
        constant = (
            {} if calibration is None else {f"ImageTo{probe_frame}": (read_calib_matrix(calibration), True)}
        )
        _, height_px, width_px = images.shape
        with SweepWriter(out, width_px, height_px) as writer:
            for number in range(len(poses)):
                pose = {
                    f"{probe_frame}To{reference_frame}": (poses.matrices[number], bool(poses.valid[number]))
                }
                writer.append(images[number], number / rate_hz, {**pose, **constant})
    return len(poses)


def read_calib_matrix(path: Path) -> Matrix:
    """(4, 4) ImageToProbe of a `calib_matrix.csv`: pixels to mm of the image, then to the tool. Raises UserError.

    The set counts pixels from 1 (its own points go from 1 to the image's width and height), MF pixels from 0.
    """
    try:
        rows = [
            [float(word) for word in line.split(",")]
            for line in path.read_text(encoding="utf-8-sig").splitlines()
            if _is_numbers(line)
        ]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UserError(f"{path} cannot be read: {reason}.", "Check the path.") from error
    if [len(row) for row in rows] != [_ROWS_OF_MATRIX] * 2 * _ROWS_OF_MATRIX:
        raise UserError(
            f"{path.name} has {len(rows)} rows of numbers, where two 4×4 matrices have 8.",
            "Choose the calib_matrix.csv of the set.",
        )
    pixel_to_mm, mm_to_tool = np.reshape(rows, (2, 4, 4))
    from_zero = np.eye(4)
    from_zero[:2, 3] = 1
    matrix: Matrix = mm_to_tool @ pixel_to_mm @ from_zero
    return matrix


def _is_numbers(line: str) -> bool:
    try:
        return bool(line.strip()) and all(np.isfinite(float(word)) for word in line.split(","))
    except ValueError:
        return False


def _poses(opened: ExitStack, path: Path, name: str) -> TransformTrack:
    stored = _dataset(opened, path, TRANSFORMS)
    if stored.ndim != 3 or stored.shape[1:] != (4, 4) or stored.dtype.kind not in "fiu":
        raise UserError(
            f"{path.name} has '{TRANSFORMS}' of shape {stored.shape} and type {stored.dtype}.",
            "Read are (N, 4, 4) matrices of numbers.",
        )
    matrices = np.asarray(stored, np.float64)
    # A tool out of view is stored as numbers that are no pose.
    track = TransformTrack(matrices, np.isfinite(matrices.sum(axis=(1, 2))))
    require_rigid(track, f"{name} of {path.name}")
    return track


def _dataset(opened: ExitStack, path: Path, key: str) -> Any:
    try:
        import h5py
    except ImportError as error:
        raise UserError(
            "HDF5 files are read with the package h5py, which is not installed.",
            "Install it with: pip install h5py",
        ) from error
    try:
        file = opened.enter_context(h5py.File(path, "r"))
    except OSError as error:
        reason = "is no HDF5 file" if path.is_file() else "cannot be read: there is no such file"
        raise UserError(f"{path} {reason}.", "Choose a scan of the set (.h5).") from error
    try:
        found, names = file.get(key), list(file)
        if (
            isinstance(found, h5py.Dataset) and found.shape and found.dtype
        ):  # h5py reads the two only when asked.
            return found
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise UserError(f"{path.name} is damaged at '{key}' ({error}).", "Copy the file again.") from error
    raise UserError(
        f"{path.name} has no '{key}'; it has {_listed(names)}.",
        f"Choose a scan with '{FRAMES}' and '{TRANSFORMS}'.",
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (" …" if len(names) > 8 else "") if names else "nothing"
