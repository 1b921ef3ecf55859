"""The way from the image to the world in words, each transform with its tracker's status and its age.

Image → Probe (model) → Reference (ProbeToReference, 16 ms ago) → RAS (ReferenceToRas, static)
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import slicer

from ...errors import UserError
from ...geometry.transforms import split_transform_name
from ..transform_chain import STATUS_ATTRIBUTE, STATUS_OK, ancestry

_EVENT = slicer.vtkMRMLTransformableNode.TransformModifiedEvent
WORLD = "RAS"


@dataclass(frozen=True)
class Link:
    """One step of the way: the frame that it leads to, by which transform node, and how that node is.

    inverse  the node is passed against its direction
    status   the tracker's word for its pose, empty where it is OK or no tracker speaks
    age_s    since the node changed; None where it has not changed while watched
    """

    frame: str
    node_name: str
    inverse: bool = False
    status: str = ""
    age_s: float | None = None

    def __str__(self) -> str:
        name = f"inverse of {self.node_name}" if self.inverse else self.node_name
        how = self.status or ("static" if self.age_s is None else age_words(self.age_s))
        return f"{self.frame} ({name}, {how})"


class ChainWatch:
    """Watches the transform nodes between the probe, the model's Reference and the world, and tells how they are.

    `watch` may be called as often as wanted; it observes the nodes that are on the way then. `close` ends observing.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._tags: dict[Any, int] = {}
        self._seen: dict[Any, int] = {}
        self._changed_s: dict[Any, float] = {}

    def watch(self, probe: Any | None, reference: Any | None) -> None:
        """Observe the nodes of this chain, and no others."""
        wanted = set(ancestry(probe)) | set(ancestry(reference))
        for node in self._tags.keys() - wanted:
            self._forget(node)
        for node in wanted - self._tags.keys():
            self._seen[node] = _own_time(node)
            self._tags[node] = node.AddObserver(_EVENT, self._on_event)

    def close(self) -> None:
        """Observe nothing."""
        for node in list(self._tags):
            self._forget(node)

    def links(self, probe: Any, reference: Any | None) -> list[Link]:
        """From Probe to Reference, and on to RAS. Where `reference` is None, RAS is Reference."""
        up, down = ancestry(probe), ancestry(reference)
        rest = list(down)
        while up and down and up[-1] is down[-1]:
            up.pop()
            down.pop()
        return (
            [self._link(node, False) for node in up]
            + [self._link(node, True) for node in reversed(down)]
            + [self._link(node, False) for node in rest]
        )

    def words(
        self, probe: Any, reference: Any | None, source: str, reference_frame: str = "Reference"
    ) -> str:
        """The whole way; `source` says where ImageToProbe is from, `reference_frame` is the model's."""
        steps = ["Image", f"{frame_names(probe)[0]} ({source})", *map(str, self.links(probe, reference))]
        last = frame_names((ancestry(reference) or ancestry(probe))[-1])[1]
        if last != WORLD:
            steps[-1] += f" = {WORLD}"
        if reference is None and last != reference_frame:
            steps[-1] += f" = the model's {reference_frame}"
        return " → ".join(steps)

    def _link(self, node: Any, inverse: bool) -> Link:
        status = node.GetAttribute(STATUS_ATTRIBUTE)
        changed_s = self._changed_s.get(node)
        return Link(
            frame_names(node)[0 if inverse else 1],
            node.GetName(),
            inverse,
            "" if status in (None, STATUS_OK) else f"status {status}",
            None if changed_s is None else self._clock() - changed_s,
        )

    def _on_event(self, node: Any, _event: str) -> None:
        # A node tells of its parents' changes too; its own transform is as old as it was then.
        own = _own_time(node)
        if own != self._seen.get(node):
            self._seen[node], self._changed_s[node] = own, self._clock()

    def _forget(self, node: Any) -> None:
        node.RemoveObserver(self._tags.pop(node))
        self._seen.pop(node)
        self._changed_s.pop(node, None)


def frame_names(node: Any) -> tuple[str, str]:
    """The frames that a transform node leads from and to, after its name, its parent and the world."""
    parent = node.GetParentTransformNode()
    above = WORLD if parent is None else frame_names(parent)[0]
    try:
        source, target = split_transform_name(node.GetName())
    except UserError:
        return node.GetName(), above
    if parent is None:
        return source, WORLD if target.upper() == WORLD else target
    return source, above


def age_words(age_s: float) -> str:
    """`16 ms ago`, `2.4 s ago`, `5 min ago`."""
    if age_s < 1:
        return f"{age_s * 1e3:.0f} ms ago"
    return f"{age_s:.1f} s ago" if age_s < 60 else f"{age_s / 60:.0f} min ago"


def _own_time(node: Any) -> int:
    transform = node.GetTransformToParent()
    return 0 if transform is None else int(transform.GetMTime())
