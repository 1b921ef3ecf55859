"""The report of an evaluation: report.json with fixed keys, and report.html, one file that shows the same to a person.

Resources/Docs/contracts.md fixes `split`, `exclusion_mm` and `rows`, each with `name` and one key a metric, the unit
in the key.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from ...files import write_json
from ..measures.metrics import Table
from ..study.comparison import Row

MARKER = "report.json"
NOT_CLINICAL = "Not for clinical use."
UNDEFINED = "–"

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1c1c1e; max-width: 1100px; margin: 2em auto; padding: 0 1em }
table { border-collapse: collapse; margin: .5em 0 1em } th, td { padding: .3em .8em; border-bottom: 1px solid #ddd }
th { text-align: left; font-weight: 600; max-width: 11em; vertical-align: bottom }
th:first-child { max-width: 24em; vertical-align: top }
table.numbers th:first-child { min-width: 12em }
table.numbers td { text-align: right; font-variant-numeric: tabular-nums }
.wide { overflow-x: auto } .warning { border-left: 4px solid #c60; background: #fff4e5; padding: .5em 1em }
.use { font-weight: 600 } .note { color: #555; max-width: 55em }
"""


@runtime_checkable
class TableWithRows(Table, Protocol):
    """A table about something else than the report's rows."""

    @property
    def rows(self) -> Sequence[Row]: ...


@dataclass(frozen=True)
class Report:
    """What a report says. `facts` are told in words (heading → sentence), `details` go to report.json as they are,
    `pictures` are PNG files (caption → path), `charts` is HTML with SVG in it."""

    title: str
    facts: Mapping[str, str]
    warnings: Sequence[str]
    tables: Sequence[Table]
    rows: Sequence[Row]
    details: Mapping[str, Any]
    pictures: Mapping[str, Path]
    charts: str = ""

    def as_json(self) -> dict[str, Any]:
        """The content of report.json."""
        tables = [
            {"title": measure.title, "note": measure.note, "columns": list(map(asdict, measure.columns))}
            | (
                {"rows": [row.as_dict() for row in measure.rows]}
                if isinstance(measure, TableWithRows)
                else {}
            )
            for measure in self.tables
        ]
        return {
            **self.details,
            "warnings": list(self.warnings),
            "tables": tables,
            "rows": [row.as_dict() for row in self.rows],
            "intended_use": NOT_CLINICAL,
        }

    def write(self, folder: Path) -> None:
        """Write report.json and report.html into `folder`."""
        write_json(folder / MARKER, self.as_json())
        (folder / "report.html").write_text(self._html(), encoding="utf-8")

    def _html(self) -> str:
        content = self.as_json()
        parts = [
            f"<h1>{escape(self.title)}</h1>",
            f'<p class="use">{NOT_CLINICAL}</p>',
            *(f'<p class="warning"><b>Warning.</b> {escape(warning)}</p>' for warning in self.warnings),
            "<h2>Measured on</h2>",
            _html_table([[name, text] for name, text in self.facts.items()]),
        ]
        for table in content["tables"]:
            cells = table_cells(table, content["rows"])
            numbers = [f'<div class="wide">{_html_table(cells, head=True)}</div>'] if len(cells) > 1 else []
            parts += [
                f"<h2>{escape(table['title'])}</h2>",
                *numbers,
                f'<p class="note">{escape(table["note"])}</p>',
            ]
        parts.append(self.charts)
        for caption, path in self.pictures.items():
            source = f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"
            parts += [
                f"<h2>{escape(caption)}</h2>",
                f'<div class="wide"><img alt="{escape(caption)}" src="{source}"></div>',
            ]
        body = "\n".join(parts)
        return (
            f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(self.title)}</title>'
            f"<style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
        )


def text_tables(content: Mapping[str, Any]) -> str:
    """The tables of a report.json for a terminal: what the columns are, and a line a row; tables without rows are left
    out."""
    parts = []
    for table in content["tables"]:
        cells = table_cells(table, content["rows"])
        if len(cells) == 1:
            continue
        widths = [max(len(line[k]) for line in cells[1:]) for k in range(len(cells[0]))]
        lines = [
            "  ".join(
                [
                    line[0].ljust(widths[0]),
                    *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)),
                ]
            )
            for line in cells[1:]
        ]
        parts.append("\n".join([f"{table['title']}: {' | '.join(cells[0][1:])}", *lines]))
    return "\n\n".join(parts)


def table_cells(table: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Heading and rows in words, a table's own rows where it has them; columns and rows without any number are left
    out."""
    rows = table.get("rows", rows)
    columns = [
        column for column in table["columns"] if any(row.get(column["key"]) is not None for row in rows)
    ]
    most = max((row["frames"] for row in rows), default=0)
    lines = [
        [_label(row, most), *(_number(row, column) for column in columns)]
        for row in rows
        if any(row.get(column["key"]) is not None for column in columns)
    ]
    return [["", *(column["heading"] for column in columns)], *lines]


def _label(row: Mapping[str, Any], most_frames: int) -> str:
    """The row's name, with its number of frames where it was measured on fewer than others."""
    return str(row["name"]) if row["frames"] == most_frames else f"{row['name']} ({row['frames']} frames)"


def _number(row: Mapping[str, Any], column: Mapping[str, Any]) -> str:
    digits, key = column["digits"], column["key"]
    value, low, high = (row.get(name) for name in (key, f"{key}_ci_low", f"{key}_ci_high"))
    if value is None:
        return UNDEFINED
    return (
        f"{value:.{digits}f}"
        if low is None
        else f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"
    )


def _html_table(cells: Sequence[Sequence[str]], head: bool = False) -> str:
    lines = []
    for row, line in enumerate(cells):
        rest = "th" if head and row == 0 else "td"
        cells_html = "".join(f"<{rest}>{escape(cell)}</{rest}>" for cell in line[1:])
        lines.append(f"<tr><th>{escape(line[0])}</th>{cells_html}</tr>")
    return f'<table class="{"numbers" if head else "facts"}">' + "\n".join(lines) + "</table>"
