"""The observer's decoding in closed form, its thresholds, its scale, and its file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
import safetensors.torch  # noqa: E402

from USGanSimLib.errors import UserError  # noqa: E402
from USGanSimLib.evaluation.observer.landmark_observer import (  # noqa: E402
    METADATA_KEY,
    Look,
    Observer,
    ObserverInfo,
    Thresholds,
    fit_thresholds,
    load_observer,
    save_observer,
)
from USGanSimLib.evaluation.observer.network import Answers, LandmarkNetwork, as_input, peaks  # noqa: E402

INFO = ObserverInfo(("crux", "tip"), 1.0, 2, (1001,), 0, 1, Thresholds((0.0, 1.0), (2.0, 3.0)), "0")


def test_a_gaussian_heat_map_is_decoded_at_its_middle() -> None:
    """The softmax of a parabola is a Gaussian, whose mean is the parabola's top; cell j stands at pixel 2j + ½."""
    v, u = np.mgrid[:24, :32]
    for middle in ((12.0, 9.0), (20.0, 14.0), (15.3, 8.8)):
        heat = -((u - middle[0]) ** 2 + (v - middle[1]) ** 2) / (2 * 0.9**2)
        found = peaks(torch.from_numpy(heat)[None, None])[0, 0].numpy()
        assert found == pytest.approx(2 * np.array(middle) + 0.5, abs=0.04)


def test_a_second_smaller_peak_far_away_does_not_pull_at_the_place() -> None:
    heat = torch.full((1, 1, 24, 32), -20.0)
    heat[0, 0, 10, 8], heat[0, 0, 20, 28] = 5.0, 4.9
    assert peaks(heat)[0, 0].tolist() == pytest.approx([16.5, 20.5], abs=1e-4)


def test_clear_is_the_log_odds_of_being_anywhere() -> None:
    heat = torch.log(torch.tensor([[[[0.5, 0.25], [0.125, 0.125]]]]))
    assert float(Answers(torch.zeros(1, 1), heat, torch.zeros(1, 1)).clear) == pytest.approx(0.0, abs=1e-6)


def test_images_are_resampled_and_filled_up_to_multiples_of_sixteen() -> None:
    images = np.full((2, 30, 50), 200, np.uint8)
    assert as_input(images, (30, 50)).shape == (2, 1, 32, 64)
    half = as_input(images, (15, 25))
    assert half.shape == (2, 1, 16, 32)
    assert half[0, 0, 7, 12] == pytest.approx(200 / 255)
    assert half[0, 0, 15].abs().max() == 0


class _Brightest(torch.nn.Module):
    """Stands in for the network: the heat map is the image at half its size."""

    def forward(self, images):
        heat = 50 * torch.nn.functional.avg_pool2d(images, 2)
        return Answers(images.mean((2, 3)), heat, images.mean((2, 3)))


def test_places_come_back_in_the_pixels_of_the_images_whatever_their_scale() -> None:
    """A spot of 4 × 8 px, 2 mm each way, whose middle is at (41.5, 27.5) px of 0.5 × 0.25 mm."""
    image = np.zeros((1, 128, 96), np.uint8)
    image[0, 24:32, 40:44] = 255
    look = Observer(_Brightest(), replace(INFO, mm_per_px=1.0)).look(image, (0.5, 0.25))
    assert look.places_px[0, 0] == pytest.approx([41.5, 27.5], abs=0.3)


def test_thresholds_are_the_quantiles_of_the_images_that_show_the_landmark() -> None:
    scores = np.arange(100, dtype=np.float32) - 90
    look = Look(
        np.stack([scores, -scores], 1),
        np.stack([scores, scores], 1),
        np.zeros((100, 2, 2), np.float32),
        np.zeros((100, 1), np.float32),
    )
    visible = np.zeros((100, 2), bool)
    visible[50:, 0], visible[:19, 1] = True, True
    found = fit_thresholds(look, visible)
    assert found.clear[0] == pytest.approx(-40 + 0.05 * 49)
    assert found.region[0] == pytest.approx(-40 + 0.01 * 49)
    # What is more likely than not is never refused.
    assert (
        fit_thresholds(
            Look(look.region + 100, look.clear + 100, look.places_px, look.features), visible
        ).clear[0]
        == 0
    )
    # Nineteen are too few.
    assert np.isnan([found.clear[1], found.region[1]]).all()


def test_a_saved_observer_looks_as_before(tmp_path: Path) -> None:
    torch.manual_seed(3)
    network = LandmarkNetwork(2, 2)
    save_observer(tmp_path / "o.safetensors", network, INFO)
    loaded = load_observer(tmp_path / "o.safetensors")
    images = np.random.default_rng(0).integers(0, 255, (3, 40, 60), np.uint8)
    before, after = (observer.look(images, (1.0, 1.0)) for observer in (Observer(network, INFO), loaded))
    assert all(np.array_equal(getattr(before, name), getattr(after, name)) for name in vars(before))
    assert loaded.info == INFO
    assert "Not for clinical use" in loaded.info.intended_use


def changed_header(path: Path, **changes: object) -> Path:
    with safetensors.safe_open(path, "pt") as file:
        data = json.loads(file.metadata()[METADATA_KEY])
    path.write_bytes(
        safetensors.torch.save(
            safetensors.torch.load_file(path), {METADATA_KEY: json.dumps({**data, **changes})}
        )
    )
    return path


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format": 9}, "another format"),
        ({"channels": 3}, "its settings ask for"),
        ({"channels": 10**9}, "impossible settings"),
        ({"landmarks": ["crux"]}, "do not go with"),
        ({"mm_per_px": -1.0}, "impossible settings"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(
    tmp_path: Path, changes: dict[str, object], reason: str
) -> None:
    path = tmp_path / "o.safetensors"
    save_observer(path, LandmarkNetwork(2, 2), INFO)
    with pytest.raises(UserError, match=reason):
        load_observer(changed_header(path, **changes))


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "o.safetensors"
    with pytest.raises(UserError, match="cannot be read"):
        load_observer(path)
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(UserError, match="no safetensors file"):
        load_observer(path)
    path.write_bytes(safetensors.torch.save({"a": torch.zeros(1)}))
    with pytest.raises(UserError, match="no observer"):
        load_observer(path)
    save_observer(path, LandmarkNetwork(2, 2), INFO)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="damaged"):
        load_observer(path)
    network = LandmarkNetwork(2, 2)
    with torch.no_grad():
        network.to_heat.bias[0] = float("nan")
    save_observer(path, network, INFO)
    with pytest.raises(UserError, match="not finite"):
        load_observer(path)
