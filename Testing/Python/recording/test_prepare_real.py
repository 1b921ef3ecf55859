"""Training sets of real recordings: wires at their places, known points, nothing left out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from USGanSimLib.geometry.image_geometry import Crop
from USGanSimLib.recording.calibration_file import Calibration, read_calibration
from USGanSimLib.recording.dataset import open_dataset
from USGanSimLib.recording.prepare import PrepareOptions, prepare, prepare_sweeps
from USGanSimLib.recording.sequence_file import read_sweep

WIDTH_PX, HEIGHT_PX, FRAMES, RATE_HZ = 240, 200, 40, 20
SPEED_MM_S, TURN_DEG_S = 12.0, 9.0
IMAGE_TO_PROBE = np.array([[0.02, 0.2, 0, 5], [-0.25, 0.01, 0, 30], [0.01, 0.0, 0.2, -2], [0, 0, 0, 1.0]])
CALIBRATION = Calibration(IMAGE_TO_PROBE, (WIDTH_PX, HEIGHT_PX), "CAL.json")
OPTIONS = PrepareOptions(crop=Crop(20, 30, 203, 160), size_px=(60, 50))
WIRES = "fCal_Test_Calibration_3NWires_fCal2.0"


def centroid(image: np.ndarray) -> tuple[float, float]:
    v, u = np.mgrid[: image.shape[0], : image.shape[1]]
    return float((image * u).sum() / image.sum()), float((image * v).sum() / image.sum())


def wire_pixels(results: Path) -> Iterator[tuple[int, np.ndarray]]:
    """Frame index and the (9, 2) pixels that PLUS segmented in it."""
    for frame in ElementTree.parse(results).getroot().iterfind(".//CalibrationData/Frame"):
        points = frame.findall("SegmentedPoints/Point")
        if frame.get("SegmentationStatus") == "OK":
            yield (
                int(frame.get("Index", "")),
                np.array([p.get("Position", "").split()[:2] for p in points], float),
            )


def test_every_wire_of_the_real_recording_is_a_spot_at_its_place_in_the_small_images(
    plus_data: Path, tmp_path: Path
) -> None:
    results = plus_data / f"{WIRES}.results.xml"
    result = prepare([plus_data / f"{WIRES}.igs.mha"], read_calibration(results), tmp_path / "set")
    dataset = open_dataset(tmp_path / "set")
    assert (result["frames_in"], result["frames_out"], result["size"]) == (190, 190, [160, 120])
    assert result["mm_per_px"][0] == pytest.approx(result["mm_per_px"][1], rel=0.01)
    offsets, peaks = [], []
    for index, source_px in wire_pixels(results):
        # The centre of a small pixel is the middle of the source pixels it covers.
        x, y, width, height = result["crop"]
        places = (source_px + 0.5 - [x, y]) * [160 / width, 120 / height] - 0.5
        image = dataset.images[index].astype(float)
        for u, v in places:
            left, top = round(u) - 3, round(v) - 3
            around = image[top : top + 7, left : left + 7]
            assert around.shape == (7, 7), "every wire has room around it"
            assert around[2:5, 2:5].max() >= 40
            peaks.append(around[2:5, 2:5].max() == around.max())
            centre_u, centre_v = centroid(around)
            offsets.append((centre_u + left - u, centre_v + top - v))
    distance_px = np.hypot(*np.transpose(offsets))
    assert len(distance_px) == 184 * 9
    # The others are saturated and V-shaped: one arm is a little brighter than the middle that PLUS marks.
    assert np.mean(peaks) > 0.95
    assert np.median(distance_px) < 0.2
    assert np.abs(np.mean(offsets, axis=0)).max() < 0.1, "no shift: half a pixel would show"


def test_the_chain_of_the_wires_gives_the_known_point(plus_data: Path, tmp_path: Path) -> None:
    calibration = read_calibration(plus_data / f"{WIRES}.results.xml")
    options = PrepareOptions(crop="full", size_px=(820, 616))
    recording = read_sweep(plus_data / f"{WIRES}.igs.mha")
    first = dataclasses.replace(
        recording,
        frames=recording.frames[:20],
        timestamps_s=recording.timestamps_s[:20],
        image_valid=recording.image_valid[:20],
        frame_fields={},
        transforms={name: track[:20] for name, track in recording.transforms.items()},
    )
    prepare_sweeps([first], [""], calibration, tmp_path / "set", options)
    dataset = open_dataset(tmp_path / "set")
    np.testing.assert_allclose(dataset.poses[0] @ [410, 308, 0, 1], [3.716, -69.322, -3.704, 1], atol=0.001)
    assert np.array_equal(dataset.images, first.frames)


def test_the_spine_is_prepared_with_nothing_left_out(plus_data: Path, tmp_path: Path) -> None:
    calibration = read_calibration(plus_data / "PlusDeviceSet_SpinePhantomFreehandReconstructionOnly.xml")
    result = prepare([plus_data / "SpinePhantomFreehand.igs.mha"], calibration, tmp_path / "set")
    dataset = open_dataset(tmp_path / "set")
    assert (result["frames_out"], result["heldout"]) == (21, 4)
    assert result["mm_per_px"][0] == pytest.approx(result["mm_per_px"][1], rel=0.01)
    assert 0.3 < (dataset.images.max(axis=0) > 0).mean() < 0.8, "the sector, and black on both sides of it"
