"""The recipes of METHOD.md: what is trained on what. One dataclass holds all that a recipe fixes.

    paper        the GAN as the text of Hu et al. 2017 has it: 5 up-sampling layers in G, 4 down-sampling layers in D
    paper-fig1   the same as its Fig. 1 has it: 4 up, 5 down
    paper-l2     `paper` with an equally weighted L2 term in the generator's loss
    regression   the generator of `paper` trained on the L2 term alone, without a discriminator
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from ..errors import UserError
from .networks import NetworkSettings


@dataclass(frozen=True)
class Recipe:
    """Networks, losses and optimiser.

    adversarial             whether there is a discriminator, with the losses of equations (1) and (2) of the paper
    l2_weight               weight of mean((G(z, c) − x)²) in the generator's loss, images in [−1, 1]
    up_layers … noise_size  see networks.NetworkSettings
    batch                   images an iteration, over all processes together
    learning_rate, betas    of Adam, for both networks; no weight decay, no gradient clipping
    real_label              one-sided label smoothing: the discriminator's target for real images
    """

    name: str
    adversarial: bool = True
    l2_weight: float = 0.0
    up_layers: int = 5
    down_layers: int = 4
    generator_channels: int = 512
    discriminator_channels: int = 32
    noise_size: int = 100
    batch: int = 36
    learning_rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    real_label: float = 0.9

    def __post_init__(self) -> None:
        # One image a batch has no statistics to normalise with.
        if self.batch < 2:
            raise UserError(f"A batch of {self.batch} is too small for batch normalisation.", "Use --batch 2 or more.")

    def network(self, width_px: int, height_px: int) -> NetworkSettings:
        """The settings of both networks for images of this size. Raises UserError where they cannot be built."""
        return NetworkSettings(width_px, height_px, self.noise_size, self.up_layers, self.generator_channels,
                               self.down_layers, self.discriminator_channels)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Recipe:
        """The inverse of `dataclasses.asdict`, after a trip through JSON. Raises TypeError for unknown names."""
        first, second = values["betas"]
        return cls(**{**values, "betas": (first, second)})


RECIPES = {recipe.name: recipe for recipe in (
    Recipe("paper"),
    Recipe("paper-fig1", up_layers=4, down_layers=5),
    Recipe("paper-l2", l2_weight=1.0),
    Recipe("regression", adversarial=False, l2_weight=1.0),
)}


def choose_recipe(name: str, **changes: int | None) -> Recipe:
    """A preset, with those of its numbers changed that are given (not None). Raises UserError for an unknown name."""
    if name not in RECIPES:
        raise UserError(f"There is no recipe '{name}'.", f"Choose one of {', '.join(RECIPES)}.")
    given: dict[str, Any] = {key: value for key, value in changes.items() if value is not None}
    return dataclasses.replace(RECIPES[name], **given)
