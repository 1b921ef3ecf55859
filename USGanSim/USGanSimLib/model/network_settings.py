"""What fixes the shape of the generator and the discriminator (ml/networks.py), without either."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from ..errors import UserError
from .gone import without_gone
from .ranges import Range

# Eight times the paper's: a network beyond fits no memory.
MOST_CHANNELS = 4096
RANGES = {
    "noise_size": Range(1),
    "up_layers": Range(1),
    "generator_channels": Range(1, most=MOST_CHANNELS),
    "down_layers": Range(0),
    "discriminator_channels": Range(1, most=MOST_CHANNELS),
}


@dataclass(frozen=True, kw_only=True)
class NetworkShape:
    """All of it that a recipe fixes, for images of any size. Raises UserError where it cannot be built.

    noise_size              length of z (paper: 100)
    up_layers               K, up-sampling layers of the generator; the seed is the image halved K times
    generator_channels      n1, channels of the seed map, halved at each up-sampling layer (paper: 512)
    down_layers             I, down-sampling layers of the discriminator
    discriminator_channels  m0, channels after the first convolution, doubled at each down-sampling (paper: 32)
    """

    noise_size: int = 100
    up_layers: int = 5
    generator_channels: int = 512
    down_layers: int = 4
    discriminator_channels: int = 32

    def __post_init__(self) -> None:
        for name, allowed in RANGES.items():
            if getattr(self, name) not in allowed:
                raise UserError(
                    f"A network with {name.replace('_', ' ')} {getattr(self, name)} cannot be built.",
                    f"Give {allowed}.",
                )
        smallest = self.channel_step
        if self.generator_channels % smallest:
            raise UserError(
                f"{self.generator_channels} generator channels cannot be halved {self.up_layers} times.",
                f"Use a multiple of {smallest}.",
            )

    @property
    def channel_step(self) -> int:
        """What `generator_channels` is a multiple of."""
        return 1 << self.up_layers


@dataclass(frozen=True)
class NetworkSettings(NetworkShape):
    """Everything that fixes the shape of both networks. Raises UserError where they cannot be built.

    width_px, height_px     image size
    """

    width_px: int = 160
    height_px: int = 120

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.width_px, self.height_px) < 2 ** max(self.up_layers, self.down_layers):
            raise UserError(
                f"An image of {self.width_px}×{self.height_px} px is too small for {self.up_layers} "
                f"up- and {self.down_layers} down-sampling layers.",
                "Prepare larger images.",
            )

    @property
    def level_sizes(self) -> list[tuple[int, int]]:
        """(height, width) of the generator's maps, from the seed to the image; K + 1 of them."""
        sizes = [(self.height_px, self.width_px)]
        for _ in range(self.up_layers):
            height, width = sizes[0]
            sizes.insert(0, ((height + 1) // 2, (width + 1) // 2))
        return sizes

    def channels_at(self, level: int) -> int:
        """Channels of the generator's features that come to a level; of the image's own, for level K."""
        return self.generator_channels >> level

    def stride_at(self, level: int) -> int:
        """Image pixels, each way, that a cell of a level covers."""
        return 1 << (self.up_layers - level)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> NetworkSettings:
        """Settings from a model's metadata. Raises UserError for names that this version does not know, and for what
        is no more."""
        try:
            return cls(**{name: int(value) for name, value in without_gone(values).items()})
        except (TypeError, ValueError) as error:
            raise UserError(
                f"The model's network settings are not understood ({error}).",
                "It may come from a newer version; update this software.",
            ) from error

    def as_dict(self) -> dict[str, int]:
        return dataclasses.asdict(self)
