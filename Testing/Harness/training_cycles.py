"""Uses USGanTraining, closes its scene and leaves it, and reloads it, many times; then counts what is left.

    python Testing/Harness/training_cycles.py --cycles 1000

Each cycle enters the module, watches a run, opens a study of either kind, closes the scene and leaves; every tenth
starts a process of the library that is still running then; reloads are a twentieth of the cycles, at the end. What is
left is counted as in cycles.py. Prints JSON; exits 1 where anything has grown.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from harness_common import (
    boot,
    children,
    judge_cycles,
    left,
    python_slicer,
    sections,
    wait_until,
)

WARM_UP = 40
# Measured: 43 KB. Without the study's window, in every second cycle and as large as the screen, about 10 KB.
MOST_KB_A_CYCLE = 60.0
MOST_MB_ONCE = 4.0  # as in cycles.py
# Longer than a process that was told to end is waited for before it is killed.
SETTLED_S = 5.5
KINDS = ("TrainSection", "CommandRun", "ProcessRunner", "USGanTrainingWidget")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cycles", type=int, default=1000)
    arguments = parser.parse_args()
    harness, panel, _widget = boot("USGanTraining")
    reloads = arguments.cycles // 20
    with tempfile.TemporaryDirectory(prefix="usgansim-cycles-") as name:
        work = Path(name)
        python_slicer(work / "bin")
        run = scenery(work)
        phases = []
        with run.training():
            for phase, cycles in (
                ("warm-up", WARM_UP),
                ("cycles", arguments.cycles - reloads),
                ("reloads", reloads),
            ):
                for index in range(cycles):
                    cycle(harness, panel, work, index, phase == "reloads")
                    if index % 100 == 99:
                        print(phase, index + 1, settled(harness), file=sys.stderr, flush=True)
                phases.append({"phase": phase, "cycles": cycles, **settled(harness)})
    judge_cycles(phases, MOST_MB_ONCE + MOST_KB_A_CYCLE * phases[1]["cycles"] / 1024, KINDS)


def scenery(work):
    """A run that somebody trains, and a study of each kind."""
    from USGanSimLib.evaluation.study.blind_set import Card, write_blind_set
    from USGanSimLib.model.run_folder import RunFolder

    run = RunFolder(work / "run")
    run.create()
    run.config.write_text(
        json.dumps({"settings": {"iterations": 10}, "dataset": {"folder": str(work)}}), encoding="utf-8"
    )
    run.metrics.write_text("step,loss_g,seconds\n1,0.5,1\n2,0.4,1\n", encoding="utf-8")
    cards = [
        Card(np.full((30, 40), 90, np.uint8), {"landmark": "crux", "sigma_mm": 0.0}, {}) for _ in range(2)
    ]
    for kind, question in (
        ("real-or-simulated", ("image", "answer")),
        ("landmarks", ("image", "landmark", "outcome", "u_px", "v_px")),
    ):
        write_blind_set(
            work / kind, work / f"{kind}.key.json", kind, {"mm_per_px": [1, 1]}, cards, question, seed=0
        )
    return run


def cycle(harness, panel, work, index, reload):
    slicer = harness.slicer
    panel.enter()
    use(harness, work, index)
    if reload:
        slicer.modules.USGanTrainingWidget.onReload()
    slicer.mrmlScene.Clear(False)
    panel.exit()
    harness.process_events()
    # Slicer's event loop deletes what asked for it; events that are handled outside of a loop leave it waiting.
    harness.qt.QCoreApplication.sendPostedEvents(None, harness.qt.QEvent.DeferredDelete)


def use(harness, work, index):
    """What a person may do in a minute."""
    parts = sections(harness.slicer.modules.USGanTrainingWidget)
    train, evaluate, data = (parts[f"{name}Section"] for name in ("Train", "Evaluate", "Data"))
    train.parameters.trainRun = work / "run"
    train.ui.plotComboBox.currentIndex = 1 + index % 2
    train.tick()
    kind = ("real-or-simulated", "landmarks")[index % 2]
    evaluate.parameters.studyFolder = work / kind
    evaluate.study.answer()
    harness.process_events()
    if kind == "landmarks":
        evaluate.study.reading.marks.AddControlPoint(-3.0, -4.0, 0.0)
    if index % 10 == 0:
        data.parameters.dataRecordings, data.parameters.dataCalibration = (
            "/no/such.igs.mha",
            work / "none.json",
        )
        data.look()
        assert children()


def settled(harness):
    """What is left when the processes that were told to end have ended."""
    wait_until(harness, lambda: not children(), 60.0)
    harness.process_events(SETTLED_S)
    return left(harness, KINDS)


if __name__ == "__main__":
    main()
