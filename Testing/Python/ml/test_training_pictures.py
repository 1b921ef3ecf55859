from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from USGanSimLib.errors import UserError
from USGanSimLib.ml.training.pictures import save_samples
from USGanSimLib.recording.pictures import shown_size


@pytest.mark.parametrize(
    ("mm_per_px", "size"),
    [
        ((0.5, 0.5), (320, 240)),
        ((0.5, 1.0), (320, 480)),
        ((1.0, 0.5), (640, 240)),
    ],
)
def test_millimetres_are_square_and_pixels_at_least_doubled(mm_per_px, size):
    assert shown_size(160, 120, mm_per_px) == size


def test_a_small_image_is_enlarged_enough_to_look_at():
    assert shown_size(40, 30, (0.3, 0.3)) == (320, 240)


def test_each_picture_is_in_its_row_and_column(tmp_path):
    real = np.stack([np.full((120, 160), grey, np.uint8) for grey in (10, 20)])
    samples = np.stack([real + 100, real + 200], axis=1)
    save_samples(tmp_path / "panel.png", real, samples, (0.5, 0.5), "paper step 10")
    panel = np.asarray(Image.open(tmp_path / "panel.png").convert("L"))
    columns = [160, 160 + 324, 160 + 648]
    assert panel[16 + 120, columns].tolist() == [10, 110, 210]
    assert panel[16 + 244 + 120, columns].tolist() == [20, 120, 220]


def test_a_folder_that_is_missing_is_said(tmp_path):
    with pytest.raises(UserError, match="could not be written"):
        save_samples(
            tmp_path / "no" / "panel.png",
            np.zeros((1, 4, 4), np.uint8),
            np.zeros((1, 1, 4, 4), np.uint8),
            (1, 1),
            "",
        )
