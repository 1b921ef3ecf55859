"""Shadows of lost contact in an image: where they are, how sharp their edges are, how straight they follow the beams.

A shadow is a run of neighbouring beams, at most WIDEST_SHARE of all, whose level lies at least DARKER_GREY under that
of the beams on both sides. It begins within BEGINS_WITHIN_SHARE of the depth below the probe's face and goes on for at
least LEAST_LENGTH_SHARE of the depth, while the run keeps its width to a factor of MOST_WIDENING; beyond
MOST_LENGTH_SHARE it is not followed. Levels are means over LEVEL_SHARE of the depth, which take the speckle out.

Shadows that begin deeper, of bone and gas, are not counted: nothing in one image tells them from dark gaps between
structures. Fluid, black on all beams, hides a shadow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import curve_fit
from scipy.special import ndtr

from ..geometry.along_beams import AlongBeams
from ..geometry.beams import Beams
from ..geometry.field_of_view import FieldOfView

WIDEST_SHARE = 0.2
DARKER_GREY = 20.0
BEGINS_WITHIN_SHARE = 0.15
LEAST_LENGTH_SHARE, MOST_LENGTH_SHARE = 1 / 6, 1 / 3
MOST_WIDENING = 2.0
LEVEL_SHARE = 1 / 12
# From 10 to 90 % of a step that a Gaussian has blurred, in SDs of the Gaussian.
EDGE_PER_SD = 2.5631
DEPTHS, _LEAST_LINES, _MOST_LINES = 96, 48, 256
# Levels are smoothed across beams too, before a shadow is looked for; its edges are measured on what is not.
_SMOOTH_SHARE = 0.012
# The edges are looked at within this many widths of the shadow on either side of its middle.
_WINDOW_WIDTHS, _LEAST_WINDOW_LINES = 1.5, 8

Grey = NDArray[np.float64]
# The first of a run of dark lines, and the one after its last.
Run = tuple[int, int]


@dataclass(frozen=True)
class Shadow:
    """One shadow.

    across      its middle, 0 at the first beam and 1 at the last
    length_mm   over how much of the depth it was followed
    edge_mm     its edges from 10 to 90 %, at the middle of that depth; None where no edges could be fitted
    wander_mm   how far its middle leaves one and the same beam, root mean square over its depths
    """

    across: float
    length_mm: float
    edge_mm: float | None
    wander_mm: float


@dataclass(frozen=True, eq=False)
class Track:
    """Depths of the grid that a shadow is seen at, (K,), and at each its middle and its width, in lines."""

    depths: NDArray[np.int_]
    middles: Grey
    widths: Grey


class ShadowFinder:
    """Finds shadows in images of a field of view, pixels of `mm_per_px` (x, y)."""

    def __init__(self, field: FieldOfView, mm_per_px: tuple[float, float]) -> None:
        beams = Beams(field)
        self.lines = int(np.clip(round(beams.size_px[1]), _LEAST_LINES, _MOST_LINES))
        self._along = AlongBeams(field, self.lines, DEPTHS)
        self.depth_mm = beams.depth_mm(mm_per_px)
        self.line_mm = beams.width_mm(self._along.down, mm_per_px) / self.lines

    def find(self, image: NDArray[np.uint8]) -> list[Shadow]:
        """The shadows in an image (H, W), the first beams' first."""
        grey = self._along.resampled(image[None])[0]
        shadows = [self._measured(grey, track) for track in tracks(darkness(grey))]
        return sorted(shadows, key=lambda shadow: shadow.across)

    def _measured(self, grey: Grey, track: Track) -> Shadow:
        away_mm = (track.middles - track.middles.mean()) * self.line_mm[track.depths]
        return Shadow(
            across=float(track.middles.mean() / self.lines),
            length_mm=float(len(track.depths) / DEPTHS * self.depth_mm),
            edge_mm=self._edge_mm(grey, track),
            wander_mm=float(np.sqrt((away_mm**2).mean())),
        )

    def _edge_mm(self, grey: Grey, track: Track) -> float | None:
        """Of the profile across the shadow, its mean over depths along the parabola nearest to its middle: a bent
        shadow is not thereby a blurred one."""
        along = np.linspace(-1, 1, len(track.depths))
        middles = np.polyval(np.polyfit(along, track.middles, 2), along)
        width = float(np.median(track.widths))
        reach = np.ceil(max(_WINDOW_WIDTHS * width, _LEAST_WINDOW_LINES))
        offsets, places = np.arange(-reach, reach + 1), np.arange(self.lines) + 0.5
        profiles = [
            np.interp(middle + offsets, places, grey[:, depth], left=np.nan, right=np.nan)
            for middle, depth in zip(middles, track.depths, strict=True)
        ]
        profile = np.mean(profiles, axis=0)
        inside = np.isfinite(profile)
        line_mm = float(self.line_mm[track.depths].mean())
        return edge_width_mm(offsets[inside] * line_mm, profile[inside], width * line_mm)


def darkness(grey: Grey) -> Grey:
    """(lines, depths) grey levels → how far the level of each cell lies under that of the beams on both sides."""
    lines, depths = grey.shape
    level = ndimage.uniform_filter1d(grey, round(LEVEL_SHARE * depths), axis=1, mode="nearest")
    level = ndimage.gaussian_filter1d(level, _SMOOTH_SHARE * lines, axis=0, mode="nearest")
    # A closing fills what is narrower than its window and has something brighter on both sides. The outermost beams go
    # on beyond the border, so that what is dark up to it has one side alone.
    window = round(WIDEST_SHARE * lines)
    beyond = np.pad(level, ((window, window), (0, 0)), mode="edge")
    filled = ndimage.grey_closing(beyond, (window, 1))[window:-window]
    return np.asarray(filled - level)


def tracks(dark: Grey) -> list[Track]:
    """The shadows in `darkness` (lines, depths): runs of lines followed from depth to depth while they overlap and keep
    their width."""
    depths = dark.shape[1]
    latest, least, most = (
        share * depths for share in (BEGINS_WITHIN_SHARE, LEAST_LENGTH_SHARE, MOST_LENGTH_SHARE)
    )
    growing: list[list[Run]] = []
    found: list[Track] = []
    for depth in range(depths + 1):
        left = _runs(dark[:, depth] >= DARKER_GREY) if depth < depths else []
        before, growing = growing, []
        for runs in before:
            following = next((run for run in left if len(runs) < most and _follows(runs, run)), None)
            if following is not None:
                left.remove(following)
                growing.append([*runs, following])
            elif len(runs) >= least:
                found.append(_track(depth, runs, dark))
        growing += [[run] for run in left if depth <= latest]
    return found


def _follows(runs: list[Run], run: Run) -> bool:
    """Whether a run of lines goes on where others have led."""
    width = float(np.median([end - begin for begin, end in runs]))
    keeps = 1 / MOST_WIDENING <= (run[1] - run[0]) / width <= MOST_WIDENING
    return keeps and run[0] < runs[-1][1] and runs[-1][0] < run[1]


def _track(end: int, runs: list[Run], dark: Grey) -> Track:
    """The runs of the depths before `end`; the middle of each is its centre of darkness."""
    depths, lines = np.arange(end - len(runs), end), np.arange(len(dark)) + 0.5
    middles = [
        np.average(lines[first:last], weights=dark[first:last, depth])
        for (first, last), depth in zip(runs, depths, strict=True)
    ]
    return Track(depths, np.array(middles), np.array([last - first for first, last in runs], np.float64))


def _runs(dark: NDArray[np.bool_]) -> list[Run]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], dark, [False]]).astype(int)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def edge_width_mm(places_mm: Grey, profile: Grey, width_mm: float) -> float | None:
    """The width, from 10 to 90 %, of both edges of a dip about place 0 that is about `width_mm` wide: a box blurred by
    a Gaussian, on a slope, fitted by least squares. None where nothing fits."""
    drop, half = float(np.ptp(profile)), width_mm / 2
    steep = 2 * drop / width_mm
    start = (float(profile.max()), 0.0, drop, -half, half, half / 4)
    least = (0.0, -steep, 0.0, -2 * width_mm, 0.0, 1e-3)
    most = (256.0, steep, 1.5 * drop + 1, 0.0, 2 * width_mm, 2 * width_mm)
    try:
        fitted, _ = curve_fit(_dip, places_mm, profile, start, bounds=(least, most))
    except (RuntimeError, ValueError):  # No minimum found; or all of one grey.
        return None
    return EDGE_PER_SD * float(fitted[-1])


def _dip(
    places_mm: Grey, level: float, slope: float, drop: float, left: float, right: float, sd: float
) -> Grey:
    dark = ndtr((places_mm - left) / sd) - ndtr((places_mm - right) / sd)
    return np.asarray(level + slope * places_mm - drop * dark)
