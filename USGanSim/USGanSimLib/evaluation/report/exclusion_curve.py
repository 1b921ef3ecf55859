"""Every score against the exclusion radius: how much of it is owed to training frames near the held-out poses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import UserError
from ...progress import Progress
from ...recording.dataset import Dataset, resplit
from ...recording.splits import Exclusion
from ..measures.controls import spread
from ..measures.metrics import Measure
from ..predictors.baselines import trained_baselines
from ..predictors.predictor import AverageTrainingImage, Predictor
from ..study.comparison import Row, compare
from .charts import legend, line_chart

RADII_MM = (0.0, 1.0, 2.0, 5.0, 10.0)
MOST_FRAMES = 100


def exclusion_curve(
    dataset: Dataset,
    radii_mm: Sequence[float],
    measures: Sequence[Measure],
    models: Sequence[tuple[Predictor, float | None]],
    samples: int,
    seed: int,
    progress: Progress,
) -> list[dict[str, Any]]:
    """A row a baseline and radius, and one a model at the radius that it was trained with (None: on other recordings,
    to which no radius applies), on at most MOST_FRAMES held-out frames; the curve ends at the radius that leaves no
    training frame."""
    frames = spread(dataset.heldout_indices, MOST_FRAMES)
    points = []
    for radius_mm in sorted(radii_mm):
        try:
            kept = resplit(dataset, exclusion=Exclusion(radius_mm, dataset.exclusion.jitter))
        except UserError:
            break
        rows = compare(kept, trained_baselines(kept, samples, seed), measures, progress, indices=frames)
        points += [_point(row, radius_mm, len(kept.train_indices)) for row in rows]
    for model, trained_mm in models:
        rows = compare(dataset, [model], measures, progress, indices=frames)
        points += [_point(row, trained_mm, None) for row in rows]
    return points


def curve_charts(points: Sequence[Mapping[str, Any]], ceiling: Row, measures: Sequence[Measure]) -> str:
    """HTML with a chart of every metric that the curve has, and the ceiling's value of it; empty without a curve. The
    average image, which has no curve worth the name, would make the others small."""
    names = [
        name for name in dict.fromkeys(point["name"] for point in points) if name != AverageTrainingImage.NAME
    ]
    radii_mm = [point["exclusion_mm"] for point in points if point["exclusion_mm"] is not None]
    charts = []
    for column in (column for measure in measures for column in measure.columns if not column.count):
        lines = {
            name: [
                place
                for point in points
                if point["name"] == name and point.get(column.key) is not None
                for place in _places(point, column.key, radii_mm)
            ]
            for name in names
        }
        level = ceiling.values.get(column.key)
        if any(lines.values()):
            charts.append(
                line_chart(
                    column.heading,
                    "training frames left out within, mm",
                    lines,
                    {} if level is None else {ceiling.name: level},
                )
            )
    if not charts:
        return ""
    note = (
        "Baselines made anew without the training frames that lie this near a held-out pose, on the same "
        f"{points[0]['frames']} held-out frames; a model is a dot at the exclusion that it was trained with, or a "
        "level line where it was trained on other recordings."
    )
    return "\n".join(
        [
            "<h2>Scores against the exclusion radius</h2>",
            f'<p class="note">{note}</p>',
            legend(names, [ceiling.name]),
            *charts,
        ]
    )


def _places(point: Mapping[str, Any], key: str, radii_mm: Sequence[float]) -> list[tuple[float, float]]:
    """Where a point of the curve stands in a chart; without a radius at both ends of the axis."""
    radius_mm = point["exclusion_mm"]
    return [(x, point[key]) for x in ((min(radii_mm), max(radii_mm)) if radius_mm is None else (radius_mm,))]


def _point(row: Row, radius_mm: float | None, training_frames: int | None) -> dict[str, Any]:
    return {
        "name": row.name,
        "exclusion_mm": radius_mm,
        "training_frames": training_frames,
        "frames": row.frames,
        **row.values,
    }
