"""PLUS's public recordings: each read or refused as it must be, and the known answers of the whole chain.

The expected numbers were taken from the files' headers with other tools, or were computed by other programs: the wire
pixels by fCal's segmentation, the spine volume by PLUS's volume reconstruction.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
import zlib
from collections import defaultdict
from typing import NamedTuple

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from USGanSimLib.errors import UserError
from USGanSimLib.recording.calibration_file import read_calibration
from USGanSimLib.recording.pixels import read_pixels
from USGanSimLib.recording.sequence_file import read_header, read_sweep

WIRES, SPINE, NWIRE = "fCal_Test_Calibration_3NWires_fCal2.0", "SpinePhantomFreehand", "NwirePhantomFreehand"
WIRES_CALIBRATION = f"{WIRES}.results.xml"
SPINE_CALIBRATION = "PlusDeviceSet_SpinePhantomFreehandReconstructionOnly.xml"
SIMULATED = "UsSimulatorOutputSpinePhantom2CurvilinearBaselineNoUS"


class Expected(NamedTuple):
    frames: int
    width_px: int
    height_px: int
    valid_images: int
    first_s: float
    last_s: float
    transforms: dict[str, int]


def tracked(count: int, stylus: int) -> dict[str, int]:
    return {"ProbeToTracker": count, "ReferenceToTracker": count, "StylusToTracker": stylus}


READ = {
    "BkCurvilinearScanConvertedData.igs.mha": Expected(
        1, 600, 400, 1, 15.462571, 15.462571, {"ReferenceToTracker": 1, "StylusToTracker": 1}
    ),
    "BoneUltrasound_L14.igs.mha": Expected(21, 820, 616, 21, 232.542071, 234.2611, tracked(21, 21)),
    "EightLandmarkPointsTrackedForPhantomRegistration.igs.mha": Expected(
        1000,
        0,
        0,
        0,
        280.4611428572264,
        347.0668714287492,
        {"ReferenceToTracker": 1000, "StylusToTracker": 1000},
    ),
    f"{NWIRE}.igs.mha": Expected(97, 820, 616, 97, 345.627957, 355.783014, tracked(97, 0)),
    f"{NWIRE}.igs.nrrd": Expected(97, 820, 616, 97, 345.627957, 355.783014, tracked(97, 0)),
    f"{NWIRE}Cropped.igs.mha": Expected(
        20, 200, 150, 20, 345.627957, 347.658686, {"ImageToCroppedImage": 20} | tracked(20, 0)
    ),
    "Prostate10_tracker.igs.mha": Expected(10, 1, 1, 10, 1.0, 5.5, {"ToolToTracker": 10}),
    # Frame 2 has no fields at all, and no transform has a status.
    "Prostate10_video.igs.mhd": Expected(10, 640, 480, 9, 1.0, 5.0, {"ToolToTracker": 0}),
    f"{SPINE}.igs.mha": Expected(21, 820, 616, 21, 215.102186, 216.947186, tracked(21, 21)),
    "SyntheticTrackerBuffer20.igs.mha": Expected(20, 1, 1, 20, 1.0, 10.5, {"ToolToTracker": 20}),
    "SyntheticVideoBuffer20.igs.mha": Expected(20, 320, 240, 20, 0.5, 10.0, {"ToolToTracker": 0}),
    "TransformInterpolationTest.igs.mha": Expected(
        500, 1, 1, 500, 1898165.1, 1898175.172497, {"ProbeToTracker": 499, "ReferenceToTracker": 0}
    ),
    "USTC_3NWires_RandomStepperMotionCalibration.igs.mha": Expected(
        212,
        820,
        616,
        212,
        546.997347,
        576.364911,
        {"ProbeToStepperHome": 212, "StepperEncoderValuesToStepperHome": 212, "TemplateToStepperHome": 212},
    ),
    "USTC_FrameGrabber_TemplateTranslationData.igs.mha": Expected(
        100, 640, 480, 100, 0.0, 9.9, {"TemplateToStepperHome": 100}
    ),
    f"{SIMULATED}.igs.mha": Expected(15, 1, 1, 15, 692.532329, 693.962414, tracked(15, 15)),
    f"{SIMULATED}Compressed.igs.mha": Expected(15, 1, 1, 15, 692.532329, 693.962414, tracked(15, 15)),
    "WaterTankBottomTranslationTrackerBuffer-trimmed.igs.mha": Expected(
        801, 0, 0, 0, 7415.679586, 7436.385229, tracked(801, 801)
    ),
    "WaterTankBottomTranslationVideoBuffer.igs.mha": Expected(201, 820, 616, 201, 7417.7313, 7435.148643, {}),
    f"{WIRES}.igs.mha": Expected(190, 820, 616, 190, 2572.905343, 2588.069843, tracked(190, 190)),
}
REFUSED = {
    "UltrasonixCurvilinearBrightnessData.igs.mha": "orientation FM: its scan lines run along x",
    "ColorNrrdSample.igs.nrrd": "3 colours a pixel",
    "SpinePhantomFreehandReconstructed.mha": "no Timestamp in 104 of 104 frames",
}


def test_every_recording_of_the_folder_is_in_the_tables(plus_data):
    there = {path.name for path in plus_data.iterdir() if path.suffix in (".mha", ".mhd", ".nrrd")}
    assert there == READ.keys() | REFUSED.keys()


@pytest.mark.parametrize("name", READ)
def test_a_recording_is_read_with_the_numbers_of_its_header(plus_data, name):
    sweep, expected = read_sweep(plus_data / name), READ[name]
    assert sweep.frames.shape == (expected.frames, expected.height_px, expected.width_px)
    assert int(sweep.image_valid.sum()) == expected.valid_images
    assert {known: int(track.valid.sum()) for known, track in sweep.transforms.items()} == expected.transforms
    assert (sweep.timestamps_s[0], sweep.timestamps_s[-1]) == (expected.first_s, expected.last_s)


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_is_no_recording_of_b_mode_is_refused_with_the_reason(plus_data, name):
    with pytest.raises(UserError, match=REFUSED[name]):
        read_sweep(plus_data / name)


def test_the_pixels_are_those_of_the_zlib_stream(plus_data):
    content = (plus_data / f"{SPINE}.igs.mha").read_bytes()
    unpacked = zlib.decompress(content.partition(b"ElementDataFile = LOCAL\n")[2])
    assert read_sweep(plus_data / f"{SPINE}.igs.mha").frames.tobytes() == unpacked


def test_the_metafile_and_the_nrrd_of_one_recording_are_equal_bit_for_bit(plus_data):
    first, second = (read_sweep(plus_data / f"{NWIRE}.igs.{suffix}") for suffix in ("mha", "nrrd"))
    assert np.array_equal(first.frames, second.frames)
    assert first.timestamps_s.tobytes() == second.timestamps_s.tobytes()
    assert np.array_equal(first.image_valid, second.image_valid)
    assert list(first.transforms) == list(second.transforms)
    for name, track in first.transforms.items():
        assert track.matrices.tobytes() == second.transforms[name].matrices.tobytes()
        assert np.array_equal(track.valid, second.transforms[name].valid)


def test_an_mn_recording_is_turned_upside_down(plus_data):
    content = (plus_data / "USTC_FrameGrabber_TemplateTranslationData.igs.mha").read_bytes()
    stored = np.frombuffer(zlib.decompress(content.partition(b"ElementDataFile = LOCAL\n")[2]), np.uint8)
    frames = read_sweep(plus_data / "USTC_FrameGrabber_TemplateTranslationData.igs.mha").frames
    assert np.array_equal(frames[17], stored.reshape(100, 480, 640)[17, ::-1])


def test_a_stage_without_probe_and_reference_has_no_probe_poses(plus_data):
    with pytest.raises(UserError, match="has no coordinate frame 'Probe'; it has StepperHome, Template"):
        read_sweep(plus_data / "USTC_FrameGrabber_TemplateTranslationData.igs.mha").probe_to_reference()


CALIBRATIONS = {
    WIRES_CALIBRATION: ((820, 616), (-0.000519165, 0.0744587, 0.000837223, 11.2137)),
    SPINE_CALIBRATION: (None, (-0.00157821, 0.0785919, -0.00803285, 15.3978)),
    "BoneUltrasound_L14_config.xml": (None, (0.000796231, 0.0854272, 0.000850194, 12.74)),
    "PlusDeviceSet_NwirePhantomFreehand_vtkVolumeReconstructorTest2.xml": (
        None,
        (-0.0094, -0.0739, -0.0028, -103.5322),
    ),
}


@pytest.mark.parametrize("name", CALIBRATIONS)
def test_a_plus_calibration_is_read(plus_data, name):
    calibration, (size, first_row) = read_calibration(plus_data / name), CALIBRATIONS[name]
    assert calibration.image_size_px == size
    assert calibration.image_to_probe[0].tolist() == list(first_row)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "PlusDeviceSet_fCal_Sim_SpatialCalibration_2.0.xml",
            "no transform ImageToProbe; it has ImageToTransducerOriginPixel",
        ),
        ("TemporalCalibrationResultsBaseline.xml", "no transform ImageToProbe, nor any other"),
        ("LineSegmentationResultsBaseline.xml", "no transform ImageToProbe, nor any other"),
    ],
)
def test_a_plus_file_without_image_to_probe_is_refused(plus_data, name, said):
    with pytest.raises(UserError, match=said):
        read_calibration(plus_data / name)


def image_to_reference(plus_data, recording: str, calibration: str):
    sweep = read_sweep(plus_data / f"{recording}.igs.mha")
    return sweep, sweep.graph(read_calibration(plus_data / calibration).image_to_probe).track(
        "Image", "Reference"
    )


@pytest.mark.parametrize(
    ("recording", "calibration", "answer_mm"),
    [
        (WIRES, WIRES_CALIBRATION, (3.716, -69.322, -3.704)),
        (SPINE, SPINE_CALIBRATION, (-38.805, 207.753, 56.292)),
    ],
)
def test_the_chain_gives_the_known_place_of_a_pixel(plus_data, recording, calibration, answer_mm):
    _, track = image_to_reference(plus_data, recording, calibration)
    place_mm = track.matrices[0] @ [410, 308, 0, 1]
    assert np.linalg.norm(place_mm[:3] - answer_mm) < 0.01


def test_the_frames_agree_with_the_volume_that_plus_made_of_them(plus_data):
    sweep, track = image_to_reference(plus_data, SPINE, SPINE_CALIBRATION)
    header = read_header(plus_data / "SpinePhantomFreehandReconstructed.mha")
    volume = read_pixels(header).astype(np.float32)
    origin_mm, spacing_mm = (
        np.array(header.fields[field].split(), float) for field in ("Offset", "ElementSpacing")
    )
    u, v = np.meshgrid(np.arange(0, 820, 4), np.arange(0, 616, 4))
    pixels = np.stack([u.ravel(), v.ravel(), np.zeros(u.size), np.ones(u.size)])
    real, sampled = [], []
    for frame, pose in zip(sweep.frames, track.matrices, strict=True):
        index_zyx = (((pose @ pixels)[:3].T - origin_mm) / spacing_mm).T[::-1]
        last_zyx = np.array(volume.shape)[:, None] - 1
        inside = ((index_zyx >= 0) & (index_zyx <= last_zyx)).all(axis=0)
        real.append(frame[v.ravel()[inside], u.ravel()[inside]])
        sampled.append(map_coordinates(volume, index_zyx[:, inside], order=1))
    assert np.corrcoef(np.concatenate(real), np.concatenate(sampled))[0, 1] >= 0.98


def test_the_nine_wires_are_straight(plus_data):
    _, track = image_to_reference(plus_data, WIRES, WIRES_CALIBRATION)
    wires = defaultdict(list)
    for frame in ElementTree.parse(plus_data / WIRES_CALIBRATION).iter("Frame"):
        for point in frame.iterfind("SegmentedPoints/Point"):
            u, v, _ = map(float, point.get("Position").split())
            wires[point.get("WireName")].append((track.matrices[int(frame.get("Index"))] @ [u, v, 0, 1])[:3])
    assert len(wires) == 9
    # The two smaller singular values are the distances from the line that fits best.
    squares = [
        (np.linalg.svd(places - np.mean(places, axis=0), compute_uv=False)[1:] ** 2).sum() / len(places)
        for places in wires.values()
    ]
    assert np.sqrt(np.mean(squares)) <= 0.24
