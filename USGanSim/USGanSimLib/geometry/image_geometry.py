"""Image pixels in millimetres: size, ImageToProbe, and what cropping and resizing do to both.

A pixel (u, v) is a point at its centre: u counts columns rightwards, v rows downwards (MF orientation), the first
pixel is (0, 0). ImageToProbe maps (u, v, 0, 1) to probe millimetres; its first two columns carry the resolution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from .transforms import Matrix


@dataclass(frozen=True)
class Crop:
    """A rectangle of whole pixels: its first column and row, its width and height."""

    x_px: int
    y_px: int
    width_px: int
    height_px: int

    def __post_init__(self) -> None:
        if min(self.x_px, self.y_px) < 0 or min(self.width_px, self.height_px) < 1:
            raise UserError(
                f"The crop {self} has no area inside the image.", "Give x,y,width,height in pixels."
            )

    def __str__(self) -> str:
        return f"{self.width_px}×{self.height_px} at ({self.x_px}, {self.y_px})"

    def require_inside(self, width_px: int, height_px: int) -> None:
        """Raise UserError when the rectangle leaves an image of the given size."""
        if self.x_px + self.width_px > width_px or self.y_px + self.height_px > height_px:
            raise UserError(
                f"The crop {self} leaves the image of {width_px}×{height_px} pixels.",
                "Give x,y,width,height in pixels of the MF-oriented image.",
            )


@dataclass(frozen=True, eq=False)
class ImageGeometry:
    """An image's size and its place in the probe frame. `image_to_probe` is (4, 4), pixels to millimetres."""

    width_px: int
    height_px: int
    image_to_probe: Matrix

    def __post_init__(self) -> None:
        if not np.isfinite(self.image_to_probe).all() or min(self.mm_per_px) <= 0:
            raise UserError("ImageToProbe has a zero or undefined pixel size.", "Check the calibration.")

    @property
    def mm_per_px(self) -> tuple[float, float]:
        """Pixel size in x and y, millimetres: the lengths of the first two columns of ImageToProbe."""
        x_mm, y_mm = np.linalg.norm(self.image_to_probe[:3, :2], axis=0)
        return float(x_mm), float(y_mm)

    def resized(self, crop: Crop, width_px: int, height_px: int) -> ImageGeometry:
        """The geometry after cutting out `crop` and averaging it down (or stretching it) to width × height."""
        crop.require_inside(self.width_px, self.height_px)
        resized_to_image = resized_to_source(crop, width_px, height_px)
        return ImageGeometry(width_px, height_px, self.image_to_probe @ resized_to_image)


def resized_to_source(crop: Crop, width_px: int, height_px: int) -> Matrix:
    """(4, 4) from pixels of the crop resized to width × height to pixels of the source image.

    A resized pixel covers `crop.width_px / width_px` source columns, and its centre is the middle of what it covers.
    """
    step_x, step_y = crop.width_px / width_px, crop.height_px / height_px
    matrix = np.diag([step_x, step_y, 1.0, 1.0])
    matrix[0, 3] = crop.x_px + (step_x - 1) / 2
    matrix[1, 3] = crop.y_px + (step_y - 1) / 2
    return matrix


def corner_distance_mm(first: ImageGeometry, second: ImageGeometry) -> float:
    """The largest distance between equal corners (centres of the corner pixels) of two images, in the probe frame."""
    corners = np.array(
        [[u, v, 0, 1] for u in (0, first.width_px - 1) for v in (0, first.height_px - 1)], float
    )
    offsets = (first.image_to_probe - second.image_to_probe) @ corners.T
    return float(np.linalg.norm(offsets[:3], axis=0).max())
