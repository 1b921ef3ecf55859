"""The sample scan against `usgansim phantom`, and what is shipped against its own header and card."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from USGanSimLib import sample_data
from USGanSimLib.cli import main
from USGanSimLib.errors import UserError
from USGanSimLib.evaluation.measures.landmarks import project, read_landmarks
from USGanSimLib.geometry.pose_distance import PoseDistance
from USGanSimLib.model.info import INTENDED_USE, read_model_header
from USGanSimLib.phantom.body import fetal_body
from USGanSimLib.phantom.probe import PROBES
from USGanSimLib.phantom.scanning import plan_session
from USGanSimLib.phantom.settings import PLAIN, adjusted
from USGanSimLib.progress import Silent
from USGanSimLib.recording.calibration_file import read_calibration
from USGanSimLib.recording.sequence_file import read_sweep
from USGanSimLib.recording.splits import held_out

FRAMES = 12


def course():
    """True ProbeToReference (N, 4, 4) of each sweep of the sample scan at its full length."""
    setting = adjusted(PLAIN, {"rate_share": sample_data.RATE_SHARE})
    return [sweep.image_poses for sweep in plan_session(sample_data.FRAMES, setting, sample_data.SEED)]


@pytest.fixture
def scan(tmp_path):
    return sample_data.sample_scan(tmp_path / "sample", Silent(), FRAMES)


def test_the_sample_scan_is_what_the_phantom_command_makes(scan, tmp_path, capsys):
    assert (
        main(
            [
                "phantom",
                "--out",
                str(tmp_path / "made.igs.mha"),
                "--frames",
                str(FRAMES),
                "--seed",
                "168",
                "--set",
                "rate_share=0.5",
            ]
        )
        == 0
    )
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


def test_its_course_passes_over_every_landmark_in_held_out_frames_and_often_enough_in_the_others():
    """Else the demo's report would have no landmarks: 20 training frames of each are needed to judge them."""
    geometry = PROBES[sample_data.PROBE](fine=False).image_geometry(
        sample_data.WIDTH_PX, sample_data.HEIGHT_PX
    )
    places = np.array(list(fetal_body(sample_data.SUBJECT).landmarks_mm.values()))
    poses = np.concatenate(course()) @ geometry.image_to_probe
    shown = project(poses, places).within(np.ones((sample_data.HEIGHT_PX, sample_data.WIDTH_PX), bool))
    heldout = held_out("blocks", [*map(len, course())])
    assert (shown[heldout].sum(axis=0) >= 3).all()
    assert (shown[~heldout].sum(axis=0) >= 20).all()


def test_the_shipped_model_fits_the_sample_scan_and_knows_its_course(scan):
    info = read_model_header(sample_data.sample_model_path()).info
    info.require_fit(
        read_calibration(scan.calibration).image_to_probe,
        (sample_data.WIDTH_PX, sample_data.HEIGHT_PX),
        "the sample scan",
    )
    poses = np.concatenate(course())[::10] @ info.geometry.image_to_probe
    distance = PoseDistance(info.geometry.width_px, info.geometry.height_px)
    nearest_mm = [
        np.min(np.linalg.norm(distance.embed(info.pose_range.poses) - distance.embed(pose), axis=1))
        for pose in poses
    ]
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
