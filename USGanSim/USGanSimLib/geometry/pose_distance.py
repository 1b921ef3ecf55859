"""How far apart two poses are, as a person sees it: the RMS displacement of the image's pixels in millimetres."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .conditioning import pixel_affine, pixel_moments
from .transforms import Matrix


@dataclass(frozen=True)
class NearestPose:
    """The nearest known pose: its index, RMS pixel displacement, distance of the image centres, angle between."""

    index: int
    rms_mm: float
    centre_mm: float
    angle_deg: float


class PoseDistance:
    """Distances between ImageToReference poses of one image geometry.

    Poses are embedded so that the Euclidean distance of the embeddings is the RMS pixel displacement: the squared
    displacement of pixel p is |(A₁ − A₂) p|², its mean over pixels is tr(Δ M Δᵀ) with M the second moments of
    p = (u, v, 1), and M = LLᵀ makes it |Δ L|².
    """

    def __init__(self, width_px: int, height_px: int) -> None:
        root = np.linalg.cholesky(pixel_moments(width_px, height_px))
        # A row of zeros for the column of a pose that pixels do not use: one product, no selection.
        self._root = np.insert(root, 2, 0.0, axis=0)
        self._centre = np.array([(width_px - 1) / 2, (height_px - 1) / 2, 1.0])

    def embed(self, image_to_reference: Matrix) -> NDArray[np.float64]:
        """(…, 4, 4) → (…, 9), millimetres."""
        product: NDArray[np.float64] = image_to_reference[..., :3, :].dot(self._root)
        return product.reshape((*product.shape[:-2], 9))

    def nearest(
        self, pose: Matrix, known: Matrix, known_embedded: NDArray[np.float64] | None = None
    ) -> NearestPose:
        """The nearest of `known` (N, 4, 4) to one pose (4, 4)."""
        points = self.embed(known) if known_embedded is None else known_embedded
        apart = points - self.embed(pose)
        squared = np.einsum("ij,ij->i", apart, apart)
        index = int(squared.argmin())
        offset = (pixel_affine(pose) - pixel_affine(known[index])) @ self._centre
        return NearestPose(
            index,
            float(np.sqrt(squared[index])),
            float(np.linalg.norm(offset)),
            angle_deg(pose, known[index]),
        )


@dataclass(frozen=True, eq=False)
class PoseRange:
    """The trained range: some training poses (K, 4, 4), chosen so that every training pose lies within
    `coverage_mm` (RMS pixel displacement) of one of them; a pose further than that plus `margin_mm` is outside."""

    width_px: int
    height_px: int
    poses: Matrix
    coverage_mm: float
    margin_mm: float = 5.0

    def __post_init__(self) -> None:
        distance = PoseDistance(self.width_px, self.height_px)
        object.__setattr__(self, "_distance", distance)
        embedded = distance.embed(self.poses)
        object.__setattr__(self, "_embedded", embedded)
        object.__setattr__(self, "_minus_twice", -2 * embedded)
        object.__setattr__(self, "_squares", np.einsum("ij,ij->i", embedded, embedded))

    @classmethod
    def of_training_poses(
        cls, image_to_reference: Matrix, width_px: int, height_px: int, most: int = 256
    ) -> PoseRange:
        """Pick at most `most` poses by farthest-point sampling, starting with the first."""
        embedded = PoseDistance(width_px, height_px).embed(image_to_reference)
        chosen = [0]
        squared = ((embedded - embedded[0]) ** 2).sum(axis=1)
        while len(chosen) < min(most, len(embedded)) and squared.max() > 0:
            chosen.append(int(squared.argmax()))
            squared = np.minimum(squared, ((embedded - embedded[chosen[-1]]) ** 2).sum(axis=1))
        return cls(width_px, height_px, image_to_reference[chosen], float(np.sqrt(squared.max())))

    def nearest(self, pose: Matrix) -> NearestPose:
        """The nearest of the chosen training poses."""
        return self._distance.nearest(pose, self.poses, self._embedded)  # type: ignore[attr-defined, no-any-return]

    def contains(self, nearest: NearestPose) -> bool:
        """Whether a pose with this nearest neighbour is inside the trained range."""
        return nearest.rms_mm <= self.coverage_mm + self.margin_mm

    def covers(self, pose: Matrix) -> bool:
        """`contains(nearest(pose))` in a fifth of the time, for every live image: |a − b|² = a² − 2ab + b²."""
        point = self._distance.embed(pose)  # type: ignore[attr-defined]
        products = self._minus_twice.dot(point)  # type: ignore[attr-defined]
        products += self._squares  # type: ignore[attr-defined]
        return bool(products.min() + point.dot(point) <= (self.coverage_mm + self.margin_mm) ** 2)


def angle_deg(first: Matrix, second: Matrix) -> float:
    """The rotation between two poses whose columns may be scaled to pixels, in degrees."""
    # Plain numbers: this runs at every live image, and numpy takes ten times as long for three of them.
    x1, y1 = _directions(first)
    x2, y2 = _directions(second)
    xx, yy = _dot(x1, x2), _dot(y1, y2)
    zz = xx * yy - _dot(x1, y2) * _dot(y1, x2)  # (x1 × y1) · (x2 × y2), Binet and Cauchy
    return math.degrees(math.acos(max(-1.0, min(1.0, (xx + yy + zz - 1) / 2))))


def _directions(pose: Matrix) -> tuple[list[float], list[float]]:
    x, y = (pose[:3, column].tolist() for column in (0, 1))
    x_length = math.hypot(*x)
    x = [value / x_length for value in x]
    along = _dot(x, y)
    y = [value - along * unit for value, unit in zip(y, x, strict=True)]
    y_length = math.hypot(*y)
    return x, [value / y_length for value in y]


def _dot(first: list[float], second: list[float]) -> float:
    return first[0] * second[0] + first[1] * second[1] + first[2] * second[2]
