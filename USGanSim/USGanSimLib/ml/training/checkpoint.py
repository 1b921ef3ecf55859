"""The state of a training run, and its file: `checkpoint.pt`, tensors and plain Python alone.

`torch.load(weights_only=True)` reads it, so that loading never runs code. There is no generator state in it: the
order of frames and the noise are functions of seed and step (batches.py).
"""

from __future__ import annotations

import copy
import os
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...errors import UserError
from ...files import replacing_file
from ...geometry.field_of_view import FieldOfView
from ...model.beam_settings import BeamSettings
from ...model.network_settings import NetworkSettings
from ...model.recipes import Recipe
from ...model.settings import TrainSettings
from ..generators import AnyDiscriminator, AnyGenerator, new_discriminator, new_generator

FORMAT_VERSION = 1


@dataclass
class TrainingState:
    """Both networks, their optimisers, the average generator, and the number of iterations done."""

    generator: AnyGenerator
    average: AnyGenerator
    optimiser_g: torch.optim.Adam
    discriminator: AnyDiscriminator | None
    optimiser_d: torch.optim.Adam | None
    step: int = 0

    @classmethod
    def initial(
        cls,
        recipe: Recipe,
        network: NetworkSettings | BeamSettings,
        field: FieldOfView,
        seed: int,
        device: torch.device,
    ) -> TrainingState:
        """Freshly initialised networks for images with this field; the same for the same seed on every device."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            generator = new_generator(network, field)
            discriminator = new_discriminator(network, field).to(device) if recipe.adversarial else None
        average = copy.deepcopy(generator).requires_grad_(False).eval().to(device)
        generator.to(device)
        return cls(
            generator,
            average,
            _adam(generator, recipe),
            discriminator,
            _adam(discriminator, recipe) if discriminator else None,
        )

    def parts(self) -> dict[str, Any]:
        """What has a `state_dict`, by its name in the file."""
        parts = {
            "generator": self.generator,
            "average": self.average,
            "optimiser_g": self.optimiser_g,
            "discriminator": self.discriminator,
            "optimiser_d": self.optimiser_d,
        }
        return {name: part for name, part in parts.items() if part is not None}

    def require_finite(self) -> None:
        """Raise UserError where a weight is NaN or infinite; such a state must replace no good checkpoint."""
        for name, part in self.parts().items():
            if isinstance(part, nn.Module) and not all(bool(p.isfinite().all()) for p in part.parameters()):
                raise UserError(
                    f"Weights of the {name} are not finite after step {self.step}.", LAST_GOOD_HINT
                )


LAST_GOOD_HINT = (
    "The last checkpoint is unchanged. Resume from it with another --precision or device, or start "
    "again with another --seed."
)


@dataclass(frozen=True)
class SavedRun:
    """A checkpoint as read from its file."""

    settings: TrainSettings
    training_set_sha256: str
    step: int
    states: dict[str, Any]

    def require_same(self, settings: TrainSettings, training_set_sha256: str) -> None:
        """Raise UserError, with both values, where a run cannot go on from here."""
        if training_set_sha256 != self.training_set_sha256:
            raise UserError(
                f"The run was trained on the set {self.training_set_sha256[:12]}…, this is the set "
                f"{training_set_sha256[:12]}….",
                "Resume with the run's own training set, or choose another --out.",
            )
        began, goes_on = self.settings.fixed, settings.fixed
        for name in {**began, **goes_on}:
            before, now = began.get(name), goes_on.get(name)
            if now != before:
                raise UserError(
                    f"The run began with {name} {before}, now {name} is {now}.",
                    "Resume without changing it, or choose another --out.",
                )

    def restore(self, state: TrainingState) -> None:
        """Put networks and optimisers back to where they were. Raises UserError where a part is missing or another."""
        for name, part in state.parts().items():
            try:
                part.load_state_dict(self.states[name])
            except torch.cuda.OutOfMemoryError:
                raise
            except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
                raise UserError(f"The checkpoint's {name} is damaged.", "Start a new run.") from error
        state.step = self.step


def save_checkpoint(
    path: Path, state: TrainingState, settings: TrainSettings, training_set_sha256: str
) -> None:
    """Write the state to `path`; the previous file stays until the new one is whole.

    Raises UserError where a weight is not finite or where the file cannot be written.
    """
    state.require_finite()
    content = {
        "format": FORMAT_VERSION,
        "settings": settings.as_dict(),
        "step": state.step,
        "training_set_sha256": training_set_sha256,
        "states": {name: part.state_dict() for name, part in state.parts().items()},
    }
    with replacing_file(path) as part_path:
        _write(content, part_path)


def load_checkpoint(path: Path) -> SavedRun:
    """Read a checkpoint. Raises UserError where it is missing, damaged, or not of this version."""
    if not path.is_file():
        raise UserError(f"There is no checkpoint {path}.", "Start a new run without --resume.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content["format"] != FORMAT_VERSION:
            raise ValueError(f"format {content['format']}, where this version reads {FORMAT_VERSION}")
        if int(content["step"]) < 0:
            raise ValueError(f"step {content['step']}")
        return SavedRun(
            TrainSettings.from_dict(content["settings"]),
            str(content["training_set_sha256"]),
            int(content["step"]),
            content["states"],
        )
    except (
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
        RuntimeError,
        EOFError,
        pickle.UnpicklingError,
    ) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"The checkpoint {path} cannot be read ({reason}).", "Start a new run.") from error


def _write(content: dict[str, Any], path: Path) -> None:
    with path.open("wb") as stream:
        try:
            torch.save(content, stream)
        except RuntimeError as error:
            # PyTorch tells of a full disk as of an internal failure; the true reason is the error behind it.
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise
        stream.flush()
        os.fsync(stream.fileno())


def _adam(network: nn.Module, recipe: Recipe) -> torch.optim.Adam:
    # The rate is that of the stage at each iteration.
    parameters = list(network.parameters())
    # One pass over the weights of an update, where PyTorch has it.
    fused = parameters[0].device.type in ("cpu", "cuda")
    return torch.optim.Adam(parameters, recipe.stages[-1].learning_rate, recipe.betas, fused=fused)
