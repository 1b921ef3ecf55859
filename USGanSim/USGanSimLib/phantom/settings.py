"""How easy or hard a recording is: what varies, the tracker, the display, the calibration that is handed out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from ..errors import UserError
from .acoustics import Display
from .moment import Variability
from .tracker import Tracker


@dataclass(frozen=True)
class Setting:
    """All that makes a recording easy or hard.

    calibration_error_mm, _deg   error of the ImageToProbe that is handed out, not of the true one
    rate_share                   share of the frames kept (below 1: a sparse sweep)
    """

    variability: Variability = field(default_factory=Variability)
    tracker: Tracker = field(default_factory=Tracker)
    display: Display = field(default_factory=Display)
    calibration_error_mm: float = 0.0
    calibration_error_deg: float = 0.0
    rate_share: float = 1.0


# The skewness of grey levels in even tissue tells displays apart: a full log-Rayleigh image has −1.1; real scanners
# were measured at −0.5 to −0.8 and, others, at +0.4 to +0.7. "log", which shows no deep nulls, has about −0.3.
DISPLAYS = {
    "log": Display(),
    "smooth": Display(compounding=2, tone=0.65, persistence=0.3),
    "contrast": Display(level_db=53.0, tone=3.0),
}
WATER_LEVEL_DB = 48.0
PLAIN = Setting()
HARD = Setting(
    Variability(gain_db=3.0, tgc_db_per_cm=0.25, pressure_mm=3.0, motion_mm=1.2, contact_losses=1.7),
    Tracker(jitter_mm=0.25, jitter_deg=0.12, lost_share=0.03),
    DISPLAYS["smooth"],
    calibration_error_mm=1.5,
    calibration_error_deg=1.0,
    rate_share=0.3,
)
SETTINGS = {"plain": PLAIN, "hard": HARD}

# Every number of a setting, and its least and largest value.
RANGES = {
    "gain_db": (0, 20),
    "tgc_db_per_cm": (0, 5),
    "pressure_mm": (0, 15),
    "motion_mm": (0, 15),
    "beat": (0, 0.5),
    "speckle_change": (0, 1),
    "contact_losses": (0, 3.9),
    "jitter_mm": (0, 10),
    "jitter_deg": (0, 10),
    "lag_s": (-1, 1),
    "lost_share": (0, 0.9),
    "gap_s": (0.01, 10),
    "dynamic_range_db": (10, 120),
    "level_db": (-60, 120),
    "tgc_db_cm_mhz": (0, 2),
    "compounding": (1, 15),
    "tone": (0.1, 10),
    "persistence": (0, 0.95),
    "calibration_error_mm": (0, 50),
    "calibration_error_deg": (0, 45),
    "rate_share": (0.01, 1),
}


def adjusted(setting: Setting, changes: Mapping[str, float]) -> Setting:
    """The setting with some of its numbers (names of RANGES) changed. Raises UserError for an unknown name or a number
    out of range."""
    for name, value in changes.items():
        if name not in RANGES:
            raise UserError(f"A setting has no '{name}'.", f"Known are {', '.join(RANGES)}.")
        low, high = RANGES[name]
        if not (
            math.isfinite(value) and low <= value <= high and (name != "compounding" or value == int(value))
        ):
            whole = "a whole number " if name == "compounding" else ""
            raise UserError(f"{name} = {value:g} cannot be.", f"Give {whole}from {low:g} to {high:g}.")
    parts: dict[str, Any] = {}
    for part in ("variability", "tracker", "display"):
        own = getattr(setting, part)
        parts[part] = replace(own, **_of(own, changes))
    return replace(setting, **parts, **_of(setting, changes))


def in_water(setting: Setting) -> Setting:
    """The setting for a target in water: nothing moves, the face is always wet, depth needs little gain."""
    still = {"pressure_mm": 0.0, "motion_mm": 0.0, "beat": 0.0, "contact_losses": 0.0}
    varies = replace(setting.variability, **still)
    display = replace(setting.display, level_db=WATER_LEVEL_DB, tgc_db_cm_mhz=0.02)
    return replace(setting, variability=varies, display=display)


def as_numbers(setting: Setting) -> dict[str, Any]:
    """Name → value of every number of a setting."""
    numbers: dict[str, Any] = {}
    for name, value in asdict(setting).items():
        numbers |= value if isinstance(value, dict) else {name: value}
    return numbers


def _of(owner: object, changes: Mapping[str, float]) -> dict[str, Any]:
    names = {entry.name for entry in fields(owner)}  # type: ignore[arg-type]
    return {
        name: int(value) if name == "compounding" else value
        for name, value in changes.items()
        if name in names
    }
