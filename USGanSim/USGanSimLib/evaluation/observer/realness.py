"""Real or simulated, asked of a small classifier: how often it is right on poses that it was not trained on."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ...geometry.sampling import evenly
from ...recording.dataset import Dataset
from ...recording.sweep import Frames
from ..intervals import heldout_groups
from ..measures.floor import RealImageElsewhere
from ..measures.metrics import Column
from ..predictors.predictor import Predictor, RealImage
from ..presentation import Presentation

SIGMAS_MM = (0.0, 0.5, 1.0, 1.5, 2.0)
STEPS, BATCH = 200, 32
MOST_FRAMES = 320
_CROP = (96, 128)
_LEAST_FRAMES = 16
_TEXTURE_GAIN = 6.0


class RealnessControl:
    """Accuracy against blur. Every frame is judged by a network that saw none of its half of the stretches."""

    title = "Real or simulated, asked of a classifier"
    columns = tuple(
        Column(f"classifier_accuracy_{sigma_mm:g}mm", f"accuracy, σ = {sigma_mm:g} mm", 3)
        for sigma_mm in SIGMAS_MM
    )

    def __init__(self, dataset: Dataset, seed: int = 0) -> None:
        self.dataset, self.seed = dataset, seed
        heldout = dataset.heldout_indices
        chosen = heldout[evenly(len(heldout), MOST_FRAMES)]
        self.chosen = [int(index) for index in chosen]
        self.presentation, self.groups = Presentation.of(dataset), heldout_groups(dataset)

    @property
    def note(self) -> str:
        return (
            f"A small network learns to tell a predictor's images from the real ones of half of {len(self.chosen)} "
            "held-out frames, in whole stretches, and is asked about the other half; then the other way round. "
            "Both kinds get the same blur, mask and grey levels. 0.5 is guessing: in the real images' own row "
            "every second frame passes for simulated. A better classifier may tell more: what this one sees is "
            "there, what it misses may be. In brackets: 95 % interval by drawing whole held-out stretches."
        )

    def values(self, predictor: Predictor) -> dict[str, float | None]:
        """Accuracy for each column; None where the predictor has too few images, or all of one stretch."""
        real, simulated, groups = self._asked_about(predictor)
        if len(real) < _LEAST_FRAMES or len(np.unique(groups)) < 2:
            return {column.key: None for column in self.columns}
        shown = [
            [self.presentation.present(kind, sigma_mm) for kind in (real, simulated)]
            for sigma_mm in SIGMAS_MM
        ]
        values: dict[str, float | None] = {}
        for column, shares in zip(
            self.columns, right_answers(np.array(shown), halves(groups), self.seed), strict=True
        ):
            values |= column.with_interval(shares.tolist(), groups.tolist())
        return values

    def _asked_about(self, predictor: Predictor) -> tuple[Frames, Frames, NDArray[np.int_]]:
        """As many real as simulated images (N, H, W), and the stretch (N,) that both are of."""
        if isinstance(predictor, RealImageElsewhere):  # The same images as the real ones: nothing to be told.
            return self._nothing, self._nothing, np.zeros(0, int)
        if isinstance(predictor, RealImage):
            pairs = [
                pair
                for pair in zip(self.chosen[::2], self.chosen[1::2], strict=False)
                if self.groups[pair[0]] == self.groups[pair[1]]
            ]
            first, second = ([pair[side] for pair in pairs] for side in (0, 1))
            return self.dataset.read_images(first), self.dataset.read_images(second), self.groups[first]
        images = {index: predictor.images(index)[:1] for index in self.chosen}
        known = [index for index, found in images.items() if len(found)]
        return (
            self.dataset.read_images(known),
            np.concatenate([self._nothing, *(images[index] for index in known)]),
            self.groups[known],
        )

    @property
    def _nothing(self) -> Frames:
        return self.dataset.read_images([])


def halves(groups: NDArray[np.int_]) -> NDArray[np.bool_]:
    """(N,): every second group, so that both halves have frames of all regions."""
    order = np.unique(groups, return_inverse=True)[1]
    result: NDArray[np.bool_] = order % 2 == 1
    return result


def right_answers(shown: NDArray[np.uint8], half: NDArray[np.bool_], seed: int) -> NDArray[np.float64]:
    """(S, 2, N, H, W) real and simulated images of N frames at S blurs → (S, N) share of the two told right, each by
    the network of the other half; the two networks see all blurs."""
    right = np.zeros((shown.shape[0], shown.shape[2]))
    for tested in (half, ~half):
        network = _trained(shown[:, :, ~tested], seed)
        for level, pair in enumerate(shown[:, :, tested]):
            told = [_answers(network, images, level / len(shown)) for images in pair]
            right[level, tested] = (~told[0] * 1.0 + told[1]) / 2
    return right


class RealnessNetwork(nn.Module):
    """Images (B, 1, H, W) in [0, 1] and their blur (B,), 0 to 1 → log-odds (B,) of being simulated.

    It sees the texture beside the image, since that is what most simulations lack, its first layer keeps the image's
    size for that, and it is told the blur, since what is too smooth depends on it.
    """

    def __init__(self, sizes: Sequence[int] = (3, 8, 16, 24, 32, 48)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number, (before, after) in enumerate(itertools.pairwise(sizes)):
            layers += [
                nn.Conv2d(before, after, 3, stride=2 if number else 1, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(inplace=True),
            ]
        self.layers = nn.Sequential(*layers)
        self.to_logit = nn.Linear(sizes[-1], 1)

    def forward(self, images: Tensor, blur: Tensor) -> Tensor:
        texture = images - functional.avg_pool2d(images, 5, stride=1, padding=2)
        blurs = blur[:, None, None, None].expand_as(images)
        features = self.layers(torch.cat([images, _TEXTURE_GAIN * texture, blurs], 1))
        logit: Tensor = self.to_logit(features.mean((2, 3)))[:, 0]
        return logit


def _trained(shown: NDArray[np.uint8], seed: int) -> RealnessNetwork:
    """A network trained on (S, 2, N, H, W), random crops of random blurs, as many real as simulated."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = RealnessNetwork()
    optimiser = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, STEPS + 1)
    levels, _, frames, *size = shown.shape
    crop = [min(wanted, whole) for wanted, whole in zip(_CROP, size, strict=True)]
    labels = np.arange(BATCH) % 2
    for _ in range(STEPS):
        top, left = (int(rng.integers(whole - part + 1)) for whole, part in zip(size, crop, strict=True))
        level = rng.integers(levels, size=BATCH)
        batch = shown[
            level, labels, rng.integers(frames, size=BATCH), top : top + crop[0], left : left + crop[1]
        ]
        logits = network(_as_input(batch), torch.from_numpy(level / levels).float())
        loss = functional.binary_cross_entropy_with_logits(logits, torch.from_numpy(labels).float())
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return network.eval()


@torch.no_grad()
def _answers(network: RealnessNetwork, images: Frames, blur: float) -> NDArray[np.bool_]:
    parts = [_as_input(images[start : start + BATCH]) for start in range(0, len(images), BATCH)]
    logits = [network(part, torch.full((len(part),), blur)) for part in parts]
    answers: NDArray[np.bool_] = torch.cat(logits).numpy() > 0
    return answers


def _as_input(images: Frames) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(images)).float()[:, None] / 255
