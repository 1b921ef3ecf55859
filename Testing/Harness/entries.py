"""Enters and leaves both modules many times; then tells what a change of a parameter costs, and what is left.

    python Testing/Harness/entries.py --cycles 1000

Counted are observers of the parameter node and of the scene, timers, how often a change of one parameter is written to
the widgets, and the milliseconds of the processor that it takes. Slicer 5.10 does not take away the observer of a panel
that is disconnected, so each entry would cost more than the one before. Prints JSON; exits 1 where anything has grown.
"""

from __future__ import annotations

import argparse
import json
import time

from harness_common import boot, growth, leave, left, problems_told
from standin.observers import count_observers

CHANGES = 50
WARM_UP = 20
PARAMETER = {"USGanSim": ("samples", (3, 4)), "USGanTraining": ("maxLagS", (0.5, 0.6))}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cycles", type=int, default=1000)
    arguments = parser.parse_args()
    told, problems = {}, []
    for module in PARAMETER:
        harness, panel, widget = boot(module)
        turns(harness, panel, WARM_UP)
        before = measure(harness, widget, module)
        turns(harness, panel, arguments.cycles)
        after = measure(harness, widget, module)
        panel.exit()
        told[module] = {"before": before, "after": after}
        counted = [{name: one[name] for name in one if name != "change_ms"} for one in (before, after)]
        problems += [f"{module}: {words}" for words in growth(*counted)]
    version = f"{harness.slicer.app.majorVersion}.{harness.slicer.app.minorVersion}"
    problems += problems_told()
    result = {"slicer": version, "cycles": arguments.cycles, **told, "problems": problems}
    print(json.dumps(result, indent=1))
    leave(bool(problems))


def turns(harness, panel, count):
    for _ in range(count):
        panel.exit()
        panel.enter()
        harness.process_events()


def measure(harness, widget, module):
    from slicer.parameterNodeWrapper import wrapper

    name, values = PARAMETER[module]
    updates, update = [], wrapper._updateGUIFromParameterNode

    def counted(parameters):
        updates.append(parameters)
        update(parameters)

    wrapper._updateGUIFromParameterNode = counted
    began_s = time.process_time()
    for number in range(CHANGES):
        setattr(widget.parameters, name, values[number % 2])
    took_s = time.process_time() - began_s
    wrapper._updateGUIFromParameterNode = update
    return {
        "updates_a_change": len(updates) / CHANGES,
        "change_ms": round(1e3 * took_s / CHANGES, 2),
        "node_observers": count_observers(widget.parameters.parameterNode),
        **left(harness),
    }


if __name__ == "__main__":
    main()
