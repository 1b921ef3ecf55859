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
    descriptor = _opened(path)
    held = _take_soon(descriptor, path)
    try:
        yield held
    finally:
        if held and sys.platform != "win32":
            # While it is held: who opened it in the meantime then sees that the file it holds has no name any more.
            _remove(path)
        os.close(descriptor)
        if held and sys.platform == "win32":
            # An open file cannot be removed there; who has opened it in the meantime keeps it, and its name.
            _remove(path)


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


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)


def _take_soon(descriptor: int, path: Path) -> bool:
    """Try for a moment: whoever asks `is_held` has the file while it asks. The file of that name is what counts: one
    that its last holder has removed protects nothing."""
    for _ in range(_TRIES):
        if _take(descriptor):
            if _is_named(descriptor, path):
                return True
            renewed = _opened(path)
            os.dup2(renewed, descriptor)
            os.close(renewed)
            continue
        time.sleep(_BETWEEN_TRIES_S)
    return False


def _is_named(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):  # Another process may just be looking at it.
        path.unlink()


def _take(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
