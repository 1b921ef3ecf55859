"""A file that one process at a time holds. The operating system lets go of it however the process ends."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_TRIES, _BETWEEN_TRIES_S = 5, 0.02


@contextlib.contextmanager
def holding(path: Path) -> Iterator[bool]:
    """Hold the file for the time of the block; yields False where another process has it. It is removed afterwards."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    held = _take_soon(descriptor)
    try:
        yield held
    finally:
        os.close(descriptor)
        if held:
            with contextlib.suppress(OSError):  # Another process may just be looking at it.
                path.unlink()


def is_held(path: Path) -> bool:
    """Whether a process holds the file."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return not _take(descriptor)
    finally:
        os.close(descriptor)


def _take_soon(descriptor: int) -> bool:
    """Try for a moment: whoever asks `is_held` has the file while it asks."""
    for _ in range(_TRIES):
        if _take(descriptor):
            return True
        time.sleep(_BETWEEN_TRIES_S)
    return False


def _take(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
