"""A small network that tells simulated images from real ones, trained several times from different starts."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ....geometry.sampling import evenly
from ....recording.sweep import Frames
from .observers import Judge, Looks, Numbers, Scores, parts, separation

STEPS, BATCH, RESTARTS = 120, 32, 2
KEPT_BACK = 4  # One part of so many, of which at most _MOST_KEPT frames are looked at.
ENOUGH = 0.99  # Who separates so well is not trained again.
_MOST_KEPT = 48
_CROP = (64, 96)
_TEXTURE_GAIN = 6.0


@dataclass(frozen=True)
class NetworkObserver:
    """Of at most RESTARTS networks the one that separates best on stretches kept back from training, all blurs taken
    together; each blur's threshold lies half way between the mean scores of both kinds there."""

    key: str = "network"
    name: str = "the network"

    def look(self, images: Frames) -> Looks:
        """The images themselves."""
        return images

    def fit(self, real: Looks, simulated: Looks, groups: Numbers, seed: int) -> Judge:
        """See RealnessObserver. Frames in another order give the same."""
        order = sorted(range(len(groups)), key=lambda frame: (groups[frame], real[0, frame].tobytes()))
        real, simulated, groups = real[:, order], simulated[:, order], groups[order]
        kept = parts(groups, KEPT_BACK) == 0
        asked = np.flatnonzero(kept)[evenly(int(kept.sum()), _MOST_KEPT)]
        best: tuple[RealnessNetwork, Scores, Scores] | None = None
        for restart in range(RESTARTS):
            network = _trained(real[:, ~kept], simulated[:, ~kept], seed + restart)
            told = [_scores(network, kind[:, asked]) for kind in (real, simulated)]
            separated = np.array([separation(*pair) for pair in zip(*told, strict=True)])
            if best is None or separated.mean() > best[2].mean():
                best = network, (told[0].mean(axis=1) + told[1].mean(axis=1)) / 2, separated
            if separated.mean() > ENOUGH:
                break
        assert best is not None
        chosen, middle, separated = best
        return Judge(lambda looks: _scores(chosen, looks) - middle[:, None], separated)


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


def _trained(real: Looks, simulated: Looks, seed: int) -> RealnessNetwork:
    """A network trained on two times (S, N, H, W), random crops of random blurs, every second one mirrored, as many
    real as simulated."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = RealnessNetwork()
    optimiser = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, STEPS + 1)
    levels, frames, *size = real.shape
    crop = [min(wanted, whole) for wanted, whole in zip(_CROP, size, strict=True)]
    labels = np.arange(BATCH) % 2
    for _ in range(STEPS):
        top, left = (int(rng.integers(whole - part + 1)) for whole, part in zip(size, crop, strict=True))
        level, frame = rng.integers(levels, size=BATCH), rng.integers(frames, size=BATCH)
        batch = np.empty((BATCH, *crop), np.uint8)
        for label, kind in enumerate((real, simulated)):
            mine = labels == label
            batch[mine] = kind[level[mine], frame[mine], top : top + crop[0], left : left + crop[1]]
        mirrored = rng.random(BATCH) < 0.5
        batch[mirrored] = batch[mirrored, :, ::-1]
        logits = network(_as_input(batch), torch.from_numpy(level / levels).float())
        loss = functional.binary_cross_entropy_with_logits(logits, torch.from_numpy(labels).float())
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return network.eval()


@torch.no_grad()
def _scores(network: RealnessNetwork, looks: Looks) -> NDArray[np.float64]:
    """(S, N, H, W) → log-odds (S, N)."""
    found = np.zeros(looks.shape[:2])
    for level, images in enumerate(looks):
        for start in range(0, len(images), BATCH):
            part = _as_input(images[start : start + BATCH])
            blur = torch.full((len(part),), level / len(looks))
            found[level, start : start + BATCH] = network(part, blur).numpy()
    return found


def _as_input(images: Frames) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(images)).float()[:, None] / 255
