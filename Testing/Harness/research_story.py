"""Drives USGanSim's sections No tracker, Recording and Registration research through their story, with pictures.

    python Testing/Harness/run.py --module USGanSim/USGanSim.py \\
        --script Testing/Harness/research_story.py

A mock probe goes along the trained sweep of the shipped model (or of USGANSIM_MODEL), is moved by hand and tilted; the
stream is recorded and replayed; a curve over the skin becomes a simulated set with its truth, a volume on the grid of
a preoperative one, and files. The pictures go to Resources/Screenshots, or to the folder that USGANSIM_SCREENSHOTS
names.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import vtk

sys.path.insert(0, str(Path(__file__).parent))

from harness_common import BUSY_MS, only, picture, press, wait_until

from USGanSimLib.geometry.image_frame import face_frame
from USGanSimLib.gui.choices import CurvePlane, Direction, MockMotion, PoseSet
from USGanSimLib.gui.stepwise import Stepwise
from USGanSimLib.mrml.live.mock_probe import mock_node
from USGanSimLib.mrml.sequence_bridge import import_sweep
from USGanSimLib.recording.sequence_file import read_sweep

PICTURES = Path(
    os.environ.get("USGANSIM_SCREENSHOTS") or Path(__file__).parents[2] / "Resources" / "Screenshots"
)
# The harness runs this file with these names in it.
harness, slicer, widget, panel = (globals()[name] for name in ("harness", "slicer", "widget", "panel"))
sections = {type(section).__name__.removesuffix("Section"): section for section in widget.sections}
mock, live, record, research = (sections[name] for name in ("MockProbe", "Live", "Recording", "Registration"))
parameters = widget.parameters
longest_step_ms = {}


def model() -> Path:
    if "USGANSIM_MODEL" in os.environ:
        return Path(os.environ["USGANSIM_MODEL"])
    from USGanSimLib.sample_data import sample_model_path

    return sample_model_path()


def watch_steps() -> None:
    """Note how long each single step of work on the GUI thread takes."""
    start = Stepwise.start

    def watched(self, steps, on_step, on_end):
        def timed():
            while True:
                began_s = time.perf_counter()
                try:
                    value = next(steps)
                except StopIteration as end:
                    return end.value
                finally:
                    took_ms = 1e3 * (time.perf_counter() - began_s)
                    longest_step_ms[steps.__name__] = max(longest_step_ms.get(steps.__name__, 0.0), took_ms)
                yield value

        start(self, timed(), on_step, on_end)

    Stepwise.start = watched


def show_handles() -> None:
    """Let the views know handles of transforms, as Slicer's Transforms module does; the harness leaves them out."""
    manager = "vtkMRMLLinearTransformsDisplayableManager"
    for kind in ("Slice", "ThreeD"):
        factory = getattr(slicer, f"vtkMRML{kind}ViewDisplayableManagerFactory").GetInstance()
        if hasattr(slicer, manager) and not factory.IsDisplayableManagerRegistered(manager):
            factory.RegisterDisplayableManager(manager)


def share_camera() -> None:
    """Let what is drawn on top of the 3-D view be seen from the same side, as the application does."""
    window = slicer.app.layoutManager().threeDWidget(0).threeDView().renderWindow()
    renderers = [
        window.GetRenderers().GetItemAsObject(number) for number in range(window.GetNumberOfLayers())
    ]
    for renderer in renderers[1:]:
        renderer.SetActiveCamera(renderers[0].GetActiveCamera())


def shoot(name: str, **options) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    harness.process_events(0.3)
    picture(harness, panel, PICTURES / f"USGanSim-{name}.png", **options)


def open_only(*wanted) -> None:
    """Open one section's group, close the groups of the others."""
    for section in widget.sections:
        names = [
            name
            for name, child in vars(section.ui).items()
            if child.className().endswith("ctkCollapsibleButton")
        ]
        only(section, *(names if section in wanted else ()))


def done(section) -> None:
    work = section._work if section is research else section._finishing
    wait_until(harness, lambda: not work.running, 300)


def no_tracker() -> None:
    open_only(mock)
    parameters.modelFile = model()
    press(mock, "moveButton")
    wait_until(harness, lambda: mock.playing.player is not None)
    press(live, "startButton")
    wait_until(harness, lambda: widget.logic.simulation.image_to_reference is not None)
    slicer.app.layoutManager().threeDWidget(
        0
    ).threeDView().forceRender()  # makes the camera, as the application does
    press(live, "showButton")
    harness.process_events(2)
    assert widget.logic.simulation.live.status.state.name == "GOOD"
    shoot("NoTracker-sweep")


def by_hand() -> None:
    press(mock, "moveButton")
    parameters.mockMotion = MockMotion.HAND
    press(mock, "resetButton")
    before = widget.logic.simulation.image_to_reference
    mock.ui.tiltSlider.value, mock.ui.acrossSlider.value = 10.0, 6.0
    wait_until(harness, lambda: not np.allclose(widget.logic.simulation.image_to_reference, before))
    share_camera()
    shoot("NoTracker-hand")
    parameters.mockHandle = False


def recorded(folder: Path) -> None:
    parameters.mockMotion = MockMotion.SWEEP
    press(mock, "moveButton")
    wait_until(harness, lambda: mock.playing.player is not None)
    open_only(record)
    parameters.recordFolder, parameters.recordName, parameters.snapshotFiles = folder, "heart", True
    press(record, "recordButton")
    harness.process_events(4)
    press(record, "snapshotButton")
    shoot("Recording")
    press(record, "recordButton")
    done(record)
    sweep = read_sweep(folder / "heart.igs.mha")
    browser = slicer.mrmlScene.GetFirstNodeByName("heart")
    assert np.array_equal(import_sweep(browser).frames, sweep.frames)
    print(
        f"recorded {len(sweep)} images in {np.ptp(sweep.timestamps_s):.1f} s:",
        record.ui.recordStateLabel.text,
    )


def replayed(folder: Path) -> None:
    parameters.replayFile = folder / "heart.igs.mha"
    parameters.mockMotion = MockMotion.REPLAY
    open_only(mock)
    press(mock, "moveButton")
    wait_until(harness, lambda: mock.playing.player is not None)
    harness.process_events(1.5)
    shoot("NoTracker-replay")
    press(mock, "moveButton")
    parameters.mockMotion = MockMotion.HAND
    parameters.probe, parameters.realImage = mock_node(slicer.mrmlScene), None


def curve_over_the_skin():
    """A curve through the faces of some trained poses, along the body."""
    info = widget.logic.modelInfo(parameters.modelFile)
    faces = face_frame(info.pose_range.poses, info.face_px)
    middle = np.abs(faces[:, 0, 3] - np.median(faces[:, 0, 3])) < 8
    places = faces[middle][:, :3, 3]
    places = places[np.argsort(places[:, 2])]
    curve = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsCurveNode", "skin")
    for place in places[np.linspace(0, len(places) - 1, 6).round().astype(int)]:
        curve.AddControlPoint(vtk.vtkVector3d(*place))
    up = -faces[:, :3, 1].mean(axis=0)
    return curve, max(Direction, key=lambda one: float(np.dot(one.value, up)))


def preoperative():
    """An empty volume whose axes are not those of the patient, as a scan is."""
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Preoperative")
    slicer.util.updateVolumeFromArray(volume, np.zeros((150, 110, 120), np.int16))
    turn = np.radians(12)
    axes = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]) * 1.5
    info = widget.logic.modelInfo(parameters.modelFile)
    centre = face_frame(info.pose_range.poses, info.face_px)[:, :3, 3].mean(axis=0)
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = axes, centre + np.array([0, 60, 0]) - axes @ (60, 55, 75)
    volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
    return volume


def registration(folder: Path) -> None:
    if widget.logic.simulation.live.running:
        press(live, "startButton")
    open_only(research)
    parameters.poseSet, parameters.curvePlane = PoseSet.CURVE, CurvePlane.ACROSS
    parameters.poseCurve, parameters.curveUp = curve_over_the_skin()
    parameters.curveSpacingMm = 1.0
    press(research, "countButton")
    shoot("Registration-poses")
    press(research, "simulateButton")
    harness.process_events(0.5)
    press(research, "simulateButton")
    assert parameters.simulatedSet is None
    press(research, "simulateButton")
    done(research)
    print(research.ui.poseCountLabel.text, research.ui.registrationStateLabel.text)
    sweep = import_sweep(parameters.simulatedSet)
    face_px = widget.logic.modelInfo(parameters.modelFile).face_px
    faces = sweep.transforms["ImageToRas"].matrices @ [*face_px, 0, 1]
    steps_mm = np.linalg.norm(np.diff(faces[:, :3], axis=0), axis=1)
    assert steps_mm.max() < 1.001
    parameters.preoperativeVolume = preoperative()
    press(research, "compoundButton")
    done(research)
    print(research.ui.registrationStateLabel.text)
    parameters.exportFolder = folder
    press(research, "exportButton")
    done(research)
    slicer.util.resetSliceViews()
    for name, orientation in (("Red", "Axial"), ("Green", "Coronal"), ("Yellow", "Sagittal")):
        logic = slicer.app.layoutManager().sliceWidget(name).sliceLogic()
        logic.GetSliceNode().SetOrientation(orientation)
        logic.FitSliceToBackground()
    shoot("Registration-volume")


with tempfile.TemporaryDirectory(prefix="usgansim-") as name:
    watch_steps()
    show_handles()
    no_tracker()
    by_hand()
    recorded(Path(name))
    replayed(Path(name))
    registration(Path(name))
    print(sorted(path.name for path in Path(name).iterdir()))
    slicer.mrmlScene.Clear()
print("busy with a click, ms:", {button: round(ms) for button, ms in BUSY_MS.items()})
print("longest step, ms:", {steps: round(ms) for steps, ms in longest_step_ms.items()})
