"""Loading of a scripted module, as the application's module factory does it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

from .module_widget import qSlicerScriptedLoadableModuleWidget


class qSlicerScriptedLoadableModule:
    """The part in C++ of a scripted module: the `parent` of the class in Python."""

    helpText = acknowledgementText = ""
    hidden, index = False, -1

    def __init__(self, slicer: Any, path: Path) -> None:
        self._slicer, self.name, self.path, self.title = slicer, path.stem, str(path), path.stem
        self.categories: list[str] = []
        self.dependencies: list[str] = []
        self.contributors: list[str] = []
        self.icon: Any = None
        self._scene: Any = None
        self._widget: Any = None
        self.instance: Any = None

    defaultDocumentationLink = property(
        lambda self: f"<p>For more information, see the documentation of {self.name}.</p>"
    )

    def logic(self) -> None:
        """A scripted module has none in C++."""

    def mrmlScene(self) -> Any:
        return self._slicer.mrmlScene if self._scene is None else self._scene

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene

    def createNewWidgetRepresentation(self) -> Any | None:
        if not hasattr(sys.modules[self.name], f"{self.name}Widget"):
            return None
        widget = qSlicerScriptedLoadableModuleWidget(self, self._slicer.modules)
        widget.setMRMLScene(self._slicer.mrmlScene)
        widget.setup()
        return widget

    def widgetRepresentation(self) -> Any | None:
        if self._widget is None:
            self._widget = self.createNewWidgetRepresentation()
        return self._widget


def load(slicer: Any, path: Path) -> qSlicerScriptedLoadableModule:
    """Import a module's script and make its module object. The folder of every module is on `sys.path`."""
    path = Path(path).resolve()
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = script
    spec.loader.exec_module(script)
    module = qSlicerScriptedLoadableModule(slicer, path)
    slicer.app.add_module(module)
    module.instance = getattr(script, path.stem)(module)
    setattr(slicer.modules, f"{path.stem}Instance", module.instance)
    return module
