"""Pictures in labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import qt

WIDTH_PX = 340


def show_picture(label: Any, path: Path | None, parts_px: Sequence[tuple[int, int]] = ()) -> None:
    """Show a PNG in a label, no wider than a panel; nothing for None. Of a wide picture, `parts_px` (left edge and
    width of each) are shown one below the other."""
    whole = qt.QPixmap(str(path)) if path is not None else qt.QPixmap()
    if whole.isNull():
        label.setPixmap(qt.QPixmap())
        label.hide()
        return
    parts = [whole.copy(left, 0, width, whole.height()).scaledToWidth(WIDTH_PX, qt.Qt.SmoothTransformation)
             for left, width in parts_px or [(0, whole.width())]]
    stacked = qt.QPixmap(WIDTH_PX, sum(part.height() for part in parts))
    painter, top = qt.QPainter(stacked), 0
    for part in parts:
        painter.drawPixmap(0, top, part)
        top += part.height()
    painter.end()
    label.setPixmap(stacked)
    label.show()


def pixmap(png: bytes, width_px: int) -> qt.QPixmap:
    """A PNG file's bytes as a pixmap of this width."""
    result = qt.QPixmap()
    result.loadFromData(qt.QByteArray(png))
    return result.scaledToWidth(width_px, qt.Qt.SmoothTransformation)
