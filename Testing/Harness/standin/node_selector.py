"""The selector of nodes: what the scene has of the wanted types, and perhaps None, in a combo box."""

from __future__ import annotations

from typing import Any, ClassVar

import vtk
from PySide6 import QtCore, QtWidgets

from .widgets import Stored, Strict, parent_among

Signal = QtCore.Signal


class InScene(Strict):
    """A widget that is given the scene."""

    signatures: ClassVar[dict[str, str]] = {"mrmlSceneChanged(vtkMRMLScene*)": "mrmlSceneChanged"}
    _scene: Any = None

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)


class _Choice(Stored):
    """A property of the selector that decides what stands in its list."""

    def __set__(self, instance: Any, value: Any) -> None:
        super().__set__(instance, [value] if isinstance(value, str) and self.of_strings else value)
        instance._fill()


class qMRMLNodeComboBox(InScene, QtWidgets.QWidget):
    """Without a scene it is off. A node that comes is offered, and chosen only where None cannot be."""

    mrmlSceneChanged, currentNodeChanged = Signal(object), Signal(object)
    currentNodeIDChanged, nodeAddedByUser, validChanged = Signal(str), Signal(object), Signal(bool)
    signatures: ClassVar[dict[str, str]] = {
        **InScene.signatures,
        "currentNodeChanged(vtkMRMLNode*)": "currentNodeChanged",
        "currentNodeChanged(bool)": "validChanged",
        "nodeAddedByUser(vtkMRMLNode*)": "nodeAddedByUser",
    }
    nodeTypes, noneEnabled, noneDisplay = _Choice(()), _Choice(False), _Choice("None")
    addEnabled, removeEnabled = _Choice(True), _Choice(True)
    renameEnabled, editEnabled = _Choice(False), _Choice(False)
    showHidden, showChildNodeTypes = _Choice(False), _Choice(True)
    baseName, selectNodeUponCreation = _Choice(""), _Choice(True)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(parent_among(arguments))
        self._current, self._filling = "", False
        self._ids: list[str] = []
        self._observed: list[tuple[Any, int]] = []
        self._named: list[tuple[Any, int]] = []
        self._box = QtWidgets.QComboBox()
        self._box.setMinimumContentsLength(10)
        expanding, fixed = QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed
        self._box.setSizePolicy(expanding, fixed)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._box)
        self._box.currentIndexChanged.connect(self._on_index)
        self.setEnabled(False)
        self._fill()

    # The scene

    def setMRMLScene(self, scene: Any) -> None:
        if scene is self._scene:
            return
        self._forget(self._observed)
        self._scene = scene
        if scene is not None:
            for event in ("NodeAdded", "NodeRemoved", "EndBatchProcess", "EndClose", "EndImport"):
                number = getattr(scene, f"{event}Event")
                self._observed.append((scene, scene.AddObserver(number, self._on_scene)))
        self.setEnabled(scene is not None)
        self._fill()
        self.mrmlSceneChanged.emit(scene)

    def _on_scene(self, _caller: Any, _event: str) -> None:
        self._fill()

    def _nodes(self) -> list[Any]:
        """The nodes of the list."""
        if self._scene is None:
            return []
        every = (self._scene.GetNthNode(number) for number in range(self._scene.GetNumberOfNodes()))
        return [node for node in every if self._accepts(node)]

    def _accepts(self, node: Any) -> bool:
        if node.GetHideFromEditors() and not self.showHidden:
            return False
        return any(
            node.IsA(kind) if self.showChildNodeTypes else node.GetClassName() == kind
            for kind in self.nodeTypes
        )

    # The list

    def _fill(self) -> None:
        """Make the list anew. The current node stays where it can."""
        if self._filling:
            return
        self._filling = True
        nodes = self._nodes()
        offered = [(self.noneDisplay, "")] if self.noneEnabled else []
        offered += [(node.GetName() or node.GetID(), node.GetID()) for node in nodes]
        self._box.clear()
        self._box.addItems([name for name, _ in offered] + self._actions())
        self._ids = [number for _, number in offered]
        self._forget(self._named)
        self._named += [
            (node, node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._on_node)) for node in nodes
        ]
        wanted = self._current if self._current in self._ids else ""
        if not wanted and nodes and not self.noneEnabled:
            wanted = nodes[0].GetID()
        self._point_at(wanted)
        self._filling = False
        self._choose(wanted)

    def _actions(self) -> list[str]:
        kinds = [kind.removeprefix("vtkMRML").removesuffix("Node") for kind in self.nodeTypes]
        if self._scene is None or not kinds:
            return []
        new = [f"Create new {kind}" for kind in kinds if self.addEnabled]
        words = (("Rename", self.renameEnabled), ("Edit", self.editEnabled), ("Delete", self.removeEnabled))
        return new + [f"{word} current {kinds[0]}" for word, enabled in words if enabled]

    def _on_node(self, node: Any, _event: str) -> None:
        if node.GetID() in self._ids:
            self._box.setItemText(self._ids.index(node.GetID()), node.GetName() or "")

    def _point_at(self, node_id: str) -> None:
        self._box.setCurrentIndex(self._ids.index(node_id) if node_id in self._ids else -1)

    def _on_index(self, index: int) -> None:
        if not self._filling and 0 <= index < len(self._ids):
            self._choose(self._ids[index])

    def _choose(self, node_id: str) -> None:
        if node_id != self._current:
            self._current = node_id
            node = self.currentNode()
            self.currentNodeChanged.emit(node)
            self.validChanged.emit(node is not None)
            self.currentNodeIDChanged.emit(node_id)

    @staticmethod
    def _forget(observed: list[tuple[Any, int]]) -> None:
        for caller, tag in observed:
            caller.RemoveObserver(tag)
        observed.clear()

    # What scripts call

    def currentNode(self) -> Any | None:
        return self._scene.GetNodeByID(self._current) if self._scene is not None and self._current else None

    def setCurrentNode(self, node: Any) -> None:
        self.setCurrentNodeID(node if isinstance(node, str) else node.GetID() if node is not None else "")

    def setCurrentNodeID(self, node_id: str) -> None:
        wanted = node_id if node_id in self._ids else ""
        self._filling = True
        self._point_at(wanted)
        self._filling = False
        self._choose(wanted)

    currentNodeID = property(lambda self: self._current, setCurrentNodeID)

    def nodeCount(self) -> int:
        return len(self._nodes())

    def addNode(self, kind: str = "") -> Any:
        """What "Create new" does."""
        kind = kind or self.nodeTypes[0]
        name = self.baseName or kind.removeprefix("vtkMRML").removesuffix("Node")
        node = self._scene.AddNewNodeByClass(kind, self._scene.GenerateUniqueName(name))
        if self.selectNodeUponCreation:
            self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node
