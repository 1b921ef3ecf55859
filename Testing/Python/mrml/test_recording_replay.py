"""A recording in the scene: poses, validity and images of one moment together, as a tracker would send them."""

from __future__ import annotations

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from USGanSimLib.errors import UserError  # noqa: E402
from USGanSimLib.geometry.transforms import TransformTrack  # noqa: E402
from USGanSimLib.live import PoseState  # noqa: E402
from USGanSimLib.mrml.live.playing import Player  # noqa: E402
from USGanSimLib.mrml.live.recording_replay import RecordingReplay  # noqa: E402
from USGanSimLib.recording.sweep import TrackedSweep  # noqa: E402

COUNT = 12
IMAGE_TO_PROBE = np.diag([0.5, 0.5, 1, 1])
STAMPS_S = 40 + np.cumsum([0, 0.1, 0.1, 0.3] * 3)


def shifted(axis: int, values_mm: np.ndarray) -> np.ndarray:
    matrices = np.tile(np.eye(4), (len(values_mm), 1, 1))
    matrices[:, axis, 3] = values_mm
    return matrices


@pytest.fixture
def sweep():
    """The probe stands at x = 100 + frame in the tracker, the reference at x = 100; frame 5 is not tracked."""
    numbers = np.arange(COUNT)
    valid = numbers != 5
    frames = np.zeros((COUNT, 6, 8), np.uint8) + numbers[:, None, None].astype(np.uint8)
    statuses = tuple(None if ok else "OUT_OF_VIEW" for ok in valid)
    return TrackedSweep(
        frames,
        STAMPS_S,
        {
            "ProbeToTracker": TransformTrack(shifted(0, 100.0 + numbers), valid),
            "ReferenceToTracker": TransformTrack(shifted(0, np.full(COUNT, 100.0)), np.ones(COUNT, bool)),
        },
        numbers != 7,
        "sweep.igs.mha",
        {"ProbeToTrackerTransformStatus": statuses},
    )


def x_mm(node) -> float:
    return float(slicer.util.arrayFromTransformMatrix(node)[0, 3])


def node_of(scene, name: str):
    return scene.GetFirstNode(name, "vtkMRMLLinearTransformNode")


def test_transforms_are_called_as_plus_calls_them_and_carry_their_validity(scene, sweep):
    replay = RecordingReplay(scene, sweep)
    replay.show(STAMPS_S[4] - 40)
    tracker = node_of(scene, "ProbeToTracker")
    assert (x_mm(tracker), x_mm(node_of(scene, "ReferenceToTracker")), x_mm(replay.probe)) == (104, 100, 4)
    assert tracker.GetAttribute("TransformStatus") == "OK"
    replay.show(STAMPS_S[5] - 40)
    assert tracker.GetAttribute("TransformStatus") == "OUT_OF_VIEW"
    assert replay.probe.GetAttribute("TransformStatus") == "INVALID"


def test_a_frame_is_shown_from_its_own_moment_to_the_next(scene, sweep):
    replay = RecordingReplay(scene, sweep)
    seen = []
    for at_s in (0, 0.05, 0.15, 0.25, 0.45, 0.55, 100):
        replay.show(at_s)
        seen.append(replay.frame)
    assert seen == [0, 0, 1, 2, 2, 4, COUNT - 1]


def test_the_live_simulation_follows_and_says_where_the_probe_is_lost(scene, sweep, simulate, renderer):
    replay = RecordingReplay(scene, sweep)
    live = simulate(replay.probe, stale_after_s=None)
    states = []
    for at_s in STAMPS_S[[0, 1, 2, 4, 5, 6, 8]] - 40 + 1e-6:
        replay.show(at_s)
        live.tick()
        states.append(live.status.state)
    rendered_mm = [pose[0, 3] - renderer.image_to_probe[0, 3] for pose in renderer.poses]
    # Frames 3 and 7 have the stamps of those after them.
    assert rendered_mm == [0, 1, 2, 4, 6, 8]
    assert [number for number, state in enumerate(states) if state is PoseState.INVALID] == [4]


def test_every_image_stands_at_the_pose_of_its_own_frame(scene, sweep, nodes, image_to_world):
    reference = nodes.new("ReferenceToRas")
    nodes.move(reference, 1000)
    replay = RecordingReplay(scene, sweep, reference, IMAGE_TO_PROBE)
    seen = []
    replay.volume.AddObserver(
        "ModifiedEvent",
        lambda *_: seen.append(
            (int(slicer.util.arrayFromVolume(replay.volume).max()), image_to_world(replay.volume)[0, 3])
        ),
    )
    for at_s in STAMPS_S - 40 + 1e-6:
        replay.show(at_s)
    assert seen[-1] == (11, 1011)
    assert all(place == 1000 + grey for grey, place in seen)
    assert {grey for grey, _ in seen} == {0, 1, 2, 4, 6, 8, 9, 10, 11}


def test_a_player_runs_it_at_the_speed_of_its_stamps(scene, sweep, clock):
    replay = RecordingReplay(scene, sweep)
    player = Player(replay, clock=clock, loop=False)
    player.play()
    arrived = []
    for _ in range(160):
        clock.now_s += 0.01
        player.tick()
        arrived.append(replay.frame)
    assert replay.duration_s == pytest.approx(1.5)
    assert arrived[int(100 * 0.205)] == 2
    assert (arrived[-1], player.playing) == (COUNT - 1, False)


def test_another_recording_takes_over_the_nodes_and_leaves_none_behind(scene, sweep, nodes):
    RecordingReplay(scene, sweep, None, IMAGE_TO_PROBE).show(0)
    before = nodes.count()
    again = RecordingReplay(scene, sweep, None, IMAGE_TO_PROBE)
    assert nodes.count() == before
    other = TrackedSweep(
        sweep.frames,
        sweep.timestamps_s,
        {"ProbeToReference": TransformTrack(shifted(0, np.arange(COUNT, dtype=float)), np.ones(COUNT, bool))},
        sweep.image_valid,
    )
    assert RecordingReplay(scene, other).probe is again.probe
    assert node_of(scene, "ProbeToTracker") is None
    assert node_of(scene, "ImageToReference") is None


def test_closing_takes_everything_out(scene, sweep, nodes):
    before = nodes.names()
    replay = RecordingReplay(scene, sweep, None, IMAGE_TO_PROBE)
    replay.show(0.3)
    replay.close()
    assert nodes.names() == before


def test_a_transform_of_the_user_is_never_taken_over(scene, sweep, nodes):
    own = nodes.new("ProbeToTracker")
    nodes.move(own, 55)
    RecordingReplay(scene, sweep).show(0.3)
    assert x_mm(own) == 55


def test_a_recording_without_the_probe_or_without_time_is_refused(scene, sweep, nodes):
    before = nodes.count()
    alone = TrackedSweep(
        sweep.frames,
        sweep.timestamps_s,
        {"StylusToTracker": sweep.transforms["ProbeToTracker"]},
        sweep.image_valid,
    )
    with pytest.raises(UserError, match="no coordinate frame 'Probe'"):
        RecordingReplay(scene, alone)
    still = TrackedSweep(sweep.frames, np.full(COUNT, 40.0), sweep.transforms, sweep.image_valid)
    with pytest.raises(UserError, match="do not increase"):
        RecordingReplay(scene, still)
    assert nodes.count() == before
