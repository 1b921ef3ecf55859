"""`slicer.app`: what scripts ask the application for."""

from __future__ import annotations

import os
import sys
import tempfile
import types
from typing import Any

from PySide6 import QtCore, QtWidgets

from .widgets import Strict

Signal = QtCore.Signal


class _FactoryManager(QtCore.QObject):
    """Knows which modules are loaded."""

    def __init__(self, modules: dict[str, Any]) -> None:
        super().__init__()
        self._modules = modules

    def isLoaded(self, name: str) -> bool:
        return name in self._modules

    isRegistered = isInstantiated = isLoaded

    def loadedModuleNames(self) -> tuple[str, ...]:
        return tuple(self._modules)


class _ModuleManager(QtCore.QObject):
    """Slicer's list of modules."""

    moduleAboutToBeUnloaded, moduleLoaded = Signal(str), Signal(str)

    def __init__(self, modules: dict[str, Any]) -> None:
        super().__init__()
        self._modules, self._factory = modules, _FactoryManager(modules)

    def module(self, name: str) -> Any | None:
        return self._modules.get(name)

    def modulesNames(self) -> tuple[str, ...]:
        return tuple(self._modules)

    def factoryManager(self) -> _FactoryManager:
        return self._factory


class qSlicerApplication(Strict, QtWidgets.QApplication):
    """The application. Its scene and logic, layout manager and file loading are put in while the stand-in is made."""

    startupCompleted, mrmlSceneChanged = Signal(), Signal(object)

    def __init__(self, slicer: Any, main_window: bool, version: str) -> None:
        super().__init__(["slicer-stand-in"])
        self._slicer, self._main_window, self._version = slicer, main_window, version.split(".")
        self.setApplicationName("Slicer")
        self.setOrganizationName("SlicerStandIn")
        self.setStyle("Fusion")
        self._modules: dict[str, Any] = {}
        self._temporary = tempfile.mkdtemp(prefix="slicer-stand-in-")
        self._manager = _ModuleManager(self._modules)
        self._settings = sys.modules["ctk"].ctkSettings()
        self._settings.setValue("Developer/SelfTestDisplayMessageDelay", 0)
        self._layouts: Any = None
        self._files: Any = None
        self._logic: Any = None

    temporaryPath = cachePath = defaultScenePath = slicerHome = property(lambda self: self._temporary)
    majorVersion = property(lambda self: int(self._version[0]))
    minorVersion = property(lambda self: int(self._version[1]))
    os = property(lambda self: "linux")
    platform = property(lambda self: "linux-amd64")
    revision = repositoryRevision = property(lambda self: "stand-in")
    mainApplicationName = property(lambda self: "Slicer")
    documentationBaseUrl = property(lambda self: "https://slicer.readthedocs.io/en/latest/")

    def moduleDocumentationUrl(self, name: str) -> str:
        return f"{self.documentationBaseUrl}user_guide/modules/{name.lower()}.html"

    def mrmlScene(self) -> Any:
        return self._slicer.mrmlScene

    def applicationLogic(self) -> Any:
        return self._logic

    def moduleManager(self) -> _ModuleManager:
        return self._manager

    def layoutManager(self) -> Any | None:
        """None without a main window, as in the application."""
        return self._layouts if self._main_window else None

    def ioManager(self) -> Any:
        return self._files

    coreIOManager = ioManager

    def settings(self) -> Any:
        return self._settings

    userSettings = revisionUserSettings = settings

    def testingEnabled(self) -> bool:
        return True

    def commandOptions(self) -> types.SimpleNamespace:
        return types.SimpleNamespace(noMainWindow=not self._main_window, testingEnabled=True)

    def startupEnvironment(self) -> Any:
        return QtCore.QProcessEnvironment.systemEnvironment()

    def setRenderPaused(self, _paused: bool) -> None:
        """Nothing is drawn unless it is asked for."""

    def pauseRender(self) -> None:
        """As above."""

    resumeRender = pauseRender

    def restart(self) -> None:
        raise RuntimeError("The application would restart.")

    def add_module(self, module: Any) -> None:
        """Let a module be found by its name."""
        self._modules[module.name] = module
        setattr(self._slicer.modules, module.name.lower(), module)
        setattr(self._slicer.moduleNames, module.name, module.name)


def make_folder(*parts: str) -> str:
    """A folder, made where it is not there yet."""
    path = os.path.join(*parts)  # noqa: PTH118 - Slicer wants strings
    os.makedirs(path, exist_ok=True)  # noqa: PTH103
    return path
