"""Signals as PythonQt connects them: `button.connect("clicked()", action)`, by the signature that C++ declares.

The action gets as many arguments as it takes. What it raises is noted, and Qt goes on. It is held until it is
disconnected or the sender is gone, as PythonQt holds it. A signal that does not exist is noted: Slicer would print a
line that nobody reads, and never call the action.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import shiboken6
from PySide6 import QtCore

from .problems import problems

_QObject = QtCore.QObject
_native_connect, _native_disconnect = _QObject.connect, _QObject.disconnect
# Sender's address in C++ → (signature, action, what Qt calls).
_held: dict[int, list[tuple[str, Any, Callable[..., None]]]] = {}


def connect(self: Any, signal: Any, *rest: Any) -> bool:
    """Takes the place of QObject.connect."""
    if isinstance(signal, _QObject):  # PySide6 calls its own static function so, with an object before it
        return bool(_native_connect(signal, *rest))
    if not isinstance(signal, str) or signal[:1].isdigit():
        return bool(_native_connect(self, signal, *rest))
    action = rest[0] if len(rest) == 1 else getattr(rest[0], rest[1].split("(")[0])
    signature = _normalized(signal)
    call = _guarded(action)
    own = _signal_of_stand_in(self, signature)
    if own is not None:
        own.connect(call)
    elif self.metaObject().indexOfSignal(signature) >= 0:
        _native_connect(self, QtCore.SIGNAL(signature), call)
    else:
        problems.tell("pythonqt", f"{self.className()} has no signal {signature}; Slicer would never call")
        return False
    _hold(self, signature, action, call)
    return True


def disconnect(self: Any, signal: Any = None, action: Any = None, *rest: Any) -> bool:
    """Takes the place of QObject.disconnect."""
    if not isinstance(signal, str) or signal[:1].isdigit():
        given = [one for one in (signal, action, *rest) if one is not None]
        return bool(_native_disconnect(self, *given))
    signature, held = _normalized(signal), _held.get(_address(self), [])
    for entry in held:
        if entry[0] == signature and action in (None, entry[1]):
            held.remove(entry)
            own = _signal_of_stand_in(self, signature)
            if own is not None:
                return bool(own.disconnect(entry[2]))
            return bool(_native_disconnect(self, QtCore.SIGNAL(signature), entry[2]))
    return False


def single_shot(native: Callable[..., None]) -> Callable[[int, Callable[[], None]], None]:
    """QTimer.singleShot(ms, action), whose errors are noted."""

    def start(wait_ms: int, action: Callable[[], None]) -> None:
        native(int(wait_ms), _guarded(action))

    return start


def _normalized(signal: str) -> str:
    text = signal if "(" in signal else f"{signal}()"
    found = QtCore.QMetaObject.normalizedSignature(text)
    return found.decode() if isinstance(found, bytes) else bytes(found.data()).decode()


def _signal_of_stand_in(sender: Any, signature: str) -> Any | None:
    """The signal of a stand-in for a C++ class whose arguments Python cannot declare."""
    name = getattr(type(sender), "signatures", {}).get(signature)
    return None if name is None else getattr(sender, name)


def _guarded(action: Callable[..., Any]) -> Callable[..., None]:
    most = _most_arguments(action)

    def call(*arguments: Any) -> None:
        try:
            action(*arguments[:most])
        except Exception as error:
            problems.tell_exception(f"slot {getattr(action, '__qualname__', action)}", error)

    return call


def _most_arguments(action: Callable[..., Any]) -> int | None:
    """How many arguments the action takes by position; None where it takes any number or cannot be asked."""
    try:
        taken = inspect.signature(action).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(one.kind is one.VAR_POSITIONAL for one in taken):
        return None
    return sum(one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD) for one in taken)


def _hold(sender: Any, signature: str, action: Any, call: Callable[..., None]) -> None:
    address = _address(sender)
    if address not in _held:
        _held[address] = []
        _native_connect(sender, QtCore.SIGNAL("destroyed(QObject*)"), lambda _gone: _held.pop(address, None))
    _held[address].append((signature, action, call))


def _address(sender: Any) -> int:
    return int(shiboken6.getCppPointer(sender)[0])
