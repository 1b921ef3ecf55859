"""How the noise behind the simulated images changes from image to image: not at all, anew each time, or slowly."""

from __future__ import annotations

import enum
import math
from typing import Any

from .errors import UserError

SHORTEST_HALF_LIFE_S, LONGEST_HALF_LIFE_S = 0.1, 60.0


class Variation(enum.Enum):
    """What happens to the noise before an image is made."""

    FIXED = "fixed"
    RESAMPLED = "new sample for each image"
    DRIFTING = "drifting"

    def change(self, renderer: Any, elapsed_s: float, half_life_s: float) -> bool:
        """Change the noise of a `ml.renderer.ModelRenderer`, `elapsed_s` after the last time. Whether it did.

        A drift loses half of its likeness to where it was within `half_life_s`, at any rate of images.
        """
        if self is Variation.FIXED:
            return False
        if self is Variation.RESAMPLED:
            renderer.resample()
        else:
            renderer.drift(drift_step(elapsed_s, half_life_s))
        return True


def drift_step(elapsed_s: float, half_life_s: float) -> float:
    """The step of `ModelRenderer.drift` after which the noise's correlation with itself `elapsed_s` ago is
    0.5^(elapsed_s / half_life_s). Raises UserError for a half-life out of range."""
    if not SHORTEST_HALF_LIFE_S <= half_life_s <= LONGEST_HALF_LIFE_S:
        raise UserError(
            f"Noise cannot drift with a half-life of {half_life_s:g} s.",
            f"Give {SHORTEST_HALF_LIFE_S:g} to {LONGEST_HALF_LIFE_S:g} s.",
        )
    # One step leaves the correlation √(1 − step²).
    return math.sqrt(1 - 0.25 ** (max(elapsed_s, 0.0) / half_life_s))
