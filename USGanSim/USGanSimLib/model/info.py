"""What a model file says about itself. Read from the header of a `.safetensors` file without torch or any model code.

The file starts with eight bytes (little-endian length) and that many bytes of JSON, whose `__metadata__` maps names to
strings (safetensors format description). Ours has one name, `usgansim`, whose string is the JSON of `ModelInfo`.
"""

from __future__ import annotations

import dataclasses
import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..files import strict_json
from ..geometry.conditioning import CoordinateNormalisation
from ..geometry.field_of_view import FieldOfView, Point
from ..geometry.image_geometry import Crop, ImageGeometry, corner_distance_mm, resized_to_source
from ..geometry.pose_distance import PoseRange
from ..geometry.transforms import Matrix

METADATA_KEY = "usgansim"
MODEL_SUFFIX = ".safetensors"
FORMAT_VERSION = 1
FIT_TOLERANCE_MM = 2.0
INTENDED_USE = "Research and training with phantoms. Not for clinical use."
_LARGEST_HEADER_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, eq=False)
class ModelInfo:
    """The metadata of a model. All lengths are in millimetres, pixels are those of the model's own image.

    recipe, network          name of the recipe, and the generator's settings (see network_settings.py)
    geometry                 image size and ImageToProbe of the model's pixel grid
    source_size_px, crop     the recording's image size and the part of it that the model shows
    reference_frame          the frame of the conditioning coordinates, usually `Reference`
    normalisation            mean and SD of the coordinates over the training set
    pose_range               some of the training poses (ImageToReference), see PoseRange
    training_set_sha256      content hash of the training set
    split_sha256             the same without regard to the frames left out for being near held-out poses
    exclusion_mm             RMS pixel displacement within which they were left out
    seed, iterations         of the training run
    metrics                  held-out metrics, name → number
    field                    where the ultrasound is in the model's image; None in models of before it was stored
    """

    recipe: str
    network: dict[str, Any]
    geometry: ImageGeometry
    source_size_px: tuple[int, int]
    crop: Crop
    reference_frame: str
    normalisation: CoordinateNormalisation
    pose_range: PoseRange
    training_set_sha256: str
    seed: int
    iterations: int
    software_version: str
    metrics: dict[str, float] = dataclasses.field(default_factory=dict)
    split_sha256: str = ""
    exclusion_mm: float = 0.0
    orientation: str = "MF"
    intended_use: str = INTENDED_USE
    field: FieldOfView | None = None

    @property
    def face_px(self) -> Point:
        """The middle of the probe's face (u, v) in the model's image; of its first row where no field is stored."""
        return self.field.face_px if self.field else ((self.geometry.width_px - 1) / 2, 0.0)

    def to_json(self) -> str:
        """The metadata string of the model file."""
        return strict_json(
            {
                "format": FORMAT_VERSION,
                "recipe": self.recipe,
                "network": self.network,
                "width_px": self.geometry.width_px,
                "height_px": self.geometry.height_px,
                "mm_per_px": self.geometry.mm_per_px,
                "image_to_probe": self.geometry.image_to_probe.tolist(),
                "source_size_px": self.source_size_px,
                "crop_px": dataclasses.astuple(self.crop),
                "orientation": self.orientation,
                "reference_frame": self.reference_frame,
                "normalisation": dataclasses.asdict(self.normalisation),
                "training_poses": {
                    "coverage_mm": self.pose_range.coverage_mm,
                    "margin_mm": self.pose_range.margin_mm,
                    "image_to_reference": np.round(self.pose_range.poses[:, :3], 6).tolist(),
                },
                "training_set_sha256": self.training_set_sha256,
                "split_sha256": self.split_sha256,
                "exclusion_mm": self.exclusion_mm,
                "seed": self.seed,
                "iterations": self.iterations,
                "software_version": self.software_version,
                "metrics": self.metrics,
                "intended_use": self.intended_use,
                "field": self.field.as_dict() if self.field else None,
            }
        )

    def fitted(self, image_to_probe: Matrix, size_px: tuple[int, int], source: str) -> ImageGeometry:
        """The geometry of this model's image on a probe that was calibrated anew.

        `image_to_probe` and `size_px` (width, height) are those of the full image of the probe, before the crop.
        Raises UserError when they put the model's image elsewhere than in training; `source` names the calibration.
        """
        if tuple(size_px) != tuple(self.source_size_px):
            trained = f"{self.source_size_px[0]}×{self.source_size_px[1]} px"
            raise UserError(
                f"The model was trained on images of {trained}, {source} is for "
                f"{size_px[0]}×{size_px[1]} px.",
                "Use the calibration the model was made with.",
            )
        fitted = ImageGeometry(*size_px, image_to_probe).resized(
            self.crop, self.geometry.width_px, self.geometry.height_px
        )
        distance_mm = corner_distance_mm(self.geometry, fitted)
        if distance_mm > FIT_TOLERANCE_MM:
            raise UserError(
                f"The model's image and that of {source} are {distance_mm:.1f} mm apart at a corner "
                f"({FIT_TOLERANCE_MM:g} mm are allowed); the model does not fit this probe.",
                "Use the calibration the model was made with, or train a model for this probe.",
            )
        return fitted

    def require_fit(self, image_to_probe: Matrix, size_px: tuple[int, int], source: str) -> None:
        """`fitted`, for its refusal alone."""
        self.fitted(image_to_probe, size_px, source)

    @property
    def source_image_to_probe(self) -> Matrix:
        """ImageToProbe (4, 4) of the full images that the model's own pixels were cut and resized from."""
        step = resized_to_source(self.crop, self.geometry.width_px, self.geometry.height_px)
        matrix: Matrix = self.geometry.image_to_probe @ np.linalg.inv(step)
        return matrix

    @classmethod
    def from_json(cls, text: str) -> ModelInfo:
        """The inverse of `to_json`. Raises KeyError, TypeError or ValueError for anything else."""
        data = json.loads(text)
        if data["format"] != FORMAT_VERSION:
            raise ValueError(f"format {data['format']}, where this version reads {FORMAT_VERSION}")
        width_px, height_px = int(data["width_px"]), int(data["height_px"])
        known = data["training_poses"]
        normalisation = data["normalisation"]
        return cls(
            recipe=str(data["recipe"]),
            network=dict(data["network"]),
            geometry=ImageGeometry(width_px, height_px, _matrix(data["image_to_probe"])),
            source_size_px=(int(data["source_size_px"][0]), int(data["source_size_px"][1])),
            crop=Crop(*data["crop_px"]),
            reference_frame=str(data["reference_frame"]),
            normalisation=CoordinateNormalisation(
                mean_mm=_three(normalisation["mean_mm"]), std_mm=_three(normalisation["std_mm"])
            ),
            pose_range=PoseRange(
                width_px,
                height_px,
                _poses(known["image_to_reference"]),
                float(known["coverage_mm"]),
                float(known["margin_mm"]),
            ),
            training_set_sha256=str(data["training_set_sha256"]),
            seed=int(data["seed"]),
            iterations=int(data["iterations"]),
            software_version=str(data["software_version"]),
            metrics=dict(data["metrics"]),
            split_sha256=str(data.get("split_sha256", "")),
            exclusion_mm=float(data.get("exclusion_mm", 0.0)),
            orientation=str(data["orientation"]),
            intended_use=str(data["intended_use"]),
            field=FieldOfView.from_dict(data["field"]) if data.get("field") else None,
        )


@dataclass(frozen=True)
class ModelHeader:
    """A model file's header: its metadata and the number of weights in it."""

    info: ModelInfo
    parameters: int


def read_model_header(path: Path) -> ModelHeader:
    """Read the header of a model file.

    Raises UserError when the file is missing, is no safetensors file (a pickle renamed, say), is cut short, or was not
    written by this software.
    """
    header, data_bytes = _read_header(path)
    try:
        tensors = [entry for name, entry in header.items() if name != "__metadata__"]
        promised = max((int(entry["data_offsets"][1]) for entry in tensors), default=0)
        parameters = sum(int(np.prod(entry["shape"])) for entry in tensors)
        info = ModelInfo.from_json(header["__metadata__"][METADATA_KEY])
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} is a safetensors file, but not a model of this software ({error}).",
            "Choose a model.safetensors that 'usgansim train' wrote.",
        ) from error
    if data_bytes < promised:
        raise UserError(
            f"{path} is cut short: {data_bytes} of {promised} bytes of weights are there.",
            "Copy the file again.",
        )
    return ModelHeader(info, parameters)


def _read_header(path: Path) -> tuple[dict[str, Any], int]:
    not_ours = UserError(
        f"{path} is not a safetensors file.",
        "Choose a model.safetensors that 'usgansim train' wrote; other formats are never loaded, "
        "since loading them can run code.",
    )
    try:
        with path.open("rb") as stream:
            size = path.stat().st_size
            prefix = stream.read(8)
            length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else 0
            if not 2 <= length <= min(size - 8, _LARGEST_HEADER_BYTES):
                raise not_ours
            header = json.loads(stream.read(length).decode("utf-8"))
    except OSError as error:
        raise UserError(f"The model {path} cannot be read: {error.strerror}.", "Check the path.") from error
    except ValueError as error:
        raise not_ours from error
    if not isinstance(header, dict):
        raise not_ours
    return header, size - 8 - length


def _three(values: list[float]) -> tuple[float, float, float]:
    x, y, z = values
    return float(x), float(y), float(z)


def _matrix(rows: list[list[float]]) -> Matrix:
    matrix = np.array(rows, dtype=np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise ValueError("a transform is not 4×4")
    return matrix


def _poses(rows: list[Any]) -> Matrix:
    upper = np.array(rows, dtype=np.float64)
    if upper.ndim != 3 or upper.shape[1:] != (3, 4) or len(upper) == 0:
        raise ValueError("training poses are not (K, 3, 4)")
    poses = np.tile(np.eye(4), (len(upper), 1, 1))
    poses[:, :3] = upper
    return poses
