"""Options that several commands share, and how their words are read.

Numbers are refused where they are parsed: `type=whole(1)` and `type=number(0)` name the range in the refusal and, by
`tell_ranges`, in `--help`.
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from pathlib import Path

from ..errors import UserError
from ..model.ranges import LARGEST_WHOLE, Range
from ..recording.calibration_file import read_lag
from ..recording.sequence_file import read_sweep
from ..recording.splits import Covariance, Exclusion, jitter_of_sds, jitter_of_static

LARGEST_SIDE_PX = 4096


class Number:
    """The type of an option that is a number: whole or not, within a range."""

    def __init__(self, allowed: Range, whole: bool) -> None:
        self.allowed, self.whole = allowed, whole

    def __call__(self, text: str) -> float:
        try:
            value = int(text) if self.whole else float(text)
        except ValueError:
            kind = "a whole number" if self.whole else "a number"
            raise argparse.ArgumentTypeError(f"'{text}' is not {kind}") from None
        if self.whole and abs(value) > LARGEST_WHOLE:
            raise argparse.ArgumentTypeError(f"{text} is more than 64 bits hold")
        if value not in self.allowed:
            raise argparse.ArgumentTypeError(f"{text} is out of range ({self.allowed})")
        return value


def whole(least: int, most: int | None = None) -> Number:
    """A whole number of `least` or more, and at most `most`."""
    return Number(Range(least, most=math.inf if most is None else most), True)


def number(
    least: float = -math.inf, above: bool = False, below: float = math.inf, most: float = math.inf
) -> Number:
    """A finite number in such a Range."""
    return Number(Range(least, above, below, most), False)


def tell_ranges(parser: argparse.ArgumentParser) -> None:
    """Let `--help` of a parser, and of its own commands, end each number's words with its range."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for own in action.choices.values():
                tell_ranges(own)
        elif isinstance(action.type, Number) and action.help and str(action.type.allowed) not in action.help:
            action.help += f"; {action.type.allowed}"


def size_px(text: str) -> tuple[int, int]:
    """The type of an option: `160x120` → (160, 120), width and height in pixels."""
    try:
        width_px, height_px = (int(side) for side in text.lower().replace("×", "x").split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no size like 160x120") from None
    if not 1 <= min(width_px, height_px) <= max(width_px, height_px) <= LARGEST_SIDE_PX:
        raise argparse.ArgumentTypeError(f"{text} is out of range (1 to {LARGEST_SIDE_PX} pixels each way)")
    return width_px, height_px


def lag_s(text: str) -> float:
    """The type of an option: `-0.03`, or the name of a LAG.json → seconds."""
    try:
        return read_lag(text)
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error).rstrip(".")) from None


def numbers(count: int, allowed: Range) -> Callable[[str], tuple[float, ...]]:
    """The type of an option of `count` numbers (0: one or more), separated by commas."""

    def read(text: str) -> tuple[float, ...]:
        try:
            values = tuple(float(part) for part in text.split(",")) if text else ()
        except ValueError:
            values = ()
        if len(values) != count if count else not values:
            raise argparse.ArgumentTypeError(f"'{text}' is not {count or 'some'} numbers with commas between")
        if not all(value in allowed for value in values):
            raise argparse.ArgumentTypeError(f"{text} is out of range ({allowed})")
        return values

    return read


def picture_beside(out: Path) -> Path:
    """Where the picture of a result goes: NAME.png beside NAME.json. Raises UserError where they would be one file."""
    if not out.name:
        raise UserError(
            f"{out} is a folder; a file is to be written.", "Give --out a name, for example result.json."
        )
    picture = out.with_suffix(".png")
    if picture == out:
        raise UserError(
            f"{out} is to hold numbers; the picture beside them has that name.",
            f"Choose another --out, for example {out.with_suffix('.json').name}.",
        )
    return picture


def add_frame_options(parser: argparse.ArgumentParser) -> None:
    """`--reference-frame`, `--probe-frame` and `--image-frame`."""
    for frame in ("Reference", "Probe", "Image"):
        parser.add_argument(
            f"--{frame.lower()}-frame", default=frame, help=f"name of the coordinate frame (default {frame})"
        )


def add_exclusion_options(parser: argparse.ArgumentParser) -> None:
    """Add both options."""
    parser.add_argument(
        "--exclusion-mm",
        type=number(0),
        metavar="MM",
        help="leave out training frames within this RMS pixel displacement of a held-out pose",
    )
    parser.add_argument(
        "--jitter",
        metavar="MM,DEG|FILE[:FIRST-LAST]",
        help="leave out training frames within the 95%% confidence region of a held-out pose, given "
        "the tracker's jitter: its SD in mm and degrees, or a recording (or those frames of it) "
        "of the probe at rest",
    )


def chosen_exclusion(
    arguments: argparse.Namespace, probe_frame: str = "Probe", reference_frame: str = "Reference"
) -> Exclusion | None:
    """What the options ask for; None where neither is given."""
    if arguments.exclusion_mm is None and arguments.jitter is None:
        return None
    jitter = None if arguments.jitter is None else _jitter(arguments.jitter, probe_frame, reference_frame)
    return Exclusion(arguments.exclusion_mm or 0.0, jitter)


def _jitter(text: str, probe_frame: str, reference_frame: str) -> Covariance:
    numbers = re.fullmatch(r"([-+.\deE]+),([-+.\deE]+)", text)
    if numbers:
        try:
            return jitter_of_sds(*map(float, numbers.groups()))
        except ValueError as error:
            raise UserError(f"'{text}' is no jitter.", "Give MM,DEG, for example 0.25,0.1.") from error
    stretch = re.fullmatch(r"(.+):(\d+)-(\d+)", text)
    path = Path(stretch[1] if stretch else text)
    sweep = read_sweep(path)
    track = sweep.probe_to_reference(probe_frame, reference_frame)
    chosen = track.valid.copy()
    if stretch:
        first, last = int(stretch[2]), int(stretch[3])
        if not first < last < len(sweep):
            raise UserError(f"{path} has no frames {first} to {last}; it has {len(sweep)}.", "Count from 0.")
        chosen[:first], chosen[last + 1 :] = False, False
    return jitter_of_static(track.matrices[chosen], text)


def add_observer_options(parser: argparse.ArgumentParser) -> None:
    """`--observer`, `--landmarks` and `--classifier`."""
    parser.add_argument(
        "--observer",
        type=Path,
        help="landmark observer, the file that 'train-observer' wrote; adds "
        "the landmark table, the distribution table and the observer's floor",
    )
    parser.add_argument(
        "--landmarks",
        type=Path,
        help="true landmarks in Reference for --observer: "
        "NAME.landmarks.json of 'phantom', or a Slicer point list (.mrk.json)",
    )
    parser.add_argument(
        "--classifier",
        action="store_true",
        help="also train classifiers of several kinds to tell every row from real images (minutes each)",
    )
