"""The crop around the ultrasound, on made images with a known fan, and on real recordings with known contents."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from USGanSimLib.errors import UserError
from USGanSimLib.geometry.image_geometry import Crop, ImageGeometry
from USGanSimLib.recording.cropping import MARGIN_SHARE, grown_to_aspect, pixel_extremes
from USGanSimLib.recording.prepare import PrepareOptions, choose_crop, found_field
from USGanSimLib.recording.sequence_file import read_sweep
from USGanSimLib.recording.sweep import TrackedSweep

WIDTH_PX, HEIGHT_PX, FRAMES = 400, 300, 30
FAN = Crop(90, 40, 220, 230)


def sweep_of(frames: np.ndarray) -> TrackedSweep:
    return TrackedSweep(frames, np.arange(len(frames)) / 10, {}, np.ones(len(frames), bool))


def area_of(sweep: TrackedSweep) -> Crop:
    geometry = ImageGeometry(sweep.width_px, sweep.height_px, np.eye(4))
    options = PrepareOptions(crop="tight")
    return choose_crop(found_field([sweep], options, geometry), options, geometry)


def found_in(frames: np.ndarray) -> Crop:
    return area_of(sweep_of(frames))


def fan_frames(black: int = 0) -> np.ndarray:
    """Speckle that changes from frame to frame inside a half disk whose bounding box is FAN."""
    random = np.random.default_rng(5)
    v, u = np.mgrid[:HEIGHT_PX, :WIDTH_PX]
    middle_x, middle_y = FAN.x_px + (FAN.width_px - 1) / 2, FAN.y_px - 0.5
    inside = (((u - middle_x) / (FAN.width_px / 2)) ** 2 + ((v - middle_y) / FAN.height_px) ** 2 <= 1) & (
        v >= FAN.y_px
    )
    frames = np.full((FRAMES, HEIGHT_PX, WIDTH_PX), black, np.uint8)
    frames[:, inside] = random.integers(black + 20, 256, (FRAMES, int(inside.sum())), dtype=np.uint8)
    return frames


def add_text(frames: np.ndarray) -> None:
    frames[:, 5:17, 5:120] = 200


def add_ruler(frames: np.ndarray) -> None:
    frames[:, 40:270:10, 380:388] = 255


def add_running_clock(frames: np.ndarray) -> None:
    frames[:, 280:290, 360:390] = np.random.default_rng(6).integers(0, 256, (FRAMES, 10, 30))


def add_grabber_noise(frames: np.ndarray) -> None:
    noisy = frames.astype(int) + np.random.default_rng(7).integers(-2, 3, frames.shape)
    frames[:] = noisy.clip(0, 255)


def add_saturated_near_field(frames: np.ndarray) -> None:
    frames[:, FAN.y_px : FAN.y_px + 12, FAN.x_px + 4 : FAN.x_px + FAN.width_px - 4] = 255


@pytest.mark.parametrize(
    "change",
    [
        lambda frames: None,
        add_text,
        add_ruler,
        add_running_clock,
        add_grabber_noise,
        add_saturated_near_field,
    ],
)
@pytest.mark.parametrize("black", [0, 16])
def test_the_fan_is_found_and_what_surrounds_it_is_not(
    change: Callable[[np.ndarray], None], black: int
) -> None:
    frames = fan_frames(black)
    change(frames)
    found = found_in(frames)
    assert (found.x_px, found.width_px) == (FAN.x_px, FAN.width_px)
    # The fan's tip is one pixel wide; a row more or less there is no fault.
    assert abs(found.y_px - FAN.y_px) <= 1
    assert abs(found.y_px + found.height_px - FAN.y_px - FAN.height_px) <= 1


def test_dots_on_black_are_all_inside_though_most_pixels_never_light_up() -> None:
    frames = np.zeros((FRAMES, HEIGHT_PX, WIDTH_PX), np.uint8)
    for index in range(FRAMES):
        for x, y in [(60, 50), (200, 60), (330, 55), (70, 240), (310, 250)]:
            frames[index, y + index % 7 : y + 6 + index % 7, x + index % 5 : x + 8 + index % 5] = 180
    assert (frames == 0).mean() > 0.985
    # Dots reach from their first column and row to 8 + 4 columns and 6 + 6 rows further on.
    assert found_in(frames) == Crop(60, 50, 330 + 12 - 60, 250 + 12 - 50)


def test_a_recording_at_rest_is_cropped_to_what_is_not_background() -> None:
    frames = fan_frames()
    assert found_in(np.repeat(frames[:1], 5, axis=0)).width_px == FAN.width_px


def test_an_image_that_is_all_ultrasound_is_kept_whole() -> None:
    frames = np.random.default_rng(8).integers(0, 256, (10, 60, 80), dtype=np.uint8)
    assert found_in(frames) == Crop(0, 0, 80, 60)


@pytest.mark.parametrize("level", [0, 16, 255])
def test_one_grey_level_is_refused(level: int) -> None:
    with pytest.raises(UserError, match="show nothing"):
        found_in(np.full((4, 30, 40), level, np.uint8))


def test_invalid_images_are_not_looked_at() -> None:
    frames = fan_frames()
    frames[3] = np.random.default_rng(9).integers(0, 256, frames[3].shape)
    valid = np.arange(FRAMES) != 3
    sweep = TrackedSweep(frames, np.arange(FRAMES) / 10, {}, valid)
    assert area_of(sweep).width_px == FAN.width_px


def test_a_long_recording_is_looked_at_in_evenly_spread_frames() -> None:
    frames = np.zeros((100, 2, 3), np.uint8)
    frames[:, 0, 0] = np.arange(100)
    darkest, brightest = pixel_extremes([sweep_of(frames[10:])], most_frames=4)
    assert (darkest[0, 0], brightest[0, 0]) == (10, 99)


@pytest.mark.parametrize(
    ("mm_per_px", "expected_mm_per_px"), [((0.1, 0.1), 100 * 1.06 / 120), ((0.1, 0.05), None)]
)
def test_the_grown_crop_has_square_pixels_and_room_around_the_box(
    mm_per_px: tuple[float, float], expected_mm_per_px: float | None
) -> None:
    box = Crop(400, 300, 60, 100)
    crop = grown_to_aspect(box, (1000, 800), mm_per_px, (160, 120))
    x_mm, y_mm = crop.width_px * mm_per_px[0] / 160, crop.height_px * mm_per_px[1] / 120
    assert x_mm == pytest.approx(y_mm, rel=0.02)
    assert crop.width_px >= box.width_px * (1 + 2 * MARGIN_SHARE) - 1
    assert crop.height_px >= box.height_px * (1 + 2 * MARGIN_SHARE) - 1
    assert crop.x_px + crop.width_px / 2 == pytest.approx(430, abs=1)
    assert crop.y_px + crop.height_px / 2 == pytest.approx(350, abs=1)
    if expected_mm_per_px:
        assert y_mm == pytest.approx(expected_mm_per_px * 0.1, rel=0.01)


def test_a_box_at_the_border_grows_inwards() -> None:
    crop = grown_to_aspect(Crop(0, 100, 50, 300), (820, 616), (0.1, 0.1), (160, 120))
    assert crop.x_px == 0
    assert crop.width_px == pytest.approx(300 * 1.06 * 4 / 3, abs=1)


def test_pixels_stay_oblong_where_the_image_is_too_small() -> None:
    assert grown_to_aspect(Crop(10, 0, 90, 200), (100, 200), (0.1, 0.1), (160, 120)) == Crop(0, 0, 100, 200)


def test_every_wire_of_the_water_tank_is_inside_the_crop(plus_data: Path) -> None:
    name = "fCal_Test_Calibration_3NWires_fCal2.0"
    found = area_of(read_sweep(plus_data / f"{name}.igs.mha"))
    root = ElementTree.parse(plus_data / f"{name}.results.xml").getroot()
    wires = np.array(
        [
            point.get("Position", "").split()[:2]
            for points in root.iterfind(".//Frame/SegmentedPoints")
            for point in points
        ],
        float,
    )
    assert len(wires) == 184 * 9
    first = np.array([found.x_px, found.y_px])
    last = first + np.array([found.width_px - 1, found.height_px - 1])
    assert ((wires >= first + 3) & (wires <= last - 3)).all()
    assert found.width_px * found.height_px < 0.5 * 820 * 616


def test_the_sector_of_the_spine_is_found_to_the_pixel(plus_data: Path) -> None:
    sweep = read_sweep(plus_data / "SpinePhantomFreehand.igs.mha")
    found = area_of(sweep)
    # Outside of the sector this recording is exactly 0, inside hardly any pixel is 0 in all frames.
    lit = sweep.frames.max(axis=0) > 0
    columns, rows = np.flatnonzero(lit.mean(axis=0) > 0.5), np.flatnonzero(lit.mean(axis=1) > 0.25)
    assert abs(found.x_px - columns[0]) <= 1
    assert abs(found.x_px + found.width_px - 1 - columns[-1]) <= 1
    assert abs(found.y_px - rows[0]) <= 1
    assert abs(found.y_px + found.height_px - 1 - rows[-1]) <= 1
