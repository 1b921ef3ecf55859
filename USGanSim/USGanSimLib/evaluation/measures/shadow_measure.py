"""The measure of shadows: how many frames have one, how sharp and how straight they are, beside the real images."""

from __future__ import annotations

import numpy as np

from ...recording.dataset import Dataset
from ...recording.sweep import Frames
from ..intervals import heldout_groups
from ..shadows import (
    BEGINS_WITHIN_SHARE,
    DARKER_GREY,
    LEAST_LENGTH_SHARE,
    LEVEL_SHARE,
    MOST_LENGTH_SHARE,
    MOST_WIDENING,
    WIDEST_SHARE,
    Shadow,
    ShadowFinder,
)
from .controls import spread
from .metrics import Column

MOST_FRAMES = 300


class ShadowMeasure:
    """Shadows of every predictor on at most MOST_FRAMES held-out frames, where the field of view has beams."""

    title = "Shadows along the beams"
    columns = (
        Column("shadow_frames_share", "frames with a shadow, share", 3),
        Column("shadow_edge_mm", "edge from 10 to 90 %, median, mm"),
        Column("shadow_wander_mm", "off its own beam, RMS, median, mm"),
        Column("shadows", "shadows measured", 0, count=True),
    )

    def __init__(self, dataset: Dataset, dynamic_range_db: float | None = None) -> None:
        self.frames = frozenset(spread(dataset.heldout_indices, MOST_FRAMES).tolist())
        self.groups, self.dynamic_range_db = heldout_groups(dataset), dynamic_range_db
        # Of an image of which nothing is known, nobody can say where its beams run.
        self.finder = (
            None
            if dataset.field.shape == "whole"
            else ShadowFinder(dataset.field, dataset.geometry.mm_per_px)
        )

    @property
    def note(self) -> str:
        if self.finder is None:
            return "No field of view is known of these images, and so no beams."
        decibels = f" ({DARKER_GREY / 255 * self.dynamic_range_db:.1f} dB)" if self.dynamic_range_db else ""
        begin, least, most, level = (
            share * self.finder.depth_mm
            for share in (BEGINS_WITHIN_SHARE, LEAST_LENGTH_SHARE, MOST_LENGTH_SHARE, LEVEL_SHARE)
        )
        return (
            f"On {len(self.frames)} held-out frames, resampled along the beams. A shadow is a run of neighbouring "
            f"beams, at most {WIDEST_SHARE:.0%} of all, whose level (over {level:.0f} mm of depth) lies at least "
            f"{DARKER_GREY:g} grey levels{decibels} under that of the beams on both sides. It begins within "
            f"{begin:.0f} mm below the probe's face and is followed from {least:.0f} to {most:.0f} mm, while its "
            f"width in beams stays the same to a factor of {MOST_WIDENING:g}. Its edge is that of a blurred box "
            "fitted to its profile, at the middle of its depth; off its beam is how far its middle leaves one "
            "beam. Shadows that begin deeper are not told from dark gaps between structures, and are not counted; "
            "nor is what fluid hides. The place of lost contact is chance: what matters is how near a row comes to "
            "the real image."
        )

    def tally(self) -> _ShadowTally:
        return _ShadowTally(self)


class _ShadowTally:
    def __init__(self, measure: ShadowMeasure) -> None:
        self._measure = measure
        self._shares: list[float] = []
        self._groups: list[int] = []
        self._shadows: list[Shadow] = []

    def add(self, index: int, images: Frames) -> None:
        finder = self._measure.finder
        if finder is None or index not in self._measure.frames:
            return
        found = [finder.find(image) for image in images]
        self._shares.append(float(np.mean([bool(shadows) for shadows in found])))
        self._groups.append(int(self._measure.groups[index]))
        self._shadows.extend(shadow for shadows in found for shadow in shadows)

    def values(self) -> dict[str, float | None]:
        share, edge, wander, count = self._measure.columns
        if not self._shares:
            return {column.key: None for column in self._measure.columns}
        edges_mm = [shadow.edge_mm for shadow in self._shadows if shadow.edge_mm is not None]
        wanders_mm = [shadow.wander_mm for shadow in self._shadows]
        return {
            **share.with_interval(self._shares, self._groups),
            edge.key: float(np.median(edges_mm)) if edges_mm else None,
            wander.key: float(np.median(wanders_mm)) if wanders_mm else None,
            count.key: float(len(self._shadows)),
        }
