"""The losses against equations (1) and (2) written with D = sigmoid(logit) in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from USGanSimLib.ml import losses

LOGITS = torch.tensor([-3.0, -0.2, 0.0, 1.5, 4.0], dtype=torch.float64)
D = 1 / (1 + np.exp(-LOGITS.numpy()))


@pytest.mark.parametrize("label", [1.0, 0.9])
def test_real_images_are_scored_against_the_smoothed_label(label):
    expected = -(label * np.log(D) + (1 - label) * np.log(1 - D)).mean()
    assert losses.real_loss(LOGITS, label).item() == pytest.approx(expected)


def test_generated_images_are_scored_against_zero_unsmoothed():
    assert losses.fake_loss(LOGITS).item() == pytest.approx(-np.log(1 - D).mean())


def test_the_generator_maximises_log_d():
    assert losses.fooling_loss(LOGITS).item() == pytest.approx(-np.log(D).mean())


def test_losses_stay_finite_where_the_sigmoid_saturates():
    far = torch.tensor([-1e4, 1e4])
    values = [losses.real_loss(far, 0.9), losses.fake_loss(far), losses.fooling_loss(far)]
    assert [float(v) for v in values] == pytest.approx([0.5 * 0.9e4 + 0.5 * 0.1e4, 0.5e4, 0.5e4])


def test_the_l2_term_is_the_plain_mean_square():
    assert losses.l2_loss(torch.tensor([[1.0, -1.0]]), torch.tensor([[0.0, 1.0]])).item() == pytest.approx(2.5)


def test_the_l2_term_of_squares_compares_the_means_of_all_that_fit():
    first, second = torch.rand(2, 3, 1, 5, 6, dtype=torch.float64)
    means = [np.lib.stride_tricks.sliding_window_view(images.numpy(), (4, 4), axis=(2, 3)).mean(axis=(4, 5))
             for images in (first, second)]
    assert losses.l2_loss(first, second, 4).item() == pytest.approx(((means[0] - means[1]) ** 2).mean())


def test_the_energy_score_is_that_of_every_window_alike():
    first, second, real = torch.rand(3, 2, 1, 14, 15, dtype=torch.float64)
    expected = []
    for window in losses.SCORED_WINDOWS:
        a, b, x = (np.lib.stride_tricks.sliding_window_view(images.numpy(), window, axis=(2, 3)).mean(axis=(4, 5))
                   for images in (first, second, real))
        expected.append(np.mean((abs(a - x) + abs(b - x)) / 2 - abs(a - b) / 2))
    assert losses.energy_score(first, second, real).item() == pytest.approx(np.mean(expected))


def speckle(random, width: int, strength: float = 1.0) -> torch.Tensor:
    """Many images of noise that is `width` pixels wide, of SD `strength`."""
    white = random.standard_normal((60, 1, 30, 30 + width - 1))
    return torch.from_numpy(strength * np.lib.stride_tricks.sliding_window_view(white, width, axis=3).sum(-1)
                            / np.sqrt(width))


@pytest.mark.parametrize(("width", "strength"), [(3, 0.5), (3, 2.0), (1, 1.0), (6, 1.0), (3, 0.0)],
                         ids=["too weak", "too strong", "too fine", "too coarse", "none"])
def test_nothing_scores_better_than_images_like_the_real_ones(width, strength):
    random = np.random.default_rng(0)
    real = speckle(random, 3)
    alike = losses.energy_score(speckle(random, 3), speckle(random, 3), real)
    other = losses.energy_score(speckle(random, width, strength), speckle(random, width, strength), real)
    assert other > alike + 0.005


def test_the_share_called_real_counts_logits_above_zero():
    assert losses.share_called_real(LOGITS).item() == pytest.approx(2 / 5)
