"""Tracker, sweeps, targets and recordings of the phantom, against what was asked for and the true poses."""

from __future__ import annotations

import csv
import json
from dataclasses import fields, replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from USGanSimLib.errors import UserError
from USGanSimLib.geometry.transforms import TransformGraph
from USGanSimLib.phantom.acoustics import Scanner
from USGanSimLib.phantom.body import fetal_body
from USGanSimLib.phantom.motion import PIN_SCAN, SESSION, WIRE_SCAN, plane_through
from USGanSimLib.phantom.probe import curvilinear, linear
from USGanSimLib.phantom.scanning import (
    TrueSweep,
    images,
    plan_sweep,
    plan_target_sweep,
    repeats,
    write_points,
    write_recording,
    write_truth,
)
from USGanSimLib.phantom.settings import HARD, PLAIN, RANGES, adjusted, as_numbers, in_water
from USGanSimLib.phantom.targets import pin_body, target_pixels, wire_body
from USGanSimLib.phantom.tracker import Tracker, misplaced, tracked
from USGanSimLib.progress import Silent
from USGanSimLib.recording.calibration_file import read_calibration
from USGanSimLib.recording.dataset import open_dataset
from USGanSimLib.recording.prepare import PrepareOptions, prepare
from USGanSimLib.recording.sequence_file import read_sweep

PERFECT = adjusted(PLAIN, {"jitter_mm": 0, "jitter_deg": 0, "lost_share": 0})
MADE_BY = {"target": "fetus", "subject": 0, "seed": 0}


@pytest.fixture(scope="module")
def scanner():
    probe = curvilinear()
    return Scanner(fetal_body(0, 1.4), probe, probe.image_geometry(160, 120), PLAIN.display)


def rotation_deg(first, second):
    return np.rad2deg(
        Rotation.from_matrix(np.swapaxes(first, 1, 2)[:, :3, :3] @ second[:, :3, :3]).magnitude()
    )


def test_the_tracker_trembles_as_much_as_its_setting_says():
    poses = np.tile(plane_through(np.array([5.0, 70, -20])), (6000, 1, 1))
    times_s = np.arange(6000) / 30
    read = tracked(
        poses, times_s, Tracker(jitter_mm=0.3, jitter_deg=0.2, lost_share=0), np.random.default_rng(0)
    )
    still = tracked(
        poses, times_s, Tracker(jitter_mm=0, jitter_deg=0, lost_share=0), np.random.default_rng(0)
    )
    offset = read["ProbeToTracker"].matrices - still["ProbeToTracker"].matrices
    assert np.sqrt((offset[:, :3, 3] ** 2).sum(axis=1).mean()) == pytest.approx(0.3, rel=0.03)
    turned = rotation_deg(still["ProbeToTracker"].matrices, read["ProbeToTracker"].matrices)
    assert np.sqrt((turned**2).mean()) == pytest.approx(0.2, rel=0.03)
    assert read["ProbeToTracker"].valid.all()


def test_the_tracker_loses_sight_for_the_share_that_its_setting_says():
    times_s = np.arange(60000) / 30
    read = tracked(
        np.tile(np.eye(4), (60000, 1, 1)),
        times_s,
        Tracker(lost_share=0.05, gap_s=0.4),
        np.random.default_rng(1),
    )
    seen = read["ProbeToTracker"].valid
    # Gaps of independent length that may overlap: 1 − exp(−share).
    assert 1 - seen.mean() == pytest.approx(1 - np.exp(-0.05), rel=0.2)
    gaps = np.diff(np.flatnonzero(np.diff(np.concatenate([[1], seen.astype(int), [1]]))))[::2] / 30
    assert gaps.mean() == pytest.approx(0.4, rel=0.25)
    assert read["ReferenceToTracker"].valid.all()


def test_a_lag_shows_the_pose_that_far_ahead():
    sweep = plan_sweep(SESSION[1], 40, adjusted(PLAIN, {"lag_s": 0.1}), seed=3)
    np.testing.assert_allclose(sweep.image_poses[:-3], sweep.tracked_poses[3:], atol=1e-9)
    assert np.abs(sweep.image_poses - sweep.tracked_poses).max() > 0.05


def test_a_hand_moves_smoothly_and_stays_on_the_skin():
    for plan in SESSION:
        sweep = plan_sweep(plan, 900, PLAIN, seed=1)
        places = sweep.tracked_poses[:, :3, 3]
        speed_mm_s = np.linalg.norm(np.diff(places, axis=0), axis=1) * 30
        assert 3 < np.median(speed_mm_s) < 40, plan.name
        assert speed_mm_s.max() < 120, plan.name
        skin_mm = 0.0006 * (places[:, 0] ** 2 + 0.3 * places[:, 2] ** 2) - 1
        np.testing.assert_allclose(places[:, 1] - skin_mm, 0.5, atol=1e-9)


def test_the_calibration_error_is_as_large_as_asked():
    true = curvilinear().image_geometry(160, 120).image_to_probe
    error = misplaced(true, 1.5, 1.0, np.random.default_rng(0)) @ np.linalg.inv(true)
    assert np.linalg.norm(error[:3, 3]) == pytest.approx(1.5)
    assert rotation_deg(np.eye(4)[None], error[None])[0] == pytest.approx(1.0)


def test_a_recording_reads_back_with_its_images_poses_and_lost_frames(scanner, tmp_path):
    setting = adjusted(PLAIN, {"lost_share": 0.3, "gap_s": 0.1})
    sweep = plan_sweep(SESSION[2], 24, setting, seed=2, start_s=5.0)
    write_recording(tmp_path / "a.igs.mha", [sweep], scanner, setting, 2, Silent())
    back = read_sweep(tmp_path / "a.igs.mha")
    np.testing.assert_array_equal(back.frames, np.stack(list(images(sweep, scanner, setting, 2))))
    np.testing.assert_allclose(back.timestamps_s, 5 + np.arange(24) / 30, atol=1e-5)
    assert set(back.frame_fields["Sweep"]) == {"abdominal"}
    probe_to_reference = TransformGraph(back.transforms).track("Probe", "Reference")
    assert 0 < (~probe_to_reference.valid).sum() < 24
    offset = (probe_to_reference.matrices - sweep.tracked_poses)[probe_to_reference.valid]
    # The jitter of both tools, and the turn of the reference at the distance of the probe: some 0.2 mm.
    assert 0.05 < np.sqrt((offset[:, :3, 3] ** 2).sum(axis=1).mean()) < 0.4


def test_the_same_seed_gives_the_same_recording_bit_for_bit(scanner, tmp_path):
    for name, seed in (("a", 4), ("b", 4), ("c", 5)):
        sweeps = [plan_sweep(plan, 3, HARD, seed) for plan in SESSION]
        write_recording(tmp_path / f"{name}.igs.mha", sweeps, scanner, HARD, seed, Silent())
    a, b, c = ((tmp_path / f"{name}.igs.mha").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_held_poses_are_scanned_again_and_again(scanner, tmp_path):
    sweep = plan_sweep(SESSION[0], 3, PERFECT, seed=6, repeats=4)
    write_recording(tmp_path / "held.igs.mha", [sweep], scanner, PERFECT, 6, Silent())
    back = read_sweep(tmp_path / "held.igs.mha")
    assert back.frame_fields["Hold"] == tuple("000011112222")
    assert back.frame_fields["Repeat"] == tuple("012301230123")
    poses = TransformGraph(back.transforms).track("Probe", "Reference").matrices
    np.testing.assert_allclose(poses[:4], poses[:1].repeat(4, axis=0), atol=1e-5)
    assert np.abs(poses[4] - poses[0]).max() > 0.01
    assert (back.frames[0] != back.frames[1]).mean() > 0.2
    # Gain and contact are drawn anew, not the speckle alone.
    assert back.frames[:4].mean(axis=(1, 2)).std() > 1


def test_repeats_of_a_pose_are_independent_draws(scanner):
    pose = plane_through(scanner.medium.landmarks_mm["stomach centre"])
    some = repeats(scanner, PLAIN, pose, 4, seed=0)
    np.testing.assert_array_equal(some, repeats(scanner, PLAIN, pose, 4, seed=0))
    assert len({image.tobytes() for image in some}) == 4
    assert some.mean(axis=(1, 2)).std() > 1


def test_persistence_keeps_a_share_of_the_frame_before(scanner):
    lasting = Scanner(
        scanner.medium, scanner.probe, scanner.geometry, replace(PLAIN.display, persistence=0.5)
    )
    sweep = plan_sweep(SESSION[1], 6, PERFECT, seed=1)
    plain = [image.astype(float) for image in images(sweep, scanner, PERFECT, 1)]
    mixed = [image.astype(float) for image in images(sweep, lasting, PERFECT, 1)]
    steps = [np.abs(np.diff(course, axis=0)).mean() for course in (plain, mixed)]
    assert steps[1] < 0.75 * steps[0]


def test_landmarks_project_where_they_show_through_prepare(scanner, tmp_path):
    """From recording to training set: the pixel that the true place of the stomach projects to is dark fluid."""
    stomach = scanner.medium.landmarks_mm["stomach centre"]
    poses = np.stack(
        [plane_through(stomach + np.array([x, 0, z])) for x in (-14, 0, 14) for z in (-2, -1, 0, 1, 2)]
    )
    setting = adjusted(PERFECT, {"motion_mm": 0.1, "contact_losses": 0})
    sweep = TrueSweep("abdominal", 2, np.arange(15) / 30, poses, poses, poses)
    write_recording(tmp_path / "s.igs.mha", [sweep], scanner, setting, 0, Silent())
    truth = write_truth(tmp_path, "s", scanner, setting, MADE_BY)
    prepare(
        [tmp_path / "s.igs.mha"],
        read_calibration(truth["calibration"]),
        tmp_path / "set",
        PrepareOptions(size_px=(120, 90)),
    )
    dataset = open_dataset(tmp_path / "set")
    place = np.array(json.loads(truth["landmarks"].read_text())["landmarks"]["stomach centre"])
    step_mm = dataset.geometry.mm_per_px[0]
    rows, columns = np.mgrid[:90, :120]
    for image, pose in zip(dataset.images, dataset.poses, strict=True):
        u, v, w, _ = np.linalg.inv(pose) @ [*place, 1]
        assert abs(w) < 3
        distance_mm = np.hypot(columns - u, rows - v) * step_mm
        within, around = image[distance_mm < 3.5], image[(distance_mm > 10) & (distance_mm < 13)]
        assert within.mean() < 0.5 * around.mean()


TARGETS = {"pinhead": (pin_body, PIN_SCAN, curvilinear()), "wires": (wire_body, WIRE_SCAN, linear())}


@pytest.mark.parametrize(("make", "plan", "probe"), TARGETS.values(), ids=TARGETS)
def test_targets_shine_at_the_pixels_that_are_written_beside_them(make, plan, probe, tmp_path):
    tank, setting = make(), in_water(PERFECT)
    scanner = Scanner(tank, probe, probe.image_geometry(320, 240), setting.display)
    sweep = plan_target_sweep(plan, tank.middle_mm, probe, 400, setting, seed=1)
    some = slice(0, 400, 40)
    sweep = replace(
        sweep,
        times_s=sweep.times_s[some],
        tracked_poses=sweep.tracked_poses[some],
        image_poses=sweep.image_poses[some],
        before_poses=sweep.before_poses[some],
    )
    count = write_points(tmp_path / "t.csv", sweep, tank, scanner)
    with (tmp_path / "t.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert count == len(rows) >= (6 if plan is PIN_SCAN else 50)
    shown = list(images(sweep, scanner, setting, 1))
    found = 0
    for row in rows:
        u, v, image = float(row["u_px"]), float(row["v_px"]), shown[int(row["frame"])]
        top, left = max(round(v) - 3, 0), max(round(u) - 3, 0)
        patch = image[top : top + 7, left : left + 7].astype(float)
        if patch.max() < 40:
            continue  # at the edge of the beam's thickness
        peak = np.array(np.unravel_index(patch.argmax(), patch.shape))[::-1]
        found += np.linalg.norm(peak - np.array([u - left, v - top])) < 1.6
    assert found >= 0.85 * len(rows)


def test_a_pin_scan_sees_the_pin_from_many_directions():
    tank, probe = pin_body(), curvilinear()
    sweep = plan_target_sweep(PIN_SCAN, tank.middle_mm, probe, 1800, in_water(PLAIN), seed=0)
    geometry = probe.image_geometry(320, 240)
    pixels = [target_pixels(tank, pose, probe, geometry) for pose in sweep.image_poses]
    share = np.mean([bool(shown) for shown in pixels])
    assert 0.5 < share < 1
    normals = sweep.image_poses[:, :3, 2]
    spread_deg = np.rad2deg(np.arccos(np.clip(np.abs(normals @ normals.mean(axis=0)), 0, 1)))
    assert np.percentile(spread_deg, 90) > 40


def test_wires_are_where_their_ends_say():
    """The oblique wire crosses the image between the other two, in proportion to where along z the image cuts."""
    tank, probe = wire_body(), linear()
    geometry = probe.image_geometry(320, 240)
    for z in (-15.0, 0.0, 12.0):
        pose = np.eye(4)
        pose[:3, 3] = 0, 35, z
        shown = target_pixels(tank, pose, probe, geometry)
        assert len(shown) == 9
        for layer, direction in ((1, 1), (2, -1), (3, 1)):
            left, oblique, right = (shown[f"wire {layer} {place}"] for place in ("left", "oblique", "right"))
            share = (oblique[0] - left[0]) / (right[0] - left[0])
            assert share == pytest.approx(0.5 + direction * 0.4 * z / 20, abs=1e-6)
            assert (geometry.image_to_probe @ [*left, 0, 1])[1] == pytest.approx(40 + 10 * (layer - 2))


def test_truth_holds_the_true_matrix_beside_the_one_that_is_handed_out(scanner, tmp_path):
    files = write_truth(tmp_path, "hard", scanner, HARD, MADE_BY)
    handed_out = read_calibration(files["calibration"])
    true = np.array(json.loads(files["phantom"].read_text())["true_image_to_probe"])
    np.testing.assert_array_equal(true, scanner.geometry.image_to_probe)
    error = handed_out.image_to_probe @ np.linalg.inv(true)
    assert np.linalg.norm(error[:3, 3]) == pytest.approx(1.5)
    assert handed_out.image_size_px == (160, 120)


def test_every_number_of_a_setting_can_be_changed_alone():
    numbers = as_numbers(PLAIN)
    assert set(numbers) == set(RANGES)
    assert (
        len(numbers)
        == sum(len(fields(part)) for part in (PLAIN.variability, PLAIN.tracker, PLAIN.display)) + 3
    )
    for name, (low, high) in RANGES.items():
        value = int(high) if name == "compounding" else (low + high) / 2
        changed = as_numbers(adjusted(PLAIN, {name: value}))
        assert changed[name] == value
        assert {key for key in numbers if changed[key] != numbers[key]} <= {name}


@pytest.mark.parametrize(
    "changes",
    [{"presure_mm": 1}, {"pressure_mm": -1}, {"rate_share": 0}, {"tone": float("nan")}, {"compounding": 2.5}],
)
def test_a_setting_that_cannot_be_is_refused_by_name(changes):
    with pytest.raises(UserError, match=next(iter(changes))):
        adjusted(PLAIN, changes)
