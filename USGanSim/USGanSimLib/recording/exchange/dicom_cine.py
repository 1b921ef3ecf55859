"""A DICOM cine: frames as grey levels, when they were taken, and the pixel size that its ultrasound region tells.

Read by pydicom, an extra: uncompressed, RLE and JPEG files, in grey, RGB, YBR or palette colours.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ..sweep import Frames

_TISSUE, _CENTIMETRES = 1, 3  # Of a region: its data type, and its units (DICOM PS3.3 C.8.5.5).
_LUMINANCE = 0.299, 0.587, 0.114  # ITU-R BT.601, as image programs have it.


@dataclass(frozen=True, eq=False)
class Cine:
    """Frames (N, H, W), seconds since the first one (N,) or None, and mm per pixel (x, y) of the tissue's region, with
    its place (x, y, width, height) in pixels, or None."""

    frames: Frames
    times_s: NDArray[np.float64] | None
    mm_per_px: tuple[float, float] | None
    region_px: tuple[int, int, int, int] | None


def read_cine(path: Path) -> Cine:
    """Read a file. Raises UserError for one that is no image, cannot be decoded, or where pydicom is missing."""
    try:
        import pydicom
        from pydicom.errors import InvalidDicomError
    except ImportError as error:
        raise UserError(
            "DICOM files are read with the package pydicom, which is not installed.",
            "Install it with: pip install pydicom",
        ) from error
    try:
        header = pydicom.dcmread(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.", "Check the path.") from error
    except InvalidDicomError as error:
        raise UserError(
            f"{path.name} is no DICOM file.", "Give a cine (.dcm), or a folder of images."
        ) from error
    frames = _grey(header, path.name)
    mm_per_px, region_px = _region(header, frames.shape[2], frames.shape[1])
    return Cine(frames, _times_s(header, len(frames), path.name), mm_per_px, region_px)


def _grey(header: Any, name: str) -> Frames:
    from pydicom.pixels.processing import apply_color_lut

    try:
        pixels = header.pixel_array
        if header.PhotometricInterpretation == "PALETTE COLOR":
            pixels = apply_color_lut(pixels, header)
            # Palettes of 16 bits have colours in their upper bytes, but for those that leave these empty.
            pixels = (pixels >> (8 if pixels.max() > 255 else 0)).astype(np.uint8)
    except Exception as error:  # Its decoders raise what they will.
        raise UserError(
            f"The pixels of {name} cannot be read ({str(error)[:120]}).",
            "Save the cine uncompressed, or as images.",
        ) from error
    samples = 3 if pixels.shape[-1] == 3 and pixels.ndim > 2 else 1
    pixels = pixels[None] if pixels.ndim == (3 if samples == 3 else 2) else pixels
    if pixels.dtype != np.uint8:
        raise UserError(f"{name} has pixels of {pixels.dtype}, not of 8 bits.", "Save the cine with 8 bits.")
    if samples == 3:
        return np.stack([np.rint(frame @ np.array(_LUMINANCE)).astype(np.uint8) for frame in pixels])
    if header.PhotometricInterpretation == "MONOCHROME1":
        return np.asarray(255 - pixels, np.uint8)
    return np.asarray(pixels, np.uint8)


def _times_s(header: Any, count: int, name: str) -> NDArray[np.float64] | None:
    """From the frames' distances in ms, where the file has them."""
    steps = header.get("FrameTimeVector")
    try:
        if steps is not None and len(steps) == count:
            return np.cumsum([0.0, *map(float, steps[1:])]) / 1000
        step = float(header.get("FrameTime") or 0)
    except (TypeError, ValueError) as error:
        raise UserError(f"{name} has frame times that are no numbers.", "Give --rate.") from error
    return np.arange(count) * step / 1000 if step > 0 else None


def _region(
    header: Any, width_px: int, height_px: int
) -> tuple[tuple[float, float] | None, tuple[int, int, int, int] | None]:
    """The first region of tissue in centimetres. One that ends beyond the image to the right and below is of a larger
    image, which was shrunk: its numbers are not of these pixels, and nothing is told."""
    for region in header.get("SequenceOfUltrasoundRegions", []):
        units = region.get("PhysicalUnitsXDirection"), region.get("PhysicalUnitsYDirection")
        if region.get("RegionDataType") == _TISSUE and units == (_CENTIMETRES, _CENTIMETRES):
            left, top, right, bottom = (
                int(region.get(f"RegionLocation{corner}", 0))
                for corner in ("MinX0", "MinY0", "MaxX1", "MaxY1")
            )
            step = tuple(10 * abs(float(region.get(f"PhysicalDelta{axis}", 0))) for axis in "XY")
            shrunk = right > width_px and bottom > height_px
            if min(step) > 0 and not shrunk:
                return (step[0], step[1]), (left, top, right - left + 1, bottom - top + 1)
    return None, None
