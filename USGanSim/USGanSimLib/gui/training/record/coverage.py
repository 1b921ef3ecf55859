"""What the sweeps have covered so far, in the 3-D view and in words."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import slicer
from slicer.i18n import tr as _

from ....errors import UserError
from ....geometry.transforms import TransformTrack
from ....mrml.recorder.live_coverage import LiveCoverage
from ....mrml.recorder.session_recorder import SessionRecorder
from ...panel import Section
from ...texts import in_two_lines
from .words import coverage_words

COVERAGE_EVERY_S = 1.0
# The coverage takes at most this share of the time, on however slow a machine.
COVERAGE_SHARE = 0.1


class CoveragePart:
    """The swept volume of the session that `recorder` records, as the parameters of `section` want it."""

    def __init__(self, section: Section, recorder: SessionRecorder) -> None:
        self._section, self.ui, self._recorder = section, section.ui, recorder
        self._coverage: LiveCoverage | None = None
        self._reference: Any | None = None
        self._due_s = 0.0

    def show(self) -> None:
        """Take it out of the scene where it is not wanted."""
        if not self._section.parameters.showCoverage:
            self.remove()

    def follow(self, reference: Any | None) -> None:
        """A recording begins whose poses are told in the frame of this transform node (None: the world)."""
        if reference is not self._reference:
            self.remove()
        self._reference = reference

    def update_when_due(self) -> None:
        """`update`, at most once a second."""
        if time.perf_counter() >= self._due_s:
            self.update()

    def update(self) -> None:
        """Show what is covered now."""
        parameters, tracks = self._section.parameters, self._recorder.pose_tracks()
        if parameters is None or not parameters.showCoverage or not self._has_poses(tracks):
            return
        try:
            seconds = self._shown(tracks)
            self._due_s = time.perf_counter() + max(COVERAGE_EVERY_S, seconds / COVERAGE_SHARE)
        except UserError as error:
            self.ui.coverageLabel.text = in_two_lines(error)
            self._due_s = time.perf_counter() + COVERAGE_EVERY_S

    def remove(self) -> None:
        """Take it out of the scene."""
        if self._coverage is not None:
            self._coverage.remove()
            self._coverage = None

    def forget(self) -> None:
        """The scene closes and takes its models itself."""
        self._coverage = self._reference = None

    def _shown(self, tracks: Mapping[str, TransformTrack]) -> float:
        """Seconds that it took. Raises UserError without a calibration that fits."""
        recorder = self._recorder
        calibration = recorder.calibration()
        if calibration is None:
            raise UserError(
                _("There is no calibration, so the place of the images is not known."),
                _("Choose one above, or make one in the tab Calibrate."),
            )
        calibration.geometry(*recorder.size_px, _("the recording"))
        if self._coverage is None:
            self._coverage = LiveCoverage(slicer.mrmlScene, self._reference)
        news = self._coverage.update(
            tracks,
            calibration.image_to_probe,
            recorder.size_px,
            self._section.parameters.coverageLandmarks,
            recorder.frames_per_pose,
        )
        self.ui.coverageLabel.text = coverage_words(news)
        return news.seconds

    def _has_poses(self, tracks: Mapping[str, TransformTrack]) -> bool:
        return (
            bool(tracks)
            and all(track.valid.any() for track in tracks.values())
            and all(self._recorder.size_px)
        )
