"""`info`, on files made here and on real recordings."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from USGanSimLib.cli import main
from USGanSimLib.geometry.conditioning import CoordinateNormalisation
from USGanSimLib.geometry.image_geometry import Crop, ImageGeometry
from USGanSimLib.geometry.pose_distance import PoseRange
from USGanSimLib.geometry.transforms import TransformTrack
from USGanSimLib.model.info import METADATA_KEY, ModelInfo
from USGanSimLib.recording.describe import FrameNames, described, lines
from USGanSimLib.recording.sequence_file import write_sweep
from USGanSimLib.recording.sweep import TrackedSweep


@pytest.fixture
def info(capsys):
    """Runs `info --json` and gives what it prints."""

    def run(*words):
        assert main(["info", "--json", *map(str, words)]) == 0
        return json.loads(capsys.readouterr().out)

    return run


def a_sweep(**changes) -> TrackedSweep:
    """Five frames, one every 0.1 s; the probe turns 10° and moves (1, 2, 2) mm from frame to frame."""
    poses = np.tile(np.eye(4), (5, 1, 1))
    poses[:, :3, :3] = Rotation.from_rotvec(np.radians(np.arange(5) * 10)[:, None] * (0, 0, 1)).as_matrix()
    poses[:, :3, 3] = np.arange(5)[:, None] * (1, 2, 2)
    return TrackedSweep(
        **{
            "frames": np.zeros((5, 6, 8), np.uint8),
            "timestamps_s": 10 + np.arange(5) / 10,
            "transforms": {
                "ProbeToTracker": TransformTrack(poses, np.ones(5, bool)),
                "ReferenceToTracker": TransformTrack(np.tile(np.eye(4), (5, 1, 1)), np.ones(5, bool)),
            },
            "image_valid": np.ones(5, bool),
        }
        | changes
    )


@pytest.fixture
def written(tmp_path):
    def write(sweep: TrackedSweep, name: str = "x.igs.mha"):
        write_sweep(tmp_path / name, sweep)
        return tmp_path / name

    return write


def test_the_keys_of_a_recording(info, written):
    result = info(written(a_sweep()))
    assert result.pop("file").endswith("x.igs.mha")
    assert result.pop("pose_extent_mm") == pytest.approx(12)
    assert result.pop("pose_extent_deg") == pytest.approx(40)
    assert result.pop("rate_hz") == pytest.approx(10)
    assert result.pop("duration_s") == pytest.approx(0.4)
    tracking = result.pop("tracking")
    assert tracking.pop("rate_hz") == pytest.approx(10)
    assert tracking == {
        "transform": "ProbeToReference",
        "valid_share": 1,
        "longest_without_s": 0,
        "gaps": 0,
        "longest_gap_s": 0,
        "frozen_frames": 0,
        "jumps": 0,
        "jitter_mm": None,
        "jitter_deg": None,
    }
    assert result == {
        "kind": "recording",
        "frames": 5,
        "width_px": 8,
        "height_px": 6,
        "orientation": "MFA",
        "valid_images": 5,
        "transforms": {"ProbeToTracker": 5, "ReferenceToTracker": 5},
        "pose": "ProbeToReference",
        "tracking_in_words": "100.0% valid; never at rest",
        "warnings": [],
    }


def test_the_extent_is_that_of_valid_poses(info, written):
    sweep = a_sweep()
    sweep.transforms["ReferenceToTracker"].valid[4] = False
    result = info(written(sweep))
    assert result["pose_extent_mm"] == pytest.approx(9)
    assert result["pose_extent_deg"] == pytest.approx(30)
    assert result["transforms"]["ReferenceToTracker"] == 4
    assert info(written(sweep), "--reference-frame", "Elsewhere")["pose_extent_mm"] == pytest.approx(12)
    sweep.transforms["ProbeToTracker"].valid[0] = False
    assert info(written(sweep), "--reference-frame", "Elsewhere")["pose_extent_mm"] == pytest.approx(9)


def test_an_invalid_transform_causes_no_warning_whatever_its_numbers(info, written):
    sweep = a_sweep()
    sweep.transforms["ProbeToTracker"].valid[2] = False
    sweep.transforms["ProbeToTracker"].matrices[2] = 7
    assert info(written(sweep))["warnings"] == []


def test_without_probe_in_reference_the_first_transform_that_moves_is_described(info, written):
    tracks = a_sweep().transforms
    result = info(
        written(
            a_sweep(
                transforms={
                    "StillToTracker": tracks["ReferenceToTracker"],
                    "ToolToTracker": tracks["ProbeToTracker"],
                }
            )
        )
    )
    assert result["pose"] == "ToolToTracker"
    assert result["pose_extent_mm"] == pytest.approx(12)
    assert result["warnings"] == ["There is no transform ProbeToReference: from Probe one reaches nothing."]
    named = info(written(a_sweep()), "--probe-frame", "Reference", "--reference-frame", "Tracker")
    assert (named["pose"], named["pose_extent_mm"]) == ("ReferenceToTracker", 0)


def test_a_recording_without_poses_has_no_extent(info, written):
    result = info(written(a_sweep(transforms={})))
    assert (result["pose"], result["pose_extent_mm"], result["pose_extent_deg"]) == (None, None, None)


def test_a_single_frame_has_no_rate(info, written):
    sweep = a_sweep()
    one = TrackedSweep(
        sweep.frames[:1],
        sweep.timestamps_s[:1],
        {name: track[:1] for name, track in sweep.transforms.items()},
        sweep.image_valid[:1],
    )
    result = info(written(one))
    assert (result["rate_hz"], result["duration_s"], result["pose_extent_mm"]) == (None, 0, 0)


def test_what_is_odd_is_told_with_numbers(info, written):
    sweep = a_sweep(timestamps_s=np.array([1, 2, 2, 4, 3.0]), image_valid=np.array([1, 0, 1, 1, 0], bool))
    sweep.transforms["ProbeToTracker"].matrices[3, 0, 0] = 2
    sweep.transforms["ReferenceToTracker"].matrices[1, 2, 3] = np.nan
    result = info(written(sweep))
    assert result["warnings"] == [
        "2 of 5 images are invalid.",
        "1 of 5 time stamps repeat the one before.",
        "1 of 5 time stamps are earlier than the one before.",
        "ProbeToTracker is not rigid in 1 of 5 frames (first: frame 3).",
        "ReferenceToTracker is not finite or not rigid in 1 of 5 frames (first: frame 1).",
    ]
    # The three good frames still span the way from frame 0 to frame 4.
    assert result["pose_extent_mm"] == pytest.approx(12)


def test_pixels_have_a_scale_and_cause_no_warning(info, written):
    image_to_probe = TransformTrack(np.tile(np.diag([0.1, 0.1, 0.1, 1]), (5, 1, 1)), np.ones(5, bool))
    sweep = a_sweep(transforms=dict(a_sweep().transforms) | {"ImageToProbe": image_to_probe})
    assert info(written(sweep))["warnings"] == []
    assert info(written(sweep), "--image-frame", "Video")["warnings"] == [
        "ImageToProbe is not rigid in 5 of 5 frames (first: frame 0)."
    ]


def test_several_files_make_a_list(info, written):
    result = info(written(a_sweep()), written(a_sweep(transforms={}), "y.igs.nrrd"))
    assert [entry["file"][-10:] for entry in result["files"]] == ["/x.igs.mha", "y.igs.nrrd"]


def test_the_extent_of_a_long_recording_is_found_in_a_part_of_it(info, written):
    count = 3001
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, 0, 3] = np.linspace(0, 30, count)
    sweep = TrackedSweep(
        np.zeros((count, 0, 0), np.uint8),
        np.arange(count) / 10,
        {"ProbeToReference": TransformTrack(poses, np.ones(count, bool))},
        np.zeros(count, bool),
    )
    assert info(written(sweep))["pose_extent_mm"] == pytest.approx(30)


def test_a_person_reads_aligned_lines(written, capsys):
    assert main(["info", str(written(a_sweep(image_valid=np.array([1, 0, 1, 1, 1], bool))))]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "  frames      5 in 0.4 s, 10 frames/s",
        "  images      8×6 px, orientation MFA, 4 of 5 valid",
        "  transforms  ProbeToTracker      5 of 5 valid",
        "              ReferenceToTracker  5 of 5 valid",
        "  poses       ProbeToReference spans 12.0 mm, 40.0°",
        "  tracking    100.0% valid; never at rest",
        "  warning     1 of 5 images are invalid.",
    ]


def a_model_file(path):
    poses = np.tile(np.diag([0.5, 0.5, 0.5, 1]), (2, 1, 1))
    metadata = ModelInfo(
        recipe="paper",
        network={"width_px": 160},
        geometry=ImageGeometry(160, 120, poses[0]),
        source_size_px=(820, 616),
        crop=Crop(10, 8, 800, 600),
        reference_frame="Reference",
        normalisation=CoordinateNormalisation((0, 0, 0), (1, 1, 1)),
        pose_range=PoseRange(160, 120, poses, 1.0),
        training_set_sha256="0123456789abcdef0123",
        seed=7,
        iterations=100,
        software_version="0.1",
        metrics={"ssim": 0.5},
    ).to_json()
    header = json.dumps(
        {
            "__metadata__": {METADATA_KEY: metadata},
            "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
            "b": {"dtype": "F32", "shape": [4], "data_offsets": [24, 40]},
        }
    ).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(40))
    return path


def test_the_keys_of_a_model(info, tmp_path, capsys):
    result = info(a_model_file(tmp_path / "model.safetensors"))
    assert {
        name: result[name] for name in ("kind", "recipe", "width_px", "height_px", "parameters", "metrics")
    } == {
        "kind": "model",
        "recipe": "paper",
        "width_px": 160,
        "height_px": 120,
        "parameters": 10,
        "metrics": {"ssim": 0.5},
    }
    assert main(["info", str(tmp_path / "model.safetensors")]) == 0
    assert "Not for clinical use" in capsys.readouterr().out


def test_what_training_measured_is_told_in_words(tmp_path):
    measured = {"heldout_mean_abs_difference_grey": 12.3456, "heldout_frames_measured": 50.0, "my_own": 1.5}
    entry = {**described(a_model_file(tmp_path / "model.safetensors"), FrameNames()), "metrics": measured}
    told = [text for name, text in lines(entry) if name in ("metrics", "") and "grey" not in name]
    assert "one sample differs from a held-out image by 12.35 grey levels on average" in told
    assert told[-2:] == ["measured on 50 frames", "my own 1.5"]


def test_a_bad_file_is_one_line_and_exit_code_2(tmp_path, capsys):
    path = tmp_path / "x.igs.mha"
    path.write_bytes(b"\x80\x04\x95")
    assert main(["info", str(path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "x.igs.mha is neither a MetaImage nor an NRRD file" in captured.err


def test_the_wire_recording(info, plus_data):
    result = info(plus_data / "fCal_Test_Calibration_3NWires_fCal2.0.igs.mha")
    assert result["rate_hz"] == pytest.approx(12.5, abs=0.05)
    assert (result["frames"], result["orientation"], result["warnings"]) == (190, "MFA", [])


def test_the_spine_sweep_is_33_mm_long(info, plus_data):
    assert info(plus_data / "SpinePhantomFreehand.igs.mha")["pose_extent_mm"] == pytest.approx(33, abs=0.5)


def test_gaps_in_a_real_recording_are_told(info, plus_data):
    assert info(plus_data / "Prostate10_video.igs.mhd")["warnings"][:3] == [
        "The file does not tell the image orientation; MF is assumed.",
        "1 of 10 frames have no time stamp; they count as invalid.",
        "1 of 10 images are invalid.",
    ]
