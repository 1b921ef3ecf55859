"""Facts, times and errors in words, as rich text for labels, and pictures beside them."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from pathlib import Path

import qt
from slicer.i18n import tr as _

from ..errors import UserError
from ..recording.describe import describe


def in_two_lines(error: UserError) -> str:
    """What is wrong, and under it what to do."""
    return f"<b>{html.escape(error.message)}</b>" + (f"<br>{html.escape(error.hint)}" if error.hint else "")


def duration(seconds: float) -> str:
    """`2 h 05 min`, `7 min`, `40 s`."""
    whole = round(seconds)
    if whole >= 3600:
        return _("{hours} h {minutes:02d} min").format(hours=whole // 3600, minutes=whole % 3600 // 60)
    if whole >= 90:
        return _("{minutes} min").format(minutes=round(whole / 60))
    return _("{seconds} s").format(seconds=whole)


def table(rows: Iterable[tuple[str, str]]) -> str:
    """Names in bold beside their texts."""
    cells = (
        f"<tr><td><b>{html.escape(name)}</b>&nbsp;</td><td>{html.escape(text)}</td></tr>"
        for name, text in rows
    )
    return f"<table>{''.join(cells)}</table>"


def facts(path: Path) -> str:
    """What `info` tells about a recording or a model, as a table; for a file that it refuses, why."""
    try:
        return table(describe(path))
    except UserError as error:
        return f"<p>{html.escape(str(error))}</p>"


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with a line of names above; the first column is text, the others are numbers."""
    top = "".join(f"<th align='left'>{html.escape(name)}&nbsp;</th>" for name in head)
    body = "".join(
        "<tr>"
        + "".join(
            f"<td align='{'right' if column else 'left'}'>{html.escape(text)}&nbsp;</td>"
            for column, text in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    return f"<table cellspacing='2'><tr>{top}</tr>{body}</table>"


def plain(cells: Sequence[Sequence[str]]) -> list[list[str]]:
    """A table's cells without the intervals in brackets."""
    return [[text.partition(" (")[0] if column else text for column, text in enumerate(row)] for row in cells]


def turned(cells: Sequence[Sequence[str]]) -> list[list[str]]:
    """A table's cells with rows as columns."""
    return [list(row) for row in zip(*cells, strict=True)]


def show_picture(
    label: qt.QLabel, path: Path | None, width_px: int = 360, parts_px: Sequence[tuple[int, int]] = ()
) -> None:
    """A PNG in a label, no wider than the panel; nothing where there is none. Of a wide picture, `parts_px` (left edge
    and width of each) are shown one below the other."""
    whole = qt.QPixmap(str(path)) if path is not None else qt.QPixmap()
    if whole.isNull():
        label.clear()
        return
    parts = [whole.copy(left, 0, width, whole.height()) for left, width in parts_px or [(0, whole.width())]]
    parts = [part.scaledToWidth(min(width_px, part.width()), qt.Qt.SmoothTransformation) for part in parts]
    stacked = qt.QPixmap(max(part.width() for part in parts), sum(part.height() for part in parts))
    painter, top = qt.QPainter(stacked), 0
    for part in parts:
        painter.drawPixmap(0, top, part)
        top += part.height()
    painter.end()
    label.setPixmap(stacked)
