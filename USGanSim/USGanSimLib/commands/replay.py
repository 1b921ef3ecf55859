"""`replay FILE`: a recording over OpenIGTLink, as PlusServer would send it (see link/replay.py)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ..files import strict_json
from ..geometry.transforms import Matrix
from ..progress import terminal_or_silent
from ..recording.calibration_file import read_calibration
from ..recording.sequence_file import read_sweep
from ..recording.sweep import TrackedSweep
from .options import number, whole

DEFAULT_PORT = 18944


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `replay`."""
    parser.add_argument("file", type=Path, help="tracked recording (.igs.mha, .igs.mhd, .igs.nrrd)")
    parser.add_argument(
        "--port",
        type=whole(0, 65_535),
        default=DEFAULT_PORT,
        help="port to listen at, 0 for any free one (default %(default)s)",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at; 0.0.0.0 lets other computers "
        "connect (default %(default)s, this computer alone)",
    )
    parser.add_argument(
        "--rate",
        type=number(0.001, most=10_000),
        metavar="HZ",
        help="frames a second (default: as recorded)",
    )
    parser.add_argument("--loop", action="store_true", help="begin again at the end, until Ctrl-C")
    parser.add_argument("--wait-client", action="store_true", help="begin when the first client connects")
    parser.add_argument(
        "--calibration", type=Path, help="CAL.json or PLUS XML: images carry ImageToReference then"
    )
    parser.add_argument(
        "--transform",
        action="append",
        default=[],
        metavar="NAME",
        help="also send this transform, chained of the recorded ones, such as ProbeToReference",
    )
    parser.add_argument(
        "--send-invalid",
        action="store_true",
        help="send invalid transforms too, as identity with "
        "their status (PLUS: SendValidTransformsOnly=FALSE)",
    )
    parser.add_argument(
        "--header-version",
        type=int,
        choices=(1, 2),
        default=1,
        help="what a client gets before it has shown its own; 2 has metadata (default %(default)s, as PLUS)",
    )
    for frame in ("Reference", "Probe", "Image"):
        parser.add_argument(
            f"--{frame.lower()}-frame", default=frame, help=f"name of the coordinate frame (default {frame})"
        )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Replay until the end; on Ctrl-C the result so far is printed all the same."""
    from ..link.replay import Replay, SweepMessages
    from ..link.server import LinkServer

    sweep = read_sweep(arguments.file)
    messages = SweepMessages(
        sweep,
        _image_to_probe(arguments, sweep),
        arguments.transform,
        arguments.image_frame,
        arguments.probe_frame,
        arguments.reference_frame,
        arguments.send_invalid,
    )
    with LinkServer(arguments.port, arguments.host, arguments.header_version) as server:
        replay = Replay(sweep, server, arguments.rate, arguments.loop, messages)
        result: dict[str, Any] = {
            "file": str(arguments.file),
            "host": server.host,
            "port": server.port,
            "devices": messages.devices,
        }
        print(
            f"{sweep.name} at {server.host}:{server.port}: {', '.join(messages.devices)}. Ctrl-C ends.",
            file=sys.stderr,
            flush=True,
        )
        try:
            _play(replay, server, arguments.wait_client)
        except KeyboardInterrupt:
            result |= _figures(replay, server)
            print(strict_json(result)) if arguments.json else show(result)
            raise
        finally:
            replay.stop()
        # The last frame is on its way; a client that does not read it is not waited for.
        server.drain(timeout_s=1.0)
        return result | _figures(replay, server)


def show(result: dict[str, Any]) -> None:
    """Print the result for a person."""
    print(f"{result['frames']} frames in {result['duration_s']:.2f} s.")
    if result["rate_hz"] is not None:
        print(
            f"{result['rate_hz']:.2f} a second, {result['wanted_hz']:.2f} asked for; late by "
            f"{result['lateness_median_ms']:.2f} ms (median), {result['latest_ms']:.1f} ms (most)."
        )
    print(
        f"{result['clients']} clients; {result['sent']} messages sent, {result['dropped']} dropped for slow clients."
    )


def _play(replay: Any, server: Any, wait_client: bool) -> None:
    progress = terminal_or_silent()
    while wait_client and not server.wait_for_client(timeout_s=0.2):
        progress.emit("step", state="waiting for a client")
    replay.start()
    while not replay.wait(timeout_s=0.2):
        progress.emit("step", frames=replay.statistics.frames, clients=server.counts.clients)


def _image_to_probe(arguments: argparse.Namespace, sweep: TrackedSweep) -> Matrix | None:
    if arguments.calibration is None:
        return None
    calibration = read_calibration(arguments.calibration, arguments.image_frame, arguments.probe_frame)
    if not sweep.has_images:
        return calibration.image_to_probe
    return calibration.geometry(sweep.width_px, sweep.height_px, sweep.name).image_to_probe


def _figures(replay: Any, server: Any) -> dict[str, Any]:
    counts = server.counts
    return {
        **replay.statistics.as_dict(),
        "clients": counts.clients_ever,
        "sent": counts.sent,
        "dropped": counts.dropped,
    }
