"""The lag between images and poses, for targets drawn with a known lag and for PLUS's recordings."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from USGanSimLib.calibration.lag.estimate import estimate_lag, jackknife
from USGanSimLib.calibration.lag.floor import FloorLine, floor_line
from USGanSimLib.calibration.lag.targets import Floor, Pin, Wires
from USGanSimLib.calibration.lag.wires import WireTrack, follow, wire_spots
from USGanSimLib.calibration.timing import Tracking, require_increasing
from USGanSimLib.errors import UserError
from USGanSimLib.evaluation.measures.points import read_points
from USGanSimLib.geometry.transforms import TransformTrack
from USGanSimLib.recording.calibration_file import read_calibration
from USGanSimLib.recording.sequence_file import read_sweep

LAG_S = 0.083


def stroke_mm(times_s: np.ndarray) -> np.ndarray:
    """An uneven motion up and down."""
    return 12 * np.sin(2 * np.pi * 0.7 * times_s) + 5 * np.sin(2 * np.pi * 0.31 * times_s + 1)


def tracking(times_s: np.ndarray, jitter_mm: float = 0.1) -> Tracking:
    poses = np.tile(np.eye(4), (len(times_s), 1, 1))
    along = np.array([0.6, 0.64, 0.48])
    poses[:, :3, 3] = stroke_mm(times_s)[:, None] * along
    poses[:, :3, 3] += np.random.default_rng(0).normal(0, jitter_mm, (len(times_s), 3))
    return Tracking(times_s, TransformTrack(poses, np.ones(len(times_s), bool)), "tracker.mha")


@pytest.fixture
def image_times_s() -> np.ndarray:
    return 3.0 + np.sort(np.random.default_rng(5).uniform(0, 12, 180))


@pytest.fixture
def pose_times_s() -> np.ndarray:
    return np.arange(0, 18, 0.025)


def own_poses(sweep) -> Tracking:
    return Tracking(sweep.timestamps_s, sweep.probe_to_reference(), sweep.name)


def floor(image_times_s: np.ndarray, noise_px: float = 1.5) -> Floor:
    rows = 300 - 8 * stroke_mm(image_times_s + LAG_S)
    rows += np.random.default_rng(1).normal(0, noise_px, len(rows))
    return Floor.seen(FloorLine(rows, 200.0), np.ones(len(rows), bool), "video.mha")


def test_the_lag_of_a_floor_is_found_with_its_interval(image_times_s, pose_times_s):
    found = estimate_lag(floor(image_times_s), image_times_s, tracking(pose_times_s), "video.mha")
    assert found.lag_s == pytest.approx(LAG_S, abs=0.005)
    assert found.ci_s[0] < LAG_S < found.ci_s[1]
    assert found.ci_s[1] - found.ci_s[0] < 0.03
    assert found.misfit < found.misfit_at_zero / 3
    assert found.lags_s[found.misfits.argmin()] == pytest.approx(LAG_S, abs=0.01)


def test_images_without_the_line_are_passed_over(image_times_s, pose_times_s):
    target = floor(image_times_s)
    rows = np.full(len(image_times_s), np.nan)
    rows[::2] = target.rows_px[::2]
    some = Floor.seen(FloorLine(rows, 200.0), np.ones(len(rows), bool), "video.mha")
    found = estimate_lag(some, image_times_s, tracking(pose_times_s), "video.mha")
    assert found.frames == 90
    assert found.lag_s == pytest.approx(LAG_S, abs=0.01)


def test_too_little_motion_is_refused_with_the_number():
    with pytest.raises(UserError, match=r"The line in v.mha moves by 1\.\d px .* where 3 px are needed"):
        Floor.seen(
            FloorLine(100 + np.random.default_rng(0).normal(0, 1.5, 90), 0.0), np.ones(90, bool), "v.mha"
        )
    with pytest.raises(UserError, match="No image of v.mha shows a bright straight line"):
        Floor.seen(FloorLine(np.full(9, np.nan), 0.0), np.ones(9, bool), "v.mha")


def test_a_line_that_does_not_follow_the_probe_is_refused(image_times_s, pose_times_s):
    rows = 300 + 40 * np.sin(2 * np.pi * 0.9 * image_times_s)
    target = Floor.seen(FloorLine(rows, 0.0), np.ones(len(rows), bool), "v.mha")
    still = tracking(pose_times_s)
    with pytest.raises(UserError):
        target.require_explained(estimate_lag(target, image_times_s, still, "v.mha").misfit)


def test_a_lag_beyond_the_range_is_refused(image_times_s, pose_times_s):
    with pytest.raises(UserError, match=r"agree best at the end of the range, at 0\.05 s or beyond"):
        estimate_lag(floor(image_times_s), image_times_s, tracking(pose_times_s), "v.mha", max_lag_s=0.05)


@pytest.mark.parametrize("max_lag_s", [0.0, -1.0, float("nan")])
def test_a_range_without_lags_is_refused(image_times_s, pose_times_s, max_lag_s):
    with pytest.raises(UserError, match="leave nothing to seek"):
        estimate_lag(
            floor(image_times_s), image_times_s, tracking(pose_times_s), "v.mha", max_lag_s=max_lag_s
        )


def test_a_motion_that_repeats_itself_leaves_two_lags(image_times_s, pose_times_s):
    def pure(times_s):
        return 12 * np.sin(2 * np.pi * 4 * times_s)

    poses = np.tile(np.eye(4), (len(pose_times_s), 1, 1))
    poses[:, 0, 3] = pure(pose_times_s)
    track = Tracking(pose_times_s, TransformTrack(poses, np.ones(len(poses), bool)), "t")
    target = Floor.seen(FloorLine(100 + 8 * pure(image_times_s + LAG_S), 0.0), np.ones(180, bool), "v.mha")
    with pytest.raises(UserError, match="fit alike: the motion repeats itself"):
        estimate_lag(target, image_times_s, track, "v.mha")


def test_recordings_of_other_times_are_refused(image_times_s, pose_times_s):
    with pytest.raises(UserError, match=r"Only 0 images of v.mha .* \(180 show it\); 20 are needed"):
        estimate_lag(floor(image_times_s), image_times_s + 1000, tracking(pose_times_s), "v.mha")


def test_clocks_that_jump_back_or_stand_still_are_refused_with_the_frame(image_times_s, pose_times_s):
    back = pose_times_s.copy()
    back[100:] -= 2
    with pytest.raises(UserError, match=r"tracker.mha jump back 1 times \(first: by 1\.975 s at frame 100"):
        estimate_lag(floor(image_times_s), image_times_s, tracking(back), "v.mha")
    with pytest.raises(
        UserError, match=r"30 of 60 time stamps of x repeat the one before \(first: frame 1\)"
    ):
        require_increasing(np.repeat(np.arange(30.0), 2), "x")
    few = np.arange(60.0)
    few[7] = 6
    assert np.flatnonzero(~require_increasing(few, "x")).tolist() == [7]


def test_poses_between_samples_follow_the_curve_of_a_hand():
    """Against the motion itself; straight lines between samples 0.13 s apart would be half a millimetre off."""
    sampled = tracking(np.arange(0, 12, 0.13), jitter_mm=0)
    times_s = np.linspace(1, 11, 300)
    along = sampled.at(times_s).matrices[:, :3, 3] @ (0.6, 0.64, 0.48)
    np.testing.assert_allclose(along, stroke_mm(times_s), atol=0.03)
    turning = np.tile(np.eye(4), (93, 1, 1))
    angles = 0.5 * np.sin(3 * np.arange(93) * 0.13)
    turning[:, :3, :3] = Rotation.from_rotvec(angles[:, None] * (0.6, 0.0, 0.8)).as_matrix()
    found = (
        Tracking(np.arange(93) * 0.13, TransformTrack(turning, np.ones(93, bool)), "t").at(times_s).matrices
    )
    turned = Rotation.from_matrix(found[:, :3, :3]).as_rotvec()
    np.testing.assert_allclose(turned[:, 0], 0.3 * np.sin(3 * times_s), atol=1e-3)


def test_poses_far_from_any_sample_are_invalid():
    times_s = np.array([0, 0.1, 0.2, 0.3, 1.0, 1.1, 1.2])
    track = Tracking(times_s, TransformTrack(np.tile(np.eye(4), (7, 1, 1)), np.arange(7) != 2), "t")
    asked_s = np.array([-0.1, 0.05, 0.2, 0.5, 1.15, 1.3])
    assert track.at(asked_s).valid.tolist() == [False, True, True, False, True, False]


def test_the_lag_of_a_pin_is_found():
    """A pin that wanders over the image of a probe turned about all axes; the tracker stamps its poses a lag late."""
    times_s = np.arange(0, 18, 0.02)
    image_to_probe = np.diag([0.1, 0.11, 1, 1])
    image_to_probe[:3, 3] = -30, 5, 12
    poses = np.tile(np.eye(4), (len(times_s), 1, 1))
    angles = np.column_stack(
        [0.5 * np.sin(2 * np.pi * f * times_s + p) for f, p in ((0.5, 0), (0.37, 1), (0.61, 2))]
    )
    poses[:, :3, :3] = Rotation.from_rotvec(angles).as_matrix()
    pixels = np.column_stack([400 + 200 * np.sin(2.5 * times_s), 300 + 150 * np.sin(3.3 * times_s + 1)])
    in_image = np.column_stack([pixels, np.zeros(len(pixels)), np.ones(len(pixels))])
    # The pin is the origin of Reference.
    poses[:, :3, 3] = -np.einsum("nij,nj->ni", poses, in_image @ image_to_probe.T)[:, :3]
    track = Tracking(times_s + LAG_S, TransformTrack(poses, np.ones(len(times_s), bool)), "t")
    shown = np.arange(50, 850, 5)
    marked = pixels[shown] + np.random.default_rng(2).normal(0, 1, (len(shown), 2))
    target = Pin.marked(dict(enumerate(marked)), times_s[shown], track, (820, 616))
    found = estimate_lag(target, times_s[shown], track, "v.mha")
    assert found.lag_s == pytest.approx(LAG_S, abs=0.003)
    assert found.ci_s[0] - 0.001 < LAG_S < found.ci_s[1] + 0.001


def test_wires_are_straight_at_the_right_lag(image_times_s, pose_times_s):
    """Wires along z under a probe that slides along x while it advances: at a wrong lag they are wavy."""

    def poses_of(times_s):
        poses = np.tile(np.eye(4), (len(times_s), 1, 1))
        poses[:, 0, 3], poses[:, 2, 3] = stroke_mm(times_s), 3 * times_s
        return poses

    track = Tracking(
        pose_times_s, TransformTrack(poses_of(pose_times_s), np.ones(len(pose_times_s), bool)), "t"
    )
    shown = stroke_mm(image_times_s + LAG_S)
    rng = np.random.default_rng(3)
    tracks = [
        WireTrack(
            np.arange(180),
            np.column_stack([(x - shown) / 0.1, np.full(180, 80.0)]) + rng.normal(0, 1, (180, 2)),
        )
        for x in (30, 40)
    ]
    tracks[0].pixels[5] += 60  # a wrong spot
    found = estimate_lag(Wires.followed(tracks, np.diag([0.1, 0.1, 0.1, 1])), image_times_s, track, "v.mha")
    assert found.lag_s == pytest.approx(LAG_S, abs=0.003)


def test_spots_are_joined_to_tracks_over_gaps_and_crossings():
    frames = np.arange(30)
    first = np.column_stack([50 + 4 * frames, 40 + 0 * frames])
    second = np.column_stack([170 - 4 * frames, 48 + 0 * frames])
    spots = {int(f): np.array([second[f], first[f]]) for f in frames}
    spots[10] = spots[10][:1]
    spots[20] = np.vstack([spots[20], [[300.0, 300]]])
    tracks = follow({f: np.asarray(places, float) for f, places in spots.items()})
    assert sorted(len(track.frames) for track in tracks) == [29, 30]
    longest = max(tracks, key=lambda track: len(track.frames))
    np.testing.assert_array_equal(longest.pixels, second)


def test_the_jackknife_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(0).normal(0, 2, 4000)
    half = jackknife(lambda used: float(values[used].mean()), np.ones(4000, bool))
    assert half == pytest.approx(2.262 * 2 / np.sqrt(4000), rel=0.5)


def test_a_slanted_line_is_found_at_the_middle_of_its_columns():
    rows, columns = np.mgrid[:200, :300]
    images = []
    for shift in (0.0, 10.4, 30.7):
        line = (
            180 * np.exp(-0.5 * ((rows - 60 - shift - 0.2 * (columns - 150)) / 1.5) ** 2) * (columns >= 100)
        )
        line[180:184, 20:24] = 250
        images.append(line.astype(np.uint8))
    images.append(np.zeros((200, 300), np.uint8))
    found = floor_line(np.array(images))
    assert found.column_px == pytest.approx(199.5, abs=1)
    expected = 60 + np.array([0, 10.4, 30.7]) + 0.2 * (found.column_px - 150)
    np.testing.assert_allclose(found.rows_px[:3], expected, atol=0.2)
    assert np.isnan(found.rows_px[3])


def test_the_water_tank_has_the_lag_that_plus_found(plus_data):
    video = read_sweep(plus_data / "WaterTankBottomTranslationVideoBuffer.igs.mha")
    poses = read_sweep(plus_data / "WaterTankBottomTranslationTrackerBuffer-trimmed.igs.mha")
    target = Floor.seen(floor_line(video.frames), video.image_valid, video.name)
    found = estimate_lag(
        target, video.timestamps_s, Tracking(poses.timestamps_s, poses.probe_to_reference(), "t"), "v"
    )
    assert found.lag_s == pytest.approx(-0.065, abs=0.010)
    assert found.ci_s[0] < -0.0648 < found.ci_s[1]


def test_the_wires_of_fcal_are_straightest_at_their_lag(plus_data):
    name = "fCal_Test_Calibration_3NWires_fCal2.0"
    sweep = read_sweep(plus_data / f"{name}.igs.mha")
    calibration = read_calibration(plus_data / f"{name}.results.xml")
    target = Wires.followed(
        follow(read_points(plus_data / f"{name}.results.xml")), calibration.image_to_probe
    )
    found = estimate_lag(target, sweep.timestamps_s, own_poses(sweep), "v")
    assert 0.02 <= found.lag_s <= 0.04


@pytest.mark.slow
def test_the_nwire_phantom_has_its_lag(plus_data):
    sweep = read_sweep(plus_data / "NwirePhantomFreehand.igs.mha")
    calibration = read_calibration(
        plus_data / "PlusDeviceSet_NwirePhantomFreehand_vtkVolumeReconstructorTest2.xml"
    )
    target = Wires.followed(follow(wire_spots(sweep.frames)), calibration.image_to_probe)
    found = estimate_lag(target, sweep.timestamps_s, own_poses(sweep), "v")
    assert found.lag_s == pytest.approx(0.08, abs=0.02)
