"""Options that several commands share, and how their words are read."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..errors import UserError


def size_px(text: str) -> tuple[int, int]:
    """`160x120` → (160, 120), width and height in pixels."""
    try:
        width_px, height_px = (int(number) for number in text.lower().replace("×", "x").split("x"))
    except ValueError as error:
        raise UserError(f"'{text}' is no image size.", "Give width x height, for example 160x120.") from error
    return width_px, height_px


def picture_beside(out: Path) -> Path:
    """Where the picture of a result goes: NAME.png beside NAME.json. Raises UserError where they would be one file."""
    picture = out.with_suffix(".png")
    if picture == out:
        raise UserError(
            f"{out} is to hold numbers; the picture beside them has that name.",
            f"Choose another --out, for example {out.with_suffix('.json').name}.",
        )
    return picture


def lag_s(text: str) -> float:
    """`-0.03`, or the name of a LAG.json → seconds."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return float(json.loads(Path(text).read_text(encoding="utf-8"))["lag_s"])
    except OSError as error:
        raise UserError(
            f"The lag '{text}' is neither a number nor a file that can be read ({error.strerror}).",
            "Give seconds, or the LAG.json of 'calibrate temporal'.",
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{text} is no LAG.json: it has no number 'lag_s'.",
            "Give seconds, or the LAG.json of 'calibrate temporal'.",
        ) from error


def add_frame_options(parser: argparse.ArgumentParser) -> None:
    """`--reference-frame`, `--probe-frame` and `--image-frame`."""
    for frame in ("Reference", "Probe", "Image"):
        parser.add_argument(
            f"--{frame.lower()}-frame", default=frame, help=f"name of the coordinate frame (default {frame})"
        )
