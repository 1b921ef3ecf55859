"""The panels entered and left many times, in Slicer 5.12 and in 5.10, whose own disconnecting leaves observers."""

from __future__ import annotations

import pytest


def as_in_5_10(self, tag):
    """What disconnectGui does there."""
    for connector in self._parameterGUIs.pop(tag).values():
        connector.onChanged(None)


@pytest.fixture(params=["5.10", "5.12"])
def slicer_version(request, monkeypatch):
    """The wrapper's class behaves like that of a version of Slicer."""

    def of(wrapper_class):
        if request.param == "5.10":
            monkeypatch.setattr(wrapper_class, "disconnectGui", as_in_5_10)

    return of


@pytest.fixture
def updates(harness, monkeypatch):
    """How often a change of a parameter was written to widgets."""
    from slicer.parameterNodeWrapper import wrapper

    calls, update = [], wrapper._updateGUIFromParameterNode

    def counted(parameters):
        calls.append(parameters)
        update(parameters)

    monkeypatch.setattr(wrapper, "_updateGUIFromParameterNode", counted)
    return calls


def costs(parameters, updates, change):
    """Updates of one change, and the observers of the node."""
    from standin.observers import count_observers

    updates.clear()
    change(parameters)
    return len(updates), count_observers(parameters.parameterNode)


def change_samples(parameters):
    parameters.samples = 2 + parameters.samples % 7


def change_lag(parameters):
    parameters.maxLagS = 1.0 if parameters.maxLagS != 1.0 else 0.5


def test_a_change_costs_the_same_after_a_hundred_entries_of_usgansim(panel, parts, slicer_version, updates):
    slicer_version(type(panel.parameters))
    first = costs(panel.parameters, updates, change_samples)
    assert first[0] == 1
    for _ in range(100):
        panel.parent.exit()
        panel.parent.enter()
    assert costs(panel.parameters, updates, change_samples) == first


def test_a_change_costs_the_same_after_a_hundred_entries_of_usgantraining(
    training_module, training_panel, slicer_version, updates
):
    slicer_version(type(training_panel.parameters))
    first = costs(training_panel.parameters, updates, change_lag)
    assert first[0] == 1
    for _ in range(100):
        training_module.widgetRepresentation().exit()
        training_module.widgetRepresentation().enter()
    assert costs(training_panel.parameters, updates, change_lag) == first


def test_the_scene_closed_twenty_times_leaves_no_observer(panel, parts, harness, slicer_version, updates):
    slicer_version(type(panel.parameters))
    first = costs(panel.parameters, updates, change_samples)
    for _ in range(20):
        harness.slicer.mrmlScene.Clear(False)
    assert costs(panel.parameters, updates, change_samples) == first


def test_widgets_and_parameters_follow_each_other_after_coming_back(panel, parts):
    for _ in range(2):
        panel.parent.exit()
        panel.parent.enter()
    panel.parameters.halfLifeS = 7.0
    assert parts["Variation"].ui.halfLifeSlider.value == 7.0
    parts["Variation"].ui.halfLifeSlider.value = 4.0
    assert panel.parameters.halfLifeS == 4.0
