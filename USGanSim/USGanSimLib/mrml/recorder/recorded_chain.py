"""Which transforms a recording keeps, told from the two nodes that a person chooses.

A recording is read by the names of its frames (contracts.md, Words), so the chosen probe is recorded as `Probe` and the
chosen reference as `Reference`, however their nodes are called: `StylusToTracker` and `PhantomToTracker` become
`ProbeToTracker` and `ReferenceToTracker`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import UserError
from ...geometry.transforms import Matrix, split_transform_name
from ..transform_chain import PoseProblem, between, from_vtk

PROBE, REFERENCE, TRACKER, WORLD = "Probe", "Reference", "Tracker", "World"


@dataclass(frozen=True, eq=False)
class RecordedChain:
    """`transforms`, name → node, lead from Probe to Reference; `reference` is the node whose frame is Reference (None:
    the world), under which things are shown that are known in Reference."""

    transforms: Mapping[str, Any]
    reference: Any | None

    def probe_to_reference(self) -> Matrix | None:
        """(4, 4) of this moment; None while a transform of the chain is no usable pose."""
        try:
            if f"{PROBE}To{REFERENCE}" in self.transforms:
                probe = self.transforms[f"{PROBE}To{REFERENCE}"]
                return from_vtk(between(probe, probe.GetParentTransformNode()))
            probe, reference = self.transforms.values()
            return from_vtk(between(probe, reference))
        except PoseProblem:
            return None

    @property
    def words(self) -> str:
        """The names that are recorded."""
        return ", ".join(self.transforms)


def recorded_chain(probe: Any, reference: Any | None) -> RecordedChain:
    """The chain of a probe's transform node and, where it is tracked beside the probe or above it, the reference's.

    Raises UserError where the two do not lead from the probe to the reference.
    """
    if reference is not None and reference is probe:
        raise UserError(f"{probe.GetName()} is chosen as probe and as reference.", "Choose two transforms.")
    _, probe_target = _frames(probe)
    if reference is None:
        # Where there is one transform, its target is the reference, except for a tracker, which nothing is fixed to.
        if probe_target == TRACKER:
            raise UserError(
                f"{probe.GetName()} leads to the tracker, which may be moved.",
                "Choose the transform of the reference too, for example ReferenceToTracker.",
            )
        return RecordedChain({f"{PROBE}To{REFERENCE}": probe}, probe.GetParentTransformNode())
    reference_frame, reference_target = _frames(reference)
    if probe.GetParentTransformNode() is reference or (probe_target and probe_target == reference_frame):
        target = reference_target or WORLD
        return RecordedChain({f"{PROBE}To{REFERENCE}": probe, f"{REFERENCE}To{target}": reference}, reference)
    probe_target, reference_target = probe_target or TRACKER, reference_target or TRACKER
    if probe_target != reference_target:
        raise UserError(
            f"{probe.GetName()} leads to {probe_target} and {reference.GetName()} to {reference_target}: "
            "they do not meet.",
            "Choose the transforms of one tracker.",
        )
    return RecordedChain(
        {f"{PROBE}To{probe_target}": probe, f"{REFERENCE}To{reference_target}": reference}, reference
    )


def _frames(node: Any) -> tuple[str, str]:
    """The two frames that a node's name tells; empty where it tells none."""
    try:
        return split_transform_name(node.GetName() or "")
    except UserError:
        return "", ""
