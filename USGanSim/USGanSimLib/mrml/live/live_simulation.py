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

import slicer
import vtk

from ...geometry.transforms import Matrix
from ...live import (
    STALE_AFTER_S,
    LatencyLog,
    LatencyReport,
    LiveStatus,
    PoseCounts,
    PoseQueue,
    PoseState,
    Renderer,
)
from ..output_volume import OutputVolume
from ..transform_chain import PoseProblem, between, from_vtk, to_vtk

_POSE_EVENT = slicer.vtkMRMLTransformableNode.TransformModifiedEvent


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
        self._scene = scene
        self._renderer = renderer
        self._probe, self._reference = probe, reference
        self._wanted_volume, self._name = volume, name
        self._calibrated = image_to_probe
        self._stale_after_s = math.inf if stale_after_s is None else stale_after_s
        self._clock = clock
        self._output: OutputVolume | None = None
        self._image_to_probe = vtk.vtkMatrix4x4()
        self._observed: list[tuple[Any, int]] = []
        self._seen: Any | None = None
        self._frozen = False
        self._running = False
        self._due = False
        self._lost = ""
        self._arrived_s: float | None = None
        self._queue: PoseQueue[None] = PoseQueue()
        self._log = LatencyLog()
        self._status = LiveStatus(PoseState.STOPPED)

    # What there is to see

    @property
    def running(self) -> bool:
        return self._running

    @property
    def status(self) -> LiveStatus:
        """The state after the last tick."""
        return self._status

    @property
    def counts(self) -> PoseCounts:
        """What became of every pose since `start`."""
        return self._queue.counts

    @property
    def latency(self) -> LatencyReport:
        """Statistics of the latest images. The pose's age counts from the change of the transform node."""
        return self._log.report()

    @property
    def volume(self) -> Any | None:
        """The volume node with the image, once a model has been there."""
        return self._output.volume if self._output else None

    @property
    def image_to_reference(self) -> Any | None:
        """The transform node that the volume hangs under."""
        return self._output.place if self._output else None

    @property
    def reference(self) -> Any | None:
        """The transform node whose frame is Reference."""
        return self._reference

    @property
    def has_image(self) -> bool:
        """Whether an image was made since `start`."""
        return self._seen is not None

    @property
    def pose_age_s(self) -> float | None:
        """Since the newest pose arrived; None where none has, or where a hand moves the probe."""
        return None if self._arrived_s is None or self._moved_by_hand else self._age_s()

    @property
    def frozen(self) -> bool:
        """Whether the pose of the last image is held."""
        return self._frozen

    # What a person does

    def start(self) -> None:
        """Follow the probe. Counts and statistics begin anew; a transform moved by hand is simulated at once."""
        self.stop()
        self._queue, self._arrived_s = PoseQueue(), None
        self._seen, self._frozen = None, False
        self._log.clear()
        self._due = self._moved_by_hand
        self._running = True
        self._observe()
        self._prepare_output()
        self._say(LiveStatus(PoseState.NO_POSE if self._renderer else PoseState.NO_MODEL))

    def stop(self) -> None:
        """Stop following. The image stays, marked as stopped."""
        self._unobserve()
        self._running = False
        self._say(LiveStatus(PoseState.STOPPED))

    def close(self) -> None:
        """Stop, and take the output out of the scene."""
        self.stop()
        if self._output is not None:
            self._output.remove()
            self._output = None

    def refresh(self) -> None:
        """Render at the next tick even without a new pose: the noise or the model has changed."""
        self._due = True

    def freeze(self, frozen: bool) -> None:
        """Hold the pose of the last image, or follow the probe again. Without an image there is nothing to hold."""
        self._frozen = frozen and self._running and self._seen is not None
        self._due = True

    def set_renderer(self, renderer: Renderer | None) -> None:
        """Use another model, or none."""
        self._renderer = renderer
        if self._running:
            self._prepare_output()
            self._due = True

    def set_probe(self, probe: Any | None, reference: Any | None = None) -> None:
        """Follow another transform node. Its first pose is the next one that arrives."""
        self._probe, self._reference, self._lost = probe, reference, ""
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
        taken = self._queue.take()
        seen = self._read_pose(taken is not None)
        if isinstance(seen, LiveStatus):
            if taken is not None:
                self._queue.count_unusable()
            self._say(seen)
            return False
        if taken is None and not self._due and self._status.state.is_live:
            return False
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
        if self._probe is None:
            return LiveStatus(PoseState.NO_POSE, self._lost)
        if self._arrived_s is None and not self._moved_by_hand:
            return LiveStatus(PoseState.NO_POSE)
        if not is_new and self._age_s() > self._stale_after_s:
            return LiveStatus(PoseState.STALE, f"no new one for more than {self._stale_after_s:g} s")
        try:
            return between(self._probe, self._reference)
        except PoseProblem as problem:
            return LiveStatus(PoseState.INVALID, str(problem))

    def _make_image(self, probe_to_reference: Any, arrived_s: float | None) -> None:
        # _read_pose has seen to both.
        assert self._renderer is not None
        assert self._output is not None
        began_s = self._clock()
        place = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Multiply4x4(probe_to_reference, self._image_to_probe, place)
        image_to_reference = from_vtk(place)
        try:
            image = self._renderer.render(image_to_reference)
        except BaseException:
            if arrived_s is not None:
                self._queue.count_unusable()
            raise
        rendered_s = self._clock()
        status = LiveStatus.of_range(self._renderer.pose_range, image_to_reference)
        self._status = LiveStatus(PoseState.FROZEN, status.detail) if self._frozen else status
        self._output.write(image, place, self._status)
        self._due, self._seen = False, probe_to_reference
        if arrived_s is None:
            self._queue.count_refreshed()
        else:
            self._queue.count_rendered()
            self._log.add(arrived_s, began_s, rendered_s, self._clock())

    @property
    def _moved_by_hand(self) -> bool:
        return math.isinf(self._stale_after_s)

    def _age_s(self) -> float:
        return 0.0 if self._arrived_s is None else self._clock() - self._arrived_s

    def _say(self, status: LiveStatus) -> None:
        if status != self._status:
            self._status = status
            if self._output is not None and self._output.intact:
                self._output.mark(status)

    # Observers and nodes

    def _observe(self) -> None:
        if self._probe is not None:
            self._observed.append((self._probe, self._probe.AddObserver(_POSE_EVENT, self._on_pose)))
        if self._reference is not None:
            self._observed.append(
                (self._reference, self._reference.AddObserver(_POSE_EVENT, self._on_reference))
            )

    def _unobserve(self) -> None:
        for node, tag in self._observed:
            node.RemoveObserver(tag)
        self._observed.clear()

    def _on_pose(self, _caller: Any, _event: str) -> None:
        self._arrived_s = self._clock()
        self._queue.put(None, self._arrived_s)

    def _on_reference(self, _caller: Any, _event: str) -> None:
        # A reference that moves alone moves the image too, but is no pose of the probe to be counted.
        self._due = True

    def _prepare_output(self) -> None:
        """Make the output fit the renderer: once, and again for a model of another image size."""
        if self._renderer is None:
            return
        own = self._renderer.image_to_probe
        self._image_to_probe = to_vtk(own if self._calibrated is None else self._calibrated)
        width_px, height_px = self._renderer.width_px, self._renderer.height_px
        if self._output is None or not self._output.fits(width_px, height_px):
            kept = self._output.volume if self._output is not None else self._wanted_volume
            in_scene = kept is not None and kept.GetScene() is not None
            self._output = OutputVolume(
                self._scene, width_px, height_px, kept if in_scene else None, self._name
            )
        self._output.hang_under(self._reference)

    def _lost_nodes(self) -> bool:
        """Whether the output has left the scene; that ends the simulation. A lost probe ends its observers."""
        if self._output is not None and not self._output.intact:
            self._output = None
            self.stop()
            return True
        for node, _ in self._observed:
            if node.GetScene() is None:
                self._unobserve()
                self._probe = self._reference = self._arrived_s = None
                self._lost = f"{node.GetName()} was removed"
                break
        return False
