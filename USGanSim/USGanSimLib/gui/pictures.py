"""Pictures in labels."""

from __future__ import annotations

import qt


def pixmap(png: bytes, width_px: int) -> qt.QPixmap:
    """A PNG file's bytes as a pixmap of this width."""
    result = qt.QPixmap()
    result.loadFromData(qt.QByteArray(png))
    return result.scaledToWidth(width_px, qt.Qt.SmoothTransformation)
