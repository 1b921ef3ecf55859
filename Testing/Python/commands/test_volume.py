"""`volume` as a person runs it, of a training set; what it makes of a model is in top/test_expected.py."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from USGanSimLib import cli
from USGanSimLib.geometry.image_geometry import ImageGeometry
from USGanSimLib.recording.dataset import Dataset, write_dataset


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Planes 1 mm apart, each as bright as its z; those from 6 to 8 are missing, the last is held out."""
    depths = np.array([0, 1, 2, 3, 4, 5, 9, 10, 11, 12, 13])
    images = np.broadcast_to(20 + 10 * depths[:, None, None], (len(depths), 24, 32)).astype(np.uint8)
    poses = np.tile(np.eye(4), (len(depths), 1, 1))
    poses[:, 2, 3] = depths
    return write_dataset(
        tmp_path / "set", images, poses, ImageGeometry(32, 24, np.eye(4)), heldout=depths == 13
    )


def read(path: Path) -> tuple[np.ndarray, np.ndarray, float]:
    """(Z, Y, X) voxels, the first one's middle and the spacing, as the NRRD specification says."""
    head, _, pixels = path.read_bytes().partition(b"\n\n")
    field = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
    sizes = [int(size) for size in field["sizes"].split()][::-1]
    origin = np.array([float(place) for place in field["space origin"].strip("()").split(",")])
    spacing = float(field["space directions"].split(",")[0].lstrip("("))
    return np.frombuffer(gzip.decompress(pixels), np.uint8).reshape(sizes), origin, spacing


def test_the_frames_of_a_training_set_stand_in_the_volume_where_they_were(dataset, tmp_path, capsys) -> None:
    out = tmp_path / "volume.nrrd"
    assert cli.main(["volume", str(dataset.folder), "--out", str(out), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    grey, origin_mm, spacing_mm = read(out)
    known, *_ = read(tmp_path / "volume.mask.nrrd")
    assert (result["planes"], result["spacing_mm"], result["size"]) == (10, 1, list(grey.shape[::-1]))
    assert (origin_mm.tolist(), spacing_mm) == ([0, 0, 0], 1)
    inside = dataset.field.mask()
    for z in (0, 3, 5, 9, 12):
        assert np.median(grey[z, :24, :32][inside]) == 20 + 10 * z
    # Between 5 and 9 it is filled from both sides.
    assert 70 < np.median(grey[7, :24, :32][inside]) < 110
    assert set(np.unique(known)) <= {0, 1}
    assert known[:13, :24, :32][:, inside].all()
    assert result["known_share"] == pytest.approx(known.mean())


def test_what_is_there_is_kept_and_what_is_no_source_is_refused(dataset, tmp_path, capsys) -> None:
    out = tmp_path / "volume.nrrd"
    words = ["volume", str(dataset.folder), "--out", str(out)]
    assert cli.main(words) == 0
    written = out.read_bytes()
    for more, said in (
        (words, "exists already"),
        ([*words[:-1], str(tmp_path / "volume.png")], "is not the name of a volume"),
        (["volume", str(tmp_path), "--out", str(tmp_path / "x.nrrd")], "neither a model nor a training set"),
    ):
        assert cli.main(more) == 2
        assert said in capsys.readouterr().err
    assert out.read_bytes() == written
    assert cli.main([*words, "--spacing-mm", "2", "--force"]) == 0
    assert read(out)[2] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set", "volume.mask.nrrd", "volume.nrrd"]
