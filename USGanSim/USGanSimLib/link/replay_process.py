"""`usgansim replay` in a process of its own, so that sender and receiver share nothing but the connection."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import UserError

_END_WITHIN_S = 5.0


@contextlib.contextmanager
def replay_process(words: Sequence[str]) -> Iterator[int]:
    """Run `usgansim replay` with these words at a free port; yield the port. The process ends with the block.

    Raises UserError with the command's own message where it cannot begin.
    """
    library = str(Path(__file__).resolve().parents[2])
    paths = [library, *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        [sys.executable, "-m", "USGanSimLib", "replay", *words, "--port", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    try:
        yield _port(process)
    finally:
        process.terminate()
        try:
            # Also empties the pipe, which a child that has much to say would wait for.
            process.communicate(timeout=_END_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _port(process: subprocess.Popen[str]) -> int:
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        found = re.search(r" at \S+:(\d+): ", line)
        if found:
            return int(found.group(1))
        said.append(line.strip())
    message = said[-1].removeprefix("usgansim replay: ") if said else "it said nothing"
    raise UserError(f"The recording cannot be replayed: {message}")
