"""How many observers a VTK object has. Few classes print theirs: parameter nodes and slice nodes do not."""

from __future__ import annotations

from typing import Any


def count_observers(thing: Any) -> int:
    """All that were added and not removed. Tags are given in turn, so the next one ends the list."""
    end = thing.AddObserver("AnyEvent", lambda *_: None)
    thing.RemoveObserver(end)
    return sum(thing.GetCommand(tag) is not None for tag in range(1, end))
