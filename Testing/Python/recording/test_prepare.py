"""recording/prepare.py: dots stay at their millimetres, lag has its closed form, every left-out frame is counted."""

from __future__ import annotations

import dataclasses
import errno
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from USGanSimLib.errors import UserError
from USGanSimLib.geometry.image_geometry import Crop
from USGanSimLib.geometry.transforms import TransformTrack
from USGanSimLib.recording.calibration_file import Calibration
from USGanSimLib.recording.dataset import Dataset, open_dataset
from USGanSimLib.recording.prepare import PrepareOptions, prepare, prepare_sweeps
from USGanSimLib.recording.sequence_file import SweepWriter, write_sweep
from USGanSimLib.recording.splits import Exclusion
from USGanSimLib.recording.sweep import TrackedSweep
from USGanSimLib.recording.usable import UsableFrames, usable_frames

WIDTH_PX, HEIGHT_PX, FRAMES, RATE_HZ = 240, 200, 40, 20
SPEED_MM_S, TURN_DEG_S = 12.0, 9.0
IMAGE_TO_PROBE = np.array([[0.02, 0.2, 0, 5], [-0.25, 0.01, 0, 30], [0.01, 0.0, 0.2, -2], [0, 0, 0, 1.0]])
CALIBRATION = Calibration(IMAGE_TO_PROBE, (WIDTH_PX, HEIGHT_PX), "CAL.json")
OPTIONS = PrepareOptions(crop=Crop(20, 30, 203, 160), size_px=(60, 50))
WIRES = "fCal_Test_Calibration_3NWires_fCal2.0"


def probe_to_reference(time_s: float) -> np.ndarray:
    """Constant velocity and constant rate of turn: known at every moment."""
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_rotvec([0, 0, TURN_DEG_S * time_s], degrees=True).as_matrix()
    pose[:3, 3] = SPEED_MM_S * time_s, 3.0, -1.0
    return pose


def reference_to_tracker(time_s: float) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_rotvec([20 + 5 * time_s, -30, 50], degrees=True).as_matrix()
    pose[:3, 3] = 100, 200 - 4 * time_s, 300
    return pose


def dot(frame: int) -> tuple[float, float]:
    """The dot's centre in source pixels."""
    return 60 + 3.3 * frame, 70 + 2.1 * frame


def sweep(name: str = "sweep", frames: int = FRAMES, start_s: float = 5.0) -> TrackedSweep:
    """A soft bright dot that wanders over the image while probe and reference both move."""
    v, u = np.mgrid[:HEIGHT_PX, :WIDTH_PX]
    images = (
        np.array(
            [
                250 * np.exp(-((u - dot(k)[0]) ** 2 + (v - dot(k)[1]) ** 2) / (2 * 6.0**2))
                for k in range(frames)
            ]
        )
        .round()
        .astype(np.uint8)
    )
    times_s = start_s + np.arange(frames) / RATE_HZ
    reference = np.array([reference_to_tracker(t) for t in times_s])
    probe = reference @ np.array([probe_to_reference(t) for t in times_s])
    valid = np.ones(frames, bool)
    return TrackedSweep(
        images,
        times_s,
        {
            "ProbeToTracker": TransformTrack(probe, valid.copy()),
            "ReferenceToTracker": TransformTrack(reference, valid.copy()),
        },
        valid,
        name,
    )


def with_invalid(
    sweep: TrackedSweep, images: Sequence[int] = (), probe: Sequence[int] = (), reference: Sequence[int] = ()
) -> TrackedSweep:
    image_valid = ~np.isin(np.arange(len(sweep)), list(images))
    tracks = {
        name: TransformTrack(track.matrices, ~np.isin(np.arange(len(sweep)), list(lost)))
        for (name, track), lost in zip(sweep.transforms.items(), (probe, reference), strict=True)
    }
    return dataclasses.replace(sweep, image_valid=image_valid, transforms=tracks)


def at_times(sweep: TrackedSweep, times_s: np.ndarray) -> TrackedSweep:
    return dataclasses.replace(sweep, timestamps_s=times_s)


def prepared(
    out: Path, *sweeps: TrackedSweep, calibration: Calibration = CALIBRATION, **options: Any
) -> tuple[dict[str, Any], Dataset]:
    result = prepare_sweeps(
        sweeps, [""] * len(sweeps), calibration, out, dataclasses.replace(OPTIONS, **options)
    )
    return result, open_dataset(out)


def centroid(image: np.ndarray) -> tuple[float, float]:
    v, u = np.mgrid[: image.shape[0], : image.shape[1]]
    return float((image * u).sum() / image.sum()), float((image * v).sum() / image.sum())


@pytest.mark.parametrize(
    ("crop", "size_px"),
    [
        (Crop(20, 30, 203, 160), (60, 50)),
        ("full", (97, 41)),
        ("auto", (80, 60)),
        ("tight", (70, 60)),
        (Crop(40, 50, 180, 140), (270, 140)),
    ],
)
def test_a_dot_stays_at_its_millimetres_through_crop_and_resize(
    tmp_path: Path, crop: Crop | str, size_px: tuple[int, int]
) -> None:
    recording = sweep()
    _, dataset = prepared(tmp_path / "set", recording, crop=crop, size_px=size_px)
    for index, frame in enumerate(dataset.source_frame):
        truth = probe_to_reference(recording.timestamps_s[frame]) @ IMAGE_TO_PROBE @ [*dot(frame), 0, 1]
        seen = dataset.poses[index] @ [*centroid(dataset.images[index].astype(float)), 0, 1]
        assert np.linalg.norm(seen - truth) < 0.05


def test_the_poses_of_the_set_are_those_of_its_own_geometry(tmp_path: Path) -> None:
    _, dataset = prepared(tmp_path / "set", sweep())
    expected = [probe_to_reference(t) @ dataset.geometry.image_to_probe for t in dataset.timestamps_s]
    np.testing.assert_allclose(dataset.poses, expected, atol=1e-9)


@pytest.mark.parametrize("lag_s", [0.013, -0.13, 0.05])
def test_an_image_gets_the_pose_of_its_stamp_plus_the_lag(lag_s: float) -> None:
    recording = sweep()
    usable = usable_of(recording, lag_s)
    expected = [probe_to_reference(t + lag_s) for t in recording.timestamps_s[usable.frames]]
    np.testing.assert_allclose(usable.probe_to_reference, expected, atol=1e-9)
    # Within 0.05 s lies one frame, 0.13 s reach over three.
    lost = {0.013: 1, -0.13: 3, 0.05: 1}[lag_s]
    assert usable.excluded == {
        "image_invalid": 0,
        "pose_invalid": 0,
        "outside_recording": lost,
        "pose_gap": 0,
    }
    assert len(usable.frames) == FRAMES - lost


def test_without_lag_the_poses_are_those_of_the_recording_bit_for_bit() -> None:
    recording = sweep()
    usable = usable_of(recording)
    assert np.array_equal(usable.probe_to_reference, recording.probe_to_reference().matrices)


def usable_of(recording: TrackedSweep, lag_s: float = 0.0) -> UsableFrames:
    return usable_frames(recording, lag_s, "Probe", "Reference")


def counts(usable: UsableFrames) -> list[int]:
    return [
        usable.excluded[reason]
        for reason in ("image_invalid", "pose_invalid", "outside_recording", "pose_gap")
    ]


def test_invalid_images_and_poses_are_left_out_and_counted_once() -> None:
    usable = usable_of(with_invalid(sweep(), images=[3, 4], probe=[4, 9], reference=[9, 20, 21]))
    assert counts(usable) == [2, 3, 0, 0]
    assert sorted(set(range(FRAMES)) - set(usable.frames.tolist())) == [3, 4, 9, 20, 21]


def test_with_a_lag_the_neighbours_of_an_invalid_pose_are_left_out_too() -> None:
    usable = usable_of(with_invalid(sweep(), probe=[10]), 0.02)
    assert sorted(set(range(FRAMES)) - set(usable.frames.tolist())) == [9, 10, 39]
    assert counts(usable) == [0, 2, 1, 0]


def test_a_pause_of_the_recording_is_not_interpolated_across() -> None:
    recording = sweep()
    times_s = recording.timestamps_s + np.where(np.arange(FRAMES) >= 12, 0.8, 0)
    usable = usable_of(at_times(recording, times_s), 0.02)
    assert sorted(set(range(FRAMES)) - set(usable.frames.tolist())) == [11, 39]
    assert counts(usable) == [0, 0, 1, 1]


def test_repeated_time_stamps_are_told_when_a_lag_is_asked_for_and_harmless_otherwise() -> None:
    recording = sweep("doubled.igs.mha")
    times_s = recording.timestamps_s.copy()
    times_s[7], times_s[20] = times_s[6], times_s[18]
    recording = at_times(recording, times_s)
    with pytest.raises(
        UserError, match=r"doubled\.igs\.mha do not increase at 2 of 40 frames \(first: frame 7"
    ):
        usable_of(recording, 0.02)
    assert len(usable_of(recording).frames) == FRAMES


def test_the_result_counts_what_went_in_and_what_came_out(tmp_path: Path) -> None:
    first = with_invalid(sweep("a"), images=[0, 1], probe=[5])
    result, dataset = prepared(
        tmp_path / "set", first, sweep("b", frames=30, start_s=9.0), holdout=0.25, blocks=1
    )
    assert (result["frames_in"], result["frames_out"]) == (70, 67)
    assert result["excluded"] == {
        "image_invalid": 2,
        "pose_invalid": 1,
        "outside_recording": 0,
        "pose_gap": 0,
    }
    assert (result["train"], result["heldout"]) == (67 - 9 - 8, 9 + 8)
    assert (result["size"], result["crop"], result["source_size"]) == (
        [60, 50],
        [20, 30, 203, 160],
        [240, 200],
    )
    assert result["sha256"] == dataset.sha256
    assert result["out"] == str(tmp_path / "set")
    # Pixel sizes are those of ImageToProbe's columns, times source pixels in one of ours.
    columns_mm = np.sqrt((IMAGE_TO_PROBE[:3, :2] ** 2).sum(axis=0))
    np.testing.assert_allclose(result["mm_per_px"], columns_mm * [203 / 60, 160 / 50])
    assert dataset.sweep_index.tolist() == [0] * 37 + [1] * 30
    assert dataset.source_frame.tolist() == [2, 3, 4, *range(6, 40), *range(30)]
    assert [source.frames_out for source in dataset.sources] == [37, 30]


def test_held_out_frames_are_contiguous_in_every_sweep(tmp_path: Path) -> None:
    _, dataset = prepared(tmp_path / "set", sweep("a"), sweep("b", start_s=9.0), holdout=0.2, blocks=2)
    for index in (0, 1):
        of_sweep = dataset.heldout[dataset.sweep_index == index]
        assert of_sweep.sum() == 8
        assert np.abs(np.diff(of_sweep.astype(int))).sum() == 4, "two blocks have four edges"


def test_whole_sweeps_are_held_out(tmp_path: Path) -> None:
    three = [sweep(name, start_s=start_s) for name, start_s in (("a", 1), ("b", 10), ("c", 20))]
    _, dataset = prepared(tmp_path / "set", *three, split="sweeps")
    assert [bool(dataset.heldout[dataset.sweep_index == k].all()) for k in range(3)] == [False, True, False]
    assert dataset.heldout.sum() == FRAMES


def test_frames_near_a_held_out_pose_are_left_out_of_training_alone(tmp_path: Path) -> None:
    _, whole = prepared(tmp_path / "whole", sweep("a"), holdout=0.25, blocks=1)
    result, dataset = prepared(tmp_path / "set", sweep("a"), holdout=0.25, blocks=1, exclusion=Exclusion(1.0))
    assert dataset.heldout_indices.tolist() == whole.heldout_indices.tolist()
    # The probe moves steadily, so as many frames are within reach before the block as after it.
    left_out = np.flatnonzero(dataset.excluded)
    first, last = dataset.heldout_indices[[0, -1]]
    assert left_out.tolist() == [*range(left_out[0], first), *range(last + 1, left_out[-1] + 1)]
    assert first - left_out[0] == left_out[-1] - last > 0
    assert (result["too_near"], result["train"]) == (len(left_out), len(whole.train_indices) - len(left_out))
    assert result["exclusion"] == {"rms_mm": 1.0, "jitter": None}


def test_a_held_pose_is_never_split_and_sweeps_that_count_alike_are_told_apart(tmp_path: Path) -> None:
    """Twice four poses of five frames in one recording; its middle tenth would cut a pose."""
    fields = {"Sweep": ("one",) * 20 + ("two",) * 20, "Hold": tuple(str(k // 5 % 4) for k in range(40))}
    held = dataclasses.replace(sweep("a"), frame_fields=fields)
    result, dataset = prepared(
        tmp_path / "set", held, sweep("b", frames=10, start_s=9.0), holdout=0.1, blocks=1
    )
    assert dataset.hold.tolist() == [k // 5 for k in range(40)] + [-1] * 10
    of_poses = dataset.heldout[:40].reshape(8, 5)
    assert (of_poses.all(axis=1) | ~of_poses.any(axis=1)).all()
    assert of_poses.any()
    assert result["held_poses"] == 8


def test_sweeps_that_follow_one_another_in_one_recording_are_held_out_from_one_by_one(tmp_path: Path) -> None:
    names = ("heart",) * 20 + ("head",) * 12 + ("heart",) * 8
    several = dataclasses.replace(
        with_invalid(sweep("a"), images=[0], probe=[]), frame_fields={"Sweep": names}
    )
    _, dataset = prepared(
        tmp_path / "set", several, sweep("b", frames=10, start_s=9.0), holdout=0.25, blocks=1
    )
    assert dataset.sweep_index.tolist() == [0] * 39 + [1] * 10
    assert dataset.sweep.tolist() == [0] * 19 + [1] * 12 + [2] * 8 + [3] * 10
    assert [int(dataset.heldout[dataset.sweep == k].sum()) for k in range(4)] == [5, 3, 2, 2]
    _, whole = prepared(tmp_path / "whole", several, split="sweeps")
    assert np.flatnonzero(whole.heldout).tolist() == [*range(19, 31)], "the middle one of three"


def test_the_same_input_gives_the_same_hash_anywhere_and_another_lag_another(tmp_path: Path) -> None:
    first, _ = prepared(tmp_path / "one", sweep("a"))
    again, _ = prepared(tmp_path / "two", sweep("b"))
    other, _ = prepared(tmp_path / "three", sweep("a"), lag_s=0.001)
    assert first["sha256"] == again["sha256"] != other["sha256"]


def refusal(tmp_path: Path, *sweeps: TrackedSweep, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        prepared(tmp_path / "set", *sweeps, **options)
    assert not list(tmp_path.iterdir()), "a refusal leaves nothing"
    return str(caught.value)


def test_recordings_of_two_image_sizes_are_refused_with_both(tmp_path: Path) -> None:
    small = dataclasses.replace(sweep("small", start_s=0), frames=sweep().frames[:, :150, :180])
    said = refusal(tmp_path, sweep("large"), small)
    assert "180×150" in said
    assert "240×200" in said


def with_own_geometry(sweep: TrackedSweep, scale: float) -> TrackedSweep:
    own = np.tile(IMAGE_TO_PROBE @ np.diag([scale, scale, 1, 1]), (len(sweep), 1, 1))
    track = TransformTrack(own, np.ones(len(sweep), bool))
    return dataclasses.replace(sweep, transforms={**sweep.transforms, "ImageToProbe": track})


def test_files_that_do_not_go_together_are_refused_before_they_are_read_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = dataclasses.replace(sweep("small"), frames=sweep().frames[:, :100, :100])
    for one in (sweep("large"), small):
        write_sweep(tmp_path / f"{one.name}.igs.mha", one)
    monkeypatch.setattr(
        "USGanSimLib.recording.prepare._sha256", lambda *_: pytest.fail("a file was read through")
    )
    with pytest.raises(UserError, match="do not go into one training set"):
        prepare(
            [tmp_path / "large.igs.mha", tmp_path / "small.igs.mha"], CALIBRATION, tmp_path / "set", OPTIONS
        )


def test_recordings_of_two_depths_are_refused_with_the_distance(tmp_path: Path) -> None:
    said = refusal(
        tmp_path, with_own_geometry(sweep("a"), 1.0), with_own_geometry(sweep("b", start_s=0), 1.1)
    )
    # The last corner, (239, 199) px, moves by a tenth of its distance from pixel (0, 0).
    apart_mm = 0.1 * np.linalg.norm(IMAGE_TO_PROBE[:3, :2] @ [239, 199])
    assert f"{apart_mm:.1f} mm at a corner" in said


def test_recordings_that_agree_on_their_own_geometry_are_taken_together(tmp_path: Path) -> None:
    result, _ = prepared(
        tmp_path / "set", with_own_geometry(sweep("a"), 1.2), with_own_geometry(sweep("b", start_s=0), 1.2)
    )
    assert result["frames_out"] == 80


def test_a_calibration_of_another_image_size_is_refused(tmp_path: Path) -> None:
    said = refusal(tmp_path, sweep(), calibration=Calibration(IMAGE_TO_PROBE, (820, 616), "CAL.json"))
    assert "820×616" in said
    assert "240×200" in said


def test_the_same_recording_twice_is_refused(tmp_path: Path) -> None:
    assert "are the same recording" in refusal(tmp_path, sweep("a.igs.mha"), sweep("a.igs.nrrd"))


def test_no_usable_frame_is_refused_with_the_reasons(tmp_path: Path) -> None:
    half = with_invalid(sweep(), images=list(range(25)), probe=list(range(20, 40)))
    said = refusal(tmp_path, half)
    assert "None of 40 frames" in said
    assert "25 the image is invalid" in said
    assert "15 the pose" in said


def test_a_lag_longer_than_the_recording_leaves_no_frame(tmp_path: Path) -> None:
    assert "40 the lag leads outside" in refusal(tmp_path, sweep(), lag_s=7.0)


def test_a_recording_without_images_is_refused(tmp_path: Path) -> None:
    assert "no valid image" in refusal(tmp_path, with_invalid(sweep(), images=list(range(FRAMES))))
    tracker_only = dataclasses.replace(sweep(), frames=np.zeros((FRAMES, 0, 0), np.uint8))
    assert "0×0 px" in refusal(tmp_path, tracker_only)


def test_a_pose_that_is_not_a_number_is_refused(tmp_path: Path) -> None:
    broken = sweep()
    broken.transforms["ProbeToTracker"].matrices[4, 1, 3] = np.nan
    assert "not a rigid transform in 1 of 40" in refusal(tmp_path, broken)


def test_a_crop_that_leaves_the_image_is_refused(tmp_path: Path) -> None:
    assert "leaves the image of 240×200" in refusal(tmp_path, sweep(), crop=Crop(200, 0, 41, 10))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"size_px": (160, 7)}, "160×7"), ({"lag_s": np.nan}, "nan s"), ({"crop": "wide"}, "'wide' is no crop")],
)
def test_options_without_meaning_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        PrepareOptions(**options)


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    assert "The disk is full" in refusal(tmp_path, sweep())


def test_ctrl_c_leaves_nothing_half_written(tmp_path: Path) -> None:
    class Interrupted:
        def emit(self, event: str, **fields: Any) -> None:
            if event == "step":
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_sweeps([sweep()], [""], CALIBRATION, tmp_path / "set", OPTIONS, Interrupted())
    assert not list(tmp_path.iterdir())


def test_files_are_hashed_with_their_detached_pixels(tmp_path: Path) -> None:
    write_sweep(tmp_path / "a.igs.mhd", sweep(), compress=False)
    first = prepare([tmp_path / "a.igs.mhd"], CALIBRATION, tmp_path / "set", OPTIONS)
    pixels = (tmp_path / "a.igs.raw").read_bytes()
    (tmp_path / "a.igs.raw").write_bytes(pixels[:-1] + bytes([pixels[-1] ^ 1]))
    second = prepare([tmp_path / "a.igs.mhd"], CALIBRATION, tmp_path / "set", OPTIONS)
    assert first["sources"][0]["sha256"] != second["sources"][0]["sha256"]
    assert first["sha256"] == second["sha256"], "the last pixel lies outside the crop"


PEAK = """
import sys
from pathlib import Path
from USGanSimLib.recording.calibration_file import read_calibration
from USGanSimLib.recording.prepare import prepare

def peak_mb():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1e3

before = peak_mb()
result = prepare([Path(sys.argv[1])], read_calibration(Path(sys.argv[2])), Path(sys.argv[3]))
print(peak_mb() - before, result["frames_out"])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_a_large_recording_is_prepared_in_little_memory(tmp_path: Path, repository: Path) -> None:
    count, width_px, height_px = 600, 820, 616

    with SweepWriter(tmp_path / "large.igs.mha", width_px, height_px, compress=False) as writer:
        for index in range(count):
            image = np.zeros((height_px, width_px), np.uint8)
            image[100:500, 200:700] = 60 + index % 2 * 100
            writer.append(image, index / 20, {"ProbeToReference": (np.eye(4), True)})
    (tmp_path / "CAL.json").write_text('{"image_to_probe": [[0.1,0,0,0],[0,0.1,0,0],[0,0,0.1,0],[0,0,0,1]]}')
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            PEAK,
            *map(str, (tmp_path / "large.igs.mha", tmp_path / "CAL.json", tmp_path / "set")),
        ],
        check=True,
        text=True,
        capture_output=True,
        cwd=repository / "USGanSim",
    )
    more_mb, frames_out = map(float, run.stdout.split())
    assert frames_out == count
    assert more_mb < 100, f"{count * width_px * height_px / 1e6:.0f} MB of frames"
