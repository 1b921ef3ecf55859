"""`usgansim calibrate …` as a person or a script calls it, up to a calibration from images alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from USGanSimLib.cli import main
from USGanSimLib.evaluation.measures.points import read_points
from USGanSimLib.geometry.transforms import TransformTrack
from USGanSimLib.recording.calibration_file import read_calibration
from USGanSimLib.recording.sequence_file import write_sweep
from USGanSimLib.recording.sweep import TrackedSweep

COUNT, WIDTH, HEIGHT = 40, 400, 300
IMAGE_TO_PROBE = np.array([[0, 0.15, 0, 12], [0.15, 0, 0, -30], [0, 0, -1, 55], [0, 0, 0, 1.0]])
PIN_MM = np.array([20.0, -35, 400])


@pytest.fixture
def pin(tmp_path: Path) -> dict[str, np.ndarray]:
    """`poses` and `pixels` of a fixed pin, tilted by ±30°, and the tables points.csv and poses.csv of them."""
    rng = np.random.default_rng(4)
    pixels = rng.uniform((60, 45), (340, 255), (COUNT, 2))
    turns = Rotation.from_euler("xyz", rng.uniform(-30, 30, (COUNT, 3)), degrees=True)
    in_probe = np.column_stack([pixels, np.zeros(COUNT), np.ones(COUNT)]) @ IMAGE_TO_PROBE.T
    poses = np.tile(np.eye(4), (COUNT, 1, 1))
    poses[:, :3, :3] = turns.as_matrix()
    poses[:, :3, 3] = PIN_MM + rng.normal(0, 0.1, (COUNT, 3)) - turns.apply(in_probe[:, :3])
    write_points(tmp_path / "points.csv", pixels)
    write_poses(tmp_path / "poses.csv", poses)
    return {"poses": poses, "pixels": pixels}


def write_points(path: Path, pixels: np.ndarray) -> None:
    path.write_text("frame,u_px,v_px\n" + "".join(f"{f},{u},{v}\n" for f, (u, v) in enumerate(pixels)))


def write_poses(path: Path, poses: np.ndarray) -> None:
    header = "frame," + ",".join(f"m{row}{column}" for row in range(4) for column in range(4))
    lines = [f"{frame}," + ",".join(map(str, pose.ravel())) for frame, pose in enumerate(poses)]
    path.write_text("\n".join([header, *lines]))


def words(folder: Path, *more: str) -> list[str]:
    return [
        "calibrate",
        "pinhead",
        "--points",
        str(folder / "points.csv"),
        "--poses",
        str(folder / "poses.csv"),
        "--out",
        str(folder / "CAL.json"),
        *more,
    ]


def corner_error_mm(path: Path, truth: np.ndarray, width_px: int, height_px: int) -> float:
    corners = np.array([[u, v, 0, 1] for u in (0, width_px - 1) for v in (0, height_px - 1)], float)
    return float(
        np.linalg.norm(((read_calibration(path).image_to_probe - truth) @ corners.T)[:3], axis=0).max()
    )


def test_a_calibration_has_the_promised_keys_and_serves_as_one(pin, tmp_path, capsys):
    assert (
        main(words(tmp_path, "--size", f"{WIDTH}x{HEIGHT}", "--xml", str(tmp_path / "cal.xml"), "--json"))
        == 0
    )
    printed = json.loads(capsys.readouterr().out)
    saved = json.loads((tmp_path / "CAL.json").read_text())
    assert saved.items() <= printed.items()
    assert {
        "image_to_probe",
        "mm_per_px",
        "pin_mm",
        "n_points",
        "outlier_frames",
        "rms_mm",
        "heldout_mm",
        "corner_error_mm",
        "condition",
        "verdict",
        "advice",
        "image_size_px",
    } <= set(saved)
    assert saved["verdict"] == "good"
    assert saved["mm_per_px"] == pytest.approx([0.15, 0.15], rel=0.02)
    assert saved["pin_mm"] == pytest.approx(PIN_MM.tolist(), abs=0.3)
    assert (saved["n_points"], saved["image_size_px"]) == (COUNT, [WIDTH, HEIGHT])
    assert corner_error_mm(tmp_path / "CAL.json", IMAGE_TO_PROBE, WIDTH, HEIGHT) < 0.4
    assert np.array_equal(
        read_calibration(tmp_path / "cal.xml").image_to_probe,
        read_calibration(tmp_path / "CAL.json").image_to_probe,
    )
    assert Image.open(tmp_path / "CAL.png").size[0] > 600


def test_a_person_reads_verdict_error_and_outliers(pin, tmp_path, capsys):
    pixels = pin["pixels"].copy()
    pixels[7] += (50, -20)
    write_points(tmp_path / "points.csv", pixels)
    assert main(words(tmp_path)) == 0
    said = capsys.readouterr().out
    assert "Calibration: good. Expected error 0." in said
    assert "39 of 40 points used; outliers: 7." in said
    assert "mirrored image would fit as well" in said


def test_a_known_pixel_size_is_kept(pin, tmp_path):
    assert main(words(tmp_path, "--mm-per-px", "0.15,0.15")) == 0
    saved = json.loads((tmp_path / "CAL.json").read_text())
    assert saved["mm_per_px"] == pytest.approx([0.15, 0.15], rel=1e-9)
    assert saved["mm_per_px_fixed"] is True


def test_an_earlier_calibration_tells_a_mirrored_image(pin, tmp_path, capsys):
    (tmp_path / "old.json").write_text(json.dumps({"image_to_probe": IMAGE_TO_PROBE.tolist()}))
    assert main(words(tmp_path, "--size", "400x300", "--compare", str(tmp_path / "old.json"), "--json")) == 0
    assert json.loads(capsys.readouterr().out)["compared_mm"] < 0.4
    (tmp_path / "CAL.json").unlink()
    write_points(tmp_path / "points.csv", np.column_stack([399 - pin["pixels"][:, 0], pin["pixels"][:, 1]]))
    assert main(words(tmp_path, "--size", "400x300", "--compare", str(tmp_path / "old.json"))) == 2
    assert "mirrored left to right against old.json" in capsys.readouterr().err
    assert not (tmp_path / "CAL.json").exists()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda pin: {"poses": np.linalg.inv(pin["poses"])}, "wrong direction"),
        (lambda pin: {"poses": np.swapaxes(pin["poses"], 1, 2)}, "column by column"),
        (lambda pin: {"poses": pin["poses"][:6]}, "6 points are too few to calibrate; 8 are the least"),
        (
            lambda pin: {"poses": np.where(np.arange(4) < 3, pin["poses"][0], pin["poses"])},
            "parallel within 0.0°",
        ),
        (lambda pin: {"pixels": pin["pixels"] + 200}, "is outside the image of 400×300 px"),
        (lambda pin: {"pixels": np.random.default_rng(0).permutation(pin["pixels"])}, ""),
        (lambda pin: {"pixels": np.full((COUNT, 2), np.nan)}, "no frame number and point"),
    ],
)
def test_a_refusal_writes_no_file_exits_2_and_says_why(pin, tmp_path, capsys, spoil, said):
    wrong = {**pin, **spoil(pin)}
    write_points(tmp_path / "points.csv", wrong["pixels"])
    write_poses(tmp_path / "poses.csv", wrong["poses"])
    assert main(words(tmp_path, "--size", f"{WIDTH}x{HEIGHT}")) == 2
    error = capsys.readouterr().err
    assert error.startswith("usgansim calibrate: ")
    assert error.count("\n") == 1
    assert said in error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["points.csv", "poses.csv"]


def test_a_missing_folder_for_one_of_the_files_leaves_no_calibration(pin, tmp_path, capsys):
    xml = str(tmp_path / "nowhere" / "cal.xml")
    assert main(words(tmp_path, "--size", f"{WIDTH}x{HEIGHT}", "--xml", xml)) == 2
    assert "nowhere" in capsys.readouterr().err
    assert not (tmp_path / "CAL.json").exists()


def test_marks_made_in_a_mirrored_picture_are_recognised_in_a_recording(pin, tmp_path, capsys):
    images = np.full((COUNT, HEIGHT, WIDTH), 10, np.uint8)
    for image, (u, v) in zip(images, pin["pixels"].round().astype(int), strict=True):
        image[v - 3 : v + 4, u - 3 : u + 4] = 220
    track = TransformTrack(pin["poses"], np.ones(COUNT, bool))
    write_sweep(
        tmp_path / "pin.igs.mha",
        TrackedSweep(images, np.arange(COUNT) / 10, {"ProbeToReference": track}, np.ones(COUNT, bool)),
    )
    call = [
        "calibrate",
        "pinhead",
        "--points",
        str(tmp_path / "points.csv"),
        "--recording",
        str(tmp_path / "pin.igs.mha"),
        "--out",
        str(tmp_path / "CAL.json"),
    ]
    assert main(call) == 0
    write_points(tmp_path / "points.csv", np.column_stack([399 - pin["pixels"][:, 0], pin["pixels"][:, 1]]))
    assert main(call) == 2
    assert "but there is mirrored left to right" in capsys.readouterr().err


def test_to_keep_every_0th_proposal_is_refused(tmp_path, capsys):
    assert main(["calibrate", "detect", "any.igs.mha", "--every", "0", "--out", str(tmp_path / "p.csv")]) == 2
    assert "argument --every: 0 is out of range" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], "--recording, or from --video and --tracker"),
        (["--recording", "{pin}", "--video", "{pin}"], "--recording, or from --video and --tracker"),
        (["--recording", "{pin}", "--target", "pin"], "The pinhead is not marked"),
        (["--recording", "{pin}", "--target", "wires"], "The target wires needs the calibration"),
        (["--recording", "{pin}"], "No image of pin.igs.mha shows a bright straight line"),
        (["--recording", "{pin}", "--out", "{pin}.png"], "the picture beside them has that name"),
    ],
)
def test_a_lag_that_cannot_be_found_is_refused_without_a_file(tmp_path, capsys, more, said):
    track = TransformTrack(np.tile(np.eye(4), (30, 1, 1)), np.ones(30, bool))
    sweep = TrackedSweep(
        np.zeros((30, 60, 80), np.uint8), np.arange(30) / 10, {"ProbeToReference": track}, np.ones(30, bool)
    )
    write_sweep(tmp_path / "pin.igs.mha", sweep)
    call = [word.format(pin=tmp_path / "pin.igs.mha") for word in more]
    assert main(["calibrate", "temporal", "--out", str(tmp_path / "LAG.json"), *call]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "LAG.json").exists()


def test_the_water_tank_gives_a_lag_file_with_its_curve(plus_data, tmp_path, capsys):
    assert (
        main(
            [
                "calibrate",
                "temporal",
                "--video",
                str(plus_data / "WaterTankBottomTranslationVideoBuffer.igs.mha"),
                "--tracker",
                str(plus_data / "WaterTankBottomTranslationTrackerBuffer-trimmed.igs.mha"),
                "--out",
                str(tmp_path / "LAG.json"),
                "--json",
            ]
        )
        == 0
    )
    saved = json.loads((tmp_path / "LAG.json").read_text())
    assert saved["lag_s"] == pytest.approx(-0.065, abs=0.010)
    assert saved["method"] == "flat bottom"
    assert saved["ci_s"][0] < saved["lag_s"] < saved["ci_s"][1]
    assert len(saved["lags_s"]) == len(saved["misfits"])
    assert Image.open(tmp_path / "LAG.png").size == (640, 400)
    assert json.loads(capsys.readouterr().out)["kind"] == "temporal"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("probe", "width_px", "height_px", "seed"),
    [
        ("curvilinear", 160, 120, 1),
        ("curvilinear", 160, 120, 3),
        ("curvilinear", 640, 480, 1),
        ("linear", 240, 240, 0),
    ],
)
def test_from_the_images_of_a_pin_to_its_calibration_with_no_click(
    tmp_path, capsys, probe, width_px, height_px, seed
):
    """The virtual water tank's pinhead: found, its lag and the calibration, against the phantom's truth."""
    assert (
        main(
            [
                "phantom",
                "--target",
                "pinhead",
                "--probe",
                probe,
                "--size",
                f"{width_px}x{height_px}",
                "--frames",
                "800",
                "--seed",
                str(seed),
                "--lag-s",
                "0.05",
                "--out",
                str(tmp_path / "pin.igs.mha"),
            ]
        )
        == 0
    )
    recording, points, lag = (str(tmp_path / name) for name in ("pin.igs.mha", "found.csv", "LAG.json"))
    assert main(["calibrate", "detect", recording, "--out", points]) == 0
    true, found = read_points(tmp_path / "pin.points.csv"), read_points(tmp_path / "found.csv")
    errors_px = [np.linalg.norm(found[frame][0] - true[frame][0]) for frame in found if frame in true]
    assert len(errors_px) > 0.8 * len(true)
    assert np.sqrt(np.mean(np.square(errors_px))) < 0.1 * max(width_px / 160, 1.5)  # a tenth of a millimetre
    assert main(["calibrate", "temporal", "--recording", recording, "--points", points, "--out", lag]) == 0
    assert json.loads(Path(lag).read_text())["lag_s"] == pytest.approx(0.05, abs=0.01)
    assert (
        main(
            [
                "calibrate",
                "pinhead",
                "--points",
                points,
                "--recording",
                recording,
                "--lag-s",
                lag,
                "--out",
                str(tmp_path / "CAL.json"),
            ]
        )
        == 0
    )
    truth = np.array(json.loads((tmp_path / "pin.phantom.json").read_text())["true_image_to_probe"])
    error_mm = corner_error_mm(tmp_path / "CAL.json", truth, width_px, height_px)
    with capsys.disabled():
        print(f"\n{probe} {width_px}×{height_px}, seed {seed}: the worst corner is off by {error_mm:.2f} mm")
    assert error_mm < 0.5
    assert capsys.readouterr().err == ""
