"""Answers kept picture by picture, in the table that is scored."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest

from USGanSimLib.errors import UserError
from USGanSimLib.evaluation.study.answer_sheet import AnswerSheet
from USGanSimLib.evaluation.study.blind_set import Card, read_blind_set, write_blind_set
from USGanSimLib.evaluation.study.realness_study import KIND, score_realness

KINDS = ("real", "simulated")


@pytest.fixture
def study(tmp_path):
    """Six pictures, half of them real."""
    cards = [
        Card(np.full((4, 6), 40 * k, np.uint8), {"sigma_mm": 0.0}, {"kind": KINDS[k % 2], "sigma_mm": 0.0})
        for k in range(6)
    ]
    write_blind_set(
        tmp_path / "study",
        tmp_path / "key.json",
        KIND,
        {"mm_per_px": [0.5, 0.25]},
        cards,
        ("image", "answer"),
        seed=1,
    )
    return tmp_path / "study"


def test_an_interrupted_study_goes_on_with_the_first_picture_without_an_answer(study):
    sheet = AnswerSheet(study)
    assert (sheet.first_open(), sheet.answered, len(sheet.names)) == (0, 0, 6)
    sheet.answer(0, answer="real")
    sheet.answer(1, answer="simulated")
    again = AnswerSheet(study)
    assert (again.first_open(), again.answered, again.mm_per_px) == (2, 2, (0.5, 0.25))
    assert again.picture(2) == study / "0003.png"


def test_answers_are_scored_as_they_were_given(study):
    truth = {
        card["image"]: card["kind"]
        for card in json.loads((study.parent / "key.json").read_text(encoding="utf-8"))["images"]
    }
    sheet = AnswerSheet(study)
    for place, name in enumerate(sheet.names):
        wrong = place == 3
        sheet.answer(place, answer=truth[name] if not wrong else KINDS[1 - KINDS.index(truth[name])])
    assert sheet.first_open() is None
    row = score_realness(read_blind_set(study, study.parent / "key.json"), study / "answers.csv")[0]
    assert (row["answers"], row["correct"]) == (6, 5)


def test_a_later_answer_replaces_the_first(study):
    sheet = AnswerSheet(study)
    sheet.answer(0, answer="real")
    sheet.answer(0, answer="simulated")
    with (study / "answers.csv").open(newline="") as stream:
        assert [row["answer"] for row in csv.DictReader(stream)] == ["simulated", *[""] * 5]


def test_what_a_study_says_of_its_pictures_stays_in_the_table(tmp_path):
    cards = [Card(np.zeros((4, 6), np.uint8), {"landmark": name}, {}) for name in ("crux", "stomach")]
    write_blind_set(
        tmp_path / "study",
        tmp_path / "key.json",
        "landmarks",
        {"mm_per_px": [1, 1]},
        cards,
        ("image", "landmark", "outcome", "u_px", "v_px"),
        seed=0,
    )
    sheet = AnswerSheet(tmp_path / "study")
    assert sheet.answered == 0
    sheet.answer(1, outcome="measured", u_px="3.5", v_px="2")
    assert AnswerSheet(tmp_path / "study").answered == 1
    with (tmp_path / "study" / "answers.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert sorted(row["landmark"] for row in rows) == ["crux", "stomach"]
    assert rows[1] == {
        "image": "0002",
        "landmark": sheet.shown(1)["landmark"],
        "outcome": "measured",
        "u_px": "3.5",
        "v_px": "2",
    }


def test_the_key_is_not_needed(study):
    (study.parent / "key.json").unlink()
    assert AnswerSheet(study).kind == KIND


def test_a_folder_without_a_study_is_told(tmp_path, study):
    with pytest.raises(UserError, match="no study"):
        AnswerSheet(tmp_path)
    shutil.copy(study / "0001.png", study / "study.json")
    with pytest.raises(UserError, match="no study"):
        AnswerSheet(study)
