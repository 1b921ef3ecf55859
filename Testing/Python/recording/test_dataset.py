"""recording/dataset.py: what is written comes back, the hash knows its content, damage and a full disk are told."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from USGanSimLib.errors import UserError
from USGanSimLib.geometry.image_geometry import Crop, ImageGeometry
from USGanSimLib.recording import dataset as dataset_module
from USGanSimLib.recording.dataset import Dataset, Source, open_dataset, write_dataset

COUNT, WIDTH_PX, HEIGHT_PX = 12, 10, 8
GEOMETRY = ImageGeometry(WIDTH_PX, HEIGHT_PX, np.diag([0.5, 0.25, 1.0, 1.0]))
IMAGES = np.random.default_rng(1).integers(0, 256, (COUNT, HEIGHT_PX, WIDTH_PX), dtype=np.uint8)
HELDOUT = np.arange(COUNT) >= 9


def poses() -> np.ndarray:
    result = np.tile(GEOMETRY.image_to_probe, (COUNT, 1, 1))
    result[:, 2, 3] = np.arange(COUNT) ** 2
    return result


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Dataset]:
    def write(
        name: str = "set",
        images: Any = IMAGES,
        poses: np.ndarray = poses(),  # noqa: B008
        geometry: ImageGeometry = GEOMETRY,
        **more: Any,
    ) -> Dataset:
        return write_dataset(tmp_path / name, images, poses, geometry, **{"heldout": HELDOUT, **more})

    return write


def test_everything_written_comes_back(write: Callable[..., Dataset]) -> None:
    source = Source("a.igs.mha", "ab" * 32, 14, 12, {"image_invalid": 2})
    written = write(
        timestamps_s=np.arange(COUNT) / 7,
        sweep_index=np.zeros(COUNT, int),
        source_frame=np.arange(COUNT) + 2,
        source_size_px=(40, 30),
        crop=Crop(1, 2, 20, 16),
        lag_s=0.03,
        reference_frame="Table",
        split="sweeps",
        sources=[source],
    )
    read = open_dataset(written.folder)
    assert np.array_equal(read.images, IMAGES)
    assert np.array_equal(read.poses, poses())
    assert np.array_equal(read.timestamps_s, np.arange(COUNT) / 7)
    assert read.source_frame.tolist() == list(range(2, 14))
    assert read.train_indices.tolist() == list(range(9))
    assert read.heldout_indices.tolist() == [9, 10, 11]
    assert np.array_equal(read.geometry.image_to_probe, GEOMETRY.image_to_probe)
    assert (read.geometry.width_px, read.geometry.height_px) == (WIDTH_PX, HEIGHT_PX)
    assert (read.source_size_px, read.crop, read.lag_s) == ((40, 30), Crop(1, 2, 20, 16), 0.03)
    assert (read.reference_frame, read.split, read.sources) == ("Table", "sweeps", (source,))
    assert not read.images.flags.writeable


def test_images_are_read_in_any_order_as_copies(write: Callable[..., Dataset]) -> None:
    read = write()
    batch = read.read_images([7, 0, 7, -1])
    assert np.array_equal(batch, IMAGES[[7, 0, 7, -1]])
    batch[:] = 0
    assert np.array_equal(read.read_images([7])[0], IMAGES[7])
    assert read.read_images([]).shape == (0, HEIGHT_PX, WIDTH_PX)


@pytest.mark.parametrize("index", [COUNT, -COUNT - 1])
def test_an_image_beyond_the_set_is_an_index_error(write: Callable[..., Dataset], index: int) -> None:
    with pytest.raises(IndexError, match=str(index)):
        write().read_images([index])


def test_normalisation_is_that_of_every_pixel_of_the_training_frames_alone(
    write: Callable[..., Dataset],
) -> None:
    pixels = np.array([[u, v, 0, 1] for u in range(WIDTH_PX) for v in range(HEIGHT_PX)], float)
    coordinates = np.concatenate([(pose @ pixels.T)[:3].T for pose in poses()[~HELDOUT]])
    normalisation = write().normalisation
    np.testing.assert_allclose(normalisation.mean_mm, coordinates.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(normalisation.std_mm, coordinates.std(axis=0), rtol=1e-12)


def test_the_hash_depends_on_pixels_poses_split_and_geometry(write: Callable[..., Dataset]) -> None:
    other_images, other_poses, other_split = IMAGES.copy(), poses(), HELDOUT.copy()
    other_images[5, 3, 3] ^= 1
    other_poses[5, 0, 3] += 1e-9
    other_split[0] = True
    other_geometry = ImageGeometry(WIDTH_PX, HEIGHT_PX, np.diag([0.5, 0.25 + 1e-12, 1.0, 1.0]))
    hashes = [
        write("a").sha256,
        write("b", images=other_images).sha256,
        write("c", poses=other_poses).sha256,
        write("d", heldout=other_split).sha256,
        write("e", geometry=other_geometry).sha256,
    ]
    assert len(set(hashes)) == 5
    assert all(len(bytes.fromhex(digest)) == 32 for digest in hashes)


def test_the_hash_does_not_depend_on_place_time_or_names(write: Callable[..., Dataset]) -> None:
    other = write("another", timestamps_s=np.arange(COUNT) + 1e6, sources=[Source("other", "", COUNT, COUNT)])
    assert write().sha256 == other.sha256


def test_held_out_everything_is_refused(write: Callable[..., Dataset], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="all of 12 frames"):
        write(heldout=np.ones(COUNT, bool))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("images", [IMAGES[:-1], IMAGES[:, 1:], IMAGES.astype(np.int16)])
def test_images_that_do_not_go_with_the_poses_are_refused_and_leave_nothing(
    write: Callable[..., Dataset], tmp_path: Path, images: np.ndarray
) -> None:
    with pytest.raises(ValueError, match="image"):
        write(images=images)
    assert not list(tmp_path.iterdir())


class FullDisk:
    """A file on a disk that takes `room` more bytes."""

    def __init__(self, stream: Any, room: int) -> None:
        self._stream, self._room = stream, room

    def write(self, data: Any) -> int:
        self._room -= len(bytes(data))
        if self._room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return int(self._stream.write(data))

    def __enter__(self) -> FullDisk:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()


def test_a_full_disk_is_told_and_leaves_the_old_set_alone(
    write: Callable[..., Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = write(images=IMAGES[::-1])
    plain = Path.open

    def full(path: Path, mode: str = "r", *more: Any, **named: Any) -> Any:
        stream = plain(path, mode, *more, **named)
        fills_up = path.name == "images.npy" and "w" in mode
        return FullDisk(stream, room=5 * WIDTH_PX * HEIGHT_PX + 200) if fills_up else stream

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(UserError, match="The disk is full"):
        write()
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert np.array_equal(open_dataset(old.folder).images, IMAGES[::-1])


def test_a_folder_with_other_things_is_not_replaced(write: Callable[..., Dataset], tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="holds other files"):
        write()
    assert (tmp_path / "set" / "thesis.txt").read_text() == "years of work"


def test_a_folder_without_a_training_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"not a training set: there is no dataset\.json"):
        open_dataset(tmp_path)


def _shorten(folder: Path) -> None:
    content = (folder / "images.npy").read_bytes()
    (folder / "images.npy").write_bytes(content[:-7])


def _another_count(folder: Path) -> None:
    np.save(folder / "poses.npy", poses()[:-1])


def _no_hash(folder: Path) -> None:
    data = json.loads((folder / "dataset.json").read_text())
    del data["sha256"]
    (folder / "dataset.json").write_text(json.dumps(data))


def _no_json(folder: Path) -> None:
    (folder / "dataset.json").write_text("{")


def _pickle(folder: Path) -> None:
    np.save(folder / "heldout.npy", np.array([{}], object), allow_pickle=True)


def _changed(**changes: Any) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        data = json.loads((folder / "dataset.json").read_text())
        (folder / "dataset.json").write_text(json.dumps({**data, **changes}))

    return damage


def _replaced(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content)  # type: ignore[return-value]


ODD_VALUES = [{"source_size_px": []}, {"frames": float("inf")}, {"normalisation": 3}, {"crop_px": "wide"}]
NO_ARRAYS = [
    b"",
    b"PK\x03\x04 no archive",
    b"\x93NUMPY\x01\x00\x10\x00{'descr': (((  \n",
    b"\x93NUMPY\x01\x00\x46\x00"
    + b"{'descr': '|u1', 'fortran_order': False, 'shape': (10000000000000000000,)}"[:69]
    + b"\n",
]


@pytest.mark.parametrize(
    "damage",
    [
        *(_shorten, _another_count, _no_hash, _no_json, _pickle),
        *(_changed(**changes) for changes in ODD_VALUES),
        *(_replaced(name, content) for name in ("images.npy", "poses.npy") for content in NO_ARRAYS),
    ],
)
def test_a_damaged_set_is_refused_in_one_sentence(
    write: Callable[..., Dataset], damage: Callable[[Path], None]
) -> None:
    folder = write().folder
    damage(folder)
    with pytest.raises(UserError, match="is damaged"):
        open_dataset(folder)


def test_a_missing_file_of_a_set_is_named(write: Callable[..., Dataset]) -> None:
    folder = write().folder
    (folder / "heldout.npy").unlink()
    with pytest.raises(UserError, match=r"no heldout\.npy"):
        open_dataset(folder)


def test_a_set_of_a_later_version_is_refused(
    write: Callable[..., Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write().folder
    monkeypatch.setattr(dataset_module, "FORMAT_VERSION", 0)
    with pytest.raises(UserError, match="has format 1"):
        open_dataset(folder)


RESIDENT = """
import resource, sys, numpy as np
from pathlib import Path
from USGanSimLib.recording.dataset import open_dataset

def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6

set_ = open_dataset(Path(sys.argv[1]))
random = np.random.default_rng(0)
set_.read_images(random.integers(0, len(set_), 36))
before = resident_mb()
for _ in range(1000):
    set_.read_images(random.integers(0, len(set_), 36))
read = resident_mb()
set_.images[:].sum()
print(read - before, resident_mb() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from /proc")
def test_reading_random_batches_leaves_no_images_in_resident_memory(tmp_path: Path, repository: Path) -> None:
    count = 4000

    def images() -> Iterator[np.ndarray]:
        for index in range(count):
            yield np.full((120, 160), index % 251, np.uint8)

    geometry = ImageGeometry(160, 120, np.eye(4))
    write_dataset(tmp_path / "large", images(), np.tile(np.eye(4), (count, 1, 1)), geometry)
    run = subprocess.run(
        [sys.executable, "-c", RESIDENT, str(tmp_path / "large")],
        check=True,
        text=True,
        capture_output=True,
        cwd=repository / "USGanSim",
    )
    by_batches_mb, by_map_mb = map(float, run.stdout.split())
    assert by_map_mb > 70, "touching the map should fill memory, or this test measures nothing"
    assert by_batches_mb < 10
