"""The module `ctk`: the widgets of CommonTK that our panels use."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from .ctk_groups import ctkCollapsibleButton, ctkCollapsibleGroupBox
from .dialogs import dialogs
from .widgets import Stored, Strict, bare_widget, export, parent_among

Signal = QtCore.Signal
_LONGEST_HISTORY = 5


class _Number(Strict, QtWidgets.QWidget):
    """A spin box over a number with decimals, with a slider beside it where `with_slider` says so."""

    valueChanged, valueIsChanging, decimalsChanged = Signal(float), Signal(float), Signal(int)
    with_slider = False

    def __init__(self, *arguments: Any) -> None:
        super().__init__(parent_among(arguments))
        self._spin = QtWidgets.QDoubleSpinBox()
        self._spin.setRange(0.0, 99.0)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._slider = None
        if self.with_slider:
            self._slider = QtWidgets.QSlider(QtCore.Qt.Orientation.Horizontal)
            layout.addWidget(self._slider)
            self._slider.valueChanged.connect(self._on_slider)
        layout.addWidget(self._spin)
        self._spin.valueChanged.connect(self._on_spin)

    def _steps(self) -> float:
        return float(self._spin.singleStep) or 1.0

    def _on_slider(self, step: int) -> None:
        self.setValue(self._spin.minimum + step * self._steps())

    def _on_spin(self, value: float) -> None:
        self._show_on_slider()
        self.valueIsChanging.emit(value)
        self.valueChanged.emit(value)

    def _show_on_slider(self) -> None:
        if self._slider is not None:
            blocked = self._slider.blockSignals(True)
            self._slider.setRange(0, round((self._spin.maximum - self._spin.minimum) / self._steps()))
            self._slider.setValue(round((self._spin.value - self._spin.minimum) / self._steps()))
            self._slider.blockSignals(blocked)

    def setValue(self, value: float) -> None:
        self._spin.setValue(float(value))

    def setMinimum(self, value: float) -> None:
        self._spin.setMinimum(float(value))
        self._show_on_slider()

    def setMaximum(self, value: float) -> None:
        self._spin.setMaximum(float(value))
        self._show_on_slider()

    def setRange(self, low: float, high: float) -> None:
        self.setMinimum(low)
        self.setMaximum(high)

    def setSingleStep(self, value: float) -> None:
        self._spin.setSingleStep(float(value))
        self._show_on_slider()

    def setDecimals(self, count: int) -> None:
        self._spin.setDecimals(int(count))
        self.decimalsChanged.emit(int(count))

    def setSuffix(self, text: str) -> None:
        self._spin.setSuffix(text)

    def setPrefix(self, text: str) -> None:
        self._spin.setPrefix(text)

    value = property(lambda self: self._spin.value, setValue)
    minimum = property(lambda self: self._spin.minimum, setMinimum)
    maximum = property(lambda self: self._spin.maximum, setMaximum)
    singleStep = property(lambda self: self._spin.singleStep, setSingleStep)
    decimals = property(lambda self: self._spin.decimals, setDecimals)
    suffix = property(lambda self: self._spin.suffix, setSuffix)
    prefix = property(lambda self: self._spin.prefix, setPrefix)


class ctkDoubleSpinBox(_Number):
    """A spin box."""

    editingFinished = Signal()


class ctkSliderWidget(_Number):
    """A slider with a spin box."""

    with_slider = True
    tracking = Stored(True)

    def reset(self) -> None:
        self.setValue(0.0)


class ctkPathLineEdit(Strict, QtWidgets.QWidget):
    """A path with its history, which is kept under `settingKey` and whose newest is there at once, and a button."""

    currentPathChanged, validInputChanged = Signal(str), Signal(bool)
    Dirs, Files, Readable, Writable = 0x1, 0x2, 0x10, 0x20
    nameFilters, filters = Stored(()), Stored(0x7)
    label, options = Stored(""), Stored(0)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(parent_among(arguments))
        self._path, self._key = "", ""
        self._edit, self._button = QtWidgets.QComboBox(), QtWidgets.QToolButton()
        self._edit.setEditable(True)
        expanding, fixed = QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed
        self._edit.setSizePolicy(expanding, fixed)
        self._edit.setMinimumContentsLength(8)
        self._button.setText("...")
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._edit, 1)
        layout.addWidget(self._button)
        self._edit.editTextChanged.connect(self._on_text)
        self._button.clicked.connect(self.browse)

    def _on_text(self, text: str) -> None:
        if text != self._path:
            self._path = text
            self.currentPathChanged.emit(text)

    def setCurrentPath(self, path: Any) -> None:
        self._edit.setEditText("" if path is None else str(path))

    def setSettingKey(self, key: str) -> None:
        self._key = key
        self.retrieveHistory()

    def retrieveHistory(self) -> None:
        history = self._history()
        if history:
            self.setCurrentPath(history[0])

    def addCurrentPathToHistory(self) -> None:
        if self._path and self._key:
            rest = [path for path in self._history() if path != self._path]
            QtCore.QSettings().setValue(self._key, [self._path, *rest][:_LONGEST_HISTORY])

    def browse(self) -> None:
        """What the button does: a dialog for a folder or a file."""
        folder = "Dirs" in str(self.filters)
        chosen = dialogs.give("getExistingDirectory" if folder else "getOpenFileName", (self._path,), "")
        if chosen:
            self.setCurrentPath(chosen)
            self.addCurrentPathToHistory()

    def _history(self) -> list[str]:
        kept = QtCore.QSettings().value(self._key) if self._key else None
        return [kept] if isinstance(kept, str) else list(kept or ())

    currentPath = property(lambda self: self._path, setCurrentPath)
    settingKey = property(lambda self: self._key, setSettingKey)


class ctkFlowLayout(QtWidgets.QGridLayout):
    """From left to right, three in a row; the real one fills the width. Sample Data has one."""

    preferredExpandingDirections = Stored(None)

    def addWidget(self, widget: Any) -> None:
        super().addWidget(widget, self.count() // 3, self.count() % 3)


class ctkWidgetsUtils:
    """Pictures of widgets."""

    @staticmethod
    def grabWidget(widget: Any, *_size: Any) -> QtGui.QImage:
        return widget.grab().toImage()


def make_ctk() -> types.ModuleType:
    """Make the module, and let `import ctk` find it."""
    ctk = types.ModuleType("ctk", "stand-ins for the widgets of CommonTK")
    export(
        ctk,
        ctkCollapsibleButton,
        ctkCollapsibleGroupBox,
        ctkDoubleSpinBox,
        ctkSliderWidget,
        ctkPathLineEdit,
    )
    ctk.ctkFlowLayout, ctk.ctkWidgetsUtils = ctkFlowLayout, ctkWidgetsUtils  # type: ignore[attr-defined]
    ctk.ctkMessageBox = QtWidgets.QMessageBox  # type: ignore[attr-defined]
    ctk.ctkSettings = type(QtCore.QObject)("ctkSettings", (QtCore.QSettings,), {})  # type: ignore[attr-defined]

    def named_only(name: str) -> type:
        if not name.startswith("ctk"):
            raise AttributeError(name)
        setattr(ctk, name, bare_widget(name))
        return getattr(ctk, name)  # type: ignore[no-any-return]

    ctk.__getattr__ = named_only  # type: ignore[method-assign]
    ctk.__path__ = [str(Path(__file__).parent / "no such folder")]
    sys.modules["ctk"] = ctk
    return ctk
