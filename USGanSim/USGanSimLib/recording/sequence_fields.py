"""Fields of single frames ↔ time stamps, transforms and validity.

A transform is the field `AToBTransform` (16 numbers, row-major) with `AToBTransformStatus`; it is valid when the
status is exactly OK, whatever its numbers, and a missing status is not OK. That suffix alone makes a transform, as in
PLUS (IGSIO, igsioTrackedFrame::IsTransform): a plain `AToB` is an ordinary field. An image without a status is valid.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import make_interp_spline

from ..errors import UserError
from ..geometry.transforms import Matrix, TransformTrack, split_transform_name
from .sequence_format import FrameFields, SequenceHeader

TRANSFORM, TRANSFORM_STATUS, TIMESTAMP = "Transform", "TransformStatus", "Timestamp"
OK, INVALID = "OK", "INVALID"

# Frames of a recording without pixels for each one that its header tells of.
_MOST_UNTOLD = 1000


@dataclass(frozen=True)
class FrameData:
    """The fields of N frames by kind; see TrackedSweep for the meaning of each."""

    timestamps_s: NDArray[np.float64]
    transforms: dict[str, TransformTrack]
    image_valid: NDArray[np.bool_]
    other: dict[str, tuple[str | None, ...]]


def frame_data(header: SequenceHeader) -> FrameData:
    """Sort the frame fields of a file.

    Frames may lack fields. One without time stamp keeps its place, with a stamp between its neighbours', but its image
    and its transforms count as invalid. Raises UserError for a file without time stamps, for a valid transform that
    is no 16 numbers, and for fields of a frame that the file does not have.
    """
    fields, count, name = header.frame_fields, header.layout.size("n"), header.path.name
    _require_known_frames(fields, count, name, header.has_pixels)
    timestamps_s, told = _timestamps(fields, count, name)
    transforms = {transform: _track(fields, transform, told, name) for transform in _transform_names(fields)}
    statuses = fields.get(header.image_status, {})
    valid = np.array([statuses.get(frame, OK) == OK for frame in range(count)]) & told & header.has_pixels
    used = {TIMESTAMP, header.image_status, *(transform + TRANSFORM for transform in transforms)}
    # OK and INVALID are told by the track; a status that says more (OUT_OF_VIEW) is kept.
    used |= {
        transform + TRANSFORM_STATUS
        for transform in transforms
        if set(fields.get(transform + TRANSFORM_STATUS, {}).values()) <= {OK, INVALID}
    }
    other = {
        field: tuple(values.get(frame) for frame in range(count))
        for field, values in fields.items()
        if field not in used
    }
    return FrameData(timestamps_s, transforms, valid, other)


def frame_lines(
    timestamp_s: float, transforms: Mapping[str, tuple[Matrix, bool]], fields: Mapping[str, str | None]
) -> dict[str, str]:
    """The fields of one frame, field → value: the inverse of `frame_data`. Numbers are printed so that reading them
    gives the same bits."""
    lines = {}
    for name, (matrix, valid) in transforms.items():
        lines[name + TRANSFORM] = " ".join(
            repr(number) for number in np.asarray(matrix, float).ravel().tolist()
        )
        lines[name + TRANSFORM_STATUS] = OK if valid else fields.get(name + TRANSFORM_STATUS) or INVALID
    lines |= {field: value for field, value in fields.items() if value is not None and field not in lines}
    lines[TIMESTAMP] = repr(float(timestamp_s))
    return lines


def _require_known_frames(fields: FrameFields, count: int, name: str, has_pixels: bool) -> None:
    last = max((frame for values in fields.values() for frame in values), default=0)
    if last >= count:
        raise UserError(
            f"{name} has fields of frame {last}, but {count} images.",
            "The file is damaged; copy or record it again.",
        )
    # Pixels that are there bound the count; without any, a few bytes could ask for all memory.
    if not has_pixels and count > _MOST_UNTOLD * (last + 1):
        raise UserError(
            f"{name} says that it has {count} frames, and tells of {last + 1}.",
            "The file is damaged; copy or record it again.",
        )


def _transform_names(fields: FrameFields) -> list[str]:
    names = [field.removesuffix(TRANSFORM) for field in fields if field.endswith(TRANSFORM)]
    return [name for name in names if _is_transform_name(name)]


def _is_transform_name(name: str) -> bool:
    try:
        split_transform_name(name)
    except UserError:
        return False
    return True


def _track(fields: FrameFields, transform: str, told: NDArray[np.bool_], name: str) -> TransformTrack:
    values, statuses = fields[transform + TRANSFORM], fields.get(transform + TRANSFORM_STATUS, {})
    matrices = np.tile(np.eye(4), (len(told), 1, 1))
    valid = np.zeros(len(told), bool)
    for frame, text in values.items():
        valid[frame] = statuses.get(frame) == OK and told[frame]
        numbers = _numbers(text)
        if numbers is not None:
            matrices[frame] = np.reshape(numbers, (4, 4))
        elif valid[frame]:
            raise UserError(
                f"{name}, frame {frame}: {transform} is not 16 numbers but {text[:60]!r}.",
                "The file is damaged; copy or record it again.",
            )
    return TransformTrack(matrices, valid)


def _numbers(text: str) -> list[float] | None:
    try:
        numbers = [_number(word) for word in text.split()]
    except ValueError:
        return None
    return numbers if len(numbers) == 16 else None


def _number(word: str) -> float:
    # Old Windows programs print not-a-number and infinity as 1.#QNAN, -1.#IND and 1.#INF.
    return math.nan if "#" in word else float(word)


def _timestamps(fields: FrameFields, count: int, name: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(N,) stamps, and whether the file tells them; the others lie on the line between (or beyond) their neighbours."""
    texts = fields.get(TIMESTAMP, {})
    told = np.isin(np.arange(count), list(texts))
    if told.sum() < min(count, 2):
        raise UserError(
            f"{name} has no {TIMESTAMP} in {count - told.sum()} of {count} frames.",
            "It is no tracked recording; record it with PLUS or this software.",
        )
    stamps = np.array([_stamp(texts[frame], frame, name) for frame in np.flatnonzero(told).tolist()])
    if told.all():
        return stamps, told
    return make_interp_spline(np.flatnonzero(told), stamps, k=1)(np.arange(count)), told


def _stamp(text: str, frame: int, name: str) -> float:
    try:
        stamp = float(text)
    except ValueError:
        stamp = math.nan
    if not math.isfinite(stamp):
        raise UserError(
            f"{name}, frame {frame}: the {TIMESTAMP} is {text[:60]!r}.", "A number of seconds is needed."
        )
    return stamp
