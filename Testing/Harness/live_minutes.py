"""The live simulation for minutes at 60 poses/s: rate, latency, dropped poses, memory.

    python Testing/Harness/live_minutes.py --model model.safetensors --recording sweep.igs.mha --seconds 600

A recording's poses move the probe's node at `--rate`, in the thread of the program as OpenIGTLinkIF does, while the
panel's own timer simulates; Show is on. Slicer's views are not drawn, unless `--draw` asks for the red slice view and
the 3-D view ten times a second. Prints JSON; exits 1 where poses are not accounted for, or memory grows by more than
MOST_MB from the first tenth to the last.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
from harness_common import Tracker, boot, leave, memory_mb, problems_told, sections, wait_until

MOST_MB = 10.0
DRAWN_HZ = 10.0


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--recording", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--rate", type=float, default=60.0, metavar="HZ")
    parser.add_argument("--draw", action="store_true", help="draw the views, too")
    arguments = parser.parse_args()
    harness, panel, widget = boot()
    manager = harness.slicer.app.layoutManager()
    views = [manager.sliceWidget("Red").sliceView(), manager.threeDWidget(0).threeDView()]
    views[1].forceRender()
    tracker = Tracker(harness, arguments.recording, arguments.rate, images=False, combined=True)
    panel.exit()
    panel.enter()
    parts = sections(widget)
    parts["InputsSection"].ui.modelPathEdit.currentPath = str(arguments.model)
    live = parts["LiveSection"].ui
    live.startButton.click()
    wait_until(harness, lambda: widget.logic.simulation.live.running, state=lambda: live.stateLabel.text)
    tracker.play(0, round(arguments.rate))
    live.showButton.click()
    result = measure(harness, widget.logic.simulation, tracker, arguments, views if arguments.draw else [])
    live.startButton.click()
    print(json.dumps(result, indent=1))
    leave(bool(result["problems"]))


def measure(harness, simulation, tracker, arguments, views):
    simulation.live.start()  # counts begin anew
    ages_s, turns_s, memory = [], [], []
    arrived_s = time.perf_counter()

    def on_image(_caller, _event):
        ages_s.append(time.perf_counter() - arrived_s)

    tag = simulation.live.volume.AddObserver("ModifiedEvent", on_image)
    begin_s = before_s = time.perf_counter()
    sent, drawn, told = 0, 0, 0
    while (gone_s := time.perf_counter() - begin_s) < arguments.seconds:
        if sent <= gone_s * arguments.rate:
            arrived_s = time.perf_counter()
            tracker.send(sent)
            sent += 1
        if views and drawn <= gone_s * DRAWN_HZ:
            for view in views:
                view.forceRender()
            drawn += 1
        harness.process_events()
        time.sleep(0.0005)
        now_s = time.perf_counter()
        turns_s.append(now_s - before_s)
        before_s = now_s
        if gone_s >= len(memory) * arguments.seconds / 20:
            memory.append(memory_mb())
        if gone_s >= told * 30:
            told += 1
            print(
                f"{gone_s:.0f} s: {simulation.live.status}, {simulation.live.counts}, {memory_mb()} MB",
                file=sys.stderr,
                flush=True,
            )
    simulation.live.volume.RemoveObserver(tag)
    return figures(simulation, sent, gone_s, ages_s, turns_s, memory)


def figures(simulation, sent, seconds, ages_s, turns_s, memory):
    counts, latency = simulation.live.counts, simulation.live.latency
    problems = problems_told()
    if not counts.accounted_for or counts.received != sent:
        problems.append(f"{sent} poses sent, accounted for: {counts}")
    grown = float(np.mean(memory[-2:]) - np.mean(memory[:2]))
    if grown > MOST_MB:
        problems.append(f"memory grew by {grown:.1f} MB")
    percentiles = {
        f"p{share:g}": round(float(np.percentile(ages_s, share)) * 1e3, 1) for share in (50, 95, 99, 99.9)
    }
    return {
        "seconds": round(seconds, 1),
        "poses": counts.as_dict(),
        "images_per_s": round(len(ages_s) / seconds, 1),
        "pose_to_image_ms": percentiles,
        "rendering_median_ms": round(latency.render.median_ms, 1),
        "longest_turn_of_the_event_loop_ms": round(max(turns_s) * 1e3, 1),
        "memory_mb": memory,
        "memory_grown_mb": round(grown, 1),
        "problems": problems,
    }


if __name__ == "__main__":
    main()
