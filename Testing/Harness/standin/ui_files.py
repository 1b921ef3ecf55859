"""Reads .ui files with the stand-ins in them: their properties and connections are set here, the rest by Qt."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from typing import Any

from PySide6 import QtCore, QtUiTools

from .problems import problems
from .widgets import is_python_property, is_qt_property, registered

_OF_OTHERS = ("ctk", "qMRML", "qSlicer")
_READ: dict[str, Callable[[str], Any]] = {
    "bool": lambda text: text.strip() == "true",
    "number": int,
    "double": float,
}


class UiLoader(QtUiTools.QUiLoader):
    """QUiLoader that knows the widgets of CTK and MRML."""

    def createWidget(self, class_name: str, parent: Any = None, name: str = "") -> Any:
        cls = registered.get(class_name)
        if cls is None:
            return super().createWidget(class_name, parent, name)
        widget = cls(parent)
        widget.setObjectName(name)
        return widget

    def load(self, device: Any, parent: Any = None) -> Any:
        """The widget that the opened file describes."""
        root = ElementTree.fromstring(bytes(device.readAll().data()))
        links, later = _taken_connections(root), _taken_properties(root)
        buffer = QtCore.QBuffer()
        buffer.setData(ElementTree.tostring(root))
        buffer.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
        widget = super().load(buffer, parent)
        if widget is None:
            problems.tell("api", f"the .ui file cannot be read: {self.errorString()}")
            return None
        named = {one.objectName: one for one in [widget, *widget.findChildren()]}
        for name, attribute, value in later:
            setattr(named[name], attribute, value)
        for link in links:
            _connect(named, *link)
        return widget


def _taken_connections(root: ElementTree.Element) -> list[tuple[str, str, str, str]]:
    found = []
    for group in root.findall("connections"):
        for entry in group:
            sender, signal, receiver, slot = (
                entry.findtext(part) or "" for part in ("sender", "signal", "receiver", "slot")
            )
            found.append((sender, signal, receiver, slot))
        root.remove(group)
    return found


def _taken_properties(root: ElementTree.Element) -> list[tuple[str, str, Any]]:
    """The properties of stand-ins that Qt does not know: (widget, property, value)."""
    found = []
    for widget in root.iter("widget"):
        class_name, name = widget.get("class", ""), widget.get("name", "")
        if not class_name.startswith(_OF_OTHERS):
            continue
        cls = registered.get(class_name)
        if cls is None:
            problems.tell("api", f".ui: no stand-in for {class_name} ({name})")
            continue
        for entry in widget.findall("property"):
            attribute = entry.get("name", "")
            if is_python_property(cls, attribute):
                found.append((name, attribute, _value(entry[0])))
                widget.remove(entry)
            elif entry.get("stdset") != "0" and not is_qt_property(cls, attribute):
                problems.tell("api", f".ui: {class_name} has no property {attribute} ({name})")
    return found


def _value(element: ElementTree.Element) -> Any:
    if element.tag == "stringlist":
        return [one.text or "" for one in element]
    return _READ.get(element.tag, str)(element.text or "")


def _connect(named: dict[str, Any], sender: str, signal: str, receiver: str, slot: str) -> None:
    if sender not in named or receiver not in named:
        problems.tell("api", f".ui: {sender} or {receiver} is not there to be connected")
        return
    named[sender].connect(signal, named[receiver], slot)
