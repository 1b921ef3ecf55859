"""The frames of a pinhead recording in the red slice view, and the points that are marked on them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import slicer
import slicer.util
from slicer.i18n import tr as _

from ....errors import UserError
from ....mrml.training.pin_marking import PinMarking
from ....recording.sequence_file import read_sweep
from ...panel import Section
from ...picture_view import PictureView
from ...texts import in_two_lines
from .result import PinResult
from .words import point_words

POINTS = ".pin.csv"


class PinFrames:
    """Goes through the frames and marks them. The points are kept beside the recording: they are a person's work.

    marking  of the recording that is open, or None
    opened   its file, also where it could not be read
    changed  called when buttons may have to change
    """

    def __init__(self, section: Section, result: PinResult, changed: Callable[[], None]) -> None:
        self.ui, self._result, self._changed = section.ui, result, changed
        self._troubles = section.troubles
        self._view = PictureView()
        self.marking: PinMarking | None = None
        self.opened: Path | None = None
        for name, action in (
            ("previous", self._on_previous),
            ("next", self._on_next),
            ("accept", self._on_accept),
            ("reject", self._on_reject),
            ("place", self._on_place),
        ):
            section.on_press(f"{name}Button", action)
        self.ui.frameSlider.connect(
            "valueChanged(double)", section.troubles.guarded(_("The frame is not shown"), self._on_frame)
        )

    def open(self, path: Path) -> None:
        """Show a recording's first frame, with the points that are kept beside it."""
        self.opened = path
        if not path.is_file():
            return
        try:
            with slicer.util.WaitCursor():
                sweep = read_sweep(path)
            if not sweep.has_images:
                raise UserError(_("{name} has no valid image.").format(name=path.name))
        except UserError as error:
            self.ui.pointLabel.text = in_two_lines(error)
            return
        self.marking = PinMarking(slicer.mrmlScene, sweep, self._on_point_moved)
        self.ui.frameSlider.maximum = len(sweep) - 1
        self.look()
        try:
            if self._points_file().is_file():
                self.marking.read(self._points_file())
        except UserError as error:
            self.ui.verdictLabel.text = in_two_lines(error)
        self.go_to_first()

    def look(self) -> None:
        """Turn the red slice view to the frame."""
        if self.marking is not None:
            self._view.show(self.marking.volume, self.marking.point)

    def look_away(self) -> None:
        """Leave the red slice view to others."""
        self._view.give_back()

    def close(self) -> None:
        """Take the frame out of the scene."""
        self.opened = None
        self.look_away()
        if self.marking is not None:
            self.marking.close()
            self.marking = None

    def take(self, found: Path) -> None:
        """Mark the points of a table (frame, u_px, v_px, strength)."""
        if self.marking is not None:
            self.marking.read(found)
            self.keep()
            self.go_to_first()

    def go(self, frame: int) -> None:
        """Show a frame and its point."""
        if self.marking is not None:
            self.marking.show(frame)
            self.ui.frameSlider.value = self.marking.frame
            self.show_point()

    def go_to_first(self) -> None:
        """Show the first marked frame."""
        if self.marking is not None:
            self.go(min(self.marking.marks, default=0))

    def keep(self) -> None:
        """A point was set, moved or taken away: keep all of them."""
        if self.marking is not None:
            try:
                self.marking.write(self._points_file())
            except UserError as error:
                self.ui.saveLabel.text = in_two_lines(error)
        self.show_point()

    def show_point(self) -> None:
        """Say what is marked on the frame that is shown."""
        if self.marking is not None:
            self.ui.pointLabel.text = self.marking.refusal or point_words(
                self.marking, self._result.residuals
            )
        self._changed()

    def _points_file(self) -> Path:
        """Where the points of the recording are kept: NAME.igs.mha → NAME.pin.csv."""
        opened = self.opened or Path()
        return opened.with_name(re.sub(r"(\.igs)?\.(mha|mhd|nrrd)$", "", opened.name) + POINTS)

    def _on_point_moved(self) -> None:
        self._troubles.attempt(_("The moved point is not kept"), self.keep)

    def _on_frame(self, value: float) -> None:
        if self.marking is not None and round(value) != self.marking.frame:
            self.go(round(value))

    def _on_previous(self) -> None:
        self._step(-1)

    def _on_next(self) -> None:
        self._step(1)

    def _step(self, direction: int) -> None:
        if self.marking is not None:
            self.go(self.marking.next_marked(direction))

    def _on_accept(self) -> None:
        if self.marking is not None:
            self.marking.accept()
            self.keep()
            self._step(1)

    def _on_reject(self) -> None:
        if self.marking is not None:
            self.marking.reject()
            self.keep()
            self._step(1)

    def _on_place(self) -> None:
        """The next click in the red slice view is the pin."""
        if self.marking is None:
            return
        self.marking.clear_point()
        self._view.place(self.marking.volume, self.marking.point)
