"""The header of an NRRD sequence, against headers written by hand, and pixels whose axes stand in another order."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from USGanSimLib.errors import UserError
from USGanSimLib.recording.nrrd import read_header
from USGanSimLib.recording.pixels import read_pixels


def test_fields_and_pairs_are_told_apart(an_nrrd):
    path = an_nrrd(
        lines="Seq_Frame0000_Status:=OK\nultrasound image orientation:=UN\nWebsite:=a: b := c\n",
        space_origin="(0,0)",
    )
    header = read_header(path)
    assert header.fields == {"Website": "a: b := c"}
    assert (header.orientation, header.image_status) == ("UN", "Status")
    assert header.frame_fields == {"Status": {0: "OK"}}
    assert path.read_bytes()[header.data_offset :] == bytes(range(12))


@pytest.mark.parametrize(
    ("sizes", "kinds", "pixels_of_frame_1"),
    [
        ("3 2 2", "domain domain list", [[6, 7, 8], [9, 10, 11]]),
        ("3 2 2", None, [[6, 7, 8], [9, 10, 11]]),
        ("3 2 1 2", "domain domain domain list", [[6, 7, 8], [9, 10, 11]]),
        ("2 3 2 1", "list domain domain domain", [[1, 3, 5], [7, 9, 11]]),
        ("1 3 2 2", "vector domain domain list", [[6, 7, 8], [9, 10, 11]]),
    ],
)
def test_the_frame_axis_is_found_wherever_it_stands(an_nrrd, sizes, kinds, pixels_of_frame_1):
    frames = read_pixels(read_header(an_nrrd(sizes=sizes, kinds=kinds)))
    assert frames.shape == (2, 2, 3)
    assert frames[1].tolist() == pixels_of_frame_1


def test_a_single_image_has_no_frame_axis(an_nrrd):
    path = an_nrrd(sizes="3 2", kinds="domain domain", dimension="2", pixels=bytes(range(6)))
    assert read_pixels(read_header(path)).tolist() == [[[0, 1, 2], [3, 4, 5]]]


def test_pixels_are_unpacked_with_gzip(an_nrrd):
    header = read_header(an_nrrd(encoding="gzip", pixels=gzip.compress(bytes(range(12)))))
    assert read_pixels(header).ravel().tolist() == list(range(12))


def test_pixels_may_lie_in_a_file_beside_the_header(an_nrrd, tmp_path):
    (tmp_path / "hand.raw").write_bytes(bytes(range(12)))
    frames = read_pixels(read_header(an_nrrd(name="hand.nhdr", data_file="hand.raw", pixels=b"")))
    assert frames.ravel().tolist() == list(range(12))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"sizes": None}, "no field 'sizes'"),
        ({"encoding": "bzip2"}, "encoding 'bzip2'"),
        ({"byte_skip": "16"}, "'byte skip: 16'"),
        ({"data_file": "frame%03d.raw 1 2 1"}, r"several files \(frame%03d.raw 1 2 1\)"),
        ({"data_file": "."}, "pixels in '.', which is no file beside it"),
        ({"data_file": "LIST"}, r"several files \(LIST\)"),
        ({"sizes": "3 2"}, "2 sizes .* 3 kinds"),
    ],
)
def test_what_is_not_read_is_refused_with_what_it_says(an_nrrd, fields, said):
    with pytest.raises(UserError, match=said):
        read_header(an_nrrd(**fields))


def test_garbage_in_the_header_is_refused_with_its_line(an_nrrd):
    with pytest.raises(UserError, match=r"hand.igs.nrrd, line 8: .*: 'garb\\x00ge'"):
        read_header(an_nrrd(lines="garb\x00ge\n"))


def test_colour_is_refused_with_its_number_of_channels(an_nrrd):
    header = read_header(an_nrrd(sizes="3 2 2", kinds="vector domain domain"))
    with pytest.raises(UserError, match="has 3 colours a pixel"):
        read_pixels(header)


def test_pixels_are_the_right_type(an_nrrd):
    header = read_header(an_nrrd(type="unsigned short", pixels=bytes(24)))
    with pytest.raises(UserError, match="type unsigned short"):
        read_pixels(header)
    assert read_pixels(read_header(an_nrrd(type="unsigned char"))).dtype == np.uint8
