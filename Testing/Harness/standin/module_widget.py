"""The widgets of Slicer that hold a module's panel, and the module selector."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

from PySide6 import QtCore, QtWidgets

from .node_selector import InScene, qMRMLNodeComboBox
from .widgets import bare_widget, export, parent_among

Signal = QtCore.Signal


class qMRMLWidget(InScene, QtWidgets.QWidget):
    """Hands the scene on to what is connected to it."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(parent_among(arguments))


class qSlicerScriptedLoadableModuleWidget(InScene, QtWidgets.QWidget):
    """The part in C++ of a scripted module's widget, which calls the part in Python."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, module: Any, modules: types.ModuleType) -> None:
        super().__init__()
        self._module, self._modules, self._entered = module, modules, False
        self._python: Any = None
        QtWidgets.QVBoxLayout(self)
        self.setObjectName(f"{module.name}ModuleWidget")

    isEntered = property(lambda self: self._entered)

    def self(self_) -> Any:
        return self_._python

    def module(self) -> Any:
        return self._module

    def setup(self) -> None:
        """Make the part in Python and let it fill this widget."""
        name = Path(self._module.path).stem
        self._python = getattr(sys.modules[name], f"{name}Widget")(self)
        setattr(self._modules, f"{name}Widget", self._python)
        self._python.setup()

    reload = setup

    def enter(self) -> None:
        self._entered = True
        self._python.enter()

    def exit(self) -> None:
        self._entered = False
        self._python.exit()


class ModuleSelector(QtWidgets.QWidget):
    """The main window's: leaves one module and enters another."""

    def __init__(self, modules: dict[str, Any]) -> None:
        super().__init__()
        self._modules, self._selected = modules, ""

    def selectModule(self, name: str) -> None:
        before, after = (self._modules.get(one) for one in (self._selected, name))
        for module, wanted in ((before, False), (after, True)):
            panel = module.widgetRepresentation() if module is not None else None
            if panel is not None and panel.isEntered != wanted:
                (panel.enter if wanted else panel.exit)()
        self._selected = name

    selectedModule = property(lambda self: self._selected)


class qSlicerMainWindow(QtWidgets.QMainWindow):
    """The main window, which is never shown."""

    def __init__(self, modules: dict[str, Any]) -> None:
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self._selector = ModuleSelector(modules)
        menu = self.menuBar().addMenu("File")
        menu.setObjectName("FileMenu")

    def moduleSelector(self) -> ModuleSelector:
        return self._selector


def export_widgets(slicer: types.ModuleType) -> None:
    """Let `slicer` have the stand-ins, and a name alone for other widgets of MRML."""
    export(slicer, qMRMLWidget, qMRMLNodeComboBox)
    slicer.qSlicerScriptedLoadableModuleWidget = qSlicerScriptedLoadableModuleWidget  # type: ignore[attr-defined]

    def named_only(name: str) -> type:
        if not name.startswith(("qMRML", "qSlicer")):
            raise AttributeError(f"module 'slicer' has no attribute {name!r}")
        setattr(slicer, name, bare_widget(name))
        return getattr(slicer, name)  # type: ignore[no-any-return]

    slicer.__getattr__ = named_only  # type: ignore[method-assign]
