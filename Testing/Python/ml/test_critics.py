"""The critics: losses are what the formulas say, and the closed form tells textures by as much as they differ."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm

from USGanSimLib.geometry.field_of_view import FieldOfView
from USGanSimLib.geometry.image_geometry import Crop
from USGanSimLib.ml.beams.critics import Critics
from USGanSimLib.ml.beams.line_statistics import BANDS, SIZES_LINES, LineStatistics
from USGanSimLib.ml.beams.texture import BANKS, GREYS, FilterBank, TextureCritic
from USGanSimLib.ml.training.losses import relativistic_loss, slope_penalty
from USGanSimLib.model.beam_settings import BeamSettings

FIELD = FieldOfView.rectangle((48, 40), Crop(4, 4, 40, 32))
INSIDE = FIELD.mask()


def textures(count: int, seed: int, strength: float = 0.2) -> torch.Tensor:
    """Images whose noise varies in strength from one to the next, by a tenth."""
    random = torch.Generator().manual_seed(seed)
    own = torch.randn(count, 1, 1, 1, generator=random).mul(0.1).exp()
    return strength * own * torch.randn(count, 1, 40, 48, generator=random)


def seen(critic: TextureCritic, images: torch.Tensor) -> TextureCritic:
    for bank in range(BANKS):
        for part in images.split(len(images) // 25):
            critic.see_real(part, bank)
    return critic


def test_features_of_a_texture_twice_as_strong_differ_by_the_logarithm_of_two() -> None:
    bank, image = FilterBank(INSIDE, 0), textures(1, 0)
    weak, strong = bank(image)[0], bank(2 * image)[0]
    change = strong - weak
    of_filters = change[3 * len(GREYS) :].view(-1, 7 * 8 + 28)
    # Logarithms of four moments in all, and of one in both halves, for each of 8 filters; the rest has no size.
    assert torch.allclose(of_filters[:, :48], torch.tensor(math.log(2)), atol=0.02)
    assert torch.allclose(of_filters[:, 48:], torch.tensor(0.0), atol=0.02)


def test_grey_levels_are_told_by_the_share_of_the_field_that_has_them() -> None:
    image = torch.full((1, 1, 40, 48), 64 / 127.5 - 1)
    image[..., :24] = 144 / 127.5 - 1  # Half way between 128 and 160; the field is columns 4 to 43.
    shares = FilterBank(INSIDE, 0)(image)[0, : 3 * len(GREYS)].square().view(-1, 3)[:, 0]
    expected = {64.0: 0.5, 128.0: 0.25, 160.0: 0.25}
    assert shares.tolist() == pytest.approx([expected.get(grey, 0.0) for grey in GREYS], abs=1e-3)


def beams(darker: torch.Tensor) -> torch.Tensor:
    """Grey levels (1, 1, 96, 96) of noise whose lines are multiplied by (96,)."""
    random = torch.Generator().manual_seed(0)
    return (100 + 20 * torch.randn(1, 1, 96, 96, generator=random)) * darker


def test_lines_that_are_dark_from_top_to_bottom_are_told_and_go_together_in_both_halves() -> None:
    statistics, dark = LineStatistics(0), torch.ones(96)
    dark[[20, 21, 50, 70, 71, 72]] = 0.2
    plain, shadowed = statistics(beams(torch.ones(96)))[0], statistics(beams(dark))[0]
    of_filters = [part[2 * BANDS :].view(len(SIZES_LINES), -1) for part in (plain, shadowed)]
    together = [part[:, -4:] for part in of_filters]
    assert together[0].abs().mean() < 0.3
    assert together[1].min() > 0.9
    assert (of_filters[1][:, :8] - of_filters[0][:, :8]).min() > 0.5  # Mean absolute answers, as logarithms.


def test_a_depth_that_is_brighter_is_told_in_its_own_band_alone() -> None:
    statistics, even = LineStatistics(0), beams(torch.ones(96))
    brighter = even.clone()
    brighter[:, :, 16:24] *= 2
    change = (statistics(brighter) - statistics(even))[0, : 2 * BANDS].view(2, BANDS)
    assert change[:, 2].tolist() == pytest.approx([math.log(2)] * 2, abs=0.05)
    assert change[:, [0, 1, *range(3, BANDS)]].abs().max() < 1e-5


def test_what_lies_outside_the_field_of_view_is_not_looked_at() -> None:
    bank, image = FilterBank(INSIDE, 0), textures(1, 0)
    changed = image.clone()
    changed[..., ~torch.from_numpy(INSIDE)] = 0.9
    assert torch.equal(bank(image), bank(changed))


def test_distances_are_those_of_mahalanobis_between_the_features() -> None:
    real, generated = textures(200, 1), textures(100, 2, 0.22)
    critic = seen(TextureCritic(FIELD), real)
    distance = critic.distance(generated, 0)[1]
    features, others = (critic.banks[0](images).numpy().astype(np.float64) for images in (real, generated))
    # Batches of 20 are averaged one after another, and the covariance about the mean so far: nearly the same.
    covariance = np.cov(features.T, bias=True)
    sd = np.sqrt(np.diag(covariance) + 0.005**2)
    correlation = 0.97 * covariance / np.outer(sd, sd) + 0.03 * np.eye(len(sd))
    apart = (others.mean(axis=0) - features.mean(axis=0)) / sd
    assert float(distance) == pytest.approx(math.sqrt(apart @ np.linalg.solve(correlation, apart)), rel=0.1)


def test_real_images_are_near_and_faint_ones_far_as_the_strength_says() -> None:
    critic = seen(TextureCritic(FIELD), textures(400, 1))
    near = critic.distance(textures(200, 3), 0)[1]
    far = critic.distance(textures(200, 4, 0.12), 1)[1]
    # Means of 400 and 200 images differ by chance: by p (1 / 400 + 1 / 200) in the square of their distance.
    chance = math.sqrt(critic.banks[0].count * (1 / 400 + 1 / 200))
    assert near < 1.6 * chance  # A covariance of 400 images adds to it.
    # Strength alone tells ln(0.2 / 0.12) / 0.1 = 5.1 SDs: an observer of that is right in 99 %.
    assert far > math.log(0.2 / 0.12) / 0.1 > 2 * norm.ppf(0.99)


def test_going_down_the_distance_finds_the_strength_of_the_real_texture() -> None:
    critic = seen(TextureCritic(FIELD), textures(400, 1))
    log_strength = torch.tensor(math.log(0.3), requires_grad=True)
    optimiser = torch.optim.Adam([log_strength], 0.02, (0.0, 0.9))
    for step in range(120):
        loss, _ = critic.distance(log_strength.exp() * textures(12, 100 + step, 1.0), step)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert float(log_strength.detach().exp()) == pytest.approx(0.2, rel=0.1)


def test_nothing_is_followed_before_enough_real_images_were_seen() -> None:
    critic, strength = TextureCritic(FIELD), torch.tensor(0.3, requires_grad=True)
    for number in range(22):
        (slope,) = torch.autograd.grad(critic.distance(strength * textures(4, number, 1.0), 0)[0], strength)
        assert (float(slope) != 0) == (number > 20)
        critic.see_real(textures(4, 100 + number), 0)


def test_statistics_are_part_of_the_state() -> None:
    critic = seen(TextureCritic(FIELD), textures(60, 1))
    again = TextureCritic(FIELD)
    again.load_state_dict(critic.state_dict())
    generated = textures(12, 5)
    assert torch.equal(critic.distance(generated, 2)[1], again.distance(generated, 2)[1])


def test_a_pair_is_judged_by_its_difference() -> None:
    real, fake = torch.tensor([[3.0, 0.0]]), torch.tensor([[1.0, 0.0]])
    expected = (math.log1p(math.exp(-2.0)) + math.log(2)) / 2
    assert float(relativistic_loss(real, fake)) == pytest.approx(expected)
    assert float(relativistic_loss(real.repeat(2, 1), fake.repeat(2, 1))) == pytest.approx(2 * expected)


def test_the_slope_of_a_linear_critic_is_the_norm_of_its_weights() -> None:
    weights = torch.arange(12.0).view(1, 1, 3, 4)
    images = torch.randn(5, 1, 3, 4, requires_grad=True)
    logits = (weights * images).sum((1, 2, 3))[None]
    assert float(slope_penalty(logits, images)) == pytest.approx(float((weights**2).sum()))


def test_crops_lie_in_the_image_and_are_the_same_for_the_same_iteration() -> None:
    critics = Critics(BeamSettings(48, 40, discriminator_channels=2), FieldOfView.whole((48, 40)))
    assert critics.crop_px == (40, 48)
    large = Critics(BeamSettings(160, 120, discriminator_channels=2), FieldOfView.whole((160, 120)))
    corners = large.corners(300, 7)
    assert corners == large.corners(300, 7) != large.corners(300, 8)
    v, u = np.array(corners).T
    assert (v.min(), u.min()) == (0, 0)
    assert (v.max(), u.max()) == (120 - 64, 160 - 64)


def test_each_critic_gives_a_logit_an_image_and_neither_has_batch_norm() -> None:
    critics = Critics(BeamSettings(48, 40, discriminator_channels=2), FieldOfView.whole((48, 40)))
    images, affine = textures(3, 0), 0.02 * torch.randn(3, 3, 3)
    logits = critics(images, affine, critics.corners(3, 0))
    assert logits.shape == (2, 3)
    alone = critics(images[1:2], affine[1:2], critics.corners(3, 0)[1:2])
    assert torch.allclose(alone[:, 0], logits[:, 1], atol=1e-5)
