"""Recordings of images and tables, and back: pixels, times and poses come through as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from USGanSimLib.errors import UserError
from USGanSimLib.recording.exchange.bringing import BringOptions, Images, bring
from USGanSimLib.recording.exchange.handing_out import POSES, hand_out_recording
from USGanSimLib.recording.exchange.image_folder import frames, image_files, read_image
from USGanSimLib.recording.exchange.matching import matched, way_of
from USGanSimLib.recording.exchange.pose_table import PoseTable, read_pose_table
from USGanSimLib.recording.sequence_file import read_sweep

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 6, 9), np.uint8)


def poses(count: int, stretched: tuple[float, float, float] = (1, 1, 1)) -> np.ndarray:
    matrices = np.tile(np.eye(4), (count, 1, 1))
    matrices[:, :3, :3] = Rotation.random(count, rng=np.random.default_rng(4)).as_matrix() * stretched
    matrices[:, :3, 3] = np.random.default_rng(5).normal(0, 50, (count, 3))
    return matrices


def a_table(
    count: int = 4, matrices=None, files=None, frame_numbers=None, times_s=None, valid=None
) -> PoseTable:
    return PoseTable(
        poses(count) if matrices is None else matrices,
        np.ones(count, bool) if valid is None else valid,
        files,
        frame_numbers,
        None if times_s is None else np.array(times_s),
    )


def in_order() -> Images:
    return Images(PIXELS, 4)


def test_poses_in_the_order_of_the_images_become_their_frames(tmp_path: Path) -> None:
    done = bring(in_order(), a_table(), tmp_path / "x.igs.mha", BringOptions("ProbeToTracker", rate_hz=20))
    sweep = read_sweep(tmp_path / "x.igs.mha")
    assert (done.frames, done.with_pose, done.matched_by, done.image_to_probe) == (4, 4, "order", None)
    assert np.array_equal(sweep.frames, PIXELS)
    assert sweep.timestamps_s.tolist() == [0, 0.05, 0.1, 0.15]
    assert np.array_equal(sweep.transforms["ProbeToTracker"].matrices, poses(4))


@pytest.mark.parametrize(("orientation", "flips"), [("MN", (-1, 1)), ("UF", (1, -1)), ("UN", (-1, -1))])
def test_images_are_turned_to_mf(tmp_path: Path, orientation: str, flips: tuple[int, int]) -> None:
    options = BringOptions("ProbeToReference", orientation, rate_hz=20)
    bring(in_order(), a_table(), tmp_path / "x.igs.mha", options)
    assert np.array_equal(read_sweep(tmp_path / "x.igs.mha").frames, PIXELS[:, :: flips[0], :: flips[1]])


def test_images_without_a_row_stay_invalid_and_lie_between_their_neighbours_in_time(tmp_path: Path) -> None:
    images = Images(PIXELS, 4, ["a.png", "b.png", "c.png", "d.png"])
    table = a_table(3, files=("D", "sub/a.jpg", "c"), times_s=[9.0, 3.0, 7.0])
    done = bring(images, table, tmp_path / "x.igs.mha", BringOptions("ProbeToReference"))
    track = read_sweep(tmp_path / "x.igs.mha").transforms["ProbeToReference"]
    assert (done.with_pose, done.matched_by) == (3, "name")
    assert track.valid.tolist() == [True, False, True, True]
    assert np.array_equal(track.matrices[[0, 2, 3]], poses(3)[[1, 2, 0]])
    assert read_sweep(tmp_path / "x.igs.mha").timestamps_s.tolist() == [3, 5, 7, 9]


def test_the_nearest_pose_in_time_is_taken_where_it_is_near_enough() -> None:
    table = a_table(4, times_s=[10.0, 0.0, 0.1, 0.2])
    rows = matched(table, 4, None, np.array([0.01, 0.08, 0.16, 5.0]), "time", 0.05)
    assert rows.tolist() == [1, 2, 3, -1]
    assert matched(a_table(1, times_s=[1.0]), 2, None, np.array([1.01, 2]), "time", 0.05).tolist() == [0, -1]


def test_frame_numbers_count_the_images_from_zero() -> None:
    assert matched(a_table(2, frame_numbers=(3, 1)), 4, None, None, "frame", 0).tolist() == [-1, 1, -1, 0]


def test_the_surest_way_that_both_sides_allow_is_taken() -> None:
    full = a_table(1, files=("a",), frame_numbers=(0,), times_s=[0.0])
    assert way_of(full, ["a"], None) == "name"
    assert way_of(full, None, np.zeros(1)) == "frame"
    assert way_of(a_table(1, times_s=[0.0]), ["a"], np.zeros(1)) == "time"
    assert way_of(a_table(1, times_s=[0.0]), ["a"], None) == "order"


@pytest.mark.parametrize(
    ("table", "way", "said"),
    [
        (a_table(3), "order", "4 images and 3 poses"),
        (a_table(2, files=("a", "A.png")), "name", "two rows for a"),
        (a_table(1, files=("z",)), "name", "None of 4 images has a pose in the table, by name"),
        (a_table(4), "frame", "There is no column frame to match by"),
        (a_table(4), "time", "There is no column time_s"),
    ],
)
def test_what_does_not_match_is_refused_in_words(table: PoseTable, way: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        matched(table, 4, ["a", "b", "c", "d"], None, way, 0.1)


@pytest.mark.parametrize(("origin", "zero_px"), [("corner", (0, 0)), ("middle", (4, 2.5)), ("top", (4, 0))])
def test_poses_of_the_image_in_pixels_give_the_calibration_and_chain_to_the_same_places(
    tmp_path: Path, origin: str, zero_px: tuple[float, float]
) -> None:
    matrices = poses(4, (0.3, 0.2, 1.0))
    options = BringOptions("ImageToReference", rate_hz=10, origin=origin)
    done = bring(in_order(), a_table(matrices=matrices), tmp_path / "x.igs.mha", options)
    assert done.image_to_probe is not None
    rigid = read_sweep(tmp_path / "x.igs.mha").transforms["ProbeToReference"].matrices
    pixel = np.array([7.0, 3.0, 0.0, 1.0])
    from_zero = pixel - (*zero_px, 0, 0)
    np.testing.assert_allclose(rigid @ done.image_to_probe @ pixel, matrices @ from_zero, atol=1e-9)


def test_poses_of_the_image_in_millimetres_need_the_size_of_a_pixel(tmp_path: Path) -> None:
    options = BringOptions("ImageToReference", rate_hz=10)
    with pytest.raises(UserError, match="so they take millimetres. Give --mm-per-px"):
        bring(in_order(), a_table(), tmp_path / "x.igs.mha", options)
    done = bring(
        in_order(),
        a_table(),
        tmp_path / "x.igs.mha",
        BringOptions("ImageToReference", rate_hz=10, mm_per_px=(0.5, 0.4)),
    )
    np.testing.assert_allclose(done.image_to_probe, np.diag([0.5, 0.4, 1, 1]))


def test_nothing_is_written_of_poses_that_are_none(tmp_path: Path) -> None:
    for options, said in (
        (BringOptions("ProbeToReference", rate_hz=10), "not a rigid transform"),
        (BringOptions("ProbeToReference"), "when an image was taken. Give --rate"),
    ):
        with pytest.raises(UserError, match=said):
            bring(in_order(), a_table(matrices=2 * poses(4)), tmp_path / "x.igs.mha", options)
    assert list(tmp_path.iterdir()) == []


def test_a_recording_comes_back_from_its_images_and_table_bit_for_bit(tmp_path: Path) -> None:
    valid = np.array([True, False, True, True])
    bring(
        in_order(),
        a_table(valid=valid),
        tmp_path / "x.igs.mha",
        BringOptions("ProbeToReference", rate_hz=17.3),
    )
    sweep = read_sweep(tmp_path / "x.igs.mha")
    assert list(
        hand_out_recording(sweep, "ProbeToReference", sweep.transforms["ProbeToReference"], tmp_path / "out")
    )
    files = image_files(tmp_path / "out")
    table = read_pose_table(tmp_path / "out" / POSES)
    bring(
        Images(frames(files), len(files), [file.name for file in files]),
        table,
        tmp_path / "y.igs.mha",
        BringOptions("ProbeToReference"),
    )
    again = read_sweep(tmp_path / "y.igs.mha")
    assert np.array_equal(again.frames, sweep.frames)
    assert np.array_equal(again.timestamps_s, sweep.timestamps_s)
    assert np.array_equal(again.transforms["ProbeToReference"].valid, valid)
    assert np.array_equal(
        again.transforms["ProbeToReference"].matrices[valid],
        sweep.transforms["ProbeToReference"].matrices[valid],
    )


def test_images_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("b10.png", "b9.png", "a.tif", "notes.txt", ".b1.png"):
        Image.fromarray(PIXELS[0]).save(tmp_path / name, format="TIFF" if name.endswith("tif") else "PNG")
    assert [path.name for path in image_files(tmp_path)] == ["a.tif", "b9.png", "b10.png"]


def test_colours_become_their_luminance(tmp_path: Path) -> None:
    colours = np.random.default_rng(1).integers(0, 256, (5, 7, 3), np.uint8)
    Image.fromarray(colours).save(tmp_path / "c.png")
    expected = colours @ np.array([0.299, 0.587, 0.114])
    assert np.abs(read_image(tmp_path / "c.png") - expected).max() <= 1


def test_images_of_another_size_type_or_none_at_all_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no image"):
        image_files(tmp_path)
    Image.fromarray(PIXELS[0]).save(tmp_path / "a.png")
    Image.fromarray(PIXELS[0][:, :5]).save(tmp_path / "b.png")
    with pytest.raises(UserError, match=r"b\.png has 5×6 pixels, a\.png has 9×6"):
        list(frames(image_files(tmp_path)))
    Image.fromarray(PIXELS[0].astype(np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(UserError, match="not of 8 bits"):
        read_image(tmp_path / "deep.png")
    (tmp_path / "torn.png").write_bytes((tmp_path / "a.png").read_bytes()[:40])
    with pytest.raises(UserError, match=r"torn\.png cannot be read"):
        read_image(tmp_path / "torn.png")
