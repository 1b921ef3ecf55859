"""Wires followed through a recording: spots of neighbouring frames joined to tracks, one a wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ..spots import find_spots

Values = NDArray[np.float64]

SCALE_PX = 6.0
FAINTEST_GREY = 8.0
MOST_SPOTS = 24
# Half the usual distance of wires in pixels: further apart, two spots are two wires.
REACH_PX = 30.0
LONGEST_GAP = 3
FEWEST_FRAMES = 12


@dataclass(frozen=True, eq=False)
class WireTrack:
    """One wire: `frames` (N,) ascending, `pixels` (N, 2) u, v."""

    frames: NDArray[np.int_]
    pixels: Values


def wire_spots(images: NDArray[np.uint8]) -> dict[int, Values]:
    """Frame → (K, 2) pixels of the bright compact spots in (N, H, W) images."""
    return {
        frame: find_spots(image, SCALE_PX, FAINTEST_GREY)[0][:MOST_SPOTS]
        for frame, image in enumerate(images)
    }


def follow(spots: Mapping[int, Values]) -> list[WireTrack]:
    """Tracks of spots that move by less than REACH_PX between frames, as near together as possible over all; a track
    may miss LONGEST_GAP frames. Short tracks are dropped."""
    ended: list[list[tuple[int, Values]]] = []
    running: list[list[tuple[int, Values]]] = []
    for frame in sorted(spots):
        ended += [track for track in running if frame - track[-1][0] > LONGEST_GAP + 1]
        running = [track for track in running if frame - track[-1][0] <= LONGEST_GAP + 1]
        free = set(range(len(spots[frame])))
        if running and free:
            expected = np.array([_expected(track, frame) for track in running])
            distance = np.linalg.norm(expected[:, None] - spots[frame][None], axis=2)
            for row, column in zip(*linear_sum_assignment(np.minimum(distance, REACH_PX)), strict=True):
                if distance[row, column] < REACH_PX:
                    running[row].append((frame, spots[frame][column]))
                    free.discard(int(column))
        running += [[(frame, spots[frame][index])] for index in sorted(free)]
    return [
        WireTrack(np.array([frame for frame, _ in track]), np.array([place for _, place in track]))
        for track in [*ended, *running]
        if len(track) >= FEWEST_FRAMES
    ]


def _expected(track: list[tuple[int, Values]], frame: int) -> Values:
    """Where the spot will be at its latest speed."""
    latest, place = track[-1]
    if len(track) < 2:
        return place
    before, earlier = track[-2]
    return place + (place - earlier) * (frame - latest) / (latest - before)
