"""Widgets and a parameter node that follow each other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

# The property of a widget in a .ui file that names its parameter.
_PARAMETER = "SlicerParameterName"


class Binding:
    """Connects the widgets that have a SlicerParameterName to `parameters`, a wrapped parameter node, until `close`.

    One for a whole panel, because each writes to all of its widgets at every change of the node. Slicer 5.10 leaves
    its observer on the node when it disconnects, and they would pile up: it is caught here as it is added.
    """

    def __init__(self, parameters: Any, widgets: Iterable[Any]) -> None:
        self._parameters = parameters
        self._observers: list[int] = []
        named = {widget.property(_PARAMETER): widget for widget in widgets}
        named.pop(None, None)
        add_observer = parameters.AddObserver

        def caught(*arguments: Any) -> int:
            self._observers.append(add_observer(*arguments))
            return self._observers[-1]

        parameters.AddObserver = caught
        try:
            self._gui_tag = parameters.connectParametersToGui(named)
        finally:
            del parameters.AddObserver

    def close(self) -> None:
        """Let them go their own ways."""
        self._parameters.disconnectGui(self._gui_tag)
        for tag in self._observers:
            self._parameters.RemoveObserver(tag)
        self._observers.clear()
