"""The recipes: what is trained on what. Each is one entry of RECIPES: network shape, objectives one after another,
optimiser, batch, and its words for people. Command lines and panels make their choices, defaults and help of it.

No torch is needed to know a recipe. What its objectives do with networks is in ml/training/objectives.py.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..errors import UserError
from .beam_settings import BeamSettings, BeamShape
from .network_settings import NetworkSettings, NetworkShape

_NORMALISED = (2, "batch normalisation")


@dataclass(frozen=True)
class ObjectiveSettings:
    """What an objective depends on, and what is known of it without networks.

    kind           its name in files
    adversarial    whether it needs a discriminator
    many_valued    whether samples of one pose should differ under it
    least_batch    the fewest images an iteration, and what for
    """

    kind: ClassVar[str]
    adversarial: ClassVar[bool] = False
    many_valued: ClassVar[bool] = False
    least_batch: ClassVar[tuple[int, str]] = (1, "training")

    @property
    def loss_names(self) -> tuple[str, ...]:
        """The numbers that an iteration gives, in the order of metrics.csv."""
        raise NotImplementedError


@dataclass(frozen=True)
class Gan(ObjectiveSettings):
    """The losses of equations (1) and (2) of Hu et al. 2017, a discriminator against the generator.

    l2_weight       weight of mean((G(z, c) − x)²) in the generator's loss, images in [−1, 1]
    real_label      one-sided label smoothing: the discriminator's target for real images
    """

    kind = "gan"
    adversarial = many_valued = True
    least_batch = _NORMALISED

    l2_weight: float = 0.0
    real_label: float = 0.9

    @property
    def loss_names(self) -> tuple[str, ...]:
        names = ("loss_d_real", "loss_d_fake", "accuracy_real", "accuracy_fake", "loss_g")
        return (*names, "loss_l2") if self.l2_weight else names


@dataclass(frozen=True)
class L2(ObjectiveSettings):
    """The L2 term alone, mean((G(z, c) − x)²) over pixels, images in [−1, 1]; without a discriminator."""

    kind = "l2"

    @property
    def loss_names(self) -> tuple[str, ...]:
        return ("loss_l2",)


@dataclass(frozen=True)
class Score(ObjectiveSettings):
    """Two samples of each pose scored against the real image (ml/training/losses.py, energy_score)."""

    kind = "score"
    many_valued = True
    least_batch = (2, "a score, whose second sample of a pose takes the noise of its neighbour")

    @property
    def loss_names(self) -> tuple[str, ...]:
        return ("loss_score",)


@dataclass(frozen=True)
class Anchored(ObjectiveSettings):
    """The score of two samples, which holds anatomy and spread, and against it critics, which want the look of real
    images (ml/beams/critics.py): relativistic pairs, and a discriminant in closed form on what random filters answer.

    score_weight      of the energy score
    texture_weight    of the discriminant; the other critics have 1
    penalty_weight    of R1 and R2, the mean square of the critics' slopes at real and at generated images
    penalty_every     iterations between two penalties, which stand for all of them
    """

    kind = "anchored"
    adversarial = many_valued = True
    least_batch = Score.least_batch

    score_weight: float = 20.0
    texture_weight: float = 0.3
    penalty_weight: float = 0.5
    penalty_every: int = 4

    @property
    def loss_names(self) -> tuple[str, ...]:
        return ("loss_score", "texture_distance", "loss_critics", "loss_adversary")


# In the order of their losses in metrics.csv.
OBJECTIVES: tuple[type[ObjectiveSettings], ...] = (Gan, L2, Score, Anchored)


@dataclass(frozen=True)
class Stage:
    """An objective for some iterations, or with None for all that are left, with the learning rate of Adam in them."""

    objective: ObjectiveSettings
    learning_rate: float = 2e-4
    iterations: int | None = None


@dataclass(frozen=True)
class Recipe:
    """Networks, objectives and optimiser.

    stages      one after another; the last goes on to the end
    shape       of the networks
    batch       images an iteration, over all processes together
    betas       of Adam, for both networks; no weight decay, no gradient clipping
    words       what it is, in a line; `about` tells more. Neither is part of a run's settings.
    """

    name: str
    stages: tuple[Stage, ...]
    shape: NetworkShape | BeamShape = field(default_factory=NetworkShape)
    batch: int = 36
    betas: tuple[float, float] = (0.5, 0.999)
    words: str = field(default="", compare=False)
    about: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        *before, last = self.stages
        if last.iterations is not None or not all((stage.iterations or 0) > 0 for stage in before):
            raise ValueError("every stage but the last has a number of iterations, 1 or more")
        least, reason = self._least_batch
        if self.batch < least:
            raise UserError(
                f"A batch of {self.batch} is too small for {reason}.", f"Use --batch {least} or more."
            )

    def network(
        self, width_px: int, height_px: int, pixel: tuple[float, float, float] = (0.02, 0.02, 0.02)
    ) -> NetworkSettings | BeamSettings:
        """The settings of both networks for images of this size, whose pixels' shorter side is `pixel` in normalised
        coordinates along x, y and z. Raises UserError where they cannot be built."""
        shape = dataclasses.asdict(self.shape)
        if isinstance(self.shape, BeamShape):
            return BeamSettings(width_px, height_px, *pixel, **shape)
        return NetworkSettings(width_px, height_px, **shape)

    def stage_at(self, step: int) -> Stage:
        """The stage of iteration `step`, counted from 0."""
        for stage in self.stages[:-1]:
            assert stage.iterations is not None
            if step < stage.iterations:
                return stage
            step -= stage.iterations
        return self.stages[-1]

    @property
    def adversarial(self) -> bool:
        """Whether there is a discriminator."""
        return any(stage.objective.adversarial for stage in self.stages)

    @property
    def loss_names(self) -> tuple[str, ...]:
        """The columns of metrics.csv between step and seconds."""
        found = [stage.objective for stage in self.stages]
        ordered = sorted(found, key=lambda objective: OBJECTIVES.index(type(objective)))
        return tuple(dict.fromkeys(name for objective in ordered for name in objective.loss_names))

    @property
    def least_batch(self) -> int:
        """The fewest images an iteration that every stage can do with."""
        return self._least_batch[0]

    @property
    def _least_batch(self) -> tuple[int, str]:
        needs = [stage.objective.least_batch for stage in self.stages]
        normed = isinstance(self.shape, NetworkShape)
        return max([*([_NORMALISED] * normed), *needs], key=lambda need: need[0])

    def changed(self, batch: int | None = None, **of_shape: int | None) -> Recipe:
        """The same with those numbers changed that are given (not None): the batch, and any of the shape's. Raises
        UserError for what cannot be."""
        given: dict[str, Any] = {name: number for name, number in of_shape.items() if number is not None}
        return dataclasses.replace(
            self,
            batch=self.batch if batch is None else batch,
            shape=dataclasses.replace(self.shape, **given),
        )


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            "beams",
            (Stage(Score(), 2e-3, 1000), Stage(Anchored(), 7e-4, 2000), Stage(Anchored(), 2e-4)),
            BeamShape(),
            batch=6,
            betas=(0.5, 0.99),
            words="not in the paper: a GAN with beams and speckle inside, anchored to what a score says of the place",
            about="The network works on beams, not on pixels: tissue from a learned volume, attenuation added up along "
            "each beam, so that shadows are straight, contact lost line by line, speckle that sticks to the tissue, "
            "the scanner's logarithm, and scan conversion at the end. It begins with two samples a pose scored against "
            "the real image, which teaches how images of a pose differ; then critics join, and the score stays to hold "
            "the anatomy.",
        ),
        Recipe(
            "paper",
            (Stage(Gan()),),
            words="the GAN as the text of Hu et al. 2017 has it",
            about="Five up-sampling layers in the generator, four down-sampling layers in the discriminator.",
        ),
        Recipe(
            "paper-fig1",
            (Stage(Gan()),),
            NetworkShape(up_layers=4, down_layers=5),
            words="the same as its Fig. 1 has it",
            about="Four up-sampling layers in the generator, five down-sampling layers in the discriminator.",
        ),
        Recipe(
            "paper-l2",
            (Stage(Gan(l2_weight=1.0)),),
            words="paper, with an L2 term beside",
            about="The L2 term is equally weighted in the generator's loss.",
        ),
        Recipe(
            "regression",
            (Stage(L2()),),
            words="that L2 term alone, without a discriminator: blurred, and quickly there",
            about="The generator of paper.",
        ),
    )
}
# Of `train`, and of its panel.
DEFAULT_RECIPE = next(iter(RECIPES.values()))


def choose_recipe(name: str, **changes: int | None) -> Recipe:
    """A recipe, with those of its numbers changed (Recipe.changed) that are given, not None. Raises UserError for an
    unknown name, and for what cannot be."""
    if name not in RECIPES:
        raise UserError(f"There is no recipe '{name}'.", f"Choose one of {', '.join(RECIPES)}.")
    return RECIPES[name].changed(**changes)


def recipe_names() -> str:
    """The names of all recipes in words: 'a, b or c'."""
    *names, last = RECIPES
    return f"{', '.join(names)} or {last}"


def of_recipes(number: Callable[[Recipe], int]) -> str:
    """A number of every recipe in words: that of most, then the others by name ('36; beams 6')."""
    numbers = {name: number(recipe) for name, recipe in RECIPES.items()}
    usual = Counter(numbers.values()).most_common(1)[0][0]
    return "; ".join([str(usual), *(f"{name} {own}" for name, own in numbers.items() if own != usual)])
