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
from ...live import STALE_AFTER_S, SamplingRenderer, Variation
from ...model.info import ModelInfo
from ...recording.calibration_file import Calibration, read_calibration
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
    """Follows a probe with a model. `variation`, `half_life_s` and `steady_s` may be changed at any time.

    steady_s  time constant that takes the jitter out of a tracker's poses (geometry/steady.py); 0: as they are

    live, renderer   of the last start; they stay after stop, so that the last image can be looked at. Before the first
                     start `live` is one that is stopped, and there is no renderer.
    """

    def __init__(self, scene: Any, clock: Callable[[], float] = time.perf_counter) -> None:
        self._scene = scene
        self._clock = clock
        self.live = LiveSimulation(scene, None, None)
        self.renderer: SamplingRenderer | None = None
        self.variation = Variation.FIXED
        self.half_life_s = 3.0
        self.steady_s = 0.0
        self._varied_s = 0.0
        self._image_to_probe: Matrix | None = None

    @property
    def image_to_reference(self) -> Matrix | None:
        """(4, 4) of the image on the screen, or None where there is none yet."""
        if self.live.volume is None or not self.live.has_image:
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

    def start(self, renderer: SamplingRenderer, setup: Setup) -> None:
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
        self.live.stop()

    def forget(self) -> None:
        """Stop, and let go of everything that is in a scene which is about to close."""
        self.stop()
        self.live = LiveSimulation(self._scene, None, None)

    def tick(self) -> bool:
        """Simulate the newest pose, with the noise as it varies. Whether there is a new image."""
        if self.renderer is None or not self.live.running:
            return False
        now_s = self._clock()
        if self.variation.change(self.renderer, now_s - self._varied_s, self.half_life_s):
            self.live.refresh()
        self._varied_s = now_s
        self.live.steady(self.steady_s)
        return self.live.tick()

    def new_sample(self) -> None:
        """Draw other noise, once."""
        if self.renderer is not None:
            self.renderer.resample()
            self.live.refresh()

    def samples(self, count: int) -> NDArray[np.uint8]:
        """(count, H, W) at the pose of the present image, each with noise of its own, the same for a pose each time.

        Raises UserError where there is no image.
        """
        pose = self.image_to_reference
        if pose is None or self.renderer is None:
            raise UserError("There is no simulated image yet.", "Press Start and move the probe.")
        return self.renderer.sample(pose, count)


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
