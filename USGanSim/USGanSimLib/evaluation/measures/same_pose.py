"""Samples at one pose: are there as many images as reality has, and are they the same ones?"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...recording.dataset import Dataset
from ...recording.sweep import Frames
from ..predictors.predictor import PosePredictor, Predictor, RealImage, frame_seed, repeats
from .controls import spread
from .metrics import Column
from .similarity import ms_ssim

MOST_POSES = 20
SAMPLES = 6
LEAST_REPEATS = 4

Grey = NDArray[np.float64]


class SamePose:
    """Samples against real repeats of held-out poses, where the training set has them; else among themselves."""

    title = "Samples at one pose"
    columns = (
        Column("spread_ratio", "spread, of the real one"),
        Column("energy_distance_grey", "energy distance, grey levels"),
        Column("ms_ssim_samples", "MS-SSIM between samples", 3),
    )

    def __init__(self, dataset: Dataset) -> None:
        self.dataset, self.field = dataset, dataset.field.mask()
        groups: dict[int, NDArray[np.int_]] = {}
        for index in map(int, dataset.heldout_indices):
            others = repeats(dataset, index)
            if len(others) + 1 >= LEAST_REPEATS and (not len(others) or others[0] > index):
                groups[index] = np.concatenate([[index], others])
        first = np.array(sorted(groups), int)
        self.repeats = (
            {int(index): groups[int(index)] for index in spread(first, MOST_POSES)} if len(first) else {}
        )
        self.poses = [*self.repeats] or [int(index) for index in spread(dataset.heldout_indices, MOST_POSES)]

    @property
    def note(self) -> str:
        if not self.repeats:
            return (
                f"{SAMPLES} samples at each of {len(self.poses)} held-out poses. MS-SSIM between samples: 1 means "
                "that all are one image (collapse). This training set has no real repeats of a pose (recordings "
                "with the field Hold), so nothing says how much they should differ."
            )
        return (
            f"At {len(self.poses)} held-out poses with repeated real scans. Spread: SD between samples over SD "
            "between real repeats, inside the field of view; 0 is collapse. Energy distance (Székely and Rizzo "
            "2013) between samples and repeats, images as points with RMS grey-level distance: 0 where both are "
            "drawn from one distribution, unbiased, so that it may be a little below. The real image's row "
            "compares every second repeat with as many others. MS-SSIM between samples: 1 means that all are one "
            "image."
        )

    def values(self, predictor: Predictor) -> dict[str, float | None]:
        if isinstance(predictor, PosePredictor):
            pairs = [
                (self._samples(predictor, index), self._real(index) if self.repeats else np.zeros(0))
                for index in self.poses
            ]
        elif isinstance(predictor, RealImage) and self.repeats:
            pairs = [halved(self._real(index)) for index in self.poses]
        else:
            return {column.key: None for column in self.columns}
        found: dict[str, float | None] = {
            "ms_ssim_samples": float(np.mean([pairwise_ms_ssim(own) for own, _ in pairs])),
            "spread_ratio": None,
            "energy_distance_grey": None,
        }
        if self.repeats:
            inside = [(own[:, self.field], real[:, self.field]) for own, real in pairs]
            spreads = np.array(
                [[own.std(axis=0, ddof=1).mean(), real.std(axis=0, ddof=1).mean()] for own, real in inside]
            )
            found["spread_ratio"] = float(spreads[:, 0].sum() / max(spreads[:, 1].sum(), 1e-9))
            found["energy_distance_grey"] = float(
                np.mean([energy_distance(own, real) for own, real in inside])
            )
        return found

    def pictures(self, predictors: Sequence[Predictor], index: int) -> dict[str, Frames]:
        """The real images of one of `poses`, and the samples of every predictor that has different ones."""
        rows = {"real": self.dataset.read_images(self.repeats.get(index, np.array([index])))}
        for predictor in predictors:
            if isinstance(predictor, PosePredictor):
                images = self._samples(predictor, index).astype(np.uint8)
                if (images != images[0]).any():
                    rows[predictor.name] = images
        return {name: images[:SAMPLES] for name, images in rows.items()}

    def _samples(self, predictor: PosePredictor, index: int) -> Grey:
        count = len(self.repeats[index]) if self.repeats else SAMPLES
        return predictor.at(self.dataset.poses[index], count, frame_seed(0, index)).astype(np.float64)

    def _real(self, index: int) -> Grey:
        return self.dataset.read_images(self.repeats[index]).astype(np.float64)


def halved(repeats: Grey) -> tuple[Grey, Grey]:
    """Every second repeat and as many others: the SD of few images grows with their number."""
    half = len(repeats) // 2
    return repeats[0 : 2 * half : 2], repeats[1 : 2 * half : 2]


def energy_distance(first: Grey, second: Grey) -> float:
    """2 E|X − Y| − E|X − X*| − E|Y − Y*| of two samples (n, d) and (m, d), n and m at least 2, without bias; the
    distance is the root mean square over d, and * is another draw of the same sample."""
    between = np.mean([_rms(x, y) for x in first for y in second])
    within = [
        np.mean([_rms(x, y) for x, y in itertools.combinations(sample, 2)]) for sample in (first, second)
    ]
    return float(2 * between - sum(within))


def pairwise_ms_ssim(images: Grey) -> float:
    """The mean MS-SSIM of all pairs of images (n, H, W), n at least 2."""
    return float(np.mean([ms_ssim(first, second) for first, second in itertools.combinations(images, 2)]))


def _rms(first: Grey, second: Grey) -> float:
    return float(np.sqrt(((first - second) ** 2).mean()))
