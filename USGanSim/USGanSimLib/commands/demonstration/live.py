"""The live part of `demo`: a recording over OpenIGTLink into MRML transforms, simulated, measured, and drawn.

The recording is replayed by a process of its own, as PlusServer would send it.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ...files import replacing_file
from ...geometry.image_geometry import ImageGeometry
from ...geometry.pose_distance import PoseDistance
from ...geometry.transforms import Matrix
from ...link.replay_process import replay_process
from ...live import PoseState, Renderer
from ...progress import Progress
from ...recording.calibration_file import Calibration, read_calibration
from ...recording.sequence_file import read_sweep
from ...recording.sweep import TrackedSweep

if TYPE_CHECKING:
    from ...mrml.headless.live_picture import RealFrame
    from ...mrml.headless.live_run import LiveRun, Snapshot

PICTURES = 4


@dataclass(frozen=True, eq=False)
class DemoModel:
    """The renderer, what to call it, and the frames held out from its training where that is known."""

    renderer: Renderer
    words: str
    heldout: frozenset[int] | None


@dataclass(frozen=True, eq=False)
class Recording:
    """The recording, the geometry of its images, and ImageToReference (K, 4, 4) of its K usable `frames`."""

    sweep: TrackedSweep
    geometry: ImageGeometry
    frames: NDArray[np.int_]
    probe_to_reference: Matrix

    @classmethod
    def open(cls, arguments: argparse.Namespace, calibration: Calibration) -> Recording:
        """Raises UserError for a recording without usable frames, and for a calibration of another image size."""
        sweep = read_sweep(arguments.recording)
        if not sweep.has_images:
            raise UserError(
                f"{sweep.name} has no images to compare with.", "Give a recording of images and poses."
            )
        track = sweep.probe_to_reference(arguments.probe_frame, arguments.reference_frame)
        frames = np.flatnonzero(track.valid & sweep.image_valid)
        if len(frames) == 0:
            raise UserError(
                f"No frame of {sweep.name} has both a valid image and a valid pose.",
                "Check that probe and reference were in the tracker's view.",
            )
        return cls(
            sweep,
            calibration.geometry(sweep.width_px, sweep.height_px, sweep.name),
            frames,
            track.matrices[frames] if len(track) > 1 else np.repeat(track.matrices, len(frames), axis=0),
        )

    def frame_at(self, renderer: Renderer, snapshot: Snapshot, heldout: frozenset[int] | None) -> RealFrame:
        """The real image whose pose is nearest to that of a simulated one."""
        from ...mrml.headless.live_picture import RealFrame

        distance = PoseDistance(renderer.width_px, renderer.height_px)
        nearest = distance.nearest(
            snapshot.image_to_reference, self.probe_to_reference @ renderer.image_to_probe
        )
        frame = int(self.frames[nearest.index])
        kind = "" if heldout is None else ", held out" if frame in heldout else ", trained on"
        return RealFrame(
            np.asarray(self.sweep.frames[frame]),
            self.probe_to_reference[nearest.index] @ self.geometry.image_to_probe,
            f"frame {frame}{kind}",
        )


def run_live_demo(
    arguments: argparse.Namespace,
    find_model: Callable[[Calibration, Recording], DemoModel],
    progress: Progress,
) -> dict[str, Any]:
    """Replay, simulate, measure and draw; `find_model` may take its time, the replay waits. Returns what was measured
    and where the picture is.

    `arguments` are those of `demo`, with recording and calibration. Raises UserError for what cannot be replayed or
    does not fit together.
    """
    calibration = read_calibration(arguments.calibration, arguments.image_frame, arguments.probe_frame)
    recording = Recording.open(arguments, calibration)
    # The replay first, so that what it refuses is known before a model is trained; it waits for its client.
    with replay_process(_replay_words(arguments)) as port:
        model = find_model(calibration, recording)
        live = _live(arguments, port, recording, model.renderer, progress)
    result = _figures(arguments, model, live)
    result["panel"] = str(arguments.out / "panel.png")
    result["no_3d"] = _draw(Path(result["panel"]), recording, model, live, result)
    return result


def _replay_words(arguments: argparse.Namespace) -> list[str]:
    return [
        str(arguments.recording),
        "--rate",
        str(arguments.rate),
        "--loop",
        "--wait-client",
        "--send-invalid",
        "--header-version",
        "2",
        "--transform",
        _pose_name(arguments),
        "--image-frame",
        arguments.image_frame,
        "--probe-frame",
        arguments.probe_frame,
        "--reference-frame",
        arguments.reference_frame,
    ]


def _pose_name(arguments: argparse.Namespace) -> str:
    return f"{arguments.probe_frame}To{arguments.reference_frame}"


def _live(
    arguments: argparse.Namespace, port: int, recording: Recording, renderer: Renderer, progress: Progress
) -> LiveRun:
    """Receive and simulate."""
    from ...link.client import LinkClient
    from ...mrml.headless.live_run import run_live
    from ...mrml.scene import headless_scene

    for _ in range(3):
        # The first images pay for what is set up once; the demo is about those after them.
        renderer.render(recording.probe_to_reference[0] @ renderer.image_to_probe)
    progress.emit("replay", recording=recording.sweep.name, rate_hz=arguments.rate)
    with LinkClient("127.0.0.1", port, wanted=("TRANSFORM",)) as client, headless_scene() as scene:
        return run_live(
            scene,
            client,
            renderer,
            _pose_name(arguments),
            arguments.seconds,
            PICTURES,
            lambda gone_s, live: progress.emit(
                "live", second=round(gone_s), images=live.counts.rendered, state=str(live.status)
            ),
        )


def _figures(arguments: argparse.Namespace, model: DemoModel, live: LiveRun) -> dict[str, Any]:
    counts = live.counts
    ticks = sum(live.states.values())
    figures = {
        "pose_to_volume_median_ms": live.pose_to_volume.median_ms,
        "pose_to_volume_p95_ms": live.pose_to_volume.p95_ms,
        **{name: value for name, value in live.latency.as_dict().items() if name != "rate_hz"},
    }
    return {
        "recording": arguments.recording.name,
        "model": model.words,
        "rate_hz": arguments.rate,
        "seconds": live.duration_s,
        "received": live.received,
        "rendered": counts.rendered,
        "superseded": live.superseded_in_link + counts.superseded,
        "unusable": counts.unusable,
        "waiting": live.waiting_in_link + counts.waiting,
        "accounted_for": live.accounted_for,
        "images_per_s": counts.rendered / live.duration_s,
        **{name: None if math.isnan(value) else value for name, value in figures.items()},
        "state_shares": {name: count / ticks for name, count in live.states.items()},
    }


def in_sentences(result: dict[str, Any]) -> list[str]:
    account = "all accounted for" if result["accounted_for"] else "NOT all accounted for"
    sentences = [
        f"{result['recording']} replayed at {result['rate_hz']:g} Hz over OpenIGTLink for {result['seconds']:.1f} s, "
        f"simulated live with {result['model']}",
        f"{result['received']} poses received = {result['rendered']} rendered + {result['superseded']} superseded + "
        f"{result['unusable']} not usable + {result['waiting']} waiting at the end; {account}.",
        "States: "
        + ", ".join(
            f"{PoseState[name].value} {share:.0%} of the time"
            for name, share in result["state_shares"].items()
        ),
    ]
    if result["pose_to_volume_median_ms"] is not None:
        sentences.insert(
            2,
            f"{result['images_per_s']:.1f} images a second; from the pose's arrival to the finished "
            f"volume {result['pose_to_volume_median_ms']:.1f} ms (median), "
            f"{result['pose_to_volume_p95_ms']:.1f} ms (95 %), of which rendering "
            f"{result['render_median_ms']:.1f} ms and the rest of the tick "
            f"{result['write_median_ms']:.2f} ms.",
        )
    return sentences


def _draw(path: Path, recording: Recording, model: DemoModel, live: LiveRun, result: dict[str, Any]) -> str:
    """Write the panel; why it has no 3-D view, or nothing."""
    from ...mrml.display import opengl_problem
    from ...mrml.headless.live_picture import draw_live_picture
    from ...mrml.scene import headless_scene

    path.parent.mkdir(parents=True, exist_ok=True)
    problem = opengl_problem()
    pairs = [
        (recording.frame_at(model.renderer, snapshot, model.heldout), snapshot) for snapshot in live.snapshots
    ]
    with headless_scene() as scene, replacing_file(path) as part:
        panel = draw_live_picture(
            scene,
            pairs,
            model.renderer.pose_range,
            f"Live simulation of {recording.sweep.name}",
            in_sentences(result),
            not problem,
        )
        panel.save(part, format="PNG")
    return problem
