"""`simulate`: a recording's poses with simulated images, frame for frame."""

from __future__ import annotations

import copy
import dataclasses
import json

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from USGanSimLib.cli import main
from USGanSimLib.errors import UserError
from USGanSimLib.geometry.image_geometry import Crop, ImageGeometry
from USGanSimLib.geometry.pose_distance import PoseRange
from USGanSimLib.geometry.transforms import TransformTrack
from USGanSimLib.ml.benchmark import untrained_model
from USGanSimLib.ml.model_file import save_model
from USGanSimLib.ml.renderer import ModelRenderer
from USGanSimLib.model.recipes import choose_recipe
from USGanSimLib.recording.calibration_file import read_calibration
from USGanSimLib.recording.sequence_file import read_sweep, write_sweep
from USGanSimLib.recording.sweep import TrackedSweep

WIDTH_PX, HEIGHT_PX = 40, 32
SOURCE_PX = (80, 64)
CALIBRATION = np.array([[0.25, 0, 0, -10], [0, 0.5, 0, 4], [0, 0, 1, 2], [0, 0, 0, 1.0]])
INVALID_FRAMES = [2, 5]
FAR_FRAME = 6
COUNT = 8


def poses(count, seed):
    rng = np.random.default_rng(seed)
    result = np.tile(np.eye(4), (count, 1, 1))
    result[:, :3, :3] = Rotation.from_rotvec(rng.normal(0, 0.1, (count, 3))).as_matrix()
    result[:, :3, 3] = rng.uniform(-5, 5, (count, 3))
    return result


@pytest.fixture
def sweep():
    """Eight frames; the probe is lost in frame 2, the reference in frame 5, and frame 6 is half a metre away."""
    probe, reference = poses(COUNT, 1), poses(COUNT, 2)
    probe[FAR_FRAME, 0, 3] += 500
    seen = np.ones((2, COUNT), bool)
    seen[[0, 1], INVALID_FRAMES] = False
    frames = np.random.default_rng(0).integers(0, 255, (COUNT, SOURCE_PX[1], SOURCE_PX[0]), np.uint8)
    return TrackedSweep(
        frames,
        3.0 + 0.1 * np.arange(COUNT),
        {
            "ProbeToTracker": TransformTrack(probe, seen[0]),
            "ReferenceToTracker": TransformTrack(reference, seen[1]),
            "ImageToProbe": TransformTrack(np.tile(CALIBRATION, (COUNT, 1, 1)), np.ones(COUNT, bool)),
        },
        np.ones(COUNT, bool),
        "sweep",
        {"FrameNumber": tuple(str(40 + k) for k in range(COUNT))},
        {"Note": "a phantom"},
    )


@pytest.fixture
def recording(sweep, tmp_path):
    path = tmp_path / "recording.igs.mha"
    write_sweep(path, sweep)
    return path


@pytest.fixture
def model(sweep, tmp_path):
    """A model of the sweep's probe: half its resolution, trained on poses like its own."""
    generator, info = untrained_model(choose_recipe("paper", generator_channels=32), WIDTH_PX, HEIGHT_PX)
    crop = Crop(0, 0, *SOURCE_PX)
    geometry = ImageGeometry(*SOURCE_PX, CALIBRATION).resized(crop, WIDTH_PX, HEIGHT_PX)
    known = poses(64, 3) @ geometry.image_to_probe
    info = dataclasses.replace(
        info,
        geometry=geometry,
        source_size_px=SOURCE_PX,
        crop=crop,
        pose_range=PoseRange(WIDTH_PX, HEIGHT_PX, known, 20.0),
    )
    path = tmp_path / "model.safetensors"
    save_model(path, generator.state_dict(), info)
    return path


@pytest.fixture
def simulate(model, recording, tmp_path, capsys):
    """A function that simulates the recording; its result and the path of what was written."""

    def simulate(*words, out="out.igs.mha", poses_from=recording):
        path = tmp_path / out
        code = main(
            [
                "simulate",
                str(model),
                "--poses",
                str(poses_from),
                "--out",
                str(path),
                "--threads",
                "1",
                "--device",
                "cpu",
                "--json",
                *map(str, words),
            ]
        )
        said = capsys.readouterr()
        return (json.loads(said.out) if code == 0 else (code, said.err)), path

    return simulate


def refused(result):
    """The one line of a refusal."""
    code, error = result[0]
    lines = [line for line in error.strip().splitlines() if "Not for clinical use" not in line]
    assert code == 2
    assert len(lines) == 1
    return lines[0]


def test_frames_stamps_transforms_and_fields_are_the_recordings(simulate, sweep):
    result, path = simulate()
    written = read_sweep(path)
    assert (result["frames"], result["images"], result["samples"]) == (COUNT, COUNT, 1)
    assert np.array_equal(written.timestamps_s, sweep.timestamps_s)
    assert set(written.transforms) == set(sweep.transforms)
    for name in ("ProbeToTracker", "ReferenceToTracker"):
        assert np.array_equal(written.transforms[name].valid, sweep.transforms[name].valid)
        assert np.array_equal(written.transforms[name].matrices, sweep.transforms[name].matrices)
    assert written.frame_fields == sweep.frame_fields
    assert written.header["Note"] == "a phantom"
    assert "Not for clinical use." in written.header["IntendedUse"]


def test_image_to_probe_is_that_of_the_simulated_pixels(simulate):
    written = read_sweep(simulate()[1])
    assert (written.width_px, written.height_px) == (WIDTH_PX, HEIGHT_PX)
    track = written.transforms["ImageToProbe"]
    assert track.valid.all()
    # The first simulated pixel covers the first 2 × 2 of the recording: its centre is at (0.5, 0.5) of these.
    first = CALIBRATION @ [0.5, 0.5, 0, 1]
    for matrix in track.matrices:
        np.testing.assert_allclose(matrix @ [0, 0, 0, 1], first, atol=1e-12)
        np.testing.assert_allclose(matrix[:3, :2], 2 * CALIBRATION[:3, :2], atol=1e-12)


def test_transforms_of_the_recordings_own_pixels_are_left_out(simulate, sweep, tmp_path):
    track = TransformTrack(np.tile(np.eye(4), (COUNT, 1, 1)), np.arange(COUNT) > 3)
    path = tmp_path / "more.igs.mha"
    status = tuple(None if k > 3 else "OUT_OF_VIEW" for k in range(COUNT))
    write_sweep(
        path,
        dataclasses.replace(
            sweep,
            transforms={**sweep.transforms, "ImageToStylus": track},
            frame_fields={"ImageToStylusTransformStatus": status},
        ),
    )
    written = read_sweep(simulate(poses_from=path)[1])
    assert set(written.transforms) == {"ProbeToTracker", "ReferenceToTracker", "ImageToProbe"}
    assert not written.frame_fields


def test_images_are_the_networks_at_the_recorded_poses(simulate, sweep, model):
    _, path = simulate("--seed", 4)
    written, renderer = read_sweep(path), ModelRenderer.load(model, "cpu", threads=1)
    generator, info = untrained_model(choose_recipe("paper", generator_channels=32), WIDTH_PX, HEIGHT_PX)
    renderer.resample(4)
    for k in set(range(COUNT)) - set(INVALID_FRAMES):
        pose = (
            np.linalg.inv(sweep.transforms["ReferenceToTracker"].matrices[k])
            @ sweep.transforms["ProbeToTracker"].matrices[k]
            @ renderer.image_to_probe
        )
        affine = torch.from_numpy(info.normalisation.fold(pose[:3, [0, 1, 3]]))[None]
        with torch.no_grad():
            exact = copy.deepcopy(generator).double()(torch.from_numpy(renderer.noise).double()[None], affine)
        difference = written.frames[k] - np.rint((exact[0, 0].numpy() + 1) * 127.5)
        assert np.abs(difference).max() <= 1
    assert written.image_valid.sum() == COUNT - 2


def test_frames_without_a_valid_pose_are_black_and_marked_invalid(simulate):
    result, path = simulate("--samples", 2)
    written = read_sweep(path)
    black = [2 * k + sample for k in INVALID_FRAMES for sample in (0, 1)]
    assert np.flatnonzero(~written.image_valid).tolist() == black
    assert not written.frames[black].any()
    assert result["invalid_poses"] == 2


def test_poses_outside_the_trained_range_are_counted_and_drawn(simulate):
    result, path = simulate()
    assert result["out_of_range"] == 1
    assert read_sweep(path).frames[FAR_FRAME].any()


def test_samples_of_a_pose_follow_each_other_with_their_number_and_its_stamp(simulate, sweep):
    result, path = simulate("--samples", 3)
    written = read_sweep(path)
    assert result["images"] == len(written) == 3 * COUNT
    assert np.array_equal(written.timestamps_s, np.repeat(sweep.timestamps_s, 3))
    assert written.frame_fields["SampleIndex"] == ("0", "1", "2") * COUNT
    assert written.frame_fields["FrameNumber"] == tuple(str(40 + k // 3) for k in range(3 * COUNT))
    assert not np.array_equal(written.frames[0], written.frames[1])
    single = read_sweep(simulate(out="single.igs.mha")[1])
    assert np.abs(written.frames[::3].astype(int) - single.frames).max() <= 1


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others(simulate):
    first, again, other = (
        simulate("--seed", seed, out=name)[1].read_bytes()
        for seed, name in ((1, "a.igs.mha"), (1, "b.igs.mha"), (2, "c.igs.mha"))
    )
    assert first == again
    assert first != other


def test_chosen_frames_alone_are_simulated(simulate, sweep):
    result, path = simulate("--frames", "3:7", out="part.igs.nrrd")
    written = read_sweep(path)
    assert result["frames"] == 4
    assert np.array_equal(written.timestamps_s, sweep.timestamps_s[3:7])
    assert np.flatnonzero(~written.image_valid).tolist() == [5 - 3]


@pytest.mark.parametrize("frames", ["7:3", "0:9", "-2:3", "all"])
def test_frames_that_are_not_there_are_refused(simulate, frames):
    assert "--frames" in refused(simulate(f"--frames={frames}"))


def test_a_simulated_recording_can_be_simulated_again(simulate):
    first = simulate()[1]
    second = simulate(poses_from=first, out="again.igs.mha")[1]
    assert np.array_equal(read_sweep(first).frames, read_sweep(second).frames)


def test_the_recording_itself_is_never_overwritten(simulate, recording):
    before = recording.read_bytes()
    assert "is the recording itself" in refused(simulate(out=recording.name))
    assert recording.read_bytes() == before


def test_a_recording_of_another_probe_is_refused_with_the_distance(simulate, sweep, tmp_path):
    shifted = CALIBRATION.copy()
    shifted[0, 3] += 5
    path = tmp_path / "shifted.igs.mha"
    track = TransformTrack(np.tile(shifted, (COUNT, 1, 1)), np.ones(COUNT, bool))
    write_sweep(path, dataclasses.replace(sweep, transforms={**sweep.transforms, "ImageToProbe": track}))
    assert "5.0 mm apart" in refused(simulate(poses_from=path))


def test_a_given_calibration_decides_in_place_of_the_recordings_own(simulate, tmp_path):
    path = tmp_path / "CAL.json"
    path.write_text(json.dumps({"image_to_probe": CALIBRATION.tolist(), "image_size_px": [800, 600]}))
    assert "800×600" in refused(simulate("--calibration", path))
    path.write_text(json.dumps({"image_to_probe": CALIBRATION.tolist(), "image_size_px": list(SOURCE_PX)}))
    assert simulate("--calibration", path)[0]["frames"] == COUNT


def test_a_recording_without_the_transform_is_refused(simulate):
    assert "no coordinate frame 'Needle'" in refused(simulate("--probe-frame", "Needle"))


def test_chosen_frames_without_a_valid_pose_are_refused(simulate):
    assert "valid pose" in refused(simulate("--frames", "2:3"))


def test_a_recording_whose_poses_are_all_invalid_is_refused(simulate, sweep, tmp_path):
    path = tmp_path / "lost.igs.mha"
    lost = TransformTrack(sweep.transforms["ProbeToTracker"].matrices, np.zeros(COUNT, bool))
    write_sweep(path, dataclasses.replace(sweep, transforms={**sweep.transforms, "ProbeToTracker": lost}))
    assert "valid in none of 8 frames" in refused(simulate(poses_from=path))


def test_no_samples_are_refused(simulate):
    assert "--samples: 0 is out" in refused(simulate("--samples", 0))


def test_a_name_of_no_recording_is_refused(simulate):
    assert "not the name of a recording" in refused(simulate(out="out.png"))


def test_a_failure_on_the_way_leaves_nothing(simulate, tmp_path, monkeypatch):
    before = set(tmp_path.iterdir())
    render, calls = ModelRenderer.render, []

    def fails_at_the_third(self, pose):
        calls.append(pose)
        if len(calls) == 3:
            raise UserError("The device is gone.")
        return render(self, pose)

    monkeypatch.setattr(ModelRenderer, "render", fails_at_the_third)
    assert "The device is gone." in refused(simulate())
    assert {path.name for path in tmp_path.iterdir()} == {"model.safetensors", "recording.igs.mha"}
    assert set(tmp_path.iterdir()) >= before


def test_uncertainty_lies_beside_the_images_a_frame_a_pose(simulate, sweep, model, tmp_path):
    result, path = simulate("--uncertainty", 5, "--samples", 2, "--frames", "1:7")
    spread, coverage = (read_sweep(tmp_path / f"out.{kind}.igs.mha") for kind in ("spread", "coverage"))
    assert result["spread"] == str(tmp_path / "out.spread.igs.mha")
    assert result["coverage"] == str(tmp_path / "out.coverage.igs.mha")
    assert (len(read_sweep(path)), result["spread_samples"]) == (12, 5)
    for one in (spread, coverage):
        assert np.array_equal(one.timestamps_s, sweep.timestamps_s[1:7])
        assert np.flatnonzero(~one.image_valid).tolist() == [frame - 1 for frame in INVALID_FRAMES]
        assert not one.frames[~one.image_valid].any()
        assert set(one.transforms) == set(sweep.transforms)
        assert one.frame_fields == {"FrameNumber": tuple(str(40 + k) for k in range(1, 7))}
    assert "0.5 grey levels" in spread.header["PixelMeaning"]
    assert "0.1 mm" in coverage.header["PixelMeaning"]

    renderer = ModelRenderer.load(model, "cpu", threads=1)
    pose = spread.graph().track("Image", "Reference").matrices[0]
    samples = renderer.sample(pose, 5).astype(float)
    assert np.abs(spread.frames[0] / 2 - samples.std(axis=0, ddof=1)).max() <= 0.5
    # The frame that is half a metre away lies outside of everything.
    assert (coverage.frames[FAR_FRAME - 1] == 255).all()
    assert (coverage.frames[0] < 255).any()
    outside = [(coverage.frames[k] == 255).mean() for k in range(6) if coverage.image_valid[k]]
    assert result["outside_swept_share"] == pytest.approx(np.mean(outside))


def test_without_the_word_nothing_lies_beside_the_images(simulate, tmp_path):
    result, path = simulate()
    assert (result["spread"], result["coverage"], result["spread_samples"]) == (None, None, None)
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith("out")] == [path.name]


def test_the_images_are_the_same_with_uncertainty_and_without(simulate):
    plain, beside = simulate(out="a.igs.mha")[1], simulate("--uncertainty", out="b.igs.mha")[1]
    assert plain.read_bytes() == beside.read_bytes()


def test_pixels_in_a_second_file_come_along(simulate, tmp_path):
    simulate("--uncertainty", 2, out="far.igs.mhd")
    names = {one.name for one in tmp_path.iterdir() if one.name.startswith("far")}
    kinds = ("", ".spread", ".coverage")
    assert names == {f"far{kind}.igs.{ending}" for kind in kinds for ending in ("mhd", "zraw")}
    assert len(read_sweep(tmp_path / "far.spread.igs.mhd")) == COUNT


def test_a_failure_on_the_way_leaves_all_three_as_they_were(simulate, tmp_path, monkeypatch):
    simulate("--uncertainty", 2)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    sample, calls = ModelRenderer.sample, []

    def fails_at_the_third(self, pose, n, seed=0):
        calls.append(pose)
        if len(calls) == 3:
            raise UserError("The device is gone.")
        return sample(self, pose, n, seed)

    monkeypatch.setattr(ModelRenderer, "sample", fails_at_the_third)
    assert "The device is gone." in refused(simulate("--uncertainty", 2, "--seed", 3))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_where_one_of_the_three_cannot_be_written_none_is(simulate, tmp_path):
    (tmp_path / "out.spread.igs.mha").mkdir()
    before = set(tmp_path.iterdir()) | {tmp_path / "model.safetensors", tmp_path / "recording.igs.mha"}
    assert "out.spread.igs.mha is a folder" in refused(simulate("--uncertainty", 2))
    assert set(tmp_path.iterdir()) == before


def test_a_recording_with_the_name_of_the_spread_is_never_overwritten(simulate, recording, tmp_path):
    taken = tmp_path / "out.spread.igs.mha"
    recording.rename(taken)
    before = taken.read_bytes()
    assert "is the recording itself" in refused(simulate("--uncertainty", poses_from=taken))
    assert taken.read_bytes() == before
    assert not (tmp_path / "out.igs.mha").exists()


def test_one_sample_has_no_spread_and_is_refused(simulate):
    assert "--uncertainty: 1 is out" in refused(simulate("--uncertainty", 1))


def test_a_real_recording_without_image_to_probe_is_simulated_on_its_calibration(plus_data, tmp_path, capsys):
    spine = plus_data / "SpinePhantomFreehand.igs.mha"
    calibration = plus_data / "PlusDeviceSet_SpinePhantomFreehandReconstructionOnly.xml"
    sweep, crop = read_sweep(spine), Crop(100, 50, 600, 480)
    source = read_calibration(calibration).geometry(sweep.width_px, sweep.height_px, sweep.name)
    geometry = source.resized(crop, WIDTH_PX, HEIGHT_PX)
    known = sweep.probe_to_reference().matrices @ geometry.image_to_probe
    generator, info = untrained_model(choose_recipe("paper", generator_channels=32), WIDTH_PX, HEIGHT_PX)
    info = dataclasses.replace(
        info,
        geometry=geometry,
        source_size_px=(sweep.width_px, sweep.height_px),
        crop=crop,
        pose_range=PoseRange.of_training_poses(known, WIDTH_PX, HEIGHT_PX),
    )
    save_model(tmp_path / "spine.safetensors", generator.state_dict(), info)
    out = tmp_path / "simulated.igs.mha"
    assert (
        main(
            [
                "simulate",
                str(tmp_path / "spine.safetensors"),
                "--poses",
                str(spine),
                "--out",
                str(out),
                "--calibration",
                str(calibration),
                "--threads",
                "1",
                "--device",
                "cpu",
                "--json",
            ]
        )
        == 0
    )
    result = json.loads(capsys.readouterr().out)
    assert (result["frames"], result["invalid_poses"], result["out_of_range"]) == (21, 0, 0)
    written = read_sweep(out)
    # The chain's known answer for frame 0 (PLUS's own program): pixel (410, 308) lies here in Reference.
    pose = written.graph().track("Image", "Reference").matrices[0]
    u, v = (410 - 100 + 0.5) / 15 - 0.5, (308 - 50 + 0.5) / 15 - 0.5
    np.testing.assert_allclose(pose @ [u, v, 0, 1], [-38.805, 207.753, 56.292, 1], atol=0.01)
