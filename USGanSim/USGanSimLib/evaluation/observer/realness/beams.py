"""What an image looks like along and across its beams: shadows, depth, grain, and its grey levels.

Shadows of lost contact have straight edges along a beam, the grain is wider across beams the deeper it lies, gain and
attenuation follow depth: what a simulation in image coordinates is likely to get wrong.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from ....geometry.along_beams import AlongBeams
from ....geometry.field_of_view import FieldOfView
from ....recording.sweep import Frames

BEAMS, DEPTHS = 96, 96
LAGS = (1, 2, 4, 8)
_ZONES, _PROFILE = 3, 12
_GREYS = (0, 1, 2, 4, 8, 16, 32, 64, 96, 128, 160, 192, 224, 248, 256)
_QUANTILES = (0.0, 0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98, 1.0)
_SHADOW_BEAMS = (2.0, 5.0)
Grid = NDArray[np.float64]


class BeamStatistics:
    """Features of images resampled to BEAMS × DEPTHS, and of their grey levels."""

    def __init__(self, field: FieldOfView) -> None:
        self._area = field.mask()
        self._along = AlongBeams(field, BEAMS, DEPTHS)

    def features(self, images: Frames) -> NDArray[np.float64]:
        """(N, H, W) uint8 → (N, p)."""
        grey = self._along.resampled(images)
        return np.concatenate(
            [_depth_profile(grey), _grain(grey), _shadows(grey), self._greys(images)], axis=1
        )

    def _greys(self, images: Frames) -> NDArray[np.float64]:
        """Square roots of the shares of grey levels, whose scatter does not depend on the share."""
        inside = images[:, self._area]
        shares = [
            ((inside >= low) & (inside < high)).mean(axis=1) for low, high in itertools.pairwise(_GREYS)
        ]
        roots: Grid = np.sqrt(np.stack(shares, axis=1))
        return roots


def _depth_profile(grey: Grid) -> Grid:
    """(N, BEAMS, DEPTHS) → mean and SD across beams in bins of depth."""
    bins = grey.reshape(len(grey), BEAMS, _PROFILE, -1)
    mean, sd = bins.mean(axis=(1, 3)), bins.std(axis=1).mean(axis=2)
    profile: Grid = np.log(np.concatenate([mean, sd], axis=1) + 1)
    return profile


def _grain(grey: Grid) -> Grid:
    """Differences along and across beams at several lags, in zones of depth: mean absolute and root mean square."""
    found = []
    for zone in np.array_split(grey, _ZONES, axis=2):
        for lag in LAGS:
            for change in (zone[:, lag:] - zone[:, :-lag], zone[:, :, lag:] - zone[:, :, :-lag]):
                found += [np.abs(change).mean(axis=(1, 2)), np.sqrt((change**2).mean(axis=(1, 2)))]
    grain: Grid = np.log(np.stack(found, axis=1) + 0.1)
    return grain


def _shadows(grey: Grid) -> Grid:
    """How far single beams stand out from their neighbours, above and below the middle, and whether in both."""
    found = []
    for width in _SHADOW_BEAMS:
        both = []
        for half in np.array_split(grey, 2, axis=2):
            level = np.log(half.mean(axis=2) + 5)
            smooth = gaussian_filter1d(level, width / 2, axis=1)
            odd = smooth - gaussian_filter1d(level, 3 * width, axis=1)
            both.append(odd)
            found += [*np.quantile(odd, _QUANTILES, axis=1), np.log(odd.std(axis=1) + 1e-3)]
        found.append((both[0] * both[1]).mean(axis=1) / (both[0].std(axis=1) * both[1].std(axis=1) + 1e-3))
    return np.stack(found, axis=1)
