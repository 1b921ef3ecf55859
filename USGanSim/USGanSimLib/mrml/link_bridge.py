"""OpenIGTLink messages to MRML transform nodes, as the module OpenIGTLinkIF makes them.

In Slicer a connector node of OpenIGTLinkIF does this, and the bridge is not needed; `slicer-core` has no OpenIGTLinkIF.
Done alike (vtkMRMLIGTLConnectorNode::ProcessIncomingDeviceModifiedEvent): the node is the first transform node of the
device's name, or a new linear one described as received; matrix, Modified and every metadata entry with `Status` in
its name (as an attribute) become one change of the node.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from ..link.client import Received
from .transform_chain import to_vtk

DESCRIPTION = "Received by OpenIGTLink"


class LinkBridge:
    """Writes TRANSFORM messages into the scene and counts every message.

    applied      transform name → messages that changed its node
    superseded   transform name → messages that a newer one had replaced before they came here
    ignored      message type → messages of types other than TRANSFORM
    received_s   transform name → arrival of the message that its node now shows (time.perf_counter)
    """

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self._nodes: dict[str, Any] = {}
        self.applied: Counter[str] = Counter()
        self.superseded: Counter[str] = Counter()
        self.ignored: Counter[str] = Counter()
        self.received_s: dict[str, float] = {}

    def apply(self, messages: Iterable[Received]) -> None:
        """Take what `LinkClient.messages()` gave."""
        for received in messages:
            message = received.message
            if message.message_type != "TRANSFORM":
                self.ignored[message.message_type] += 1 + received.superseded
                continue
            name = str(message.device_name)
            _update(self.node(name), message)
            self.applied[name] += 1
            self.superseded[name] += received.superseded
            self.received_s[name] = received.received_s

    def node(self, name: str) -> Any:
        """The transform node of a device, made where there is none, also before its first message."""
        node = self._nodes.get(name)
        if node is None or node.GetScene() is None:
            node = self._scene.GetFirstNode(name, "vtkMRMLTransformNode") or self._new_node(name)
            self._nodes[name] = node
        return node

    def _new_node(self, name: str) -> Any:
        node = self._scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", name)
        node.SetDescription(DESCRIPTION)
        return node


def _update(node: Any, message: Any) -> None:
    modifying = node.StartModify()
    node.SetMatrixTransformToParent(to_vtk(message.matrix))
    node.Modified()
    for key, value in message.metadata.items():
        if "Status" in key:
            node.SetAttribute(key, value)
    node.EndModify(modifying)
