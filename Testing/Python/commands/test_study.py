"""`study make` and `study score`, and `evaluate --observer`, as they are called."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from USGanSimLib import cli
from USGanSimLib.geometry.image_geometry import ImageGeometry
from USGanSimLib.geometry.pose_distance import PoseRange
from USGanSimLib.model.info import ModelInfo
from USGanSimLib.recording.dataset import Dataset, write_dataset

torch = pytest.importorskip("torch")

WIDTH_PX, HEIGHT_PX, COUNT = 32, 32, 48


@pytest.fixture
def noisy(tmp_path: Path) -> Dataset:
    images = np.random.default_rng(0).integers(20, 220, (COUNT, HEIGHT_PX, WIDTH_PX), np.uint8)
    geometry = ImageGeometry(WIDTH_PX, HEIGHT_PX, np.eye(4))
    poses = np.tile(np.eye(4), (COUNT, 1, 1))
    poses[:, 0, 3] = np.arange(COUNT) % 6
    return write_dataset(tmp_path / "set", images, poses, geometry, heldout=np.arange(COUNT) // 4 % 3 == 1)


@pytest.fixture
def a_model(noisy: Dataset, tmp_path: Path) -> Path:
    from USGanSimLib.ml.model_file import save_model
    from USGanSimLib.ml.networks import Generator
    from USGanSimLib.model.network_settings import NetworkSettings

    settings = NetworkSettings(
        WIDTH_PX, HEIGHT_PX, noise_size=8, up_layers=3, generator_channels=16, down_layers=2
    )
    info = ModelInfo(
        recipe="paper",
        network=dict(settings.as_dict()),
        geometry=noisy.geometry,
        crop=noisy.crop,
        source_size_px=noisy.source_size_px,
        reference_frame="Reference",
        normalisation=noisy.normalisation,
        pose_range=PoseRange.of_training_poses(noisy.poses[noisy.train_indices], WIDTH_PX, HEIGHT_PX),
        training_set_sha256=noisy.sha256,
        seed=0,
        iterations=3,
        software_version="0",
    )
    save_model(tmp_path / "model.safetensors", Generator(settings).state_dict(), info)
    return tmp_path / "model.safetensors"


@pytest.fixture
def landmarks(tmp_path: Path) -> Path:
    path = tmp_path / "p.landmarks.json"
    path.write_text(
        json.dumps({"frame": "Reference", "unit": "mm", "landmarks": {"crux": [16.0, 14.0, 0.5]}})
    )
    return path


def filled(study: Path, key: Path, columns: dict[str, str]) -> None:
    """Answers as the key has them: `columns` maps columns of answers.csv to the key's."""
    cards = {card["image"]: card for card in json.loads(key.read_text())["images"]}
    with (study / "answers.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    with (study / "answers.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        for row in rows:
            card = cards[row["image"]]
            place = dict(zip(("u_px", "v_px"), card.get("truth_px", ()), strict=False))
            writer.writerow({**row, **{column: {**card, **place}[name] for column, name in columns.items()}})


def test_a_study_is_made_answered_and_scored(noisy, a_model, tmp_path, capsys) -> None:
    study, key = tmp_path / "study", tmp_path / "key.json"
    assert (
        cli.main(
            [
                "study",
                "make",
                "real-or-simulated",
                str(a_model),
                "--dataset",
                str(noisy.folder),
                "--out",
                str(study),
                "--key",
                str(key),
                "--count",
                "6",
                "--sigma-mm",
                "1,0",
                "--device",
                "cpu",
            ]
        )
        == 0
    )
    assert "24 pictures" in capsys.readouterr().out
    filled(study, key, {"answer": "kind"})
    words = ["study", "score", str(study), "--key", str(key), "--out", str(tmp_path / "score.json")]
    assert cli.main([*words, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result == json.loads((tmp_path / "score.json").read_text())
    assert [(row["sigma_mm"], row["accuracy"]) for row in result["rows"]] == [(1.0, 1.0), (0.0, 1.0)]
    assert cli.main(words) == 0
    assert "σ = 1 mm" in capsys.readouterr().out


def test_a_study_of_landmarks_is_made_answered_and_scored(
    noisy, a_model, landmarks, tmp_path, capsys
) -> None:
    study, key = tmp_path / "study", tmp_path / "key.json"
    make = [
        "study",
        "make",
        "landmarks",
        str(a_model),
        "--dataset",
        str(noisy.folder),
        "--out",
        str(study),
        "--key",
        str(key),
        "--count",
        "5",
        "--device",
        "cpu",
    ]
    assert cli.main(make) == 2
    assert "needs their true places" in capsys.readouterr().err
    assert cli.main([*make, "--landmarks", str(landmarks), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["landmarks"] == {"crux": 5}
    filled(study, key, {"u_px": "u_px", "v_px": "v_px"})
    assert cli.main(["study", "score", str(study), "--key", str(key), "--json"]) == 0
    real, simulated = json.loads(capsys.readouterr().out)["rows"]
    assert real["landmark_mean_mm"] == simulated["landmark_mean_mm"] == 0
    assert simulated["name"] == "paper (simulated)"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--count", "0"], "--count: 0 is out"),
        (["--sigma-mm", "-1"], "no list of blurs"),
        (["--sigma-mm", "one"], "no list of blurs"),
        (["--count", "9"], "need 18 held-out frames"),
    ],
)
def test_bad_words_are_one_line_and_leave_nothing(noisy, a_model, tmp_path, capsys, words, reason) -> None:
    before = sorted(tmp_path.iterdir())
    assert (
        cli.main(
            [
                "study",
                "make",
                "real-or-simulated",
                str(a_model),
                "--dataset",
                str(noisy.folder),
                "--out",
                str(tmp_path / "study"),
                "--key",
                str(tmp_path / "key.json"),
                "--device",
                "cpu",
                *words,
            ]
        )
        == 2
    )
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


@pytest.fixture
def an_observer(tmp_path: Path) -> Path:
    from USGanSimLib.evaluation.observer.landmark_observer import ObserverInfo, Thresholds, save_observer
    from USGanSimLib.evaluation.observer.network import LandmarkNetwork

    torch.manual_seed(0)
    path = tmp_path / "observer.safetensors"
    save_observer(
        path,
        LandmarkNetwork(1, 2),
        ObserverInfo(("crux",), 1.0, 2, (1001, 1002), 0, 1, Thresholds((0.0,), (0.0,)), "0"),
    )
    return path


def test_evaluate_adds_the_observers_tables_and_its_floor(
    noisy, an_observer, landmarks, tmp_path, capsys
) -> None:
    words = [
        "evaluate",
        "--dataset",
        str(noisy.folder),
        "--observer",
        str(an_observer),
        "--landmarks",
        str(landmarks),
        "--curve",
        "",
        "--out",
        str(tmp_path / "report"),
        "--json",
    ]
    assert cli.main(words) == 0
    content = json.loads(capsys.readouterr().out)
    rows = {row["name"]: row for row in content["rows"]}
    assert {"Landmarks, read by the observer", "Distribution of the images"} <= {
        t["title"] for t in content["tables"]
    }
    assert (
        rows["real image"]["landmark_readings"]
        == rows["real image, poses shuffled"]["landmark_readings"]
        == 16
    )
    assert rows["real image"]["landmark_to_real_mean_mm"] == 0
    assert content["observer"]["heldout_landmarks"] == {"crux": 16}
    assert content["warnings"] == []
    html = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "58.3 %" in html
    assert '<img alt="Landmarks: arrows at the true places' in html
    assert (tmp_path / "report" / "landmarks.png").is_file()


def test_an_observer_that_knows_the_subject_is_warned_of(noisy, an_observer, landmarks, tmp_path) -> None:
    from USGanSimLib.evaluation.observer.observed import observer_tests

    for subject, warnings in ((0, 0), (1002, 1)):
        (tmp_path / "p.phantom.json").write_text(json.dumps({"subject": subject}))
        found = observer_tests(noisy, an_observer, landmarks, classifier=False).warnings
        assert [f"trained on subject {subject}" in warning for warning in found] == [True] * warnings


def test_an_observer_without_landmarks_is_refused(noisy, an_observer, tmp_path, capsys) -> None:
    assert (
        cli.main(
            [
                "evaluate",
                "--dataset",
                str(noisy.folder),
                "--observer",
                str(an_observer),
                "--out",
                str(tmp_path / "report"),
            ]
        )
        == 2
    )
    assert "Give both" in capsys.readouterr().err
    assert not (tmp_path / "report").exists()
