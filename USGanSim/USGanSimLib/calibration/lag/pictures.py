"""The picture beside a temporal calibration: misfit against lag."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...files import replacing_file
from ..chart import BLUE, RED, Chart
from .estimate import LagEstimate


def save_lag_chart(path: Path, estimate: LagEstimate) -> None:
    """Write the curve as a PNG, with the lag (red) and its 95 % interval (shaded)."""
    high = 1.05 * float(estimate.misfits.max())
    chart = Chart(
        f"Lag {estimate.lag_s:+.3f} s",
        "lag, s",
        f"misfit ({estimate.method}), {estimate.unit}",
        (float(estimate.lags_s[0]), float(estimate.lags_s[-1])),
        (0.0, high),
        (640, 400),
    )
    chart.band(*estimate.ci_s)
    chart.line(np.full(2, estimate.lag_s), np.array([0.0, high]), RED)
    chart.line(estimate.lags_s, estimate.misfits, BLUE)
    chart.dots(np.array([estimate.lag_s]), np.array([estimate.misfit]), RED, 4)
    with replacing_file(path) as part:
        chart.picture().save(part, "PNG")
