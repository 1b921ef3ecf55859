"""DICOM cines: two public ones with known facts, and small ones written here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from USGanSimLib.errors import UserError
from USGanSimLib.recording.exchange.dicom_cine import read_cine

pydicom = pytest.importorskip("pydicom", reason="pydicom is not installed")

GREY = np.random.default_rng(0).integers(0, 256, (3, 5, 7), np.uint8)


def a_file(path: Path, pixels: np.ndarray, photometric: str = "MONOCHROME2", **more: object) -> Path:
    """A file of `pixels` (N, H, W) or (N, H, W, 3), uncompressed."""
    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data = pydicom.dataset.FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID = meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.3.1"
    data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = "1.2.3"
    data.Rows, data.Columns, data.NumberOfFrames = pixels.shape[1], pixels.shape[2], len(pixels)
    data.SamplesPerPixel, data.PhotometricInterpretation = (3 if pixels.ndim == 4 else 1), photometric
    if pixels.ndim == 4:
        data.PlanarConfiguration = 0
    bits = 8 * pixels.dtype.itemsize
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = bits, bits, bits - 1, 0
    raw = pixels.tobytes()
    data.PixelData = raw + b"\0" * (len(raw) % 2)
    for name, value in more.items():
        setattr(data, name, value)
    data.save_as(path)
    return path


def a_region(kind: int = 1, units: int = 3) -> object:
    region = pydicom.Dataset()
    region.RegionDataType, region.PhysicalUnitsXDirection, region.PhysicalUnitsYDirection = kind, units, units
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 1, 2
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 5, 4
    region.PhysicalDeltaX, region.PhysicalDeltaY = 0.05, -0.04
    return region


def test_grey_frames_come_as_they_are_with_their_times_and_the_size_of_a_pixel(tmp_path: Path) -> None:
    regions = pydicom.Sequence([a_region(kind=2), a_region(units=4), a_region()])
    cine = read_cine(a_file(tmp_path / "a.dcm", GREY, FrameTime="40.0", SequenceOfUltrasoundRegions=regions))
    assert np.array_equal(cine.frames, GREY)
    assert cine.times_s is not None
    np.testing.assert_allclose(cine.times_s, [0, 0.04, 0.08])
    assert cine.mm_per_px == pytest.approx((0.5, 0.4))
    assert cine.region_px == (1, 2, 5, 3)


def test_frames_at_uneven_times_have_them(tmp_path: Path) -> None:
    cine = read_cine(a_file(tmp_path / "a.dcm", GREY, FrameTimeVector=[0, 30, 50]))
    assert cine.times_s is not None
    np.testing.assert_allclose(cine.times_s, [0, 0.03, 0.08])


def test_colours_become_luminance_and_inverted_greys_are_turned(tmp_path: Path) -> None:
    colours = np.stack([GREY, 255 - GREY, GREY // 2], axis=-1)
    expected = colours @ np.array([0.299, 0.587, 0.114])
    assert np.abs(read_cine(a_file(tmp_path / "c.dcm", colours, "RGB")).frames - expected).max() <= 1
    assert np.array_equal(read_cine(a_file(tmp_path / "m.dcm", GREY, "MONOCHROME1")).frames, 255 - GREY)


def test_one_frame_without_times_or_regions_is_a_cine_of_one(tmp_path: Path) -> None:
    cine = read_cine(a_file(tmp_path / "a.dcm", GREY[:1]))
    assert cine.frames.shape == (1, 5, 7)
    assert (cine.times_s, cine.mm_per_px, cine.region_px) == (None, None, None)


def test_what_is_no_cine_of_8_bits_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "text.dcm").write_text("no")
    torn = a_file(tmp_path / "torn.dcm", GREY)
    torn.write_bytes(torn.read_bytes()[:-60])
    for path, said in (
        (tmp_path / "none.dcm", "cannot be read"),
        (tmp_path / "text.dcm", "is no DICOM file"),
        (torn, "pixels of torn.dcm cannot be read"),
        (a_file(tmp_path / "deep.dcm", GREY.astype(np.uint16)), "not of 8 bits"),
    ):
        with pytest.raises(UserError, match=said):
            read_cine(path)


def test_a_cine_in_ybr_colours_has_its_frames_and_times(more_data: Path) -> None:
    cine = read_cine(more_data / "examples_ybr_color.dcm")
    assert cine.frames.shape == (30, 240, 320)
    assert cine.times_s is not None
    np.testing.assert_allclose(np.diff(cine.times_s), 0.0333, atol=1e-4)
    # A picture with black ground and grey tissue, not one of YBR's zero chroma of 128.
    assert np.median(cine.frames) < 60
    assert cine.frames.max() > 150
    # Its region is that of an image twice as large.
    assert cine.mm_per_px is None


def test_a_frame_in_palette_colours_has_the_size_of_its_tissue(more_data: Path) -> None:
    cine = read_cine(more_data / "examples_palette.dcm")
    assert cine.frames.shape == (1, 350, 800)
    assert cine.mm_per_px == pytest.approx((0.262, 0.262), abs=0.001)
