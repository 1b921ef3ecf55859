"""The losses against equations (1) and (2) written with D = sigmoid(logit) in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from USGanSimLib.ml.training import losses

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
    assert losses.l2_loss(torch.tensor([[1.0, -1.0]]), torch.tensor([[0.0, 1.0]])).item() == pytest.approx(
        2.5
    )


def test_the_energy_score_is_that_of_every_window_and_of_the_filters_alike():
    first, second, real = torch.rand(3, 2, 1, 14, 15, dtype=torch.float64)
    filters = torch.rand(4, 1, 5, 5, dtype=torch.float64)

    def score(view) -> float:
        a, b, x = (view(images.numpy()) for images in (first, second, real))
        return np.mean((abs(a - x) + abs(b - x)) / 2 - abs(a - b) / 2)

    def windows(images, size):
        return np.lib.stride_tricks.sliding_window_view(images, size, axis=(2, 3))

    expected = [
        score(lambda images, size=size: windows(images, size).mean(axis=(4, 5)))
        for size in losses.SCORED_WINDOWS
    ]
    expected.append(
        score(lambda images: np.einsum("bchwij,fcij->bfhw", windows(images, (5, 5)), filters.numpy()))
    )
    assert losses.energy_score(first, second, real, filters).item() == pytest.approx(np.mean(expected))


def test_filters_are_of_norm_1_and_of_their_iteration():
    filters = losses.random_filters(3)
    assert filters.flatten(1).norm(dim=1).tolist() == pytest.approx([1.0] * len(filters))
    assert torch.equal(filters, losses.random_filters(3))
    assert not torch.equal(filters, losses.random_filters(4))


def speckle(random, width: int, strength: float = 1.0) -> torch.Tensor:
    """Many images of noise that is `width` pixels wide, of SD `strength`."""
    white = random.standard_normal((60, 1, 30, 30 + width - 1))
    return torch.from_numpy(
        strength * np.lib.stride_tricks.sliding_window_view(white, width, axis=3).sum(-1) / np.sqrt(width)
    )


@pytest.mark.parametrize(
    ("width", "strength"),
    [(3, 0.5), (3, 2.0), (1, 1.0), (6, 1.0), (3, 0.0)],
    ids=["too weak", "too strong", "too fine", "too coarse", "none"],
)
def test_nothing_scores_better_than_images_like_the_real_ones(width, strength):
    random = np.random.default_rng(0)
    real = speckle(random, 3)
    filters = losses.random_filters(0)
    alike = losses.energy_score(speckle(random, 3), speckle(random, 3), real, filters)
    other = losses.energy_score(
        speckle(random, width, strength), speckle(random, width, strength), real, filters
    )
    assert other > alike + 0.005


def test_the_share_called_real_counts_logits_above_zero():
    assert losses.share_called_real(LOGITS).item() == pytest.approx(2 / 5)
