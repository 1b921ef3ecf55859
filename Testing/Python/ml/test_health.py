from __future__ import annotations

import numpy as np
import pytest

from USGanSimLib.errors import UserError
from USGanSimLib.ml.training.health import DiscriminatorWatch, require_finite, sample_faults, spread_grey

RANDOM = np.random.default_rng(0)
REAL = RANDOM.integers(0, 256, (4, 30, 40)).astype(np.uint8)
LIVELY = RANDOM.integers(0, 256, (4, 3, 30, 40)).astype(np.uint8)
ONE_PER_POSE = np.repeat(LIVELY[:, :1], 3, axis=1)


def test_lively_samples_have_no_fault():
    assert sample_faults(LIVELY, REAL, many_valued=True) == []


def test_black_images_are_told_with_their_numbers():
    faults = sample_faults(np.zeros_like(LIVELY), REAL, many_valued=False)
    assert len(faults) == 1
    assert "mean 0.0, SD 0.00" in faults[0]
    assert f"SD {REAL.std():.2f}" in faults[0]


def test_samples_that_ignore_the_noise_are_a_collapse_of_a_gan_but_not_of_a_regression():
    assert (
        "Mode collapse: samples of one pose differ by 0.00 grey levels"
        in sample_faults(ONE_PER_POSE, REAL, True)[0]
    )
    assert sample_faults(ONE_PER_POSE, REAL, many_valued=False) == []


def test_the_spread_is_the_deviation_over_z():
    samples = np.stack([np.full((1, 2, 2), 10, np.uint8), np.full((1, 2, 2), 16, np.uint8)], axis=1)
    assert spread_grey(samples) == pytest.approx(3)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_ends_training_with_its_name_and_step(value):
    with pytest.raises(UserError, match=f"loss_g is {value} at step 17"):
        require_finite({"loss_d_real": 0.3, "loss_g": value}, 17)


def losses(accuracy: float, loss_g: float) -> dict[str, float]:
    return {"accuracy_real": accuracy, "accuracy_fake": accuracy, "loss_g": loss_g}


def test_a_discriminator_that_has_won_is_told_once_with_the_numbers():
    watch = DiscriminatorWatch(iterations=20)
    said = [watch.after_step(losses(1.0, 1 + 0.1 * step)) for step in range(30)]
    assert [index for index, words in enumerate(said) if words] == [19]
    assert "right about 100.0% of images over 20 iterations" in said[19]
    assert "from 1.45 to 2.45" in said[19]


@pytest.mark.parametrize(("accuracy", "slope"), [(0.9, 0.1), (1.0, 0.0), (1.0, -0.01)])
def test_an_even_game_is_not_told(accuracy, slope):
    watch = DiscriminatorWatch(iterations=20)
    assert not any(watch.after_step(losses(accuracy, 1 + slope * step)) for step in range(60))


def test_a_regression_has_no_discriminator_to_watch():
    assert DiscriminatorWatch(2).after_step({"loss_l2": 0.1}) is None
