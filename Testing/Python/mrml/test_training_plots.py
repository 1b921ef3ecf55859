"""Losses and scores in real MRML nodes: what stands in the table is what stands in metrics.csv."""

from __future__ import annotations

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from USGanSimLib.model.recipes import RECIPES  # noqa: E402
from USGanSimLib.model.run_watch import Metrics  # noqa: E402
from USGanSimLib.mrml.scene import headless_scene  # noqa: E402
from USGanSimLib.mrml.training.plots import CHARTS, LOSSES, MOST_POINTS, SCORES, TrainingPlots  # noqa: E402


@pytest.fixture
def scene():
    with headless_scene() as scene:
        yield scene


def metrics(count, **columns):
    return Metrics({"step": np.arange(1.0, count + 1), **columns})


def column(series, name):
    table = series.GetTableNode().GetTable()
    return [table.GetValueByName(row, name).ToDouble() for row in range(table.GetNumberOfRows())]


def test_a_curve_shows_its_column_against_the_iteration(scene):
    plots = TrainingPlots(scene)
    seen = metrics(3, loss_g=np.array([3.0, 2.0, 1.0]), seconds=np.ones(3))
    plots.fill(seen)
    chart = plots.chart(LOSSES, seen)
    assert chart.GetNumberOfPlotSeriesNodes() == 1
    series = chart.GetNthPlotSeriesNode(0)
    assert column(series, series.GetXColumnName()) == [1, 2, 3]
    assert column(series, series.GetYColumnName()) == [3, 2, 1]


def test_a_recipe_without_a_discriminator_has_no_scores(scene):
    seen = metrics(2, loss_l2=np.zeros(2))
    plots = TrainingPlots(scene)
    plots.fill(seen)
    assert plots.chart(SCORES, seen) is None
    assert plots.chart(LOSSES, seen).GetNumberOfPlotSeriesNodes() == 1


def test_a_curve_without_points_waits_for_them(scene):
    """As in the first iterations of a recipe whose discriminator joins later."""
    seen = metrics(3, loss_g=np.full(3, np.nan), loss_l2=np.ones(3))
    later = metrics(5, loss_g=np.array([np.nan, np.nan, np.nan, 2.0, 1.0]), loss_l2=np.ones(5))
    plots = TrainingPlots(scene)
    for state, curves in ((seen, 1), (later, 2)):
        plots.fill(state)
        assert plots.chart(LOSSES, state).GetNumberOfPlotSeriesNodes() == curves
    assert column(plots.chart(LOSSES, later).GetNthPlotSeriesNode(0), "G against D") == [2, 1]


def test_filling_again_uses_the_same_nodes_in_another_session_too(scene):
    first = metrics(2, loss_g=np.zeros(2), accuracy_real=np.ones(2))
    plots = TrainingPlots(scene)
    for chart in CHARTS:
        plots.fill(first)
        plots.chart(chart, first)
    before = [node.GetID() for node in plots.nodes()]
    later = metrics(4, loss_g=np.ones(4), accuracy_real=np.ones(4))
    again = TrainingPlots(scene)
    again.fill(later)
    chart = again.chart(LOSSES, later)
    assert [node.GetID() for node in again.nodes()] == before
    assert column(chart.GetNthPlotSeriesNode(0), chart.GetNthPlotSeriesNode(0).GetYColumnName()) == [1] * 4


def test_a_long_run_is_thinned_and_keeps_its_mean(scene):
    values = np.random.default_rng(0).normal(size=20_000)
    seen = metrics(20_000, loss_g=values)
    plots = TrainingPlots(scene)
    plots.fill(seen)
    shown = column(plots.chart(LOSSES, seen).GetNthPlotSeriesNode(0), "G against D")
    assert len(shown) == MOST_POINTS
    assert np.mean(shown) == pytest.approx(values.mean())


def test_whatever_a_recipe_writes_has_a_curve():
    drawn = {curve.column for chart in CHARTS for curve in chart.curves}
    assert {name for recipe in RECIPES.values() for name in recipe.loss_names} == drawn
