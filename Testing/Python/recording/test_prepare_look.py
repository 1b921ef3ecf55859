"""The look before a training set is made: the numbers that `prepare` then reaches, and a picture that shows them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PIL import Image

from USGanSimLib.geometry.image_geometry import Crop
from USGanSimLib.geometry.transforms import TransformTrack
from USGanSimLib.recording.calibration_file import Calibration
from USGanSimLib.recording.prepare import PrepareOptions, prepare
from USGanSimLib.recording.prepare_look import look
from USGanSimLib.recording.sequence_file import read_sweep, write_sweep
from USGanSimLib.recording.splits import Exclusion
from USGanSimLib.recording.sweep import TrackedSweep

CALIBRATION = Calibration(np.diag([0.5, 0.25, 1.0, 1.0]), (64, 96), "CAL.json")
FRAMES = 50


@pytest.fixture
def recording(tmp_path):
    """A probe that moves by 1 mm a frame; the last 10 images are invalid. The ultrasound is a rectangle of noise."""
    images = np.zeros((FRAMES, 96, 64), np.uint8)
    images[:, 20:80, 10:50] = np.random.default_rng(0).integers(60, 255, (FRAMES, 60, 40))
    poses = np.tile(np.eye(4), (FRAMES, 1, 1))
    poses[:, 2, 3] = np.arange(FRAMES)
    sweep = TrackedSweep(
        images,
        np.arange(FRAMES) / 20.0,
        {"ProbeToReference": TransformTrack(poses, np.ones(FRAMES, bool))},
        np.arange(FRAMES) < FRAMES - 10,
    )
    write_sweep(tmp_path / "sweep.igs.mha", sweep)
    return tmp_path / "sweep.igs.mha"


def test_it_tells_what_prepare_then_does(recording, tmp_path):
    options = PrepareOptions(blocks=1, holdout=0.25, exclusion=Exclusion(2.5), size_px=(32, 24))
    told = look([recording], CALIBRATION, tmp_path / "look.png", options)
    # 40 frames 1 mm apart, the middle 10 held out, 2 on either side within 2.5 mm.
    assert (told["frames_in"], told["frames_out"], told["heldout"], told["too_near"], told["train"]) == (
        50,
        40,
        10,
        4,
        26,
    )
    assert told["excluded"]["image_invalid"] == 10
    assert sorted(path.name for path in tmp_path.iterdir()) == ["look.png", "sweep.igs.mha"]
    made = prepare([recording], CALIBRATION, tmp_path / "set", options)
    assert {name: made[name] for name in ("train", "heldout", "too_near", "crop", "mm_per_px")} == {
        name: told[name] for name in ("train", "heldout", "too_near", "crop", "mm_per_px")
    }


def test_the_picture_shows_crop_and_split_where_they_are(recording, tmp_path):
    options = PrepareOptions(crop=Crop(10, 20, 40, 60), blocks=1, holdout=0.25, exclusion=Exclusion(2.5))
    look([recording], CALIBRATION, tmp_path / "look.png", options)
    picture = np.asarray(Image.open(tmp_path / "look.png")).astype(int)
    # 64 × 96 px of 0.5 × 0.25 mm: 32 × 24 mm, on 360 × 270 px. The yellow crop begins at 10 / 64 and 20 / 96 of them.
    assert picture[135, 57].tolist() == [255, 200, 60]
    assert picture[57, 180].tolist() == [255, 200, 60]
    bar = picture[270 + 8 + 14 + 7, 8:-8]
    share = {
        name: np.mean((bar == colour).all(axis=1))
        for name, colour in (
            ("train", (70, 150, 90)),
            ("heldout", (255, 200, 60)),
            ("near", (150, 90, 60)),
            ("unused", (80, 80, 88)),
        )
    }
    assert share == pytest.approx(
        {"train": 26 / 50, "heldout": 10 / 50, "near": 4 / 50, "unused": 10 / 50}, abs=0.005
    )
    assert (bar[-5] == (80, 80, 88)).all()


def test_faults_of_the_tracking_are_told_and_drawn_below_their_frames(recording, tmp_path):
    sweep = read_sweep(recording)
    matrices = sweep.transforms["ProbeToReference"].matrices.copy()
    matrices[11:20] = matrices[10]
    matrices[30, 0, 3] = 400
    faulty = dataclasses.replace(
        sweep, transforms={"ProbeToReference": TransformTrack(matrices, np.ones(FRAMES, bool))}
    )
    write_sweep(tmp_path / "faulty.igs.mha", faulty)
    options = PrepareOptions(blocks=1, holdout=0.25)
    told = look([tmp_path / "faulty.igs.mha"], CALIBRATION, tmp_path / "look.png", options)
    assert [said[:34] for said in told["warnings"]] == [
        "faulty.igs.mha: 9 of 50 poses of P",
        "faulty.igs.mha: 2 of 50 poses of P",
    ]
    pixels = np.asarray(Image.open(tmp_path / "look.png"))
    for colour, frames in (((220, 110, 220), range(11, 20)), ((255, 90, 40), (30, 31))):
        # Rows above the key, which has a square of the colour.
        rows, columns = np.nonzero((pixels[:-40] == colour).all(axis=-1))
        assert np.ptp(rows) == 4
        width_px = 360 - 2 * 8
        first, last = frames[0] * width_px // FRAMES, (frames[-1] + 1) * width_px // FRAMES
        assert set(columns) == set(range(8 + first, 8 + last))
