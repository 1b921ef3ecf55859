"""A slice view that looks at the plane of a volume, wherever it moves."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer.util

from ..mrml.display import view_axes


def follow(slice_node: Any, volume: Any) -> None:
    """Turn the slice to the plane of a one-slice volume with identity IJKToRAS, seen as on a scanner, centred.

    The zoom stays as it is.
    """
    image_to_ras = slicer.util.arrayFromTransformMatrix(volume.GetParentTransformNode(), toWorld=True)
    width_px, height_px, _ = volume.GetImageData().GetDimensions()
    centre = image_to_ras @ ((width_px - 1) / 2, (height_px - 1) / 2, 0, 1)
    slice_to_ras = np.eye(4)
    slice_to_ras[:3, :3], slice_to_ras[:3, 3] = view_axes(image_to_ras), centre[:3]
    slicer.util.updateVTKMatrixFromArray(slice_node.GetSliceToRAS(), slice_to_ras)
    slice_node.UpdateMatrices()
