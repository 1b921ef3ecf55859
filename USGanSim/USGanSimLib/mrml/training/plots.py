"""Losses and scores of a training as Slicer plots: one table, a series for each curve, and a chart for each kind.

Nodes are made once and then filled anew in place; they are found again by their role, so that a scene that was saved
and loaded, or a module that was reloaded, goes on with the ones that are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import numpy_to_vtk

from ...model.run_watch import Metrics

MOST_POINTS = 500
_ROLE = "USGanTraining.Plot"


@dataclass(frozen=True)
class Curve:
    """A column of metrics.csv, what it is called, and its colour (red, green, blue)."""

    column: str
    name: str
    colour: tuple[float, float, float]


@dataclass(frozen=True)
class Chart:
    """A chart: its name, the name of its vertical axis, and its curves."""

    name: str
    axis: str
    curves: tuple[Curve, ...]


LOSSES = Chart(
    "Training losses",
    "Loss",
    (
        Curve("loss_d_real", "D on real images", (0.12, 0.47, 0.71)),
        Curve("loss_d_fake", "D on simulated images", (0.55, 0.77, 0.91)),
        Curve("loss_g", "G against D", (0.84, 0.37, 0.0)),
        Curve("loss_l2", "G, L2 term", (0.17, 0.63, 0.17)),
        Curve("loss_score", "G, score of two samples", (0.58, 0.40, 0.74)),
        Curve("loss_critics", "critics", (0.12, 0.47, 0.71)),
        Curve("loss_adversary", "G against the critics", (0.84, 0.37, 0.0)),
    ),
)
SCORES = Chart(
    "Training scores",
    "Share judged rightly by D",
    (
        Curve("accuracy_real", "real images", (0.12, 0.47, 0.71)),
        Curve("accuracy_fake", "simulated images", (0.84, 0.37, 0.0)),
    ),
)
TEXTURE = Chart(
    "Training texture",
    "SDs between simulated and real images",
    (Curve("texture_distance", "as the discriminant on random filters sees them", (0.58, 0.40, 0.74)),),
)
CHARTS = (LOSSES, SCORES, TEXTURE)


class TrainingPlots:
    """The nodes of all charts in one scene."""

    def __init__(self, scene: Any) -> None:
        self._scene = scene

    def fill(self, metrics: Metrics) -> None:
        """Show what was read of metrics.csv, thinned to at most MOST_POINTS means."""
        for chart in CHARTS:
            for curve in self._curves(chart, metrics):
                steps, values = metrics.thinned(curve.column, MOST_POINTS)
                _set_columns(self._table(curve), {"iteration": steps, curve.name: values})

    def chart(self, chart: Chart, metrics: Metrics) -> Any | None:
        """The chart's node with the curves that the metrics have points of; None where there are none yet."""
        curves = self._curves(chart, metrics)
        if not curves:
            return None
        node = self._node("vtkMRMLPlotChartNode", chart.name)
        node.SetTitle(chart.name)
        node.SetXAxisTitle("Iteration")
        node.SetYAxisTitle(chart.axis)
        node.SetLegendVisibility(True)
        series = [self._series(curve).GetID() for curve in curves]
        if [node.GetNthPlotSeriesNodeID(k) for k in range(node.GetNumberOfPlotSeriesNodes())] != series:
            node.RemoveAllPlotSeriesNodeIDs()
            for identity in series:
                node.AddAndObservePlotSeriesNodeID(identity)
        return node

    def nodes(self) -> list[Any]:
        """All nodes that were made."""
        return [
            node
            for kind in ("vtkMRMLTableNode", "vtkMRMLPlotSeriesNode", "vtkMRMLPlotChartNode")
            for node in self._of_class(kind)
            if node.GetAttribute(_ROLE)
        ]

    def _curves(self, chart: Chart, metrics: Metrics) -> Sequence[Curve]:
        # A line has two points at least; in the first iterations of some recipes there is no discriminator yet.
        return [
            curve
            for curve in chart.curves
            if np.isfinite(metrics.columns.get(curve.column, np.nan)).sum() > 1
        ]

    def _table(self, curve: Curve) -> Any:
        return self._node("vtkMRMLTableNode", curve.column)

    def _series(self, curve: Curve) -> Any:
        node = self._node("vtkMRMLPlotSeriesNode", curve.column)
        if node.GetTableNodeID() is None:
            node.SetName(curve.name)
            node.SetAndObserveTableNodeID(self._table(curve).GetID())
            node.SetXColumnName("iteration")
            node.SetYColumnName(curve.name)
            node.SetPlotType(slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter)
            node.SetMarkerStyle(slicer.vtkMRMLPlotSeriesNode.MarkerStyleNone)
            node.SetColor(*curve.colour)
            node.SetLineWidth(2)
        return node

    def _node(self, kind: str, role: str) -> Any:
        for node in self._of_class(kind):
            if node.GetAttribute(_ROLE) == role:
                return node
        node = self._scene.AddNewNodeByClass(kind, role)
        node.SetAttribute(_ROLE, role)
        return node

    def _of_class(self, kind: str) -> list[Any]:
        return [
            self._scene.GetNthNodeByClass(k, kind) for k in range(self._scene.GetNumberOfNodesByClass(kind))
        ]


def _set_columns(node: Any, columns: dict[str, NDArray[np.float64]]) -> None:
    """Replace the table's content, with one Modified."""
    table = vtk.vtkTable()
    for name, values in columns.items():
        column = numpy_to_vtk(np.ascontiguousarray(values), deep=True)
        column.SetName(name)
        table.AddColumn(column)
    node.SetAndObserveTable(table)
