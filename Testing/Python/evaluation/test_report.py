"""report.json's keys and report.html, which must need nothing but itself."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
from PIL import Image

from USGanSimLib.evaluation.measures.metrics import Column
from USGanSimLib.evaluation.report.page import Report, text_tables
from USGanSimLib.evaluation.study.comparison import Row


class TwoNumbers:
    title = "Two & more"
    note = "Less is better."
    columns = (
        Column("error_mm", "error, mm", 1),
        Column("never", "never there"),
        Column("share", "share", 3),
    )


def a_report(folder: Path) -> Report:
    picture = folder / "panel.png"
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(picture)
    rows = [
        Row("real <image>", 4, 1, {"error_mm": 0.06, "never": None, "share": 1.0}),
        Row("model", 4, 3, {"error_mm": 2.345, "never": None, "share": None}),
    ]
    return Report(
        "A title",
        {"Frames": "4 < 5"},
        ["The set is another one."],
        [TwoNumbers()],
        rows,
        {"split": "blocks", "exclusion_mm": 0.0},
        {"Pictures": picture},
    )


class Tags(HTMLParser):
    """All tags with their attributes, and all text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_report_json_has_the_promised_keys(tmp_path: Path) -> None:
    a_report(tmp_path).write(tmp_path)
    content = json.loads((tmp_path / "report.json").read_text())
    assert (content["split"], content["exclusion_mm"]) == ("blocks", 0.0)
    assert content["rows"] == [
        {"name": "real <image>", "frames": 4, "samples": 1, "error_mm": 0.06, "never": None, "share": 1.0},
        {"name": "model", "frames": 4, "samples": 3, "error_mm": 2.345, "never": None, "share": None},
    ]
    assert content["warnings"] == ["The set is another one."]


def test_report_html_needs_nothing_but_itself(tmp_path: Path) -> None:
    a_report(tmp_path).write(tmp_path)
    page = Tags((tmp_path / "report.html").read_text(encoding="utf-8"))
    sources = [
        value for _, attributes in page.tags for name, value in attributes.items() if name in ("src", "href")
    ]
    assert len(sources) == 1
    kind, data = str(sources[0]).split(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(data) == (tmp_path / "panel.png").read_bytes()
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe"}


def test_report_html_shows_tables_facts_warnings_and_the_intended_use(tmp_path: Path) -> None:
    a_report(tmp_path).write(tmp_path)
    text = "\n".join(Tags((tmp_path / "report.html").read_text(encoding="utf-8")).words)
    for words in (
        "Not for clinical use.",
        "Warning.",
        "The set is another one.",
        "Two & more",
        "Less is better.",
        "4 < 5",
        "real <image>",
        "error, mm",
    ):
        assert words in text
    cells = re.findall(r"(?m)^(?:0\.1|1\.000|2\.3|–)$", text)
    assert cells == ["0.1", "1.000", "2.3", "–"]
    assert "never there" not in text, "a column without any number is left out"


def test_intervals_are_shown_beside_their_means_and_empty_tables_not_at_all(tmp_path: Path) -> None:
    rows = [
        Row("real", 4, 1, {"share": 0.5, "share_ci_low": 0.25, "share_ci_high": 0.75}),
        Row("none", 0, 0, {}),
        Row("second", 2, 1, {"share": 0.125}),
    ]
    report = Report("A title", {}, [], [TwoNumbers()], rows, {}, {})
    assert text_tables(report.as_json()).splitlines()[1:] == [
        "real               0.500 (0.250 to 0.750)",
        "second (2 frames)                   0.125",
    ]
    empty = Report("A title", {}, [], [TwoNumbers()], rows[1:2], {}, {}, charts="<svg>a line</svg>")
    assert text_tables(empty.as_json()) == ""
    empty.write(tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Less is better." in page
    assert "error, mm" not in page
    assert "<svg>a line</svg>" in page


def test_a_table_with_rows_of_its_own_shows_those_and_no_others(tmp_path: Path) -> None:
    class Faults(TwoNumbers):
        title = "Faults"
        rows = (Row("a fault", 4, 1, {"error_mm": 7.5}),)

    ordinary = a_report(tmp_path)
    report = dataclasses.replace(ordinary, tables=[TwoNumbers(), Faults()])
    content = report.as_json()
    assert "rows" not in content["tables"][0]
    assert content["tables"][1]["rows"] == [
        {"name": "a fault", "frames": 4, "samples": 1, "error_mm": 7.5},
    ]
    assert content["rows"] == ordinary.as_json()["rows"]
    before, after = text_tables(content).split("\n\n")
    assert before == text_tables(ordinary.as_json())
    assert after.splitlines() == ["Faults: error, mm", "a fault  7.5"]
    report.write(tmp_path)
    words = Tags((tmp_path / "report.html").read_text(encoding="utf-8")).words
    assert words.count("a fault") == 1
    assert words.count("model") == 1


def test_the_terminal_shows_the_same_numbers(tmp_path: Path) -> None:
    lines = text_tables(a_report(tmp_path).as_json()).splitlines()
    assert lines[0] == "Two & more: error, mm | share"
    assert lines[1].split() == ["real", "<image>", "0.1", "1.000"]
    assert lines[2].split() == ["model", "2.3", "–"]
    assert len(lines[1]) == len(lines[2])
