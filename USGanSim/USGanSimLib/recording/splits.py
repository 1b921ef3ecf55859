"""Which frames are held out. Neighbouring frames are nearly the same image, so they are never split one by one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError

SPLITS = ("blocks", "sweeps")
DEFAULT_SPLIT, DEFAULT_HOLDOUT, DEFAULT_BLOCKS = "blocks", 0.2, 2


def held_out(
    split: str, sweep_lengths: Sequence[int], holdout: float = DEFAULT_HOLDOUT, blocks: int = DEFAULT_BLOCKS
) -> NDArray[np.bool_]:
    """(sum of lengths,) bool, True for held-out frames; `sweep_lengths` are the usable frames of each sweep.

    "blocks": every sweep is cut in `blocks` equal parts and the middle `holdout` of each part is held out, so that
    held-out frames lie within the sweep as well as towards both ends, with trained frames on either side.
    "sweeps": whole sweeps, spread evenly over the list, `holdout` of their number and at least one.
    Nothing is random. Raises UserError where the share is not in [0, 1) or cannot be had.
    """
    if not 0 <= holdout < 1:
        raise UserError(
            f"The held-out share is {holdout:g}.", "Give a number from 0 to below 1 as --holdout."
        )
    if blocks < 1:
        raise UserError(f"{blocks} held-out blocks a sweep were asked for.", "Give 1 or more as --blocks.")
    if holdout == 0:
        return np.zeros(sum(sweep_lengths), bool)
    if split == "sweeps":
        return np.repeat(_held_out_sweeps(len(sweep_lengths), holdout), sweep_lengths)
    result = np.concatenate([_held_out_blocks(length, holdout, blocks) for length in sweep_lengths])
    if not result.any():
        raise UserError(
            f"Sweeps of {', '.join(map(str, sweep_lengths))} usable frames are too short to hold out "
            f"{holdout:.0%} in {blocks} blocks each.",
            "Give fewer --blocks or a larger --holdout.",
        )
    return result


def _held_out_sweeps(count: int, holdout: float) -> NDArray[np.bool_]:
    if count < 2:
        raise UserError(
            "There is one sweep, so none can be held out as a whole.",
            "Give several recordings, or --split blocks.",
        )
    chosen = min(max(1, round(holdout * count)), count - 1)
    result = np.zeros(count, bool)
    result[_middles(count, chosen).astype(int)] = True
    return result


def _held_out_blocks(length: int, holdout: float, blocks: int) -> NDArray[np.bool_]:
    result = np.zeros(length, bool)
    size = round(holdout * length / blocks)
    for start in np.floor(_middles(length, blocks) - size / 2 + 0.5).astype(int):
        result[start : start + size] = True
    return result


def _middles(length: int, parts: int) -> NDArray[np.float64]:
    return (np.arange(parts) + 0.5) * length / parts
