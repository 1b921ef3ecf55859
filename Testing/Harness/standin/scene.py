"""The scene with what the application puts into it, and the logics of Slicer's own modules."""

from __future__ import annotations

from typing import Any

import vtk

from .application import make_folder, qSlicerApplication

# slicer.modules.NAME.logic(), where slicer-core has the class.
_LOGICS = {
    "Volumes": "vtkSlicerVolumesLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "Models": "vtkSlicerModelsLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Sequences": "vtkSlicerSequencesLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Texts": "vtkSlicerTextsLogic",
    "Plots": "vtkSlicerPlotsLogic",
    "Units": "vtkSlicerUnitsLogic",
    "VolumeRendering": "vtkSlicerVolumeRenderingLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Cameras": "vtkSlicerCamerasModuleLogic",
}
# What the application's plug-ins put into the subject hierarchy.
_IN_HIERARCHY = ("Displayable", "Table", "Text", "Sequence", "SequenceBrowser")
_NOT_IN_HIERARCHY = ("Camera", "AbstractView")


class LoadedModule:
    """A module in C++, of which the logic is there."""

    path = ""

    def __init__(self, name: str, logic: Any) -> None:
        self.name, self._logic = name, logic

    def logic(self) -> Any:
        return self._logic

    def widgetRepresentation(self) -> None:
        """There is none without the application."""


def make_scene(slicer: Any, app: qSlicerApplication) -> list[Any]:
    """Make slicer.mrmlScene and the application's logic. What is returned has to be kept."""
    scene = slicer.mrmlScene = slicer.vtkMRMLScene()
    scene.SetRootDirectory(app.temporaryPath)
    crosshair = slicer.vtkMRMLCrosshairNode()
    crosshair.SetCrosshairName("default")
    scene.AddNode(crosshair)
    cache = slicer.vtkCacheManager()
    cache.SetRemoteCacheDirectory(make_folder(app.temporaryPath, "RemoteIO"))
    cache.SetMRMLScene(scene)
    scene.SetCacheManager(cache)
    logic = slicer.vtkSlicerApplicationLogic()
    logic.SetMRMLScene(scene)
    # Scenes in one file (.mrb) are not read without these.
    remote, files = slicer.vtkMRMLRemoteIOLogic(), slicer.vtkDataIOManagerLogic()
    remote.SetMRMLScene(scene)
    files.SetMRMLScene(scene)
    remote.AddDataIOToScene()
    scene.GetCacheManager().SetRemoteCacheDirectory(cache.GetRemoteCacheDirectory())
    logic.SetTemporaryPath(app.temporaryPath)
    logic.GetColorLogic().SetMRMLScene(scene)
    logic.GetColorLogic().AddDefaultColorNodes()
    app._logic = logic
    return [cache, remote, files]


def add_core_modules(slicer: Any, app: qSlicerApplication) -> None:
    """Make the logics of Slicer's own modules, and put new nodes into the subject hierarchy."""
    application = app.applicationLogic()
    app.add_module(LoadedModule("Colors", application.GetColorLogic()))
    for name, class_name in _LOGICS.items():
        if hasattr(slicer, class_name):
            logic = getattr(slicer, class_name)()
            logic.SetMRMLApplicationLogic(application)
            logic.SetMRMLScene(slicer.mrmlScene)
            application.SetModuleLogic(name, logic)
            app.add_module(LoadedModule(name, logic))
    scene = slicer.mrmlScene

    def added(_caller: Any, _event: str, node: Any) -> None:
        if node is not None and not scene.IsClosing() and _belongs_in_hierarchy(node):
            hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
            if not hierarchy.GetItemByDataNode(node):
                hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)

    added.CallDataType = vtk.VTK_OBJECT  # type: ignore[attr-defined]
    scene.AddObserver(scene.NodeAddedEvent, added)


def _belongs_in_hierarchy(node: Any) -> bool:
    return (
        not node.GetHideFromEditors()
        and any(node.IsA(f"vtkMRML{kind}Node") for kind in _IN_HIERARCHY)
        and not any(node.IsA(f"vtkMRML{kind}Node") for kind in _NOT_IN_HIERARCHY)
    )
