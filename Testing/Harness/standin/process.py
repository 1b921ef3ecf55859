"""One process that poses as Slicer: puts together what the other files make."""

from __future__ import annotations

import atexit
import importlib
import os
import re
import socket
import sys
import time
import types
from pathlib import Path
from typing import Any

from .problems import listen, problems

# Read when Qt and VTK start.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
_NEEDED = "Base/Python/slicer/ScriptedLoadableModule.py"
# Python files of Slicer that a module may import, or that register something when they are imported.
_OF_SLICER = ("i18n", "cli", "testing", "packaging", "ScriptedLoadableModule", "parameterNodeWrapper")
_TURN_S = 0.005
_made: StandIn | None = None


class StandIn:
    """What a script gets: `slicer`, `qt`, modules to load, events to handle, `problems` and `dialogs`."""

    def __init__(self, main_window: bool = True) -> None:
        import slicer

        self.source = slicer_source()
        self.problems = problems
        listen()
        self.slicer: Any = slicer
        _take_python_of(slicer, self.source)
        from .ctk_widgets import make_ctk
        from .dialogs import dialogs
        from .pythonqt import make_qt

        self.qt: Any = make_qt()
        self.ctk, self.dialogs = make_ctk(), dialogs
        self._make_application(main_window)
        self._main_window = self._make_main_window() if main_window else None
        for name in _OF_SLICER:
            try:
                importlib.import_module(f"slicer.{name}")
            except ModuleNotFoundError as error:  # slicer.packaging is of 5.12
                problems.tell("note", error)
        _refuse_network()

    def _make_application(self, main_window: bool) -> None:
        from .application import qSlicerApplication
        from .files import Files
        from .layouts import qSlicerLayoutManager
        from .module_widget import export_widgets
        from .scene import add_core_modules, make_scene
        from .scripted_module import qSlicerScriptedLoadableModule

        slicer = self.slicer
        export_widgets(slicer)
        slicer.qSlicerScriptedLoadableModule = qSlicerScriptedLoadableModule
        app = slicer.app = qSlicerApplication(slicer, main_window, source_version(self.source))
        self._kept = make_scene(slicer, app)
        app._files = Files(slicer)
        add_core_modules(slicer, app)
        self.layouts = app._layouts = qSlicerLayoutManager(slicer)

    def _make_main_window(self) -> Any:
        from .module_widget import qSlicerMainWindow

        return qSlicerMainWindow(self.slicer.app._modules)

    def load_module(self, path: str | Path) -> Any:
        """Load a scripted module; returns its module object."""
        from .scripted_module import load

        return load(self.slicer, Path(path))

    def process_events(self, seconds: float = 0.0) -> None:
        """Let Qt live for a while; once, at least. What asked to be deleted is, as in Slicer's own event loop."""
        end_s = time.monotonic() + seconds
        while True:
            self.slicer.app.processEvents()
            self.qt.QCoreApplication.sendPostedEvents(None, self.qt.QEvent.DeferredDelete)
            if time.monotonic() >= end_s:
                return
            time.sleep(_TURN_S)

    def shut_down(self) -> None:
        """Let go in an order in which Qt, VTK and MRML survive it."""
        self.layouts.close_views()
        self.slicer.mrmlScene.Clear(True)
        sys.excepthook = sys.__excepthook__


def boot(main_window: bool = True) -> StandIn:
    """The stand-in of this process, made by the first call."""
    global _made
    if _made is None:
        _made = StandIn(main_window)
        atexit.register(_made.shut_down)
    return _made


def slicer_source() -> Path:
    """The checkout of Slicer that SLICER_SOURCE names."""
    named = os.environ.get("SLICER_SOURCE", "")
    if not (named and (Path(named) / _NEEDED).is_file()):
        raise SystemExit(
            f"SLICER_SOURCE has to name a checkout of Slicer's source, which has {_NEEDED}: "
            "git clone --depth 1 --branch v5.12.3 https://github.com/Slicer/Slicer"
        )
    return Path(named).resolve()


def source_version(source: Path) -> str:
    """The version that a checkout of Slicer says it is, such as 5.10; of one without CMake files, by its Python."""
    lists = source / "CMakeLists.txt"
    if lists.is_file():
        text = lists.read_text(encoding="utf-8")
        parts = [re.search(rf'Slicer_VERSION_{part} "(\d+)"', text) for part in ("MAJOR", "MINOR")]
        if all(parts):
            return ".".join(part.group(1) for part in parts if part)
    return "5.12" if (source / "Base/Python/slicer/packaging.py").is_file() else "5.10"


def _take_python_of(slicer: Any, source: Path) -> None:
    """Let Slicer's Python files come from the checkout, `slicer.util` with them; slicer-core has its own otherwise."""
    package = source / "Base" / "Python" / "slicer"
    slicer.__path__.insert(0, str(package))
    sys.path.append(str(package.parent))
    for name in [name for name in sys.modules if name in ("slicer.util", "slicer.logic")]:
        del sys.modules[name]
    util = importlib.import_module("slicer.util")
    # slicer-core has the functions of slicer.util in `slicer`, the application has not.
    for name, value in list(vars(slicer).items()):
        of_util = getattr(value, "__module__", None) in ("slicer.util", "slicer_core.util")
        if of_util and hasattr(util, name):
            delattr(slicer, name)
    slicer.util = util
    for name in ("modules", "moduleNames"):
        module = types.ModuleType(f"slicer.{name}")
        sys.modules[module.__name__] = module
        setattr(slicer, name, module)
    for folder in ("Loadable/Markups", "Loadable/SubjectHierarchy", "Scripted/SampleData"):
        sys.path.append(str(source / "Modules" / folder))


def _refuse_network() -> None:
    """Nothing is fetched while a module is tested; this machine can be reached."""
    look_up = socket.getaddrinfo

    def refused(host: Any, *rest: Any, **options: Any) -> Any:
        if host in (None, "localhost", "::1") or str(host).startswith("127."):
            return look_up(host, *rest, **options)
        raise socket.gaierror(socket.EAI_NONAME, f"{host}: no network in the stand-in")

    socket.getaddrinfo = refused  # type: ignore[assignment]
