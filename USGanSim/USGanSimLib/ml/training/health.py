"""Is the training well? Numbers that are not finite end it; signs of collapse are said, with the numbers."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from .checkpoint import LAST_GOOD_HINT

# Two samples of a live GAN differ by speckle, several grey levels; rounding alone makes less than half of one.
SMALLEST_SPREAD_GREY = 0.5
# A picture with less than this share of the real images' contrast shows nothing of them.
SMALLEST_CONTRAST_SHARE = 0.05
# A discriminator that is right this often, this many iterations long, teaches the generator nothing.
PERFECT_ACCURACY = 0.995
WATCHED_ITERATIONS = 300
RISE_OF_LOSS = 1.1


def require_finite(losses: Mapping[str, float], step: int) -> None:
    """Raise UserError where a loss is NaN or infinite."""
    for name, value in losses.items():
        if not math.isfinite(value):
            raise UserError(f"{name} is {value} at step {step}: training has diverged.", LAST_GOOD_HINT)


def spread_grey(samples: NDArray[np.uint8]) -> float:
    """How much samples (P, Z, H, W) of one pose differ: SD over z, root mean square over pixels and poses."""
    return float(np.sqrt(samples.astype(np.float32).var(axis=1).mean()))


def sample_faults(samples: NDArray[np.uint8], real: NDArray[np.uint8], many_valued: bool) -> list[str]:
    """What is wrong with samples (P, Z, H, W) beside the real images (P, H, W), in words; empty when nothing is.

    A regression gives one image a pose, as it should, so only others are told that their samples are alike.
    """
    faults = []
    contrast, real_contrast = float(samples.std()), float(real.std())
    if contrast < SMALLEST_CONTRAST_SHARE * real_contrast:
        faults.append(
            f"The simulated images are nearly one grey: mean {samples.mean():.1f}, SD {contrast:.2f} grey "
            f"levels, where the real images have mean {real.mean():.1f}, SD {real_contrast:.2f}."
        )
    spread = spread_grey(samples)
    if many_valued and spread < SMALLEST_SPREAD_GREY:
        faults.append(
            f"Mode collapse: samples of one pose differ by {spread:.2f} grey levels, less than "
            f"{SMALLEST_SPREAD_GREY:g}."
        )
    return faults


class DiscriminatorWatch:
    """Notices a discriminator that has won: right about nearly every image while the generator's loss keeps rising."""

    def __init__(self, iterations: int = WATCHED_ITERATIONS) -> None:
        self._accuracies: deque[float] = deque(maxlen=iterations)
        self._losses: deque[float] = deque(maxlen=iterations)

    def after_step(self, losses: Mapping[str, float]) -> str | None:
        """Take one iteration's numbers; returns what is wrong, in words, at most once in the watched time."""
        if "loss_g" not in losses:
            return None
        self._accuracies.append((losses["accuracy_real"] + losses["accuracy_fake"]) / 2)
        self._losses.append(losses["loss_g"])
        count = len(self._losses)
        if count < (self._losses.maxlen or 0):
            return None
        accuracy = float(np.mean(self._accuracies))
        earlier, later = np.mean(
            np.array(self._losses).reshape(2, -1)
            if count % 2 == 0
            else np.array(self._losses)[1:].reshape(2, -1),
            axis=1,
        )
        if accuracy < PERFECT_ACCURACY or later < RISE_OF_LOSS * earlier:
            return None
        self._losses.clear()
        self._accuracies.clear()
        return (
            f"The discriminator has won: right about {accuracy:.1%} of images over {count} iterations, while the "
            f"generator's loss rose from {earlier:.2f} to {later:.2f}."
        )
