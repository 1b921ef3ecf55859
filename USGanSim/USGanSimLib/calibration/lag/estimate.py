"""The lag between images and tracker: an image stamped t shows the pose stamped t + lag.

A lag is tried by taking every image's pose at its own time plus the lag, interpolated between the tracker's samples,
and asking how well images and poses then agree. What agreement means depends on the target (`targets.py`,
`content.py`); the search, the interval of confidence and the refusals are the same for all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.stats import t as student_t

from ...errors import UserError
from ...geometry.transforms import Matrix
from ..timing import Tracking, require_increasing

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]

DEFAULT_MAX_LAG_S = 0.4
LEAST_MAX_LAG_S = 0.05
STEP_S = 0.01
BLOCKS = 10
FEWEST_FRAMES = 20
LARGEST_CI_S = 0.05
# A second minimum this deep, of the depth of the first, leaves open which is the lag.
RIVAL_DEPTH = 0.9


class LagTarget(Protocol):
    """What the images show of a target, in `frames` of a recording (N,), and how far it disagrees with poses."""

    @property
    def method(self) -> str: ...

    @property
    def unit(self) -> str: ...

    @property
    def frames(self) -> NDArray[np.int_]: ...

    def misfit(self, poses: Matrix, used: Flags) -> float:
        """Root-mean-square disagreement, in `unit`, of the images `used` (N,) with their poses (N, 4, 4)."""


@dataclass(frozen=True, eq=False)
class LagEstimate:
    """`lags_s` and `misfits` (K,) are the curve; `ci_s` the 95 % interval of confidence of `lag_s`."""

    lag_s: float
    ci_s: tuple[float, float]
    method: str
    unit: str
    misfit: float
    misfit_at_zero: float
    frames: int
    lags_s: Values
    misfits: Values


def estimate_lag(
    target: LagTarget,
    image_times_s: Values,
    tracking: Tracking,
    name: str,
    max_lag_s: float = DEFAULT_MAX_LAG_S,
) -> LagEstimate:
    """The lag of least misfit within ± `max_lag_s`, refined between the steps.

    `image_times_s` are the stamps of all images of the recording `name`. The interval comes from leaving out tenths of
    the recording in turn (jackknife over blocks, so that neighbouring images may be alike). Raises UserError where the
    recording does not determine the lag.
    """
    if not max_lag_s >= LEAST_MAX_LAG_S:
        raise UserError(
            f"Lags of up to {max_lag_s:g} s leave nothing to seek.",
            f"Give {LEAST_MAX_LAG_S:g} s or more as the largest lag.",
        )
    new = require_increasing(image_times_s, name)
    times_s = image_times_s[target.frames]
    steps = np.arange(-round(max_lag_s / STEP_S), round(max_lag_s / STEP_S) + 1)
    lags_s: Values = (steps * STEP_S).astype(np.float64)
    tracks = [tracking.at(times_s + lag) for lag in lags_s]
    # The same images at every lag, or their number would decide.
    used = new[target.frames] & np.logical_and.reduce([track.valid for track in tracks])
    if used.sum() < FEWEST_FRAMES:
        raise UserError(
            f"Only {used.sum()} images of {name} show the target and have poses within ±{max_lag_s:g} s "
            f"({len(times_s)} show it); {FEWEST_FRAMES} are needed.",
            "Check that images and poses are of the same clock, record longer, or give a smaller "
            "--max-lag-s.",
        )
    misfits = np.array([target.misfit(track.matrices, used) for track in tracks])
    best = int(misfits.argmin())
    _require_one_minimum(lags_s, misfits, best)

    def refined(flags: Flags) -> float:
        found = minimize_scalar(
            lambda lag: target.misfit(tracking.at(times_s + lag).matrices, flags),
            method="bounded",
            bounds=(lags_s[best] - 4 * STEP_S, lags_s[best] + 4 * STEP_S),
            options={"xatol": 2e-4},
        )
        return float(found.x)

    lag_s = refined(used)
    half_s = jackknife(refined, used)
    if half_s > LARGEST_CI_S:
        raise UserError(
            f"The lag is only determined to {lag_s:.3f} ± {half_s:.3f} s (±{LARGEST_CI_S:g} s is allowed).",
            "Record again, moving the probe faster and longer: 10 s or more, about one stroke a second.",
        )
    misfit = target.misfit(tracking.at(times_s + lag_s).matrices, used)
    return LagEstimate(
        lag_s,
        (lag_s - half_s, lag_s + half_s),
        target.method,
        target.unit,
        misfit,
        float(misfits[len(misfits) // 2]),
        int(used.sum()),
        lags_s,
        misfits,
    )


def _require_one_minimum(lags_s: Values, misfits: Values, best: int) -> None:
    if best in (0, len(lags_s) - 1):
        raise UserError(
            f"Images and poses agree best at the end of the range, at {lags_s[best]:.2f} s or beyond.",
            "Give a larger --max-lag-s, or check that both have the same clock.",
        )
    inner = misfits[1:-1]
    valleys = 1 + np.flatnonzero((inner < misfits[:-2]) & (inner <= misfits[2:]))
    depths = np.median(misfits) - misfits
    rivals = [
        index
        for index in valleys
        if index != best
        and abs(index - best) * STEP_S > 4 * STEP_S
        and depths[index] > RIVAL_DEPTH * depths[best]
    ]
    if rivals:
        rival = min(rivals, key=lambda index: misfits[index])
        raise UserError(
            f"Lags of {lags_s[best]:.2f} s and {lags_s[rival]:.2f} s fit alike: the motion repeats itself.",
            "Move the probe less regularly, or give a smaller --max-lag-s.",
        )


def jackknife(estimate: Callable[[Flags], float], used: Flags) -> float:
    """Half the 95 % interval of an estimate, from leaving out each of BLOCKS stretches of the frames in turn."""
    order = np.flatnonzero(used)
    values = []
    for block in np.array_split(order, BLOCKS):
        flags = used.copy()
        flags[block] = False
        values.append(estimate(flags))
    spread = np.sqrt((BLOCKS - 1) / BLOCKS * np.sum((np.array(values) - np.mean(values)) ** 2))
    return float(student_t.ppf(0.975, BLOCKS - 1) * spread)
