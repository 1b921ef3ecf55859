"""Qt's properties as attributes, as PythonQt has them: `label.text = "a"`, `if button.checked:`.

PySide6 has methods of the same names there. Methods that set (`setText`) stay, and so do static functions, which are
read from the class (`QTimer.singleShot`, which is a property of every timer, too).
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any

# Qt itself calls these, which are properties and virtual functions; the others are functions in PythonQt, too.
_LEFT_ALONE = {"sizeHint", "minimumSizeHint", "parent", "children"}


def keep_constants() -> None:
    """Give None, True and False references for any run. Under Python before 3.12 every property that is set on a
    widget of PySide6 6.12 takes one of None away, and a signal that is connected one of True or False; after some
    thousands the interpreter dies."""
    if sys.version_info < (3, 12):
        for constant in (None, True, False):
            ctypes.c_ssize_t.from_address(id(constant)).value += 1 << 40


class QtProperty(property):
    """A property of instances; read from the class, it is what was there before."""

    def __init__(self, read: Callable[[Any], Any], write: Callable[[Any, Any], None], before: Any) -> None:
        super().__init__(read, write)
        self.before = before

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self if self.before is None else self.before
        return super().__get__(instance, owner)


def properties_as_attributes(classes: list[type]) -> None:
    """Change QObject and the classes that inherit it, bases before the classes of them."""
    for cls in classes:
        meta = cls.staticMetaObject  # type: ignore[attr-defined]
        for number in range(meta.propertyOffset(), meta.propertyCount()):
            entry = meta.property(number)
            if entry.name() not in _LEFT_ALONE:
                setattr(cls, entry.name(), _attribute(cls, entry))


def _attribute(cls: type, entry: Any) -> QtProperty:
    name, kind, writable = entry.name(), entry.typeName(), entry.isWritable()
    capital = name[0].upper() + name[1:]
    getter = next(
        (found for word in (name, f"is{capital}", f"has{capital}") if (found := _method(cls, word))), None
    )
    setter = _method(cls, f"set{capital}")

    def read(self: Any) -> Any:
        value = cls.property(self, name) if getter is None else getter(self)  # type: ignore[attr-defined]
        return tuple(value) if kind == "QStringList" and value is not None else value

    def write(self: Any, value: Any) -> None:
        if not writable:
            raise AttributeError(f"{name} of {self.className()} cannot be written")
        try:
            fitting = as_property_type(kind, value)
            if setter is not None and not (entry.isEnumType() and isinstance(fitting, int)):
                setter(self, fitting)
            elif not cls.setProperty(self, name, fitting):  # type: ignore[attr-defined]
                raise TypeError("refused")
        except (TypeError, ValueError) as error:
            raise AttributeError(f"{name} of {self.className()} is a {kind}, not {value!r}") from error

    return QtProperty(read, write, vars(cls).get(name) if _is_static(cls, name) else None)


def _method(cls: type, name: str) -> Any | None:
    """A function of the class that Qt has, unbound."""
    found = getattr(cls, name, None)
    return found if type(found).__name__ == "method_descriptor" else None


def _is_static(cls: type, name: str) -> bool:
    return type(vars(cls).get(name)).__name__ == "staticmethod" or name == "singleShot"


def as_property_type(kind: str, value: Any) -> Any:
    """A value as PythonQt hands it to a property of this C++ type; it converts what comes near."""
    if kind in ("int", "uint", "qlonglong") and hasattr(value, "__index__"):
        return int(value)
    if kind in ("double", "float"):
        return float(value)
    if kind == "bool":
        return bool(value)
    if kind == "QString" and not isinstance(value, str):
        return "" if value is None else str(value)
    if kind == "QStringList":
        return [value] if isinstance(value, str) else [str(one) for one in value]
    return value
