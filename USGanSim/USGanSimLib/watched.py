"""A command as the child of a program with a panel.

The parent sets the environment variable USGANSIM_WATCHED. Then progress goes to standard error, one JSON object a line,
and the end of standard input is the request to end: the command is interrupted as with Ctrl-C and leaves nothing
half-written behind. A pipe ends with the parent too, on every platform and however it ends, so that no command outlives
a panel that crashed.
"""

from __future__ import annotations

import _thread
import os
import sys
import threading

VARIABLE = "USGANSIM_WATCHED"


def watched() -> bool:
    """Whether a program watches this process."""
    return bool(os.environ.get(VARIABLE))


def end_with_input() -> None:
    """Interrupt the main thread once standard input ends."""
    threading.Thread(target=_interrupt_at_end, daemon=True).start()


def _interrupt_at_end() -> None:
    # The descriptor itself: a thread that holds the lock of sys.stdin would keep Python from ending.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    _thread.interrupt_main()
