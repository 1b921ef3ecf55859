"""What the generator is told: features of a learned volume, and speckle that sticks to the tissue."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from USGanSimLib.errors import UserError
from USGanSimLib.ml.conditions import (
    NOISE_CELLS,
    SPECKLE_SD_PX,
    TissueSpeckle,
    noise_lattices,
    place_in_image,
    with_speckle,
)
from USGanSimLib.ml.networks import Generator
from USGanSimLib.ml.parts.places import (
    FEATURE_SCALE,
    VOLUME_REACH,
    FeatureVolume,
    coordinate_grid,
    linear_in_cells,
)
from USGanSimLib.ml.renderer import ModelRenderer
from USGanSimLib.ml.training.trainer import train
from USGanSimLib.model.network_settings import NetworkSettings
from USGanSimLib.recording.dataset import write_dataset

SETTINGS = NetworkSettings(
    48,
    32,
    noise_size=100,
    up_layers=3,
    generator_channels=16,
    down_layers=2,
    volume=4,
    volume_cells=16,
    speckle=True,
    least_channels=4,
    batch_norm=False,
)
CELL = 0.02


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def lattices():
    """(60, cells, cells, cells, 2), of 60 independent z."""
    return noise_lattices(torch.randn(60, 100, generator=seeded(0))).view(60, *[NOISE_CELLS] * 3, 2).numpy()


def test_the_signs_are_those_of_the_hash_that_is_named():
    def hashed(x: int) -> int:
        x = (x ^ x >> 16) * 0x7FEB352D % 2**32
        return (x ^ x >> 15) * 0x846CA68B % 2**32

    one_pattern = torch.zeros(1, 100)
    one_pattern[0, 3] = 5.0
    ours = noise_lattices(one_pattern).flatten()
    for place in (0, 1, 2, 3, 1000, 77_777, len(ours) - 1):
        assert ours[place].item() == 1 - 2 * (hashed(3 * len(ours) + place) >> 16 & 1)


def test_noise_has_mean_0_and_sd_1_whatever_z_is(lattices):
    assert lattices.mean(axis=(1, 2, 3, 4)) == pytest.approx(0, abs=0.02)
    assert lattices.std(axis=(1, 2, 3, 4)) == pytest.approx(1, abs=0.02)


def test_cells_parts_and_samples_know_nothing_of_each_other(lattices):
    neighbours = [
        np.take(lattices, range(1, NOISE_CELLS), axis) * np.take(lattices, range(NOISE_CELLS - 1), axis)
        for axis in (1, 2, 3)
    ]
    for products in (*neighbours, lattices[..., 0] * lattices[..., 1], lattices[1:] * lattices[:-1]):
        assert products.mean() == pytest.approx(0, abs=0.02)


def test_a_little_change_of_z_changes_the_noise_little():
    noise = torch.randn(2, 100, generator=seeded(1))
    near = math.sqrt(1 - 0.1**2) * noise[:1] + 0.1 * noise[1:]
    both = noise_lattices(torch.cat([noise[:1], near])).flatten(1)
    assert torch.corrcoef(both)[0, 1].item() > 0.97


def speckle(affine: list[list[float]], count: int = 1) -> torch.Tensor:
    """(count, channels, 60, 80), of as many z at the pixels of a pose."""
    lattices = noise_lattices(torch.randn(count, 100, generator=seeded(2)))
    return TissueSpeckle(CELL).at(coordinate_grid(torch.tensor([affine]), 60, 80), lattices)


def inner(images: torch.Tensor) -> torch.Tensor:
    """Without the border, where the blur finds nothing beyond."""
    return images[..., 8:-8, 8:-8]


# Half a cell from the borders, so that rounding decides nothing; pixels as large as cells.
STILL = [[CELL, 0, 0.01], [0, CELL, 0.01], [0, 0, 0.01]]


def test_speckle_sticks_to_the_tissue():
    moved = [[CELL, 0, 0.01 + 3 * CELL], [0, CELL, 0.01 + 2 * CELL], [0, 0, 0.01]]
    assert torch.allclose(inner(speckle(STILL)[..., 2:, 3:]), inner(speckle(moved)[..., :-2, :-3]), atol=1e-5)


def test_a_plane_beside_shows_other_speckle():
    beside = speckle([[CELL, 0, 0.01], [0, CELL, 0.01], [0, 0, 0.01 + CELL]])
    both = torch.stack([inner(speckle(STILL))[0, 0].flatten(), inner(beside)[0, 0].flatten()])
    assert abs(torch.corrcoef(both)[0, 1]) < 0.1


def test_noise_repeats_after_its_cells_in_every_direction_backwards_too():
    far = [
        [CELL, 0, 0.01 - NOISE_CELLS * CELL],
        [0, CELL, 0.01 - NOISE_CELLS * CELL],
        [0, 0, 0.01 - NOISE_CELLS * CELL],
    ]
    assert torch.equal(speckle(STILL), speckle(far))


def test_speckle_has_the_statistics_of_goodman_and_the_width_of_its_blur():
    # Its power is exponentially distributed; the correlation of the power of blurred complex noise is that of the blur
    # with itself, squared.
    found = inner(speckle(STILL, 40))
    assert found.mean(dim=(0, 2, 3)).tolist() == pytest.approx([0] * found.shape[1], abs=0.1)
    # The narrowest blur adds up few signs, which are not quite Gaussian.
    assert found.std(dim=(0, 2, 3)).tolist() == pytest.approx([1] * found.shape[1], abs=0.12)
    power = torch.exp(found * (math.pi / math.sqrt(6)))
    power = power / power.mean(dim=(0, 2, 3), keepdim=True) - 1
    variance = power.square().mean(dim=(0, 2, 3))
    assert variance.tolist() == pytest.approx([1] * found.shape[1], abs=0.3)
    for channel, (axial, lateral) in enumerate(SPECKLE_SD_PX):
        down = (power[:, channel, 1:] * power[:, channel, :-1]).mean() / variance[channel]
        across = (power[:, channel, :, 1:] * power[:, channel, :, :-1]).mean() / variance[channel]
        assert down.item() == pytest.approx(correlation_of_gaussian(axial) ** 2, abs=0.06)
        assert across.item() == pytest.approx(correlation_of_gaussian(lateral) ** 2, abs=0.06)


def correlation_of_gaussian(sd_px: float) -> float:
    """Of samples of a Gaussian with itself, a pixel further."""
    values = [math.exp(-0.5 * (place / sd_px) ** 2) for place in range(-9, 10)]
    return sum(map(math.prod, zip(values[1:], values[:-1], strict=True))) / sum(value**2 for value in values)


def test_speckle_is_added_to_the_level_as_strongly_as_said_and_never_turned_round():
    said = torch.tensor([0.25, 2.0, -0.5]).view(1, 3, 1, 1)
    pattern = torch.tensor([[[[1.0, -3.0]], [[0.1, 0.4]]]])
    expected = [0.25 + 2.0 * a + 0.5 * b for a, b in zip(*pattern[0, :, 0].tolist(), strict=True)]
    assert with_speckle(said.expand(1, 3, 1, 2), pattern)[0, 0, 0].tolist() == pytest.approx(expected)


def test_lattices_take_the_poses_in_turn():
    poses = torch.tensor([STILL, [[0, CELL, 0.31], [CELL, 0, 0.01], [0, 0, 0.21]]])
    lattices, tissue = noise_lattices(torch.randn(4, 100, generator=seeded(3))), TissueSpeckle(CELL)
    together = tissue.at(coordinate_grid(poses, 8, 9), lattices)
    for sample in range(4):
        alone = tissue.at(coordinate_grid(poses[sample % 2 :][:1], 8, 9), lattices[sample : sample + 1])
        assert torch.allclose(together[sample], alone[0], atol=1e-5)


def test_a_volume_that_holds_a_linear_function_gives_that_function():
    cells, volume = 12, FeatureVolume(2, 12)
    centres = VOLUME_REACH * ((2 * torch.arange(cells) + 1) / cells - 1)
    z, y, x = torch.meshgrid(centres, centres, centres, indexing="ij")
    with torch.no_grad():
        volume.features.copy_(torch.stack([x + 2 * y - z, 3 * z]).flatten(1))
    grid = 2 * torch.rand(3, 3, 5, 7, generator=seeded(4)) - 1
    found = volume.at(grid)
    assert torch.allclose(found[:, 0], FEATURE_SCALE * (grid[:, 0] + 2 * grid[:, 1] - grid[:, 2]), atol=1e-4)
    assert torch.allclose(found[:, 1], FEATURE_SCALE * 3 * grid[:, 2], atol=1e-4)


def test_the_volume_is_read_alike_where_there_is_no_grid_sample():
    volume = FeatureVolume(3, 7)
    grid = 3 * VOLUME_REACH * (torch.rand(4, 3, 6, 5, generator=seeded(11)) - 0.5)
    ours = FEATURE_SCALE * linear_in_cells(volume.features, 7, grid / VOLUME_REACH)
    theirs = volume.at(grid)
    assert torch.allclose(ours, theirs, atol=1e-6)
    weights = torch.randn(theirs.shape, generator=seeded(12))
    gradients = [torch.autograd.grad((weights * found).sum(), volume.features)[0] for found in (ours, theirs)]
    assert torch.allclose(*gradients, atol=1e-3)


def test_beyond_a_volume_its_border_stands():
    volume = FeatureVolume(3, 6)
    border, beyond = (
        volume.at(torch.full((1, 3, 1, 1), place)) for place in (VOLUME_REACH, 5 * VOLUME_REACH)
    )
    assert torch.equal(border, beyond)


def test_the_place_in_the_image_runs_from_corner_to_corner():
    places = place_in_image(torch.zeros(2, 3, 4, 6))
    assert places[1, :, 0, 0].tolist() == [-1, -1]
    assert places[1, :, 3, 5].tolist() == [1, 1]
    assert places[1, :, 3, 0].tolist() == [-1, 1]


def test_without_batch_norm_an_image_does_not_depend_on_the_rest_of_its_batch():
    torch.manual_seed(5)
    generator, noise = Generator(SETTINGS).train(), torch.randn(6, 100, generator=seeded(6))
    affine = 0.03 * torch.randn(6, 3, 3, generator=seeded(7))
    together = generator(noise, affine)
    alone = generator.eval()(noise[2:3], affine[2:3])
    assert torch.allclose(together[2:3], alone, atol=1e-5)
    assert together.std() > 0.05


def test_samples_of_some_poses_are_those_of_each_pose_alone():
    torch.manual_seed(8)
    generator, noise = Generator(SETTINGS), torch.randn(4, 100, generator=seeded(9))
    affine = 0.03 * torch.randn(2, 3, 3, generator=seeded(10))
    assert torch.allclose(generator(noise, affine), generator(noise, affine.repeat(2, 1, 1)), atol=1e-5)


def test_what_no_training_image_shows_stays_black(make_dataset, tiny, tmp_path, recorder):
    whole = make_dataset()
    images = np.array(whole.images)
    images[:, :, :7] = 0
    dataset = write_dataset(tmp_path / "fan", images, whole.poses, whole.geometry, heldout=whole.heldout)
    train(dataset, tmp_path / "run", tiny("scored", iterations=2), recorder())
    renderer = ModelRenderer.load(tmp_path / "run" / "model.safetensors", "cpu", 1)
    samples = renderer.sample(renderer.pose_range.poses[3], 20)
    assert not samples[:, :, :7].any()
    assert samples[:, :, 7:].any(axis=0).all()


def test_the_blurs_of_speckle_follow_the_network_to_its_device_and_type():
    tissue = TissueSpeckle(CELL)
    exact = tissue.kernels.double()
    assert torch.equal(tissue.double().kernels, exact)
    assert Generator(SETTINGS).to("meta").speckle.kernels.device.type == "meta"


def test_the_blurs_stay_as_they_are_when_channels_come_last_in_memory():
    generator = Generator(SETTINGS)
    before, strides = generator.speckle.kernels.clone(), generator.speckle.kernels.stride()
    generator.to(memory_format=torch.channels_last)
    assert torch.equal(generator.speckle.kernels, before)
    assert generator.speckle.kernels.stride() == strides


def test_a_model_file_holds_no_noise():
    names = {name.split(".")[-1] for name in Generator(SETTINGS).state_dict()}
    assert names == {"weight", "bias", "features"}


def test_a_volume_that_cannot_be_halved_for_every_layer_is_refused():
    with pytest.raises(UserError, match="volume of 4 cells"):
        dataclasses.replace(SETTINGS, volume_cells=4)
