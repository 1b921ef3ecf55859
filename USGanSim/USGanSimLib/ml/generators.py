"""The generator and the discriminator of any recipe: which class a network's settings are for."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ..errors import UserError
from ..geometry.field_of_view import FieldOfView
from ..model.beam_settings import BeamSettings
from ..model.network_settings import NetworkSettings
from .beams.critics import Critics
from .beams.folding import FoldedBeams
from .beams.generator import BeamGenerator, NoisePart
from .folding import FoldedGenerator
from .networks import Discriminator, Generator

AnyGenerator = Generator | BeamGenerator
AnyDiscriminator = Discriminator | Critics
AnyNoisePart = Tensor | NoisePart


def new_generator(network: NetworkSettings | BeamSettings, field: FieldOfView) -> AnyGenerator:
    """With the weights that training begins with. `field` is that of the images."""
    if isinstance(network, BeamSettings):
        return BeamGenerator(network, field)
    return Generator(network)


def new_discriminator(network: NetworkSettings | BeamSettings, field: FieldOfView) -> AnyDiscriminator:
    """The same of what judges the generator's images."""
    return Critics(network, field) if isinstance(network, BeamSettings) else Discriminator(network)


def folded(generator: AnyGenerator) -> FoldedGenerator | FoldedBeams:
    """A trained generator (in eval mode) for inference alone, the same function of noise and pose."""
    return FoldedBeams(generator) if isinstance(generator, BeamGenerator) else FoldedGenerator(generator)


def network_from_dict(values: dict[str, Any]) -> NetworkSettings | BeamSettings:
    """Settings from a model's metadata. Raises UserError for what this version does not know."""
    kind = values.get("kind")
    if kind is None:
        return NetworkSettings.from_dict(values)
    try:
        if kind != BeamSettings.KIND:
            raise ValueError(f"a network of kind {str(kind)[:40]!r}")
        return BeamSettings.from_dict(values)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"The model's network settings are not understood ({error}).",
            "It may come from a newer version; update this software.",
        ) from error
