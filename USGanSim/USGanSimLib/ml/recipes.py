"""The recipes of METHOD.md: what is trained on what. One dataclass holds all that a recipe fixes.

paper        the GAN as the text of Hu et al. 2017 has it: 5 up-sampling layers in G, 4 down-sampling layers in D
paper-fig1   the same as its Fig. 1 has it: 4 up, 5 down
paper-l2     `paper` with an equally weighted L2 term in the generator's loss
regression   the generator of `paper` trained on the L2 term alone, without a discriminator
encoded      not in the paper: what puts anatomy in its right place after few iterations, with speckle.
             - The generator's coordinates come with their sines and cosines (networks.encoded): on raw coordinates
               it copies training frames, which look right and sit in the wrong place.
             - Every frame comes turned, scaled and shifted a little in its own plane, its coordinates with it
               (augmentation.py), so that no frame can be learnt by heart.
             - It begins with the L2 term alone, on single pixels, quickly. Then the discriminator joins, and the
               L2 term compares means over small squares: it holds the anatomy and leaves speckle to the GAN.
scored       not in the paper, and no GAN: a good model after minutes of a CPU. Frames are moved as in `encoded`.
             - The generator reads features of the tissue from a volume in Reference, learned with its weights
               (conditions.py): anatomy is in its place, and sharp, after hundreds of iterations.
             - Its speckle is noise that sticks to the tissue and moves with it. No batch norm: an image is the
               same in training and live, whatever else is in the batch.
             - It begins with the L2 term alone; then two samples a pose are scored against the real image
               (losses.energy_score). That teaches how images of a pose differ, speckle included.
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
    l2_square_px            side of the squares that this term compares the means of; 1 are the pixels themselves
    alone_iterations        so many iterations come first with the L2 term alone, of weight 1 and on pixels
    alone_learning_rate     of Adam in these
    scored                  whether two samples of each pose are scored then, in place of any other loss
    turn_deg, scale, shift  largest turn, share of size and share of the image's width by which frames are augmented
    up_layers … fan         see networks.NetworkSettings
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
    octaves: int = 0
    volume: int = 0
    volume_cells: int = 0
    speckle: bool = False
    least_channels: int = 1
    batch_norm: bool = True
    fan: bool = False
    scored: bool = False
    l2_square_px: int = 1
    alone_iterations: int = 0
    alone_learning_rate: float = 2e-4
    turn_deg: float = 0.0
    scale: float = 0.0
    shift: float = 0.0
    batch: int = 36
    learning_rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    real_label: float = 0.9

    def __post_init__(self) -> None:
        # One image a batch has no statistics to normalise with.
        if self.batch < 2:
            raise UserError(
                f"A batch of {self.batch} is too small for batch normalisation.", "Use --batch 2 or more."
            )
        if self.scored and (self.adversarial or self.l2_weight):
            raise UserError(
                "A recipe with a score has no other loss.", "Leave the discriminator and the L2 term out."
            )

    def network(
        self, width_px: int, height_px: int, speckle_cell: float = NetworkSettings.speckle_cell
    ) -> NetworkSettings:
        """The settings of both networks for images of this size. Raises UserError where they cannot be built."""
        own = {
            entry.name: getattr(self, entry.name)
            for entry in dataclasses.fields(NetworkSettings)
            if hasattr(self, entry.name)
        }
        return NetworkSettings(width_px=width_px, height_px=height_px, speckle_cell=speckle_cell, **own)

    @property
    def many_valued(self) -> bool:
        """Whether samples of one pose should differ."""
        return self.adversarial or self.scored

    @property
    def augments(self) -> bool:
        """Whether frames come turned, scaled or shifted."""
        return bool(self.turn_deg or self.scale or self.shift)

    def alone_at(self, step: int) -> bool:
        """Whether iteration `step`, counted from 0, has the L2 term alone, before the discriminator or the score."""
        return self.many_valued and step < self.alone_iterations

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Recipe:
        """The inverse of `dataclasses.asdict`, after a trip through JSON. Raises TypeError for unknown names."""
        first, second = values["betas"]
        return cls(**{**values, "betas": (first, second)})


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("paper"),
        Recipe("paper-fig1", up_layers=4, down_layers=5),
        Recipe("paper-l2", l2_weight=1.0),
        Recipe("regression", adversarial=False, l2_weight=1.0),
        Recipe(
            "encoded",
            l2_weight=50.0,
            l2_square_px=4,
            alone_iterations=1000,
            alone_learning_rate=1e-3,
            octaves=6,
            turn_deg=8.0,
            scale=0.08,
            shift=0.06,
        ),
        Recipe(
            "scored",
            adversarial=False,
            scored=True,
            up_layers=4,
            generator_channels=96,
            least_channels=16,
            batch_norm=False,
            fan=True,
            volume=8,
            volume_cells=80,
            speckle=True,
            alone_iterations=300,
            alone_learning_rate=1e-3,
            turn_deg=8.0,
            scale=0.08,
            shift=0.06,
            batch=8,
            learning_rate=1e-3,
            betas=(0.5, 0.99),
        ),
    )
}


def choose_recipe(name: str, **changes: int | None) -> Recipe:
    """A preset, with those of its numbers changed that are given (not None). Raises UserError for an unknown name."""
    if name not in RECIPES:
        raise UserError(f"There is no recipe '{name}'.", f"Choose one of {', '.join(RECIPES)}.")
    given: dict[str, Any] = {key: value for key, value in changes.items() if value is not None}
    return dataclasses.replace(RECIPES[name], **given)
