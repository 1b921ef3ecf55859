"""Drives the tabs Record and Calibrate through their story, with the virtual phantom in place of a tracker.

    python Testing/Harness/run.py --module USGanTraining/USGanTraining.py \\
        --script Testing/Harness/record_and_calibrate.py

A sweep of the fetus is recorded, kept, exported and imported again; a crash is recovered from; a pinhead is recorded
with guidance, found, corrected, and calibrated with verdict good, against the truth; its lag is found. The pictures go
to Resources/Screenshots, or to the folder that USGANSIM_SCREENSHOTS names.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from harness_common import BUSY_MS, Tracker, only, picture, press, python_slicer, virtual, wait_until

from USGanSimLib.calibration.pinhead.points import image_places
from USGanSimLib.recording.live_file import LiveFile
from USGanSimLib.recording.sequence_file import read_sweep
from USGanSimLib.recording.session import open_session

PICTURES = Path(
    os.environ.get("USGANSIM_SCREENSHOTS") or Path(__file__).parents[2] / "Resources" / "Screenshots"
)
LARGEST_ERROR_MM = 0.5
RED_ONLY = 856  # width of a picture without the views on the right, px
# The harness runs this file with these names in it.
harness, slicer, widget, panel = (globals()[name] for name in ("harness", "slicer", "widget", "panel"))


def shoot(name: str, **options) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    picture(harness, panel, PICTURES / f"USGanTraining-{name}.png", **options)


def show_tab(number: int) -> None:
    widget.tabs.widget.currentIndex = number
    harness.process_events(0.1)


def record_the_fetus(folder: Path) -> None:
    record, parameters = widget.sections[0], widget.parameters
    path = virtual(folder / "fetus.igs.mha", "--frames", "300", "--sweep", "neurological")
    tracker = Tracker(harness, path)
    parameters.recordImage, parameters.recordProbe = tracker.image, tracker.nodes["ProbeToTracker"]
    parameters.recordReference = tracker.nodes["ReferenceToTracker"]
    parameters.sessionFolder, parameters.sweepName = folder / "session", "head"
    parameters.sessionCalibration = folder / "fetus.calibration.json"
    landmarks = slicer.util.loadMarkups(str(folder / "fetus.landmarks.mrk.json"))
    landmarks.SetAndObserveTransformNodeID(tracker.nodes["ReferenceToTracker"].GetID())
    landmarks.GetDisplayNode().SetTextScale(2)
    parameters.coverageLandmarks = landmarks
    tracker.send(0)
    press(record, "startButton")
    tracker.play(1, 200)
    slicer.app.layoutManager().threeDWidget(0).threeDView().resetFocalPoint()
    shoot("Record", height=1000)
    press(record, "startButton")
    assert "head: 199 frames are kept" in record.ui.stateLabel.text, record.ui.stateLabel.text
    press(record, "discardButton")
    press(record, "keepButton")
    press(record, "exportButton")
    parameters.importBrowser = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSequenceBrowserNode")
    press(record, "importButton")
    session = open_session(folder / "session")
    landmarks.SetDisplayVisibility(False)
    first, second = (read_sweep(session.path(name)) for name in ("head", "head-2"))
    assert np.array_equal(first.frames, second.frames)
    assert [sweep.state for sweep in session.sweeps] == ["kept", "kept"]


def recover_from_a_crash(folder: Path) -> None:
    record, parameters = widget.sections[0], widget.parameters
    left = LiveFile(folder / "session" / "lost.igs.mhd", 8, 6)
    left.append(np.zeros((6, 8), np.uint8), 0.0, {"ProbeToReference": (np.eye(4), True)})
    left.close()
    parameters.sessionFolder = folder
    parameters.sessionFolder = folder / "session"
    assert "lost" in record.ui.recoverLabel.text
    press(record, "recoverButton")
    assert [sweep.recovered for sweep in open_session(folder / "session").sweeps] == [False, False, True]


def calibrate_with_a_pin(folder: Path) -> None:
    pin, lag, parameters = widget.sections[1], widget.sections[2], widget.parameters
    path = virtual(folder / "pin.igs.mha", "--target", "pinhead", "--size", "240x180")
    tracker = Tracker(harness, path)
    # Of another probe than the session's first: a folder of its own.
    parameters.sessionCalibration = Path()
    parameters.sessionFolder = folder / "pin session"
    show_tab(1)
    only(lag)
    press(pin, "pinRecordButton")
    tracker.play(1, len(tracker.sweep))
    wait_until(harness, lambda: pin.ui.pinLiveLabel.text, 400)
    shoot("Calibrate-guided", height=620, width=RED_ONLY)
    press(pin, "pinRecordButton")
    press(pin, "findButton")
    wait_until(harness, lambda: not pin.run.running)
    # One point is put beside the pin and back again, one is rejected.
    press(pin, "nextButton")
    u_px, v_px = pin.frames.marking.mark.u_px, pin.frames.marking.mark.v_px
    pin.frames.marking.point.SetNthControlPointPosition(0, -u_px - 9, -v_px, 0)
    pin.frames.marking.point.SetNthControlPointPosition(0, -u_px, -v_px, 0)
    press(pin, "nextButton")
    press(pin, "rejectButton")
    press(pin, "calibrateButton")
    wait_until(harness, lambda: not pin.run.running, 500)
    assert "Good" in pin.ui.verdictLabel.text, pin.ui.verdictLabel.text
    press(pin, "worstButton")
    only(pin, "pinPointsButton", "pinResultButton")
    shoot("Calibrate-pinhead", height=1400, width=RED_ONLY)
    parameters.calibrationOut = folder / "calibration.json"
    for name in ("saveButton", "toSessionButton", "toSceneButton"):
        press(pin, name)
    truth = np.array(json.loads((folder / "pin.phantom.json").read_text())["true_image_to_probe"])
    found = np.array(json.loads((folder / "calibration.json").read_text())["image_to_probe"])
    where = np.column_stack(
        [image_places(tracker.sweep.width_px, tracker.sweep.height_px), np.zeros(5), np.ones(5)]
    )
    off_mm = np.linalg.norm((where @ (found - truth).T)[:, :3], axis=1)
    print("Off at the four corners and the centre, mm:", off_mm.round(2))
    assert off_mm.max() < LARGEST_ERROR_MM
    find_the_lag(pin, lag)


def find_the_lag(pin, lag) -> None:
    widget.parameters.lagRecording, widget.parameters.lagTarget = widget.parameters.pinRecording, "pin"
    press(lag, "findLagButton")
    wait_until(harness, lambda: not lag.run.running, 500)
    print(lag.ui.lagLabel.text)
    assert abs(lag.lag_s) < 0.01
    only(pin)
    only(lag, "lagButton")
    shoot("Calibrate-lag", views=False)
    press(lag, "useLagButton")


def close_the_scene_while_recording(folder: Path) -> None:
    record = widget.sections[0]
    show_tab(0)
    tracker = Tracker(harness, folder / "fetus.igs.mha")
    widget.parameters.sweepName = "last"
    press(record, "startButton")
    tracker.play(0, 20)
    slicer.mrmlScene.Clear(0)
    assert not record.recorder.recording
    assert len(read_sweep(open_session(folder / "pin session").path("last"))) == 20


with tempfile.TemporaryDirectory() as place:
    python_slicer(Path(place) / "bin")
    for chapter in (
        record_the_fetus,
        recover_from_a_crash,
        calibrate_with_a_pin,
        close_the_scene_while_recording,
    ):
        chapter(Path(place))
print("Busy with a click, ms:", {name: round(time_ms) for name, time_ms in sorted(BUSY_MS.items())})
