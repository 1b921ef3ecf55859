"""What the tab Calibrate says about a pinhead, in words."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from slicer.i18n import tr as _

from ....calibration.pinhead.guide import PinProgress
from ....calibration.pinhead.verdict import PinResidual
from ....mrml.training.pin_marking import ACCEPTED, CORRECTED, PROPOSED, PinMarking


def verdict_words(result: Mapping[str, Any]) -> str:
    """Rich text of CAL.json: the verdict, its reasons, and what to record next."""
    verdict = {"good": _("Good"), "weak": _("Weak")}[result["verdict"]]
    x_mm, y_mm = result["mm_per_px"]
    lines = [
        _(
            "<b>{verdict}.</b> Image corners and centre are expected to be off by {error:.2f} mm; a pixel is "
            "{x:.4f}×{y:.4f} mm."
        ).format(verdict=verdict, error=result["corner_error_mm"], x=x_mm, y=y_mm)
    ]
    # The expected error is said already, also where it is a reason.
    lines += [
        html.escape(text)
        for text in [*result["left_out"], *result["reasons"]]
        if f"off by {result['corner_error_mm']:.2f} mm" not in text
    ]
    if result["advice"]:
        lines.append(_("Next: {advice}").format(advice=html.escape(result["advice"])))
    lines.append(
        _(
            "{used} of {all} points were used; the pin comes back to {rms:.2f} mm, points left out to "
            "{heldout:.2f} mm. Directions ±{x:.0f}°, ±{y:.0f}°, ±{z:.0f}° about the image's x, y and z axes, "
            "depths over {depth:.0f} mm."
        ).format(
            used=result["n_used"],
            all=result["n_points"],
            rms=result["rms_mm"],
            heldout=result["heldout_mm"],
            depth=result["depth_range_mm"],
            **dict(zip("xyz", result["tilt_deg"], strict=True)),
        )
    )
    lines.append(
        _(
            "Points of a mirrored image would fit as well: touch the marked side of the probe, and see that "
            "side move."
        )
    )
    return "<br>".join(lines)


def refusal_words(message: str) -> str:
    """Rich text: why there is no calibration."""
    return str(_("<b>Refused.</b> {reason}").format(reason=html.escape(message)))


def residual_headings() -> list[str]:
    """Of the columns of `residual_cells`."""
    return [_("Frame"), _("Off, mm"), _("In plane"), _("Across"), _("State")]


def residual_cells(one: PinResidual) -> list[str]:
    """A point in the table."""
    return [
        str(one.frame),
        f"{one.mm:.2f}",
        f"{one.in_plane_mm:.2f}",
        f"{one.across_mm:+.2f}",
        _("used") if one.used else _("outlier"),
    ]


def point_words(marking: PinMarking, residuals: Sequence[PinResidual]) -> str:
    """The frame that is shown, and its mark."""
    states = {PROPOSED: _("proposed"), ACCEPTED: _("accepted"), CORRECTED: _("corrected")}
    where = (
        _("no point")
        if marking.mark is None
        else _("{state} at ({u:.1f}, {v:.1f}) px").format(
            state=states[marking.mark.state], u=marking.mark.u_px, v=marking.mark.v_px
        )
    )
    if marking.frame in marking.rejected:
        where = _("rejected")
    residual = next((one for one in residuals if one.frame == marking.frame), None)
    if residual is not None:
        where = _("{where}, {mm:.2f} mm off the pin").format(where=where, mm=residual.mm)
    return str(
        _("Frame {frame} of 0 to {last}: {where}. {marked} frames are marked, {rejected} rejected.").format(
            frame=marking.frame,
            last=len(marking.sweep) - 1,
            where=where,
            marked=len(marking.marks),
            rejected=len(marking.rejected),
        )
    )


def guide_words(progress: PinProgress, seen: bool) -> str:
    """Rich text: what is still missing in a recording that runs."""
    lines = [
        _("The pin is in sight.") if seen else _("The pin is out of sight, or it is not the brightest spot.")
    ]
    lines += progress.missing() or [_("Enough. Go on for more, or stop and calibrate.")]
    return "<br>".join(lines)
