"""USGanTraining shown, used, its scene closed and reloaded a thousand times: what is left of it.

    python Testing/Harness/run.py --module USGanTraining/USGanTraining.py --module-path . \
        --no-checks --script Testing/Harness/training_cycles.py

USGANSIM_CYCLES changes the number. Every tenth cycle starts a process of the library and leaves while it runs; every
fiftieth reloads the module.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import slicer
import slicer.util

from USGanSimLib.evaluation.blind_set import Card, write_blind_set
from USGanSimLib.run_folder import RunFolder

CYCLES = int(os.environ.get("USGANSIM_CYCLES") or 1000)
WORK = Path(tempfile.mkdtemp(prefix="usgansim-cycles-"))
representation = slicer.util.getModule("USGanTraining").widgetRepresentation


def section(name):
    sections = slicer.util.getModuleWidget("USGanTraining").sections
    return next(section for section in sections if type(section).__name__ == name)


def scenery():
    """A run that somebody trains, and a study of each kind."""
    (WORK / "bin").mkdir()
    program = WORK / "bin" / "PythonSlicer"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    os.environ["PATH"] = os.pathsep.join([str(WORK / "bin"), os.environ["PATH"]])
    run = RunFolder(WORK / "run")
    run.create()
    run.config.write_text(json.dumps({"settings": {"iterations": 10}, "dataset": {"folder": str(WORK)}}),
                          encoding="utf-8")
    run.metrics.write_text("step,loss_g,seconds\n1,0.5,1\n2,0.4,1\n", encoding="utf-8")
    cards = [Card(np.full((30, 40), 90, np.uint8), {"landmark": "crux", "sigma_mm": 0.0}, {}) for _ in range(2)]
    for kind, question in (("real-or-simulated", ("image", "answer")),
                           ("landmarks", ("image", "landmark", "outcome", "u_px", "v_px"))):
        write_blind_set(WORK / kind, WORK / f"{kind}.key.json", kind, {"mm_per_px": [1, 1]}, cards, question, seed=0)
    return run


def use(cycle):
    """What a person may do in a minute."""
    train, evaluate, data = section("TrainSection"), section("EvaluateSection"), section("DataSection")
    train.parameters.trainRun = WORK / "run"
    train.ui.plotComboBox.currentIndex = 1 + cycle % 2
    train.tick()
    kind = ("real-or-simulated", "landmarks")[cycle % 2]
    evaluate.parameters.studyFolder = WORK / kind
    evaluate.study.answer()
    harness.process_events()  # noqa: F821
    if kind == "landmarks":
        evaluate.study.reading.marks.AddControlPoint(-3.0, -4.0, 0.0)
    if cycle % 10 == 0:
        data.parameters.dataRecordings, data.parameters.dataCalibration = "/no/such.igs.mha", WORK / "none.json"
        data.look()


def delete_what_is_due():
    """Slicer's event loop deletes what asked for it; events that are handled outside of a loop leave it waiting."""
    harness.process_events()  # noqa: F821
    harness.qt.QCoreApplication.sendPostedEvents(None, harness.qt.QEvent.DeferredDelete)  # noqa: F821


def children():
    """Numbers of the live child processes."""
    found = []
    for task in Path("/proc/self/task").glob("*/children"):
        found += task.read_text(encoding="utf-8").split()
    return found


def state():
    """Of the scene and the process: what must not grow."""
    scene = slicer.mrmlScene
    observers = str(scene).count("vtkObserver (")
    resident = next(line for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
                    if line.startswith("VmRSS"))
    timers = sum(timer.active for timer in harness.qt.QApplication.instance().findChildren("QTimer"))  # noqa: F821
    return {"nodes": scene.GetNumberOfNodes(), "scene observers": observers, "child processes": len(children()),
            "top windows": len(harness.qt.QApplication.topLevelWidgets()), "active timers": timers,  # noqa: F821
            "resident MB": int(resident.split()[1]) // 1024}


run = scenery()
with run.training():
    for cycle in range(CYCLES + 1):
        representation().enter()
        use(cycle)
        slicer.mrmlScene.Clear()
        representation().exit()
        delete_what_is_due()
        if cycle % 50 == 49:
            slicer.util.getModuleWidget("USGanTraining").onReload()
        if cycle % max(CYCLES // 5, 1) == 0:
            begun_s = time.monotonic()
            while children() and time.monotonic() < begun_s + 60:  # They were told to end.
                harness.process_events(0.1)  # noqa: F821
            delete_what_is_due()
            print(cycle, state(), flush=True)
assert not children()
