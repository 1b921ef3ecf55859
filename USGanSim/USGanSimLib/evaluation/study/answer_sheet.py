"""A reader's answers to a blind study, picture by picture, in the answers.csv that `study score` reads.

Every answer is on the disk before the next picture comes, so that a study can be interrupted at any time. The key is
not needed, and not looked for.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...files import replacing_file
from .blind_set import ANSWERS, MARKER


class AnswerSheet:
    """`kind` of the study; `mm_per_px` (x, y) of its pictures; `names` of the pictures in their order."""

    def __init__(self, folder: Path) -> None:
        """Raises UserError where the folder is no study, or its answers cannot be read."""
        try:
            study = json.loads((folder / MARKER).read_text(encoding="utf-8"))
            self.kind = str(study["kind"])
            self.mm_per_px: tuple[float, float] = (float(study["mm_per_px"][0]), float(study["mm_per_px"][1]))
            self._rows = {str(card["image"]): dict(card) for card in study["images"]}
            with (folder / ANSWERS).open(newline="", encoding="utf-8-sig") as stream:
                reader = csv.DictReader(stream)
                self._columns = list(reader.fieldnames or [])
                given = {row["image"]: row for row in reader}
        except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
            raise UserError(
                f"{folder} is no study that can be read ({type(error).__name__}: {error}).",
                "Choose the folder that 'study make' wrote.",
            ) from error
        self._folder = folder
        self._question = [name for name in self._columns if name not in ("image", "landmark")]
        self._given = {
            name: {column: given.get(name, {}).get(column) or "" for column in self._question}
            for name in self._rows
        }

    @property
    def names(self) -> list[str]:
        return list(self._rows)

    @property
    def answered(self) -> int:
        """How many pictures have an answer."""
        return sum(any(answer.values()) for answer in self._given.values())

    def first_open(self) -> int | None:
        """Place of the first picture without an answer; None where all have one."""
        return next(
            (place for place, answer in enumerate(self._given.values()) if not any(answer.values())), None
        )

    def picture(self, place: int) -> Path:
        """The PNG of a picture."""
        return self._folder / f"{self.names[place]}.png"

    def shown(self, place: int) -> dict[str, Any]:
        """What the reader may know of a picture, such as the landmark to mark."""
        return self._rows[self.names[place]]

    def answer(self, place: int, **answer: str) -> None:
        """Keep an answer, by the names of the columns; what is left out is empty. Written at once."""
        unknown = answer.keys() - set(self._question)
        if unknown:
            raise ValueError(f"a study of {self.kind} has no column {unknown}")
        self._given[self.names[place]] = {column: answer.get(column, "") for column in self._question}
        with (
            replacing_file(self._folder / ANSWERS) as part,
            part.open("w", newline="", encoding="utf-8") as stream,
        ):
            writer = csv.DictWriter(stream, self._columns, extrasaction="ignore", restval="")
            writer.writeheader()
            writer.writerows({**self._rows[name], **self._given[name]} for name in self._rows)
