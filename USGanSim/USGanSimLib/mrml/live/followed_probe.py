"""The transform nodes that a live simulation follows, with its observers on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer

from ..transform_chain import between

_POSE_EVENT = slicer.vtkMRMLTransformableNode.TransformModifiedEvent


class FollowedProbe:
    """A probe's transform node, and the one of the frame that its pose is told in (None: the world).

    on_pose       called at each change of the probe's node or of a parent of it, while it is observed
    on_reference  called where the reference's node changes
    lost          why there is no node any more, in words
    """

    def __init__(
        self,
        probe: Any | None,
        reference: Any | None,
        on_pose: Callable[[], None],
        on_reference: Callable[[], None],
    ) -> None:
        self.probe, self.reference, self.lost = probe, reference, ""
        self._on_pose, self._on_reference = on_pose, on_reference
        self._observed: list[tuple[Any, int]] = []

    def observe(self) -> None:
        """Hear the nodes' changes from now on."""
        self.release()
        for node, changed in ((self.probe, self._on_pose), (self.reference, self._on_reference)):
            if node is not None:
                self._observed.append((node, node.AddObserver(_POSE_EVENT, _calling(changed))))

    def release(self) -> None:
        """Hear nothing more."""
        for node, tag in self._observed:
            node.RemoveObserver(tag)
        self._observed.clear()

    def let_go_of_removed(self) -> bool:
        """Whether an observed node has left the scene; both are let go then, and `lost` says it."""
        for node, _ in self._observed:
            if node.GetScene() is None:
                self.release()
                self.probe = self.reference = None
                self.lost = f"{node.GetName()} was removed"
                return True
        return False

    def pose(self) -> Any:
        """ProbeToReference (vtkMatrix4x4). Raises PoseProblem where it is none."""
        return between(self.probe, self.reference)


def _calling(changed: Callable[[], None]) -> Callable[[Any, str], None]:
    return lambda _caller, _event: changed()
