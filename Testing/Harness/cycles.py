"""Starts, stops, closes scenes, leaves and enters the module and reloads it, many times; then counts what is left.

    python Testing/Harness/cycles.py --cycles 1000

Each cycle starts the simulation of a moving probe, in every fifth with Show on, and ends it: by Stop; by Stop and
another module; by closing the scene while it runs; by reloading the module while it runs (a twentieth of the cycles, at
the end). After garbage is collected, what is left is counted: nodes of a scene that was just closed, observers of the
scene, QTimers, windows, processes, simulations, and the resident memory. Prints JSON; exits 1 where anything has grown.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from harness_common import boot, judge_cycles, left, sections

WARM_UP = 40
# Less than one image of 160×120 pixels a cycle. Python's own allocations do not grow; Qt and VTK take some.
MOST_KB_A_CYCLE = 19.0
# What the first hundred cycles take once.
MOST_MB_ONCE = 4.0
KINDS = ("LiveSimulation", "LiveSection", "USGanSimWidget")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cycles", type=int, default=1000)
    arguments = parser.parse_args()
    harness, panel, _widget = boot()
    harness.slicer.app.layoutManager().threeDWidget(0).threeDView().forceRender()
    reloads = arguments.cycles // 20
    phases = []
    for name, cycles, ways in (
        ("warm-up", WARM_UP, 3),
        ("cycles", arguments.cycles - reloads, 3),
        ("reloads", reloads, 4),
    ):
        for index in range(cycles):
            cycle(harness, panel, index, 3 if ways == 4 else index % ways)
            if index % 100 == 99:
                print(name, index + 1, left(harness, KINDS), file=sys.stderr, flush=True)
        harness.slicer.mrmlScene.Clear(False)
        phases.append({"phase": name, "cycles": cycles, **left(harness, KINDS)})
    judge_cycles(phases, MOST_MB_ONCE + MOST_KB_A_CYCLE * phases[1]["cycles"] / 1024, KINDS)


def cycle(harness, panel, index, way):
    slicer = harness.slicer
    widget = slicer.modules.USGanSimWidget
    widget.logic._loadRenderer = lambda path: renderer()
    widget.logic.problem = lambda parameters: ""
    probe = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "ProbeToReference")
    widget.parameters.probe = probe
    live = sections(widget)["LiveSection"]
    live.ui.startButton.click()
    for x_mm in range(200):
        move(slicer, probe, x_mm)
        harness.process_events(0.004)
        if widget.logic.simulation.live.counts.rendered > 2:
            break
    else:
        raise SystemExit(f"Cycle {index} made no images: {live.ui.stateLabel.text}")
    if index % 5 == 0:
        live.ui.showButton.click()
        harness.process_events(0.01)
    if way < 2:
        live.ui.startButton.click()
    if way == 1:
        panel.exit()
        panel.enter()
    if way == 3:
        widget.onReload()
    if way >= 2:
        slicer.mrmlScene.Clear(False)
    harness.process_events()


def renderer():
    """Grey images of 160×120 pixels, without torch."""
    from USGanSimLib.geometry.pose_distance import PoseRange
    from USGanSimLib.mrml.headless.tick_cost import NullRenderer

    image_to_probe = np.diag([0.5, 0.5, 1.0, 1.0])
    poses = np.tile(image_to_probe, (10, 1, 1))
    poses[:, 2, 3] = np.arange(10)
    return NullRenderer(PoseRange.of_training_poses(poses, 160, 120), image_to_probe)


def move(slicer, probe, x_mm):
    matrix = np.eye(4)
    matrix[0, 3] = x_mm
    slicer.util.updateTransformMatrixFromArray(probe, matrix)


if __name__ == "__main__":
    main()
