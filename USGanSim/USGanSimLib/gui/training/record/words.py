"""What the tab Record says, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from slicer.i18n import tr as _

from ....mrml.recorder.feedback import Feedback, RecorderState
from ....mrml.recorder.live_coverage import CoverageNews
from ....mrml.transform_chain import STATUS_ATTRIBUTE, STATUS_OK
from ....recording.session import DISCARDED, KEPT, RECORDING, SweepEntry


def state_words(feedback: Feedback) -> str:
    """What happens now, in one sentence."""
    words = {
        RecorderState.STOPPED: _("Stopped."),
        RecorderState.WAITING: _("Waiting for the first image."),
        RecorderState.RECORDING: _("Recording."),
        RecorderState.STALLED: _("No image arrives."),
        RecorderState.REFUSING: _("Images are refused."),
        RecorderState.FAILED: _("Nothing more is recorded."),
    }
    detail = f" {feedback.detail.rstrip('.')}." if feedback.detail else ""
    return f"{words[feedback.state]}{detail}"


def lost_words(transforms: Mapping[str, Any]) -> str:
    """Which of the transform nodes are not tracked at this moment, or nothing."""
    lost = [
        name
        for name, node in transforms.items()
        if node.GetScene() is None or node.GetAttribute(STATUS_ATTRIBUTE) not in (None, STATUS_OK)
    ]
    return _("Not tracked now: {names}.").format(names=", ".join(lost)) if lost else ""


def feedback_words(feedback: Feedback) -> str:
    """Rich text: frames, rate, disk, tracking, what was lost, and warnings."""
    lines = [
        _("{frames} frames in {seconds:.0f} s, {rate} images/s").format(
            frames=feedback.counts.written, seconds=feedback.duration_s, rate=_number(feedback.rate_hz, 1)
        )
    ]
    lines.append(
        _("{megabytes:.0f} MB written, {minutes} minutes left on the disk").format(
            megabytes=feedback.written_bytes / 1e6, minutes=_number(feedback.minutes_left, 0)
        )
    )
    lines.append(
        _("Tracked: {share} ({each})").format(
            share=_percent(feedback.tracked_share),
            each=", ".join(f"{name} {_percent(share)}" for name, share in feedback.valid_share.items()),
        )
    )
    lines.append(
        _("{dropped} images lost, {refused} refused, {held} waiting for their pose").format(
            dropped=feedback.counts.dropped, refused=feedback.refused, held=feedback.held
        )
    )
    return "<br>".join([*lines, *feedback.warnings])


def coverage_words(news: CoverageNews) -> str:
    """Rich text: the swept volume, and which landmarks need more."""
    lines = [_("Swept {volume:.0f} ml in {poses} poses.").format(volume=news.swept_ml, poses=news.poses)]
    if news.landmarks:
        lines.append(
            _("{seen} of {all} landmarks were seen well.").format(
                seen=news.landmarks - len(news.advice), all=news.landmarks
            )
        )
    return "<br>".join([*lines, *(f"{name}: {advice}" for name, advice in news.advice.items())])


FRAMES_COLUMN = 2


def sweep_headings() -> list[str]:
    """Of the columns of `sweep_cells`."""
    return [_("Sweep"), _("State"), _("Frames"), _("Begun")]


def sweep_cells(sweep: SweepEntry, runs: bool) -> list[str]:
    """A sweep in the table; `runs` while it is recorded here."""
    states = {RECORDING: _("not finished"), KEPT: _("kept"), DISCARDED: _("discarded")}
    state = _("recording") if runs else states[sweep.state]
    if sweep.recovered:
        state = _("{state}, recovered").format(state=state)
    begun = datetime.fromisoformat(sweep.begun).astimezone().strftime("%Y-%m-%d %H:%M")
    return [sweep.name, state, str(sweep.frames), begun]


def _number(value: float, digits: int) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def _percent(share: float) -> str:
    return "–" if math.isnan(share) else f"{share:.0%}"
