"""Memory-mapped pixels: giving back what was read, so that a long recording never fills the memory."""

from __future__ import annotations

import mmap

import numpy as np

from .sweep import Frames


def release_pages(frames: Frames) -> None:
    """Let go of the resident pages behind an array or a view of a file map; they are read again when needed.

    Does nothing for arrays in memory, and on systems without `madvise`, which trim such pages on their own. Only
    for maps of a file that are shared or read-only: private changes would be lost.
    """
    base: object = frames
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap) and hasattr(base, "madvise"):
        base.madvise(mmap.MADV_DONTNEED)
