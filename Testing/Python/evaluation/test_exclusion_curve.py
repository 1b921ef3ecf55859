"""Scores against the exclusion radius, and the charts of them."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from USGanSimLib.evaluation.measures.metrics import Column, PointMeasure
from USGanSimLib.evaluation.measures.points import truth_of_dataset
from USGanSimLib.evaluation.measures.spots import fit_detector
from USGanSimLib.evaluation.predictors.predictor import RealImage
from USGanSimLib.evaluation.report.charts import legend, line_chart
from USGanSimLib.evaluation.report.exclusion_curve import curve_charts, exclusion_curve
from USGanSimLib.evaluation.study.comparison import Row
from USGanSimLib.progress import Silent


class Elsewhere(RealImage):
    name = "model of other recordings"


def numbers(svg: str, kind: str) -> list[tuple[float, float]]:
    root = ElementTree.fromstring(svg)
    return [
        (float(e.get("cx")), float(e.get("cy"))) for e in root.iter(f"{{http://www.w3.org/2000/svg}}{kind}")
    ]


def test_the_nearest_frame_gets_worse_by_what_is_left_out(dotted_set) -> None:
    """Frames stand 0.5 mm apart with eight held out: the nearest is 1.25 mm away on average, and with all frames within
    r of the block gone, (0.5 … 2 mm) + r."""
    dataset, points = dotted_set
    truth = truth_of_dataset(dataset, [points])
    measures = [PointMeasure(truth, fit_detector(dataset, truth, 5.0), 5.0)]
    models = [(RealImage(dataset), 3.0), (Elsewhere(dataset), None)]
    curve = exclusion_curve(dataset, [0, 1.1, 2.1, 50], measures, models, 1, 0, Silent())
    nearest = [point for point in curve if point["name"] == "nearest training frame"]
    assert [(point["exclusion_mm"], point["training_frames"]) for point in nearest] == [
        (0, 16),
        (1.1, 12),
        (2.1, 8),
    ]
    found_mm = [point["points_mean_mm"] for point in nearest]
    assert found_mm == [pytest.approx(1.25 + cut, abs=0.06) for cut in (0, 1, 2)]
    (model,) = [point for point in curve if point["name"] == "real image"]
    assert (model["exclusion_mm"], model["frames"]) == (3.0, 8)
    charts = curve_charts(curve, Row("real image", 8, 1, {"points_mean_mm": 0.0}), measures)
    assert charts.count("<svg") == len(
        [c for c in measures[0].columns if any(p.get(c.key) is not None for p in curve)]
    )
    assert "on the same 8 held-out frames" in charts
    assert "average" not in charts, "it would make the others small"


def test_a_model_of_other_recordings_is_a_level_line_and_counts_are_not_drawn() -> None:
    class Tables:
        columns = (Column("error_mm", "error, mm"), Column("read", "read", 0, count=True))

    points = [
        {"name": name, "exclusion_mm": radius, "frames": 4, "error_mm": value, "read": 9.0}
        for name, radius, value in (("nearest", 0, 1.0), ("nearest", 5, 3.0), ("model", None, 2.0))
    ]
    charts = curve_charts(points, Row("real image", 4, 1, {}), [Tables])
    (svg,) = re.findall("<svg.*?</svg>", charts, re.DOTALL)
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = numbers(svg, "circle")
    assert (x2, x3) == (x0, x1), "from the first radius to the last"
    assert y2 == y3 == pytest.approx((y0 + y1) / 2, abs=0.1)


def test_no_radii_no_charts() -> None:
    assert curve_charts([], Row("real image", 1, 1, {}), []) == ""


def test_a_line_is_drawn_to_scale() -> None:
    svg = line_chart("A & B", "mm", {"a": [(0, 1.0), (10, 3.0), (5, 2.0)], "b": []}, {"real": 2.0})
    (x0, y0), (x1, y1), (x2, y2) = numbers(svg, "circle")
    assert x0 < x1 < x2
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.11)
    assert y0 > y1 > y2
    assert y0 - y1 == pytest.approx(y1 - y2, abs=0.11)
    assert re.search(rf'd="M[\d.]+ {y1}H\d+" stroke="#111"', svg), (
        "the level stands at the height of its value"
    )
    assert "A &amp; B" in svg


@pytest.mark.parametrize("values", [(0.0, 0.0), (5.0, 5.0), (-1e-4, 1e-4), (0.871, 0.93), (0, 43000)])
def test_ticks_are_few_and_round(values) -> None:
    svg = line_chart("t", "x", {"a": [(0, values[0]), (1, values[1])]})
    ticks = re.findall(r'text-anchor="end">([^<]+)<', svg)
    assert 2 <= len(ticks) <= 8
    assert all(len(tick.strip("-")) <= 6 for tick in ticks)


def test_the_legend_names_lines_in_their_colours_and_levels() -> None:
    text = legend(["a <b>", "c"], ["real"])
    svg = line_chart("t", "x", {"a <b>": [(0, 1)], "c": [(0, 2)]})
    colours = re.findall(r"color:(#\w+)", text)
    assert [f'fill="{colour}"' in svg for colour in colours] == [True, True]
    assert "a &lt;b&gt;" in text
    assert "real" in text
