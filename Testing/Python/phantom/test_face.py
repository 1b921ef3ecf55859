"""The probe's face, found in the virtual phantom's images, is where the probe has it, and planned poses stand on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from USGanSimLib.cli import main
from USGanSimLib.geometry.image_geometry import ImageGeometry
from USGanSimLib.geometry.pose_sets import along_curve, at_face
from USGanSimLib.phantom.probe import Probe, curvilinear, linear
from USGanSimLib.recording.field.find import find_field, spread_frames
from USGanSimLib.recording.sequence_file import read_sweep

HALF_A_PIXEL = 0.5


@pytest.fixture(scope="module", params=[curvilinear, linear], ids=["curvilinear", "linear"])
def scanned(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    probe: Probe = request.param()
    path = tmp_path_factory.mktemp("face") / "scan.igs.mha"
    name = "curvilinear" if probe.radius_mm else "linear"
    assert main(["phantom", "--out", str(path), "--frames", "30", "--probe", name]) == 0
    sweep = read_sweep(Path(path))
    geometry = probe.image_geometry(sweep.width_px, sweep.height_px)
    return geometry, find_field(spread_frames(sweep.frames, np.flatnonzero(sweep.image_valid)))


def test_the_face_is_the_origin_of_the_probe_within_half_a_pixel(scanned) -> None:
    geometry, field = scanned
    face_mm = geometry.image_to_probe @ [*field.face_px, 0, 1]
    assert np.linalg.norm(face_mm[:3]) <= HALF_A_PIXEL * max(geometry.mm_per_px)


def test_the_face_of_every_image_along_a_curve_lies_on_the_curve(scanned) -> None:
    geometry, field = scanned
    angle = np.linspace(0, 1, 50)
    curve_mm = np.column_stack([60 * np.sin(angle), -60 * np.cos(angle), 5 * angle])
    frames = along_curve(curve_mm, 4.0, np.array([0.0, -1.0, 0.0]), in_plane=True)
    poses = at_face(frames, geometry, field.face_px)
    # The true face is the probe's origin, whatever was found.
    probes = poses @ np.linalg.inv(geometry.image_to_probe)
    off_mm = np.linalg.norm(probes[:, :3, 3] - frames[:, :3, 3], axis=1)
    assert off_mm.max() <= HALF_A_PIXEL * max(geometry.mm_per_px)


def test_without_a_field_the_face_would_be_millimetres_off() -> None:
    geometry: ImageGeometry = curvilinear().image_geometry(160, 120)
    assert np.linalg.norm((geometry.image_to_probe @ [79.5, 0, 0, 1])[:3]) > 10
