"""Real or simulated? One picture after another in a window of its own, answered with keys.

The keys belong to this window and to nothing else in Slicer. Each answer is kept at once; Esc ends, and the study goes
on from there another time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import qt
from slicer.i18n import tr as _

from ..troubles import Troubles

if TYPE_CHECKING:
    from ...evaluation.study.answer_sheet import AnswerSheet

_STYLE = "QDialog { background: black } QLabel { color: #b0b0b0; font-size: 15pt }"
# Of the window's height.
_PICTURE_SHARE = 0.8
_SETTLED_MS = 200


class StudyWindow:
    """Shows the pictures of a sheet from the first without an answer on; `on_end` is called once, when it closes."""

    def __init__(self, sheet: AnswerSheet, troubles: Troubles, on_end: Callable[[], None]) -> None:
        self._sheet, self._troubles, self._on_end = sheet, troubles, on_end
        self._place = sheet.first_open() or 0
        self._open = True
        self.window = qt.QDialog()
        self.window.windowTitle = _("Real or simulated?")
        self.window.styleSheet = _STYLE
        layout = qt.QVBoxLayout(self.window)
        self.picture, self.words = qt.QLabel(), qt.QLabel()
        for label, stretch in ((self.picture, 1), (self.words, 0)):
            label.alignment = qt.Qt.AlignCenter
            label.wordWrap = True
            layout.addWidget(label, stretch)
        self._shortcuts = [
            self._shortcut(key, action)
            for keys, action in (
                (("R", "Left"), lambda: self.answer("real")),
                (("S", "Right"), lambda: self.answer("simulated")),
                (("Backspace",), self.back),
            )
            for key in keys
        ]
        self.window.connect("finished(int)", self._on_finished)  # Esc, and closing the window, end it.

    def open(self) -> None:
        """Show the window over the whole screen, with the first picture."""
        self.window.showFullScreen()
        self._show()
        # The window has its full size a moment later.
        qt.QTimer.singleShot(_SETTLED_MS, self._show_if_open)

    def close(self) -> None:
        """End; answers are kept already."""
        self.window.reject()

    def answer(self, kind: str) -> None:
        """Keep "real" or "simulated" for this picture and go to the next; after the last one, end."""
        self._sheet.answer(self._place, answer=kind)
        self._place += 1
        if self._place == len(self._sheet.names):
            self.close()
        else:
            self._show()

    def back(self) -> None:
        """Go to the picture before, to answer it anew."""
        self._place = max(0, self._place - 1)
        self._show()

    def _show_if_open(self) -> None:
        if self._open:
            self._show()

    def _show(self) -> None:
        x_mm, y_mm = self._sheet.mm_per_px
        path = self._sheet.picture(self._place)
        pixmap = qt.QPixmap(str(path))
        if pixmap.isNull():
            self.picture.clear()
            self.words.text = _("{name} is no picture any more · Esc go on later").format(name=path.name)
            return
        height = int(_PICTURE_SHARE * self.window.height)
        width = int(height * pixmap.width() * x_mm / (pixmap.height() * y_mm))
        self.picture.setPixmap(
            pixmap.scaled(width, height, qt.Qt.IgnoreAspectRatio, qt.Qt.SmoothTransformation)
        )
        self.words.text = _(
            "{place} of {all} · R or ← real · S or → simulated · Backspace one back · Esc go on later"
        ).format(place=self._place + 1, all=len(self._sheet.names))

    def _shortcut(self, key: str, todo: Callable[[], None]) -> Any:
        shortcut = qt.QShortcut(qt.QKeySequence(key), self.window)
        shortcut.setContext(qt.Qt.WindowShortcut)
        shortcut.connect("activated()", lambda: self._attempt(todo))
        return shortcut

    def _attempt(self, todo: Callable[[], None]) -> None:
        """The window hides the panel, so it tells itself what does not work."""
        step = _("The answer is not kept")
        if not self._troubles.attempt(step, todo) and self._open:
            self.words.text = self._troubles.words

    def _on_finished(self, _result: int) -> None:
        self._open = False
        self.window.deleteLater()
        self._on_end()
