"""Some of many: evenly spread numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def evenly(count: int, most: int) -> NDArray[np.int_]:
    """At most `most` of the numbers 0 … count − 1, evenly spread, both ends among them; ascending, each once."""
    if count <= 0 or most <= 0:
        return np.empty(0, np.int_)
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int_))
