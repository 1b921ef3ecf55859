"""What a recording says of itself while it goes."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from ...recording.frame_writer import WriterCounts


class RecorderState(enum.Enum):
    """What a person must be told."""

    STOPPED = "stopped"
    WAITING = "waiting for the first image"
    RECORDING = "recording"
    STALLED = "no image arrives"
    REFUSING = "images are refused"
    FAILED = "nothing more is recorded"


@dataclass(frozen=True)
class Feedback:
    """A recording as it goes: offered = refused + held + counts.offered.

    offered       images that arrived
    refused       images that cannot be in this recording; `detail` says why
    held          images that wait for a pose with their stamp
    counts        of the writer: written, waiting, dropped
    rate_hz       images a second, lately; NaN before there are two
    minutes_left  until the disk is full at this rate
    valid_share   transform → share of the frames in which it is valid; `tracked_share`: all of them
    warnings      sentences about time stamps and lost images
    """

    state: RecorderState
    detail: str
    offered: int
    refused: int
    held: int
    counts: WriterCounts
    duration_s: float
    rate_hz: float
    written_bytes: int
    disk_free_bytes: int
    minutes_left: float
    valid_share: Mapping[str, float]
    tracked_share: float
    warnings: tuple[str, ...]
