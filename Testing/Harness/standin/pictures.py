"""Pictures of a panel, alone and beside the views."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .process import StandIn

_COLORS = {"Red": "#F34A33", "Green": "#6EB04B", "Yellow": "#EDD54C", "3D": "#9090D0"}
_GAP = 3


def settle(stand_in: StandIn, panel: Any, width: int, least_height: int) -> Any:
    """Give a panel the height that it wants, and take its picture."""
    panel.setMinimumWidth(width)
    panel.show()
    for _ in range(2):
        panel.resize(width, max(least_height, panel.layout().sizeHint().height()))
        stand_in.process_events(0.1)
    return panel.grab()


def panel_picture(stand_in: StandIn, panel: Any, path: Path, width: int = 420) -> None:
    """The panel alone."""
    settle(stand_in, panel, width, 200).save(str(path))


def view_picture(stand_in: StandIn, name: str, width: int, height: int) -> Any:
    """A view, "3D" or a slice view by its name, as an image of Qt."""
    manager, qt = stand_in.layouts, stand_in.qt
    view = manager.threeDWidget(0).threeDView() if name == "3D" else manager.sliceWidget(name).sliceView()
    pixels = view.pixels(width, height)
    return qt.QImage(pixels.data, width, height, 3 * width, qt.QImage.Format_RGB888).copy()


def panel_beside_views(
    stand_in: StandIn,
    panel: Any,
    path: Path,
    places: list[tuple[str, int, int, int, int]],
    size: tuple[int, int],
    panel_width: int = 430,
    labels: bool = False,
) -> None:
    """The panel at the left, and views at their places (name, left, top, width, height) at the right of it."""
    qt = stand_in.qt
    shot = settle(stand_in, panel, panel_width, size[1])
    canvas = qt.QImage(*size, qt.QImage.Format_RGB888)
    canvas.fill(qt.QColor(70, 70, 78))
    painter = qt.QPainter(canvas)
    painter.drawPixmap(0, 0, shot)
    for name, left, top, width, height in places:
        painter.drawImage(panel_width + left, top, view_picture(stand_in, name, width, height))
        if labels:
            painter.setPen(qt.QColor(_COLORS.get(name, _COLORS["3D"])))
            painter.drawText(panel_width + left + 8, top + 18, name)
    painter.end()
    canvas.save(str(path))


def four_views(width: int, height: int) -> list[tuple[str, int, int, int, int]]:
    """Places of the Red, 3-D, Green and Yellow views, two in a row."""
    across, down = (width - 2 * _GAP) // 2, (height - 2 * _GAP) // 2
    return [
        (name, _GAP + column * (across + _GAP), row * (down + _GAP), across, down)
        for name, column, row in (("Red", 0, 0), ("3D", 1, 0), ("Green", 0, 1), ("Yellow", 1, 1))
    ]
