"""Sessions: what was recorded, what is kept, and what a crash leaves."""

from __future__ import annotations

import json

import numpy as np
import pytest

from USGanSimLib import cli
from USGanSimLib.errors import UserError
from USGanSimLib.recording.live_file import LiveFile
from USGanSimLib.recording.sequence_file import read_sweep
from USGanSimLib.recording.session import create_session, inputs, open_session, recover_folder


def record(session, name: str, frames: int, finish: bool = True):
    session = session.begin(name)
    live = LiveFile(session.path(name), 8, 6)
    for number in range(frames):
        live.append(np.full((6, 8), number, np.uint8), number / 30, {"ProbeToReference": (np.eye(4), True)})
    if not finish:
        live.close()
        return session
    live.finish()
    return session.finish(name, frames)


@pytest.fixture
def session(tmp_path):
    return create_session(tmp_path / "today")


@pytest.fixture
def a_calibration(tmp_path):
    path = tmp_path / "CAL.json"
    path.write_text(
        json.dumps({"image_to_probe": np.diag([0.2, 0.2, 0.2, 1]).tolist(), "image_size_px": [8, 6]})
    )
    return path


def test_a_session_remembers_its_sweeps_decisions_and_calibration(session, a_calibration):
    for name in ("heart", "spine", "head"):
        session = record(session, name, 4)
    session = session.discard("spine").with_calibration(a_calibration)
    again = open_session(session.folder)
    assert again == session
    assert [path.name for path in again.kept_files] == ["heart.igs.mhd", "head.igs.mhd"]
    assert [sweep.frames for sweep in again.sweeps] == [4, 4, 4]
    assert again.calibration_path.read_bytes() == a_calibration.read_bytes()
    assert len(again.keep("spine").kept_files) == 3
    assert all(len(read_sweep(path)) == 4 for path in again.keep("spine").kept_files)


def test_discarding_deletes_nothing(session):
    session = record(session, "heart", 4).discard("heart")
    assert session.kept_files == []
    assert len(read_sweep(session.path("heart"))) == 4


def test_a_crash_in_mid_sweep_is_recovered_into_the_session(session):
    session = record(record(session, "heart", 4), "spine", 7, finish=False)
    assert [path.name for path in session.kept_files] == ["heart.igs.mhd"]
    with pytest.raises(UserError, match="'spine' is not finished"):
        session.keep("spine")
    found = recover_folder(session.folder)
    assert [(one.path.name, one.frames) for one in found] == [("spine.igs.mhd", 7)]
    again = open_session(session.folder)
    assert [(sweep.name, sweep.state, sweep.frames, sweep.recovered) for sweep in again.sweeps] == [
        ("heart", "kept", 4, False),
        ("spine", "kept", 7, True),
    ]
    assert [len(read_sweep(path)) for path in again.kept_files] == [4, 7]


def test_a_recording_that_the_session_never_heard_of_is_entered(session, tmp_path):
    record(create_session(tmp_path / "other"), "spine", 3, finish=False)
    for part in ("spine.igs.raw", "spine.igs.recording"):
        (tmp_path / "other" / part).rename(session.folder / part)
    recover_folder(session.folder)
    assert [path.name for path in open_session(session.folder).kept_files] == ["spine.igs.mhd"]


def test_one_hopeless_recording_does_not_keep_the_others_from_being_recovered(session):
    session = record(session, "a", 0, finish=False)
    session = record(session, "b", 5, finish=False)
    with pytest.raises(
        UserError, match="1 of 2 recordings were recovered. a.igs.recording holds no whole frame"
    ):
        recover_folder(session.folder)
    assert [path.name for path in open_session(session.folder).kept_files] == ["b.igs.mhd"]


def test_a_plain_folder_is_recovered_too(tmp_path):
    live = LiveFile(tmp_path / "x.igs.mhd", 8, 6)
    live.append(np.zeros((6, 8), np.uint8), 0.0, {})
    live.append(np.zeros((6, 8), np.uint8), 1.0, {})
    live.close()
    assert recover_folder(tmp_path)[0].frames == 2
    with pytest.raises(UserError, match="has no unfinished recording"):
        recover_folder(tmp_path)
    with pytest.raises(UserError, match="There is no folder"):
        recover_folder(tmp_path / "none")


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a\nb", "Heart"])
def test_names_that_are_taken_or_no_names_are_refused(session, name):
    session = record(session, "heart", 2)
    with pytest.raises(UserError):
        session.begin(name)
    assert open_session(session.folder) == session


def test_a_sweep_without_a_frame_is_dropped_but_never_one_with_files(session):
    session = session.begin("empty")
    assert session.drop("empty").sweeps == ()
    session = record(session, "heart", 2)
    with pytest.raises(UserError, match="exists already"):
        session.drop("heart")
    with pytest.raises(UserError, match="no sweep 'lung'; it has empty, heart"):
        session.discard("lung")


def test_a_session_stands_for_its_kept_sweeps_and_brings_its_calibration(session, a_calibration, tmp_path):
    for name in ("heart", "spine"):
        session = record(session, name, 2)
    session = session.discard("heart").with_calibration(a_calibration)
    other = tmp_path / "other.igs.mha"
    assert inputs([other, session.folder], None) == ([other, session.path("spine")], session.calibration_path)
    assert inputs([session.folder], other)[1] == other
    with pytest.raises(UserError, match="There are 0 calibrations"):
        inputs([other], None)
    second = record(create_session(tmp_path / "second"), "head", 2).with_calibration(a_calibration)
    assert inputs([session.folder, second.folder], None)[0] == [session.path("spine"), second.path("head")]
    a_calibration.write_text(a_calibration.read_text().replace("0.2", "0.3"))
    second = second.with_calibration(a_calibration)
    with pytest.raises(UserError, match="There are 2 calibrations"):
        inputs([session.folder, second.folder], None)
    with pytest.raises(UserError, match="keeps none of 1 sweeps"):
        inputs([second.discard("head").folder], None)


def test_a_compressed_sweep_stays_in_the_session(session):
    record(session, "heart", 4)
    recording = session.folder / "heart.igs.mhd"
    assert cli.main(["compress", str(recording), "--remove"]) == 0
    assert not recording.exists()
    [kept] = open_session(session.folder).kept_files
    assert kept.suffix == ".mha"
    assert len(read_sweep(kept)) == 4


def test_what_is_no_session_is_told(tmp_path, session):
    with pytest.raises(UserError, match=r"it has no session.json"):
        open_session(tmp_path)
    with pytest.raises(UserError, match="is not empty"):
        create_session(session.folder)
    for text in (
        "{",
        "[]",
        '{"sweeps": [{"name": "x"}], "calibration": null}',
        '{"sweeps": [{"name": 3, "state": "kept", "begun": ""}], "calibration": null}',
        '{"sweeps": [], "calibration": 3}',
    ):
        (session.folder / "session.json").write_text(text)
        with pytest.raises(UserError, match="is damaged"):
            open_session(session.folder)
    (session.folder / "session.json").write_text(
        '{"sweeps": [{"name": "x", "state": "lost", "begun": ""}], "calibration": null}'
    )
    with pytest.raises(UserError, match="'x' in an unknown state"):
        open_session(session.folder)


def test_a_calibration_that_is_none_changes_nothing(session, tmp_path):
    (tmp_path / "CAL.json").write_text("{}")
    with pytest.raises(UserError, match="no 'image_to_probe'"):
        session.with_calibration(tmp_path / "CAL.json")
    assert sorted(path.name for path in session.folder.iterdir()) == ["session.json"]


def test_a_sweep_that_could_not_be_finished_is_not_begun(session):
    """Its name stands in a header of Latin-1."""
    with pytest.raises(UserError, match="'płód.igs.mhd' is no name for a recording"):
        session.begin("płód")
    assert open_session(session.folder).sweeps == ()
    assert len(read_sweep(record(session, "fötus", 3).path("fötus"))) == 3
