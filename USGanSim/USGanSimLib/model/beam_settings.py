"""What fixes the shape of the generator on beams and of its critics (ml/beams), without either."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

from ..errors import UserError
from .network_settings import MOST_CHANNELS
from .ranges import Range

RANGES = {
    "noise_size": Range(1),
    "depths": Range(16, most=1024),
    "lines": Range(16, most=1024),
    "generator_channels": Range(2, most=MOST_CHANNELS),
    "discriminator_channels": Range(1, most=MOST_CHANNELS),
    "volume": Range(1, most=MOST_CHANNELS),
    "volume_cells": Range(4, most=512),
    "plane_cells": Range(2, most=4096),
}


@dataclass(frozen=True, kw_only=True)
class BeamShape:
    """All of it that a recipe fixes, for images of any size. Raises UserError where it cannot be built.

    noise_size              length of z
    depths, lines           of the grid of beams that the network works on, whatever the size of the image
    generator_channels      at half the size of the grid; half as many again at a quarter
    discriminator_channels  of the critics after their first convolution
    volume                  features of the tissue: in each of a fine and a coarse volume, and in three planes
    volume_cells            cells along each axis of the fine volume; the coarse one has a quarter
    plane_cells             the same of the planes
    """

    noise_size: int = 64
    depths: int = 120
    lines: int = 128
    generator_channels: int = 32
    discriminator_channels: int = 20
    volume: int = 8
    volume_cells: int = 64
    plane_cells: int = 192

    def __post_init__(self) -> None:
        for name, allowed in RANGES.items():
            if getattr(self, name) not in allowed:
                raise UserError(
                    f"A network on beams with {name.replace('_', ' ')} {getattr(self, name)} cannot be built.",
                    f"Give {allowed}.",
                )

        if self.depths % 2 or self.lines % 2:
            raise UserError(
                f"A grid of {self.depths} depths and {self.lines} lines has no half.", "Use even numbers."
            )
        if self.generator_channels % self.channel_step:
            raise UserError(
                f"{self.generator_channels} generator channels cannot grow by half.", "Use an even number."
            )

    @property
    def channel_step(self) -> int:
        """What `generator_channels` is a multiple of."""
        return 2

    @property
    def channels(self) -> tuple[int, int]:
        """Of the generator's maps at half and at a quarter of the grid's size."""
        return self.generator_channels, self.generator_channels * 3 // 2


@dataclass(frozen=True)
class BeamSettings(BeamShape):
    """Everything that fixes the shape of the generator and its critics, beside the field of view of the images.

    width_px, height_px     image size
    pixel_x, _y, _z         the shorter side of a pixel in normalised coordinates along the axes of Reference
    """

    KIND: ClassVar[str] = "beams"

    width_px: int = 160
    height_px: int = 120
    pixel_x: float = 0.02
    pixel_y: float = 0.02
    pixel_z: float = 0.02

    def __post_init__(self) -> None:
        super().__post_init__()
        if not all(side in Range(0, above=True) for side in self.pixel):
            raise UserError(f"A pixel of {self.pixel} normalised units is none.", "Give more than 0.")
        if min(self.width_px, self.height_px) < 16:
            raise UserError(
                f"An image of {self.width_px}×{self.height_px} px is too small for beams.",
                "Prepare images of 16 pixels each way or more.",
            )

    @property
    def pixel(self) -> tuple[float, float, float]:
        """The shorter side of a pixel in normalised coordinates, whose axes have a unit of their own each."""
        return self.pixel_x, self.pixel_y, self.pixel_z

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> BeamSettings:
        """The inverse of `as_dict`. Raises TypeError or ValueError for anything else."""
        own = {name: value for name, value in values.items() if name != "kind"}
        kinds: dict[str, type[Any]] = {
            entry.name: float if entry.name.startswith("pixel_") else int for entry in dataclasses.fields(cls)
        }
        unknown = own.keys() - kinds.keys()
        if unknown:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        return cls(**{name: kinds[name](value) for name, value in own.items()})

    def as_dict(self) -> dict[str, Any]:
        return {"kind": self.KIND, **dataclasses.asdict(self)}
