"""Samples of one pose side by side, as a volume for a slice view (the variance of Hu et al., Fig. 6)."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import slicer.util
from numpy.typing import NDArray
from PIL import Image

from ...model.info import INTENDED_USE
from ..output_volume import show_in_fixed_grey
from ..scene import marked_volume

SAMPLES_ATTRIBUTE = "USGanSim.Samples"
_GAP_PX = 2


def side_by_side(samples: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(N, H, W) → one picture, in rows of about four thirds as many columns, with black gaps."""
    count, height_px, width_px = samples.shape
    columns = min(count, math.ceil(math.sqrt(count * 4 / 3)))
    rows = math.ceil(count / columns)
    sheet = np.zeros(
        (rows * (height_px + _GAP_PX) - _GAP_PX, columns * (width_px + _GAP_PX) - _GAP_PX), np.uint8
    )
    for index, sample in enumerate(samples):
        top, left = (index // columns) * (height_px + _GAP_PX), (index % columns) * (width_px + _GAP_PX)
        sheet[top : top + height_px, left : left + width_px] = sample
    return sheet


def png(picture: NDArray[np.uint8]) -> bytes:
    """(H, W) as a PNG file, for a panel."""
    data = io.BytesIO()
    Image.fromarray(picture).save(data, "PNG")
    return data.getvalue()


def strip_volume(scene: Any, picture: NDArray[np.uint8], mm_per_px: tuple[float, float], name: str) -> Any:
    """The picture as a volume of one slice at the world's origin, in the node of before where there is one."""
    node = marked_volume(scene, SAMPLES_ATTRIBUTE) or scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.SetName(name)
    node.SetAttribute(SAMPLES_ATTRIBUTE, "1")
    node.SetDescription(
        f"Samples of one pose side by side; a picture, at no place of the patient. {INTENDED_USE}"
    )
    slicer.util.updateVolumeFromArray(node, picture[None])
    node.SetSpacing(*mm_per_px, 1.0)
    show_in_fixed_grey(node)
    return node
