"""Recordings as MRML sequences with a browser, and back.

Every sequence has one item a frame under the same index value, so an image and its poses belong together whatever a
browser does. Index values are seconds from the first frame; an item carries its frame's exact time stamp and the other
fields as attributes. A sequence browser node exists only in a scene that a sequences logic knows: in Slicer, and after
`sequences_logic` elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

import numpy as np
import slicer
import slicer.util
import vtk
from numpy.typing import NDArray

from ..errors import UserError
from ..geometry.transforms import Matrix, TransformTrack, split_transform_name
from ..recording.sequence_fields import INVALID, OK, TIMESTAMP, TRANSFORM_STATUS
from ..recording.sweep import TrackedSweep
from .output_volume import show_in_fixed_grey
from .transform_chain import STATUS_ATTRIBUTE, STATUS_OK, from_vtk, to_vtk

IMAGE, IMAGE_STATUS = "Image", "ImageStatus"
TRANSFORM_ATTRIBUTE = "USGanSim.Transform"
MOST_BYTES = 2 << 30
# Sequences take index values within a tolerance for one; stamps that repeat are set this far apart.
_TOLERANCE_S, _APART_S = 1e-7, 1e-6


def sequences_logic(scene: Any) -> Any:
    """Make sequence browsers possible in a scene without the application. Keep the logic as long as the scene."""
    logic = slicer.vtkSlicerSequencesLogic()
    logic.SetMRMLScene(scene)
    return logic


def export_sweep(
    scene: Any,
    sweep: TrackedSweep,
    name: str,
    image_to_probe: Matrix | None = None,
    most_bytes: int = MOST_BYTES,
    progress: Callable[[int, int], None] | None = None,
) -> Any:
    """The browser node of a recording in the scene: an image sequence and one for each transform.

    With `image_to_probe` there is also a sequence ImageToReference, to hang the image under. `progress` is told frames
    done and of how many. Raises UserError for a recording whose images would take more than `most_bytes` of memory, and
    where no browser can be made.
    """
    steps = exporting_sweep(scene, sweep, name, image_to_probe, most_bytes)
    while True:
        try:
            share = next(steps)
        except StopIteration as end:
            return end.value
        if progress is not None:
            progress(round(share * len(sweep)), len(sweep))


def exporting_sweep(
    scene: Any,
    sweep: TrackedSweep,
    name: str,
    image_to_probe: Matrix | None = None,
    most_bytes: int = MOST_BYTES,
) -> Generator[float, None, Any]:
    """`export_sweep` in steps: yields the share that is done, returns the browser. Who leaves off, or an error, leaves
    no node behind."""
    if sweep.frames.nbytes > most_bytes:
        raise UserError(
            f"{sweep.name} would take {sweep.frames.nbytes / 1e9:.1f} GB of memory as a sequence "
            f"(at most {most_bytes / 1e9:.1f}).",
            "Export a part of it.",
        )
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", name)
    if browser is None:
        raise UserError(
            "The scene has no sequence browsers.", "Load the Sequences module, or use sequences_logic."
        )
    tracks = dict(sweep.transforms)
    if image_to_probe is not None:
        tracks["ImageToReference"] = sweep.graph(image_to_probe).track("Image", "Reference")
    made = [browser]
    try:
        for whole, part in _filling(scene, sweep, name, tracks, made):
            yield (whole + part) / (len(tracks) + 1)
    except BaseException:
        _remove(scene, made)
        raise
    return browser


def _filling(
    scene: Any, sweep: TrackedSweep, name: str, tracks: Mapping[str, TransformTrack], made: list[Any]
) -> Iterator[tuple[int, float]]:
    """Make the sequences of the browser `made[0]`: yields how many are whole, and the share of the next. `made` gets
    every node as it is made."""
    browser, values = made[0], _index_values(sweep.timestamps_s)
    images = _new_sequence(scene, IMAGE, name)
    made.append(images)
    browser.SetAndObserveMasterSequenceNodeID(images.GetID())
    for number, (value, item) in enumerate(zip(values, _image_items(sweep), strict=True), 1):
        images.SetDataNodeAtValue(item, value)
        yield 0, number / len(values)
    for whole, (transform, track) in enumerate(tracks.items(), 1):
        sequence = _new_sequence(scene, transform, name)
        made.append(sequence)
        sequence.SetAttribute(TRANSFORM_ATTRIBUTE, transform)
        for number, (value, item) in enumerate(
            zip(values, _transform_items(sweep, transform, track), strict=True), 1
        ):
            sequence.SetDataNodeAtValue(item, value)
            yield whole, number / len(values)
        browser.AddSynchronizedSequenceNode(sequence.GetID())


def _remove(scene: Any, made: list[Any]) -> None:
    """Take a browser and its sequences out again, with what it shows of them."""
    browser, *sequences = made
    shown = [node for sequence in sequences if (node := browser.GetProxyNode(sequence)) is not None]
    helpers = [
        helper for node in shown for helper in (node.GetDisplayNode(), node.GetStorageNode()) if helper
    ]
    for node in [browser, *sequences, *shown, *helpers]:
        scene.RemoveNode(node)


def show_sequences(logic: Any, browser: Any, image_under: str) -> Any:
    """Bring the browser's present item into the scene, its image under the transform `image_under` (ImageToRas, say).

    `logic` is that of the Sequences module. Returns the image's volume node.
    """
    logic.UpdateProxyNodesFromSequences(browser)
    proxies = {
        sequence.GetAttribute(TRANSFORM_ATTRIBUTE): browser.GetProxyNode(sequence)
        for sequence in _sequences(browser)
    }
    volume = proxies[None]
    volume.SetAndObserveTransformNodeID(proxies[image_under].GetID())
    show_in_fixed_grey(volume)
    return volume


def import_sweep(browser: Any) -> TrackedSweep:
    """The recording that a browser's sequences hold, made here or recorded in Slicer.

    A frame has the poses with exactly its index value; a transform without one is invalid there. The transform of a
    sequence is told by its name (`ProbeToTracker`, `ProbeToTracker-Sequence`). Raises UserError where there are no
    images of 8 bits and one size.
    """
    sequences = _sequences(browser)
    images = next((one for one in sequences if _holds(one, "vtkMRMLVolumeNode")), None)
    if images is None:
        raise UserError(
            f"{browser.GetName()} has no sequence of images.", "Choose the browser of a recording."
        )
    count = images.GetNumberOfDataNodes()
    items = [images.GetNthDataNode(number) for number in range(count)]
    values = [images.GetNthIndexValue(number) for number in range(count)]
    transforms = {
        name: _track(sequence, values)
        for sequence in sequences
        if sequence is not images and (name := _transform_of(sequence, browser)) is not None
    }
    fields = {field: tuple(item.GetAttribute(field) for item in items) for field in _fields(items)}
    return TrackedSweep(
        _frames(items, browser.GetName()),
        np.array(list(map(_stamp_s, items, values))),
        transforms,
        np.array([item.GetAttribute(IMAGE_STATUS) in (None, OK) for item in items]),
        browser.GetName(),
        fields,
    )


def _new_sequence(scene: Any, what: str, name: str) -> Any:
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", f"{name} {what}")
    sequence.SetIndexName("time")
    sequence.SetIndexUnit("s")
    sequence.SetIndexType(slicer.vtkMRMLSequenceNode.NumericIndex)
    sequence.SetNumericIndexValueTolerance(_TOLERANCE_S)
    return sequence


def _index_values(stamps_s: NDArray[np.float64]) -> list[str]:
    """One value a frame, increasing: sequences sort by it and keep one item for each."""
    values_s: list[float] = []
    for stamp_s in (stamps_s - stamps_s[0]).tolist():
        values_s.append(max(stamp_s, values_s[-1] + _APART_S) if values_s else stamp_s)
    return [f"{value_s:.7f}" for value_s in values_s]


def _image_items(sweep: TrackedSweep) -> Iterator[Any]:
    """One node that shows frame after frame; a sequence copies it."""
    node, data = slicer.vtkMRMLScalarVolumeNode(), vtk.vtkImageData()
    node.SetName(IMAGE)
    data.SetDimensions(sweep.width_px, sweep.height_px, 1)
    data.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    node.SetAndObserveImageData(data)
    pixels = slicer.util.arrayFromVolume(node)
    for number, stamp_s in enumerate(sweep.timestamps_s.tolist()):
        pixels[0] = sweep.frames[number]
        node.SetAttribute(TIMESTAMP, repr(stamp_s))
        node.SetAttribute(IMAGE_STATUS, OK if sweep.image_valid[number] else INVALID)
        for field, values in sweep.frame_fields.items():
            node.SetAttribute(field, values[number])
        yield node


def _transform_items(sweep: TrackedSweep, name: str, track: TransformTrack) -> Iterator[Any]:
    node = slicer.vtkMRMLLinearTransformNode()
    node.SetName(name)
    statuses = sweep.frame_fields.get(name + TRANSFORM_STATUS, (None,) * len(sweep))
    for number, status in enumerate(statuses):
        at = number if len(track) > 1 else 0
        node.SetMatrixTransformToParent(to_vtk(track.matrices[at]))
        node.SetAttribute(STATUS_ATTRIBUTE, STATUS_OK if track.valid[at] else status or INVALID)
        yield node


def _sequences(browser: Any) -> list[Any]:
    found = vtk.vtkCollection()
    browser.GetSynchronizedSequenceNodes(found, True)
    return [found.GetItemAsObject(number) for number in range(found.GetNumberOfItems())]


def _holds(sequence: Any, kind: str) -> bool:
    return bool(sequence.GetNumberOfDataNodes() and sequence.GetNthDataNode(0).IsA(kind))


def _transform_of(sequence: Any, browser: Any) -> str | None:
    """The name of the transform that a sequence holds, or None where it holds something else."""
    if not _holds(sequence, "vtkMRMLLinearTransformNode"):
        return None
    proxy = browser.GetProxyNode(sequence)
    for text in (
        sequence.GetAttribute(TRANSFORM_ATTRIBUTE),
        proxy.GetName() if proxy is not None else None,
        sequence.GetName(),
    ):
        # The last word: names are made unique in front, and Slicer adds an ending.
        name = (text or "").removesuffix("-Sequence").split(" ")[-1]
        try:
            split_transform_name(name)
        except UserError:
            continue
        return name
    raise UserError(
        f"The sequence {sequence.GetName()} has transforms of an unknown name.",
        "Name it as PLUS does, for example ProbeToTracker.",
    )


def _track(sequence: Any, values: list[str]) -> TransformTrack:
    matrices, valid = np.tile(np.eye(4), (len(values), 1, 1)), np.zeros(len(values), bool)
    matrix = vtk.vtkMatrix4x4()
    for number, value in enumerate(values):
        item = sequence.GetDataNodeAtValue(value, True)
        if item is None:
            continue
        item.GetMatrixTransformToParent(matrix)
        matrices[number] = from_vtk(matrix)
        valid[number] = item.GetAttribute(STATUS_ATTRIBUTE) in (None, STATUS_OK)
    return TransformTrack(matrices, valid)


def _fields(items: list[Any]) -> list[str]:
    """The attributes of the images that are fields of frames; those of modules have a dot (Sequences.BaseName)."""
    names = {name: None for item in items for name in item.GetAttributeNames()}
    return [name for name in names if name not in (TIMESTAMP, IMAGE_STATUS) and "." not in name]


def _stamp_s(item: Any, value: str) -> float:
    return float(item.GetAttribute(TIMESTAMP) or value)


def _frames(items: list[Any], name: str) -> NDArray[np.uint8]:
    first = slicer.util.arrayFromVolume(items[0])
    frames = np.empty((len(items), *first.shape[1:]), np.uint8)
    for number, item in enumerate(items):
        pixels = slicer.util.arrayFromVolume(item)
        if pixels.shape != (1, *frames.shape[1:]) or pixels.dtype != np.uint8:
            raise UserError(
                f"Image {number} of {name} has the shape {pixels.shape} and type {pixels.dtype}, the first "
                f"{first.shape}.",
                "Read are grey images of 8 bits and one size.",
            )
        frames[number] = pixels[0]
    return frames
