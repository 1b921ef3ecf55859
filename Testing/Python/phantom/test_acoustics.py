"""B-mode of simple media against closed forms: speckle statistics, attenuation, shadows, geometry, displays."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.stats import skew

from USGanSimLib.phantom.acoustics import SPECULAR_GAIN, Display, Scanner
from USGanSimLib.phantom.body import fetal_body
from USGanSimLib.phantom.moment import ContactLoss, Moment, Moments, Variability
from USGanSimLib.phantom.motion import plane_through, probe_poses
from USGanSimLib.phantom.probe import curvilinear, linear
from USGanSimLib.phantom.scatterers import Scatterers
from USGanSimLib.phantom.settings import DISPLAYS, PLAIN
from USGanSimLib.phantom.targets import pin_body
from USGanSimLib.phantom.tissues import LABELS, TISSUES

STILL = Moment()
RAYLEIGH_SNR = np.sqrt(np.pi / (4 - np.pi))  # mean over SD of a Rayleigh variable, 1.913


@dataclass
class Block:
    """Even tissue, with a block of another one for |x| < 8 mm between 30 and 36 mm depth."""

    tissue: str
    block: str = ""
    thin = ()

    def labels_at(self, points):
        inside = (np.abs(points[0]) < 8) & (points[1] > 30) & (points[1] < 36)
        return np.where(inside, LABELS[self.block or self.tissue], LABELS[self.tissue]).astype(np.uint8)

    def at_rest(self, points, moment):
        return points


def scanner_of(medium, probe=None, display=None, width_px=160, height_px=120):
    probe = probe or linear()
    return Scanner(medium, probe, probe.image_geometry(width_px, height_px), display)


def moved(x=0.0, y=0.0, z=0.0):
    pose = np.eye(4)
    pose[:3, 3] = x, y, z
    return pose


def correlation(first, second):
    return np.corrcoef(first.ravel(), second.ravel())[0, 1]


@pytest.fixture(scope="module")
def fetus():
    return fetal_body(0, 1.4)


@pytest.mark.parametrize("probe", [linear(), curvilinear()], ids=lambda probe: probe.name)
def test_even_tissue_gives_fully_developed_speckle(probe):
    """Before compression the envelope is Rayleigh (Goodman 1975): SNR 1.913, and a Nakagami m of 1."""
    scanner = scanner_of(Block("blood"), probe)
    patches = []
    for number in range(4):
        envelope = scanner.envelope(moved(20.3 * number, 0, 9.1 * number), STILL)[10:-10, 100:-20]
        patches.append(envelope / envelope.mean(axis=0))
    values = np.concatenate(patches)
    assert values.mean() / values.std() == pytest.approx(RAYLEIGH_SNR, rel=0.04)
    power = values**2
    assert power.mean() ** 2 / power.var() == pytest.approx(1, abs=0.12)


def test_echoes_fade_with_depth_as_the_attenuation_says():
    """Two ways through α dB/cm/MHz: 2 α f dB a cm."""
    probe = curvilinear()
    scanner = scanner_of(Block("liver"), probe)
    power = np.mean([scanner.envelope(moved(z=3.0 * k), STILL)[10:-10] ** 2 for k in range(6)], axis=(0, 1))
    inner = (probe.depths_mm > 20) & (probe.depths_mm < 110)
    slope_db_cm = np.polyfit(probe.depths_mm[inner] / 10, 10 * np.log10(power[inner]), 1)[0]
    liver = TISSUES[LABELS["liver"]]
    assert slope_db_cm == pytest.approx(-2 * liver.attenuation_db_cm_mhz * probe.frequency_mhz, rel=0.06)


def test_speckle_moves_with_the_tissue():
    scanner = scanner_of(Block("blood"))
    probe, lines, samples = scanner.probe, 6, 9
    shift = moved(lines * probe.line_spacing_mm[0], samples * probe.sample_spacing_mm, 0)
    before, after = scanner.envelope(moved(), STILL), scanner.envelope(shift, STILL)
    inner = (slice(20, -20), slice(60, -30))
    assert correlation(before[inner], np.roll(after, (lines, samples), axis=(0, 1))[inner]) > 0.9
    assert abs(correlation(before[inner], after[inner])) < 0.2


@pytest.mark.parametrize("turn_deg", [(0.0, 0.0, 0.0), (12.0, 5.0, -25.0), (0.0, 0.0, 90.0)])
@pytest.mark.parametrize("probe", [linear(), curvilinear()], ids=lambda probe: probe.name)
def test_speckle_decorrelates_across_the_image_plane_as_the_beam_is_thick(probe, turn_deg):
    """Two images d apart across their plane, seen through a beam of Gaussian amplitude, SD σ: the complex echoes
    correlate by ∫ w(z) w(z + d) / ∫ w² = exp(−d² / 4σ²); the power, of complex Gaussians, by the square of it."""
    scanner = scanner_of(Block("blood"), probe)
    turned = probe_poses(np.zeros(1), np.zeros(1), *np.array(turn_deg)[:, None])[0]
    distances_sd = np.array([0.0, 0.1, 0.3, 0.6, 1.0, 1.5, 2.0, 3.0])

    def power(place, distance_sd):
        pose = turned.copy()
        pose[:3, 3] = np.array([20.3, 3.1, 9.1]) * place + turned[:3, 2] * distance_sd * probe.elevation_sd_mm
        seen = scanner.envelope(pose, STILL)[6:-6, 80:-10] ** 2
        return seen / seen.mean(axis=0)

    kept = [[correlation(power(place, 0), power(place, d)) for d in distances_sd] for place in range(5)]
    np.testing.assert_allclose(np.mean(kept, axis=0), np.exp(-(distances_sd**2) / 2), atol=0.045)


SCAN_SIZES = {False: (160, 120), True: (640, 480)}


@pytest.mark.parametrize("make", [linear, curvilinear])
def test_even_tissue_is_as_bright_at_any_sampling(make):
    """Power by depth and direction, from the same places scanned finely and not."""
    parts = []
    for fine in SCAN_SIZES:
        scanner = scanner_of(Block("blood"), make(fine=fine))
        poses = [moved(20.3 * k, 3.1 * k, 9.1 * k) for k in range(8)]
        power = np.mean([scanner.envelope(pose, STILL)[8:-8] ** 2 for pose in poses], axis=0)
        lines, samples = power.shape
        blocks = power[: lines // 2 * 2, : samples // 5 * 5].reshape(2, lines // 2, 5, samples // 5)
        parts.append(10 * np.log10(blocks.mean(axis=(1, 3))))
    np.testing.assert_allclose(parts[1], parts[0], atol=0.5)
    assert np.mean(parts[1] - parts[0]) == pytest.approx(0, abs=0.2)


@pytest.mark.parametrize("make", [linear, curvilinear])
def test_interfaces_and_points_are_as_bright_at_any_sampling(make):
    """An interface by its peak; a point by its energy, the power summed over the area that it is smeared over."""
    peaks_db, energies_db = [], []
    for fine in SCAN_SIZES:
        probe = make(fine=fine)
        scanner = scanner_of(pin_body((4, 75, -3)), probe)
        floor = scanner.envelope(moved(y=75), STILL)[:, np.abs(probe.depths_mm - 40) < 1.5]
        peaks_db.append(20 * np.log10(floor.max(axis=1)[probe.lines // 2]))
        near = np.abs(probe.depths_mm - 40) < 4
        pose = moved(4, 35, -3)
        seen = scanner.envelope(pose, STILL)[:, near] ** 2
        empty = scanner.envelope(moved(4, 35, 60), STILL)[:, near] ** 2
        area_mm2 = probe.sample_spacing_mm * probe.line_spacing_mm[near]
        energies_db.append(10 * np.log10(((seen - empty) * area_mm2).sum()))
    assert peaks_db[1] == pytest.approx(peaks_db[0], abs=0.5)
    assert energies_db[1] == pytest.approx(energies_db[0], abs=1.5)


@pytest.mark.parametrize("make", [linear, curvilinear])
def test_large_images_are_as_bright_as_small_ones(fetus, make):
    grey = []
    for fine, (width_px, height_px) in SCAN_SIZES.items():
        scanner = scanner_of(fetus, make(fine=fine), None, width_px, height_px)
        seen = scanner.probe.beam_index(scanner.geometry)[2]
        poses = [plane_through(fetus.landmarks_mm[name]) for name in ("stomach centre", "four-chamber crux")]
        grey.append(np.mean([scanner.image(pose, STILL, np.random.default_rng(0))[seen] for pose in poses]))
    assert grey[1] == pytest.approx(grey[0], abs=1.5)


def test_it_is_darker_below_bone_and_brighter_below_fluid():
    def below_and_beside(block):
        scanner = scanner_of(Block("fetal soft tissue", block))
        power = np.mean([scanner.envelope(moved(z=5.0 * k), STILL) ** 2 for k in range(16)], axis=0)
        across, deep = scanner.probe.across, slice(200, 260)
        return power[np.abs(across) < 5, deep].mean(), power[np.abs(across) > 14, deep].mean()

    below, beside = below_and_beside("bone")
    assert below < 0.01 * beside
    below, beside = below_and_beside("amniotic fluid")
    # 6 mm of fluid instead of tissue spare 2 · 0.49 dB/cm/MHz · 6 MHz · 0.6 cm = 3.5 dB.
    assert 10 * np.log10(below / beside) == pytest.approx(3.5, abs=1.2)


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.5])
def test_an_interface_reflects_by_impedance_and_incidence(slope):
    """(Z2 − Z1) / (Z2 + Z1), less by the fourth power of the cosine of incidence but for a diffuse rest."""
    scanner = scanner_of(Block("liver"))
    x, depth = scanner._points[0].reshape(128, 320), scanner._points[1].reshape(128, 320)
    fluid, liver = LABELS["amniotic fluid"], LABELS["liver"]
    reflected, _ = scanner._interfaces(np.where(depth > 40 + slope * x, liver, fluid).astype(np.uint8))
    first, second = TISSUES[fluid].impedance_mrayl, TISSUES[liver].impedance_mrayl
    cosine = 1 / np.hypot(1, slope)
    expected = SPECULAR_GAIN * (second - first) / (second + first) * (0.12 + 0.88 * cosine**4)
    assert reflected[40:-40].max(axis=1).mean() == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("probe", [linear(), curvilinear()], ids=lambda probe: probe.name)
def test_a_sample_of_a_beam_is_found_at_its_own_place(probe):
    points = probe.beam_points()
    line, sample = probe.beam_place(points[..., 0], points[..., 1])
    np.testing.assert_allclose(line, np.broadcast_to(np.arange(probe.lines)[:, None], line.shape), atol=1e-3)
    np.testing.assert_allclose(sample, np.broadcast_to(np.arange(probe.samples), line.shape), atol=1e-3)


@pytest.mark.parametrize("probe", [linear(), curvilinear()], ids=lambda probe: probe.name)
def test_the_floor_of_the_tank_appears_at_its_depth(probe):
    scanner = scanner_of(pin_body((40, 75, 0)), probe, Display(level_db=30, tgc_db_cm_mhz=0.0), 240, 180)
    for floor_mm in (25.0, 60.0):
        image = scanner.image(moved(y=115 - floor_mm), STILL, np.random.default_rng(0)).astype(float)
        u, v, _, _ = np.linalg.inv(scanner.geometry.image_to_probe) @ [0, floor_mm, 0, 1]
        column = image[:, round(u)] * (image[:, round(u)] > 100)
        assert (column * np.arange(180)).sum() / column.sum() == pytest.approx(v, abs=1)


@pytest.mark.parametrize("probe", [linear(), curvilinear()], ids=lambda probe: probe.name)
def test_a_point_appears_where_image_to_probe_and_the_pose_say(probe):
    scanner = scanner_of(pin_body((4, 75, -3)), probe, Display(level_db=50, tgc_db_cm_mhz=0.0), 240, 180)
    for x, depth, roll in ((0.0, 30.0, 0.0), (9.0, 40.0, 30.0), (-12.0, 55.0, -75.0)):
        pose = probe_poses(*np.zeros((4, 1)), np.full(1, roll))[0]
        pose[:3, 3] += np.array([4, 75, -3]) - (pose @ [x, depth, 0, 1])[:3]
        image = scanner.image(pose, STILL, np.random.default_rng(0)).astype(float)
        expected = np.linalg.inv(pose @ scanner.geometry.image_to_probe) @ [4, 75, -3, 1]
        rows, columns = np.mgrid[:180, :240]
        near = (np.hypot(columns - expected[0], rows - expected[1]) < 12) * np.maximum(image - 60, 0)
        assert near.sum() > 0
        found = (near * columns).sum() / near.sum(), (near * rows).sum() / near.sum()
        np.testing.assert_allclose(found, expected[:2], atol=1.0)


def test_moving_the_probe_moves_the_anatomy_by_as_much(fetus):
    """Linear probe, one pixel is the same everywhere: the shift between two images against the millimetres moved."""
    scanner = scanner_of(fetus)
    start = plane_through(fetus.landmarks_mm["stomach centre"])
    first = scanner.image(start, STILL, np.random.default_rng(0)).astype(float)
    for x_mm, y_mm in ((4.0, 0.0), (0.0, 5.0), (-6.0, 3.0)):
        second = scanner.image(start @ moved(x_mm, y_mm), STILL, np.random.default_rng(1)).astype(float)
        inner = (slice(20, 100), slice(60, 100))
        shifts = [(du, dv) for du in range(-14, 15) for dv in range(-12, 13)]
        scores = [
            correlation(first[inner], np.roll(second, (dv, du), axis=(0, 1))[inner]) for du, dv in shifts
        ]
        found = np.array(shifts[int(np.argmax(scores))]) * scanner.geometry.mm_per_px
        np.testing.assert_allclose(found, (x_mm, y_mm), atol=0.6)


def test_pressure_brings_the_tissue_nearer_to_the_face(fetus):
    scanner = scanner_of(fetus)
    pose = plane_through(fetus.landmarks_mm["stomach centre"])
    at_rest, pressed = (scanner._tissue_points(pose, 0.0, replace(STILL, pressure_mm=p)) for p in (0.0, 4.0))
    depth = scanner._points[1]
    np.testing.assert_allclose((at_rest - pressed)[1], 4 * np.exp(-((depth / 40) ** 2)), atol=1e-4)


def fields_of(moments):
    """The scatterers (N,) that a beam sees in each moment, at places far from each other."""
    places = np.random.default_rng(0).uniform(-100, 100, (3, 15000)).astype(np.float32)
    cells = Scatterers(0)
    return [
        sum(values for _, values in cells.layers(places, np.array([0.0, 0.0, 1.0]), 1.0, moment))
        for moment in moments
    ]


def test_the_changing_share_of_speckle_moves_smoothly_over_a_sweep():
    """Patterns of one power that give way to each other by cosine and sine of a phase that runs from 0 to 90° in the
    memory T: averaged over the phase, their correlation over a share x ≤ 1 of T is (1 − x/2) cos(πx/2) + sin(πx/2)/π;
    the fixed pattern, 1 − c² of the power, stays. Each frame is complex Gaussian: the mean of |a|⁴ is 2."""
    change, memory_s, lags_s = 0.8, 2.5, np.array([1 / 30, 0.5, 1.25, 2.5])
    kept = []
    for seed in range(40):
        moments = Moments(np.random.default_rng(seed), Variability(speckle_change=change))
        start, *later = fields_of(moments.after(step) for step in (7.3, *np.diff(lags_s, prepend=0)))
        for field in (start, *later):
            power = np.abs(field) ** 2
            assert power.mean() == pytest.approx(1, abs=0.05)
            assert (power**2).mean() / power.mean() ** 2 == pytest.approx(2, abs=0.15)
        kept.append([np.corrcoef(start, field)[0, 1].real for field in later])
    share = lags_s / memory_s
    expected = (1 - share / 2) * np.cos(np.pi / 2 * share) + np.sin(np.pi / 2 * share) / np.pi
    np.testing.assert_allclose(np.mean(kept, axis=0), 1 - change**2 + change**2 * expected, atol=0.02)
    assert np.min(kept, axis=0)[0] > 0.99, "speckle flickers"


def test_the_changing_share_of_speckle_is_independent_from_draw_to_draw():
    """Two draws have the fixed pattern in common, 1 − c² of the power, and no more."""
    moments = Moments(np.random.default_rng(0), Variability(speckle_change=0.8))
    fields = fields_of(moments.draw() for _ in range(8))
    kept = [np.corrcoef(a, b)[0, 1].real for n, a in enumerate(fields) for b in fields[:n]]
    np.testing.assert_allclose(kept, 1 - 0.8**2, atol=0.05)


def test_one_pose_has_many_images_that_differ_by_more_than_noise(fetus):
    scanner = scanner_of(fetus, curvilinear())
    pose = plane_through(fetus.landmarks_mm["four-chamber crux"])
    seen = scanner.image(pose, STILL, np.random.default_rng(0)) > 0
    moments = Moments(np.random.default_rng(3), Variability())
    draws = [scanner.image(pose, moments.draw(), np.random.default_rng(0)).astype(float) for _ in range(6)]
    noise = [scanner.image(pose, STILL, np.random.default_rng(n)).astype(float) for n in range(2)]
    differences = [np.abs(a - b)[seen].mean() for n, a in enumerate(draws) for b in draws[:n]]
    assert min(differences) > 5 * np.abs(noise[0] - noise[1])[seen].mean()
    assert np.mean([correlation(a, b) for a, b in itertools.pairwise(draws)]) > 0.6, "no longer one pose"


@pytest.mark.parametrize(
    "name", ["gain_db", "pressure_mm", "motion_mm", "beat", "speckle_change", "contact_losses"]
)
def test_each_kind_of_variability_shows_alone(fetus, name):
    nothing = dict.fromkeys(Variability.__dataclass_fields__, 0.0)
    moments = Moments(
        np.random.default_rng(5), Variability(**(nothing | {name: getattr(Variability(), name) * 1.5}))
    )
    scanner = scanner_of(fetus, curvilinear())
    pose = plane_through(fetus.landmarks_mm["four-chamber crux"])
    first, second = (
        scanner.image(pose, moments.draw(), np.random.default_rng(0)).astype(float) for _ in range(2)
    )
    assert np.abs(first - second).mean() > 0.05


def test_the_number_of_patches_without_contact_is_as_asked():
    moments = Moments(np.random.default_rng(0), Variability(contact_losses=1.2))
    assert np.mean([len(moments.draw().contact) for _ in range(3000)]) == pytest.approx(1.2, abs=0.08)


def test_lost_contact_darkens_its_lines_alone():
    scanner = scanner_of(Block("liver"))
    lost = replace(STILL, contact=(ContactLoss(0.0, 0.1, 10.0),))
    ratio = scanner.envelope(moved(), lost)[:, 100:200] / scanner.envelope(moved(), STILL)[:, 100:200]
    # 10 dB, twice through the gap.
    assert 20 * np.log10(np.median(ratio[62:66])) == pytest.approx(-20, abs=2.5)
    np.testing.assert_allclose(ratio[:30], 1, atol=0.01)


@pytest.mark.parametrize(("name", "low", "high"), [("smooth", -0.85, -0.5), ("contrast", 0.4, 0.7)])
def test_displays_reach_the_grey_levels_of_real_scanners(name, low, high):
    """Skewness of grey levels in even tissue, measured in recordings of real scanners."""
    probe = curvilinear()
    scanner = scanner_of(Block("fetal soft tissue"), probe, DISPLAYS[name])
    line, sample, seen = probe.beam_index(scanner.geometry)
    patch = seen & (np.abs(line - probe.lines / 2) < 40) & (np.abs(sample - probe.samples / 2) < 45)
    rng = np.random.default_rng(0)
    grey = np.concatenate(
        [scanner.image(moved(50.0 * k, 7.0 * k, 20.0 * k), STILL, rng)[patch] for k in range(6)]
    )
    assert low < skew(grey.astype(float)) < high
    assert 30 < grey.mean() < 200


def test_compounding_evens_speckle():
    scanners = [scanner_of(Block("blood"), display=Display(compounding=looks)) for looks in (1, 3)]
    one, three = (scanner.envelope(moved(), STILL)[10:-10, 100:-20] for scanner in scanners)
    one, three = one / one.mean(axis=0), three / three.mean(axis=0)
    assert three.std() < 0.8 * one.std()


def test_the_same_seeds_give_the_same_bits(fetus):
    pose = plane_through(fetus.landmarks_mm["stomach centre"])

    def image(seed, speckle_seed=0):
        probe = curvilinear()
        scanner = Scanner(fetus, probe, probe.image_geometry(160, 120), PLAIN.display, speckle_seed)
        return scanner.image(pose, Moments(np.random.default_rng(seed)).draw(), np.random.default_rng(seed))

    np.testing.assert_array_equal(image(4), image(4))
    assert (image(4) != image(5)).mean() > 0.2
    assert (image(4) != image(4, speckle_seed=1)).mean() > 0.2
