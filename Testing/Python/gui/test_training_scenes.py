"""Scenes of an older version in the panel of USGanTraining."""

from __future__ import annotations

import pytest

OLD_VALUES = {
    "pinLag": "-0.125",
    "maxLag": "1.5",
    "pixelWidth": "0.25",
    "pixelHeight": "0.5",
    "studyBlur": "3,0",
}


@pytest.fixture
def old_scene(training_panel, harness, tmp_path):
    """A scene that was saved when five parameters had no unit in their names."""
    path, node = tmp_path / "old.mrml", training_panel.parameters.parameterNode
    for name in node.GetParameterNames():
        if any(name.startswith(old) for old in OLD_VALUES):
            node.UnsetParameter(name)
    for name, value in OLD_VALUES.items():
        node.SetParameter(name, value)
    harness.slicer.mrmlScene.Commit(str(path))
    harness.slicer.mrmlScene.Clear()
    return path


def values(parameters):
    return [
        parameters.pinLagS,
        parameters.maxLagS,
        parameters.pixelWidthMm,
        parameters.pixelHeightMm,
        parameters.studyBlurMm,
    ]


@pytest.mark.parametrize("shown", [True, False])
def test_a_scene_saved_before_the_units_were_in_the_names_has_its_values(
    training_panel, tab, training_module, harness, old_scene, shown
):
    defaults = [0.0, 0.4, 0.1, 0.1, "2,1.5,1,0.5,0"]
    assert values(training_panel.parameters) == defaults
    if not shown:
        training_module.widgetRepresentation().exit()
    harness.slicer.mrmlScene.SetURL(str(old_scene))
    harness.slicer.mrmlScene.Connect()
    if not shown:
        training_module.widgetRepresentation().enter()
    assert values(training_panel.parameters) == [-0.125, 1.5, 0.25, 0.5, "3,0"]
    pin, lag = tab("PinSection").ui, tab("LagSection").ui
    boxes = (pin.pinLagSpinBox, lag.maxLagSpinBox, pin.pixelWidthSpinBox, pin.pixelHeightSpinBox)
    assert [box.value for box in boxes] == [-0.125, 1.5, 0.25, 0.5]
    assert not set(training_panel.parameters.parameterNode.GetParameterNames()) & set(OLD_VALUES)
