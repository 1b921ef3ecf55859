"""A probe calibration: ImageToProbe, read from CAL.json or from a PLUS configuration or results file."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..files import replacing_file
from ..geometry.image_geometry import ImageGeometry
from ..geometry.transforms import Matrix, TransformGraph, TransformTrack

# A measured calibration may shear a little; image axes further than this from 90 degrees are no measurement.
_LARGEST_SHEAR_DEG = 30.0


@dataclass(frozen=True, eq=False)
class Calibration:
    """Where an image lies in the frame of its probe.

    image_to_probe   (4, 4) from MF pixels (u, v, 0, 1) to probe millimetres. Pixels lie in the plane w = 0, so the
                     third column means nothing to them; it is the file's where that makes a right-handed matrix.
    image_size_px    (width, height) of the images it was made for, or None where the file does not say.
    source           name of the file, for messages.
    """

    image_to_probe: Matrix
    image_size_px: tuple[int, int] | None
    source: str

    def geometry(self, width_px: int, height_px: int, what: str) -> ImageGeometry:
        """The calibrated geometry of images of this size. Raises UserError when the calibration is for another size;
        `what` names the images in the message."""
        if self.image_size_px not in (None, (width_px, height_px)):
            raise UserError(
                f"{self.source} calibrates images of {'×'.join(map(str, self.image_size_px or ()))} px, "
                f"{what} has {width_px}×{height_px} px.",
                "Use the calibration of this probe and image size.",
            )
        return ImageGeometry(width_px, height_px, self.image_to_probe)


def read_calibration(path: Path, image_frame: str = "Image", probe_frame: str = "Probe") -> Calibration:
    """Read ImageToProbe from CAL.json (`image_to_probe`) or a PLUS XML (`<Transform From="Image" To="Probe" …>`, or
    several that lead from the one frame to the other).

    The third column is kept where it completes the image axes to a right-handed frame, and set to their normal, as
    long as the mean pixel, where it is zero (PLUS does the same: vtkPlusProbeCalibrationAlgo). A left-handed matrix
    is refused: PLUS writes none, so its image axes are those of a mirrored image.

    Raises UserError for a missing or malformed file, one without such a transform, or a matrix that places no image.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.", "Check the path.") from error
    name = path.name
    # A byte order mark may come before the first bracket.
    if b"<" in text.lstrip()[:4]:
        matrix, size = _from_xml(text, name, image_frame, probe_frame)
    else:
        matrix, size = _from_json(text, name)
    return Calibration(_checked(matrix, f"{image_frame}To{probe_frame} of {name}"), size, name)


def _from_json(text: bytes, name: str) -> tuple[Matrix, tuple[int, int] | None]:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise UserError(
            f"{name} is neither JSON nor XML ({error}).", "Choose a CAL.json or a PLUS XML."
        ) from error
    if not isinstance(data, dict) or "image_to_probe" not in data:
        raise UserError(
            f"{name} has no 'image_to_probe'.", "Choose a CAL.json that 'usgansim calibrate' wrote."
        )
    size = data.get("image_size_px")
    return _matrix(data["image_to_probe"], name), None if size is None else _size(size, name)


def _from_xml(
    text: bytes, name: str, image_frame: str, probe_frame: str
) -> tuple[Matrix, tuple[int, int] | None]:
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # Also an encoding that is none.
        raise UserError(
            f"{name} is no complete XML file ({error}).", "Copy the calibration again."
        ) from error
    sizes = {frame.get("FrameSize", "") for frame in root.iter("TrackedFrame")} - {""}
    if len(sizes) > 1:
        raise UserError(
            f"{name} has frames of {len(sizes)} sizes ({', '.join(sorted(sizes))}).",
            "One calibration is for one image size.",
        )
    return (
        _transform_of(root, name, image_frame, probe_frame),
        _size(sizes.pop().split()[:2], name) if sizes else None,
    )


def _transform_of(root: ElementTree.Element, name: str, image_frame: str, probe_frame: str) -> Matrix:
    transforms: dict[str, Matrix] = {}
    for element in root.iter("Transform"):
        source, target, text = (element.get(key) for key in ("From", "To", "Matrix"))
        if source and target and text:
            matrix = _matrix(text.split(), f"{source}To{target} of {name}")
            known = transforms.setdefault(f"{source}To{target}", matrix)
            if not np.array_equal(known, matrix, equal_nan=True):
                raise UserError(
                    f"{name} has two different transforms {source}To{target}.", "Remove the outdated one."
                )
    wanted = f"{image_frame}To{probe_frame}"
    if wanted in transforms:
        return transforms[wanted]
    if not transforms:
        raise UserError(
            f"{name} has no transform {wanted}, nor any other.", "Choose a PLUS file with a calibration."
        )
    graph = TransformGraph({known: TransformTrack.constant(matrix) for known, matrix in transforms.items()})
    try:
        chained: Matrix = graph.track(image_frame, probe_frame).matrices[0]
        return chained
    except UserError as error:
        raise UserError(
            f"{name} has no transform {wanted}; it has {', '.join(transforms)}.",
            "Choose the PLUS file that the probe calibration wrote, or name the frames.",
        ) from error


def _checked(matrix: Matrix, what: str) -> Matrix:
    if not np.isfinite(matrix).all():
        raise UserError(f"{what} has a number that is not finite.", "Calibrate again.")
    if not np.array_equal(matrix[3], (0, 0, 0, 1)):
        row = " ".join(f"{number:g}" for number in matrix[3])
        raise UserError(f"{what} has the last row {row} in place of 0 0 0 1.", "Write the matrix row by row.")
    x, y = matrix[:3, 0], matrix[:3, 1]
    x_mm, y_mm = np.linalg.norm(x), np.linalg.norm(y)
    if min(x_mm, y_mm) == 0:
        raise UserError(
            f"{what} has pixels of {x_mm:g}×{y_mm:g} mm.", "The first two columns are the pixel's axes."
        )
    shear_deg = abs(90 - np.degrees(np.arccos(np.clip(x @ y / (x_mm * y_mm), -1, 1))))
    if shear_deg > _LARGEST_SHEAR_DEG:
        raise UserError(
            f"{what} has image axes {90 - shear_deg:.0f}° apart, where 90° is right.", "Calibrate again."
        )
    return _right_handed(matrix, what)


def _right_handed(matrix: Matrix, what: str) -> Matrix:
    x, y, z = matrix[:3, 0], matrix[:3, 1], matrix[:3, 2]
    normal = np.cross(x, y) / np.linalg.norm(np.cross(x, y))
    height_mm = float(normal @ z)
    mean_mm = (np.linalg.norm(x) + np.linalg.norm(y)) / 2
    if height_mm < -1e-9 * mean_mm:
        raise UserError(
            f"{what} is left-handed (determinant {np.linalg.det(matrix[:3, :3]):.3g}): it mirrors the image.",
            "Calibrate on MF-oriented images: marked side right, depth downwards.",
        )
    if height_mm > 1e-9 * mean_mm:
        return matrix
    completed = matrix.copy()
    completed[:3, 2] = normal * mean_mm
    return completed


def _matrix(values: Any, what: str) -> Matrix:
    try:
        matrix = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{what} is no matrix of numbers ({error}).", "A 4×4 matrix is needed, row by row."
        ) from error
    if matrix.size != 16:
        raise UserError(f"{what} has {matrix.size} numbers, where a matrix has 16.", "Write all four rows.")
    return matrix.reshape(4, 4)


def _size(values: Any, name: str) -> tuple[int, int]:
    try:
        width_px, height_px = (int(value) for value in values)
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(
            f"{name} gives its image size as {values}.", "Give width and height in pixels."
        ) from error
    return width_px, height_px


def calibration_json(
    image_to_probe: Matrix, image_size_px: tuple[int, int] | None, more: Mapping[str, Any]
) -> dict[str, Any]:
    """What CAL.json holds (Resources/Docs/contracts.md): the matrix, the image size it is for, and how it was found."""
    return {
        **more,
        "image_to_probe": np.asarray(image_to_probe).tolist(),
        "image_size_px": None if image_size_px is None else list(image_size_px),
        "intended_use": "research; not for clinical use",
    }


def write_plus_xml(
    path: Path,
    image_to_probe: Matrix,
    image_frame: str = "Image",
    probe_frame: str = "Probe",
    date: str = "",
    error_mm: float | None = None,
) -> None:
    """Write ImageToProbe as the `CoordinateDefinitions` of a PLUS configuration, whole or not at all."""
    root = ElementTree.Element("PlusConfiguration", version="2.0")
    definitions = ElementTree.SubElement(root, "CoordinateDefinitions")
    rows = "\n".join(" ".join(repr(float(number)) for number in row) for row in image_to_probe)
    more = {"Date": date} if date else {}
    if error_mm is not None:
        more["Error"] = f"{error_mm:.3f}"
    ElementTree.SubElement(
        definitions, "Transform", {"From": image_frame, "To": probe_frame, "Matrix": rows, **more}
    )
    ElementTree.indent(root)
    with replacing_file(path) as part:
        ElementTree.ElementTree(root).write(part, encoding="utf-8", xml_declaration=True)


def read_lag(text: str) -> float:
    """`-0.03`, or the name of a LAG.json → seconds. Raises UserError for anything else, and for no finite number."""
    try:
        lag_s = float(text)
    except ValueError:
        lag_s = _lag_of_file(text)
    if not math.isfinite(lag_s):
        raise UserError(f"The lag is {lag_s} s.", "Give seconds, or the LAG.json of 'calibrate temporal'.")
    return lag_s


def _lag_of_file(text: str) -> float:
    try:
        return float(json.loads(Path(text).read_text(encoding="utf-8"))["lag_s"])
    except OSError as error:
        raise UserError(
            f"The lag '{text}' is neither a number nor a file that can be read ({error.strerror}).",
            "Give seconds, or the LAG.json of 'calibrate temporal'.",
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{text} is no LAG.json: it has no number 'lag_s'.",
            "Give seconds, or the LAG.json of 'calibrate temporal'.",
        ) from error
