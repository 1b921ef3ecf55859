"""The module `qt` as Slicer's Python has it: the classes of PySide6 with the manners of PythonQt."""

from __future__ import annotations

import inspect
import sys
import tempfile
import types
from typing import Any

from PySide6 import QtCore, QtGui, QtTest, QtUiTools, QtWidgets

from .connections import connect, disconnect, single_shot
from .dialogs import answer_dialogs
from .problems import problems
from .properties import QtProperty, keep_constants, properties_as_attributes
from .ui_files import UiLoader

_MODULES = (QtCore, QtGui, QtWidgets, QtUiTools, QtTest)
# They have functions that are both of the class and of an object, such as QFile.exists.
_WITH_LOOK_UP_OF_THEIR_OWN = ("QFile", "QLibrary")
# What the platform without a screen says about itself.
_OF_NO_MATTER = ("propagateSizeHints", "does not support", "This plugin supports")


def make_qt() -> types.ModuleType:
    """Make it, and let `import qt` find it."""
    keep_constants()
    native_single_shot = QtCore.QTimer.singleShot
    classes = _qobject_classes()
    for cls in classes:
        # PySide6 answers `connect` and `disconnect` of an instance by itself, unless attributes are looked up plainly.
        if "__getattribute__" in vars(cls) and cls.__name__ not in _WITH_LOOK_UP_OF_THEIR_OWN:
            cls.__getattribute__ = object.__getattribute__  # type: ignore[method-assign]
    properties_as_attributes(classes)
    shot = inspect.getattr_static(QtCore.QTimer, "singleShot")
    assert isinstance(shot, QtProperty)
    shot.before = single_shot(native_single_shot)
    _add_methods()
    answer_dialogs()
    _keep_settings_apart()
    QtCore.qInstallMessageHandler(_on_message)
    qt = types.ModuleType("qt", "PySide6 with the manners of PythonQt")
    for module in _MODULES:
        for name in dir(module):
            if not name.startswith("_"):
                setattr(qt, name, getattr(module, name))
    qt.QUiLoader = UiLoader  # type: ignore[attr-defined]
    sys.modules["qt"] = qt
    return qt


def _qobject_classes() -> list[type]:
    # PySide6 makes a class when it is asked for by name.
    things = {getattr(module, name) for module in _MODULES for name in dir(module) if name.startswith("Q")}
    found = [thing for thing in things if isinstance(thing, type) and issubclass(thing, QtCore.QObject)]
    return sorted(found, key=lambda cls: len(cls.__mro__))


def _add_methods() -> None:
    """What PythonQt adds to every object, and where it takes what PySide6 refuses."""
    cls = QtCore.QObject
    cls.connect, cls.disconnect = connect, disconnect
    cls.className = lambda self: self.metaObject().className()
    cls.delete = lambda self: self.deleteLater()
    cls.name = inspect.getattr_static(cls, "objectName")
    native_find = cls.findChildren

    def find_children(self: Any, kind: Any = QtCore.QObject, name: str = "") -> list[Any]:
        found = native_find(self, QtCore.QObject if isinstance(kind, str) else kind)
        return [
            one
            for one in found
            if (not isinstance(kind, str) or one.inherits(kind)) and name in ("", one.objectName)
        ]

    cls.findChildren = find_children
    cls.findChild = lambda self, kind=QtCore.QObject, name="": next(
        iter(find_children(self, kind, name)), None
    )


def _keep_settings_apart() -> None:
    """Settings of a folder of this process, which nobody else has written."""
    QtCore.QSettings.setDefaultFormat(QtCore.QSettings.Format.IniFormat)
    folder = tempfile.mkdtemp(prefix="slicer-stand-in-settings-")
    QtCore.QSettings.setPath(QtCore.QSettings.Format.IniFormat, QtCore.QSettings.Scope.UserScope, folder)


def _on_message(_kind: Any, _context: Any, text: str) -> None:
    if not any(words in text for words in _OF_NO_MATTER):
        problems.tell("warning", f"Qt: {text}")
