"""Tabs for the sections of a panel."""

from __future__ import annotations

from typing import Any

import qt


class Tabs:
    """A tab for each title, as high as what is shown in it: the panel around the tabs scrolls."""

    def __init__(self) -> None:
        self.widget = qt.QTabWidget()
        self.widget.connect("currentChanged(int)", self._on_shown)
        self._pages: dict[str, Any] = {}

    def add(self, content: Any, title: str) -> None:
        """Put a section's widget below the others of its title, on a new tab where it is the first."""
        if title not in self._pages:
            page = qt.QWidget()
            layout = qt.QVBoxLayout(page)
            layout.setContentsMargins(0, 0, 0, 0)
            # What is left of the height stays below the sections.
            layout.addStretch(1)
            self._pages[title] = layout
            self.widget.addTab(page, title)
        layout = self._pages[title]
        layout.insertWidget(layout.count() - 1, content)
        self._on_shown(self.widget.currentIndex)

    def _on_shown(self, shown: int) -> None:
        for index in range(self.widget.count):
            height = qt.QSizePolicy.Preferred if index == shown else qt.QSizePolicy.Ignored
            self.widget.widget(index).setSizePolicy(qt.QSizePolicy.Preferred, height)
        self.widget.updateGeometry()
