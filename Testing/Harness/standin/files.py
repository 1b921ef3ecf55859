"""Loading and saving of files as `slicer.util` asks the application for it, for the kinds that our scripts use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_KINDS = {
    ".mrk.json": "MarkupsFile",
    ".seq.nrrd": "SequenceFile",
    ".tfm": "TransformFile",
    ".h5": "TransformFile",
    ".nrrd": "VolumeFile",
    ".mha": "VolumeFile",
    ".vtk": "ModelFile",
    ".csv": "TableFile",
    ".mrml": "SceneFile",
    ".mrb": "SceneFile",
}


class Files:
    """slicer.app.ioManager()."""

    def __init__(self, slicer: Any) -> None:
        self._slicer = slicer

    def fileType(self, path: str) -> str:
        return next((kind for end, kind in _KINDS.items() if str(path).endswith(end)), "NoFile")

    def loadNodes(
        self, kind: str, properties: dict[str, Any], nodes: Any = None, _messages: Any = None
    ) -> bool:
        """Load a file into the scene; whether it went well."""
        path = str(properties["fileName"])
        if not Path(path).exists():
            return False
        if kind == "SceneFile":
            return self.loadScene(path, bool(properties.get("clear", False)))
        node = self._load(kind, path, properties.get("name") or Path(path).name.split(".")[0])
        if node is not None and nodes is not None:
            nodes.AddItem(node)
        return node is not None

    def _load(self, kind: str, path: str, name: str) -> Any | None:
        scene, modules = self._slicer.mrmlScene, self._slicer.modules
        loading: dict[str, Any] = {
            "MarkupsFile": lambda: scene.GetNodeByID(modules.markups.logic().LoadMarkups(path, name)),
            "VolumeFile": lambda: modules.volumes.logic().AddArchetypeVolume(path, name, 0),
            "TransformFile": lambda: modules.transforms.logic().AddTransform(path, scene),
            "ModelFile": lambda: modules.models.logic().AddModel(path),
            "TableFile": lambda: modules.tables.logic().AddTable(path),
            "SequenceFile": lambda: modules.sequences.logic().AddSequence(path),
        }
        if kind not in loading:
            raise NotImplementedError(f"The stand-in loads no {kind}: {path}")
        return loading[kind]()

    def loadScene(self, path: str, clear: bool = True) -> bool:
        """Load a scene, in place of this one or into it."""
        scene = self._slicer.mrmlScene
        if path.endswith(".mrb"):
            return bool(scene.ReadFromMRB(path, clear))
        scene.SetURL(path)
        return bool(scene.Connect() if clear else scene.Import())

    def saveNodes(self, kind: str, properties: dict[str, Any], _messages: Any = None) -> bool:
        """Save a scene or a node; whether it went well."""
        scene, path = self._slicer.mrmlScene, str(properties["fileName"])
        if kind == "SceneFile":
            return bool(scene.WriteToMRB(path, None) if path.endswith(".mrb") else scene.Commit(path))
        node = scene.GetNodeByID(properties["nodeID"])
        node.AddDefaultStorageNode()
        node.GetStorageNode().SetFileName(path)
        return bool(node.GetStorageNode().WriteData(node))

    def fileWriterFileType(self, node: Any, _end: str = "") -> str:
        kinds = ("Sequence", "Markups", "Transform", "Model", "Table", "Volume")
        return next((f"{kind}File" for kind in kinds if node.IsA(f"vtkMRML{kind}Node")), "NoFile")
