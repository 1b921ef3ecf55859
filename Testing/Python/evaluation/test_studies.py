"""Blind studies: the folder tells nothing, the key everything, and answers are scored as worked out by hand."""

from __future__ import annotations

import csv
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from USGanSimLib import cli
from USGanSimLib.errors import UserError
from USGanSimLib.evaluation.study.blind_set import BlindSet, read_blind_set
from USGanSimLib.evaluation.study.placed_points import PlacedPoints
from USGanSimLib.evaluation.study.reading_study import make_reading_study, score_reading
from USGanSimLib.evaluation.study.realness_study import make_realness_study, score_realness
from USGanSimLib.geometry.image_geometry import ImageGeometry
from USGanSimLib.phantom.export import MARKUPS_SCHEMA
from USGanSimLib.recording.dataset import Dataset, write_dataset

COUNT, WIDTH_PX, HEIGHT_PX = 60, 40, 30
MM_PER_PX = (1.0, 2.0)
LANDMARKS_MM = {"crux": np.array([20.0, 30.0, 0.0]), "far": np.array([20.0, 30.0, 50.0])}


@pytest.fixture
def noisy(tmp_path: Path) -> Dataset:
    """Noise inside a field of view with black beside it; every second frame, in stretches of ten, is held out."""
    images = np.random.default_rng(0).integers(20, 220, (COUNT, HEIGHT_PX, WIDTH_PX), np.uint8)
    images[:, :, :6] = 0
    geometry = ImageGeometry(WIDTH_PX, HEIGHT_PX, np.diag([*MM_PER_PX, 1.0, 1.0]))
    poses = np.tile(geometry.image_to_probe, (COUNT, 1, 1))
    poses[:, 0, 3] = np.arange(COUNT) % 4
    return write_dataset(tmp_path / "noisy", images, poses, geometry, heldout=np.arange(COUNT) // 10 % 2 == 1)


class Negative:
    """A simulation that everybody can tell: the real image's negative, and grey where real images are black."""

    name = "negative"

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def images(self, index: int) -> NDArray[np.uint8]:
        return 255 - self._dataset.read_images([index])


class Copy(Negative):
    """The real image itself."""

    def images(self, index: int) -> NDArray[np.uint8]:
        return self._dataset.read_images([index])


def key_of(path: Path) -> dict[str, dict]:
    return {card["image"]: card for card in json.loads(path.read_text())["images"]}


def answer(folder: Path, rows: list[dict[str, object]]) -> Path:
    path = folder / "filled.csv"
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def a_realness_study(
    noisy: Dataset, tmp_path: Path, predictor: type = Negative, sigmas_mm: tuple = (0.0, 1.0)
):
    make_realness_study(tmp_path / "study", tmp_path / "key.json", noisy, predictor(noisy), 15, sigmas_mm, 4)
    return read_blind_set(tmp_path / "study", tmp_path / "key.json"), key_of(tmp_path / "key.json")


def test_the_folder_holds_numbered_pictures_and_no_word_of_what_they_are(
    noisy: Dataset, tmp_path: Path
) -> None:
    _, key = a_realness_study(noisy, tmp_path)
    folder = tmp_path / "study"
    names = sorted(path.name for path in folder.iterdir())
    assert names == [*(f"{k:04d}.png" for k in range(1, 61)), "answers.csv", "study.json"]
    study = json.loads((folder / "study.json").read_text())
    assert all(card.keys() == {"image", "sigma_mm"} for card in study["images"])
    assert all(line.split(",")[1] == "" for line in (folder / "answers.csv").read_text().splitlines()[1:])
    kinds = [key[f"{k:04d}"]["kind"] for k in range(1, 61)]
    assert kinds[:30].count("real") == kinds[30:].count("real") == 15
    # Thirty cards in an order that could come from shuffling: real and simulated ones take turns often enough.
    assert 8 <= sum(a != b for a, b in itertools.pairwise(kinds[:30])) <= 24
    assert [key[f"{k:04d}"]["sigma_mm"] for k in (1, 30, 31, 60)] == [1.0, 1.0, 0.0, 0.0]


def test_pictures_of_equal_content_are_equal_bytes_whichever_kind_they_are(
    noisy: Dataset, tmp_path: Path
) -> None:
    """Shown as real in one study and as simulated in another, an image becomes the same file at the same blur."""
    files: dict[tuple[int, float], set[bytes]] = {}
    for seed in range(4):
        out = tmp_path / f"s{seed}"
        make_realness_study(out, tmp_path / f"k{seed}.json", noisy, Copy(noisy), 15, (0.0, 1.0), seed)
        for name, card in key_of(tmp_path / f"k{seed}.json").items():
            files.setdefault((card["frame"], card["sigma_mm"]), set()).add((out / f"{name}.png").read_bytes())
    assert len(files) == 60
    assert all(len(contents) == 1 for contents in files.values())


def test_a_simulation_is_black_outside_the_field_of_view_and_no_frame_is_shown_twice(
    noisy: Dataset, tmp_path: Path
) -> None:
    _, key = a_realness_study(noisy, tmp_path)
    for name in key:
        picture = Image.open(tmp_path / "study" / f"{name}.png")
        assert (picture.mode, picture.info) == ("L", {})
        assert np.asarray(picture)[:, :5].max() == 0
    for sigma_mm in (0.0, 1.0):
        frames = [card["frame"] for card in key.values() if card["sigma_mm"] == sigma_mm]
        assert len(set(frames)) == 30
        assert all(noisy.heldout[frame] for frame in frames)


def test_answers_are_scored_against_the_key(noisy: Dataset, tmp_path: Path) -> None:
    """At 1 mm all right; at 0 mm 12 of 15 simulated ones and 6 of 15 real ones are called simulated."""
    study, key = a_realness_study(noisy, tmp_path)
    rows, told = [], {"real": 0, "simulated": 0}
    for name, card in key.items():
        word = card["kind"]
        if card["sigma_mm"] == 0:
            told[word] += 1
            word = "simulated" if told[word] <= {"real": 6, "simulated": 12}[word] else "real"
        rows.append({"image": name.lstrip("0"), "answer": word.upper()})
    sure, unsure = score_realness(study, answer(tmp_path, rows))
    assert (sure["name"], sure["accuracy"], sure["correct"]) == ("σ = 1 mm", 1.0, 30)
    assert sure["accuracy_ci_low"] == pytest.approx(0.8843, abs=1e-3)  # 0.025^(1/30)
    assert unsure["accuracy"] == pytest.approx(21 / 30)
    assert unsure["simulated_detected_share"] == pytest.approx(12 / 15)
    assert unsure["real_doubted_share"] == pytest.approx(6 / 15)
    # z(12.5 / 16) − z(6.5 / 16) = 0.776 + 0.237
    assert unsure["d_prime"] == pytest.approx(1.013, abs=2e-3)
    # Two-sided binomial test of 21 in 30: 2 · P(X ≥ 21) = 0.0428.
    assert unsure["p_of_guessing"] == pytest.approx(0.0428, abs=1e-3)


def test_unanswered_pictures_are_counted_and_not_scored(noisy: Dataset, tmp_path: Path) -> None:
    study, key = a_realness_study(noisy, tmp_path)
    rows = [
        {"image": name, "answer": card["kind"] if number < 10 else ""}
        for number, (name, card) in enumerate(key.items())
    ]
    first, second = score_realness(study, answer(tmp_path, rows))
    assert (first["answers"], first["unanswered"], first["accuracy"]) == (10, 20, 1.0)
    assert (second["answers"], second["unanswered"]) == (0, 30)
    assert "accuracy" not in second


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([{"image": "0001", "answer": "maybe"}], "1 answers that are neither"),
        ([{"image": "0099", "answer": "real"}], "no picture 0099"),
        ([{"image": "0001", "answer": "real"}, {"image": "1.png", "answer": "real"}], "0001 twice"),
        ([{"image": "0001", "answer": ""}], "holds no answer"),
        ([{"image": "0001", "verdict": "real"}], "no column answer"),
    ],
)
def test_answers_that_cannot_be_meant_are_refused(
    noisy: Dataset, tmp_path: Path, rows: list, reason: str
) -> None:
    study, _ = a_realness_study(noisy, tmp_path)
    with pytest.raises(UserError, match=reason):
        score_realness(study, answer(tmp_path, rows))


def test_too_few_held_out_frames_are_told_with_their_number(noisy: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="need 32 held-out frames; .* has 30"):
        make_realness_study(tmp_path / "study", tmp_path / "key.json", noisy, Negative(noisy), 16, (0.0,), 0)
    assert not (tmp_path / "study").exists()


def test_a_key_in_the_readers_folder_and_the_key_of_another_study_are_refused(
    noisy: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="would lie in the reader's folder"):
        make_realness_study(tmp_path / "s", tmp_path / "s" / "key.json", noisy, Negative(noisy), 5, (0.0,), 0)
    for name, seed in (("a", 0), ("b", 1)):
        make_realness_study(
            tmp_path / name, tmp_path / f"{name}.json", noisy, Negative(noisy), 5, (0.0,), seed
        )
    with pytest.raises(UserError, match="belongs to another study"):
        read_blind_set(tmp_path / "a", tmp_path / "b.json")
    with pytest.raises(UserError, match="cannot be read"):
        read_blind_set(tmp_path / "none", tmp_path / "a.json")


def a_reading_study(noisy: Dataset, tmp_path: Path) -> tuple[BlindSet, dict[str, dict]]:
    made = make_reading_study(
        tmp_path / "study", tmp_path / "key.json", noisy, Negative(noisy), LANDMARKS_MM, 12, 0
    )
    assert (made["pairs"], made["images"]) == (12, 24)
    # The second landmark is 50 mm off every plane.
    assert made["landmarks"] == {"crux": 12, "far": 0}
    return read_blind_set(tmp_path / "study", tmp_path / "key.json"), key_of(tmp_path / "key.json")


def reading_rows(key: dict[str, dict]) -> list[dict[str, object]]:
    """Real: 1 px (2 mm) below the truth. Simulated: of 12, 6 are 3 px (3 mm) right of the truth, 4 unclear, 2 wrong."""
    rows, simulated = [], 0
    for name, card in key.items():
        u, v = card["truth_px"]
        outcome, place = "", (u, v + 1)
        if card["row"] != "real image":
            outcome = "" if simulated < 6 else "unclear" if simulated < 10 else "wrong region"
            place = (u + 3, v) if simulated < 6 else ("", "")
            simulated += 1
        rows.append({"image": name, "outcome": outcome, "u_px": place[0], "v_px": place[1]})
    return rows


def require_the_right_table(rows: list[dict]) -> None:
    real, simulated = rows
    assert (real["name"], simulated["name"]) == ("real image", "negative")
    assert real["landmark_measured_share"] == 1
    assert real["landmark_mean_mm"] == pytest.approx(2.0)
    assert simulated["landmark_measured_share"] == pytest.approx(6 / 12)
    assert simulated["landmark_unclear_share"] == pytest.approx(4 / 12)
    assert simulated["landmark_wrong_region_share"] == pytest.approx(2 / 12)
    assert simulated["landmark_mean_mm"] == pytest.approx(3.0)
    assert simulated["landmark_to_real_mean_mm"] == pytest.approx(np.hypot(3, 2))


def test_landmarks_marked_in_the_table_are_scored_in_millimetres(noisy: Dataset, tmp_path: Path) -> None:
    study, key = a_reading_study(noisy, tmp_path)
    truths = {tuple(card["truth_px"]) for card in key.values()}
    # Origins of 0 to 3 mm along x and a landmark at x = 20 mm, y = 30 mm, pixels of 1 × 2 mm.
    assert truths <= {(20.0 - k, 15.0) for k in range(4)}
    require_the_right_table(score_reading(study, answer(tmp_path, reading_rows(key))))


def test_places_that_nobody_checked_are_told_apart(noisy: Dataset, tmp_path: Path) -> None:
    study, key = a_reading_study(noisy, tmp_path)
    given = reading_rows(key)
    # Two of the six simulated places, and one real one, are of a version that did not look: 40 px off.
    placed = [row for row in given if key[row["image"]]["row"] != "real image" and row["u_px"] != ""]
    real = next(row for row in given if key[row["image"]]["row"] == "real image")
    unchecked = {row["image"] for row in (*placed[:2], real)}
    for row in given:
        if row["image"] in unchecked:
            row["u_px"] += 40
    rows = score_reading(study, answer(tmp_path, given), unchecked)
    assert [row["name"] for row in rows] == [
        "real image",
        "negative",
        "real image, places checked alone",
        "negative, places checked alone",
    ]
    assert [row["frames"] for row in rows] == [12, 12, 11, 10]
    assert rows[1]["landmark_mean_mm"] == pytest.approx(3 + 2 / 6 * 40)
    assert rows[2]["landmark_mean_mm"] == pytest.approx(2.0)
    assert rows[3]["landmark_mean_mm"] == pytest.approx(3.0)
    assert rows[3]["landmark_measured_share"] == pytest.approx(4 / 10)


def test_the_command_knows_which_places_were_checked(noisy: Dataset, tmp_path: Path, capsys) -> None:
    _study, key = a_reading_study(noisy, tmp_path)
    given = reading_rows(key)
    answers = answer(tmp_path, given)
    answers.replace(tmp_path / "study" / "answers.csv")
    words = ["study", "score", str(tmp_path / "study"), "--key", str(tmp_path / "key.json"), "--json"]
    places = [row["image"] for row in given if row["u_px"] != ""]
    placed = PlacedPoints(tmp_path / "study")
    told = []
    for checked in ([], places[:5], places[5:]):
        for name in checked:
            placed.add(name)
        assert cli.main(words) == 0
        result = json.loads(capsys.readouterr().out)
        told.append((result["unchecked"], len(result["rows"])))
    # None was checked, so there is nothing without them; then five of 18; then all.
    assert told == [(18, 2), (13, 4), (0, 2)]


def test_landmarks_marked_in_slicer_give_the_same_table(noisy: Dataset, tmp_path: Path) -> None:
    """Slicer shows a picture's pixel (u, v) at (−u, −v, 0) RAS, which is (u, v, 0) LPS; no point means unclear."""
    study, key = a_reading_study(noisy, tmp_path)
    points = []
    for row in reading_rows(key):
        if row["outcome"] == "unclear":
            continue
        label = f"{row['image']} {row['outcome']}".strip()
        points.append({"label": label, "position": [row["u_px"] or 0.0, row["v_px"] or 0.0, 0.0]})
    content = {
        "@schema": MARKUPS_SCHEMA,
        "markups": [{"type": "Fiducial", "coordinateSystem": "LPS", "controlPoints": points}],
    }
    path = tmp_path / "reader.mrk.json"
    path.write_text(json.dumps(content))
    require_the_right_table(score_reading(study, path))


def test_a_missing_answer_and_a_place_without_meaning_are_refused(noisy: Dataset, tmp_path: Path) -> None:
    study, key = a_reading_study(noisy, tmp_path)
    rows = reading_rows(key)
    with pytest.raises(UserError, match="lacks an answer to 1 of 24 pictures"):
        score_reading(study, answer(tmp_path, rows[1:]))
    for change in (
        {"outcome": "unclear", "u_px": 3, "v_px": 4},
        {"outcome": "measured", "u_px": "", "v_px": ""},
        {"outcome": "lovely", "u_px": "", "v_px": ""},
    ):
        with pytest.raises(UserError, match="is no answer"):
            score_reading(study, answer(tmp_path, [{**rows[0], **change}, *rows[1:]]))
    with pytest.raises(UserError, match="is no pixel"):
        score_reading(
            study, answer(tmp_path, [{**rows[0], "outcome": "", "u_px": "left", "v_px": 4}, *rows[1:]])
        )


def test_landmarks_that_no_held_out_frame_shows_are_refused(noisy: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No held-out frame"):
        make_reading_study(
            tmp_path / "s", tmp_path / "k.json", noisy, Copy(noisy), {"far": LANDMARKS_MM["far"]}, 5, 0
        )
