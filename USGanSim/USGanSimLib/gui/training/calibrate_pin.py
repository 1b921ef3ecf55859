"""Calibrate, first part: ImageToProbe from a pinhead, recorded with guidance, marked, fitted and judged."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import qt
import slicer
import slicer.util
from slicer.i18n import tr as _

from ...calibration.pinhead.table import PinResidual, pin_residuals
from ...errors import UserError
from ...files import replacing_file
from ...mrml.training.calibration_scene import show_calibration
from ...mrml.training.pin_marking import PinMarking
from ...recording.sequence_file import read_sweep
from ..module_panel import ModulePanel
from ..process_runner import Ended
from ..section import Section
from ..texts import in_two_lines, show_picture
from .command_run import CommandRun
from .pin_recording import PinRecording
from .pin_words import point_words, refusal_words, residual_cells, residual_headings, verdict_words
from .record import RecordSection

# Left edge and width, in the picture of 'calibrate pinhead', of the points in the image and of the residuals by frame.
CHARTS_PX = ((0, 460), (820, 460))
POINTS = ".pin.csv"
PICTURE_PX = 340


class PinSection(Section):
    """Wires the marking, the two commands and what becomes of their result."""

    ui_file = "USGanTrainingPin.ui"

    def __init__(self, panel: ModulePanel, record: RecordSection) -> None:
        self._record = record
        Section.__init__(self, panel)

    @property
    def title(self) -> str:
        return str(_("Calibrate"))

    def setup(self) -> None:
        self.marking: PinMarking | None = None
        self.result: dict[str, Any] | None = None
        self._residuals: list[PinResidual] = []
        self._opened: Path | None = None
        self.run = CommandRun(
            self.widget,
            self.logic.makeRunner(),
            self.ui.verdictLabel,
            self.ui.pinProgressBar,
            self.ui.pinStopButton,
        )
        self.guided = PinRecording(
            self.widget,
            self._record,
            self.logic.makeRunner(),
            self.ui.pinGuideLabel,
            self.ui.pinLiveLabel,
            self._on_recorded,
            self._show_buttons,
        )
        for name, action in (
            ("pinRecord", self.guided.toggle),
            ("find", self._on_find),
            ("previous", self._on_previous),
            ("next", self._on_next),
            ("worst", self._on_worst),
            ("accept", self._on_accept),
            ("reject", self._on_reject),
            ("place", self._on_place),
            ("calibrate", self._on_calibrate),
            ("save", self._on_save),
            ("toSession", self._on_to_session),
            ("toScene", self._on_to_scene),
        ):
            getattr(self.ui, f"{name}Button").connect("clicked()", action)
        self.ui.frameSlider.connect("valueChanged(double)", self._on_frame)
        table = self.ui.residualTable
        table.setColumnCount(len(residual_headings()))
        table.setHorizontalHeaderLabels(residual_headings())
        table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.Stretch)
        table.verticalHeader().hide()
        table.connect("itemSelectionChanged()", self._on_row)
        self._show_result()

    # Called by the panel

    def show(self) -> None:
        if self.parameters.pinRecording != self._opened:
            self._open(self.parameters.pinRecording)
        for name in ("pixelWidthSpinBox", "pixelHeightSpinBox"):
            getattr(self.ui, name).enabled = self.parameters.pixelSizeKnown
        self._show_buttons()

    def close_scene(self) -> None:
        self._leave()

    def cleanup(self) -> None:
        self._leave()

    def _leave(self) -> None:
        """End what runs, and take the frame out of the scene."""
        self.guided.cleanup()
        self._opened = None
        self._close_marking()

    def _close_marking(self) -> None:
        if self.marking is not None:
            self.marking.close()
            self.marking = None
        # What runs was started for these points.
        self.run.cleanup()
        self.ui.verdictLabel.text = self.ui.pointLabel.text = ""
        self.result, self._residuals = None, []
        self._show_result()

    # The recording

    def _on_recorded(self, path: Path) -> None:
        # It may have ended by itself while another module was shown.
        self.logic.getParameterNode().pinRecording = path

    def _open(self, path: Path) -> None:
        """Show a recording's first frame, with the points that are kept beside it."""
        self._close_marking()
        self._opened = path
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
        self.marking = PinMarking(slicer.mrmlScene, sweep, self._on_moved)
        self.ui.frameSlider.maximum = len(sweep) - 1
        self._look()
        try:
            if self._points_file().is_file():
                self.marking.read(self._points_file())
        except UserError as error:
            self.ui.verdictLabel.text = in_two_lines(error)
        self._go(min(self.marking.marks, default=0))

    def _points_file(self) -> Path:
        """Where the points of the recording are kept: NAME.igs.mha → NAME.pin.csv."""
        opened = self._opened or Path()
        return opened.with_name(re.sub(r"(\.igs)?\.(mha|mhd|nrrd)$", "", opened.name) + POINTS)

    def _look(self) -> None:
        """Turn the red slice view to the frame."""
        if self.marking is not None:
            red = slicer.mrmlScene.GetSingletonNode("Red", "vtkMRMLSliceNode")
            red.SetOrientation("Axial")
            slicer.util.setSliceViewerLayers(background=self.marking.volume, fit=True)

    # Frames and marks

    def _go(self, frame: int) -> None:
        if self.marking is not None:
            self.marking.show(frame)
            self.ui.frameSlider.value = self.marking.frame
            self._show_point()

    def _on_frame(self, value: float) -> None:
        if self.marking is not None and round(value) != self.marking.frame:
            self._go(round(value))

    def _on_previous(self) -> None:
        self._step(-1)

    def _on_next(self) -> None:
        self._step(1)

    def _step(self, direction: int) -> None:
        if self.marking is not None:
            self._go(self.marking.next_marked(direction))

    def _on_worst(self) -> None:
        if self._residuals:
            self._go(self._residuals[0].frame)

    def _on_row(self) -> None:
        row = self.ui.residualTable.currentRow()
        if self._residuals and row >= 0:
            self._go(int(self.ui.residualTable.item(row, 0).text()))

    def _on_accept(self) -> None:
        if self.marking is not None:
            self.marking.accept()
            self._on_moved()
            self._step(1)

    def _on_reject(self) -> None:
        if self.marking is not None:
            self.marking.reject()
            self._on_moved()
            self._step(1)

    def _on_place(self) -> None:
        """The next click in a slice view is the pin."""
        if self.marking is None:
            return
        self._look()
        self.marking.clear_point()
        application = slicer.app.applicationLogic()
        selection, interaction = application.GetSelectionNode(), application.GetInteractionNode()
        selection.SetReferenceActivePlaceNodeClassName(self.marking.point.GetClassName())
        selection.SetActivePlaceNodeID(self.marking.point.GetID())
        interaction.SetPlaceModePersistence(0)
        interaction.SetCurrentInteractionMode(interaction.Place)

    def _on_moved(self) -> None:
        """Keep the points beside the recording: they are a person's work."""
        if self.marking is not None:
            try:
                self.marking.write(self._points_file())
            except UserError as error:
                self.ui.saveLabel.text = in_two_lines(error)
        self._show_point()

    def _show_point(self) -> None:
        if self.marking is not None:
            self.ui.pointLabel.text = point_words(self.marking, self._residuals)
        self._show_buttons()

    def _show_buttons(self) -> None:
        there, marked = self.marking is not None, self.marking is not None and bool(self.marking.marks)
        busy = self.run.running
        for name in ("place", "reject"):
            getattr(self.ui, f"{name}Button").enabled = there
        for name in ("previous", "next"):
            getattr(self.ui, f"{name}Button").enabled = marked
        self.ui.acceptButton.enabled = there and self.marking is not None and self.marking.mark is not None
        self.ui.worstButton.enabled = bool(self._residuals)
        self.ui.findButton.enabled = there and not busy
        self.ui.calibrateButton.enabled = marked and not busy
        for name in ("save", "toSession", "toScene"):
            getattr(self.ui, f"{name}Button").enabled = self.result is not None
        if self.parameters is not None:
            self.guided.show_button(self.ui.pinRecordButton)

    # The two commands

    def _on_find(self) -> None:
        if self.marking is None:
            return
        every = -(-len(self.marking.sweep) // self.parameters.pinMost)
        words = [
            "calibrate",
            "detect",
            str(self.parameters.pinRecording),
            "--every",
            str(every),
            "--out",
            str(self.run.folder / "found.csv"),
        ]
        if self.marking.decided():
            self.marking.write(self.run.folder / "given.csv", self.marking.decided())
            words += ["--points", str(self.run.folder / "given.csv")]
        self.run.start(_("Looking for the pin"), words, self._on_found)
        self._show_buttons()

    def _on_found(self, ended: Ended) -> None:
        found = self.run.folder / "found.csv"
        self.ui.verdictLabel.text = ended.message
        if self.marking is not None and ended.code == 0:
            self.marking.read(found)
            self.ui.verdictLabel.text = _("{count} points were found. Look at some, then calibrate.").format(
                count=len(self.marking.marks)
            )
            self._on_moved()
            self._go(min(self.marking.marks, default=0))
        self._show_buttons()

    def _on_calibrate(self) -> None:
        if self.marking is None:
            return
        folder, parameters = self.run.folder, self.parameters
        self.marking.write(folder / "marked.csv")
        words = [
            "calibrate",
            "pinhead",
            "--points",
            str(folder / "marked.csv"),
            "--recording",
            str(parameters.pinRecording),
            "--out",
            str(folder / "calibration.json"),
            "--xml",
            str(folder / "calibration.xml"),
            f"--lag-s={parameters.pinLag}",
        ]
        if parameters.pixelSizeKnown:
            words.append(f"--mm-per-px={parameters.pixelWidth},{parameters.pixelHeight}")
        self.result, self._residuals = None, []
        self._show_result()
        self.run.start(_("Calibrating"), words, self._on_calibrated)
        self._show_buttons()

    def _on_calibrated(self, ended: Ended) -> None:
        if ended.code == 0 and self.marking is not None:
            self.result = ended.result
            self._residuals = pin_residuals(self.result)
            self.ui.verdictLabel.text = verdict_words(self.result)
        else:
            self.ui.verdictLabel.text = ended.message if ended.stopped else refusal_words(ended.message)
        self._show_result()
        self._show_point()

    # The result

    def _show_result(self) -> None:
        table = self.ui.residualTable
        table.setRowCount(len(self._residuals))
        for row, one in enumerate(self._residuals):
            for column, text in enumerate(residual_cells(one)):
                table.setItem(row, column, qt.QTableWidgetItem(text))
        table.setVisible(bool(self._residuals))
        show_picture(
            self.ui.residualPictureLabel,
            Path(self.result["panel"]) if self.result else None,
            PICTURE_PX,
            CHARTS_PX,
        )
        self.ui.saveLabel.text = ""
        self._show_buttons()

    def _on_save(self) -> None:
        out = self.parameters.calibrationOut
        try:
            if not out.name:
                raise UserError(_("Choose the file to write."))
            out = out.with_suffix(".json")
            for suffix in (".json", ".xml"):
                with replacing_file(out.with_suffix(suffix)) as part:
                    shutil.copyfile(self.run.folder / f"calibration{suffix}", part)
            self.ui.saveLabel.text = _("Written: {file}, and {xml} beside it.").format(
                file=out, xml=out.with_suffix(".xml").name
            )
        except UserError as error:
            self.ui.saveLabel.text = in_two_lines(error)

    def _on_to_session(self) -> None:
        try:
            self._record.recorder.calibrate(self.run.folder / "calibration.json")
            self.ui.saveLabel.text = _("It is the calibration of the session {folder} now.").format(
                folder=self._record.recorder.folder
            )
        except UserError as error:
            self.ui.saveLabel.text = in_two_lines(error)

    def _on_to_scene(self) -> None:
        if self.result is not None:
            node = show_calibration(
                slicer.mrmlScene,
                np.array(self.result["image_to_probe"]),
                str(self.parameters.pinRecording.name),
                self.parameters.recordProbe,
            )
            self.ui.saveLabel.text = _("{name} is in the scene.").format(name=node.GetName())
