"""recording/field: fans, trapezoids and rectangles of known numbers are found in speckle, whatever is laid over it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from USGanSimLib.errors import UserError
from USGanSimLib.geometry.field_of_view import FieldOfView
from USGanSimLib.recording.field.by_hand import field_by_hand
from USGanSimLib.recording.field.find import find_field, spread_frames
from USGanSimLib.recording.sequence_file import read_sweep

SIZE_PX = (200, 150)
FRAMES = 24
TRUTHS = {
    "curvilinear": FieldOfView.fan(SIZE_PX, (99.0, -20.0), (36.0, 150.0), (-38.0, 38.0)),
    "phased array": FieldOfView.fan(SIZE_PX, (101.0, 6.0), (0.0, 132.0), (-41.0, 41.0)),
    "steered to one side": FieldOfView.fan(SIZE_PX, (70.0, -30.0), (40.0, 165.0), (-20.0, 38.0)),
    "cut off by the image": FieldOfView.fan(SIZE_PX, (100.0, -60.0), (75.0, 230.0), (-44.0, 44.0)),
    "oblong pixels": FieldOfView.fan(SIZE_PX, (99.0, -14.0), (30.0, 120.0), (-36.0, 36.0), aspect=0.8),
    "trapezoid": FieldOfView.trapezoid(SIZE_PX, ((70.0, 8.5), (130.0, 8.5), (170.0, 140.5), (30.0, 140.5))),
    "rectangle": FieldOfView.trapezoid(SIZE_PX, ((30.5, 10.5), (150.5, 10.5), (150.5, 139.5), (30.5, 139.5))),
}


def speckled(truth: FieldOfView, dark: np.ndarray | None = None) -> np.ndarray:
    """Frames of fully developed speckle inside a field, black around it; where `dark` is true next to nothing."""
    rng = np.random.default_rng(0)
    inside, frames = truth.mask(), []
    for _ in range(FRAMES):
        echoes = rng.normal(size=(2, *inside.shape))
        power = sum(ndimage.gaussian_filter(part, 1.0) ** 2 for part in echoes)
        grey = np.clip(110 + 20 * np.log(power / power.mean()), 0, 255)
        if dark is not None:
            grey = np.where(dark, 0.02 * grey, grey)
        frames.append(np.where(inside, grey, 0).astype(np.uint8))
    return np.stack(frames)


def with_noise(frames: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, 3, frames.shape)
    return np.clip(np.rint(frames + noise), 0, 255).astype(np.uint8)


def with_letters(frames: np.ndarray) -> np.ndarray:
    written = frames.copy()
    for column in (4, 12, 20):
        written[:, 4:12, column : column + 5] = 220
        written[:, 136:144, column : column + 5] = 220
    return written


SPOILED = {
    "clean": lambda frames: frames,
    "noise of SD 3": with_noise,
    "black level 20": lambda frames: np.minimum(frames.astype(int) + 20, 255).astype(np.uint8),
    "letters": with_letters,
}


def corner_error_px(found: FieldOfView, truth: FieldOfView) -> float:
    return float(np.linalg.norm(np.subtract(found.corners_px, truth.corners_px), axis=1).max())


def require_agreement(found: FieldOfView, truth: FieldOfView) -> None:
    inside, true = found.mask(), truth.mask()
    assert (inside & true).sum() >= 0.99 * true.sum()
    assert (inside & ~true).sum() <= 0.01 * true.sum()


@pytest.mark.parametrize("spoiled", SPOILED)
@pytest.mark.parametrize("name", TRUTHS)
def test_a_field_of_known_numbers_is_found_within_two_pixels(name: str, spoiled: str) -> None:
    truth = TRUTHS[name]
    found = find_field(SPOILED[spoiled](speckled(truth)), truth.aspect)
    assert found.shape == ("rectangle" if name == "rectangle" else truth.shape)
    assert found.certain, found.verdict
    # Where the image cuts a fan off, its far corners are nowhere to be seen.
    seen = 2 if name == "cut off by the image" else 4
    offsets = np.subtract(found.corners_px, truth.corners_px)[:seen]
    assert np.linalg.norm(offsets, axis=1).max() <= 2
    require_agreement(found, truth)


def test_dark_tissue_at_depth_and_contact_lost_at_one_side_do_not_cut_the_fan() -> None:
    truth = TRUTHS["curvilinear"]
    v, u = np.indices((SIZE_PX[1], SIZE_PX[0]))
    dark = (np.hypot(u - 110, v - 95) < 28) | ((u < 62) & (v > 60) & (v < 100))
    found = find_field(speckled(truth, dark), 1.0)
    assert corner_error_px(found, truth) <= 2
    require_agreement(found, truth)


def test_a_near_field_that_is_saturated_and_stands_still_belongs_to_the_field() -> None:
    truth = TRUTHS["rectangle"]
    frames = speckled(truth)
    frames[:, 11:22, 31:151] = 255
    assert corner_error_px(find_field(frames), truth) <= 2


def test_a_running_clock_beside_the_ultrasound_is_not_in_it() -> None:
    truth = TRUTHS["rectangle"]
    frames = speckled(truth)
    frames[:, 60:66, 175:187] = np.random.default_rng(2).integers(0, 2, (FRAMES, 6, 12)) * 200
    assert corner_error_px(find_field(frames), truth) <= 2


def test_dots_on_black_draw_no_border_and_the_whole_image_is_taken() -> None:
    frames = np.zeros((FRAMES, 150, 200), np.uint8)
    for number in range(FRAMES):
        frames[number, 40 + number : 44 + number, 60:64] = 200
        frames[number, 100:103, 120 + number : 123 + number] = 200
    found = find_field(frames)
    assert found.shape == "whole"
    assert not found.certain
    assert "No telling" in found.verdict
    assert found.mask().all()


def test_an_image_full_of_ultrasound_is_taken_whole_and_for_certain() -> None:
    found = find_field(speckled(FieldOfView.whole(SIZE_PX)))
    assert (found.shape, found.certain) == ("whole", True)


def test_a_single_frame_is_answered_with_a_doubt() -> None:
    truth = TRUTHS["rectangle"]
    found = find_field(speckled(truth)[:1])
    assert corner_error_px(found, truth) <= 2
    assert not found.certain
    assert "nothing changes" in found.verdict


def test_black_frames_are_taken_whole_and_no_frame_at_all_is_refused() -> None:
    assert find_field(np.zeros((3, 20, 30), np.uint8)).shape == "whole"
    with pytest.raises(ValueError, match="no frame"):
        find_field([])


def test_frames_to_look_at_are_evenly_spread_over_the_valid_ones() -> None:
    frames = np.arange(1000, dtype=np.uint16)[:, None, None].astype(np.uint8)
    chosen = list(spread_frames(frames, np.array([3, 7, 11])))
    assert [int(frame[0, 0]) for frame in chosen] == [3, 7, 11]
    assert len(list(spread_frames(frames, np.arange(1000)))) == 200


def test_the_liver_sweep_has_the_fan_that_its_file_tells(plus_data: Path) -> None:
    """Apex, angle and face are those of the file's own geometry, halved with its pixels. Its image goes on for some
    rows below the depth that is told there, so the lower corners are held by the pixels that change."""
    path = plus_data.parent / "more" / "liver_sweep.igs.mha"
    if not path.is_file():
        pytest.skip(f"{path.name} is not beside the PLUS recordings")
    sweep = read_sweep(path)
    found = find_field(spread_frames(sweep.frames, np.flatnonzero(sweep.image_valid)))
    told = FieldOfView.fan((369, 296), (184.25, -69.75), (80.65, 362.15), (-30.28, 30.28))
    assert found.shape == "fan"
    assert np.linalg.norm(np.subtract(found.corners_px[:2], told.corners_px[:2]), axis=1).max() <= 2
    assert (found.mask() & told.mask()).sum() >= 0.99 * told.mask().sum()
    # The lower border, and both sides, against the outermost pixels that ever change.
    changing = sweep.frames.std(axis=0) > 1
    for column in (60, 100, 260, 310):
        assert abs(np.flatnonzero(changing[:, column])[-1] - np.flatnonzero(found.mask()[:, column])[-1]) <= 2
    for row in (60, 120, 180, 240):
        assert abs(np.flatnonzero(changing[row])[-1] - np.flatnonzero(found.mask()[row])[-1]) <= 2


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("SpinePhantomFreehand", "rectangle"),
        ("BoneUltrasound_L14", "rectangle"),
        ("fCal_Test_Calibration_3NWires_fCal2.0", "whole"),
    ],
)
def test_recordings_of_tissue_have_a_field_and_wires_in_water_none(
    plus_data: Path, name: str, shape: str
) -> None:
    sweep = read_sweep(plus_data / f"{name}.igs.mha")
    found = find_field(spread_frames(sweep.frames, np.flatnonzero(sweep.image_valid)))
    assert found.shape == shape
    if shape == "rectangle":
        ever = sweep.frames.max(axis=0) > 0
        assert (ever & found.mask()).sum() >= 0.99 * ever.sum()
        assert found.certain


@pytest.mark.parametrize(
    ("text", "corners"),
    [
        ("rectangle:20,10,120,130", [(19.5, 9.5), (139.5, 9.5), (139.5, 139.5), (19.5, 139.5)]),
        ("trapezoid:60,5,140,5,190,140,10,140", [(60, 5), (140, 5), (190, 140), (10, 140)]),
        ("fan:100,-20,40,150,-30,30", [(80, 14.64), (120, 14.64), (175, 109.9), (25, 109.9)]),
        ("whole", [(-0.5, -0.5), (199.5, -0.5), (199.5, 149.5), (-0.5, 149.5)]),
    ],
)
def test_a_field_can_be_given_by_hand(text: str, corners: list[tuple[float, float]]) -> None:
    assert np.allclose(field_by_hand(text, (200, 150), 1.0).corners_px, corners, atol=0.01)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "circle:1,2,3",
        "fan:1,2,3",
        "rectangle:1,2,x,4",
        "rectangle:0,0,999,10",
        "rectangle:0.5,0,9,9",
        "fan:0,0,9,5,1,2",
    ],
)
def test_what_is_no_field_by_hand_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(UserError):
        field_by_hand(text, (200, 150), 1.0)
