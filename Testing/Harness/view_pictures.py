"""Pictures of MRML that the harness has no view for: charts, drawn by VTK as Slicer's plot view does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import vtk


def chart_picture(node: Any, path: Path, width_px: int = 640, height_px: int = 400) -> None:
    """Draw a plot chart node with its series to a PNG."""
    view = vtk.vtkContextView()
    window = view.GetRenderWindow()
    window.SetOffScreenRendering(True)
    window.SetSize(width_px, height_px)
    view.GetRenderer().SetBackground(1, 1, 1)
    chart = vtk.vtkChartXY()
    view.GetScene().AddItem(chart)
    chart.SetTitle(node.GetTitle())
    chart.SetShowLegend(node.GetLegendVisibility())
    chart.GetAxis(vtk.vtkAxis.BOTTOM).SetTitle(node.GetXAxisTitle())
    chart.GetAxis(vtk.vtkAxis.LEFT).SetTitle(node.GetYAxisTitle())
    for place in range(node.GetNumberOfPlotSeriesNodes()):
        series = node.GetNthPlotSeriesNode(place)
        line = chart.AddPlot(vtk.vtkChart.LINE)
        line.SetInputData(series.GetTableNode().GetTable(), series.GetXColumnName(), series.GetYColumnName())
        line.SetColorF(*series.GetColor())
        line.SetWidth(series.GetLineWidth())
    window.Render()
    shot = vtk.vtkWindowToImageFilter()
    shot.SetInput(window)
    writer = vtk.vtkPNGWriter()
    writer.SetFileName(str(path))
    writer.SetInputConnection(shot.GetOutputPort())
    writer.Write()
