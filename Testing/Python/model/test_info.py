"""The header of a model file: it comes back as it was, and anything else is refused in words."""

from __future__ import annotations

import dataclasses
import json
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from USGanSimLib.errors import UserError
from USGanSimLib.geometry.conditioning import CoordinateNormalisation
from USGanSimLib.geometry.image_geometry import Crop, ImageGeometry
from USGanSimLib.geometry.pose_distance import PoseRange
from USGanSimLib.model.info import METADATA_KEY, ModelInfo, read_model_header

FULL_IMAGE_TO_PROBE = np.array([[0.0, 0.08, 0, 11], [-0.1, 0, 0, 48], [0, 0, 0.09, -0.4], [0, 0, 0, 1.0]])


def an_info() -> ModelInfo:
    crop = Crop(100, 60, 640, 480)
    poses = np.tile(np.eye(4), (5, 1, 1))
    poses[:, 0, 3] = np.arange(5) + 1 / 3
    return ModelInfo(
        recipe="paper",
        network={"width_px": 32, "up_layers": 3},
        geometry=ImageGeometry(820, 616, FULL_IMAGE_TO_PROBE).resized(crop, 32, 24),
        source_size_px=(820, 616),
        crop=crop,
        reference_frame="Reference",
        normalisation=CoordinateNormalisation((1.0, 2.0, 3.0), (4.0, 5.0, 0.1 + 0.2)),
        pose_range=PoseRange(32, 24, poses, 1.25, 5.0),
        training_set_sha256="ab" * 32,
        seed=7,
        iterations=1000,
        software_version="0.1",
        metrics={"mae_grey": 12.5},
    )


def test_the_full_images_calibration_is_found_again_from_the_models_own_pixels() -> None:
    np.testing.assert_allclose(an_info().source_image_to_probe, FULL_IMAGE_TO_PROBE, atol=1e-9)


def write_header(path: Path, header: Any, data_bytes: int = 0) -> Path:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(data_bytes))
    return path


def test_everything_comes_back_from_a_file_that_safetensors_wrote(tmp_path: Path) -> None:
    info = an_info()
    path = tmp_path / "model.safetensors"
    save_file(
        {"a": np.zeros((3, 4), np.float32), "b": np.zeros(5, np.float32)},
        path,
        {METADATA_KEY: info.to_json()},
    )
    header = read_model_header(path)
    assert header.parameters == 17
    for field in dataclasses.fields(ModelInfo):
        mine, found = getattr(info, field.name), getattr(header.info, field.name)
        if field.name == "geometry":
            np.testing.assert_array_equal(found.image_to_probe, mine.image_to_probe)
            assert (found.width_px, found.height_px) == (32, 24)
        elif field.name == "pose_range":
            np.testing.assert_allclose(found.poses, mine.poses, atol=1e-6)
            assert (found.coverage_mm, found.margin_mm) == (1.25, 5.0)
        else:
            assert found == mine, field.name


def test_a_pickle_with_the_models_name_is_refused_and_never_loaded(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "ran",)

    path = tmp_path / "model.safetensors"
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(UserError, match="not a safetensors file"):
        read_model_header(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"abc",
        b"\0" * 64,
        b"\xff" * 64,
        struct.pack("<Q", 10) + b"not json!!",
        struct.pack("<Q", 4) + b"[12]",
        struct.pack("<Q", 2) + b"\xff\xfe",
    ],
)
def test_bytes_that_are_no_header_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(UserError, match="not a safetensors file"):
        read_model_header(path)


def test_a_file_cut_short_is_refused_with_both_sizes(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"a": np.zeros(100, np.float32)}, path, {METADATA_KEY: an_info().to_json()})
    path.write_bytes(path.read_bytes()[:-150])
    with pytest.raises(UserError, match="cut short: 250 of 400 bytes"):
        read_model_header(path)


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"__metadata__": {"format": "pt"}},
        {"__metadata__": {METADATA_KEY: "[]"}},
        {"__metadata__": {METADATA_KEY: "{}"}},
        {"__metadata__": 3},
        {"a": 3},
        {"a": {"shape": [2]}},
        {"a": {"shape": 2, "data_offsets": "no"}},
    ],
)
def test_a_header_without_our_metadata_is_refused(tmp_path: Path, header: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="not a model of this software"):
        read_model_header(write_header(tmp_path / "model.safetensors", header))


def spoiled(**changes: Any) -> str:
    return json.dumps({**json.loads(an_info().to_json()), **changes})


@pytest.mark.parametrize(
    "text",
    [
        spoiled(format=99),
        spoiled(source_size_px=[]),
        spoiled(source_size_px=[float("inf"), 2]),
        spoiled(field=3),
        spoiled(width_px="wide"),
        spoiled(image_to_probe=[[1, 2], [3, 4]]),
        spoiled(image_to_probe=[[float("nan")] * 4] * 4),
        spoiled(crop_px=[1, 2]),
        spoiled(normalisation={"mean": [1]}),
        spoiled(training_poses={"coverage_mm": 1, "margin_mm": 1, "image_to_reference": []}),
    ],
)
def test_metadata_with_a_wrong_value_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError, match="not a model of this software"):
        read_model_header(
            write_header(tmp_path / "model.safetensors", {"__metadata__": {METADATA_KEY: text}})
        )


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none.safetensors cannot be read: No such file"):
        read_model_header(tmp_path / "none.safetensors")


def test_the_calibration_of_training_fits_and_a_near_one_too() -> None:
    near = FULL_IMAGE_TO_PROBE.copy()
    near[0, 3] += 1.9
    for matrix in (FULL_IMAGE_TO_PROBE, near):
        an_info().require_fit(matrix, (820, 616), "the calibration")


def test_another_calibration_is_refused_with_the_distance() -> None:
    far = FULL_IMAGE_TO_PROBE.copy()
    far[:3, 3] += (3, 4, 0)
    with pytest.raises(UserError, match=r"CAL.json are 5\.0 mm apart at a corner"):
        an_info().require_fit(far, (820, 616), "CAL.json")


def test_a_calibration_of_another_image_size_is_refused_with_both_sizes() -> None:
    with pytest.raises(UserError, match="820×616 px, CAL.json is for 640×480 px"):
        an_info().require_fit(FULL_IMAGE_TO_PROBE, (640, 480), "CAL.json")
