"""The automatic landmark observer: looks at images, says of each landmark wrong region, not clear, or where it is.

It is trained on virtual subjects that no model sees (training.py) and kept in one safetensors file, whose
header holds everything else. The thresholds come from real images: a landmark is clear when it is more likely there
than not, or scores as high as all but a few of the real images that show it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import nn

from ...errors import UserError
from ...files import replacing_file, strict_json
from ...ml.model_file import require_same_weights
from ...model.info import INTENDED_USE
from ...recording.sweep import Frames
from .network import LandmarkNetwork, as_input, peaks

METADATA_KEY = "usgansim-observer"
FORMAT_VERSION = 1
# Shares of the real images showing a landmark that the thresholds give up.
REGION_QUANTILE, CLEAR_QUANTILE = 0.01, 0.05
LEAST_EXAMPLES = 20
_BATCH = 32
_SAME_SCALE = 0.01
_HINT = "Give the file that 'usgansim train-observer' wrote."


@dataclass(frozen=True, eq=False)
class Look:
    """What the observer sees in N images, for L landmarks: scores (log-odds) of region and clearness (N, L), places
    (N, L, 2) in pixels u, v of the images, and encoder features (N, F)."""

    region: NDArray[np.float32]
    clear: NDArray[np.float32]
    places_px: NDArray[np.float32]
    features: NDArray[np.float32]


@dataclass(frozen=True)
class Thresholds:
    """Least scores, one for each landmark: below `region` it is the wrong region, below `clear` no clear landmark.
    NaN where there were too few real images to tell."""

    region: tuple[float, ...]
    clear: tuple[float, ...]


@dataclass(frozen=True)
class ObserverInfo:
    """What the file says of an observer.

    mm_per_px    size of the square pixels that it looks at; other images are resampled
    channels     width of the network
    subjects     numbers of the virtual subjects that it was trained on
    thresholds   from real frames of other subjects
    metrics      on real frames of yet another one
    """

    landmarks: tuple[str, ...]
    mm_per_px: float
    channels: int
    subjects: tuple[int, ...]
    seed: int
    iterations: int
    thresholds: Thresholds
    software_version: str
    metrics: Mapping[str, Any] = field(default_factory=dict)
    intended_use: str = INTENDED_USE

    @classmethod
    def from_json(cls, text: str) -> ObserverInfo:
        """The inverse of `asdict` and strict JSON, which writes a threshold that no image gave (NaN) as null.

        Raises KeyError, TypeError or ValueError for anything else.
        """
        data = json.loads(text)
        if data.pop("format") != FORMAT_VERSION:
            raise ValueError("another format")
        thresholds = Thresholds(
            **{
                name: tuple(
                    float("nan") if value is None else float(value) for value in data["thresholds"][name]
                )
                for name in ("region", "clear")
            }
        )
        info = cls(
            **{
                **data,
                "landmarks": tuple(map(str, data["landmarks"])),
                "thresholds": thresholds,
                "subjects": tuple(map(int, data["subjects"])),
            }
        )
        if len(thresholds.region) != len(info.landmarks) or len(thresholds.clear) != len(info.landmarks):
            raise ValueError("thresholds do not go with landmarks")
        if not (info.mm_per_px > 0 and 1 <= info.channels <= 256 and info.landmarks):
            raise ValueError("impossible settings")
        return info


class Observer:
    """A trained network and its thresholds. Looks at images on the CPU."""

    def __init__(self, network: LandmarkNetwork, info: ObserverInfo) -> None:
        self.network, self.info = network.requires_grad_(False).eval(), info

    def look(self, images: Frames, mm_per_px: tuple[float, float]) -> Look:
        """Look at (N, H, W) uint8 images with pixels of `mm_per_px` (x, y)."""
        size = self._size(images.shape[1:], mm_per_px)
        looks = [self._look(images[start : start + _BATCH], size) for start in range(0, len(images), _BATCH)]
        parts = {
            name: np.concatenate([getattr(look, name) for look in looks])
            for name in ("region", "clear", "places_px", "features")
        }
        return Look(**parts)

    def _size(self, shape: Sequence[int], mm_per_px: tuple[float, float]) -> tuple[int, int]:
        """(height, width) at which the network sees images of that shape."""
        scale_x, scale_y = (mm / self.info.mm_per_px for mm in mm_per_px)
        if max(abs(scale_x - 1), abs(scale_y - 1)) < _SAME_SCALE:
            return shape[0], shape[1]
        return max(1, round(shape[0] * scale_y)), max(1, round(shape[1] * scale_x))

    @torch.no_grad()
    def _look(self, images: Frames, size: tuple[int, int]) -> Look:
        answers = self.network(as_input(images, size))
        height, width = images.shape[1:]
        scale = torch.tensor([width / size[1], height / size[0]])
        # The centre of a resampled pixel is the middle of what it covers.
        places = (peaks(answers.heat) + 0.5) * scale - 0.5
        return Look(*(value.numpy() for value in (answers.region, answers.clear, places, answers.features)))


def fit_thresholds(look: Look, visible: NDArray[np.bool_]) -> Thresholds:
    """Thresholds that all but 1 % (region) and 5 % (clear) of real images pass that truly show a landmark, and at most
    0: what is more likely there than not is there, however sure the observer is of some stretch of real images.

    `visible` (N, L) says which do. A landmark that fewer than LEAST_EXAMPLES images show gets NaN.
    """

    def quantiles(scores: NDArray[np.float32], share: float) -> tuple[float, ...]:
        known = [column[shown] for column, shown in zip(scores.T, visible.T, strict=True)]
        return tuple(
            min(0.0, float(np.quantile(found, share))) if len(found) >= LEAST_EXAMPLES else float("nan")
            for found in known
        )

    return Thresholds(quantiles(look.region, REGION_QUANTILE), quantiles(look.clear, CLEAR_QUANTILE))


def save_observer(path: Path, network: nn.Module, info: ObserverInfo) -> None:
    """Write weights and header to `path`, whole or not at all."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    content = safetensors.torch.save(
        tensors, {METADATA_KEY: strict_json({"format": FORMAT_VERSION, **asdict(info)})}
    )
    with replacing_file(path) as part:
        part.write_bytes(content)


def load_observer(path: Path) -> Observer:
    """Raises UserError when the file is missing, cut short, no safetensors file (a pickle is never read), not an
    observer, or when its weights do not fit its header."""
    try:
        with safetensors.safe_open(path, "pt") as file:
            info = ObserverInfo.from_json((file.metadata() or {})[METADATA_KEY])
        state = safetensors.torch.load_file(path)
    except OSError as error:
        raise UserError(
            f"The observer {path} cannot be read: {error.strerror or error}.", "Check the path."
        ) from error
    except safetensors.SafetensorError as error:
        raise UserError(f"{path} is no safetensors file, or is damaged: {error}.", _HINT) from error
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} is a safetensors file, but no observer ({type(error).__name__}: {error}).", _HINT
        ) from error
    network = LandmarkNetwork(len(info.landmarks), info.channels)
    require_same_weights(path, state, network.state_dict())
    network.load_state_dict(state)
    return Observer(network, info)
