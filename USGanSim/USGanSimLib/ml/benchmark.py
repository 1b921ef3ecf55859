"""Times of the live path, pose → grey levels in memory, ours beside the naive one, measured in turn in one run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import nn

from .. import __version__
from ..geometry.conditioning import CoordinateNormalisation
from ..geometry.field_of_view import FieldOfView
from ..geometry.image_geometry import Crop, ImageGeometry
from ..geometry.pose_distance import PoseRange
from ..geometry.transforms import Matrix
from ..model.info import ModelInfo
from ..model.recipes import Recipe
from .generators import AnyGenerator, new_generator
from .naive_path import NaivePath
from .networks import Generator
from .renderer import ModelRenderer, draw_noise

SAMPLES = (8, 36)
MOST_POSES = 16
FEWEST_ROUNDS = 5
_WARM_UP_ROUNDS = 2
_SEED = 0

Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Variant:
    """A way to images: `run` takes a pose (4, 4) and gives `batch` of them; `naive` is what it is compared with."""

    name: str
    batch: int
    run: Callable[[Matrix], Images]
    naive: str


def variants(generator: AnyGenerator, info: ModelInfo, device: torch.device) -> list[Variant]:
    """What is measured. The naive path is given the renderer's noise, so that the images can be compared."""
    renderer, naive = (
        ModelRenderer(generator, info, device, _SEED),
        NaivePath(generator, info.normalisation, device),
    )
    noise = renderer.noise

    def new_noise(pose: Matrix) -> Images:
        renderer.set_noise(noise)
        return renderer.render(pose)[None]

    found = [
        Variant("naive", 1, partial(naive.render, noise=torch.from_numpy(noise)[None]), "naive"),
        Variant("renderer", 1, lambda pose: renderer.render(pose)[None], "naive"),
        Variant("renderer, new noise each time", 1, new_noise, "naive"),
    ]
    for count in SAMPLES:
        many = draw_noise(count, len(noise), torch.Generator().manual_seed(_SEED))
        name = f"naive, {count} samples"
        found += [
            Variant(name, count, partial(naive.render, noise=many), name),
            Variant(f"renderer, {count} samples", count, partial(renderer.sample, n=count, seed=_SEED), name),
        ]
    return found


def measure(chosen: Sequence[Variant], poses: Matrix, rounds: int) -> list[dict[str, Any]]:
    """One row a variant, for this number of threads: times in ms, ratio to the naive path, difference from it.

    Variants of the same batch take turns, so that what else the machine does meets them alike; every turn has the next
    of the poses (K, 4, 4). There are `rounds` turns of single images, fewer of batches.
    """
    rows: list[dict[str, Any]] = []
    for batch in sorted({variant.batch for variant in chosen}):
        group = [variant for variant in chosen if variant.batch == batch]
        times_ms, images = _taking_turns(group, poses, max(FEWEST_ROUNDS, rounds // batch))
        for variant in group:
            naive_ms, mine_ms = np.median(times_ms[variant.naive]), np.median(times_ms[variant.name])
            difference = np.abs(images[variant.name].astype(int) - images[variant.naive])
            rows.append(
                {
                    "name": variant.name,
                    "batch": batch,
                    "width_px": images[variant.name].shape[2],
                    "height_px": images[variant.name].shape[1],
                    "dtype": "float32",
                    "threads": torch.get_num_threads(),
                    "median_ms": float(mine_ms),
                    "p95_ms": float(np.percentile(times_ms[variant.name], 95)),
                    "ratio_to_naive": float(naive_ms / mine_ms),
                    "images_per_s": float(batch * 1e3 / mine_ms),
                    "grey_levels_from_naive": int(difference.max()),
                }
            )
    return rows


def _taking_turns(
    group: Sequence[Variant], poses: Matrix, rounds: int
) -> tuple[dict[str, NDArray[np.float64]], dict[str, Images]]:
    """Milliseconds of each variant, without the warm-up, and its images of the warm-up."""
    times_ms: dict[str, list[float]] = {variant.name: [] for variant in group}
    images: dict[str, list[Images]] = {variant.name: [] for variant in group}
    for turn in range(_WARM_UP_ROUNDS + rounds):
        for variant in group:
            began_s = time.perf_counter()
            made = variant.run(poses[turn % len(poses)])
            elapsed_ms = (time.perf_counter() - began_s) * 1e3
            if turn < _WARM_UP_ROUNDS:
                images[variant.name].append(made)
            else:
                times_ms[variant.name].append(elapsed_ms)
    return (
        {name: np.array(values) for name, values in times_ms.items()},
        {name: np.concatenate(made) for name, made in images.items()},
    )


def untrained_model(recipe: Recipe, width_px: int, height_px: int) -> tuple[AnyGenerator, ModelInfo]:
    """A generator with random weights, as fast as a trained one: batch norm holds the statistics of its own maps, and
    the images have contrast, so that a wrong fold or a wrong grid would show."""
    torch.manual_seed(_SEED)
    poses = _random_poses(MOST_POSES)
    normalisation = CoordinateNormalisation.of_poses(poses, width_px, height_px)
    x, y, z = normalisation.std_mm
    settings = recipe.network(width_px, height_px, (_PIXEL_MM / x, _PIXEL_MM / y, _PIXEL_MM / z))
    field = FieldOfView.whole((width_px, height_px))
    generator = new_generator(settings, field)
    for module in generator.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the plain average of all batches seen
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0.0, 0.5)
    if isinstance(generator, Generator):
        nn.init.normal_(generator.to_image.weight, 0.0, 0.1)
    affine = torch.from_numpy(normalisation.fold(poses[:, :3, [0, 1, 3]]).astype(np.float32))
    with torch.no_grad():
        generator.train()(torch.randn(len(poses), settings.noise_size), affine)
    info = ModelInfo(
        recipe=recipe.name,
        network=settings.as_dict(),
        geometry=ImageGeometry(width_px, height_px, _PIXELS),
        source_size_px=(width_px, height_px),
        crop=Crop(0, 0, width_px, height_px),
        reference_frame="Reference",
        normalisation=normalisation,
        pose_range=PoseRange.of_training_poses(poses, width_px, height_px),
        training_set_sha256="",
        seed=_SEED,
        iterations=0,
        software_version=__version__,
        field=field,
    )
    return generator.requires_grad_(False).eval(), info


_PIXEL_MM = 0.5
_PIXELS = np.diag([_PIXEL_MM, _PIXEL_MM, 1.0, 1.0])


def _random_poses(count: int) -> Matrix:
    """(count, 4, 4) ImageToReference: pixels of half a millimetre, a hand's breadth and 20° of freedom."""
    rng = np.random.default_rng(_SEED)
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, :3, :3] = Rotation.from_rotvec(rng.normal(0, np.radians(20), (count, 3))).as_matrix()
    poses[:, :3, 3] = rng.uniform(-50, 50, (count, 3))
    result: Matrix = poses @ _PIXELS
    return result
