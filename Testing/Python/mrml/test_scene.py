"""What a scene of an older version calls otherwise."""

from __future__ import annotations

import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from USGanSimLib.mrml.scene import headless_scene, rename_parameters  # noqa: E402

NAMES = {"pinLag": "pinLagS", "maxLag": "maxLagS"}


def parameters(node) -> dict[str, str]:
    return {name: node.GetParameter(name) for name in node.GetParameterNames()}


@pytest.fixture
def node(scene):
    return scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", "USGanTraining")


def test_values_of_a_saved_scene_come_under_their_new_names(scene, node, tmp_path):
    node.SetParameter("pinLag", "-0.12")
    node.SetParameter("pinMost", "50")
    scene.Commit(str(tmp_path / "old.mrml"))
    with headless_scene() as loaded:
        loaded.SetURL(str(tmp_path / "old.mrml"))
        loaded.Import()
        saved = loaded.GetFirstNodeByName("USGanTraining")
        rename_parameters(saved, NAMES)
        assert parameters(saved) == {"pinLagS": "-0.12", "pinMost": "50"}


def test_a_value_that_was_saved_wins_against_a_default_under_the_new_name(node):
    node.SetParameter("maxLagS", "0.4")
    node.SetParameter("maxLag", "1.5")
    rename_parameters(node, NAMES)
    assert parameters(node) == {"maxLagS": "1.5"}


def test_whoever_watches_a_node_without_old_names_hears_nothing(node):
    node.SetParameter("pinLagS", "0.2")
    heard = []
    node.AddObserver("ModifiedEvent", lambda *_: heard.append(1))
    rename_parameters(node, NAMES)
    assert heard == []
    node.SetParameter("pinLag", "0.3")
    heard.clear()
    rename_parameters(node, NAMES)
    assert heard == [1]
