"""Documentation pictures of USGanSim: its panel and views with a model that follows a replayed recording.

    python Testing/Harness/simulation_pictures.py --model model.safetensors --recording sweep.igs.mha \\
        --calibration sweep.calibration.json --out Resources/Screenshots
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from harness_common import Tracker, boot, leave, problems_told, save_small, sections, wait_until
from standin.pictures import panel_beside_views, settle

WIDTH, HEIGHT, PANEL = 1280, 760, 430
RATE_HZ = 60


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--recording", type=Path, required=True)
    parser.add_argument("--calibration", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("Resources/Screenshots"))
    arguments = parser.parse_args()
    arguments.out = arguments.out.absolute()
    harness, panel, widget = boot()
    slicer = harness.slicer
    from USGanSimLib.recording.calibration_file import read_calibration

    tracker = Tracker(harness, arguments.recording, RATE_HZ, combined=True)
    place(slicer, tracker, read_calibration(arguments.calibration).image_to_probe)
    panel.exit()
    panel.enter()
    parts = sections(widget)
    inputs, live = parts["InputsSection"].ui, parts["LiveSection"].ui
    variation, comparison = parts["VariationSection"].ui, parts["ComparisonSection"].ui
    arguments.out.mkdir(parents=True, exist_ok=True)
    slicer.app.layoutManager().threeDWidget(
        0
    ).threeDView().forceRender()  # makes the camera, as the application does

    os.chdir(arguments.model.parent)  # a short path in the pictures
    inputs.modelPathEdit.currentPath = arguments.model.name
    live.startButton.click()
    wait_until(
        harness,
        lambda: widget.logic.simulation.live.running,
        state=lambda: live.startButton.toolTip + live.stateLabel.text,
    )
    frame = tracker.play(0, 2 * RATE_HZ)
    live.showButton.click()
    frame = tracker.play(frame + 150, frame + 150 + 2 * RATE_HZ)
    picture(harness, panel, ["Red", "3D"], arguments.out / "USGanSim-live.png")

    collapse(parts, "variationButton")
    variation.freezeButton.click()
    variation.stripButton.click()
    harness.process_events(0.3)
    picture(harness, panel, ["Red", "3D"], arguments.out / "USGanSim-samples.png")
    variation.freezeButton.click()

    collapse(parts, "comparisonButton")
    widget.parameters.realImage = tracker.image
    frame = tracker.play(frame, frame + 2 * RATE_HZ)
    picture(harness, panel, ["Red", "Yellow", "3D"], arguments.out / "USGanSim-side-by-side.png")
    for name, index in (("blend", 1), ("difference", 2)):
        comparison.comparisonComboBox.setCurrentIndex(index)
        frame = tracker.play(frame, frame + RATE_HZ)
        picture(harness, panel, ["Red", "3D"], arguments.out / f"USGanSim-{name}.png")
    live.startButton.click()
    print(*problems_told(), sep="\n")
    leave(bool(problems_told()))


def place(slicer, tracker, image_to_probe):
    """Put the real image where the probe is, and the probe's reference into the world."""
    reference, image = (
        slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", name)
        for name in ("ReferenceToRas", "ImageToProbe")
    )
    slicer.util.updateTransformMatrixFromArray(image, image_to_probe)
    image.SetAndObserveTransformNodeID(tracker.nodes["ProbeToReference"].GetID())
    tracker.nodes["ProbeToReference"].SetAndObserveTransformNodeID(reference.GetID())
    tracker.image.SetName("Image_Reference")  # as PLUS calls it
    tracker.image.SetAndObserveTransformNodeID(image.GetID())
    tracker.image.CreateDefaultDisplayNodes()
    tracker.image.GetDisplayNode().AutoWindowLevelOff()
    tracker.image.GetDisplayNode().SetWindowLevelMinMax(0, 255)


def collapse(parts, shown):
    """Open one of the sections, and close the others below the status."""
    for ui, name in (
        (parts["VariationSection"].ui, "variationButton"),
        (parts["ComparisonSection"].ui, "comparisonButton"),
    ):
        getattr(ui, name).collapsed = name != shown


def picture(harness, panel, views, path):
    """The panel at the left, and the views of the layout: in a row, or with the last one below."""
    height = max(HEIGHT, settle(harness, panel, PANEL, HEIGHT).height())
    panel_beside_views(
        harness, panel, path, places(views, WIDTH - PANEL, height), (WIDTH, height), panel_width=PANEL
    )
    save_small(path)


def places(views, width, height):
    if len(views) == 2:
        half = width // 2
        return [(views[0], 3, 0, half - 4, height), (views[1], half + 2, 0, half - 4, height)]
    half, middle = width // 2, height // 2
    return [
        (views[0], 3, 0, half - 4, middle - 2),
        (views[1], half + 2, 0, half - 4, middle - 2),
        (views[2], 3, middle + 2, width - 6, middle - 2),
    ]


if __name__ == "__main__":
    main()
