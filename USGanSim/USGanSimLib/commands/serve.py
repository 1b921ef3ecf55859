"""`serve MODEL`: simulated images for the poses of an OpenIGTLink server, sent over OpenIGTLink (see link/serve.py)."""

from __future__ import annotations

import argparse
import math
import sys
import time
from pathlib import Path
from typing import Any

from ..files import strict_json
from ..model.info import INTENDED_USE, ModelInfo, read_model_header
from ..model.ranges import THREADS
from ..progress import terminal_or_silent
from ..recording.calibration_file import read_calibration
from .options import Number, number, whole

DEFAULT_TRACKER = "127.0.0.1:18944"
DEFAULT_PORT = 18945


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `serve`."""
    parser.add_argument("model", type=Path, help="model.safetensors")
    parser.add_argument(
        "--connect",
        type=_address,
        default=DEFAULT_TRACKER,
        metavar="HOST:PORT",
        help="server that sends the tracker's transforms (default %(default)s)",
    )
    parser.add_argument(
        "--port",
        type=whole(0, 65_535),
        default=DEFAULT_PORT,
        help="port to send images at, 0 for any free one (default %(default)s)",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at; 0.0.0.0 lets other computers "
        "connect (default %(default)s, this computer alone)",
    )
    parser.add_argument(
        "--calibration",
        type=Path,
        help="CAL.json or PLUS XML of the probe in use: refuse to start where the model does not fit it",
    )
    parser.add_argument(
        "--transform",
        action="append",
        default=[],
        metavar="NAME",
        help="also send this transform, chained of the received ones and ImageToProbe",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default %(default)s)")
    parser.add_argument(
        "--threads", type=Number(THREADS, whole=True), help="threads of the CPU to render with"
    )
    parser.add_argument(
        "--header-version",
        type=int,
        choices=(1, 2),
        default=1,
        help="what a client gets before it has shown its own; 2 has metadata (default %(default)s, as PLUS)",
    )
    parser.add_argument(
        "--seconds", type=number(0, above=True), metavar="S", help="end after so long (default: Ctrl-C ends)"
    )
    parser.add_argument(
        "--reference-frame",
        help="the tracker's name for the frame that the model's poses are in (default: the model's own)",
    )
    for frame in ("Probe", "Image"):
        parser.add_argument(
            f"--{frame.lower()}-frame", default=frame, help=f"name of the coordinate frame (default {frame})"
        )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Serve until Ctrl-C, or for --seconds; on Ctrl-C the result so far is printed all the same."""
    host, port = arguments.connect
    info = read_model_header(arguments.model).info
    _require_fit(arguments, info)
    from ..link.serve import SimulationServer
    from ..link.server import LinkServer
    from ..ml.renderer import ModelRenderer

    renderer = ModelRenderer.load(arguments.model, device=arguments.device, threads=arguments.threads)
    with (
        LinkServer(arguments.port, arguments.host, arguments.header_version) as server,
        SimulationServer(
            renderer,
            server,
            host,
            port,
            arguments.transform,
            arguments.image_frame,
            arguments.probe_frame,
            arguments.reference_frame or info.reference_frame,
        ) as simulation,
    ):
        print(
            f"Simulated images at {server.host}:{server.port} for the poses of {host}:{port}. {INTENDED_USE} "
            "Ctrl-C ends.",
            file=sys.stderr,
            flush=True,
        )
        try:
            _watch(simulation, server, renderer, math.inf if arguments.seconds is None else arguments.seconds)
        except KeyboardInterrupt:
            result = _figures(arguments, simulation, server)
            print(strict_json(result)) if arguments.json else show(result)
            raise
        return _figures(arguments, simulation, server)


def show(result: dict[str, Any]) -> None:
    """Print the result for a person."""
    poses = result["poses"]
    print(
        f"{poses['received']} poses: {poses['rendered']} rendered, {poses['superseded']} superseded by newer ones, "
        f"{poses['unusable']} not usable."
    )
    latency = result["latency"]
    if latency["rate_hz"] is not None:
        print(
            f"{latency['rate_hz']:.1f} images a second; from pose to image {latency['total_median_ms']:.1f} ms "
            f"(median), 95 % below {latency['total_p95_ms']:.1f} ms."
        )
    for kind, count in result["bad_messages"].items():
        print(f"{count} messages of the tracker were ignored: {kind}.")
    print(
        f"{result['clients']} clients; {result['sent']} messages sent, {result['dropped']} dropped for slow clients."
    )


def _watch(simulation: Any, server: Any, renderer: Any, seconds: float) -> None:
    """Show the state once a second until the time is over; raises what ends the simulation."""
    progress, end_s, told, pace = terminal_or_silent(), time.monotonic() + seconds, "", ""
    newline = "\n" if sys.stderr.isatty() else ""  # the state stands in the line above
    while (left_s := end_s - time.monotonic()) > 0:
        simulation.wait(min(left_s, 0.5))
        if simulation.link_state != told:
            told = simulation.link_state
            print(f"{newline}Tracker: {told}.", file=sys.stderr, flush=True)
        if renderer.threads_in_words != pace:
            pace = renderer.threads_in_words
            print(f"{newline}Rendering: {pace or 'with all threads'}.", file=sys.stderr, flush=True)
        progress.emit(
            "step",
            state=str(simulation.status),
            images=simulation.counts.rendered,
            superseded=simulation.counts.superseded,
            latency_ms=simulation.latency.total.median_ms,
            clients=server.counts.clients,
        )


def _figures(arguments: argparse.Namespace, simulation: Any, server: Any) -> dict[str, Any]:
    """End the simulation and tell what it did: only then no pose is in the renderer's hands, and each has its place."""
    tracker = simulation.link_state
    simulation.stop()
    counts = server.counts
    latency = {
        name: None if math.isnan(figure) else figure for name, figure in simulation.latency.as_dict().items()
    }
    return {
        "model": str(arguments.model),
        "host": server.host,
        "port": server.port,
        "tracker": tracker,
        "state": str(simulation.status),
        "poses": simulation.counts.as_dict(),
        "latency": latency,
        "bad_messages": simulation.problems,
        "clients": counts.clients_ever,
        "sent": counts.sent,
        "dropped": counts.dropped,
    }


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is not HOST:PORT, like {DEFAULT_TRACKER}")
    if len(port) > 5 or not 1 <= int(port) <= 65_535:
        raise argparse.ArgumentTypeError(f"{port} is no port (1 to 65535)")
    return host, int(port)


def _require_fit(arguments: argparse.Namespace, info: ModelInfo) -> None:
    if arguments.calibration is not None:
        calibration = read_calibration(arguments.calibration, arguments.image_frame, arguments.probe_frame)
        size_px = calibration.image_size_px or info.source_size_px
        info.require_fit(calibration.image_to_probe, size_px, str(arguments.calibration))
