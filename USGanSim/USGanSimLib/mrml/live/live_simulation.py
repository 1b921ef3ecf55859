"""The live simulation: follows the probe's transform node and keeps one volume at the simulated image.

    with headless_scene() as scene:                      # in Slicer: scene = slicer.mrmlScene
        live = LiveSimulation(scene, renderer, probe=scene.GetFirstNodeByName("ProbeToReference"))
        live.start()
        while running:                                   # in Slicer: a QTimer
            live.tick()
        live.stop()

An observer on the probe's node only counts the pose and marks it as waiting. `tick` takes the newest pose, renders
once and writes once. Everything happens on the thread that owns the scene.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from ...geometry.steady import SteadyHand
from ...geometry.transforms import Matrix
from ...live import STALE_AFTER_S, LatencyReport, LiveMeter, LiveStatus, PoseCounts, PoseState, Renderer
from ..transform_chain import PoseProblem, from_vtk, to_vtk
from .followed_probe import FollowedProbe
from .live_output import LiveOutput


class LiveSimulation:
    """Simulated ultrasound at the pose of a transform node.

    scene          the MRML scene
    renderer       makes the images; None is the state NO_MODEL
    probe          transform node whose frame is Probe: ProbeToReference, ProbeToTracker, … under any parents
    reference      transform node whose frame is the model's Reference: ReferenceToRas, ReferenceToTracker, …; None
                   means that the world (RAS) is Reference. The image hangs under it.
    volume         scalar volume node to write into; None makes one, called `name`
    image_to_probe (4, 4) where the renderer's pixels are on this probe, where it was calibrated anew; None: as trained
    stale_after_s  a pose older than this is marked; None for a transform that is moved by hand and may stand still
    clock          seconds, monotonic; time.perf_counter is the clock that `link` stamps arrivals with

    A change of a parent of the probe's node is a new pose too; it arrives through the same observer.
    """

    def __init__(
        self,
        scene: Any,
        renderer: Renderer | None,
        probe: Any | None,
        reference: Any | None = None,
        *,
        volume: Any | None = None,
        name: str = "SimulatedUltrasound",
        image_to_probe: Matrix | None = None,
        stale_after_s: float | None = STALE_AFTER_S,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._renderer = renderer
        self._followed = self._following(probe, reference)
        self._output = LiveOutput(scene, volume, name, image_to_probe)
        self._moved_by_hand, self._clock = stale_after_s is None, clock
        self._meter: LiveMeter[None] = LiveMeter(
            LiveStatus(PoseState.STOPPED), math.inf if stale_after_s is None else stale_after_s, clock
        )
        self._seen: Any | None = None
        self._hand: SteadyHand | None = None
        self._running = self._frozen = self._due = False

    # What there is to see

    @property
    def running(self) -> bool:
        return self._running

    @property
    def status(self) -> LiveStatus:
        """The state after the last tick."""
        return self._meter.status

    @property
    def counts(self) -> PoseCounts:
        """What became of every pose since `start`."""
        return self._meter.counts

    @property
    def latency(self) -> LatencyReport:
        """Statistics of the latest images. The pose's age counts from the change of the transform node."""
        return self._meter.latency

    @property
    def volume(self) -> Any | None:
        """The volume node with the image while it is in the scene, once a model has been there."""
        return self._output.volume

    @property
    def image_to_reference(self) -> Any | None:
        """The transform node that the volume hangs under."""
        return self._output.place

    @property
    def probe(self) -> Any | None:
        """The transform node whose frame is Probe; None once it has left the scene."""
        return self._followed.probe

    @property
    def reference(self) -> Any | None:
        """The transform node whose frame is Reference."""
        return self._followed.reference

    @property
    def has_image(self) -> bool:
        """Whether an image was made since `start`."""
        return self._seen is not None

    @property
    def pose_age_s(self) -> float | None:
        """Since the newest pose arrived; None where none has, or where a hand moves the probe."""
        return None if self._moved_by_hand else self._meter.age_s

    @property
    def hand(self) -> SteadyHand | None:
        """What takes the jitter out of the poses: its lag, and how much is left. None: they are taken as they are."""
        return self._hand

    @property
    def frozen(self) -> bool:
        """Whether the pose of the last image is held."""
        return self._frozen

    # What a person does

    def start(self) -> None:
        """Follow the probe. Counts and statistics begin anew; a transform moved by hand is simulated at once."""
        self.stop()
        self._meter.restart()
        self._seen, self._frozen = None, False
        if self._hand is not None:
            self._hand.restart()
        self._due = self._moved_by_hand
        self._running = True
        self._followed.observe()
        self._fit_output()
        self._say(LiveStatus(PoseState.NO_POSE if self._renderer else PoseState.NO_MODEL))

    def stop(self) -> None:
        """Stop following. The image stays, marked as stopped."""
        self._followed.release()
        self._running = False
        self._say(LiveStatus(PoseState.STOPPED))

    def close(self) -> None:
        """Stop, and take the output out of the scene."""
        self.stop()
        self._output.remove()

    def refresh(self) -> None:
        """Render at the next tick even without a new pose: the noise or the model has changed."""
        self._due = True

    def freeze(self, frozen: bool) -> None:
        """Hold the pose of the last image, or follow the probe again. Without an image there is nothing to hold."""
        self._frozen = frozen and self._running and self._seen is not None
        self._due = True

    def steady(self, constant_s: float) -> None:
        """Smooth the poses of a tracker from now on, with this time constant; 0: not. What a hand moves in the scene
        has no jitter, and would not arrive."""
        wanted_s = 0.0 if self._moved_by_hand else constant_s
        if wanted_s != (self._hand.constant_s if self._hand else 0.0):
            self._hand = SteadyHand(wanted_s) if wanted_s else None

    def set_renderer(self, renderer: Renderer | None) -> None:
        """Use another model, or none."""
        self._renderer = renderer
        if self._running:
            self._fit_output()
            self._due = True

    def set_probe(self, probe: Any | None, reference: Any | None = None) -> None:
        """Follow another transform node. Its first pose is the next one that arrives."""
        self._followed.release()
        self._followed = self._following(probe, reference)
        if self._running:
            self.start()

    # What the timer does

    def tick(self) -> bool:
        """Take the newest pose, render and write once. Whether a new image was made.

        Never raises for what a tracker or a user does to the scene; that becomes the status. An error of the renderer
        goes through, with its pose counted as unusable.
        """
        if not self._running or self._lost_nodes():
            return False
        if self._frozen:
            return self._tick_frozen()
        taken = self._meter.queue.take()
        seen = self._read_pose(taken is not None)
        if isinstance(seen, LiveStatus):
            if taken is not None:
                self._meter.queue.count_unusable()
            self._say(seen)
            return False
        if taken is None and not self._due and self.status.state.is_live:
            return False
        if self._hand is not None:
            seen = to_vtk(self._hand.steady(from_vtk(seen), taken[1] if taken else self._clock()))
        self._make_image(seen, taken[1] if taken else None)
        return True

    def _tick_frozen(self) -> bool:
        # Poses go on arriving, and the newest waits for the end of this.
        if self._due and self._renderer is not None:
            self._make_image(self._seen, None)
            return True
        return False

    def _read_pose(self, is_new: bool) -> Any:
        """ProbeToReference (vtkMatrix4x4), or the LiveStatus that keeps it from being simulated."""
        if self._renderer is None:
            return LiveStatus(PoseState.NO_MODEL)
        if self._followed.probe is None:
            return LiveStatus(PoseState.NO_POSE, self._followed.lost)
        if self._meter.age_s is None and not self._moved_by_hand:
            return LiveStatus(PoseState.NO_POSE)
        if not is_new and (stale := self._meter.stale()) is not None:
            return stale
        try:
            return self._followed.pose()
        except PoseProblem as problem:
            return LiveStatus(PoseState.INVALID, str(problem))

    def _make_image(self, probe_to_reference: Any, arrived_s: float | None) -> None:
        assert self._renderer is not None  # _read_pose has seen to it
        timing = self._meter.begin(arrived_s)
        place = self._output.image_to_reference(probe_to_reference)
        image_to_reference = from_vtk(place)
        try:
            image = self._renderer.render(image_to_reference)
        except BaseException:
            if arrived_s is not None:
                self._meter.queue.count_unusable()
            raise
        self._meter.rendered(timing)
        status = LiveStatus.of_range(self._renderer.pose_range, image_to_reference)
        if self._frozen:
            status = LiveStatus(PoseState.FROZEN, status.detail)
        self._output.write(image, place, status)
        self._due, self._seen = False, probe_to_reference
        self._meter.finish(timing, status)

    def _say(self, status: LiveStatus) -> None:
        if status != self.status:
            self._meter.status = status
            self._output.mark(status)

    # Nodes

    def _following(self, probe: Any | None, reference: Any | None) -> FollowedProbe:
        # A reference that moves alone moves the image too, but is no pose of the probe to be counted.
        return FollowedProbe(probe, reference, self._on_pose, self.refresh)

    def _on_pose(self) -> None:
        self._meter.received(None, self._clock())

    def _fit_output(self) -> None:
        if self._renderer is not None:
            self._output.fit(self._renderer, self._followed.reference)

    def _lost_nodes(self) -> bool:
        """Whether the output has left the scene; that ends the simulation. A lost probe ends its observers."""
        if self._output.let_go_of_removed():
            self.stop()
            return True
        if self._followed.let_go_of_removed():
            self._meter.forget_pose()
        return False
