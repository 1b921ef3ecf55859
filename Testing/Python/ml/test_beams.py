"""The generator on beams: what is known of speckle, shadows and scan conversion holds for it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from USGanSimLib.geometry.beams import Beams
from USGanSimLib.geometry.field_of_view import FieldOfView
from USGanSimLib.ml.beams.contact import LostContact
from USGanSimLib.ml.beams.generator import BeamGenerator, power_of
from USGanSimLib.ml.beams.speckle import ENTRIES, PointSpread, echo_tables, entries_of_cells, looked_up
from USGanSimLib.ml.generators import folded
from USGanSimLib.model.beam_settings import BeamSettings

FAN = FieldOfView.fan((80, 60), (39.5, -10.0), (16.0, 66.0), (-35.0, 35.0))
SETTINGS = BeamSettings(80, 60, depths=48, lines=64, volume_cells=16, plane_cells=24, generator_channels=4)
POSE = torch.tensor([[[0.02, 0.0, -0.8], [0.0, 0.02, -0.6], [0.004, 0.003, 0.1]]])


def noise(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, SETTINGS.noise_size, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def generator() -> BeamGenerator:
    torch.manual_seed(0)
    made = BeamGenerator(SETTINGS, FAN).eval()
    # Something to be seen of the tissue, and of what follows it.
    for part in (made.tissue.fine, made.tissue.coarse, made.tissue.planes):
        torch.nn.init.normal_(part.features, 0, 0.05)
    torch.nn.init.normal_(made.trunk.head.weight, 0, 0.05)
    return made.requires_grad_(False)


def test_white_noise_becomes_fully_developed_speckle_of_power_one() -> None:
    white = torch.randn(4, 2, 240, 128, generator=torch.Generator().manual_seed(1))
    power = power_of(PointSpread((2, 1))(white)).detach()
    assert power.mean() == pytest.approx(1, abs=0.02)
    # Goodman 1975: intensity is exponential, its SD is its mean, and a share e^−2 lies above twice the mean.
    assert power.std() / power.mean() == pytest.approx(1, abs=0.04)
    assert (power > 2 * power.mean()).float().mean() == pytest.approx(np.exp(-2), abs=0.01)


def test_the_widths_of_the_point_spread_are_those_that_it_says() -> None:
    spread = PointSpread((2, 1))
    for kernel, sd in ((spread.axial_kernel(), 0.45 * 2), (spread.lateral_kernels(5)[2], 0.9)):
        at = torch.arange(len(kernel)) - len(kernel) // 2
        variance = (kernel * at**2).sum() / kernel.sum()
        assert float(variance.detach().sqrt()) == pytest.approx(sd, rel=0.02)
        assert float(kernel.detach().norm()) == pytest.approx(1)


def test_echoes_are_balanced_and_follow_the_noise_smoothly() -> None:
    first, second = noise(2)
    near = (first + 0.1 * second) / np.sqrt(1.01)
    tables = echo_tables(torch.stack([first, near, second]))
    assert tables.shape == (3, ENTRIES, 2)
    assert torch.allclose(tables.mean((1, 2)), torch.zeros(3), atol=0.02)
    assert torch.allclose(tables.std((1, 2)), torch.ones(3), atol=0.02)
    alike = [float((tables[0] * other).mean()) for other in tables[1:]]
    # Of directions in 32 dimensions; the second ones are independent, with an SD of 32^−½.
    assert alike[0] > 0.97
    assert abs(alike[1]) < 0.6


def entries_of_plane(depth: float, size: int = 250) -> torch.Tensor:
    """(size²,): entries of the cells of a plane across y, at a depth in cells."""
    x, z = torch.meshgrid(torch.arange(float(size)), torch.arange(float(size)), indexing="ij")
    coefficients = torch.tensor([[[1.0, 0.0, 0.5], [0.0, 0.0, depth], [0.0, 1.0, 0.5]]])
    positions = torch.stack([x, z, torch.ones_like(x)]).flatten(1)
    return entries_of_cells(coefficients, positions, torch.ones(3))[0]


def test_cells_that_differ_have_entries_that_look_independent() -> None:
    counts = np.bincount(entries_of_plane(0.5), minlength=ENTRIES)
    expected = 250**2 / ENTRIES
    # Poisson's: its variance is its mean, and e^−mean of the entries are not used.
    assert counts.var() == pytest.approx(expected, rel=0.1)
    assert (counts == 0).mean() == pytest.approx(np.exp(-expected), rel=0.05)


def test_speckle_changes_little_by_little_across_the_plane_until_nothing_is_left() -> None:
    first = entries_of_plane(0.5)
    same = [
        float((first == entries_of_plane(0.5 + step)).float().mean())
        for step in (0.0, 1.5, 3.0, 4.5, 6.0, 9.0)
    ]
    assert same == pytest.approx([1, 0.75, 0.5, 0.25, 0, 0], abs=0.01)


def test_speckle_sticks_to_the_tissue(generator: BeamGenerator) -> None:
    """A cell of Reference has its echo wherever the probe stands that sees it."""
    size, tables = generator.grid.fine_size, echo_tables(noise(1))
    there = entries_of_cells(POSE, generator.grid.samples, generator.cells_a_unit)
    moved = POSE.clone()
    moved[0, :, 2] += moved[0, :, 0]  # One pixel to the right: pixel u shows what u + 1 showed.
    shifted = torch.stack([generator.grid.samples[0] - 1, *generator.grid.samples[1:]])
    back = entries_of_cells(moved, shifted, generator.cells_a_unit)
    same = there == back  # But where rounding puts a point into the neighbouring cell.
    assert same.float().mean() > 0.99
    echoes, again = (looked_up(tables, entries, size) for entries in (there, back))
    assert torch.equal(echoes.flatten(2)[..., same[0]], again.flatten(2)[..., same[0]])


def test_an_attenuating_spot_shadows_what_lies_behind_it_on_its_beam_and_nothing_else(
    generator: BeamGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def levels(spot: float) -> torch.Tensor:
        maps = torch.zeros(1, 3, 48, 64)
        maps[0, 1, 20, 30] = spot
        monkeypatch.setattr(generator.trunk, "forward", lambda told, coarse: maps)
        return generator.levels(generator.from_noise(noise(1)), POSE)[0][0, 0]

    down, across = generator.grid.finer
    lost = (levels(0.0) - levels(9.0)).reshape(48, down, 64, across)[:, 0, :, 0]
    rows, columns = torch.nonzero(lost > 0.5, as_tuple=True)
    assert set(rows.tolist()) == set(range(int(rows.min()), 48))
    assert int(rows.min()) >= 20
    assert set(columns.tolist()) <= {29, 30, 31}
    assert lost[:20].abs().max() < 1e-5


def test_scan_conversion_puts_depths_on_circles_about_the_apex_and_black_around(
    generator: BeamGenerator,
) -> None:
    rows, columns = generator.grid.fine_size
    ramp = torch.linspace(0, 1, rows)[None, None, :, None].expand(1, 1, rows, columns)
    image = (generator.converted(ramp)[0, 0].numpy() + 1) / 2
    _, down = Beams(FAN).coordinates()
    inside = FAN.mask()
    assert np.allclose(image[inside], down[inside], atol=1e-5)
    assert np.all(image[~inside] == 0)


def test_samples_take_the_poses_in_turn(generator: BeamGenerator) -> None:
    poses = torch.cat([POSE, POSE + 0.003])
    together = generator(noise(4), poses)
    for number, one in enumerate(noise(4)):
        assert torch.allclose(together[number], generator(one[None], poses[number % 2][None])[0], atol=1e-4)


def test_noise_changes_the_speckle_and_what_the_contact_lets_through(generator: BeamGenerator) -> None:
    first, second = generator(noise(2), POSE)
    assert (first - second).abs()[0][generator.grid.inside].mean() > 0.02
    by_line = generator.from_noise(noise(200)).by_line[:, 0, 0]
    assert (by_line <= 0).all()
    assert by_line.std(0).min() > 0.01


def test_a_patch_without_contact_takes_its_loss_from_its_own_lines() -> None:
    contact = LostContact(12, 101)
    z = torch.full((1, 4, 3), -9.0)  # Far on the left, narrow, next to nothing.
    z[0, 2] = torch.tensor([0.0, 0.0, 3.0])  # In the middle, as wide as usual.
    loss = contact(z.view(1, 12))[0].detach()
    usual, spread = -2.0, 1.5
    expected = np.log1p(np.exp(usual + 3 * spread))
    within = (torch.linspace(-1, 1, 101).abs() - 0.08) / 0.05
    assert torch.allclose(loss, expected * torch.sigmoid(-within), atol=1e-3)


def test_patches_lie_everywhere_on_the_face_alike() -> None:
    lines = LostContact(12, 64)(torch.randn(20_000, 12, generator=torch.Generator().manual_seed(2))).detach()
    mean = lines.mean(0)[
        6:-6
    ]  # At the ends a little less: half of a patch may lie beside the face, not more.
    assert (mean.max() - mean.min()) / mean.mean() < 0.15


def test_for_inference_it_is_the_same_within_a_grey_level(generator: BeamGenerator) -> None:
    fast = folded(generator)
    with torch.inference_mode():
        ours = fast(fast.noise_part(noise(3)), POSE).int()
        theirs = ((generator(noise(3), POSE)[:, 0] + 1) * 127.5).round().int()
    assert ours.shape == (3, 60, 80)
    assert (ours - theirs).abs().max() <= 1
    assert theirs.float().std() > 5


@pytest.mark.parametrize("width_px", [80, 160, 640])
def test_the_grid_of_speckle_follows_the_image_up_to_a_bound(width_px: int) -> None:
    field = FieldOfView.whole((width_px, width_px * 3 // 4))
    settings = dataclasses.replace(SETTINGS, width_px=width_px, height_px=width_px * 3 // 4)
    made = BeamGenerator(settings, field)
    assert made.grid.finer == {80: (2, 1), 160: (4, 2), 640: (4, 2)}[width_px]
    assert made(noise(1), POSE).shape == (1, 1, width_px * 3 // 4, width_px)


def test_nothing_that_follows_from_settings_and_field_is_in_its_state() -> None:
    state = BeamGenerator(SETTINGS, FAN).state_dict()
    assert {name.split(".")[0] for name in state} == {"tissue", "trunk", "from_noise", "spread", "display"}
    assert not any("grid" in name or "depths" in name for name in state)
