"""Which row of a table of poses belongs to which image: by name, by frame number, by time, or by order."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from .pose_table import PoseTable

Values = TypeVar("Values")
Key = TypeVar("Key", bound=Hashable)
WAYS = ("name", "frame", "time", "order")


def way_of(table: PoseTable, names: Sequence[str] | None, times_s: NDArray[np.float64] | None) -> str:
    """The surest way that both sides allow."""
    if table.files is not None and names is not None:
        return "name"
    if table.frames is not None:
        return "frame"
    return "time" if table.times_s is not None and times_s is not None else "order"


def matched(
    table: PoseTable,
    count: int,
    names: Sequence[str] | None,
    times_s: NDArray[np.float64] | None,
    way: str,
    tolerance_s: float,
) -> NDArray[np.int_]:
    """(count,): the row of each image, −1 where it has none. Frames are counted from 0, in the order of the images.
    Raises UserError where a side lacks what the way needs, where rows claim one image, and where nothing matches."""
    if way == "order":
        if len(table) != count:
            raise UserError(
                f"There are {count} images and {len(table)} poses, which do not match by order.",
                "Give the table a column file, frame or time_s.",
            )
        return np.arange(count)
    rows = {
        "name": lambda: _by_key(_stems(table.files, "column file"), _stems(names, "name of an image")),
        "frame": lambda: _by_key(_needed(table.frames, "column frame"), range(count)),
        "time": lambda: _by_time(
            _needed(table.times_s, "column time_s"),
            _needed(times_s, "time of an image (--rate)"),
            tolerance_s,
        ),
    }[way]()
    if not (rows >= 0).any():
        raise UserError(
            f"None of {count} images has a pose in the table, by {way}.",
            "Give --match, and check the table's keys.",
        )
    return rows


def _by_key(of_table: Sequence[Key], of_images: Sequence[Key]) -> NDArray[np.int_]:
    row_of: dict[Key, int] = {}
    for row, key in enumerate(of_table):
        if key in row_of:
            raise UserError(f"The table has two rows for {key}.", "Leave one row for every image.")
        row_of[key] = row
    return np.array([row_of.get(key, -1) for key in of_images])


def _by_time(
    of_table: NDArray[np.float64], of_images: NDArray[np.float64], tolerance_s: float
) -> NDArray[np.int_]:
    """The nearest row, where it is near enough."""
    order = np.argsort(of_table, kind="stable")
    known = of_table[order]
    after = np.searchsorted(known, of_images).clip(0, len(known) - 1)
    before = np.maximum(after - 1, 0)
    nearer = np.where(of_images - known[before] <= known[after] - of_images, before, after)
    near = np.abs(known[nearer] - of_images) <= tolerance_s
    return np.where(near, order[nearer], -1)


def _stems(names: Sequence[str] | None, what: str) -> list[str]:
    """Names without folder and ending, which a table may leave out."""
    return [Path(name.replace("\\", "/")).stem.lower() for name in _needed(names, what)]


def _needed(values: Values | None, what: str) -> Values:
    if values is None:
        raise UserError(f"There is no {what} to match by.", "Choose another --match.")
    return values
