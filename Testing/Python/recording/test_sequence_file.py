"""Whole recordings written and read: exact round trips, files that other readers understand, nothing left on errors."""

from __future__ import annotations

import dataclasses
import errno
import gzip
import tempfile
import tracemalloc
import zlib

import numpy as np
import pytest

from USGanSimLib.errors import UserError
from USGanSimLib.geometry.transforms import TransformTrack
from USGanSimLib.recording.sequence_file import SweepWriter, read_sweep, write_sweep
from USGanSimLib.recording.sweep import TrackedSweep

NAMES = ["x.igs.mha", "x.igs.mhd", "x.igs.nrrd"]


@pytest.fixture
def a_sweep() -> TrackedSweep:
    """Seven random frames of 5×4 pixels with gaps in every column."""
    random = np.random.default_rng(3)
    return TrackedSweep(
        frames=random.integers(0, 256, (7, 4, 5), np.uint8),
        timestamps_s=100 + random.random(7).cumsum(),
        transforms={
            "ProbeToTracker": TransformTrack(random.normal(size=(7, 4, 4)), random.random(7) > 0.3),
            "ImageToProbe": TransformTrack(random.normal(size=(7, 4, 4)), np.ones(7, bool)),
        },
        image_valid=np.array([1, 1, 0, 1, 1, 1, 1], bool),
        name="x",
        frame_fields={
            "FrameNumber": (None, "2", "3", None, "5", "6", "7"),
            "ProbeToTrackerTransformStatus": (None,) * 3 + ("MISSING",) + (None,) * 3,
        },
        header={"Operator": "Jos\xe9", "ElementSpacing": "0.3 0.3 1"},
    )


def assert_same(first: TrackedSweep, second: TrackedSweep) -> None:
    assert np.array_equal(first.frames, second.frames)
    assert first.timestamps_s.tobytes() == second.timestamps_s.tobytes()
    assert np.array_equal(first.image_valid, second.image_valid)
    assert list(first.transforms) == list(second.transforms)
    for name, track in first.transforms.items():
        assert track.matrices.tobytes() == second.transforms[name].matrices.tobytes()
        assert np.array_equal(track.valid, second.transforms[name].valid)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("compress", [True, False])
def test_a_round_trip_keeps_every_bit_and_every_field(a_sweep, tmp_path, name, compress):
    a_sweep.transforms["ProbeToTracker"].valid[3] = False
    write_sweep(tmp_path / name, a_sweep, compress)
    read = read_sweep(tmp_path / name)
    assert_same(a_sweep, read)
    assert read.header == a_sweep.header | (
        {}
        if name.endswith("nrrd")
        else {
            "AnatomicalOrientation": "RAI",
            "CenterOfRotation": "0 0 0",
            "Offset": "0 0 0",
            "TransformMatrix": "1 0 0 0 1 0 0 0 1",
        }
    )
    assert read.frame_fields["FrameNumber"] == a_sweep.frame_fields["FrameNumber"]
    assert read.frame_fields["ProbeToTrackerTransformStatus"][3] == "MISSING"
    # Once more: what was read is written as the same bytes.
    again = tmp_path / ("again" + name)
    write_sweep(again, read, compress)
    assert again.read_bytes().replace(b"againx", b"x") == (tmp_path / name).read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_of_a_tracker_alone_makes_the_round_trip(a_sweep, tmp_path, name):
    tracker = dataclasses.replace(
        a_sweep, frames=np.zeros((7, 0, 0), np.uint8), image_valid=np.zeros(7, bool)
    )
    write_sweep(tmp_path / name, tracker)
    assert_same(tracker, read_sweep(tmp_path / name))


@pytest.mark.parametrize(
    ("orientation", "view"), [("UN", np.s_[:, ::-1, ::-1]), ("MN", np.s_[:, ::-1]), ("UF", np.s_[:, :, ::-1])]
)
def test_a_flipped_recording_is_read_and_written_as_mf(a_metafile, tmp_path, orientation, view):
    sweep = read_sweep(a_metafile(UltrasoundImageOrientation=orientation))
    assert np.array_equal(sweep.frames, np.arange(12).reshape(2, 2, 3)[view])
    write_sweep(tmp_path / "x.igs.mha", sweep)
    assert_same(sweep, read_sweep(tmp_path / "x.igs.mha"))


def test_an_image_of_one_pixel_needs_no_orientation(a_metafile):
    assert (
        read_sweep(a_metafile(DimSize="1 1 2", UltrasoundImageOrientation="XX", pixels=b"\x00\x07")).frames[1]
        == 7
    )


def test_ten_thousand_frames_and_more_make_the_round_trip(tmp_path):
    path = tmp_path / "x.igs.mha"
    with SweepWriter(path, 1, 1) as writer:
        for frame in range(10_003):
            writer.append(np.full((1, 1), frame % 256, np.uint8), frame / 10, {})
    sweep = read_sweep(path)
    assert b"Seq_Frame9999_Timestamp = 999.9\n" in path.read_bytes()
    assert b"Seq_Frame10000_Timestamp = 1000.0\n" in path.read_bytes()
    assert np.array_equal(sweep.timestamps_s, np.arange(10_003) / 10)
    assert np.array_equal(sweep.frames.ravel(), np.arange(10_003) % 256)


def test_the_metafile_tells_the_length_of_its_one_zlib_stream(a_sweep, tmp_path):
    write_sweep(tmp_path / "x.igs.mha", a_sweep)
    header, _, pixels = (tmp_path / "x.igs.mha").read_bytes().partition(b"ElementDataFile = LOCAL\n")
    assert f"CompressedDataSize = {len(pixels)}\n".encode() in header
    assert zlib.decompress(pixels) == a_sweep.frames.tobytes()


def test_the_nrrd_ends_with_its_one_gzip_stream(a_sweep, tmp_path):
    write_sweep(tmp_path / "x.igs.nrrd", a_sweep)
    header, _, pixels = (tmp_path / "x.igs.nrrd").read_bytes().partition(b"\n\n")
    assert b"Seq_Frame0002_Status:=INVALID\n" in header
    assert gzip.decompress(pixels) == a_sweep.frames.tobytes()


@pytest.mark.parametrize("name", ["x.igs.mha", "x.igs.mhd"])
@pytest.mark.parametrize("compress", [True, False])
def test_vtk_reads_the_same_pixels(a_sweep, tmp_path, name, compress):
    vtk_image = pytest.importorskip("vtkmodules.vtkIOImage", reason="VTK is not installed")
    numpy_support = pytest.importorskip("vtkmodules.util.numpy_support")
    write_sweep(tmp_path / name, a_sweep, compress)
    reader = vtk_image.vtkMetaImageReader()
    reader.SetFileName(str(tmp_path / name))
    reader.Update()
    scalars = numpy_support.vtk_to_numpy(reader.GetOutput().GetPointData().GetScalars())
    assert np.array_equal(scalars.reshape(a_sweep.frames.shape), a_sweep.frames)


@pytest.mark.parametrize("compress", [True, False])
def test_writing_and_reading_cost_little_memory_however_long_the_recording(tmp_path, monkeypatch, compress):
    monkeypatch.setattr("USGanSimLib.recording.pixels.IN_MEMORY_BYTES", 1_000_000)
    image = np.random.default_rng(0).integers(0, 256, (500, 500), np.uint8)
    tracemalloc.start()
    with SweepWriter(tmp_path / "x.igs.mha", 500, 500, compress=compress) as writer:
        for frame in range(100):
            writer.append(image, frame, {"ProbeToTracker": (np.eye(4), True)})
    sweep = read_sweep(tmp_path / "x.igs.mha")
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 5_000_000 < sweep.frames.size
    assert np.array_equal(sweep.frames[99], image)


class FullDisk:
    """A file on a disk with room for a number of bytes."""

    def __init__(self, room: int) -> None:
        self.room = room

    def __call__(self, **_: object) -> FullDisk:
        return self

    def __enter__(self) -> FullDisk:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, data: bytes) -> int:
        self.room -= len(memoryview(data).cast("B"))
        if self.room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return len(data)


@pytest.mark.parametrize("name", NAMES)
def test_a_full_disk_is_told_and_leaves_the_old_file_alone(a_sweep, tmp_path, monkeypatch, name):
    (tmp_path / name).write_text("old")
    monkeypatch.setattr(tempfile, "TemporaryFile", FullDisk(room=2000))
    with pytest.raises(UserError, match="The disk is full: .*x.igs.* could not be written"):
        write_sweep(tmp_path / name, a_sweep)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "old"


def test_an_interrupted_recording_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), SweepWriter(tmp_path / "x.igs.mhd", 1, 1) as writer:
        writer.append(np.zeros((1, 1), np.uint8), 0, {})
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"fields": {"Note": "two\nlines"}}, "Seq_Frame0000_Note has more than one line"),
        (
            {"fields": {"Note": "\u03c0"}},
            "Seq_Frame0000_Note has characters that the format cannot hold: 'π'",
        ),
        ({"transforms": {"Probe": (np.eye(4), True)}}, "'Probe' does not name a transform"),
    ],
)
def test_what_no_header_can_hold_is_refused(tmp_path, arguments, said):
    with pytest.raises(UserError, match=said), SweepWriter(tmp_path / "x.igs.mha", 1, 1) as writer:
        writer.append(np.zeros((1, 1), np.uint8), 0, **({"transforms": {}} | arguments))
    assert list(tmp_path.iterdir()) == []


def test_a_header_field_of_two_lines_is_refused(a_sweep, tmp_path):
    with pytest.raises(UserError, match="The field Operator has more than one line"):
        write_sweep(
            tmp_path / "x.igs.mha", dataclasses.replace(a_sweep, header={"Operator": "A\nDimSize = 9 9 9"})
        )


def test_a_recording_without_frames_is_refused(tmp_path):
    with pytest.raises(UserError, match="no frame to write"), SweepWriter(tmp_path / "x.igs.mha", 1, 1):
        pass
    assert list(tmp_path.iterdir()) == []


def test_an_image_of_another_size_is_a_mistake_of_the_caller(tmp_path):
    with (
        pytest.raises(ValueError, match=r"image must be \(2, 3\) uint8, not \(3, 2\)"),
        SweepWriter(tmp_path / "x.igs.mha", 3, 2) as writer,
    ):
        writer.append(np.zeros((3, 2), np.uint8), 0, {})


@pytest.mark.parametrize("name", ["x.png", "x.igs", "x.seq.mha.gz"])
def test_a_file_name_of_no_known_format_is_refused(a_sweep, tmp_path, name):
    with pytest.raises(UserError, match="is not the name of a recording"):
        write_sweep(tmp_path / name, a_sweep)


def test_a_missing_folder_or_file_is_told(a_sweep, tmp_path):
    with pytest.raises(UserError, match="could not be written: No such file"):
        write_sweep(tmp_path / "no" / "x.igs.mha", a_sweep)
    with pytest.raises(UserError, match="cannot be read: No such file"):
        read_sweep(tmp_path / "x.igs.mha")
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        read_sweep(tmp_path)


def test_nrrd_is_told_by_its_first_bytes_not_by_its_name(a_sweep, tmp_path):
    write_sweep(tmp_path / "x.igs.nrrd", a_sweep)
    assert_same(a_sweep, read_sweep((tmp_path / "x.igs.nrrd").rename(tmp_path / "x.dat")))


def test_a_valid_pose_that_is_not_rigid_is_refused_where_poses_are_asked_for(a_metafile):
    frames = (
        "Seq_Frame0000_Timestamp = 1\nSeq_Frame0001_Timestamp = 2\n"
        "Seq_Frame0000_ProbeToReferenceTransform = 1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1\n"
        "Seq_Frame0000_ProbeToReferenceTransformStatus = OK\n"
        "Seq_Frame0001_ProbeToReferenceTransform = nan 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1\n"
        "Seq_Frame0001_ProbeToReferenceTransformStatus = OK\n"
    )
    sweep = read_sweep(a_metafile(frames=frames))
    with pytest.raises(UserError, match="not a rigid transform in 1 of 2 frames .first: frame 1"):
        sweep.probe_to_reference()


@pytest.mark.parametrize("name", ["心臓.igs.mhd", "a\nb.igs.mhd"])
def test_a_name_that_the_header_cannot_hold_is_refused_for_two_files(tmp_path, a_sweep, name):
    with pytest.raises(UserError, match="is no name for a recording"):
        write_sweep(tmp_path / name, a_sweep)
    assert list(tmp_path.iterdir()) == []


def test_a_recording_of_one_file_may_have_any_name(tmp_path, a_sweep):
    write_sweep(tmp_path / "心臓.igs.mha", a_sweep)
    assert len(read_sweep(tmp_path / "心臓.igs.mha")) == 7
