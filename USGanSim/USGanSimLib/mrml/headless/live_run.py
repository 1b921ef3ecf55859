"""A live simulation fed by an OpenIGTLink server, for a while, with all poses accounted for. Headless."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer.util
from numpy.typing import NDArray

from ...errors import UserError
from ...geometry.transforms import Matrix
from ...link.client import LinkClient
from ...live import LatencyReport, LiveStatus, PoseCounts, Renderer, Spread
from ..live.live_simulation import LiveSimulation
from .link_bridge import LinkBridge

FIRST_POSE_WITHIN_S = 10.0
_LONGEST_WAIT_S = 0.02


@dataclass(frozen=True, eq=False)
class Snapshot:
    """An image of the run: when, (H, W) uint8, its (4, 4) ImageToReference, and the state that went with it."""

    at_s: float
    image: NDArray[np.uint8]
    image_to_reference: Matrix
    status: LiveStatus


@dataclass(frozen=True, eq=False)
class LiveRun:
    """What a run of `duration_s` came to.

    received            poses that arrived: superseded_in_link + waiting_in_link + counts.received
    counts, latency     of the live simulation (see live.py)
    pose_to_volume      from the arrival of the pose's bytes to the finished volume
    states              name of the PoseState after a tick → ticks
    """

    duration_s: float
    received: int
    superseded_in_link: int
    waiting_in_link: int
    counts: PoseCounts
    latency: LatencyReport
    pose_to_volume: Spread
    states: dict[str, int]
    snapshots: list[Snapshot]

    @property
    def accounted_for(self) -> bool:
        """Whether every pose that arrived was rendered, superseded, unusable, or still waits."""
        reached = self.received - self.superseded_in_link - self.waiting_in_link
        return self.counts.accounted_for and self.counts.received == reached


def run_live(
    scene: Any,
    client: LinkClient,
    renderer: Renderer,
    pose_name: str,
    seconds: float,
    snapshots: int,
    progress: Callable[[float, LiveSimulation], None],
) -> LiveRun:
    """Simulate at the transform `pose_name` (ProbeToReference) from `client` for `seconds` from its first pose.

    `progress` is called about once a second with the time gone. Raises UserError when no pose comes.
    """
    bridge = LinkBridge(scene)
    live = LiveSimulation(scene, renderer, bridge.node(pose_name))
    live.start()
    _wait_for_first(client, pose_name)
    begin_s, gone_s = time.perf_counter(), 0.0
    due_s = list(seconds * (np.arange(snapshots) + 0.5) / max(snapshots, 1))
    states, kept, ages_s = Counter[str](), list[Snapshot](), list[float]()
    while gone_s < seconds:
        client.wait(_LONGEST_WAIT_S)
        bridge.apply(client.messages())
        if live.tick():
            ages_s.append(time.perf_counter() - bridge.received_s[pose_name])
            if due_s and gone_s >= due_s[0]:
                due_s.pop(0)
                kept.append(_snapshot(live, gone_s))
        states[live.status.state.name] += 1
        before_s, gone_s = gone_s, time.perf_counter() - begin_s
        if int(gone_s) > int(before_s):
            progress(gone_s, live)
    live.stop()
    link, device = client.counts, ("TRANSFORM", pose_name)
    received, superseded = link.received[device], link.superseded.get(device, 0)
    return LiveRun(
        gone_s,
        received,
        superseded,
        received - superseded - link.taken.get(device, 0),
        live.counts,
        live.latency,
        Spread.of_seconds(np.array(ages_s)),
        dict(states),
        kept,
    )


def _wait_for_first(client: LinkClient, pose_name: str) -> None:
    end_s = time.perf_counter() + FIRST_POSE_WITHIN_S
    while not client.counts.received.get(("TRANSFORM", pose_name)):
        if time.perf_counter() > end_s:
            raise UserError(
                f"No {pose_name} came within {FIRST_POSE_WITHIN_S:g} s ({client.state}).",
                "Check that the server sends this transform.",
            )
        time.sleep(0.005)


def _snapshot(live: LiveSimulation, at_s: float) -> Snapshot:
    return Snapshot(
        at_s,
        slicer.util.arrayFromVolume(live.volume)[0].copy(),
        slicer.util.arrayFromTransformMatrix(live.image_to_reference),
        live.status,
    )
