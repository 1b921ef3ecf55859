"""Trains a landmark observer on virtual subjects, sets its thresholds on two others, and measures it on one more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ... import __version__
from ...errors import UserError
from ...phantom.anatomy import LANDMARKS
from ...phantom.settings import HARD, PLAIN
from ...progress import Progress
from ..measures.landmarks import IN_PLANE_MM
from .landmark_observer import Observer, ObserverInfo, Thresholds, fit_thresholds, save_observer
from .network import STRIDE, Answers, LandmarkNetwork, as_input
from .views import MIXED, MM_PER_PX, SIZE_PX, Views, joined, subject_views

# Subjects that nobody makes a recording of by counting from 0; the standard one is 0.
FIRST_SUBJECT = 1001
BLUR_CELLS = 1.25
# A landmark is present up to IN_PLANE_MM off the plane and gone from FADED_MM on; its region likewise.
FADED_MM, REGION_MM, REGION_FADED_MM = 6.0, 8.0, 16.0
REGION_WEIGHT = 0.5
LEARNING_RATE, WEIGHT_DECAY = 4e-3, 1e-4
_TURN_DEG, _SHIFT_PX, _SCALE, _GAMMA, _GAIN = 8.0, 8.0, 0.10, 0.25, 0.12
_REPORT_EVERY = 20


@dataclass(frozen=True)
class ObserverSettings:
    """How much to learn from: subjects, images of each, batches of `batch` images; `trial_images` of each of three
    further subjects: two set the thresholds, one measures."""

    subjects: int = 12
    images: int = 240
    iterations: int = 600
    batch: int = 24
    channels: int = 12
    trial_images: int = 400
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("subjects", "images", "iterations", "batch", "channels", "trial_images"):
            if getattr(self, name) < 1:
                raise UserError(
                    f"{getattr(self, name)} {name.replace('_', ' ')} cannot be.", "Give 1 or more."
                )
        if self.seed < 0:
            raise UserError(f"The seed {self.seed} is negative.", "Give --seed 0 or more.")


def train_observer(path: Path, settings: ObserverSettings, progress: Progress) -> dict[str, Any]:
    """Render, train, set thresholds, measure, and write the observer; returns what it was measured at."""
    subjects = range(FIRST_SUBJECT, FIRST_SUBJECT + settings.subjects)
    parts = []
    for done, subject in enumerate(subjects, 1):
        parts.append(subject_views(subject, settings.images, MIXED, settings.seed))
        progress.emit("step", rendered=done, of=len(subjects))
    network = fit(joined(parts), settings, progress)
    first, second, last = (subjects[-1] + number for number in (1, 2, 3))
    observer = _with_thresholds(network, Thresholds((), ()), tuple(subjects), settings, {})
    views = joined(
        [subject_views(subject, settings.trial_images, MIXED, settings.seed) for subject in (first, second)]
    )
    look = observer.look(views.images, (MM_PER_PX, MM_PER_PX))
    thresholds = fit_thresholds(look, views.visible(IN_PLANE_MM))
    observer = _with_thresholds(network, thresholds, tuple(subjects), settings, {})
    metrics = {"subject": last} | {
        name: measured(observer, subject_views(last, settings.trial_images, [setting], settings.seed))
        for name, setting in (("plain", PLAIN), ("hard", HARD))
    }
    info = _with_thresholds(network, thresholds, tuple(subjects), settings, metrics).info
    save_observer(path, network, info)
    return {
        "observer": str(path),
        "images": settings.subjects * settings.images,
        "subjects": list(subjects),
        "iterations": settings.iterations,
        "seed": settings.seed,
        "landmarks": list(info.landmarks),
        **metrics,
        "intended_use": info.intended_use,
    }


def fit(views: Views, settings: ObserverSettings, progress: Progress) -> LandmarkNetwork:
    """Train a new network; the same seed gives the same weights on the same machine."""
    torch.manual_seed(settings.seed)
    rng = torch.Generator().manual_seed(settings.seed)
    network = LandmarkNetwork(views.in_view.shape[1], settings.channels)
    optimiser = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, LEARNING_RATE, settings.iterations + 1, pct_start=0.15
    )
    images = as_input(views.images, SIZE_PX[::-1])
    places, off_mm, in_view = (
        torch.from_numpy(values)
        for values in (views.places_px.astype(np.float32), views.off_plane_mm, views.in_view)
    )
    for step in range(1, settings.iterations + 1):
        chosen = torch.randint(len(images), (settings.batch,), generator=rng)
        batch, moved = varied(images[chosen], places[chosen], rng)
        loss = observer_loss(network(batch), moved, off_mm[chosen].float(), in_view[chosen])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        if step % _REPORT_EVERY == 0 or step == settings.iterations:
            progress.emit("step", step=step, of=settings.iterations, loss=float(loss.detach()))
    return network


def observer_loss(answers: Answers, places_px: Tensor, off_plane_mm: Tensor, in_view: Tensor) -> Tensor:
    """Cross-entropy of "in this cell, or nowhere" against a Gaussian around the place, and of the region's presence.

    places_px (B, L, 2), off_plane_mm and in_view (B, L). Between near and far from the plane the truth is a share.
    """
    height, width = answers.heat.shape[2:]
    inside = (
        in_view
        & (places_px >= 0).all(dim=2)
        & (places_px[..., 0] < STRIDE * width)
        & (places_px[..., 1] < STRIDE * height)
    )
    away = off_plane_mm.abs()
    present = inside * _ramp(away, IN_PLANE_MM, FADED_MM)
    cells = (places_px - (STRIDE - 1) / 2) / STRIDE
    along_u, along_v = (
        torch.exp(-((torch.arange(size) - cells[..., axis, None]) ** 2) / (2 * BLUR_CELLS**2))
        for axis, size in ((0, width), (1, height))
    )
    target = along_v[..., None] * along_u[..., None, :]
    target = target / target.sum(dim=(2, 3), keepdim=True).clamp_min(1e-6)
    everything = functional.softplus(answers.clear)  # log(1 + Σ exp(heat)): all cells and "nowhere"
    where = everything - present * (target * answers.heat).sum(dim=(2, 3))
    region = functional.binary_cross_entropy_with_logits(
        answers.region, inside * _ramp(away, REGION_MM, REGION_FADED_MM)
    )
    return where.mean() + REGION_WEIGHT * region


def varied(images: Tensor, places_px: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Turn, shift and scale (B, 1, H, W) images together with (B, L, 2) places; vary gamma and gain."""
    count, _, height, width = images.shape

    def spread(limit: float, *shape: int) -> Tensor:
        return limit * (2 * torch.rand(*shape, generator=rng) - 1)

    angle, scale = torch.deg2rad(spread(_TURN_DEG, count)), 1 + spread(_SCALE, count)
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    turn = torch.stack([torch.stack([cosine, -sine], 1), torch.stack([sine, cosine], 1)], 1)
    middle = torch.tensor([(width - 1) / 2, (height - 1) / 2])
    shift = middle + spread(_SHIFT_PX, count, 2)
    moved = (places_px - middle) @ turn.transpose(1, 2) + shift[:, None]
    v, u = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    pixels = torch.stack([u, v], -1).reshape(1, -1, 2) - shift[:, None]
    source = pixels @ torch.linalg.inv(turn).transpose(1, 2) + middle
    grid = (2 * source + 1) / torch.tensor([width, height]) - 1
    result = functional.grid_sample(images, grid.reshape(count, height, width, 2), align_corners=False)
    gamma, gain = torch.exp(spread(_GAMMA, count, 1, 1, 1)), 1 + spread(_GAIN, count, 1, 1, 1)
    return (gain * result.clamp_min(0) ** gamma).clamp_max(1), moved


def measured(observer: Observer, views: Views) -> dict[str, Any]:
    """On images of an unseen subject: of the landmarks in the plane, share located and distance of those; of those
    whose region is far off, share that is located all the same."""
    look = observer.look(views.images, (MM_PER_PX, MM_PER_PX))
    thresholds = observer.info.thresholds
    located = look.clear >= thresholds.clear  # An unknown threshold (NaN) is passed by nothing.
    distance_mm = MM_PER_PX * np.linalg.norm(look.places_px - views.places_px, axis=2)
    visible, far = views.visible(IN_PLANE_MM), ~views.visible(REGION_FADED_MM)
    found = distance_mm[visible & located]
    per_landmark = {
        name: {
            "images": int(visible[:, k].sum()),
            "located_share": _share(located[visible[:, k], k]),
            "median_mm": _median(distance_mm[visible[:, k] & located[:, k], k]),
        }
        for k, name in enumerate(observer.info.landmarks)
    }
    return {
        "visible": int(visible.sum()),
        "located_share": _share(located[visible]),
        "mean_mm": _mean(found),
        "sd_mm": float(found.std(ddof=1)) if len(found) > 1 else None,
        "median_mm": _median(found),
        "within_5mm_share": _share((located & (distance_mm <= 5))[visible]),
        "false_alarm_share": _share(located[far]),
        "landmarks": per_landmark,
    }


def _with_thresholds(
    network: LandmarkNetwork,
    thresholds: Thresholds,
    subjects: Sequence[int],
    settings: ObserverSettings,
    metrics: dict[str, Any],
) -> Observer:
    return Observer(
        network,
        ObserverInfo(
            landmarks=tuple(LANDMARKS),
            mm_per_px=MM_PER_PX,
            channels=settings.channels,
            subjects=tuple(subjects),
            seed=settings.seed,
            iterations=settings.iterations,
            thresholds=thresholds,
            software_version=__version__,
            metrics=metrics,
        ),
    )


def _ramp(away: Tensor, near: float, far: float) -> Tensor:
    return ((far - away) / (far - near)).clamp(0, 1)


def _share(chosen: Any) -> float | None:
    return float(np.mean(chosen)) if len(chosen) else None


def _mean(values: Any) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _median(values: Any) -> float | None:
    return float(np.median(values)) if len(values) else None
