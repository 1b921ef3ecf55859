"""OpenIGTLink messages to MRML nodes, as the module OpenIGTLinkIF makes them.

In Slicer a connector node of OpenIGTLinkIF does this, and the bridge is not needed; `slicer-core` has no OpenIGTLinkIF.
Done alike (vtkMRMLIGTLConnectorNode::ProcessIncomingDeviceModifiedEvent): the node is the first transform node of the
device's name, or a new linear one described as received; matrix, Modified and every metadata entry with `Status` in
its name (as an attribute) become one change of the node. So are images, where they are asked for.

Beyond that the node carries the sender's time stamp, as the attribute `Timestamp`. (OpenIGTLinkIF keeps none of a
transform; of an image, newer versions keep the metadata, in which PLUS has `Timestamp` too.)
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterable
from typing import Any

import numpy as np
import slicer.util
import vtk
from vtk.util.numpy_support import numpy_to_vtk

from ...link.client import Received
from ..transform_chain import DESCRIPTION, STAMP_ATTRIBUTE, to_vtk


class EveryMessage:
    """Keeps every message of a client, in order, for who may miss none: `LinkClient(…, on_message=every.keep)`.

    At most `most_bytes` of images wait; `dropped` counts the messages that came while there was no more room.
    """

    def __init__(self, most_bytes: int = 96 << 20) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Received] = deque()
        self._bytes, self._most_bytes = 0, most_bytes
        self.dropped = 0

    def keep(self, received: Received) -> None:
        """Called by the client's thread."""
        size = getattr(getattr(received.message, "image", None), "nbytes", 0)
        with self._lock:
            if self._bytes + size > self._most_bytes:
                self.dropped += 1
                return
            self._bytes += size
            self._waiting.append(received)

    def take(self) -> list[Received]:
        """Everything that came since the last call."""
        with self._lock:
            taken = list(self._waiting)
            self._waiting.clear()
            self._bytes = 0
        return taken


class LinkBridge:
    """Writes TRANSFORM messages, and with `images` IMAGE messages too, into the scene and counts every message.

    applied      device name → messages that changed its node
    superseded   device name → messages that a newer one had replaced before they came here
    ignored      message type → messages of other types
    received_s   device name → arrival of the message that its node now shows (time.perf_counter)
    """

    def __init__(self, scene: Any, images: bool = False) -> None:
        self._scene = scene
        self._updates = {"TRANSFORM": self._update_transform} | (
            {"IMAGE": self._update_image} if images else {}
        )
        self._nodes: dict[str, Any] = {}
        self.applied: Counter[str] = Counter()
        self.superseded: Counter[str] = Counter()
        self.ignored: Counter[str] = Counter()
        self.received_s: dict[str, float] = {}

    def apply(self, messages: Iterable[Received]) -> None:
        """Take what `LinkClient.messages()` gave."""
        for received in messages:
            message = received.message
            if message.message_type not in self._updates:
                self.ignored[message.message_type] += 1 + received.superseded
                continue
            name = str(message.device_name)
            self._updates[message.message_type](name, message)
            self.applied[name] += 1
            self.superseded[name] += received.superseded
            self.received_s[name] = received.received_s

    def node(self, name: str) -> Any:
        """The transform node of a device, made where there is none, also before its first message."""
        return self._node(name, "vtkMRMLTransformNode", "vtkMRMLLinearTransformNode")

    def image_node(self, name: str) -> Any:
        """The volume node of a device, made where there is none, also before its first image."""
        return self._node(name, "vtkMRMLScalarVolumeNode", "vtkMRMLScalarVolumeNode")

    def _node(self, name: str, kind: str, new_kind: str) -> Any:
        node = self._nodes.get(name)
        if node is None or node.GetScene() is None:
            node = self._scene.GetFirstNode(name, kind)
            if node is None:
                node = self._scene.AddNewNodeByClass(new_kind, name)
                node.SetDescription(DESCRIPTION)
            self._nodes[name] = node
        return node

    def _update_transform(self, name: str, message: Any) -> None:
        node = self.node(name)
        modifying = node.StartModify()
        node.SetMatrixTransformToParent(to_vtk(message.matrix))
        node.Modified()
        _describe(node, message)
        node.EndModify(modifying)

    def _update_image(self, name: str, message: Any) -> None:
        node = self.image_node(name)
        modifying = node.StartModify()
        _describe(node, message)
        node.SetIJKToRASMatrix(to_vtk(message.ijk_to_world_matrix))
        _show(node, message.image)
        node.EndModify(modifying)


def _describe(node: Any, message: Any) -> None:
    node.SetAttribute(STAMP_ATTRIBUTE, repr(float(message.timestamp)))
    for key, value in message.metadata.items():
        if "Status" in key:
            node.SetAttribute(key, value)


def _show(node: Any, pixels: np.ndarray[Any, Any]) -> None:
    """Pixels (slices, rows, columns) into a volume: in place where they fit."""
    data = node.GetImageData()
    shown = None if data is None else slicer.util.arrayFromVolume(node)
    if shown is None or shown.shape != pixels.shape or shown.dtype != pixels.dtype:
        # slicer.util.updateVolumeFromArray would announce the new image before its pixels are in.
        node.SetAndObserveImageData(_image_data(pixels))
    else:
        shown[:] = pixels
        data.GetPointData().GetScalars().Modified()
    node.Modified()


def _image_data(pixels: np.ndarray[Any, Any]) -> Any:
    data = vtk.vtkImageData()
    data.SetDimensions(*pixels.shape[2::-1])
    values = pixels.reshape(pixels.shape[0] * pixels.shape[1] * pixels.shape[2], -1)
    data.GetPointData().SetScalars(numpy_to_vtk(values, deep=True))
    return data
