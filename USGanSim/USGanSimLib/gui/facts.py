"""What is in a file, as rich text for a label."""

from __future__ import annotations

import html
from pathlib import Path

from ..commands.info import describe
from ..errors import UserError


def facts(path: Path) -> str:
    """What `info` tells about a recording or a model, as a table; for a file that it refuses, why."""
    try:
        rows = describe(path)
    except UserError as error:
        return f"<p>{html.escape(str(error))}</p>"
    cells = (
        f"<tr><td><b>{html.escape(name)}</b>&nbsp;</td><td>{html.escape(text)}</td></tr>"
        for name, text in rows
    )
    return f"<table>{''.join(cells)}</table>"
