"""Which points of a landmark study are known to lie on their picture.

A point that was placed in another view counted as measured once, without its distance from the picture. Such answers
are still in files, and so are answers from elsewhere: what was placed here, and seen to, is noted beside them.
"""

from __future__ import annotations

import csv
from pathlib import Path

from ...files import replacing_file
from .blind_set import ANSWERS

FILE = "placed.txt"


class PlacedPoints:
    """Of the study in a folder; names are those of its pictures."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, name: str) -> None:
        """The point of this picture, which is about to be kept, lies on it."""
        names = sorted(self._noted() | {name})
        with replacing_file(self._folder / FILE) as part:
            part.write_text("".join(f"{one}\n" for one in names), encoding="utf-8")

    def unsure(self) -> set[str]:
        """Pictures whose answer has a place that nobody has seen to."""
        return {row["image"] for row in self._answers() if row.get("u_px")} - self._noted()

    def to_answer(self) -> set[str]:
        """Pictures without an answer, and those of `unsure`."""
        answer = ("outcome", "u_px", "v_px")
        return self.unsure() | {row["image"] for row in self._answers() if not any(map(row.get, answer))}

    def _noted(self) -> set[str]:
        path = self._folder / FILE
        return set(path.read_text(encoding="utf-8").split()) if path.is_file() else set()

    def _answers(self) -> list[dict[str, str]]:
        path = self._folder / ANSWERS
        if not path.is_file():
            return []
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream))
        # As read_answer_rows has it: spreadsheets drop leading zeros.
        return [{**row, "image": row["image"].strip().removesuffix(".png").zfill(4)} for row in rows]
