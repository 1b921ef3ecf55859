"""Orientation of B-mode pixels: everything is turned to MF by flips.

PLUS names the transducer direction in which x and then y of the image grow: M or U for the marked or unmarked side,
F or N for far from or near to the transducer. A third letter, A or D, is the direction across the image plane and
moves no pixel of a two-dimensional image (PlusLib, docs/UltrasoundImageOrientation.md).
"""

from __future__ import annotations

import re

from ..errors import UserError
from .sweep import Frames

ASSUMED = "MF"  # as PLUS assumes for B-mode without the field


def to_mf(frames: Frames, orientation: str, name: str) -> Frames:
    """(N, H, W) pixels as stored → a view of them in MF orientation. An empty `orientation` counts as MF.

    Raises UserError for an orientation that flips cannot turn to MF: FM and the like have scan lines along x and
    need a transposition, often a scan conversion too.
    """
    letters = (orientation or ASSUMED).upper().removeprefix("US_IMG_ORIENT_")
    if re.fullmatch("[FN][MU][AD]?", letters):
        raise UserError(
            f"{name} has orientation {letters}: its scan lines run along x, and flips alone cannot make it "
            "MF.",
            "Record scan-converted B-mode images (MF), or convert the file with PLUS.",
        )
    if not re.fullmatch("[MU][FN][AD]?", letters):
        raise UserError(
            f"{name} has the unknown image orientation {orientation!r}.",
            "Set UltrasoundImageOrientation to MF, MN, UF or UN, whichever the image has.",
        )
    return frames[:, :: -1 if letters[1] == "N" else 1, :: -1 if letters[0] == "U" else 1]
