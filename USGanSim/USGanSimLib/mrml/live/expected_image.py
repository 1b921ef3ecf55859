"""A real image against what the model expects at the pose of the simulated one, and a little aside of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...geometry.agreement import BestPlace, agreement, places_aside
from ...geometry.image_geometry import ImageGeometry
from ..transform_chain import volume_to_world
from .real_image import resampled
from .simulation import Simulation

# Their mean is what is expected; more would only be slower.
SAMPLES = 2
# A real image that covers less shows too little of the place.
LEAST_COVERED = 0.5


def looking(simulation: Simulation, real: Any, place: BestPlace) -> Iterator[None]:
    """Compare the two images as they are now, in steps of some hundredths of a second; `place` gets the result. Nothing
    where there is nothing new to compare."""
    pose, simulated, renderer = simulation.image_to_reference, simulation.live.volume, simulation.renderer
    if pose is None or simulated is None or renderer is None or not place.lies_apart(pose):
        return
    width_px, height_px, _ = simulated.GetImageData().GetDimensions()
    values, reached = resampled(real, volume_to_world(simulated), (height_px, width_px))
    if reached.mean() < LEAST_COVERED:
        return
    pixel_mm, numbers = float(np.mean(simulation.mm_per_px)), []
    for beside in places_aside(pose):
        expected = renderer.sample(beside, SAMPLES).mean(axis=0, dtype=np.float32)
        numbers.append(agreement(values, expected, reached, pixel_mm))
        yield
    place.add(np.array(numbers), pose)


def place_of(simulation: Simulation) -> BestPlace:
    """For the images of a simulation that was started."""
    assert simulation.renderer is not None
    renderer = simulation.renderer
    return BestPlace(ImageGeometry(renderer.width_px, renderer.height_px, renderer.image_to_probe))
