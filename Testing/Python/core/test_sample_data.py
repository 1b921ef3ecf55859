"""The sample scan against `usgansim phantom`, and what is shipped against its own header and card."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from USGanSimLib import sample_data
from USGanSimLib.calibration.result import read_calibration
from USGanSimLib.cli import main
from USGanSimLib.errors import UserError
from USGanSimLib.evaluation.landmarks import read_landmarks
from USGanSimLib.geometry.pose_distance import PoseDistance
from USGanSimLib.model_info import INTENDED_USE, read_model_header
from USGanSimLib.progress import Silent
from USGanSimLib.recording.sequence_file import read_sweep

FRAMES = 12


@pytest.fixture
def scan(tmp_path):
    return sample_data.sample_scan(tmp_path / "sample", Silent(), FRAMES)


def test_the_sample_scan_is_what_the_phantom_command_makes(scan, tmp_path, capsys):
    assert main(["phantom", "--out", str(tmp_path / "made.igs.mha"), "--frames", str(FRAMES), "--seed", "0"]) == 0
    ours, theirs = read_sweep(scan.recording), read_sweep(tmp_path / "made.igs.mha")
    assert np.array_equal(ours.frames, theirs.frames)
    assert np.array_equal(ours.timestamps_s, theirs.timestamps_s)
    assert read_landmarks(scan.landmarks).keys() == read_landmarks(tmp_path / "made.landmarks.json").keys()
    assert json.loads(scan.markups.read_text())["markups"]


def test_a_scan_that_is_there_is_not_made_again_and_one_that_is_not_whole_is(scan):
    def again():
        sample_data.sample_scan(scan.recording.parent, Silent(), FRAMES)

    before = scan.recording.stat().st_mtime_ns
    again()
    assert scan.recording.stat().st_mtime_ns == before
    scan.landmarks.unlink()
    again()
    assert scan.landmarks.is_file()
    assert scan.recording.stat().st_mtime_ns > before


def test_another_number_of_frames_is_another_scan(scan):
    other = sample_data.sample_scan(scan.recording.parent, Silent(), FRAMES + 4)
    assert len(read_sweep(other.recording)) == FRAMES + 4


def test_the_shipped_model_fits_the_sample_scan_and_knows_its_poses(scan):
    info = read_model_header(sample_data.sample_model_path()).info
    info.require_fit(read_calibration(scan.calibration).image_to_probe,
                     (sample_data.WIDTH_PX, sample_data.HEIGHT_PX), "the sample scan")
    sweep = read_sweep(scan.recording)
    track = sweep.probe_to_reference("Probe", "Reference")
    poses = track.matrices[track.valid] @ info.geometry.image_to_probe
    distance = PoseDistance(info.geometry.width_px, info.geometry.height_px)
    nearest_mm = [np.min(np.linalg.norm(distance.embed(info.pose_range.poses) - distance.embed(pose), axis=1))
                  for pose in poses]
    assert np.median(nearest_mm) < 10


@pytest.mark.parametrize("path", [sample_data.sample_model_path, sample_data.sample_observer_path])
def test_what_is_shipped_is_small_and_its_card_speaks_of_this_very_file(path):
    file = path()
    card = file.with_suffix(".md").read_text(encoding="utf-8")
    assert file.stat().st_size < 16e6
    assert hashlib.sha256(file.read_bytes()).hexdigest() in card
    assert "ot for clinical use" in card


def test_the_shipped_model_says_what_it_is_for():
    assert read_model_header(sample_data.sample_model_path()).info.intended_use == INTENDED_USE


def test_what_is_not_installed_is_said_with_its_name(monkeypatch):
    monkeypatch.setattr(sample_data, "MODEL_NAME", "gone.safetensors")
    with pytest.raises(UserError, match="gone.safetensors is not installed"):
        sample_data.sample_model_path()
