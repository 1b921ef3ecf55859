"""Groups that collapse. As in CTK, a child that code hides or shows while its group is closed is so when the group
opens: each child has a wish of its own beside the state of the group."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from .widgets import Stored, Strict, parent_among

# The property in which the wish of a child is kept, by CTK under the same name.
_WISH = "visibilityToParent"
_Event = QtCore.QEvent.Type


class Collapsible(QtCore.QObject):
    """Shows and hides the children of a group."""

    def __init__(self, group: Any) -> None:
        super().__init__(group)
        self._group, self._changing = group, False

    def apply(self) -> None:
        """Every child as it wishes where the group is open, and hidden where it is not."""
        for child in self._group.children():
            if isinstance(child, QtWidgets.QWidget):
                self.watch(child)
                self._place(child)

    def watch(self, child: Any) -> None:
        """Learn what is wished of a child from now on. Before, it was wished as it was."""
        if child.property(_WISH) is None:
            child.setProperty(_WISH, not child.isHidden())
            child.installEventFilter(self)

    def eventFilter(self, child: Any, event: Any) -> bool:
        if not self._changing and event.type() in (_Event.ShowToParent, _Event.HideToParent):
            child.setProperty(_WISH, event.type() == _Event.ShowToParent)
            self._place(child)
        return False

    def _place(self, child: Any) -> None:
        explicit = QtCore.Qt.WidgetAttribute.WA_WState_ExplicitShowHide
        before, self._changing = child.testAttribute(explicit), True
        child.setVisible(bool(child.property(_WISH)) and not self._group.collapsed)
        # Otherwise Qt would say nothing when code hides what the group has hidden already.
        child.setAttribute(explicit, before)
        self._changing = False


class ctkCollapsibleButton(Strict, QtWidgets.QAbstractButton):
    """A button whose children stand below it while it is checked."""

    contentsCollapsed = QtCore.Signal(bool)
    collapsedHeight, flat = Stored(14), Stored(False)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(parent_among(arguments))
        self._content = Collapsible(self)
        self.setCheckable(True)
        self.setChecked(True)
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Minimum, QtWidgets.QSizePolicy.Policy.Preferred)
        self.setText(next((one for one in arguments if isinstance(one, str)), ""))
        self.setContentsMargins(0, self._bar(), 0, 0)
        self.toggled.connect(self._on_toggled)

    def setCollapsed(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)

    collapsed = property(lambda self: not self.isChecked(), setCollapsed)

    def _bar(self) -> int:
        return max(22, self.fontMetrics().height() + 8)

    def _on_toggled(self, expanded: bool) -> None:
        self._content.apply()
        self.updateGeometry()
        self.update()
        self.contentsCollapsed.emit(not expanded)

    def showEvent(self, event: Any) -> None:
        self._content.apply()
        super().showEvent(event)

    def sizeHint(self) -> QtCore.QSize:
        width = self.fontMetrics().horizontalAdvance(self.text) + 40
        if self.collapsed:
            return QtCore.QSize(width, self._bar() + int(self.collapsedHeight))
        return QtWidgets.QWidget.sizeHint(self).expandedTo(QtCore.QSize(width, self._bar()))

    def minimumSizeHint(self) -> QtCore.QSize:
        return self.sizeHint() if self.collapsed else QtWidgets.QWidget.minimumSizeHint(self)

    def hitButton(self, place: Any) -> bool:
        return bool(place.y() < self._bar())

    def paintEvent(self, _event: Any) -> None:
        painter, style, option = QtGui.QPainter(self), self.style(), QtWidgets.QStyleOptionButton()
        option.initFrom(self)
        option.rect = QtCore.QRect(0, 0, self.width, self._bar())
        style.drawControl(QtWidgets.QStyle.ControlElement.CE_PushButtonBevel, option, painter, self)
        option.rect = QtCore.QRect(6, (self._bar() - 10) // 2, 10, 10)
        arrow = "Right" if self.collapsed else "Down"
        element = getattr(QtWidgets.QStyle.PrimitiveElement, f"PE_IndicatorArrow{arrow}")
        style.drawPrimitive(element, option, painter, self)
        painter.setPen(self.palette.color(QtGui.QPalette.ColorRole.ButtonText))
        place = QtCore.QRect(22, 0, self.width - 26, self._bar())
        painter.drawText(place, QtCore.Qt.AlignmentFlag.AlignVCenter, self.text)
        painter.end()


class ctkCollapsibleGroupBox(Strict, QtWidgets.QGroupBox):
    """A group box that shows its content while it is checked."""

    collapsedHeight = Stored(14)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(parent_among(arguments))
        self._content = Collapsible(self)
        self.setCheckable(True)
        self.setChecked(True)
        self.toggled.connect(lambda _on: self._content.apply())

    def setCollapsed(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)

    collapsed = property(lambda self: not self.isChecked(), setCollapsed)

    def showEvent(self, event: Any) -> None:
        self._content.apply()
        super().showEvent(event)
