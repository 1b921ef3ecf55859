"""On the virtual phantom, with the shipped model: a reference that is moved by 5 mm is noticed, and one that is not is
not suspected."""

from __future__ import annotations

import numpy as np
import pytest

from USGanSimLib.geometry.agreement import RECENT, USUAL_MM, BestPlace, agreement, places_aside
from USGanSimLib.geometry.image_geometry import ImageGeometry
from USGanSimLib.ml.renderer import ModelRenderer
from USGanSimLib.phantom.acoustics import Scanner
from USGanSimLib.phantom.body import fetal_body
from USGanSimLib.phantom.probe import PROBES
from USGanSimLib.phantom.scanning import images, plan_session
from USGanSimLib.phantom.settings import PLAIN, adjusted
from USGanSimLib.sample_data import sample_model_path

SAMPLES, SEED = 2, 301


@pytest.fixture(scope="module")
def renderer():
    return ModelRenderer.load(sample_model_path())


@pytest.fixture(scope="module")
def scan():
    """(image, true ProbeToReference) of RECENT moments of a scan that the model has not seen, all over the phantom."""
    probe = PROBES["curvilinear"](fine=False)
    setting = adjusted(PLAIN, {"rate_share": 0.02})
    scanner = Scanner(fetal_body(0), probe, probe.image_geometry(160, 120), setting.display)
    sweeps = plan_session(RECENT + 2, setting, SEED)
    shown = [
        (image, pose)
        for sweep in sweeps
        for image, pose in zip(images(sweep, scanner, setting, SEED), sweep.image_poses, strict=True)
    ]
    return shown[:RECENT]


def looked_at(renderer, scan, moved_mm) -> BestPlace:
    """The scan, as a tracker tells it whose reference was moved by this on the phantom."""
    moved = np.eye(4)
    moved[:3, 3] = moved_mm
    place = BestPlace(ImageGeometry(renderer.width_px, renderer.height_px, renderer.image_to_probe))
    for image, probe_to_reference in scan:
        told = moved @ probe_to_reference @ renderer.image_to_probe
        numbers = [
            agreement(
                image.astype(np.float32),
                renderer.sample(pose, SAMPLES).mean(axis=0, dtype=np.float32),
                np.ones(image.shape, bool),
                1.18,
            )
            for pose in places_aside(told)
        ]
        place.add(np.array(numbers), told)
    return place


def test_nothing_is_suspected_while_nothing_has_moved(renderer, scan):
    place = looked_at(renderer, scan, (0, 0, 0))
    assert place.seen == RECENT
    assert place.away_mm < USUAL_MM
    assert not place.moved


def test_a_reference_that_was_moved_by_5_mm_leaves_the_usual_range(renderer, scan):
    place = looked_at(renderer, scan, (3, 0, 4))
    assert place.away_mm > USUAL_MM
    assert place.moved
