"""Files that are chosen in dialogs, by a person who is answered for; and a dialog that is cancelled."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def data(tab):
    return tab("DataSection")


def test_recordings_are_added_to_those_that_are_there(harness, data, tmp_path):
    first, second = str(tmp_path / "a.igs.mha"), str(tmp_path / "b.igs.mha")
    for chosen in ([first], [second, first]):
        harness.dialogs.answer("getOpenFileNames", chosen)
        data.ui.addFilesButton.click()
    assert data.parameters.dataRecordings.split("\n") == [first, second]


def test_a_session_is_added_and_its_dialog_opens_where_the_session_is(harness, data, tmp_path):
    data.parameters.sessionFolder = tmp_path
    harness.dialogs.answer("getExistingDirectory", str(tmp_path / "session"))
    data.ui.addSessionButton.click()
    assert data.parameters.dataRecordings == str(tmp_path / "session")
    assert harness.dialogs.asked[0][1][2] == str(tmp_path)


def test_a_lag_is_read_from_its_file_and_another_file_is_refused_in_words(harness, data, tmp_path):
    (tmp_path / "lag.json").write_text(
        json.dumps({"lag_s": -0.12, "ci_s": [-0.13, -0.11], "method": "bottom"}), encoding="utf-8"
    )
    (tmp_path / "other.json").write_text("{}", encoding="utf-8")
    for name in ("lag.json", "other.json"):
        harness.dialogs.answer("getOpenFileName", str(tmp_path / name))
        data.ui.lagFileButton.click()
    assert data.parameters.dataLagS == pytest.approx(-0.12)
    assert "other.json" in data.ui.stateLabel.text


def test_models_are_added_to_those_that_are_there(harness, tab, tmp_path):
    evaluate = tab("EvaluateSection")
    for name in ("a", "b"):
        harness.dialogs.answer("getOpenFileNames", [str(tmp_path / f"{name}.safetensors")])
        evaluate.ui.addModelButton.click()
    chosen = evaluate.parameters.evaluateModels.split("\n")
    assert chosen == [str(tmp_path / f"{name}.safetensors") for name in ("a", "b")]


def test_who_cancels_changes_nothing(harness, tab, data):
    lag_s = data.parameters.dataLagS
    for button in ("addFilesButton", "addSessionButton", "lagFileButton"):
        getattr(data.ui, button).click()
    tab("EvaluateSection").ui.addModelButton.click()
    assert len(harness.dialogs.asked) == 4
    assert (data.parameters.dataRecordings, data.parameters.dataLagS) == ("", lag_s)
    assert tab("EvaluateSection").parameters.evaluateModels == ""
