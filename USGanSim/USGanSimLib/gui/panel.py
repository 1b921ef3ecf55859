"""What the panels of both modules are made of: sections, one parameter node, and a scene that comes and goes.

    class USGanSimWidget(ModulePanel):
        def make_logic(self): return USGanSimLogic()
        def make_sections(self): return [LiveSection(self), …]

A section is a part of a panel: a .ui file of its own, its widgets, and what they do. It wires widgets to the logic and
shows what the logic says; it holds no state that a scene should keep, which is the parameter node's.

Sections are connected to the parameter node while the module is shown. What they started goes on when another module
is shown, and ends when the scene closes or the module is reloaded. A section that fails keeps no other from its work.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from operator import methodcaller
from typing import Any, ClassVar, TypeVar

import qt
import slicer
import slicer.util
import vtk
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleWidget
from slicer.util import VTKObservationMixin

from .binding import Binding
from .troubles import Troubles

_LIBRARY = __name__.split(".")[0]


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
        self.setup()

    @property
    def title(self) -> str:
        """What stands on the section's tab, where the module has tabs."""
        return ""

    @property
    def name(self) -> str:
        """What the section is called where something is wrong with it."""
        return type(self).__name__.removesuffix("Section")

    @property
    def logic(self) -> Any:
        """The module's logic."""
        return self.panel.logic

    @property
    def troubles(self) -> Troubles:
        """The panel's, for what buttons, timers and observers call."""
        return self.panel.troubles

    @property
    def parameters(self) -> Any:
        """The module's parameter node; None while the module is not shown or the scene closes."""
        return self.panel.parameters

    # What a section does; each may be left out

    def setup(self) -> None:
        """Once: connect signals, make timers."""

    def meet(self) -> None:
        """Once, when all sections of the panel are made: connect to others (`panel.section`)."""

    def connected(self) -> None:
        """The widgets with a SlicerParameterName were connected to `parameters`."""

    def show(self) -> None:
        """Bring labels and buttons up to date. Called when a parameter changes; `parameters` is there."""

    def enter(self) -> None:
        """The module is shown."""

    def exit(self) -> None:
        """Another module is shown; what runs goes on."""

    def close_scene(self) -> None:
        """The scene is about to lose its nodes: stop what uses them."""

    def scene_loaded(self, parameters: Any) -> None:
        """A scene was loaded into this one, and its parameters (`parameters`) with it, also while the module is not
        shown: stop what goes on with the nodes of before."""

    def cleanup(self) -> None:
        """The module goes: end timers, processes and all that runs."""

    # What sections have in common

    def on_press(self, name: str, action: Callable[[], Any]) -> None:
        """A press of this button does `action`; what goes wrong is told on top of the panel."""
        self.troubles.on_press(getattr(self.ui, name), action)

    def enable(self, name: str, problem: str, tip: str) -> None:
        """A button that can be pressed unless there is a problem. Its tooltip says what it does, or what is missing."""
        button = getattr(self.ui, name)
        button.enabled = not problem
        button.toolTip = problem or tip

    # Called by the panel

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


_Section = TypeVar("_Section", bound=Section)


class ModulePanel(ScriptedLoadableModuleWidget, VTKObservationMixin):  # type: ignore[misc]
    """Base of the two modules' widgets. What does not work at present stands on top of it."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic: Any = None
        self.parameters: Any | None = None
        self._binding: Binding | None = None
        self.sections: list[Section] = []
        self.troubles = Troubles(self._show_troubles)

    def make_logic(self) -> Any:
        """The module's logic; it has getParameterNode()."""
        raise NotImplementedError

    def make_sections(self) -> list[Section]:
        """The sections, in the order in which they stand."""
        raise NotImplementedError

    def place(self, section: Section) -> None:
        """Put a section into the panel: one below the other, unless a module has tabs."""
        self.layout.addWidget(section.widget)

    def section(self, kind: type[_Section]) -> _Section:
        """The section of this class."""
        return next(section for section in self.sections if isinstance(section, kind))

    # Called by Slicer

    def setup(self) -> None:
        ScriptedLoadableModuleWidget.setup(self)
        self.logic = self.make_logic()
        self._trouble_label = qt.QLabel()
        self._trouble_label.wordWrap = True
        self._trouble_label.hide()
        self.layout.addWidget(self._trouble_label)
        self.sections = self.make_sections()
        for section in self.sections:
            self.place(section)
        for section in self.sections:
            section.meet()
        self._use = qt.QLabel(_("For research and training with phantoms. Not for clinical use."))
        self._use.wordWrap = True
        self.layout.addWidget(self._use)
        self.layout.addStretch(1)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self._on_scene_start_close)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self._on_scene_end_close)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartImportEvent, self._on_scene_start_import)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self._on_scene_end_import)

    def cleanup(self) -> None:
        self._each(_("{part} was not ended"), methodcaller("cleanup"))
        for section in self.sections:
            section.removeObservers()
        self.set_parameters(None)
        self.removeObservers()
        # A reload would only hide them; their connections would keep the sections, and all that these hold.
        for section in self.sections:
            section.widget.setMRMLScene(None)
        for widget in (*(section.widget for section in self.sections), self._use, self._trouble_label):
            widget.deleteLater()

    def enter(self) -> None:
        self.set_parameters(self._read_parameters())
        self._each(_("{part} did not begin"), methodcaller("enter"))

    def exit(self) -> None:
        self._each(_("{part} was not left"), methodcaller("exit"))
        self.set_parameters(None)
        self.troubles.clear()

    def onReload(self) -> None:
        """Reload the library with the module, so that a developer sees a change of either."""
        for name in [name for name in sys.modules if name.split(".")[0] == _LIBRARY]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def set_parameters(self, parameters: Any | None) -> None:
        """Connect all sections to a parameter node, or to none."""
        if self._binding is not None:
            self._binding.close()
            self._binding = None
        if self.parameters is not None:
            self.removeObserver(
                self.parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self._on_parameters_modified
            )
        self.parameters = parameters
        if parameters is not None:
            self._binding = Binding(
                parameters, (widget for section in self.sections for widget in vars(section.ui).values())
            )
            self._each(_("{part} is not connected"), methodcaller("connected"))
            # After the connection of the widgets, which writes to them at the same event. The node and not its wrapper,
            # because the mixin keeps what was ever observed.
            self.addObserver(
                parameters.parameterNode,
                vtk.vtkCommand.ModifiedEvent,
                self._on_parameters_modified,
                priority=-1.0,
            )
            self.show()

    def _read_parameters(self) -> Any:
        """The module's, as the node has them: the wrapper keeps values, and what it read while a scene was loaded may
        have been of a node that was still to come."""
        parameters = self.logic.getParameterNode()
        parameters.Modified()
        return parameters

    def show(self) -> None:
        """Bring every section up to date; nothing while there is no parameter node."""
        if self.parameters is not None:
            self._each(_("{part} is not up to date"), methodcaller("refresh"))

    def _each(self, step: str, action: Callable[[Section], Any]) -> None:
        """Every section, whatever the ones before did; `step` with its {part} says what did not work."""
        for section in self.sections:
            self.troubles.attempt(step.format(part=section.name), action, section)

    def _show_troubles(self) -> None:
        self._trouble_label.text = self.troubles.words
        self._trouble_label.visible = bool(self.troubles.words)

    def _on_parameters_modified(self, _caller: Any, _event: str) -> None:
        self.show()

    def _on_scene_start_close(self, _caller: Any, _event: str) -> None:
        self.troubles.clear()
        self._each(_("{part} did not let go of the scene"), methodcaller("close_scene"))
        self.set_parameters(None)

    def _on_scene_end_close(self, _caller: Any, _event: str) -> None:
        if self.parent.isEntered:
            self.enter()

    def _on_scene_start_import(self, _caller: Any, _event: str) -> None:
        # A node that is still to come is none to a selector, which would write that into the parameters.
        self.set_parameters(None)

    def _on_scene_end_import(self, _caller: Any, _event: str) -> None:
        # The parameters of the loaded scene went into ours, under the names of the version that saved them.
        parameters = self._read_parameters()
        self._each(_("{part} did not take up the scene"), methodcaller("scene_loaded", parameters))
        if self.parent.isEntered:
            self.enter()
