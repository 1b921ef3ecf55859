"""What the observer learns from, and that it learns."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from USGanSimLib.errors import UserError  # noqa: E402
from USGanSimLib.evaluation.observer import views as observer_views  # noqa: E402
from USGanSimLib.evaluation.observer.landmark_observer import load_observer  # noqa: E402
from USGanSimLib.evaluation.observer.network import Answers  # noqa: E402
from USGanSimLib.evaluation.observer.training import (  # noqa: E402
    FIRST_SUBJECT,
    ObserverSettings,
    measured,
    observer_loss,
    train_observer,
    varied,
)
from USGanSimLib.evaluation.observer.views import shown_at, subject_views  # noqa: E402
from USGanSimLib.phantom.acoustics import PRESSURE_FADES_MM  # noqa: E402
from USGanSimLib.phantom.body import fetal_body  # noqa: E402
from USGanSimLib.phantom.moment import Moment  # noqa: E402
from USGanSimLib.phantom.motion import plane_through  # noqa: E402
from USGanSimLib.phantom.settings import HARD, PLAIN  # noqa: E402
from USGanSimLib.progress import Silent  # noqa: E402


@pytest.fixture
def coarse_bodies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bodies that are painted in a twentieth of the time."""
    monkeypatch.setattr(observer_views, "fetal_body", functools.partial(fetal_body, voxel_mm=2.0))


def test_a_spot_and_its_place_are_turned_shifted_and_scaled_together() -> None:
    v, u = np.mgrid[:64, :96]
    middle = np.array([60.0, 22.0])
    spot = 200 * np.exp(-((u - middle[0]) ** 2 + (v - middle[1]) ** 2) / (2 * 2.0**2))
    images = torch.from_numpy(np.repeat((spot / 255)[None, None], 12, axis=0)).float()
    places = torch.from_numpy(np.tile(middle, (12, 1, 1))).float()
    moved_images, moved = varied(images, places, torch.Generator().manual_seed(1))
    weights = moved_images[:, 0].numpy().astype(float) ** 2
    total = weights.sum((1, 2))
    found = np.stack([(weights * u).sum((1, 2)) / total, (weights * v).sum((1, 2)) / total], 1)
    assert found == pytest.approx(moved[:, 0].numpy(), abs=0.05)
    assert np.abs(moved[:, 0].numpy() - middle).max() > 4


def test_the_loss_is_least_for_the_true_place_and_for_nowhere_off_the_plane() -> None:
    def loss(heat_at: tuple[int, int] | None, region: float, off_mm: float) -> float:
        heat = torch.full((1, 1, 8, 12), -12.0)
        if heat_at:
            heat[0, 0, heat_at[1] - 1 : heat_at[1] + 2, heat_at[0] - 1 : heat_at[0] + 2] = 3.0
        answers = Answers(torch.tensor([[float(region)]]), heat, torch.zeros(1, 1))
        place = torch.tensor([[[2 * 6 + 0.5, 2 * 4 + 0.5]]])
        return float(observer_loss(answers, place, torch.tensor([[float(off_mm)]]), torch.tensor([[True]])))

    assert loss((6, 4), 5.0, 0) < loss((3, 4), 5, 0)
    assert loss((6, 4), 5.0, 0) < loss(None, 5, 0)
    assert loss((6, 4), 5.0, 0) < loss((6, 4), -5, 0)
    assert loss(None, -5, 30) < loss((6, 4), -5, 30)
    assert loss(None, -5, 30) < loss(None, 5, 30)


def test_pressure_and_motion_move_a_landmark_where_the_scanner_shows_it() -> None:
    """At the middle of the fluid the fetus moves as a whole; pressure pushes what is near the face away from it."""
    body = fetal_body(0, 2.0)
    pose = plane_through(body.landmarks_mm["nasal tip"])
    resting = np.array([[0.0, 70.0, -20.0]])
    shift = np.array([1.0, -0.5, 2.0])
    moved = shown_at(body, Moment(motion_mm=shift), pose, resting)
    assert moved == pytest.approx(resting + shift, abs=0.02)
    pushed = shown_at(body, Moment(pressure_mm=3.0), pose, np.array([[0.0, 20.0, -64.0]]))
    depth_mm = pushed[0, 1] - pose[1, 3]
    assert pushed[0, 1] - 20.0 == pytest.approx(
        3.0 * np.exp(-((depth_mm / PRESSURE_FADES_MM) ** 2)), abs=1e-3
    )


def test_views_show_landmarks_often_and_say_where(coarse_bodies: None) -> None:
    views = subject_views(FIRST_SUBJECT, 48, (PLAIN, HARD), 0)
    assert views.images.shape == (48, 120, 160)
    assert views.visible(2.0).any(axis=1).mean() > 0.25
    # Far more than the rate of bare sweeps, and never outside the field of view.
    u, v = np.rint(views.places_px[views.visible(2.0)]).astype(int).T
    assert (views.images.max(axis=0)[v, u] > 0).all()
    again = subject_views(FIRST_SUBJECT, 48, (PLAIN, HARD), 0)
    assert np.array_equal(views.images, again.images)
    assert not np.array_equal(views.images, subject_views(FIRST_SUBJECT, 48, (PLAIN, HARD), 1).images)


def test_a_tiny_training_writes_an_observer_that_says_on_what_it_was_trained(
    coarse_bodies: None, tmp_path: Path
) -> None:
    settings = ObserverSettings(subjects=1, images=8, iterations=2, batch=2, channels=2, trial_images=4)
    result = train_observer(tmp_path / "o.safetensors", settings, Silent())
    info = load_observer(tmp_path / "o.safetensors").info
    assert info.subjects == (FIRST_SUBJECT,)
    assert 0 not in info.subjects
    assert info.metrics["subject"] not in info.subjects
    assert result["images"] == 8
    assert set(result["plain"]["landmarks"]) == set(info.landmarks)


@pytest.mark.parametrize(("name", "reason"), [("subjects", "0 subjects"), ("trial_images", "0 trial images")])
def test_nothing_to_learn_from_is_refused(name: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        ObserverSettings(**{name: 0})


@pytest.mark.slow
def test_an_observer_finds_the_landmarks_of_a_subject_that_it_never_saw(tmp_path: Path) -> None:
    """A third of the usual training. By chance a place is some 60 mm off, and 5 mm are a two-hundredth of the image."""
    settings = ObserverSettings(subjects=6, images=160, iterations=260, trial_images=240)
    train_observer(tmp_path / "o.safetensors", settings, Silent())
    observer = load_observer(tmp_path / "o.safetensors")
    found = measured(observer, subject_views(0, 240, [PLAIN], 5))
    assert found["within_5mm_share"] > 0.5
    assert found["median_mm"] < 3
    assert found["false_alarm_share"] < 0.05
    noise = np.random.default_rng(0).integers(0, 120, (20, 120, 160), np.uint8)
    look = observer.look(noise, (observer.info.mm_per_px,) * 2)
    assert (look.clear >= observer.info.thresholds.clear).mean() < 0.1
