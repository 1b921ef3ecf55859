"""Points whose true place in the image is known (wires, pins): reading them, and matching them with found ones."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ...errors import UserError
from ...geometry.image_geometry import resized_to_source
from ...recording.dataset import Dataset

# A spot further away than this is not the point. Half the 10 mm between the wires of PLUS's N-wire phantoms.
GATE_MM = 5.0

Points = NDArray[np.float64]
_COLUMNS = ("frame", "u_px", "v_px")


@dataclass(frozen=True, eq=False)
class Truth:
    """The true points of a training set's frames.

    by_frame   index in the training set → (K, 2) pixels u, v of the training set's own images, K ≥ 1
    cut_off    number of points that the crop left outside the images; they are not counted anywhere
    """

    by_frame: Mapping[int, Points]
    cut_off: int = 0

    def count(self, indices: Sequence[int] | NDArray[np.int_]) -> int:
        """The number of points in the given frames."""
        return sum(len(self.by_frame[int(index)]) for index in indices if int(index) in self.by_frame)


@dataclass(frozen=True, eq=False)
class Matching:
    """distance_mm (K,) of every true point, the gate's value for a missed one; `missed` (K,) says which those are;
    `extra` counts the found points that belong to no true one."""

    distance_mm: NDArray[np.float64]
    missed: NDArray[np.bool_]
    extra: int


def read_points(path: Path) -> dict[int, Points]:
    """Frame number of the recording → (K, 2) pixels u, v of the full MF-oriented image.

    Reads a PLUS calibration result (XML: the `SegmentedPoints` of each `Frame` of `CalibrationData` whose segmentation
    is OK) or a table with the columns frame, u_px, v_px. Raises UserError for anything else.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UserError(f"The points {path} cannot be read: {reason}.", "Check the path.") from error
    rows = _xml_rows(path, text) if text.lstrip().startswith("<") else _csv_rows(path, text)
    points: dict[int, list[tuple[float, float]]] = {}
    for frame, u_px, v_px in rows:
        points.setdefault(frame, []).append((u_px, v_px))
    if not points:
        raise UserError(
            f"{path} holds no point.", "Give a PLUS calibration result, or a table frame,u_px,v_px."
        )
    return {frame: np.array(places) for frame, places in points.items()}


def truth_of_dataset(dataset: Dataset, points: Sequence[Mapping[int, Points]]) -> Truth:
    """Move points of the recordings' images into the images of a training set.

    `points` has one entry for each recording of the training set, in their order. Raises UserError where the numbers
    differ, or where no held-out or no training frame has a point.
    """
    if len(points) != len(dataset.sources):
        raise UserError(
            f"{len(points)} files of points do not go with {len(dataset.sources)} recordings in the "
            "training set.",
            "Give one file for each recording, in their order.",
        )
    source_to_own = np.linalg.inv(
        resized_to_source(dataset.crop, dataset.geometry.width_px, dataset.geometry.height_px)
    )
    beyond = np.array([dataset.geometry.width_px, dataset.geometry.height_px]) - 0.5
    by_frame: dict[int, Points] = {}
    cut_off = 0
    for index, (sweep, frame) in enumerate(zip(dataset.sweep_index, dataset.source_frame, strict=True)):
        places = points[int(sweep)].get(int(frame))
        if places is None:
            continue
        own = places @ source_to_own[:2, :2].T + source_to_own[:2, 3]
        inside = ((own >= -0.5) & (own < beyond)).all(axis=1)
        cut_off += int((~inside).sum())
        if inside.any():
            by_frame[index] = own[inside]
    truth = Truth(by_frame, cut_off)
    for indices, what in ((dataset.heldout_indices, "held-out"), (dataset.train_indices, "training")):
        if not truth.count(indices):
            raise UserError(
                f"None of {len(indices)} {what} frames has a true point in the image.",
                "Check that the points belong to the recordings of this training set.",
            )
    return truth


def match_points(true_mm: Points, found_mm: Points, gate_mm: float = GATE_MM) -> Matching:
    """Pair (K, 2) true with (M, 2) found points so that the sum of distances is smallest; each is used once.

    A distance of `gate_mm` or more is no pair: the true point is missed and counts as `gate_mm`. That makes the sum
    the smallest over all ways of pairing some and missing the others.
    """
    offsets = true_mm[:, None] - found_mm[None]
    cost = np.minimum(np.linalg.norm(offsets, axis=2), gate_mm)
    rows, columns = linear_sum_assignment(cost)
    distance_mm = np.full(len(true_mm), float(gate_mm))
    distance_mm[rows] = cost[rows, columns]
    missed = distance_mm >= gate_mm
    return Matching(distance_mm, missed, len(found_mm) - int((~missed).sum()))


def _xml_rows(path: Path, text: str) -> list[tuple[int, float, float]]:
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise UserError(f"{path} is not readable XML: {error}.", "Copy the file again.") from error
    rows = []
    for frame in root.iterfind(".//CalibrationData/Frame"):
        if frame.get("SegmentationStatus") != "OK":
            continue
        for point in frame.iterfind("SegmentedPoints/Point"):
            place = point.get("Position", "").split()
            rows.append(_row(path, [frame.get("Index"), *place[:2]], f"frame {frame.get('Index')}"))
    return rows


def _csv_rows(path: Path, text: str) -> list[tuple[int, float, float]]:
    reader = csv.DictReader(text.splitlines())
    try:
        names, lines = reader.fieldnames or [], [(row, reader.line_num) for row in reader]
    except csv.Error as error:
        raise UserError(f"{path} is no table ({error}).", "Copy the file again.") from error
    missing = [name for name in _COLUMNS if name not in names]
    if missing:
        raise UserError(
            f"{path} has no column {', '.join(missing)}.", "The first line must be frame,u_px,v_px."
        )
    return [_row(path, [row[name] for name in _COLUMNS], f"line {line}") for row, line in lines]


def _row(path: Path, words: Sequence[str | None], where: str) -> tuple[int, float, float]:
    try:
        frame, u_px, v_px = (word or "" for word in words)
        row = int(frame), float(u_px), float(v_px)
        if row[0] < 0 or not all(map(math.isfinite, row)):
            raise ValueError
    except ValueError as error:
        raise UserError(
            f"{path}, {where}: {words} is no frame number and point.", "Write frame,u_px,v_px with numbers."
        ) from error
    return row
