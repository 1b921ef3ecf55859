"""Proposals of the pinhead in a recording: from one click, or from the most distinct spot, tracked both ways in time.

Every proposal can be corrected by hand: points that the user gave stay exactly as they are and are starting points for
the frames around them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ..spots import find_spots, find_spots_near, isolation, scale_of_spot

Place = NDArray[np.float64]

# A spot this much weaker than the one it was tracked from is another thing, or the pin far off the image plane.
LEAST_SHARE = 0.4
FAINTEST_GREY = 4.0
# A probe moves by millimetres between two frames: the search widens while the pin is out of sight.
REACH_PX = 25.0
LONGEST_GAP = 8
_SEED_FRAMES = 24
_SEED_SCALE_PX = 4.0
_SEED_SPOTS = 12
_SEED_LEAD_GREY = 15.0


@dataclass(frozen=True, eq=False)
class Proposals:
    """`frames` (K,), `pixels` (K, 2) u, v, `strengths` (K,) responses in grey levels (0 for a user's point that is on
    no spot), `given` (K,) whether the user gave the point."""

    frames: NDArray[np.int_]
    pixels: Place
    strengths: NDArray[np.float64]
    given: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.frames)


def propose(
    images: NDArray[np.uint8], clicks: Mapping[int, Place], usable: NDArray[np.bool_] | None = None
) -> Proposals:
    """The pinhead in (N, H, W) images. `clicks`, frame → (2,) u, v, are kept; without any, the most distinct spot of
    some frames is taken. Frames that are not `usable` are passed over. Raises UserError where no spot is found, none of
    the clicks is on one, or one is outside the images."""
    usable = np.ones(len(images), bool) if usable is None else usable
    outside = [frame for frame in clicks if not 0 <= frame < len(images)]
    if outside:
        raise UserError(
            f"Frame {outside[0]} is not in the recording, whose last is {len(images) - 1}.",
            "Frames are counted from 0.",
        )
    height, width = images.shape[1:]
    beside = [frame for frame, (u, v) in clicks.items() if not (0 <= u < width and 0 <= v < height)]
    if beside:
        u, v = clicks[beside[0]]
        raise UserError(
            f"The click in frame {beside[0]}, ({u:.0f}, {v:.0f}) px, is outside the image of "
            f"{width}×{height} px.",
            "Give frame,u,v in pixels of the MF-oriented image.",
        )
    seeds = dict(clicks) or _most_distinct(images, usable)
    found: dict[int, tuple[Place, float]] = {}
    order = sorted(seeds)
    # Every frame between two clicks is tracked from the nearer one.
    middles = [(first + second) // 2 for first, second in itertools.pairwise(order)]
    for frame, low, high in zip(
        order, [0, *(m + 1 for m in middles)], [*middles, len(images) - 1], strict=True
    ):
        scale, strength = scale_of_spot(images[frame], seeds[frame])
        if strength < FAINTEST_GREY:
            if frame in clicks:
                found[frame] = (np.asarray(seeds[frame], np.float64), 0.0)
                continue
            raise UserError(
                "There is no bright compact spot in the images.", "Click on the pinhead in one frame."
            )
        found[frame] = (np.asarray(seeds[frame], np.float64), strength)
        for course in (range(frame + 1, high + 1), range(frame - 1, low - 1, -1)):
            found.update(_tracked(images, course, found[frame], scale, usable, images[frame]))
    frames = sorted(found)
    if clicks and not any(strength for _, strength in found.values()):
        raise UserError(
            f"No bright compact spot is at the {len(clicks)} given places (first: frame {order[0]}).",
            "Click on the pinhead itself, in a frame that shows it brightly.",
        )
    return Proposals(
        np.array(frames, int),
        np.array([found[f][0] for f in frames]),
        np.array([found[f][1] for f in frames]),
        np.array([f in clicks for f in frames]),
    )


def _tracked(
    images: NDArray[np.uint8],
    course: Iterable[int],
    start: tuple[Place, float],
    scale: float,
    usable: NDArray[np.bool_],
    first: NDArray[np.uint8],
) -> dict[int, tuple[Place, float]]:
    """Follow a spot through the frames of `course`, at its latest speed, and look for it everywhere once it is lost."""
    (place, strength), speed, missed = start, np.zeros(2), 0
    typical, least_isolation = strength, LEAST_SHARE * isolation(first, place, scale)
    found = {}
    for frame in course:
        if not usable[frame]:
            missed += 1
            continue
        least = max(LEAST_SHARE * typical, FAINTEST_GREY)
        expected, reach = place + speed * (missed + 1), REACH_PX * (1 + missed)
        if missed > LONGEST_GAP:
            expected, reach = place, float(np.hypot(*images.shape[1:]))
        spots, strengths = find_spots_near(images[frame], expected, reach, scale, least)
        if missed:
            # What comes back must stand alone as the pin did: noise, and the ends of bright lines, do not.
            spots, strengths = spots[:_SEED_SPOTS], strengths[:_SEED_SPOTS]
            lonely = np.array(
                [isolation(images[frame], spot, scale) >= least_isolation for spot in spots], bool
            )
            spots, strengths = spots[lonely], strengths[lonely]
        if not len(spots):
            missed += 1
            continue
        score = strengths * np.exp(-0.5 * (2 * np.linalg.norm(spots - expected, axis=1) / reach) ** 2)
        best = int(np.argmax(score))
        # After a gap the speed of before says nothing.
        speed = spots[best] - place if missed == 0 else np.zeros(2)
        place, missed = spots[best], 0
        typical = 0.8 * typical + 0.2 * float(strengths[best])
        found[frame] = (place, float(strengths[best]))
    return found


def _most_distinct(images: NDArray[np.uint8], usable: NDArray[np.bool_]) -> dict[int, Place]:
    """The frame and place of the spot that stands out most from its surroundings, and from all others in its frame."""
    frames = np.flatnonzero(usable)
    if not frames.size:
        raise UserError("The recording has no valid image.", "Record the pin again.")
    frames = frames[np.linspace(0, len(frames) - 1, min(len(frames), _SEED_FRAMES)).round().astype(int)]
    best, best_lead = {}, _SEED_LEAD_GREY
    for frame in frames:
        spots, _ = find_spots(images[frame], _SEED_SCALE_PX, FAINTEST_GREY)
        apart = [isolation(images[frame], spot, _SEED_SCALE_PX) for spot in spots[:_SEED_SPOTS]]
        order = np.argsort(apart)[::-1]
        lead = apart[order[0]] - max(apart[order[1]] if len(apart) > 1 else 0.0, 0.0) if apart else 0.0
        if lead > best_lead:
            best, best_lead = {int(frame): spots[order[0]]}, lead
    if not best:
        raise UserError(
            "No frame has one spot that is brighter than all others.", "Click on the pinhead in one frame."
        )
    return best
