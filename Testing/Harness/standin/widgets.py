"""What stand-ins for C++ widgets share: attributes that do not exist are refused, as PythonQt refuses them."""

from __future__ import annotations

import functools
import inspect
import types
from typing import Any, ClassVar

from PySide6 import QtCore, QtWidgets

# Class name → stand-in, for .ui files.
registered: dict[str, type] = {}


class Stored:
    """A property that a stand-in keeps without an effect."""

    def __init__(self, default: Any) -> None:
        self._default, self.of_strings = default, isinstance(default, tuple)

    def __set_name__(self, owner: type, name: str) -> None:
        self._key = f"_stored_{name}"

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else instance.__dict__.get(self._key, self._default)

    def __set__(self, instance: Any, value: Any) -> None:
        # PythonQt gives a list of strings as a tuple.
        instance.__dict__[self._key] = tuple(value) if self.of_strings else value


class Strict:
    """Mixed into a stand-in. `signatures` are the signals as C++ declares them, with the name of ours."""

    signatures: ClassVar[dict[str, str]] = {}

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{type(self).__name__} has no attribute {name}, or its stand-in has not")

    def __setattr__(self, name: str, value: Any) -> None:
        # A loader of .ui files gives each widget its named children.
        known = name.startswith("_") or getattr(value, "objectName", None) == name
        if not known and inspect.getattr_static(type(self), name, None) is None:
            raise AttributeError(f"{type(self).__name__} is of C++ and takes no new attribute {name}")
        super().__setattr__(name, value)


def is_python_property(cls: type, name: str) -> bool:
    """Whether a stand-in has a property that Qt does not know."""
    found = inspect.getattr_static(cls, name, None)
    return isinstance(found, (property, Stored)) and not is_qt_property(cls, name)


def is_qt_property(cls: type, name: str) -> bool:
    """Whether Qt knows a property of a class, as it was when the class was exported."""
    return name in _qt_properties(cls)


@functools.cache
def _qt_properties(cls: type) -> frozenset[str]:
    """Asked once and early: PySide may delete a meta object that it has given out, and gives the dead one again."""
    meta = cls.staticMetaObject  # type: ignore[attr-defined]
    return frozenset(meta.property(number).name() for number in range(meta.propertyCount()))


def parent_among(arguments: tuple[Any, ...]) -> Any | None:
    """The parent widget that a constructor was given."""
    return next((one for one in arguments if isinstance(one, QtWidgets.QWidget)), None)


def export(module: types.ModuleType, *classes: type) -> None:
    """Let a module have stand-ins, and .ui files find them. Other widgets of it have a name alone: parameter nodes
    compare the class of a widget with many."""
    for cls in classes:
        registered[cls.__name__] = cls
        if hasattr(cls, "staticMetaObject"):
            _qt_properties(cls)
        setattr(module, cls.__name__, cls)


def bare_widget(name: str) -> type:
    """A widget with nothing but a name."""
    return type(QtCore.QObject)(name, (Strict, QtWidgets.QWidget), {})
