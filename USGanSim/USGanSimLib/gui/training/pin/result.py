"""What a fit of the pinhead came to: its residuals by frame, its picture, and where it goes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import qt
import slicer
from slicer.i18n import tr as _

from ....calibration.pinhead.verdict import PinResidual, pin_residuals
from ....errors import UserError
from ....files import replacing_file
from ....mrml.training.calibration_scene import show_calibration
from ...command_run import CommandRun
from ...panel import Section
from ...texts import in_two_lines, show_picture
from ..record.tab import RecordSection
from .words import residual_cells, residual_headings

# Left edge and width, in the picture of 'calibrate pinhead', of the points in the image and of the residuals by frame.
CHARTS_PX = ((0, 460), (820, 460))
PICTURE_PX = 340


class PinResult:
    """The table of residuals and the buttons below it. The files of the fit lie in the folder of `run`.

    fit        what 'calibrate pinhead' returned, or None
    residuals  of its points, the worst first
    chosen     called with the frame of a residual that a person points at
    """

    def __init__(
        self, section: Section, run: CommandRun, record: RecordSection, chosen: Callable[[int], None]
    ) -> None:
        self._section, self.ui, self._run, self._record = section, section.ui, run, record
        self._chosen = chosen
        self.fit: dict[str, Any] | None = None
        self.residuals: list[PinResidual] = []
        for name, action in (
            ("worst", self._on_worst),
            ("save", self._on_save),
            ("toSession", self._on_to_session),
            ("toScene", self._on_to_scene),
        ):
            section.on_press(f"{name}Button", action)
        table = self.ui.residualTable
        table.setColumnCount(len(residual_headings()))
        table.setHorizontalHeaderLabels(residual_headings())
        table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.Stretch)
        table.verticalHeader().hide()
        table.connect(
            "itemSelectionChanged()", section.troubles.guarded(_("The frame is not shown"), self._on_row)
        )

    def set(self, fit: dict[str, Any] | None) -> None:
        """Show another fit, or none."""
        self.fit, self.residuals = fit, pin_residuals(fit) if fit else []
        self.show()

    def show(self) -> None:
        """Fill the table and show the picture."""
        table = self.ui.residualTable
        table.setRowCount(len(self.residuals))
        for row, one in enumerate(self.residuals):
            for column, text in enumerate(residual_cells(one)):
                table.setItem(row, column, qt.QTableWidgetItem(text))
        self.ui.residualButton.visible = bool(self.residuals)
        picture = Path(self.fit["panel"]) if self.fit else None
        show_picture(self.ui.residualPictureLabel, picture, PICTURE_PX, CHARTS_PX)
        self.ui.saveLabel.text = ""

    def show_buttons(self) -> None:
        """Bring the buttons up to date."""
        enable, first = self._section.enable, "" if self.fit is not None else _("Calibrate first")
        enable("worstButton", first, _("Show the frame whose point is furthest from the pin"))
        no_file = "" if self._has_file() else _("Choose the file to write")
        enable("saveButton", first or no_file, _("Write CAL.json, and a PLUS XML beside it"))
        no_session = (
            "" if self._record.recorder.folder is not None else _("Choose a session in the tab Record")
        )
        enable("toSessionButton", first or no_session, _("Make it the calibration of the session"))
        enable("toSceneButton", first, _("Make a transform ImageToProbe in the scene"))

    def _has_file(self) -> bool:
        parameters = self._section.parameters
        return parameters is not None and bool(parameters.calibrationOut.name)

    def _on_worst(self) -> None:
        if self.residuals:
            self._chosen(self.residuals[0].frame)

    def _on_row(self) -> None:
        row = self.ui.residualTable.currentRow()
        if self.residuals and row >= 0:
            self._chosen(int(self.ui.residualTable.item(row, 0).text()))

    def _on_save(self) -> None:
        out = self._section.parameters.calibrationOut
        try:
            if not out.name:
                raise UserError(_("Choose the file to write."))
            out = out.with_suffix(".json")
            for suffix in (".json", ".xml"):
                with replacing_file(out.with_suffix(suffix)) as part:
                    shutil.copyfile(self._run.folder / f"calibration{suffix}", part)
            self.ui.saveLabel.text = _("Written: {file}, and {xml} beside it.").format(
                file=out, xml=out.with_suffix(".xml").name
            )
        except UserError as error:
            self.ui.saveLabel.text = in_two_lines(error)

    def _on_to_session(self) -> None:
        recorder = self._record.recorder
        try:
            recorder.calibrate(self._run.folder / "calibration.json")
            self.ui.saveLabel.text = _("It is the calibration of the session {folder} now.").format(
                folder=recorder.folder
            )
        except UserError as error:
            self.ui.saveLabel.text = in_two_lines(error)

    def _on_to_scene(self) -> None:
        if self.fit is not None:
            parameters = self._section.parameters
            node = show_calibration(
                slicer.mrmlScene,
                np.array(self.fit["image_to_probe"]),
                str(parameters.pinRecording.name),
                parameters.recordProbe,
            )
            self.ui.saveLabel.text = _("{name} is in the scene.").format(name=node.GetName())
