"""`usgansim demo` from end to end on a small recording, and what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

pytest.importorskip("slicer", reason="slicer-core is not installed")
torch = pytest.importorskip("torch", reason="torch is not installed")

from USGanSimLib import sample_data  # noqa: E402
from USGanSimLib.cli import main  # noqa: E402
from USGanSimLib.errors import UserError  # noqa: E402
from USGanSimLib.geometry.conditioning import CoordinateNormalisation  # noqa: E402
from USGanSimLib.geometry.image_geometry import Crop, ImageGeometry  # noqa: E402
from USGanSimLib.geometry.pose_distance import PoseRange  # noqa: E402
from USGanSimLib.geometry.transforms import TransformTrack  # noqa: E402
from USGanSimLib.link.client import LinkClient  # noqa: E402
from USGanSimLib.link.replay_process import replay_process  # noqa: E402
from USGanSimLib.ml.model_file import save_model  # noqa: E402
from USGanSimLib.ml.networks import Generator  # noqa: E402
from USGanSimLib.ml.renderer import ModelRenderer  # noqa: E402
from USGanSimLib.model.info import ModelInfo  # noqa: E402
from USGanSimLib.model.network_settings import NetworkSettings  # noqa: E402
from USGanSimLib.progress import Silent  # noqa: E402
from USGanSimLib.recording.sequence_file import read_sweep, write_sweep  # noqa: E402
from USGanSimLib.recording.sweep import TrackedSweep  # noqa: E402

FRAMES, WIDTH_PX, HEIGHT_PX = 40, 32, 24
IMAGE_TO_PROBE = np.array([[0.5, 0, 0, -8], [0, 0.5, 0, 3], [0, 0, 1, 0], [0, 0, 0, 1]])


@pytest.fixture
def recording(tmp_path):
    """A probe that slides 20 mm and is lost for five frames; a bright bar moves through its images."""
    probe, valid = np.tile(np.eye(4), (FRAMES, 1, 1)), np.ones(FRAMES, bool)
    probe[:, 2, 3] = np.linspace(0, 20, FRAMES)
    valid[10:15] = False
    images = np.full((FRAMES, HEIGHT_PX, WIDTH_PX), 40, np.uint8)
    for index in range(FRAMES):
        images[index, 8:16, index % WIDTH_PX] = 220
    path = tmp_path / "slide.igs.mha"
    track = {"ProbeToReference": TransformTrack(probe, valid)}
    write_sweep(path, TrackedSweep(images, 5 + np.arange(FRAMES) / 20, track, np.ones(FRAMES, bool)))
    return path


@pytest.fixture
def calibration(tmp_path):
    path = tmp_path / "cal.json"
    path.write_text(
        json.dumps({"image_to_probe": IMAGE_TO_PROBE.tolist(), "image_size_px": [WIDTH_PX, HEIGHT_PX]})
    )
    return path


@pytest.fixture
def model(tmp_path):
    """An untrained network that knows the poses of the slide's first half alone."""
    settings = NetworkSettings(WIDTH_PX, HEIGHT_PX, noise_size=4, up_layers=2, generator_channels=8)
    poses = np.tile(IMAGE_TO_PROBE, (10, 1, 1))
    poses[:, 2, 3] = np.linspace(0, 5, 10)
    info = ModelInfo(
        "paper",
        settings.as_dict(),
        ImageGeometry(WIDTH_PX, HEIGHT_PX, IMAGE_TO_PROBE),
        (WIDTH_PX, HEIGHT_PX),
        Crop(0, 0, WIDTH_PX, HEIGHT_PX),
        "Reference",
        CoordinateNormalisation((0.0, 0.0, 0.0), (10.0, 10.0, 10.0)),
        PoseRange.of_training_poses(poses, WIDTH_PX, HEIGHT_PX),
        "0" * 64,
        0,
        7,
        "0",
    )
    path = tmp_path / "model.safetensors"
    torch.manual_seed(0)
    save_model(path, Generator(settings).state_dict(), info)
    return path


@pytest.fixture
def demo(capsys):
    """Exit code, the JSON result (or None), and what stands on standard error."""

    def run(*words):
        code = main(["demo", *map(str, words), "--json"])
        out, err = capsys.readouterr()
        return code, json.loads(out) if out else None, err

    return run


def test_a_recording_runs_live_and_leaves_figures_and_a_picture(
    recording, calibration, model, tmp_path, demo
):
    code, result, err = demo(
        "--recording",
        recording,
        "--calibration",
        calibration,
        "--model",
        model,
        "--seconds",
        3,
        "--rate",
        40,
        "--out",
        tmp_path / "out",
    )
    assert code == 0, err
    # 40 frames a second for 3 s, of which the start of the run may miss a few.
    assert 100 <= result["received"] <= 125
    assert result["accounted_for"]
    fates = ("rendered", "superseded", "unusable", "waiting")
    assert sum(result[fate] for fate in fates) == result["received"]
    assert result["unusable"] > 0
    assert result["state_shares"].keys() == {"GOOD", "OUT_OF_RANGE", "INVALID"}
    assert 0 < result["pose_to_volume_median_ms"] <= result["pose_to_volume_p95_ms"]
    assert "live second=2" in err
    with Image.open(result["panel"]) as panel:
        grey = np.asarray(panel.convert("RGB")).astype(int)
    # The real images: grey 40 with a bar of 220, in four places of the upper row.
    assert (grey == 40).all(axis=-1).sum() > 4 * 40_000
    assert [entry.name for entry in (tmp_path / "out").iterdir()] == ["panel.png"]


def test_without_a_recording_the_shipped_model_simulates_a_scan_that_is_kept(demo, tmp_path, monkeypatch):
    monkeypatch.setattr("USGanSimLib.sample_data.FRAMES", 40)
    monkeypatch.setattr("USGanSimLib.commands.demo.reported", lambda *_: {})
    out = tmp_path / "out"
    code, result, err = demo("--seconds", "1", "--out", out)
    assert code == 0, err
    assert "phantom because=no --recording was given" in err
    assert result["model"].startswith("virtual_phantom.safetensors")
    assert result["accounted_for"]
    assert result["rendered"] > 0
    assert (out / "panel.png").is_file()
    sweep = read_sweep(out / "sample.igs.mha")
    assert (len(sweep), sweep.width_px, sweep.height_px) == (40, 160, 120)
    before = (out / "sample.igs.mha").stat().st_mtime_ns
    assert demo("--seconds", "1", "--out", out)[0] == 0
    assert (out / "sample.igs.mha").stat().st_mtime_ns == before


def test_the_shipped_model_shows_the_anatomy_with_every_noise(tmp_path):
    """A model may be right on average and black for one noise in seven; the live view shows one noise for long."""
    scan = sample_data.sample_scan(tmp_path, Silent(), 12)
    sweep, renderer = (
        read_sweep(scan.recording),
        ModelRenderer.load(sample_data.sample_model_path(), "cpu", 1),
    )
    track = sweep.probe_to_reference("Probe", "Reference")
    frames = np.flatnonzero(track.valid & sweep.image_valid)
    real = ndimage.uniform_filter(np.stack([sweep.frames[k] for k in frames]).astype(float), (0, 9, 9))
    for seed in range(20):
        renderer.resample(seed)
        images = np.stack([renderer.render(track.matrices[k] @ renderer.image_to_probe) for k in frames])
        simulated = ndimage.uniform_filter(images.astype(float), (0, 9, 9))
        assert np.corrcoef(simulated.ravel(), real.ravel())[0, 1] > 0.7, f"noise of seed {seed}"


def test_without_a_calibration_it_says_so(recording, demo):
    code, _, err = demo("--recording", recording)
    assert code == 2
    assert "--calibration" in err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--seconds", "0"), "--seconds: 0 is out"),
        (("--seconds", "nan"), "--seconds: nan is out"),
        (("--rate", "-3"), "--rate: -3 is out"),
        (("--probe-frame", "Needle"), "Needle"),
        (("--model", "nowhere.safetensors"), "nowhere.safetensors"),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_picture(
    recording, calibration, model, tmp_path, demo, words, reason
):
    out = tmp_path / "out"
    code, result, err = demo(
        "--recording", recording, "--calibration", calibration, "--model", model, "--out", out, *words
    )
    assert (code, result) == (2, None)
    assert reason in err.splitlines()[-1]
    assert "Traceback" not in err
    assert not out.exists()


def test_a_calibration_of_another_image_size_is_refused(recording, calibration, model, demo):
    calibration.write_text(
        json.dumps({"image_to_probe": IMAGE_TO_PROBE.tolist(), "image_size_px": [640, 480]})
    )
    code, _, err = demo("--recording", recording, "--calibration", calibration, "--model", model)
    assert code == 2
    assert "640×480" in err


def test_a_model_of_another_probe_is_refused(recording, calibration, model, demo):
    shifted = IMAGE_TO_PROBE.copy()
    shifted[0, 3] += 5
    calibration.write_text(json.dumps({"image_to_probe": shifted.tolist()}))
    code, _, err = demo("--recording", recording, "--calibration", calibration, "--model", model)
    assert code == 2
    assert "5.0 mm apart" in err


def test_a_recording_without_a_valid_pose_and_image_together_is_refused(recording, calibration, model, demo):
    text = recording.read_bytes()
    recording.write_bytes(text.replace(b"ImageStatus = OK", b"ImageStatus = INVALID"))
    code, _, err = demo("--recording", recording, "--calibration", calibration, "--model", model)
    assert code == 2
    assert "slide.igs.mha" in err


def test_the_replay_runs_in_its_own_process_and_ends_with_the_block(recording):
    words = [str(recording), "--rate", "50", "--loop", "--header-version", "2"]
    with replay_process(words) as port, LinkClient("127.0.0.1", port) as client:
        assert client.wait(5.0)
    with LinkClient("127.0.0.1", port) as client:
        assert not client.wait_connected(0.5)


def test_a_replay_that_cannot_begin_tells_the_commands_own_reason(tmp_path):
    with (
        pytest.raises(UserError, match=r"cannot be replayed: .*nothing\.igs\.mha"),
        replay_process([str(tmp_path / "nothing.igs.mha")]),
    ):
        pass


@pytest.mark.parametrize("words", [("--recording", "a.igs.mha", "--calibration", "b.json"), ("--model", "c")])
def test_the_journey_takes_no_recording_and_no_model(words, demo, tmp_path):
    code, _, err = demo("--train", *words, "--out", tmp_path / "out")
    assert code == 2
    assert "records and trains by itself" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_demo_ends_with_a_report_where_the_shipped_model_is_in_its_right_place(
    demo, tmp_path, monkeypatch
):
    monkeypatch.setattr("USGanSimLib.sample_data.FRAMES", 200)
    code, result, err = demo("--seconds", "1", "--out", tmp_path / "out")
    assert code == 0, err
    assert (tmp_path / "out" / "report" / "report.html").is_file()
    rows = {row["name"]: row for row in result["rows"]}
    model = next(row for name, row in rows.items() if "virtual_phantom" in name)
    assert model["ncc"] > rows["average training image"]["ncc"] + 0.1
    assert model["geometry_slope"] == pytest.approx(1, abs=0.1)


@pytest.mark.slow
def test_the_journey_goes_from_recordings_to_a_live_simulation(demo, tmp_path, monkeypatch):
    monkeypatch.setattr("USGanSimLib.commands.demonstration.journey.SCAN_FRAMES", 160)
    monkeypatch.setattr("USGanSimLib.commands.demonstration.journey.LIVE_FRAMES", 40)
    out = tmp_path / "out"
    code, result, err = demo("--train", "--minutes", "0.05", "--seconds", "1", "--out", out)
    assert code == 0, err
    assert list(result["journey"]) == ["record", "calibrate", "prepare", "train", "evaluate", "live"]
    # The pinhead is found and fitted without a hint, well below a pixel of 1.2 mm.
    assert result["calibration_error_mm"] < 0.6
    assert result["training"]["step"] >= 1
    for name in (
        "scan.igs.mha",
        "pin_points.png",
        "calibration.png",
        "run/model.safetensors",
        "report/report.html",
        "panel.png",
    ):
        assert (out / name).is_file()
    for line in (
        "usgansim calibrate detect",
        "usgansim calibrate pinhead",
        "usgansim prepare",
        "usgansim train",
        "usgansim evaluate",
    ):
        assert f"$ {line}" in err
    code, _, err = demo("--train", "--out", out)
    assert code == 2
    assert "is there from an earlier journey" in err


@pytest.mark.slow
def test_without_a_model_one_is_trained_and_kept(recording, calibration, tmp_path, demo):
    out = tmp_path / "out"
    code, result, err = demo(
        "--recording",
        recording,
        "--calibration",
        calibration,
        "--seconds",
        2,
        "--rate",
        30,
        "--iterations",
        2,
        "--out",
        out,
    )
    assert code == 0, err
    assert "no --model was given" in err
    assert "stand-in" in result["model"]
    # Every frame is 40, with a bar of 220 in a third of the rows of one column in 32: on average 40 + 180 / 96.
    assert "where an all-black image is 41.9 off" in result["model"]
    assert sorted(entry.name for entry in out.iterdir()) == ["model.safetensors", "panel.png"]
