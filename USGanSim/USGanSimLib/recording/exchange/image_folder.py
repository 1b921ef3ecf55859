"""A folder of images as frames: PNG, JPEG, TIFF or BMP, in the order of the numbers in their names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from ...errors import UserError
from ..sweep import Frames

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF", ".bmp": "BMP"}
_EIGHT_BITS = ("L", "RGB", "RGBA", "P", "LA", "1", "YCbCr", "CMYK")


def image_files(folder: Path) -> list[Path]:
    """The images of a folder, 2 before 10. Raises UserError where there is none."""
    found = [
        path for path in folder.iterdir() if path.suffix.lower() in FORMATS and not path.name.startswith(".")
    ]
    if not found:
        raise UserError(f"{folder} has no image.", f"Read are {', '.join(sorted(FORMATS))}.")
    return sorted(found, key=lambda path: _natural(path.name))


def read_image(path: Path) -> Frames:
    """One image (H, W) uint8; colours by their luminance (ITU-R BT.601). Raises UserError."""
    try:
        with Image.open(path, formats=[FORMATS[path.suffix.lower()]]) as image:
            if image.mode not in _EIGHT_BITS:
                raise UserError(
                    f"{path.name} has pixels of type {image.mode}, not of 8 bits.",
                    "Convert the images to 8 bits.",
                )
            return np.array(image.convert("RGB").convert("L") if image.mode != "L" else image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(
            f"{path.name} cannot be read as an image: {error}.", "Save the image again."
        ) from error


def frames(files: list[Path]) -> Iterator[Frames]:
    """The images one after another. Raises UserError where one has another size than the first."""
    first = None
    for path in files:
        image = read_image(path)
        first = image.shape if first is None else first
        if image.shape != first:
            raise UserError(
                f"{path.name} has {image.shape[1]}×{image.shape[0]} pixels, {files[0].name} has "
                f"{first[1]}×{first[0]}.",
                "Give images of one size.",
            )
        yield image


def _natural(name: str) -> list[tuple[int, int | str]]:
    return [
        (0, int(part)) if part.isdigit() else (1, part.lower()) for part in re.split(r"(\d+)", name) if part
    ]
