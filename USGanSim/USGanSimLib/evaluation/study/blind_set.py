"""A folder of numbered pictures for a reader, and beside it a key that tells what they are.

Nothing in the folder tells: names are numbers in shuffled order, pictures are written the same way in that order, and
study.json holds only what the reader may know. The key stays with whoever runs the study.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import UserError
from ...files import replacing_folder, write_json

MARKER = "study.json"
ANSWERS = "answers.csv"


@dataclass(frozen=True, eq=False)
class Card:
    """One picture (H, W) uint8; `open` is what the reader may know of it, `secret` goes to the key. Cards are shuffled
    among those of equal `block`, blocks come in ascending order."""

    image: NDArray[np.uint8]
    open: Mapping[str, Any]
    secret: Mapping[str, Any]
    block: int = 0


@dataclass(frozen=True)
class BlindSet:
    """A study as read back: its kind, what all may know, and for each picture's name what the key says."""

    kind: str
    about: Mapping[str, Any]
    cards: Mapping[str, Mapping[str, Any]]


def write_blind_set(
    folder: Path,
    key: Path,
    kind: str,
    about: Mapping[str, Any],
    cards: Sequence[Card],
    question: Sequence[str],
    seed: int,
) -> None:
    """Write the pictures, study.json and an empty answers.csv with the columns `question` into `folder`, and the key.

    Raises UserError where the key would lie in the reader's folder.
    """
    if key.absolute().is_relative_to(folder.absolute()):
        raise UserError(f"The key {key} would lie in the reader's folder {folder}.", "Give another --key.")
    rng = np.random.default_rng([seed, 20170914])
    mixed = [cards[int(k)] for k in rng.permutation(len(cards))]
    mixed.sort(key=lambda card: card.block)
    names = [f"{number:04d}" for number in range(1, len(mixed) + 1)]
    pictures = [_png(card.image) for card in mixed]
    identity = hashlib.sha256(b"".join(pictures)).hexdigest()
    opened = [{"image": name, **card.open} for name, card in zip(names, mixed, strict=True)]
    with replacing_folder(folder, MARKER) as part:
        for name, picture in zip(names, pictures, strict=True):
            (part / f"{name}.png").write_bytes(picture)
        with (part / ANSWERS).open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, question, restval="", extrasaction="ignore")
            writer.writeheader()
            writer.writerows(opened)
        write_json(part / MARKER, {"kind": kind, "study": identity, **about, "images": opened})
        write_json(
            key,
            {
                "kind": kind,
                "study": identity,
                "seed": seed,
                "images": [{"image": name, **card.secret} for name, card in zip(names, mixed, strict=True)],
            },
        )


def read_blind_set(folder: Path, key: Path) -> BlindSet:
    """Raises UserError where the folder is no study, or the key belongs to another one."""
    try:
        study = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        secret = json.loads(key.read_text(encoding="utf-8"))
        if study["study"] != secret["study"]:
            raise UserError(
                f"The key {key} belongs to another study than {folder}.", "Give the key made with it."
            )
        opened = {str(card["image"]): card for card in study["images"]}
        cards = {str(card["image"]): {**opened[str(card["image"])], **card} for card in secret["images"]}
        return BlindSet(str(study["kind"]), study, cards)
    except OSError as error:
        raise UserError(
            f"{error.filename} cannot be read: {error.strerror}.",
            "Give the folder and the key that 'usgansim study make' wrote.",
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{folder} and {key} are no study and its key ({type(error).__name__}: {error}).",
            "Give the folder and the key that 'usgansim study make' wrote.",
        ) from error


def read_answer_rows(path: Path, study: BlindSet, columns: Sequence[str]) -> dict[str, dict[str, str]]:
    """Picture's name → its row of a table with the given columns. A row in which nothing but the picture and what the
    study says of it is filled in is no answer. Raises UserError for unknown pictures and for two answers to one."""
    try:
        reader = csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines())
        names, filled = reader.fieldnames or [], list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no table of text"
        raise UserError(f"The answers {path} cannot be read: {reason}.", "Check the path.") from error
    missing = [name for name in ("image", *columns) if name not in names]
    if missing:
        raise UserError(f"{path} has no column {', '.join(missing)}.", f"Fill in the {ANSWERS} of the study.")
    rows: dict[str, dict[str, str]] = {}
    for row in filled:
        # Spreadsheets drop leading zeros, and a person may write the file's whole name.
        name = (row["image"] or "").strip().removesuffix(".png").zfill(4)
        answer = {column: (row[column] or "").strip() for column in columns}
        if not any(answer.values()):
            continue
        require_card(path, name, study, rows)
        rows[name] = answer
    if not rows:
        raise UserError(f"{path} holds no answer.", f"Fill in the columns {', '.join(columns)}.")
    return rows


def require_card(path: Path, name: str, study: BlindSet, answered: Mapping[str, Any]) -> None:
    """Raise UserError where a study has no such picture, or it is answered already."""
    if name not in study.cards:
        raise UserError(
            f"{path}: the study has no picture {name}.", f"It has 0001 to {len(study.cards):04d}."
        )
    if name in answered:
        raise UserError(f"{path} answers picture {name} twice.", "Leave one answer.")


def _png(image: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, format="PNG")
    return stream.getvalue()
