"""The studies by a person in the tab Evaluate: making one, answering it, and what the answers say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from ...errors import UserError
from ...mrml.training.blind_reading import BlindReading
from ..picture_view import PictureView
from ..process_runner import Ended, Runner
from ..texts import grid, in_two_lines, plain, turned
from .command_words import (
    LANDMARKS,
    REAL_OR_SIMULATED,
    listed,
    make_study_words,
    score_study_words,
    study_key,
    study_result,
    study_size,
)
from .study_window import StudyWindow

if TYPE_CHECKING:
    from ...evaluation.study.answer_sheet import AnswerSheet
    from ...evaluation.study.placed_points import PlacedPoints
    from ..panel import Section

_MARKING = ("markPlacedButton", "markAbsentButton", "markWrongButton", "markEndButton", "markLabel")

# What a reader takes for a picture: to say real or simulated, and to find and mark a landmark.
_ANSWERING_S, _MARKING_S = 3, 10


class StudyPart:
    """The widgets below "Studies by a person"; `section` is the tab's, whose runner does the work."""

    def __init__(self, section: Section, runner: Runner) -> None:
        self._section, self._runner, self._ui = section, runner, section.ui
        self._told = ""
        self.window: StudyWindow | None = None
        self.reading: BlindReading | None = None
        self._view = PictureView()
        self._placed: PlacedPoints | None = None
        self._sheet: AnswerSheet | None = None
        self._place = 0
        for name, action in (
            ("makeButton", self.make),
            ("answerButton", self.answer),
            ("scoreButton", self.score),
            ("markPlacedButton", self.keep_placed),
            ("markEndButton", self.end),
            ("markAbsentButton", lambda: self.keep("unclear")),
            ("markWrongButton", lambda: self.keep("wrong region")),
        ):
            section.on_press(name, action)
        self._show_marking()

    @property
    def parameters(self) -> Any:
        return self._section.parameters

    def end(self) -> None:
        """Close the window or stop marking; answers are kept."""
        if self.window is not None:
            self.window.close()
        if self.reading is not None:
            self._view.give_back()
            self.reading.remove()
            self.reading = None
        self._show_marking()

    def show(self) -> None:
        """Bring buttons and state up to date."""
        running, problem, sheet = self._runner.running, self.problem(), self._open_sheet()
        enable = self._section.enable
        enable(
            "makeButton",
            problem or (_("Wait for what runs, or stop it") if running else ""),
            _("Write the pictures of a new study with the first model on the list"),
        )
        no_study = "" if sheet is not None else _("Choose the folder of a study, or make one")
        answering = self.window is not None or self.reading is not None
        enable(
            "answerButton",
            no_study or (_("It is being answered") if answering else ""),
            _("Show the pictures, from the first that has no answer on"),
        )
        enable(
            "scoreButton",
            no_study or self._not_scored(sheet) or (_("Wait for what runs, or stop it") if running else ""),
            _("Compare the answers with the key"),
        )
        self._show_size()
        self._ui.blurEdit.enabled = self.parameters.studyKind == REAL_OR_SIMULATED
        self._ui.studyLabel.text = self._told or (self._state(sheet) if sheet else problem)

    def _not_scored(self, sheet: AnswerSheet | None) -> str:
        """Why the answers cannot be scored yet, or nothing."""
        if sheet is None or not sheet.answered:
            return _("No picture is answered yet")
        key = study_key(self.parameters.studyFolder)
        return (
            ""
            if key.is_file()
            else _("The study's key {name} is not beside its folder").format(name=key.name)
        )

    def _show_size(self) -> None:
        kind, parameters = self.parameters.studyKind, self.parameters
        try:
            pictures = study_size(kind, parameters.studyCount, parameters.studyBlurMm)
        except UserError:
            self._ui.studySizeLabel.text = ""
            return
        seconds = pictures * (_MARKING_S if kind == LANDMARKS else _ANSWERING_S)
        self._ui.studySizeLabel.text = _("= {pictures} pictures, about {minutes} min to answer").format(
            pictures=pictures, minutes=max(1, round(seconds / 60))
        )

    def _state(self, sheet: AnswerSheet) -> str:
        from ...evaluation.study.placed_points import PlacedPoints

        words = [
            _("{answered} of {all} pictures are answered ({kind}).").format(
                answered=sheet.answered, all=len(sheet.names), kind=sheet.kind
            )
        ]
        unsure = (
            set() if sheet.kind == REAL_OR_SIMULATED else PlacedPoints(self.parameters.studyFolder).unsure()
        )
        if unsure:
            words.append(
                _(
                    "{count} of them have a place that was not checked to lie on the picture, as in earlier "
                    "versions: Answer shows these again."
                ).format(count=len(unsure))
            )
        return " ".join(words)

    def problem(self) -> str:
        """Why no study can be made yet, or nothing."""
        if not listed(self.parameters.evaluateModels):
            return _("Add a model")
        if not self.parameters.evaluateDataset.name:
            return _("Choose a training set")
        if not self.parameters.studyFolder.name:
            return _("Choose a folder for the study")
        if self.parameters.studyKind != REAL_OR_SIMULATED and not self.parameters.evaluateLandmarks.name:
            return _("Choose the landmarks")
        try:
            study_size(self.parameters.studyKind, self.parameters.studyCount, self.parameters.studyBlurMm)
        except UserError as error:
            return str(error)
        return ""

    def make(self) -> None:
        """Write a new study."""
        sheet = self._open_sheet()
        if sheet is not None and sheet.answered:
            self._say(_("This folder has a study with answers. Choose another folder for a new one."))
            return
        self._run(make_study_words(self.parameters), self._on_made, _("Making the pictures…"))

    def score(self) -> None:
        """Compare the answers with the key."""
        self._run(
            score_study_words(self.parameters.studyFolder), self._on_scored, _("Comparing with the key…")
        )

    def answer(self) -> None:
        """Show the pictures, beginning with the first that has no answer."""
        from ...evaluation.study.placed_points import PlacedPoints

        self._told = ""
        self._sheet = self._open_sheet()
        if self._sheet is None:
            return
        if self._sheet.kind == REAL_OR_SIMULATED:
            self.window = StudyWindow(self._sheet, self._section.troubles, self._on_window_closed)
            self.window.open()
        else:
            self._placed = PlacedPoints(self.parameters.studyFolder)
            self._place = self._next_place(0) or 0
            self.reading = BlindReading(slicer.mrmlScene)
            self._ui.reportButton.collapsed = True  # So that the buttons for marking are in sight.
            self._show_marking()
            self._show_picture()
        self.show()

    def keep_placed(self) -> None:
        """Keep the point that was placed."""
        assert self.reading is not None
        assert self._placed is not None
        assert self._sheet is not None
        try:
            place = self.reading.place_px()
        except UserError as error:
            self._ui.markLabel.text = in_two_lines(error)
            return
        if place is None:
            self._ui.markLabel.text = _("Click on the landmark first, or say that it cannot be seen.")
            return
        self._placed.add(self._sheet.names[self._place])
        self.keep("measured", u_px=f"{place[0]:.2f}", v_px=f"{place[1]:.2f}")

    def keep(self, outcome: str, **place: str) -> None:
        """Keep an outcome for this picture and show the next; after the last one, end."""
        assert self._sheet is not None
        self._sheet.answer(self._place, outcome=outcome, **place)
        following = self._next_place(self._place + 1)
        if following is None:
            self.end()
        else:
            self._place = following
            self._show_picture()
        self.show()

    def _next_place(self, begin: int) -> int | None:
        """The next picture without an answer whose point is known to be on it; None after the last one."""
        assert self._sheet is not None
        assert self._placed is not None
        names, to_answer = self._sheet.names, self._placed.to_answer()
        return next((place for place in range(begin, len(names)) if names[place] in to_answer), None)

    def _open_sheet(self) -> AnswerSheet | None:
        """The study in the chosen folder; None where there is none."""
        from ...evaluation.study.answer_sheet import AnswerSheet
        from ...evaluation.study.blind_set import MARKER

        folder = self.parameters.studyFolder
        if not folder.name or not (folder / MARKER).is_file():
            return None
        try:
            return AnswerSheet(folder)
        except UserError as error:
            self._told = in_two_lines(error)
            return None

    def _show_picture(self) -> None:
        assert self._sheet is not None
        assert self.reading is not None
        self.reading.show(self._sheet.picture(self._place), self._sheet.mm_per_px)
        self._view.place(self.reading.volume, self.reading.marks)
        words = _("Picture {place} of {all}: click on <b>{landmark}</b> in the red slice view.")
        self._ui.markLabel.text = words.format(
            place=self._place + 1,
            all=len(self._sheet.names),
            landmark=self._sheet.shown(self._place)["landmark"],
        )

    def _show_marking(self) -> None:
        for name in _MARKING:
            getattr(self._ui, name).visible = self.reading is not None

    def _run(self, words: list[str], on_end: Any, state: str) -> None:
        try:
            self._runner.start(
                words,
                lambda event: None,
                self._section.troubles.guarded(_("What came out is not shown"), on_end),
            )
            self._say(state)
        except UserError as error:
            self._say(in_two_lines(error))

    def _on_made(self, ended: Ended) -> None:
        self._say(
            ended.message
            or _("{count} pictures are ready. Answer begins.").format(count=ended.result["images"])
        )

    def _on_scored(self, ended: Ended) -> None:
        if ended.code:
            self._say(ended.message)
            return
        from ...evaluation.report.page import table_cells

        head, *rows = turned(plain(table_cells(ended.result["tables"][0], ended.result["rows"])))
        told = _("Result, also in {file}:").format(file=study_result(self.parameters.studyFolder).name)
        unchecked = ended.result.get("unchecked", 0)
        if unchecked:
            told = (
                _(
                    "{count} of the places were not checked to lie on their picture, as in earlier versions; "
                    "Answer asks for them again."
                ).format(count=unchecked)
                + f"<br>{told}"
            )
        self._say(told + grid(head, rows))

    def _on_window_closed(self) -> None:
        self.window = None
        if self.parameters is not None:
            self.show()

    def _say(self, words: str) -> None:
        self._told = words
        if self.parameters is not None:
            self._section.show()
