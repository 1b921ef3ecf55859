"""The tab Evaluate: the report of models beside baselines, and studies by a person (study.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from ...errors import UserError
from ...recording.dataset import MARKER
from .. import dependencies
from ..panel import Section
from ..process_runner import Ended, Runner
from ..texts import grid, in_two_lines, plain
from .choice_words import show_words, study_words
from .command_words import STUDIES, evaluate_words, listed, with_added
from .study import StudyPart

# Of each table, so that it fits the panel; the report has them all.
_COLUMNS_SHOWN = 3
_TABLES_SHOWN = 2


class EvaluateSection(Section):
    """Chooses what is compared, runs `evaluate`, and shows its main figures."""

    ui_file = "USGanTrainingEvaluate.ui"

    @property
    def title(self) -> str:
        return _("Evaluate")

    def setup(self) -> None:
        self.runner: Runner = self.logic.makeRunner()
        self._state = ""
        self._figures_of: tuple[Path, float | None] | None = None
        self.study = StudyPart(self, self.runner)
        self.on_press("addModelButton", self._on_add_model)
        self.on_press("clearButton", self._on_clear)
        self.on_press("evaluateButton", self.evaluate)
        self.on_press("stopButton", self.runner.stop)
        self.on_press("openButton", self._on_open)
        self.ui.progressBar.visible = False

    def connected(self) -> None:
        show_words(self.ui.kindComboBox, STUDIES, study_words())

    def show(self) -> None:
        running, problem = self.runner.running, self.problem()
        self.enable(
            "evaluateButton",
            problem or (_("Wait for what runs, or stop it") if running else ""),
            _("Compare the models with the baselines on the held-out frames"),
        )
        self.enable("stopButton", "" if running else _("Nothing runs"), _("End what runs; it leaves nothing"))
        self.ui.progressBar.visible = running
        self.enable(
            "openButton",
            "" if self._report().is_file() else _("There is no report in the report folder yet"),
            _("Show the whole report in a browser"),
        )
        self._show_figures()
        self.ui.stateLabel.text = self._state or problem or _("Ready.")
        self.study.show()

    def exit(self) -> None:
        self.study.end()

    def close_scene(self) -> None:
        self.runner.cleanup()
        self.study.end()
        self._state = ""

    def cleanup(self) -> None:
        self.runner.cleanup()
        self.study.end()

    def evaluate(self) -> None:
        """Write the report."""
        try:
            if listed(self.parameters.evaluateModels) or self.parameters.evaluateObserver.name:
                dependencies.ensure_torch()
            self.runner.start(
                evaluate_words(self.parameters),
                self.troubles.guarded(_("How far it is is not shown"), self._on_event),
                self.troubles.guarded(_("What came out is not shown"), self._on_evaluated),
            )
        except UserError as error:
            self._say(in_two_lines(error))
            return
        self.ui.progressBar.setRange(0, 0)
        self._say(_("Comparing; the baselines take some minutes…"))

    def problem(self) -> str:
        """What is still to be chosen, or nothing."""
        if not (self.parameters.evaluateDataset / MARKER).is_file():
            return _("Choose a training set")
        if not self.parameters.evaluateFolder.name:
            return _("Choose a folder for the report")
        if (
            bool(self.parameters.evaluateObserver.name) != bool(self.parameters.evaluateLandmarks.name)
            and self.parameters.evaluateObserver.name
        ):
            return _("Choose the landmarks that the observer looks for")
        return ""

    def _on_event(self, event: dict[str, Any]) -> None:
        if "of" in event:
            self.ui.progressBar.setRange(0, event["of"])
            self.ui.progressBar.value = event["step"]
        else:
            self.ui.progressBar.setRange(0, 0)
        what = " · ".join(event[name] for name in ("row", "control") if name in event)
        self._say(_("Measuring: {what}").format(what=what or event["event"]))

    def _on_evaluated(self, ended: Ended) -> None:
        self._say(
            ended.message or _("The report is ready: {path}").format(path=ended.result.get("report", ""))
        )

    def _say(self, words: str) -> None:
        self._state = words
        if self.parameters is not None:
            self.show()

    def _show_figures(self) -> None:
        """The figures of the report in the chosen folder, also of an earlier one; read once for each report."""
        path = Path(self.parameters.evaluateFolder) / "report.json"
        stamp_s = path.stat().st_mtime if path.is_file() else None
        if (path, stamp_s) == self._figures_of:
            return
        self._figures_of = path, stamp_s
        self.ui.tableBrowser.visible = stamp_s is not None
        if stamp_s is None:
            return
        try:
            self.ui.tableBrowser.setHtml(main_figures(json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError, KeyError) as error:
            self.ui.tableBrowser.setPlainText(
                _("{path} is no report: {reason}").format(path=path, reason=error)
            )

    def _report(self) -> Path:
        return Path(self.parameters.evaluateFolder) / "report.html"

    def _on_add_model(self) -> None:
        files = qt.QFileDialog.getOpenFileNames(
            self.widget, _("Add models"), "", _("Models") + " (*.safetensors)"
        )
        self.parameters.evaluateModels = with_added(
            self.parameters.evaluateModels, [Path(file) for file in files]
        )

    def _on_clear(self) -> None:
        self.parameters.evaluateModels = ""

    def _on_open(self) -> None:
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self._report())))


def main_figures(result: dict[str, Any]) -> str:
    """The first columns of the main tables with numbers, as rich text."""
    from ...evaluation.report.page import table_cells

    shown = []
    # Millimetres and rates of landmarks come first where they were read.
    for content in sorted(result["tables"], key=lambda content: "andmark" not in content["title"]):
        head, *rows = plain(table_cells(content, result["rows"]))
        if rows:
            width = 1 + _COLUMNS_SHOWN
            shown.append(f"<b>{content['title']}</b>" + grid(head[:width], [row[:width] for row in rows]))
    return "<br>".join(shown[:_TABLES_SHOWN])
