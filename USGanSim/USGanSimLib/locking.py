"""Files that one process at a time holds or marks. The operating system lets go of it however the process ends."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import BinaryIO

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

# Windows lets nobody else read a byte that is taken; no recording's header grows as far as this one.
_MARK_AT = 2**31 - 2

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


def mark(file: FileIO | BinaryIO) -> bool:
    """Mark an open file as in use until it is closed; False where another has marked it. Its content can be read by
    everyone. True where the file system has no such marks."""
    try:
        if sys.platform == "win32":
            _mark_beyond_the_end(file.fileno())
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True
    return True


def _mark_beyond_the_end(descriptor: int) -> None:
    place = os.lseek(descriptor, 0, os.SEEK_CUR)
    os.lseek(descriptor, _MARK_AT, os.SEEK_SET)
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    finally:
        os.lseek(descriptor, place, os.SEEK_SET)


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
