"""A part of a module's panel: a .ui file of its own, its widgets, and what they do.

A section wires widgets to the logic and shows what the logic says; it holds no state that a scene should keep, which
is the parameter node's. See module_panel.py for who calls what.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import slicer.util
from slicer.util import VTKObservationMixin

if TYPE_CHECKING:
    from .module_panel import ModulePanel


class Section(VTKObservationMixin):  # type: ignore[misc]
    """Base of all sections. `ui` has the widgets of the file by name, `parameters` is the parameter node or None.

    ui_file   name of the .ui file in the module's Resources/UI; its top widget is a qMRMLWidget
    """

    ui_file: ClassVar[str]

    def __init__(self, panel: ModulePanel) -> None:
        VTKObservationMixin.__init__(self)
        self.panel = panel
        self.widget = slicer.util.loadUI(panel.resourcePath(f"UI/{self.ui_file}"))
        self.ui = slicer.util.childWidgetVariables(self.widget)
        self.widget.setMRMLScene(slicer.mrmlScene)
        self._gui_tag: Any = None
        self.setup()

    @property
    def title(self) -> str:
        """What stands on the section's tab, where the module has tabs."""
        return ""

    @property
    def logic(self) -> Any:
        """The module's logic."""
        return self.panel.logic

    @property
    def parameters(self) -> Any:
        """The module's parameter node; None while the module is not shown or the scene closes."""
        return self.panel.parameters

    # What a section does; each may be left out

    def setup(self) -> None:
        """Once: connect signals, make timers."""

    def meet(self) -> None:
        """Once, when all sections of the panel are made: connect to others (`panel.section`)."""

    def show(self) -> None:
        """Bring labels and buttons up to date. Called when a parameter changes; `parameters` is there."""

    def enter(self) -> None:
        """The module is shown."""

    def exit(self) -> None:
        """Another module is shown; what runs goes on."""

    def close_scene(self) -> None:
        """The scene is about to lose its nodes: stop what uses them."""

    def cleanup(self) -> None:
        """The module goes: end timers, processes and all that runs."""

    # Called by the panel

    def connect_parameters(self, parameters: Any) -> None:
        """Connect the widgets with a SlicerParameterName to the parameter node."""
        self._gui_tag = parameters.connectGui(self.ui)

    def refresh(self) -> None:
        """`show`, after the path edits."""
        for widget in vars(self.ui).values():
            # An empty Path is written as '.', which nobody chose.
            if getattr(widget, "currentPath", None) == ".":
                # Shown, not chosen: the parameter may have got a path that the widget does not have yet.
                blocked = widget.blockSignals(True)
                widget.currentPath = ""
                widget.blockSignals(blocked)
        self.show()

    def disconnect_parameters(self, parameters: Any) -> None:
        """The inverse of `connect_parameters`."""
        parameters.disconnectGui(self._gui_tag)
