"""What a panel drives: one model, one live simulation, its noise, the pose that is held, and samples at that pose.

simulation = Simulation(slicer.mrmlScene)
simulation.start(renderer, Setup(probe, reference, name="heart"))
while …: simulation.tick()
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import slicer.util
from numpy.typing import NDArray

from ...errors import UserError
from ...geometry.pose_distance import NearestPose
from ...geometry.transforms import Matrix
from ...live import STALE_AFTER_S, LatencyReport, LiveStatus, PoseCounts, PoseState, Renderer
from ...model.info import ModelInfo
from ...recording.calibration_file import Calibration, read_calibration
from ...variation import Variation
from .live_simulation import LiveSimulation


@dataclass(frozen=True, eq=False)
class Setup:
    """What is simulated where: transform nodes as in LiveSimulation, `image_to_probe` of the renderer's pixels (None:
    the model's), the volume to write into (None: a new one called `name`)."""

    probe: Any
    reference: Any | None = None
    image_to_probe: Matrix | None = None
    volume: Any | None = None
    name: str = "SimulatedUltrasound"
    moved_by_hand: bool = False


class Simulation:
    """Follows a probe with a model. `variation` and `half_life_s` may be changed at any time.

    live, renderer   of the last start; they stay after stop, so that the last image can be looked at
    """

    def __init__(self, scene: Any, clock: Callable[[], float] = time.perf_counter) -> None:
        self._scene = scene
        self._clock = clock
        self.live: LiveSimulation | None = None
        self.renderer: Any | None = None
        self.variation = Variation.FIXED
        self.half_life_s = 3.0
        self._varied_s = 0.0
        self._image_to_probe: Matrix | None = None

    @property
    def running(self) -> bool:
        return self.live is not None and self.live.running

    @property
    def frozen(self) -> bool:
        return self.live is not None and self.live.frozen

    @property
    def status(self) -> LiveStatus:
        return self.live.status if self.live else LiveStatus(PoseState.STOPPED)

    @property
    def counts(self) -> PoseCounts:
        return self.live.counts if self.live else PoseCounts()

    @property
    def latency(self) -> LatencyReport | None:
        return self.live.latency if self.live else None

    @property
    def volume(self) -> Any | None:
        """The volume with the image, while it is in the scene."""
        volume = self.live.volume if self.live else None
        return volume if volume is not None and volume.GetScene() is not None else None

    @property
    def image_to_reference(self) -> Matrix | None:
        """(4, 4) of the image on the screen, or None where there is none yet."""
        if self.volume is None or self.live is None or not self.live.has_image:
            return None
        matrix: Matrix = slicer.util.arrayFromTransformMatrix(self.live.image_to_reference)
        return matrix

    @property
    def image_to_probe(self) -> Matrix | None:
        """(4, 4) of the image's pixels on this probe."""
        return self._image_to_probe

    @property
    def mm_per_px(self) -> tuple[float, float]:
        """Pixel size of the image in x and y; 1 where there is none."""
        if self._image_to_probe is None:
            return 1.0, 1.0
        x_mm, y_mm = np.linalg.norm(self._image_to_probe[:3, :2], axis=0)
        return float(x_mm), float(y_mm)

    @property
    def nearest(self) -> NearestPose | None:
        """The trained pose that is nearest to the image on the screen."""
        pose = self.image_to_reference
        return None if pose is None or self.renderer is None else self.renderer.pose_range.nearest(pose)

    def start(self, renderer: Renderer, setup: Setup) -> None:
        """Follow the probe of `setup`, in its volume."""
        self.stop()
        self.renderer = renderer
        self._image_to_probe = (
            renderer.image_to_probe if setup.image_to_probe is None else setup.image_to_probe
        )
        self.live = LiveSimulation(
            self._scene,
            renderer,
            setup.probe,
            setup.reference,
            volume=setup.volume,
            name=setup.name,
            image_to_probe=setup.image_to_probe,
            clock=self._clock,
            stale_after_s=None if setup.moved_by_hand else STALE_AFTER_S,
        )
        self._varied_s = self._clock()
        self.live.start()

    def stop(self) -> None:
        """Stop following the probe; the last image stays."""
        if self.live is not None and self.live.running:
            self.live.stop()

    def forget(self) -> None:
        """Stop, and let go of everything that is in a scene which is about to close."""
        self.stop()
        self.live = None

    def tick(self) -> bool:
        """Simulate the newest pose, with the noise as it varies. Whether there is a new image."""
        if self.live is None or not self.live.running:
            return False
        now_s = self._clock()
        if self.variation.change(self.renderer, now_s - self._varied_s, self.half_life_s):
            self.live.refresh()
        self._varied_s = now_s
        return self.live.tick()

    def new_sample(self) -> None:
        """Draw other noise, once."""
        if self.renderer is not None and self.live is not None:
            self.renderer.resample()
            self.live.refresh()

    def freeze(self, frozen: bool) -> None:
        """Hold the pose of the present image, or follow the probe again."""
        if self.live is not None:
            self.live.freeze(frozen)

    def samples(self, count: int) -> NDArray[np.uint8]:
        """(count, H, W) at the pose of the present image, each with noise of its own, the same for a pose each time.

        Raises UserError where there is no image.
        """
        pose = self.image_to_reference
        if pose is None or self.renderer is None:
            raise UserError("There is no simulated image yet.", "Press Start and move the probe.")
        drawn: NDArray[np.uint8] = self.renderer.sample(pose, count)
        return drawn


def calibrated(info: ModelInfo, file: Path | None, node: Any | None) -> Matrix | None:
    """(4, 4) ImageToProbe of the model's pixels after a calibration file or a transform node; None where neither is.

    Raises UserError where it does not fit the model, with the numbers.
    """
    if node is not None:
        if not node.IsLinear():
            raise UserError(
                f"{node.GetName()} is not a linear transform.", "Choose ImageToProbe of this probe."
            )
        matrix = slicer.util.arrayFromTransformMatrix(node)
        return info.fitted(matrix, info.source_size_px, node.GetName()).image_to_probe
    if file is not None:
        calibration = _read_once(file, file.stat().st_mtime_ns if file.is_file() else 0)
        size_px = calibration.image_size_px or info.source_size_px
        return info.fitted(calibration.image_to_probe, size_px, calibration.source).image_to_probe
    return None


@functools.lru_cache(maxsize=1)
def _read_once(file: Path, _changed_ns: int) -> Calibration:
    # A panel asks several times a second.
    return read_calibration(file)
