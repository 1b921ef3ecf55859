"""Images a second of the live path beside busy processes: with one thread, with all, and with the number that is chosen
while rendering. `python Testing/Measurements/threads_under_load.py [SECONDS]`: a row takes so long (default 15).
"""

from __future__ import annotations

import multiprocessing
import statistics
import sys
import time

import torch

from USGanSimLib.ml.benchmark import untrained_model
from USGanSimLib.ml.devices import MOST_THREADS
from USGanSimLib.ml.renderer import ModelRenderer
from USGanSimLib.ml.thread_choice import ThreadChoice
from USGanSimLib.model.recipes import RECIPES

BUSY = (0, 1, 4, 8)


def burn() -> None:
    """Keep a core busy for ever."""
    while True:
        sum(k * k for k in range(10_000))


def rendered_for(renderer: ModelRenderer, seconds: float, choice: ThreadChoice | None) -> list[float]:
    """Seconds of each image, one after another, at the model's poses."""
    poses, times_s = renderer.pose_range.poses, []
    end_s = time.perf_counter() + seconds
    while (began_s := time.perf_counter()) < end_s:
        renderer.render(poses[len(times_s) % len(poses)])
        times_s.append(time.perf_counter() - began_s)
        if choice is not None:
            choice.rendered(times_s[-1])
    return times_s


def main(seconds: float) -> None:
    renderer = ModelRenderer(*untrained_model(RECIPES["beams"], 160, 120), torch.device("cpu"))
    print(f"{'busy beside':>12}{'threads':>14}{'images/s':>10}{'median ms':>11}{'slowest ms':>12}")
    for busy in BUSY:
        others = [multiprocessing.Process(target=burn, daemon=True) for _ in range(busy)]
        for other in others:
            other.start()
        for name in ("1", str(MOST_THREADS), "chosen"):
            choice = ThreadChoice((MOST_THREADS, 1)) if name == "chosen" else None
            if choice is None:
                torch.set_num_threads(int(name))
            times_s = rendered_for(renderer, seconds, choice)
            words = f"chosen: {choice.threads}" if choice else name
            print(
                f"{busy:>12}{words:>14}{len(times_s) / seconds:>10.1f}{1000 * statistics.median(times_s):>11.1f}"
                f"{1000 * max(times_s):>12.1f}",
                flush=True,
            )
        for other in others:
            other.terminate()


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 15.0)
