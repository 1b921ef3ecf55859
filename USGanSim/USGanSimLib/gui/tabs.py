"""Tabs for the sections of a panel, and the line below them."""

from __future__ import annotations

from typing import Any

import qt
from slicer.i18n import tr as _


class Tabs:
    """A tab for each section, as high as the one that is shown: the panel around them scrolls."""

    def __init__(self) -> None:
        self.widget = qt.QTabWidget()
        self.widget.connect("currentChanged(int)", self._on_shown)

    def add(self, page: Any, title: str) -> None:
        """Put a section's widget behind the others."""
        # What is left of the height stays below the section.
        page.layout().addStretch(1)
        self.widget.addTab(page, title)
        self._on_shown(self.widget.currentIndex)

    def _on_shown(self, shown: int) -> None:
        for index in range(self.widget.count):
            height = qt.QSizePolicy.Preferred if index == shown else qt.QSizePolicy.Ignored
            self.widget.widget(index).setSizePolicy(qt.QSizePolicy.Preferred, height)
        self.widget.updateGeometry()


def use_label() -> Any:
    """What the models are for, visible under every tab."""
    label = qt.QLabel(_("For research and training with phantoms. Not for clinical use."))
    label.wordWrap = True
    return label
