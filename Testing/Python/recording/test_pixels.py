"""Pixels of hand-written files: order, compression, sizes that do not fit, and where large ones go."""

from __future__ import annotations

import tempfile
import tracemalloc
import zlib

import numpy as np
import pytest

from USGanSimLib.errors import UserError
from USGanSimLib.recording import pixels
from USGanSimLib.recording.metafile import read_header

NUMBERED = bytes(range(12))


def frames_of(path):
    return pixels.read_pixels(read_header(path))


def compressed(a_metafile, stream: bytes, promised: int | None = None, **fields):
    size = str(len(stream) if promised is None else promised)
    return a_metafile(pixels=stream, CompressedData="True", CompressedDataSize=size, **fields)


def test_x_is_fastest_then_y_then_the_frame(a_metafile):
    assert frames_of(a_metafile()).tolist() == [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]]


def test_uncompressed_pixels_are_mapped_read_only(a_metafile):
    frames = frames_of(a_metafile())
    assert isinstance(frames, np.memmap)
    assert not frames.flags.writeable


def test_compressed_pixels_are_one_stream_over_all_frames(a_metafile):
    frames = frames_of(compressed(a_metafile, zlib.compress(NUMBERED)))
    assert frames.shape == (2, 2, 3)
    assert frames.ravel().tolist() == list(range(12))
    assert not frames.flags.writeable


@pytest.mark.parametrize("promised", ["0", "", "unknown", None])
def test_the_length_of_the_stream_need_not_be_told(a_metafile, promised):
    path = a_metafile(pixels=zlib.compress(NUMBERED), CompressedData="True", CompressedDataSize=promised)
    assert frames_of(path).ravel().tolist() == list(range(12))


def test_a_large_stream_is_unpacked_into_a_file_without_a_name(a_metafile, tmp_path, monkeypatch):
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(unpacked))
    monkeypatch.setattr(pixels, "IN_MEMORY_BYTES", 1000)
    content = np.random.default_rng(0).integers(0, 256, 3 * 300 * 400 * 10, np.uint8).tobytes()
    frames = frames_of(compressed(a_metafile, zlib.compress(content), DimSize="400 900 10"))
    assert isinstance(frames, np.memmap)
    assert frames.tobytes() == content
    assert list(unpacked.iterdir()) == []


def test_a_full_disk_while_unpacking_is_told_with_the_size(a_metafile, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    monkeypatch.setattr(pixels, "IN_MEMORY_BYTES", 11)
    with pytest.raises(
        UserError, match="The 12 bytes of pixels of hand.igs.mha could not be unpacked into .*gone"
    ):
        frames_of(compressed(a_metafile, zlib.compress(NUMBERED)))


@pytest.mark.parametrize("count", [0, 11, 15, 24])
def test_a_truncated_or_oversized_file_is_refused_with_both_sizes(a_metafile, count):
    path = a_metafile(pixels=bytes(count))
    with pytest.raises(UserError, match=f"{count} bytes of pixels, where 2 images of 3×2 px need 12"):
        frames_of(path)


def test_a_newline_after_the_pixels_is_no_error(a_metafile):
    assert frames_of(a_metafile(pixels=NUMBERED + b"\r\n")).ravel().tolist() == list(range(12))


def test_a_truncated_stream_is_refused_with_the_bytes_that_are_there(a_metafile):
    stream = zlib.compress(NUMBERED)
    path = compressed(a_metafile, stream[:-3], promised=len(stream))
    with pytest.raises(UserError, match=f"{len(stream) - 3} of {len(stream)} bytes of compressed pixels"):
        frames_of(path)


@pytest.mark.parametrize(
    ("count", "amount"), [(6, "6"), (11, "11"), (18, "more than 12"), (40_000_000, "more than 12")]
)
def test_a_stream_of_another_size_is_refused_with_both_sizes(a_metafile, count, amount):
    path = compressed(a_metafile, zlib.compress(bytes(count)))
    with pytest.raises(
        UserError, match=f"unpacks to {amount} bytes of pixels, where 2 images of 3×2 px need 12"
    ):
        frames_of(path)


def test_a_stream_that_never_ends_costs_little_memory(a_metafile):
    path = compressed(a_metafile, zlib.compress(bytes(100_000_000)))
    tracemalloc.start()
    with pytest.raises(UserError, match="more than 12"):
        frames_of(path)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 10_000_000


@pytest.mark.parametrize("place", [0, 5, -1])
def test_a_damaged_stream_is_refused(a_metafile, place):
    stream = bytearray(zlib.compress(NUMBERED))
    stream[place] ^= 0xFF
    with pytest.raises(UserError, match="damaged after .* of 12 bytes"):
        frames_of(compressed(a_metafile, bytes(stream)))


def test_a_missing_pixel_file_is_named(a_metafile):
    with pytest.raises(
        UserError, match=r"hand.igs.mhd has its pixels in elsewhere.raw, which is not beside it"
    ):
        frames_of(a_metafile(name="hand.igs.mhd", ElementDataFile="elsewhere.raw", pixels=b""))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"ElementType": "MET_USHORT"}, "type MET_USHORT"),
        ({"ElementType": "MET_CHAR"}, "type MET_CHAR"),
        ({"ElementNumberOfChannels": "3"}, "3 colours"),
        ({"UltrasoundImageType": "RF_REAL"}, "holds RF_REAL, not B-mode"),
    ],
)
def test_pixels_other_than_grey_b_mode_of_8_bits_are_refused_with_the_reason(a_metafile, fields, said):
    with pytest.raises(UserError, match=said):
        frames_of(a_metafile(**fields))


def test_the_byte_order_is_of_no_account_for_bytes(a_metafile):
    frames = frames_of(a_metafile(BinaryDataByteOrderMSB="True"))
    assert frames.ravel().tolist() == list(range(12))


def test_images_of_no_size_have_no_pixels_whatever_their_type(a_metafile):
    frames = frames_of(a_metafile(DimSize="0 0 2", ElementType="MET_OTHER", pixels=b""))
    assert frames.shape == (2, 0, 0)
