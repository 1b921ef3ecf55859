"""`find_field`: the frames of a recording → its field of view, with a verdict in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...geometry.field_of_view import FieldOfView, box_around
from ...geometry.image_geometry import Crop
from ...geometry.sampling import evenly
from .evidence import Evidence, evidence_of
from .fit import best_shape

MOST_FRAMES = 200
# Below this share of a shape's pixels there are dots on black (wires in water), and no border is to be seen.
LEAST_FILLED = 0.45
# Of what shows anything: no shape that leaves out more has found a border.
_MOST_BESIDE = 0.25
# A shape that leaves out less than this is the whole image.
_WHOLE_SHARE = 0.99
# What of each edge of an image shows something where the ultrasound goes from edge to edge.
_EDGE_SHARE = 0.5
_CERTAIN_FILLED, _CERTAIN_BESIDE, _FEWEST_FRAMES = 0.6, 0.03, 10


@dataclass(frozen=True)
class Found:
    """A field of view, and the smallest box around it and everything that shows ultrasound: of wires in water, which
    have no field, around the wires. `area` is None where nothing shows anything."""

    field: FieldOfView
    area: Crop | None


def find_field(frames: Iterable[NDArray[np.uint8]], aspect: float = 1.0) -> FieldOfView:
    """Where the ultrasound is in frames (H, W) of one recording or of several with the same settings.

    `aspect` is a pixel's height by its width, in millimetres. Some hundred frames from all over the recordings are
    enough; `spread_frames` chooses them. Raises ValueError for no frame.
    """
    return find(frames, aspect).field


def find(frames: Iterable[NDArray[np.uint8]], aspect: float = 1.0) -> Found:
    """`find_field`, with the box around all that shows ultrasound. Raises as that."""
    evidence = evidence_of(frames)
    field = _field_of(evidence, aspect)
    shown = evidence.lit if field.shape == "whole" else evidence.lit | field.mask()
    return Found(field, box_around(shown) if evidence.lit.any() else None)


def _field_of(evidence: Evidence, aspect: float) -> FieldOfView:
    height_px, width_px = evidence.lit.shape
    size_px = width_px, height_px
    lit = float(evidence.lit.mean())
    if lit == 0:
        return FieldOfView.whole(
            size_px, "Nothing changes or differs from the background: whole image.", False
        )
    field = _edge_to_edge(evidence.lit) or best_shape(evidence.lit, aspect)
    inside = field.mask()
    filled = float(evidence.lit[inside].mean())
    beside = float((evidence.lit & ~inside).sum() / evidence.lit.sum())
    if filled < LEAST_FILLED or beside > _MOST_BESIDE:
        return FieldOfView.whole(
            size_px,
            f"No telling: {100 * lit:.1f} % of the pixels ever show anything, which draws no border. Whole image.",
            False,
        )
    if inside.mean() >= _WHOLE_SHARE:
        return FieldOfView.whole(
            size_px, f"The ultrasound fills the image ({_told(evidence, filled, beside)})."
        )
    return _with_verdict(field, evidence, filled, beside)


def spread_frames(
    frames: NDArray[np.uint8], valid: NDArray[np.int_], most: int = MOST_FRAMES
) -> Iterable[NDArray[np.uint8]]:
    """At most `most` of the frames (N, H, W) numbered by `valid`, evenly spread."""
    for index in valid[evenly(len(valid), most)]:
        yield frames[index]


def _edge_to_edge(lit: NDArray[np.bool_]) -> FieldOfView | None:
    """The whole image where all four of its edges show ultrasound: then nothing black tells how much noise there is."""
    sides = (lit[0], lit[-1], lit[:, 0], lit[:, -1])
    return (
        FieldOfView.whole((lit.shape[1], lit.shape[0])) if min(map(np.mean, sides)) >= _EDGE_SHARE else None
    )


def _with_verdict(field: FieldOfView, evidence: Evidence, filled: float, beside: float) -> FieldOfView:
    told = _told(evidence, filled, beside)
    doubts = []
    if not evidence.moving:
        doubts.append("nothing changes from frame to frame, so that texts may be in it")
    elif evidence.frames < _FEWEST_FRAMES:
        doubts.append(f"only {evidence.frames} frames")
    if filled < _CERTAIN_FILLED:
        doubts.append("much of it shows nothing")
    if beside > _CERTAIN_BESIDE:
        doubts.append("it does not hold all that changes")
    sure = f"Not certain ({'; '.join(doubts)})" if doubts else "Clear"
    return dataclasses.replace(field, verdict=f"{sure}: a {field.shape}, {told}.", certain=not doubts)


def _told(evidence: Evidence, filled: float, beside: float) -> str:
    return (
        f"{100 * filled:.0f} % of it shows ultrasound in {evidence.frames} frames, {100 * beside:.1f} % of what does "
        f"lies beside it, noise of {evidence.noise_sd:.1f} grey"
    )
